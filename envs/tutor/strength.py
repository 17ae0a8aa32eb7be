"""Students whose skills are graded: how strong a skill is, and what practice adds.

Every model has three traits per skill, drawn with the student, and four levels that
move. Its strength runs from 0 to 1; a skill counts as known from `MARK` on. What is
missing of the prerequisites slows all of them down alike, see `students.learn_chance`.

| model | traits | levels | strength |
|---|---|---|---|
| `pfa` | start e, weights g of right and r of wrong answers | right w, wrong f | \
sigmoid(e + g w + r f) |
| `irt` | discrimination a, difficulty b, ceiling c | ability x | \
sigmoid(1.7 a (x - b)) |
| `q` | - | competence x | x |
| `hlr` | weights of right g, of wrong r, bias e | half-life h, day, right, wrong | \
2^(-days / h) |
| `fsrs` | log of a factor of the first stability | stability S, day, difficulty D | \
(1 + F days / S)^(-decay) |
"""

from __future__ import annotations

import numpy as np

from curiosity_rl.envs.tutor.bits import has
from curiosity_rl.envs.tutor.state import BKT, FSRS, HLR, IRT, PFA, QS
from curiosity_rl.jit import kernel
from curiosity_rl.memory import fsrs_begin, fsrs_recall, fsrs_review, half_life

TRAITS, LEVELS = 3, 4
MARK = np.array([1.0, 0.8, 0.8, 0.8, 0.5, 0.9])
"""Strength from which a skill counts as known, by model: .8 is what a student of the
BKT family who knows a skill answers right (1 - slip), .5 is one half-life, .9 the
retention for which FSRS schedules reviews."""
SCALE = 1.7
"""Factor that brings the logistic curve close to the normal ogive (Birnbaum 1968)."""


@kernel
def sigmoid(x):
    """Return the logistic function of x."""
    return 1.0 / (1.0 + np.exp(-x))


@kernel
def strength(i, k, state):
    """Return how strong skill k of a student of a graded model is now, 0 to 1."""
    model = state.model[i]
    level, trait = state.level[i, k], state.trait[i, k]
    if model == PFA:
        return sigmoid(trait[0] + trait[1] * level[0] + trait[2] * level[1])
    if model == IRT:
        return sigmoid(SCALE * trait[0] * (level[0] - trait[1]))
    if model == QS:
        return float(level[0])
    if level[0] <= 0.0:
        return 0.0
    days = state.day[i] - level[1]
    if model == HLR:
        return 2.0 ** (-days / level[0])
    return fsrs_recall(level[0], days)


@kernel
def strengths(lanes, state, out):
    """Write how strong every skill is now, `(m, A)`; of bkt, whether it is known."""
    for row in range(lanes.size):
        i = lanes[row]
        for k in range(out.shape[1]):
            if state.model[i] == BKT or has(state.distractor, i, k):
                out[row, k] = has(state.mastery, i, k)
            else:
                out[row, k] = strength(i, k, state)


@kernel
def answer_chance(i, k, state):
    """Return P(right answer) of a student of a graded model.

    `pfa`: the strength itself; `irt`: guess + (1 - guess) * strength, the 3PL model;
    others: guess + (1 - guess - slip) * strength.
    """
    guess = state.guess[i, k]
    if has(state.distractor, i, k):
        return guess
    x = strength(i, k, state)
    if state.model[i] == PFA:
        return x
    if state.model[i] == IRT:
        return guess + (1.0 - guess) * x
    return guess + (1.0 - guess - state.slip[i, k]) * x


@kernel
def study(i, k, right, rate, gate, chance, state):
    """Let a student of a graded model learn from one exercise of skill k.

    Args:
        i: Lane.
        k: Skill.
        right: Whether the answer was right.
        rate: What an exercise teaches now: P(learn) with what is missing of the
            prerequisites.
        gate: The part of that which is left by what is missing, 0 to 1.
        chance: A uniform number.
        state: The lanes.
    """
    model = state.model[i]
    level, trait = state.level[i, k], state.trait[i, k]
    if model == PFA:
        if right:
            level[0] += gate
        else:
            level[1] += gate
    elif model == IRT:
        level[0] += rate * max(trait[2] - level[0], 0.0)
    elif model == QS:
        level[0] += rate * (1.0 - level[0])
    elif level[0] <= 0.0:
        if chance < rate:
            introduce(i, k, right, state)
    elif model == HLR:
        level[2 if right else 3] += 1.0
        level[0] = half_life(level[2], level[3], trait[0], trait[1], trait[2])
        level[1] = state.day[i]
    else:
        review(i, k, right, state)


@kernel
def introduce(i, k, right, state):
    """Let a skill of a model of memory be known for the first time."""
    level, trait = state.level[i, k], state.trait[i, k]
    level[1] = state.day[i]
    if state.model[i] == FSRS:
        s, d = fsrs_begin(right)
        level[0] = s * np.exp(trait[0])
        level[2] = d
    else:
        level[2 if right else 3] += 1.0
        level[0] = half_life(level[2], level[3], trait[0], trait[1], trait[2])


@kernel
def review(i, k, right, state):
    """One review by FSRS-6."""
    level = state.level[i, k]
    s, d = fsrs_review(level[0], level[2], state.day[i] - level[1], right)
    level[0], level[1], level[2] = s, state.day[i], d
