"""Real questions for the arithmetic curriculum: one generator for every skill."""

from __future__ import annotations

from numpy.random import Generator

from curiosity_rl.envs.tutor.exercises.adding import ADDING
from curiosity_rl.envs.tutor.exercises.counting import COUNTING
from curiosity_rl.envs.tutor.exercises.exercise import Exercise, Make
from curiosity_rl.envs.tutor.exercises.multiplying import MULTIPLYING
from curiosity_rl.envs.tutor.exercises.parts import PARTS
from curiosity_rl.envs.tutor.exercises.stories import STORIES
from curiosity_rl.registry import unknown_name

__all__ = ["EXERCISES", "Exercise", "make_exercise"]

EXERCISES: dict[str, Make] = {**COUNTING, **ADDING, **MULTIPLYING, **PARTS, **STORIES}


def make_exercise(skill: str, rng: Generator) -> Exercise:
    """Draw an exercise of a skill of the arithmetic curriculum.

    Raises:
        ValueError: If there is no such skill.
    """
    if skill not in EXERCISES:
        raise ValueError(unknown_name("skill", str(skill), EXERCISES))
    return EXERCISES[skill](rng)
