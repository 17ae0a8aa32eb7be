"""How students are drawn: graph, prior knowledge, goals, rates and traits."""

from __future__ import annotations

import numpy as np

from curiosity_rl.envs.rng import STEP, mix, normal, uniform
from curiosity_rl.envs.tutor.bits import add, has, mark_needed
from curiosity_rl.envs.tutor.motivation import FRAILTY_SD, START
from curiosity_rl.envs.tutor.people import (
    ABILITY_SD,
    CLIPS,
    END_ROW,
    FIRST_ROW,
    HANDICAP,
    JITTER,
    LEARN_SHIFT,
    LOWERED_MEAN,
    LOWERED_SD,
    MODEL,
    ON_ANSWERS,
    ON_LEARN,
    PRIOR,
    SHARE,
    TRAIT,
)
from curiosity_rl.envs.tutor.state import BKT, FSRS, HLR, IRT, LAYERED, NOISY, PFA, QS
from curiosity_rl.envs.tutor.strength import MARK, SCALE, sigmoid
from curiosity_rl.envs.tutor.students import needed_known
from curiosity_rl.jit import kernel
from curiosity_rl.memory import half_life

_POOL = np.uint64(0x5851F42D4C957F2D)
_ANSWERS = np.uint64(0x14057B7EF767814F)
MARGIN = 0.5
"""How far below the mark [logit] a skill that is not known starts at most."""
CEILING, ABOVE = 3.0, 2.0
"""Ability at which growth ends (irt), and how far it lies above any difficulty, in
units of 1 / discrimination."""
OLD_STABILITY, OLD_DIFFICULTY, OLD_ANSWERS = 60.0, 5.0, 16.0
"""Memory of a skill that is known at the start: days, FSRS difficulty, right answers
(assumptions)."""


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
def draw_rates(word, slots, ability, i, state, params):
    """Draw learn, guess and slip of every skill; return the advanced word."""
    g = state.group[i]
    first = int(params.people[g, FIRST_ROW])
    rows = int(params.people[g, END_ROW]) - first
    for position in range(params.skills):
        k = slots[position]
        word += STEP
        row = first + int(uniform(word) * rows)
        for c in range(3):
            x = params.table[row, c]
            jitter = params.people[g, JITTER + c]
            if jitter > 0.0:
                word += STEP
                x += jitter * normal(word)
                word += STEP
            if c == 0:
                x += (
                    params.people[g, ON_LEARN] * ability + params.people[g, LEARN_SHIFT]
                )
            elif c == 1:
                x += params.people[g, ON_ANSWERS] * ability
            else:
                x -= params.people[g, ON_ANSWERS] * ability
            low = params.people[g, CLIPS + 2 * c]
            high = params.people[g, CLIPS + 2 * c + 1]
            value = min(max(sigmoid(x), low), high)
            if c == 0:
                state.learn[i, k] = value
            elif c == 1:
                state.guess[i, k] = value
            else:
                state.slip[i, k] = value
        if params.learn.size:
            state.learn[i, k] = params.learn[position]
            state.boost[i, k] = params.boost[position]
        if params.people[g, LOWERED_SD] > 0.0:
            word = lower_rates(word, i, k, state, params)
    for position in range(params.skills, params.activities):
        k = slots[position]
        add(state.distractor, i, k)
        state.learn[i, k] = 0.0
        state.boost[i, k] = 0.0
        state.guess[i, k] = 0.5
        state.slip[i, k] = 0.5
    return word


@kernel
def lowered(rate, less, least):
    """Return a rate less a number, within 0 to 1; numbers below 0 become `least`."""
    if rate <= 0.0:
        return 0.0
    return min(max(rate - (less if less >= 0.0 else least), 0.0), 1.0)


@kernel
def lower_rates(word, i, k, state, params):
    """Take a normal number off every rate of skill k that is not 0.

    EDM 2016: a negative number becomes .01, but for the boost; rates stay in 0 to 1.
    Each prerequisite has a boost of its own there; here, they share the mean of these.
    Return the advanced word.
    """
    g = state.group[i]
    mean, deviation = params.people[g, LOWERED_MEAN], params.people[g, LOWERED_SD]
    links, boosts = 0, 0.0
    for c in range(3 + state.parents.shape[2]):
        word += STEP
        less = mean + deviation * normal(word)
        word += STEP
        if c == 0:
            state.learn[i, k] = lowered(state.learn[i, k], less, 0.01)
        elif c == 1:
            state.guess[i, k] = lowered(state.guess[i, k], less, 0.01)
        elif c == 2:
            state.slip[i, k] = lowered(state.slip[i, k], less, 0.01)
        elif state.parents[i, k, c - 3] >= 0:
            links += 1
            boosts += lowered(state.boost[i, k], less, less)
    if links > 0:
        state.boost[i, k] = boosts / links
    return word


@kernel
def draw_traits(word, slots, ability, i, state, params):
    """Draw what a student of a graded model starts from; return the advanced word."""
    model, g = state.model[i], state.group[i]
    mark = MARK[model]
    sure = 0.5 * (1.0 + mark)
    for position in range(params.activities):
        k = slots[position]
        level, trait = state.level[i, k], state.trait[i, k]
        for c in range(level.size):
            level[c] = 0.0
        for c in range(trait.size):
            word += STEP
            mean = params.people[g, TRAIT + 2 * c]
            trait[c] = mean + params.people[g, TRAIT + 2 * c + 1] * normal(word)
            word += STEP
        known = has(state.mastery, i, k)
        if model == PFA:
            most = np.log(mark / (1.0 - mark)) - MARGIN
            start = min(trait[0] + ability, most)
            trait[0] = np.log(sure / (1.0 - sure)) if known else start
            trait[1] = max(trait[1], 0.0)
        elif model == IRT:
            start = trait[2] + ability
            a = SCALE * np.exp(trait[0])
            trait[0] = a / SCALE
            trait[2] = max(CEILING, trait[1] + ABOVE / trait[0])
            most = trait[1] + (np.log(mark / (1.0 - mark)) - MARGIN) / a
            least = trait[1] + np.log(sure / (1.0 - sure)) / a
            level[0] = least if known else min(start, most)
        elif model == QS:
            start = min(max(trait[0], 0.0), 0.5 * mark)
            level[0] = sure if known else start
        elif known and model == HLR:
            level[2] = OLD_ANSWERS
            level[0] = half_life(level[2], level[3], trait[0], trait[1], trait[2])
        elif known and model == FSRS:
            level[0] = OLD_STABILITY
            level[2] = OLD_DIFFICULTY
    return word


@kernel
def draw_handicaps(word, slots, i, state, params):
    """Draw which representation of each skill is not grasped, -1 for none."""
    for position in range(params.activities):
        k = slots[position]
        word += STEP
        without = uniform(word) < params.people[state.group[i], HANDICAP]
        word += STEP
        which = int(uniform(word) * params.representations)
        state.handicap[i, k] = which if without and position < params.skills else -1
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
    """Write the graph that the tutor is shown: the true one, or one with errors.

    Each link is dropped, or replaced by a wrong one, or left.
    """
    for position in range(params.activities):
        k = slots[position]
        for p in range(state.parents.shape[2]):
            parent = state.parents[i, k, p]
            if parent >= 0 and params.graph == NOISY:
                word += STEP
                chance = uniform(word)
                word += STEP
                if chance < params.graph_dropped:
                    parent = -1
                elif chance < params.graph_dropped + params.graph_noise:
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
    state.day[i] = 0.0
    group = 0
    groups = params.people.shape[0]
    if groups > 1:
        word += STEP
        chance = uniform(word)
        while group < groups - 1 and chance >= params.people[group, SHARE]:
            group += 1
    state.group[i] = group
    state.model[i] = int(params.people[group, MODEL])
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
        if params.shuffle:
            for k in range(params.activities - 1, 0, -1):
                word += STEP
                j = int(uniform(word) * (k + 1))
                slots[k], slots[j] = slots[j], slots[k]
        if params.people[group, ABILITY_SD] > 0.0:
            word += STEP
            ability = params.people[group, ABILITY_SD] * normal(word)
            word += STEP
        word = draw_graph(word, slots, i, state, params)
        known_chance = sigmoid(params.people[group, PRIOR] + ability)
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
    if state.model[i] != BKT:
        word = draw_traits(word, slots, ability, i, state, params)
    if params.representations > 1:
        word = draw_handicaps(word, slots, i, state, params)
    if params.dropout > 0.0:
        word += STEP
        state.frailty[i] = np.exp(FRAILTY_SD * normal(word))
        word += STEP
        state.motivation[i] = START
        state.run[i] = 0
    show_graph(word, slots, i, state, params)
    state.start[i] = needed_known(i, state)
    return found
