"""How well something is remembered after a while, elementwise over many skills.

Both models (curiosity_rl.memory) estimate the chance of a right answer from the answers
so far and the days between them. They know nothing of the student but that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from curiosity_rl.jit import kernel
from curiosity_rl.memory import fsrs_begin, fsrs_recall, fsrs_review, half_life


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
    """FSRS-6 with two grades: stability S (days) and difficulty D (1 to 10)."""

    def recall(
        self, first: np.ndarray, second: np.ndarray, days: np.ndarray
    ) -> np.ndarray:
        """Return R; 0 for what was never answered."""
        out = np.empty(first.shape)
        _fsrs_recalls(_plain(first, first), _plain(days, first), out.reshape(-1))
        return out

    def answered(
        self, first: np.ndarray, second: np.ndarray, right: np.ndarray, days: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return stability and difficulty after an answer."""
        stability, difficulty = _plain(first, first), _plain(second, first)
        _fsrs_reviews(stability, difficulty, right.ravel(), _plain(days, first))
        return stability.reshape(first.shape), difficulty.reshape(first.shape)


class HalfLife(Memory):
    """Half-life regression: counts of right and of wrong answers.

    Args:
        weights: a, b and c of `memory.half_life`. No fitted values were published; 1,
            -1 and 0 are those that make Leitner's boxes of it (there with plain
            counts).
    """

    def __init__(self, weights: tuple[float, float, float] = (1.0, -1.0, 0.0)):
        self.weights = weights

    def recall(
        self, first: np.ndarray, second: np.ndarray, days: np.ndarray
    ) -> np.ndarray:
        """Return P(right); 0 for what was never answered."""
        out, weights = np.empty(first.shape), np.array(self.weights, np.float64)
        right, wrong = _plain(first, first), _plain(second, first)
        _half_life_recalls(right, wrong, _plain(days, first), weights, out.reshape(-1))
        return out

    def answered(
        self, first: np.ndarray, second: np.ndarray, right: np.ndarray, days: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the counts after an answer."""
        return first + right, second + ~right


def _plain(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return a flat float64 copy, broadcast to the shape of `like`."""
    return np.broadcast_to(values, like.shape).astype(np.float64).reshape(-1)


@kernel
def _fsrs_recalls(stability, days, out):
    for j in range(out.size):
        out[j] = fsrs_recall(stability[j], days[j]) if stability[j] > 0.0 else 0.0


@kernel
def _fsrs_reviews(stability, difficulty, right, days):
    for j in range(stability.size):
        s, d = stability[j], difficulty[j]
        if s > 0.0:
            s, d = fsrs_review(s, d, days[j], right[j])
        else:
            s, d = fsrs_begin(right[j])
        stability[j], difficulty[j] = s, d


@kernel
def _half_life_recalls(right, wrong, days, weights, out):
    a, b, c = weights[0], weights[1], weights[2]
    for j in range(out.size):
        out[j] = 0.0
        if right[j] + wrong[j] > 0.0:
            out[j] = 2.0 ** (-days[j] / half_life(right[j], wrong[j], a, b, c))
