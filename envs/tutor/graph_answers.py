"""All answers to one skill as evidence: when did it become known, what opened it?

Of the n exercises of skill k with rates T, G, S, let `U(i)` be the chance of all its
answers if exercise i taught k, in units of that of never having known it; `U(0)` if k
was known at the start. If k became learnable after j of them, the learning time being
summed out, they have the chance

    Z(j) = sum_{i <= j} (1 - eT)^(i-1) eT U(i)
           + (1 - eT)^j (sum_{i > j} (1 - T)^(i-j-1) T U(i) + (1 - T)^(n-j))

with e the leak; `(1 - c) Z(0) + c U(0)` if k was ready from the start, c being the
prior chance to know such a skill. `tabulate` goes through the exercises once; every Z
is then looked up, so that whatever may open k (its prerequisites, and when they became
known) is weighed without fixing when k itself was learnt.
"""

from __future__ import annotations

import numpy as np

from curiosity_rl.envs.tutor.hypotheses import (
    COUNT,
    LAST,
    LOG_G,
    LOG_NOT_G,
    NEVER,
    WHEN,
    WINS,
    G,
    Model,
    S,
    T,
    draw,
)
from curiosity_rl.jit import kernel

ROOM, TAUGHT, AFTER, BEFORE, SHUT = range(5)
"""Rows of a desk: scratch; `U(i)`; by j, the inner sum with its last term, the outer
sum, and `(1 - eT)^j`."""
LARGEST = 1e150  # ratio of likelihoods that float64 can still multiply


def make_desk(model: Model, budget: int) -> np.ndarray:
    """Return room for all kernels of a belief; it holds nothing between two calls."""
    return np.zeros((5, max(model.activities, model.particles, budget + 1)))


@kernel
def tabulate(past, t, k, row, desk, model):
    """Lay out on the desk what t exercises say about k, if its rates are of this row.

    Return log P(answers | k was never known), the unit of what is on the desk.
    """
    rate, guess, slip = model.rates[row, T], model.rates[row, G], model.rates[row, S]
    count, right = int(past[t, COUNT, k]), int(past[t, WINS, k])
    hit, miss = (1.0 - slip) / guess, slip / (1.0 - guess)
    ratio, after = 1.0, 1.0
    desk[AFTER, count] = after
    x = int(past[t, LAST, k])
    for i in range(count, 0, -1):
        told = hit if past[x, WINS, k] > past[x - 1, WINS, k] else miss
        later = min(ratio * told, LARGEST)
        desk[TAUGHT, i] = later if model.learn_first else ratio
        after = rate * desk[TAUGHT, i] + (1.0 - rate) * after
        desk[AFTER, i - 1] = after
        ratio = later
        x = int(past[x - 1, LAST, k])
    desk[TAUGHT, 0] = ratio
    leak = rate * model.leak
    shut, before = 1.0, 0.0
    desk[SHUT, 0], desk[BEFORE, 0] = shut, before
    for j in range(1, count + 1):
        before += shut * leak * desk[TAUGHT, j]
        shut *= 1.0 - leak
        desk[SHUT, j], desk[BEFORE, j] = shut, before
    unit = right * model.rates[row, LOG_G]
    return unit + (count - right) * model.rates[row, LOG_NOT_G]


@kernel
def evidence(past, t, k, opened, desk, model):
    """Return P(answers to k | learnable after exercise `opened`), as on the desk."""
    j = int(past[min(opened, t), COUNT, k])
    total = desk[BEFORE, j] + desk[SHUT, j] * desk[AFTER, j]
    if opened == 0:
        total = (1.0 - model.known) * total + model.known * desk[TAUGHT, 0]
    return total


@kernel
def draw_when(h, past, t, k, opened, row, dice, desk, model):
    """Draw when k became known, given its answers and when it became learnable."""
    rate = model.rates[row, T]
    stop = draw(dice) * evidence(past, t, k, opened, desk, model)
    if opened == 0:
        stop -= model.known * desk[TAUGHT, 0]
        if stop < 0.0:
            h[WHEN, k] = 0
            return
        stop /= 1.0 - model.known
    count, j = int(past[t, COUNT, k]), int(past[min(opened, t), COUNT, k])
    last, x = count, int(past[t, LAST, k])
    failed = desk[SHUT, j] * (1.0 - rate) ** (count - j)
    stop -= failed
    h[WHEN, k] = NEVER
    while failed <= 0.0 and last > j:  # too small a number: nor was it learnt so late
        last -= 1
        x = int(past[x - 1, LAST, k])
        failed = desk[SHUT, j] * (1.0 - rate) ** (last - j)
    for i in range(last, 0, -1):
        chance = rate if i > j else rate * model.leak
        if stop < 0.0 or chance <= 0.0:
            return
        failed /= 1.0 - chance
        stop -= failed * chance * desk[TAUGHT, i]
        h[WHEN, k] = x
        x = int(past[x - 1, LAST, k])
