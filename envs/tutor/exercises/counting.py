"""Exercises on counting, comparing, place value and the number line."""

from __future__ import annotations

from numpy.random import Generator

from curiosity_rl.envs.tutor.exercises.exercise import (
    Exercise,
    between,
    by_skill,
    either_way,
    pick,
)


def count_objects(rng: Generator) -> Exercise:
    """One to ten things in a row."""
    count = between(rng, 1, 10)
    thing, mark = pick(rng, (("stars", "*"), ("rings", "o"), ("crosses", "x")))
    row = " ".join([mark] * count)
    return Exercise(f"How many {thing} do you see? {row}", str(count))


def count_on(rng: Generator) -> Exercise:
    """The number after one below twenty."""
    n = between(rng, 1, 19)
    return Exercise(f"Which number comes just after {n}?", str(n + 1))


def count_back(rng: Generator) -> Exercise:
    """The number before one up to twenty."""
    n = between(rng, 1, 20)
    return Exercise(f"Which number comes just before {n}?", str(n - 1))


def _compare(rng: Generator, low: int, high: int) -> Exercise:
    small = between(rng, low, high - 1)
    large = between(rng, small + 1, high)
    a, b = either_way(rng, small, large)
    if between(rng, 0, 1):
        return Exercise(f"Which number is greater: {a} or {b}?", str(large))
    return Exercise(f"Which number is smaller: {a} or {b}?", str(small))


def compare_to_10(rng: Generator) -> Exercise:
    """Two different numbers up to ten."""
    return _compare(rng, 0, 10)


def compare_to_100(rng: Generator) -> Exercise:
    """Two different numbers of two digits."""
    return _compare(rng, 10, 99)


def count_in_steps(rng: Generator) -> Exercise:
    """In twos, fives or tens, from a multiple of the step."""
    step = pick(rng, (2, 5, 10))
    first = step * between(rng, 0, 6)
    shown = ", ".join(str(first + step * k) for k in range(3))
    return Exercise(f"Which number comes next? {shown}, ?", str(first + 3 * step))


def place_value_tens(rng: Generator) -> Exercise:
    """Between a number of two digits and its tens and ones."""
    tens, ones = between(rng, 1, 9), between(rng, 0, 9)
    n = 10 * tens + ones
    kind = between(rng, 0, 2)
    if kind == 0:
        return Exercise(f"Which number has {tens} tens and {ones} ones?", str(n))
    if kind == 1:
        return Exercise(f"How many tens are in {n}, beside its ones?", str(tens))
    return Exercise(f"How many ones are in {n}, beside its tens?", str(ones))


def place_value_hundreds(rng: Generator) -> Exercise:
    """A number of three digits from its parts, or the worth of one of its digits."""
    digits = [between(rng, 1, 9), between(rng, 0, 9), between(rng, 0, 9)]
    n = 100 * digits[0] + 10 * digits[1] + digits[2]
    if between(rng, 0, 1):
        parts = "{} hundreds, {} tens and {} ones".format(*digits)
        return Exercise(f"Which number has {parts}?", str(n))
    place = between(rng, 0, 2)
    name = ("hundreds", "tens", "ones")[place]
    worth = digits[place] * (100, 10, 1)[place]
    return Exercise(f"What is the {name} digit of {n} worth?", str(worth))


def number_line(rng: Generator) -> Exercise:
    """Hops to the right or left that stay between zero and twenty."""
    start, hops = between(rng, 0, 20), between(rng, 1, 9)
    right = start - hops < 0 or (start + hops <= 20 and bool(between(rng, 0, 1)))
    side = "right" if right else "left"
    question = (
        f"A frog sits on {start} of the number line and hops {hops} steps to the "
        f"{side}. Where does it land?"
    )
    return Exercise(question, str(start + hops if right else start - hops))


COUNTING = by_skill(
    count_objects,
    count_on,
    count_back,
    compare_to_10,
    count_in_steps,
    place_value_tens,
    compare_to_100,
    place_value_hundreds,
    number_line,
)
