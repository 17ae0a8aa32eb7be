"""How well something is remembered after days: two published models, as scalar kernels.

Simulated students forget by them, and tutors estimate recall by them; nothing here
knows of either.
"""

from __future__ import annotations

import numpy as np

from curiosity_rl.jit import kernel

W = np.array(
    (
        *(0.212, 1.2931, 2.3065, 8.2956, 6.4133, 0.8334, 3.0194, 0.001),
        *(1.8722, 0.1666, 0.796, 1.4835, 0.0614, 0.2629, 1.6483, 0.6014),
        *(1.8729, 0.5425, 0.0912, 0.0658, 0.1542),
    )
)
"""FSRS-6's default parameters w0 to w20, fitted to the reviews of some 10,000 users."""
FACTOR = 0.9 ** (-1.0 / 0.1542) - 1.0
"""F, with which recall is .9 after as many days as the stability says."""
AGAIN, GOOD, EASY = 1, 3, 4
"""Grades; of an answer that is right or wrong only the first two come up."""
LEAST_STABILITY = 0.001
SHORTEST, LONGEST = 15.0 / (24 * 60), 274.0
"""Bounds of half-lives [days]: 15 minutes, and about nine months."""


@kernel
def fsrs_recall(stability, days):
    """Return R(t, S) = (1 + F t / S)^-w20, the chance to recall after t days."""
    return (1.0 + FACTOR * days / stability) ** -W[20]


@kernel
def fsrs_difficulty(grade):
    """Return D0 = w4 - e^(w5 (G - 1)) + 1, which may lie outside 1 to 10."""
    return W[4] - np.exp(W[5] * (grade - 1)) + 1.0


@kernel
def fsrs_bounded(difficulty):
    """Return a difficulty within 1 to 10."""
    return min(max(difficulty, 1.0), 10.0)


@kernel
def fsrs_begin(right):
    """Return stability [days] and difficulty after the first answer: w[G-1], D0(G)."""
    if right:
        return W[GOOD - 1], fsrs_bounded(fsrs_difficulty(GOOD))
    return W[AGAIN - 1], fsrs_bounded(fsrs_difficulty(AGAIN))


@kernel
def fsrs_review(stability, difficulty, days, right):
    """Return stability and difficulty after another answer, `days` after the last.

    With R at the time of the answer, and G = 3 for right, 1 for wrong:

        right:  S' = S (1 + e^w8 (11 - D) S^-w9 (e^(w10 (1-R)) - 1))
        wrong:  S' = min(w11 D^-w12 ((S+1)^w13 - 1) e^(w14 (1-R)), S / e^(w17 w18))
        within a day: S' = S e^(w17 (G-3+w18)) S^-w19, no shrinking if right
        D' = w7 D0(4) + (1 - w7) (D - w6 (G-3) (10-D) / 9), 1 to 10

    D0(4) is taken as it is, below 1, as in the released package.

    Source: FSRS-6 as released in py-fsrs 6.3; the binary form as in its benchmark.
    """
    s, d = float(stability), float(difficulty)
    lost = 1.0 - fsrs_recall(s, days)
    grade = GOOD if right else AGAIN
    if days < 1.0:
        change = np.exp(W[17] * (grade - 3 + W[18])) * s ** -W[19]
        after = s * (max(change, 1.0) if right else change)
    elif right:
        ease = np.exp(W[8]) * (11.0 - d) * s ** -W[9]
        after = s * (1.0 + ease * np.expm1(W[10] * lost))
    else:
        after = W[11] * d ** -W[12] * ((s + 1.0) ** W[13] - 1.0) * np.exp(W[14] * lost)
        after = min(after, s / np.exp(W[17] * W[18]))
    step = d - W[6] * (grade - 3) * (10.0 - d) / 9.0
    moved = W[7] * fsrs_difficulty(EASY) + (1.0 - W[7]) * step
    return max(after, LEAST_STABILITY), fsrs_bounded(moved)


@kernel
def half_life(right, wrong, a, b, c):
    """Return h = 2^(a sqrt(1 + right) + b sqrt(1 + wrong) + c) [days], bounded.

    Recall after t days is 2^(-t / h). Source: Settles and Meeder 2016, "A Trainable
    Spaced Repetition Model for Language Learning", ACL, equations 1 to 3.
    """
    exponent = a * np.sqrt(1.0 + right) + b * np.sqrt(1.0 + wrong) + c
    return min(max(2.0 ** min(max(exponent, -50.0), 50.0), SHORTEST), LONGEST)
