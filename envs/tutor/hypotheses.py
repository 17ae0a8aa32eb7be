"""Whole students as hypotheses: order, prerequisites and learning times of all skills.

A hypothesis is a table `(7, A)` int16. What is asked of it here are log-probabilities
under the world's own rules, given the tutor's history: activities, answers, and the
graph as shown. Nothing reads the true student.

Learning is answered first or last as the world says. With `o_k` the exercise at which
the last parent of k became known (0: all at the start) and `w_k` that at which k did,

    P(w_k | o_k) = c                     if w_k = o_k = 0
                 = (1 - c)^[o_k = 0] * (1 - eT)^shut * (1 - T)^open * rate

where c is the prior chance to know a skill whose parents are known, e the leak, `shut`
and `open` count the exercises of k that failed to teach it before and after `o_k`, and
`rate` is T or eT for the one that did (1 if none has yet).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from curiosity_rl.envs.rng import STEP, uniform
from curiosity_rl.jit import kernel

POSITION, SLOT, START, FIRST, SECOND, WHEN, ROW = range(7)
"""Rows of a hypothesis. By activity: position in the order (parents first; from K on,
distractors), the two parents (-1: none), the exercise at which it became known, its row
of rates. By position: the activity there, and where its layer starts."""
COUNT, WINS, LAST = range(3)
"""Of a history `(t, :, activity)` up to exercise t: how many, how many right, which was
the last one."""
T, G, S, LOG_T, LOG_NOT, LOG_LEAK, LOG_NOT_LEAK, LOG_G, LOG_NOT_G = range(9)
NEVER = 32_000
"""Learning time of what is not known yet; budgets stay below."""
IMPOSSIBLE = -1e300
POSSIBLE = -1e200
"""Log-probabilities above this are no `IMPOSSIBLE`, whatever was added to it."""
_ONE = np.uint64(1)


class Model(NamedTuple):
    """What the tutor takes for granted: the population and the author's errors."""

    skills: int
    activities: int
    particles: int
    sweeps: int  # over the moves of every particle, after each answer
    goals: int
    min_unknown: int
    known: float  # chance to know a skill at the start, its parents being known
    log_known: float
    log_unknown: float
    leak: float
    learn_first: int
    noisy: bool  # whether a graph is shown
    noise: float
    dropped: float
    rates: np.ndarray  # (R, 9) float64: learn, guess, slip and logs, drawn alike


@kernel
def draw(dice):
    """Return the next uniform number of a stream, `(1,)` uint64."""
    dice[0] += STEP
    return uniform(dice[0])


@kernel
def among(word, k):
    """Return whether bit k of a word is set."""
    return (word >> np.uint64(k)) & _ONE


@kernel
def one_of(k, a, b):
    """Return whether k is a or b."""
    first, second = k == a, k == b
    return first or second


@kernel
def opening(h, k):
    """Return the exercise after which all parents of k were known; NEVER if not yet."""
    latest = 0
    if h[FIRST, k] >= 0:
        latest = int(h[WHEN, h[FIRST, k]])
    if h[SECOND, k] >= 0:
        latest = max(latest, int(h[WHEN, h[SECOND, k]]))
    return latest


@kernel
def learning(h, past, t, k, opened, model):
    """Return `log P(w_k | o_k = opened)` after t exercises."""
    when = int(h[WHEN, k])
    total = 0.0
    if opened == 0:
        if when == 0:
            return model.log_known
        total = model.log_unknown
    elif when == 0:
        return IMPOSSIBLE
    row = h[ROW, k]
    last = min(when, t)
    failed = int(past[last, COUNT, k])
    shut = int(past[min(opened, last), COUNT, k])
    if when <= t:
        failed -= 1
        if opened < when:
            total += model.rates[row, LOG_T]
        else:
            total += model.rates[row, LOG_LEAK]
            shut = failed
    total += shut * model.rates[row, LOG_NOT_LEAK]
    return total + (failed - shut) * model.rates[row, LOG_NOT]


@kernel
def showing(h, shown, k, first, second, model):
    """Return `P(links of k as shown | its parents, the order)`.

    Each link is dropped, or replaced by an earlier skill that is no parent and not
    shown yet, or kept, also where there is none to replace it.
    """
    place = h[POSITION, k]
    free = place - (first >= 0) - (second >= 0)
    chance = 1.0
    for column in range(2):
        parent = second if column else first
        said = shown[k, column]
        if parent < 0:
            if said >= 0:
                return 0.0
        elif said < 0:
            chance *= model.dropped
        elif said == parent:
            chance *= 1.0 - model.dropped - (model.noise if free > 0 else 0.0)
        elif one_of(said, first, second) or h[POSITION, said] >= place or free <= 0:
            return 0.0
        else:
            chance *= model.noise / free
            free -= 1
    return chance


@kernel
def copy(h, other):
    """Write one hypothesis over another."""
    for row in range(h.shape[0]):
        for k in range(h.shape[1]):
            other[row, k] = h[row, k]


@kernel
def needed_by(h, goal, model):
    """Return goals and all their ancestors as a word of bits."""
    needed = goal
    for place in range(model.skills - 1, -1, -1):
        k = h[SLOT, place]
        if among(needed, k):
            if h[FIRST, k] >= 0:
                needed |= _ONE << np.uint64(h[FIRST, k])
            if h[SECOND, k] >= 0:
                needed |= _ONE << np.uint64(h[SECOND, k])
    return needed


@kernel
def enough_unknown(h, goal, model):
    """Return whether so few needed skills were known at the start as is promised."""
    needed = needed_by(h, goal, model)
    unknown = 0
    for k in range(model.activities):
        if among(needed, k) and h[WHEN, k] > 0:
            unknown += 1
    return unknown >= model.min_unknown


@kernel
def earliest_goal(model):
    """Return the first position that a goal can have."""
    skills = model.skills
    return skills - min(skills, max(skills - skills // 2, model.goals))


@kernel
def goals_fit(h, goal, model):
    """Return whether goals stand where they can: one last, all in the last half."""
    if not among(goal, h[SLOT, model.skills - 1]):
        return False
    first = earliest_goal(model)
    for place in range(model.activities):
        outside = place < first or place >= model.skills
        if outside and among(goal, h[SLOT, place]):
            return False
    return True


@kernel
def layers(starts, model):
    """Return `log P(layers)`: sizes 1 to 3, all alike; the last one may be cut."""
    total = 0.0
    begin = 0
    while begin < model.skills:
        end = begin
        while end < model.skills and starts[end] == begin:
            end += 1
        size = end - begin
        if size > 3:
            return IMPOSSIBLE
        total += np.log((1.0 if end < model.skills else 4.0 - size) / 3.0)
        begin = end
    return total


@kernel
def of_others(h, past, shown, t, a, b, model):
    """Return log P of what skills other than a and b owe to the places of a and b.

    Learning times of their children, and every link shown.
    """
    total, chance = 0.0, 1.0
    for place in range(model.skills):
        k = h[SLOT, place]
        if one_of(k, a, b):
            continue
        first, second = h[FIRST, k], h[SECOND, k]
        if one_of(first, a, b) or one_of(second, a, b):
            total += learning(h, past, t, k, opening(h, k), model)
        if model.noisy:
            chance *= showing(h, shown, k, first, second, model)
    if chance <= 0.0 or total < POSSIBLE:
        return IMPOSSIBLE
    return total + np.log(chance)
