"""Motivation: what makes a student go on, or leave before the exam.

Only the two numbers of how long real students stay are fitted; what moves motivation is
an assumption, to be swept (`dropout` scales the hazard).
"""

from __future__ import annotations

import numpy as np

from curiosity_rl.jit import kernel

HAZARD, FRAILTY_SD = 0.0198, 1.19
"""Chance to leave after an exercise, and the deviation of its logarithm between
students. Least squares on the quantiles 4, 10, 27, 94, 296 (10 to 90 %) of answers per
student in ASSISTments 2009-10; the fit gives .13, .26, .47, .75, .92 at these."""
START, PULL = 0.5, 4.0
"""Motivation at the start, and how strongly it acts on the hazard (assumption)."""
PRIDE, FRUSTRATION, BOREDOM = 0.15, 0.03, 0.02
"""What a newly known skill adds; what the fifth wrong answer in a row takes; what a
right answer in a skill long known takes (assumptions)."""
LONG = 5


@kernel
def leaves(i, right, known_before, known, chance, state, params):
    """Move the motivation M of lane i; return whether the student leaves.

    hazard = dropout * h0 * frailty * exp(4 (.5 - M)), at most 1; M stays in 0 to 1.
    """
    run = state.run[i]
    if right:
        run = min(run + 1, LONG) if run > 0 else 1
    else:
        run = max(run - 1, -LONG) if run < 0 else -1
    state.run[i] = run
    m = state.motivation[i]
    if known and not known_before:
        m += PRIDE
    elif right and known_before and run >= LONG:
        m -= BOREDOM
    elif not right:
        m += FRUSTRATION * run / LONG
    m = min(max(m, 0.0), 1.0)
    state.motivation[i] = m
    hazard = params.dropout * HAZARD * state.frailty[i] * np.exp(PULL * (START - m))
    return chance < hazard
