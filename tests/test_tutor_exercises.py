"""Exercises of the arithmetic curriculum; `exercise_checks` reads their questions."""

from __future__ import annotations

import inspect

import exercise_checks_of_parts  # noqa: F401 (enters its checks)
import numpy as np
import pytest
from exercise_checks import CHECKS, CLAIMS, numbers
from hypothesis import given, settings
from hypothesis import strategies as some

from curiosity_rl.envs.tutor.arithmetic import PREREQUISITES
from curiosity_rl.envs.tutor.exercises import EXERCISES, Exercise, make_exercise

FEWEST = {"count-on": 19, "count-back": 20, "bonds-of-10": 20, "count-in-steps": 18}
FEWEST |= {"double": 18, "equal-groups": 20, "times-3-4": 25, "count-objects": 25}
"""Different questions of 600 that so small a skill has at least; others have 30."""


@pytest.mark.parametrize("skill", EXERCISES)
@given(seed=some.integers(0, 2**64 - 1))
@settings(max_examples=60, deadline=None)
def test_answers_are_right_and_questions_are_what_the_skill_claims(
    skill: str, seed: int
) -> None:
    exercise = make_exercise(skill, np.random.default_rng(seed))
    assert exercise.answer == str(CHECKS[skill](exercise.question))
    assert exercise.accepts(exercise.answer)
    if skill in CLAIMS:
        a, b = numbers(exercise.question)
        assert CLAIMS[skill](a, b), exercise.question
    again = make_exercise(skill, np.random.default_rng(seed))
    assert again == exercise


@pytest.mark.parametrize("skill", EXERCISES)
def test_questions_and_answers_vary(skill: str) -> None:
    rng = np.random.default_rng(5)
    drawn = [make_exercise(skill, rng) for _ in range(600)]
    assert len({e.question for e in drawn}) >= FEWEST.get(skill, 30)
    answers = [e.answer for e in drawn]
    commonest = max(answers.count(a) for a in set(answers))
    assert commonest <= 240, "one reply would do too often"


def test_every_skill_has_its_own_exercises_and_check() -> None:
    assert set(EXERCISES) == set(PREREQUISITES) == set(CHECKS)
    assert len(EXERCISES) == 60
    for make in EXERCISES.values():
        assert inspect.getdoc(make)


def test_nothing_is_drawn_but_from_the_generator() -> None:
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].tobytes()  # type: ignore[union-attr]  # noqa: NPY002
    for skill in EXERCISES:
        make_exercise(skill, np.random.default_rng(1))
    after = np.random.get_state()[1].tobytes()  # type: ignore[union-attr]  # noqa: NPY002
    assert before == after


@pytest.mark.parametrize(
    ("answer", "reply", "right"),
    [
        ("12", " 12 ", True),
        ("12", "21", False),
        ("12", "", False),
        ("3/4", "3 / 4", True),
        ("3/4", "6/8", False),
        ("2 1/3", "2  1/3", True),
        ("2 1/3", "21/3", False),
        ("5 r 2", "5R2", True),
        ("1, 2, 4", "1,2,4", True),
        ("1, 2, 4", "124", False),
    ],
)
def test_replies_are_marked(answer: str, reply: str, right: bool) -> None:
    assert Exercise("?", answer).accepts(reply) is right


def test_an_unknown_skill_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown skill 'add-to-11'.*add-to-10"):
        make_exercise("add-to-11", np.random.default_rng(0))
