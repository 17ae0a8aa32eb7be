"""Word problems."""

from __future__ import annotations

from numpy.random import Generator

from curiosity_rl.envs.tutor.exercises.exercise import (
    Exercise,
    between,
    by_skill,
    pick,
    proper,
)

_THINGS = ("apples", "books", "shells", "stickers")


def story_add(rng: Generator) -> Exercise:
    """Some and some more, across ten."""
    a = between(rng, 3, 9)
    b = between(rng, 11 - a, 9)
    thing = pick(rng, _THINGS)
    told = pick(
        rng,
        (
            f"A box holds {a} {thing}. {b} more are put in. How many {thing} does it "
            "hold now?",
            f"There are {a} {thing} on the table and {b} {thing} on the shelf. How "
            f"many {thing} are there together?",
        ),
    )
    return Exercise(told, str(a + b))


def story_subtract(rng: Generator) -> Exercise:
    """Some are taken away, across ten."""
    left = between(rng, 2, 9)
    b = between(rng, 11 - left, 9)
    a = left + b
    thing = pick(rng, _THINGS)
    told = pick(
        rng,
        (
            f"A box holds {a} {thing}. {b} are taken out. How many are left?",
            f"There were {a} {thing} on the table, and {b} are gone. How many "
            f"{thing} are still there?",
        ),
    )
    return Exercise(told, str(left))


def story_compare(rng: Generator) -> Exercise:
    """How many more, or fewer: a difference that nobody takes away."""
    fewer = between(rng, 3, 9)
    more = between(rng, 11, fewer + 9)
    thing = pick(rng, _THINGS)
    told = pick(
        rng,
        (
            f"The red box holds {more} {thing}, the blue one {fewer}. How many more "
            "are in the red box?",
            f"The red box holds {fewer} {thing}, the blue one {more}. How many fewer "
            "are in the red box?",
        ),
    )
    return Exercise(told, str(more - fewer))


def story_two_steps(rng: Generator) -> Exercise:
    """Some more come, then some leave, or the other way round; up to eighteen."""
    start, come = between(rng, 6, 10), between(rng, 2, 8)
    leave = between(rng, 2, min(start + come - 1, 9))
    if leave >= start or between(rng, 0, 1):
        told = f"{come} people get on. At the next stop {leave} get off."
    else:
        told = f"{leave} people get off. At the next stop {come} get on."
    question = f"A bus carries {start} people. {told} How many are on the bus now?"
    return Exercise(question, str(start + come - leave))


def story_multiply(rng: Generator) -> Exercise:
    """As many in each, from the tables of two to five."""
    many, each = between(rng, 3, 10), between(rng, 2, 5)
    thing = pick(rng, _THINGS)
    holder = pick(rng, ("bags", "boxes", "baskets"))
    question = (
        f"There are {many} {holder} with {each} {thing} in each. How many {thing} are "
        "there in all?"
    )
    return Exercise(question, str(many * each))


def story_divide(rng: Generator) -> Exercise:
    """Into equal parts, or into parts of one size; nothing left."""
    parts, each = between(rng, 3, 9), between(rng, 2, 10)
    thing = pick(rng, _THINGS)
    told = pick(
        rng,
        (
            f"{parts * each} {thing} are put into {parts} bags, as many in each. How "
            "many are in a bag?",
            f"{parts * each} {thing} are put into bags of {parts}. How many bags are "
            "filled?",
        ),
    )
    return Exercise(told, str(each))


def story_remainder(rng: Generator) -> Exercise:
    """A division with something left, and the question says what becomes of it."""
    size, full = between(rng, 3, 9), between(rng, 2, 9)
    left = between(rng, 1, size - 1)
    start = f"{size * full + left} children want to cross a lake in boats for {size}."
    question, answer = pick(
        rng,
        (
            ("How many boats do they need so that all can go?", full + 1),
            ("How many boats can they fill?", full),
            ("They fill as many boats as they can. How many children are left?", left),
        ),
    )
    return Exercise(f"{start} {question}", str(answer))


def story_fraction(rng: Generator) -> Exercise:
    """A fraction of a length is gone; how much is left."""
    a, b = proper(rng, 2, 9)
    length = b * between(rng, 2, 9)
    thing = pick(rng, ("ribbon", "rope", "plank"))
    question = (
        f"A {thing} is {length} cm long, and {a}/{b} of it is cut off. How many cm "
        "are left?"
    )
    return Exercise(question, str(length - length * a // b))


STORIES = by_skill(
    story_add,
    story_subtract,
    story_compare,
    story_two_steps,
    story_multiply,
    story_divide,
    story_remainder,
    story_fraction,
)
