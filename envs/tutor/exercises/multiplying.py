"""Exercises on multiplication, division and factors."""

from __future__ import annotations

import math

from numpy.random import Generator

from curiosity_rl.envs.tutor.exercises.exercise import (
    DIVIDED,
    TIMES,
    Exercise,
    between,
    by_skill,
    either_way,
    pick,
)


def _product(rng: Generator, a: int, b: int) -> Exercise:
    a, b = either_way(rng, a, b)
    return Exercise(f"{a} {TIMES} {b} = ?", str(a * b))


def _quotient(divisor: int, quotient: int) -> Exercise:
    return Exercise(f"{divisor * quotient} {DIVIDED} {divisor} = ?", str(quotient))


def equal_groups(rng: Generator) -> Exercise:
    """Two to five groups that steps of two, five or ten count, or any two groups."""
    groups, size = between(rng, 2, 5), pick(rng, (2, 5, 10))
    if between(rng, 0, 1):
        groups, size = 2, between(rng, 2, 10)
    thing = pick(rng, ("pens", "plums", "coins"))
    question = f"How many {thing} are in {groups} groups of {size} {thing}?"
    return Exercise(question, str(groups * size))


def times_2_5_10(rng: Generator) -> Exercise:
    """From the tables of two, five and ten."""
    return _product(rng, pick(rng, (2, 5, 10)), between(rng, 1, 10))


def times_3_4(rng: Generator) -> Exercise:
    """From the tables of three and four."""
    return _product(rng, pick(rng, (3, 4)), between(rng, 2, 10))


def times_6_to_9(rng: Generator) -> Exercise:
    """From the tables of six to nine."""
    return _product(rng, between(rng, 6, 9), between(rng, 3, 10))


def multiply_tens(rng: Generator) -> Exercise:
    """One digit and whole tens."""
    return _product(rng, between(rng, 2, 9), 10 * between(rng, 2, 9))


def _two_digits(rng: Generator) -> int:
    return 10 * between(rng, 1, 9) + between(rng, 1, 9)


def multiply_2_by_1(rng: Generator) -> Exercise:
    """Two digits, no whole tens, and one digit."""
    return _product(rng, _two_digits(rng), between(rng, 2, 9))


def multiply_2_by_2(rng: Generator) -> Exercise:
    """Two digits and two digits, no whole tens."""
    return _product(rng, _two_digits(rng), _two_digits(rng))


def share_equally(rng: Generator) -> Exercise:
    """Among two, five or ten, nothing left."""
    children, each = pick(rng, (2, 5, 10)), between(rng, 1, 10)
    thing = pick(rng, ("nuts", "cards", "marbles"))
    question = (
        f"{children * each} {thing} are shared equally among {children} children. "
        "How many does each child get?"
    )
    return Exercise(question, str(each))


def divide_tables(rng: Generator) -> Exercise:
    """The tables of three to nine, backwards."""
    return _quotient(between(rng, 3, 9), between(rng, 2, 10))


def divide_remainder(rng: Generator) -> Exercise:
    """A division by one digit that leaves something."""
    divisor, quotient = between(rng, 2, 9), between(rng, 1, 10)
    left = between(rng, 1, divisor - 1)
    question = (
        f"{divisor * quotient + left} {DIVIDED} {divisor} = ? "
        "(write: quotient r remainder)"
    )
    return Exercise(question, f"{quotient} r {left}")


def divide_2_by_1(rng: Generator) -> Exercise:
    """Two digits by one, beyond the tables, nothing left."""
    divisor = between(rng, 2, 8)
    return _quotient(divisor, between(rng, 11, 99 // divisor))


def order_of_operations(rng: Generator) -> Exercise:
    """Plus or minus beside times; working from left to right, or blindly, is wrong."""
    a, b, c = between(rng, 1, 20), between(rng, 2, 9), between(rng, 2, 9)
    kind = between(rng, 0, 2)
    if kind == 0:
        return Exercise(f"{a} + {b} {TIMES} {c} = ?", str(a + b * c))
    if kind == 1:
        return Exercise(f"({a} + {b}) {TIMES} {c} = ?", str((a + b) * c))
    return Exercise(f"{a + b * c} - {b} {TIMES} {c} = ?", str(a))


def factors(rng: Generator) -> Exercise:
    """All factors of a number up to forty."""
    n = between(rng, 2, 40)
    listed = ", ".join(str(k) for k in range(1, n + 1) if n % k == 0)
    question = f"List all factors of {n}, the smallest first (with commas)."
    return Exercise(question, listed)


def common_factor(rng: Generator) -> Exercise:
    """The greatest common factor, more than one, of numbers that are no multiples."""
    factor = between(rng, 2, 9)
    p, q = pick(rng, ((2, 3), (2, 5), (3, 4), (3, 5), (4, 5), (5, 6), (2, 7)))
    a, b = either_way(rng, p * factor, q * factor)
    question = f"What is the greatest common factor of {a} and {b}?"
    return Exercise(question, str(factor))


def common_multiple(rng: Generator) -> Exercise:
    """The least common multiple of two different numbers up to ten."""
    a = between(rng, 2, 9)
    a, b = either_way(rng, a, between(rng, a + 1, 10))
    question = f"What is the least common multiple of {a} and {b}?"
    return Exercise(question, str(math.lcm(a, b)))


MULTIPLYING = by_skill(
    equal_groups,
    times_2_5_10,
    times_3_4,
    times_6_to_9,
    multiply_tens,
    multiply_2_by_1,
    multiply_2_by_2,
    share_equally,
    divide_tables,
    divide_remainder,
    divide_2_by_1,
    order_of_operations,
    factors,
    common_factor,
    common_multiple,
)
