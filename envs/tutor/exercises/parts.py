"""Exercises on fractions and mixed numbers."""

from __future__ import annotations

from fractions import Fraction

from numpy.random import Generator

from curiosity_rl.envs.tutor.exercises.exercise import (
    LOWEST,
    TIMES,
    Exercise,
    between,
    by_skill,
    either_way,
    pick,
    proper,
)

_PRIMES = (5, 7, 11, 13)


def fraction_parts(rng: Generator) -> Exercise:
    """Some of the equal parts of a thing."""
    some, parts = proper(rng, 2, 12)
    thing, done = pick(rng, (("cake", "eaten"), ("fence", "painted"), ("road", "wet")))
    question = (
        f"A {thing} has {parts} equal parts, and {some} of them {_are(some)} {done}. "
        f"Which fraction of the {thing} is {done}?"
    )
    return Exercise(question, f"{some}/{parts}")


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def fraction_of_number(rng: Generator) -> Exercise:
    """Of a number that the denominator divides."""
    a, b = proper(rng, 2, 10)
    unit = between(rng, 2, 10)
    return Exercise(f"What is {a}/{b} of {b * unit}?", str(a * unit))


def fraction_compare_like(rng: Generator) -> Exercise:
    """Two different fractions of one denominator."""
    below = between(rng, 3, 12)
    small = between(rng, 1, below - 2)
    large = between(rng, small + 1, below - 1)
    a, b = either_way(rng, small, large)
    question = f"Which fraction is greater: {a}/{below} or {b}/{below}?"
    return Exercise(question, f"{large}/{below}")


def fraction_equivalent(rng: Generator) -> Exercise:
    """The same fraction with a multiple of the denominator."""
    a, b = proper(rng, 2, 9)
    times = between(rng, 2, 6)
    question = f"Which number goes in the gap? {a}/{b} = ?/{b * times}"
    return Exercise(question, str(a * times))


def fraction_simplify(rng: Generator) -> Exercise:
    """A fraction that is not in lowest terms."""
    a, b = proper(rng, 2, 9)
    times = between(rng, 2, 6)
    return Exercise(f"Write {a * times}/{b * times} in lowest terms.", f"{a}/{b}")


def fraction_compare_unlike(rng: Generator) -> Exercise:
    """Two fractions in lowest terms of different denominators."""
    a, b = proper(rng, 2, 9)
    c, d = proper(rng, 2, 9)
    while b == d:
        c, d = proper(rng, 2, 9)
    question = f"Which fraction is greater: {a}/{b} or {c}/{d}?"
    return Exercise(question, str(max(Fraction(a, b), Fraction(c, d))))


def fraction_add_like(rng: Generator) -> Exercise:
    """One denominator; the sum is less than one and in lowest terms as it stands."""
    below = pick(rng, _PRIMES)
    a = between(rng, 1, below - 2)
    b = between(rng, 1, below - 1 - a)
    return Exercise(f"{a}/{below} + {b}/{below} = ?", f"{a + b}/{below}")


def fraction_subtract_like(rng: Generator) -> Exercise:
    """One denominator; the difference is in lowest terms as it stands."""
    below = pick(rng, _PRIMES)
    a = between(rng, 2, below - 1)
    b = between(rng, 1, a - 1)
    return Exercise(f"{a}/{below} - {b}/{below} = ?", f"{a - b}/{below}")


def _unlike(rng: Generator, over_one: bool) -> tuple[Fraction, Fraction]:
    """Draw fractions of different denominators; their sum is above, or below, one."""
    while True:
        first, second = Fraction(*proper(rng, 2, 9)), Fraction(*proper(rng, 2, 9))
        total = first + second
        right = total > 1 if over_one else total < 1
        if right and first.denominator != second.denominator:
            return first, second


def fraction_add_unlike(rng: Generator) -> Exercise:
    """Different denominators; the sum is less than one."""
    first, second = _unlike(rng, over_one=False)
    return Exercise(f"{first} + {second} = ? {LOWEST}", str(first + second))


def mixed_to_improper(rng: Generator) -> Exercise:
    """A mixed number as a fraction."""
    whole = between(rng, 1, 9)
    a, b = proper(rng, 2, 9)
    return Exercise(f"Write {whole} {a}/{b} as a fraction.", f"{whole * b + a}/{b}")


def improper_to_mixed(rng: Generator) -> Exercise:
    """A fraction above one as a mixed number."""
    whole = between(rng, 1, 9)
    a, b = proper(rng, 2, 9)
    question = f"Write {whole * b + a}/{b} as a mixed number."
    return Exercise(question, f"{whole} {a}/{b}")


def fraction_multiply(rng: Generator) -> Exercise:
    """Two proper fractions."""
    a, b = proper(rng, 2, 9)
    c, d = proper(rng, 2, 9)
    product = str(Fraction(a, b) * Fraction(c, d))
    return Exercise(f"{a}/{b} {TIMES} {c}/{d} = ? {LOWEST}", product)


def add_mixed(rng: Generator) -> Exercise:
    """Different denominators; the fractions alone make more than one."""
    first, second = _unlike(rng, over_one=True)
    m, n = between(rng, 1, 5), between(rng, 1, 5)
    rest = first + second - 1
    question = f"{m} {first} + {n} {second} = ? (a mixed number in lowest terms)"
    return Exercise(question, f"{m + n + 1} {rest}")


PARTS = by_skill(
    fraction_parts,
    fraction_of_number,
    fraction_compare_like,
    fraction_equivalent,
    fraction_simplify,
    fraction_compare_unlike,
    fraction_add_like,
    fraction_subtract_like,
    fraction_add_unlike,
    mixed_to_improper,
    improper_to_mixed,
    fraction_multiply,
    add_mixed,
)
