"""How well something is remembered after a while: two published models, elementwise.

Both estimate the chance of a right answer from the answers so far and the days between
them. They know nothing of the student but that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

W = (
    *(0.212, 1.2931, 2.3065, 8.2956, 6.4133, 0.8334, 3.0194, 0.001),
    *(1.8722, 0.1666, 0.796, 1.4835, 0.0614, 0.2629, 1.6483, 0.6014),
    *(1.8729, 0.5425, 0.0912, 0.0658, 0.1542),
)
"""FSRS-6's default parameters w0 to w20, fitted to the reviews of some 10,000 users."""
AGAIN, GOOD = 1, 3  # the two grades of a binary review: wrong, right
LEAST_STABILITY = 0.001
SHORTEST, LONGEST = 15.0 / (24 * 60), 274.0  # half-lives of HLR, in days


class Memory(ABC):
    """What a model of memory keeps of one skill: two numbers, both 0 at first."""

    @abstractmethod
    def recall(
        self, first: np.ndarray, second: np.ndarray, days: np.ndarray
    ) -> np.ndarray:
        """Return P(right) so many days after the last answer, any one shape."""

    @abstractmethod
    def answered(
        self, first: np.ndarray, second: np.ndarray, right: np.ndarray, days: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return both numbers after an answer, `days` (any, if none) after the last."""


class Fsrs(Memory):
    """FSRS-6 with two grades: stability S (days) and difficulty D (1 to 10).

    `R(t, S) = (1 + F t / S)^-w20` with `F = .9^(-1 / w20) - 1`, so `R = .9` at t = S.
    First answer: `S = w[G-1]`, `D = w4 - e^(w5 (G-1)) + 1`, where G is 1 for wrong and
    3 for right. Later ones, with R at the time of the answer:

        right:  S' = S (1 + e^w8 (11 - D) S^-w9 (e^(w10 (1-R)) - 1))
        wrong:  S' = min(w11 D^-w12 ((S+1)^w13 - 1) e^(w14 (1-R)), S / e^(w17 w18))
        within a day: S' = S e^(w17 (G-3+w18)) S^-w19, no shrinking if right
        D' = w7 D0(4) + (1 - w7) (D - w6 (G-3) (10-D) / 9), 1 to 10

    Source: FSRS-6 as released in py-fsrs 6.3; the binary form as in its benchmark.
    """

    def recall(
        self, first: np.ndarray, second: np.ndarray, days: np.ndarray
    ) -> np.ndarray:
        """Return R; 0 for what was never answered."""
        stability = np.maximum(first, LEAST_STABILITY)
        factor = 0.9 ** (-1.0 / W[20]) - 1.0
        return np.where(first > 0, (1.0 + factor * days / stability) ** -W[20], 0.0)

    def answered(
        self, first: np.ndarray, second: np.ndarray, right: np.ndarray, days: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return stability and difficulty after an answer."""
        new = first == 0
        stability = np.where(new, 1.0, first)
        difficulty = np.where(new, 5.0, second)
        lost = 1.0 - self.recall(stability, difficulty, days)
        later = np.where(
            right,
            _recalled(stability, difficulty, lost),
            _lapsed(stability, difficulty, lost),
        )
        later = np.where(days < 1.0, _same_day(stability, right), later)
        start = np.where(right, W[GOOD - 1], W[AGAIN - 1])
        eased = W[6] * (np.where(right, GOOD, AGAIN) - 3) * (10.0 - difficulty) / 9.0
        harder = W[7] * _first_difficulty(4) + (1.0 - W[7]) * (difficulty - eased)
        begun = np.where(right, _first_difficulty(GOOD), _first_difficulty(AGAIN))
        return (
            np.maximum(np.where(new, start, later), LEAST_STABILITY),
            np.clip(np.where(new, begun, harder), 1.0, 10.0),
        )


class HalfLife(Memory):
    """Half-life regression: counts of right and of wrong answers.

    `P(right) = 2^(-t / h)`, `h = 2^(a sqrt(1 + right) + b sqrt(1 + wrong) + c)` days,
    kept within 15 minutes and 274 days.

    Args:
        weights: a, b and c. No fitted values were published; 1, -1 and 0 are those that
            make Leitner's boxes of it (there with plain counts).

    Source: Settles and Meeder 2016, "A Trainable Spaced Repetition Model for Language
    Learning", ACL, equations 1 to 3.
    """

    def __init__(self, weights: tuple[float, float, float] = (1.0, -1.0, 0.0)):
        self.weights = weights

    def recall(
        self, first: np.ndarray, second: np.ndarray, days: np.ndarray
    ) -> np.ndarray:
        """Return P(right); 0 for what was never answered."""
        a, b, c = self.weights
        exponent = a * np.sqrt(1.0 + first) + b * np.sqrt(1.0 + second) + c
        half_life = np.clip(2.0 ** np.clip(exponent, -50, 50), SHORTEST, LONGEST)
        return np.where(first + second > 0, 2.0 ** (-days / half_life), 0.0)

    def answered(
        self, first: np.ndarray, second: np.ndarray, right: np.ndarray, days: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the counts after an answer."""
        return first + right, second + ~right


def _first_difficulty(grade: int) -> float:
    return W[4] - float(np.exp(W[5] * (grade - 1))) + 1.0


def _recalled(s: np.ndarray, d: np.ndarray, lost: np.ndarray) -> np.ndarray:
    gain = np.exp(W[8]) * (11.0 - d) * s ** -W[9] * np.expm1(W[10] * lost)
    return s * (1.0 + gain)


def _lapsed(s: np.ndarray, d: np.ndarray, lost: np.ndarray) -> np.ndarray:
    after = W[11] * d ** -W[12] * ((s + 1.0) ** W[13] - 1.0) * np.exp(W[14] * lost)
    return np.minimum(after, s / np.exp(W[17] * W[18]))


def _same_day(s: np.ndarray, right: np.ndarray) -> np.ndarray:
    grade = np.where(right, GOOD, AGAIN)
    change = np.exp(W[17] * (grade - 3 + W[18])) * s ** -W[19]
    return s * np.where(right, np.maximum(change, 1.0), change)
