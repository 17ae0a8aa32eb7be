"""What an exercise is, and how its numbers are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from numpy.random import Generator

TIMES, DIVIDED = "\u00d7", "\u00f7"
LOWEST = "(in lowest terms)"

T = TypeVar("T")


@dataclass(frozen=True)
class Exercise:
    """A question and its answer, as text for a person."""

    question: str
    answer: str

    def accepts(self, reply: str) -> bool:
        """Return whether a reply is right; spaces and capitals do not count."""
        return _plain(reply) == _plain(self.answer)


def _plain(text: str) -> str:
    words = text.casefold().split()
    # spaces between two numbers count: 2 1/3 is not 21/3
    plain = " ".join(words)
    for mark in "/,r":
        plain = mark.join(part.strip() for part in plain.split(mark))
    return plain


Make = Callable[[Generator], Exercise]


def between(rng: Generator, low: int, high: int) -> int:
    """Draw a whole number from low to high, both included."""
    return int(rng.integers(low, high + 1))


def pick(rng: Generator, things: Sequence[T]) -> T:
    """Draw one of some things."""
    return things[between(rng, 0, len(things) - 1)]


def either_way(rng: Generator, a: int, b: int) -> tuple[int, int]:
    """Return two numbers in a random order."""
    return (a, b) if between(rng, 0, 1) else (b, a)


def proper(rng: Generator, low: int, high: int) -> tuple[int, int]:
    """Draw a proper fraction in lowest terms, its denominator from low to high."""
    below = between(rng, low, high)
    return pick(rng, [a for a in range(1, below) if math.gcd(a, below) == 1]), below


def by_skill(*makers: Make) -> dict[str, Make]:
    """Return generators by the skill that their name spells."""
    return {maker.__name__.replace("_", "-"): maker for maker in makers}
