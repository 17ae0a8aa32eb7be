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

TRAITS, LEVELS = 3, 4
MARK = np.array([1.0, 0.8, 0.8, 0.8, 0.5, 0.9])
"""Strength from which a skill counts as known, by model: .8 is what a student of the
BKT family who knows a skill answers right (1 - slip), .5 is one half-life, .9 the
retention for which FSRS schedules reviews."""
SCALE = 1.7
"""Factor that brings the logistic curve close to the normal ogive (Birnbaum 1968)."""
SHORTEST, LONGEST = 15.0 / (24 * 60), 274.0
"""Bounds of half-lives [days] (Settles & Meeder, ACL 2016)."""

DECAY = 0.1542
FACTOR = 0.9 ** (-1.0 / DECAY) - 1.0
FIRST_WRONG, FIRST_RIGHT = 0.212, 2.3065
HARDEST, EASIEST = 10.0, 1.0
_D0, _D0_SLOPE, _D_STEP, _D_REVERT = 6.4133, 0.8334, 3.0194, 0.001
_GROW, _GROW_S, _GROW_R = 1.8722, 0.1666, 0.796
_LAPSE, _LAPSE_D, _LAPSE_S, _LAPSE_R = 1.4835, 0.0614, 0.2629, 1.6483
_SAME_DAY, _SAME_DAY_SHIFT, _SAME_DAY_S = 0.5425, 0.0912, 0.0658
WRONG_GRADE, RIGHT_GRADE, TOP_GRADE = 1.0, 3.0, 4.0


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
    return (1.0 + FACTOR * days / level[0]) ** (-DECAY)


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
        level[0] = half_life(level, trait)
        level[1] = state.day[i]
    else:
        review(i, k, right, state)


@kernel
def introduce(i, k, right, state):
    """Let a skill of a model of memory be known for the first time."""
    level, trait = state.level[i, k], state.trait[i, k]
    level[1] = state.day[i]
    if state.model[i] == FSRS:
        level[0] = (FIRST_RIGHT if right else FIRST_WRONG) * np.exp(trait[0])
        level[2] = first_difficulty(RIGHT_GRADE if right else WRONG_GRADE)
    else:
        level[2 if right else 3] += 1.0
        level[0] = half_life(level, trait)


@kernel
def half_life(level, trait):
    """Return h = 2^(g sqrt(1 + right) + r sqrt(1 + wrong) + e) [days], bounded.

    Half-life regression (Settles & Meeder, ACL 2016, equations 1 and 2).
    """
    x = trait[0] * np.sqrt(1.0 + level[2]) + trait[1] * np.sqrt(1.0 + level[3])
    return min(max(2.0 ** (x + trait[2]), SHORTEST), LONGEST)


@kernel
def first_difficulty(grade):
    """Return D0 of FSRS-6 after a first answer with this grade."""
    d = _D0 - np.exp(_D0_SLOPE * (grade - 1.0)) + 1.0
    return min(max(d, EASIEST), HARDEST)


@kernel
def review(i, k, right, state):
    """One review of FSRS-6 with its default weights, graded `good` or `again`."""
    level = state.level[i, k]
    s, d = float(level[0]), float(level[2])
    days = state.day[i] - level[1]
    r = (1.0 + FACTOR * days / s) ** (-DECAY)
    grade = RIGHT_GRADE if right else WRONG_GRADE
    if days < 1.0:
        factor = np.exp(_SAME_DAY * (grade - 3.0 + _SAME_DAY_SHIFT)) * s**-_SAME_DAY_S
        s *= max(factor, 1.0) if right else factor
    elif right:
        gain = np.exp(_GROW) * (11.0 - d) * s**-_GROW_S
        s *= 1.0 + gain * (np.exp(_GROW_R * (1.0 - r)) - 1.0)
    else:
        lapse = _LAPSE * d**-_LAPSE_D * ((s + 1.0) ** _LAPSE_S - 1.0)
        lapse *= np.exp(_LAPSE_R * (1.0 - r))
        s = min(lapse, s / np.exp(_SAME_DAY * _SAME_DAY_SHIFT))
    step = d - _D_STEP * (grade - 3.0) * (10.0 - d) / 9.0
    d = _D_REVERT * first_difficulty(TOP_GRADE) + (1.0 - _D_REVERT) * step
    level[0] = max(s, 0.001)
    level[1] = state.day[i]
    level[2] = min(max(d, EASIEST), HARDEST)
