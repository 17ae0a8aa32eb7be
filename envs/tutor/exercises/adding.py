"""Exercises on addition and subtraction."""

from __future__ import annotations

from numpy.random import Generator

from curiosity_rl.envs.tutor.exercises.exercise import (
    Exercise,
    between,
    by_skill,
    either_way,
)


def _sum(rng: Generator, a: int, b: int) -> Exercise:
    a, b = either_way(rng, a, b)
    return Exercise(f"{a} + {b} = ?", str(a + b))


def _difference(a: int, b: int) -> Exercise:
    return Exercise(f"{a} - {b} = ?", str(a - b))


def add_to_10(rng: Generator) -> Exercise:
    """A sum of at most ten."""
    a = between(rng, 0, 9)
    return _sum(rng, a, between(rng, 1, 10 - a))


def bonds_of_10(rng: Generator) -> Exercise:
    """What is missing to ten."""
    a = between(rng, 0, 10)
    question = f"{a} + ? = 10" if between(rng, 0, 1) else f"? + {a} = 10"
    return Exercise(question, str(10 - a))


def add_to_20(rng: Generator) -> Exercise:
    """A number of the second ten and one digit; the ten stays."""
    ones = between(rng, 0, 8)
    return _sum(rng, 10 + ones, between(rng, 1, 9 - ones))


def add_across_10(rng: Generator) -> Exercise:
    """Two digits whose sum is more than ten."""
    a = between(rng, 2, 9)
    return _sum(rng, a, between(rng, 11 - a, 9))


def double(rng: Generator) -> Exercise:
    """Twice a number up to ten."""
    n = between(rng, 1, 10)
    question = f"What is double {n}?" if between(rng, 0, 1) else f"{n} + {n} = ?"
    return Exercise(question, str(2 * n))


def add_tens(rng: Generator) -> Exercise:
    """Two numbers of whole tens, up to a hundred."""
    a = between(rng, 1, 9)
    return _sum(rng, 10 * a, 10 * between(rng, 1, 10 - a))


def add_2_digits(rng: Generator) -> Exercise:
    """Two numbers of two digits, nothing to carry."""
    tens, ones = between(rng, 1, 8), between(rng, 1, 8)
    other = 10 * between(rng, 1, 9 - tens) + between(rng, 1, 9 - ones)
    return _sum(rng, 10 * tens + ones, other)


def add_2_digits_carrying(rng: Generator) -> Exercise:
    """Two numbers of two digits whose ones carry; less than a hundred."""
    tens, ones = between(rng, 1, 7), between(rng, 1, 9)
    other = 10 * between(rng, 1, 8 - tens) + between(rng, 10 - ones, 9)
    return _sum(rng, 10 * tens + ones, other)


def add_3_digits_carrying(rng: Generator) -> Exercise:
    """Two numbers of three digits whose ones carry; less than a thousand."""
    hundreds, ones = between(rng, 1, 7), between(rng, 1, 9)
    first = 100 * hundreds + 10 * between(rng, 0, 9) + ones
    second = 100 * between(rng, 1, 8 - hundreds) + 10 * between(rng, 0, 9)
    return _sum(rng, first, second + between(rng, 10 - ones, 9))


def subtract_to_10(rng: Generator) -> Exercise:
    """From a number up to ten."""
    a = between(rng, 1, 10)
    return _difference(a, between(rng, 1, a))


def subtract_to_20(rng: Generator) -> Exercise:
    """One digit from a number of the second ten; the ten stays."""
    ones = between(rng, 1, 9)
    return _difference(10 + ones, between(rng, 1, ones))


def subtract_across_10(rng: Generator) -> Exercise:
    """One digit from a number of the second ten; less than ten is left."""
    left = between(rng, 2, 9)
    taken = between(rng, 11 - left, 9)
    return _difference(left + taken, taken)


def subtract_2_digits(rng: Generator) -> Exercise:
    """Two numbers of two digits, nothing to borrow."""
    tens, ones = between(rng, 2, 9), between(rng, 1, 9)
    other = 10 * between(rng, 1, tens - 1) + between(rng, 1, ones)
    return _difference(10 * tens + ones, other)


def subtract_2_digits_borrowing(rng: Generator) -> Exercise:
    """Two numbers of two digits; the ones need a ten."""
    tens, ones = between(rng, 2, 9), between(rng, 0, 8)
    other = 10 * between(rng, 1, tens - 1) + between(rng, ones + 1, 9)
    return _difference(10 * tens + ones, other)


def missing_number(rng: Generator) -> Exercise:
    """A gap in a sum or difference across ten."""
    a = between(rng, 2, 9)
    b = between(rng, 11 - a, 9)
    gaps = (
        f"{a} + ? = {a + b}",
        f"? + {a} = {a + b}",
        f"{a + b} - ? = {a}",
    )
    kind = between(rng, 0, 3)
    if kind == 3:
        return Exercise(f"? - {a} = {b}", str(a + b))
    return Exercise(gaps[kind], str(b))


ADDING = by_skill(
    add_to_10,
    bonds_of_10,
    add_to_20,
    add_across_10,
    double,
    add_tens,
    add_2_digits,
    add_2_digits_carrying,
    add_3_digits_carrying,
    subtract_to_10,
    subtract_to_20,
    subtract_across_10,
    subtract_2_digits,
    subtract_2_digits_borrowing,
    missing_number,
)
