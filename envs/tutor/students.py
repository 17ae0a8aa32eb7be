"""The rules of the tutor world: how students are drawn, answer, learn and forget.

Scalar kernels over the truth; the tutor's record (record.py) never reads it.
"""

from __future__ import annotations

import numpy as np

from curiosity_rl.envs.rng import STEP, mix, normal, uniform
from curiosity_rl.envs.tutor.state import ADDITIVE, HARD, LAYERED, NOISY
from curiosity_rl.jit import kernel

_ONE = np.uint64(1)
_POOL = np.uint64(0x5851F42D4C957F2D)
_ANSWERS = np.uint64(0x14057B7EF767814F)
_SIX = np.uint64(6)
_LOW = np.uint64(63)


@kernel
def has(masks, i, k):
    """Return whether bit k of lane i is set, as 0 or 1 (uint64)."""
    u = np.uint64(k)
    return (masks[i, u >> _SIX] >> (u & _LOW)) & _ONE


@kernel
def add(masks, i, k):
    """Set bit k of lane i."""
    u = np.uint64(k)
    masks[i, u >> _SIX] |= _ONE << (u & _LOW)


@kernel
def remove(masks, i, k):
    """Clear bit k of lane i."""
    u = np.uint64(k)
    masks[i, u >> _SIX] &= ~(_ONE << (u & _LOW))


@kernel
def sigmoid(x):
    """Return the logistic function of x."""
    return 1.0 / (1.0 + np.exp(-x))


@kernel
def passed(i, state):
    """Return whether lane i would pass the exam now: every goal skill is known."""
    for w in range(state.goal.shape[1]):
        if state.goal[i, w] & ~state.mastery[i, w]:
            return False
    return True


@kernel
def bits_set(word):
    """Return how many bits of a word are set."""
    count = 0
    while word:
        word &= word - _ONE
        count += 1
    return count


@kernel
def needed_known(i, state):
    """Return how many needed skills the student of lane i knows."""
    count = 0
    for w in range(state.needed.shape[1]):
        count += bits_set(state.needed[i, w] & state.mastery[i, w])
    return count


@kernel
def needed_total(i, state):
    """Return how many skills the goals of lane i need."""
    count = 0
    for w in range(state.needed.shape[1]):
        count += bits_set(state.needed[i, w])
    return count


@kernel
def learn_chance(i, k, state, params):
    """Return P(unknown skill k becomes known by one exercise).

    hard: T_k if all parents are known, else leak * T_k; soft: T_k * (leak + (1 - leak)
    * share of known parents); additive: T_k + D_k * number of known parents.
    """
    count, known = 0, 0
    for p in range(state.parents.shape[2]):
        parent = state.parents[i, k, p]
        if parent >= 0:
            count += 1
            known += has(state.mastery, i, parent)
    rate = state.learn[i, k]
    if params.gating == ADDITIVE:
        return rate + state.boost[i, k] * known
    if known == count:
        return rate
    if params.gating == HARD:
        return rate * params.leak
    return rate * (params.leak + (1.0 - params.leak) * known / count)


@kernel
def practise(i, k, state, params, chance):
    """Let the student of lane i learn or forget skill k, by a uniform number."""
    if has(state.mastery, i, k):
        if chance < params.forgetting:
            remove(state.mastery, i, k)
    elif chance < learn_chance(i, k, state, params):
        add(state.mastery, i, k)


@kernel
def answer(i, k, state, params):
    """One exercise of activity k in lane i; return whether the answer was right.

    Each exercise takes two numbers of the lane's stream of answers, whatever happens,
    so that tutors can be compared on the same luck.
    """
    first = state.answers[i] + STEP
    second = first + STEP
    state.answers[i] = second
    if params.learn_first:
        practise(i, k, state, params, uniform(second))
    right_chance = (
        1.0 - state.slip[i, k] if has(state.mastery, i, k) else state.guess[i, k]
    )
    right = uniform(first) < right_chance
    if not params.learn_first:
        practise(i, k, state, params, uniform(second))
    state.elapsed[i] += 1
    return right


@kernel
def answer_all(actions, state, params, right):
    """Rules and answers alone, for all lanes: no record, no observation."""
    for i in range(actions.shape[0]):
        right[i] = answer(i, actions[i], state, params)


@kernel
def draw_graph(word, slots, i, state, params):
    """Draw the prerequisites of a student; return the advanced word.

    `slots` maps positions, parents first, to activity slots. Layers hold 1 to 3 skills;
    a skill has a parent in the layer before and, half the time, another in any earlier
    layer.
    """
    if params.kind != LAYERED:
        for position in range(params.skills):
            for p in range(params.parents.shape[1]):
                parent = params.parents[position, p]
                if parent >= 0:
                    state.parents[i, slots[position], p] = slots[parent]
        return word
    before, start, end = 0, 0, 0
    for position in range(params.skills):
        if position == end:
            word += STEP
            before, start = start, end
            end += 1 + int(uniform(word) * 3)
        if start > 0:
            k = slots[position]
            word += STEP
            first = before + int(uniform(word) * (start - before))
            state.parents[i, k, 0] = slots[first]
            word += STEP
            if uniform(word) < 0.5:
                word += STEP
                second = int(uniform(word) * start)
                if second != first:
                    state.parents[i, k, 1] = slots[second]
    return word


@kernel
def draw_goals(word, slots, i, state, params):
    """Draw goals; return the advanced word.

    From the skills that the curriculum names, where it does (selection sampling);
    otherwise the last skill and others of the last half.
    """
    if params.exam.size:
        left = params.goals
        for c in range(params.exam.size):
            word += STEP
            if uniform(word) * (params.exam.size - c) < left:
                add(state.goal, i, slots[params.exam[c]])
                left -= 1
        return word
    skills = params.skills
    add(state.goal, i, slots[skills - 1])
    pool = min(skills, max(skills - skills // 2, params.goals))
    left = params.goals - 1
    while left > 0:
        word += STEP
        k = slots[skills - pool + int(uniform(word) * pool)]
        if not has(state.goal, i, k):
            add(state.goal, i, k)
            left -= 1
    return word


@kernel
def mark_needed(goals, parents, slots, skills, i, needed):
    """Mark goals and all their ancestors; positions run from parents to children."""
    for position in range(skills - 1, -1, -1):
        k = slots[position]
        if has(goals, i, k):
            add(needed, i, k)
        if has(needed, i, k):
            for p in range(parents.shape[2]):
                if parents[i, k, p] >= 0:
                    add(needed, i, parents[i, k, p])


@kernel
def draw_rates(word, slots, ability, i, state, params):
    """Draw learn, guess and slip of every skill; return the advanced word."""
    for position in range(params.skills):
        k = slots[position]
        word += STEP
        row = int(uniform(word) * params.table.shape[0])
        for c in range(3):
            x = params.table[row, c]
            if params.jitter[c] > 0.0:
                word += STEP
                x += params.jitter[c] * normal(word)
                word += STEP
            if c == 0:
                x += params.ability_on_learn * ability
            elif c == 1:
                x += params.ability_on_answers * ability
            else:
                x -= params.ability_on_answers * ability
            value = min(max(sigmoid(x), params.clips[2 * c]), params.clips[2 * c + 1])
            if c == 0:
                state.learn[i, k] = value
            elif c == 1:
                state.guess[i, k] = value
            else:
                state.slip[i, k] = value
        if params.learn.size:
            state.learn[i, k] = params.learn[position]
            state.boost[i, k] = params.boost[position]
    for position in range(params.skills, params.activities):
        k = slots[position]
        add(state.distractor, i, k)
        state.learn[i, k] = 0.0
        state.boost[i, k] = 0.0
        state.guess[i, k] = 0.5
        state.slip[i, k] = 0.5
    return word


@kernel
def linked(i, k, other, p, state):
    """Return whether `other` is a parent of k, or is shown as one in a column < p."""
    found = False
    for q in range(state.parents.shape[2]):
        found |= state.parents[i, k, q] == other
        found |= q < p and state.shown[i, k, q] == other
    return found


@kernel
def wrong_parent(chance, position, slots, p, i, state):
    """Choose an earlier skill that is no parent by a uniform number; -1 for none."""
    k = slots[position]
    free = 0
    for earlier in range(position):
        if not linked(i, k, slots[earlier], p, state):
            free += 1
    left = int(chance * free)
    for earlier in range(position):
        if not linked(i, k, slots[earlier], p, state):
            if left == 0:
                return slots[earlier]
            left -= 1
    return -1


@kernel
def show_graph(word, slots, i, state, params):
    """Write the graph that the tutor is shown: the true one, or one with errors."""
    for position in range(params.activities):
        k = slots[position]
        for p in range(state.parents.shape[2]):
            parent = state.parents[i, k, p]
            if parent >= 0 and params.graph == NOISY:
                word += STEP
                luck = uniform(word)
                word += STEP
                if luck >= 1.0 - params.graph_dropped:
                    parent = -1
                elif luck < params.graph_noise:
                    other = wrong_parent(uniform(word), position, slots, p, i, state)
                    if other >= 0:
                        parent = other
            state.shown[i, k, p] = parent
    return word


@kernel
def enrol(i, state, params, slots):
    """Draw a new student into lane i; return whether one was found.

    Graph, prior knowledge (closed under prerequisites) and goals are redrawn until
    enough needed skills are unknown. `slots` is scratch space, `(A,)` int64.
    """
    word = state.rng[i] + STEP
    state.rng[i] = word
    state.answers[i] = mix(word ^ _ANSWERS)
    word = mix(word)
    if params.students > 0:
        word = mix((word % np.uint64(params.students)) ^ _POOL)
    state.elapsed[i] = 0
    ability = 0.0
    found = False
    for _ in range(params.redraws):
        for k in range(params.activities):
            slots[k] = k
            for p in range(state.parents.shape[2]):
                state.parents[i, k, p] = -1
        for w in range(state.mastery.shape[1]):
            state.mastery[i, w] = np.uint64(0)
            state.goal[i, w] = np.uint64(0)
            state.needed[i, w] = np.uint64(0)
            state.distractor[i, w] = np.uint64(0)
        for k in range(params.activities - 1, 0, -1):
            word += STEP
            j = int(uniform(word) * (k + 1))
            slots[k], slots[j] = slots[j], slots[k]
        if params.ability_sd > 0.0:
            word += STEP
            ability = params.ability_sd * normal(word)
            word += STEP
        word = draw_graph(word, slots, i, state, params)
        known_chance = sigmoid(params.prior_logit + ability)
        for position in range(params.skills):
            k = slots[position]
            ready = True
            for p in range(state.parents.shape[2]):
                parent = state.parents[i, k, p]
                if parent >= 0 and not has(state.mastery, i, parent):
                    ready = False
            word += STEP
            if ready and uniform(word) < known_chance:
                add(state.mastery, i, k)
        word = draw_goals(word, slots, i, state, params)
        mark_needed(state.goal, state.parents, slots, params.skills, i, state.needed)
        unknown = 0
        for k in range(params.activities):
            if has(state.needed, i, k) and not has(state.mastery, i, k):
                unknown += 1
        if unknown >= params.min_unknown:
            found = True
            break
    word = draw_rates(word, slots, ability, i, state, params)
    show_graph(word, slots, i, state, params)
    state.start[i] = needed_known(i, state)
    return found
