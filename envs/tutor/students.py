"""The rules of the tutor world: how students answer, learn, forget and leave.

Scalar kernels over the truth; the tutor's record (record.py) never reads it. How
students are drawn stands in enrolment.py, models of graded knowledge in strength.py.
"""

from __future__ import annotations

import numpy as np

from curiosity_rl.envs.rng import STEP, mix, uniform
from curiosity_rl.envs.tutor.bits import add, bits_set, has, remove
from curiosity_rl.envs.tutor.motivation import leaves
from curiosity_rl.envs.tutor.people import FORGETTING
from curiosity_rl.envs.tutor.state import ADDITIVE, BKT, HARD
from curiosity_rl.envs.tutor.strength import MARK, answer_chance, strength, study
from curiosity_rl.jit import kernel

_GAP = np.uint64(0xD1342543DE82EF95)


@kernel
def passed(i, state):
    """Return whether lane i would pass the exam now: every goal skill is known."""
    for w in range(state.goal.shape[1]):
        if state.goal[i, w] & ~state.mastery[i, w]:
            return False
    return True


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
    * share of known parents); additive: T_k + D_k * number of known parents. Graded
    models take it as their rate of growth.
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
def full_chance(i, k, state, params):
    """Return what `learn_chance` is with all prerequisites known."""
    rate = state.learn[i, k]
    if params.gating == ADDITIVE:
        for p in range(state.parents.shape[2]):
            if state.parents[i, k, p] >= 0:
                rate += state.boost[i, k]
    return rate


@kernel
def practise(i, k, state, params, chance):
    """Let the student of lane i learn or forget skill k, by a uniform number."""
    if has(state.mastery, i, k):
        if chance < params.people[state.group[i], FORGETTING]:
            remove(state.mastery, i, k)
    elif chance < learn_chance(i, k, state, params):
        add(state.mastery, i, k)


@kernel
def weigh(i, k, state):
    """Mark a graded skill as known or not, by its strength now."""
    if strength(i, k, state) >= MARK[state.model[i]]:
        add(state.mastery, i, k)
    else:
        remove(state.mastery, i, k)


@kernel
def forget_others(word, i, k, state, params):
    """Let the student forget, at each exercise, what is not practised.

    After g exercises in between a skill is forgotten with chance 1 - (1 - F)^g (Khajah,
    Lindsey & Mozer, EDM 2016). One number per activity, known or not.
    """
    chance = params.people[state.group[i], FORGETTING]
    for j in range(params.activities):
        word += STEP
        if j != k and has(state.mastery, i, j) and uniform(word) < chance:
            remove(state.mastery, i, j)


@kernel
def pass_time(i, state, params):
    """Let days go by where a lesson ends, and more of them before the exam."""
    if params.lesson == 0:
        return
    if state.elapsed[i] >= params.budget:
        state.day[i] += params.exam_pause
    elif state.elapsed[i] % params.lesson == 0:
        state.day[i] += params.pause
    else:
        return
    if state.model[i] != BKT:
        for k in range(params.activities):
            if not has(state.distractor, i, k):
                weigh(i, k, state)


@kernel
def answer(i, k, state, params):
    """One exercise of activity k in lane i; return whether the answer was right.

    Each exercise takes two numbers of the lane's stream of answers, whatever happens,
    so that tutors can be compared on the same luck; a third where students may leave.
    """
    first = state.answers[i] + STEP
    second = first + STEP
    state.answers[i] = second
    grasped = True
    if state.handicap.shape[1]:
        grasped = state.handicap[i, k] != state.representation[i]
    teaches = grasped and not state.probe[i]
    if state.model[i] == BKT:
        if params.learn_first and teaches:
            practise(i, k, state, params, uniform(second))
        known = has(state.mastery, i, k)
        chance = 1.0 - state.slip[i, k] if known and grasped else state.guess[i, k]
        right = uniform(first) < chance
        if not params.learn_first and teaches:
            practise(i, k, state, params, uniform(second))
    else:
        chance = answer_chance(i, k, state) if grasped else state.guess[i, k]
        right = uniform(first) < chance
        if teaches and not has(state.distractor, i, k):
            rate = learn_chance(i, k, state, params)
            full = full_chance(i, k, state, params)
            gate = rate / full if full > 0.0 else 0.0
            study(i, k, right, rate, gate, uniform(second), state)
            weigh(i, k, state)
    if params.forget_others:
        forget_others(mix(second ^ _GAP), i, k, state, params)
    state.elapsed[i] += 1
    return right


@kernel
def attend(i, k, right, known_before, state, params):
    """Let the student of lane i feel an exercise; return whether the student leaves."""
    word = state.answers[i] + STEP
    state.answers[i] = word
    known = has(state.mastery, i, k)
    return leaves(i, right, known_before, known, uniform(word), state, params)
