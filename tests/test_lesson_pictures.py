"""Pictures of lessons: small cases worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from curiosity_rl.canvas import GOLD, MUTED, PAPER, ramp
from curiosity_rl.tracking.lesson_pictures import (
    LEARNT,
    Lessons,
    chosen_students,
    curriculum_picture,
    curriculum_shares,
    layer_colours,
    mastery_picture,
    mastery_shares,
    students_picture,
)


def two_students() -> Lessons:
    """Skills 0 -> 1 for the first student, 1 -> 0 for the second; 2 is a distractor.

    The first does 0, 0, 1, 2 and knows 0 from the third exercise on; the second does
    1, 0 and leaves, knowing 1 from the second exercise on, and 0 at the exam.
    """
    known = np.zeros((2, 5, 3), bool)
    known[0, 2:, 0] = True
    known[1, 1:, 1] = True
    known[1, 2:, 0] = True
    return Lessons(
        activity=np.array([[0, 0, 1, 2], [1, 0, -1, -1]]),
        known=known,
        attempts=np.array([[2, 1, 1], [1, 1, 0]]),
        parents=np.array([[[-1], [0], [-1]], [[1], [-1], [-1]]]),
        goal=np.array([[0, 1, 0], [1, 0, 0]], bool),
        distractor=np.array([[0, 0, 1], [0, 0, 1]], bool),
        learn=np.array([[0.1, 0.1, 0.0], [0.2, 0.2, 0.0]]),
        budget=4,
    )


def test_layers_are_counted_from_the_roots() -> None:
    assert two_students().layers().tolist() == [[0, 1, -1], [1, 0, -1]]


def test_shares_of_the_curriculum_add_up() -> None:
    shares = curriculum_shares(two_students(), 4)
    # layer 1, layer 2, distractors
    expected = [[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]]
    np.testing.assert_array_equal(shares, expected)
    halves = curriculum_shares(two_students(), 2)
    np.testing.assert_array_equal(halves, [[0.75, 0.25, 0], [0, 0.5, 0.5]])


def column(picture: np.ndarray, x: int, colour: Any) -> int:
    """Pixels of a colour in a column of the picture."""
    return int((picture[:, x] == np.rint(colour)).all(axis=1).sum())


def test_the_curriculum_is_stacked_to_the_full_height() -> None:
    lessons = two_students()
    picture = curriculum_picture(lessons)
    first, second, distractor = layer_colours(2)
    xs = [76 + 56 + 112 * k for k in range(4)]  # the middle of each slice
    assert column(picture, xs[0], first) == 224
    assert (column(picture, xs[1], first), column(picture, xs[1], second)) == (112, 112)
    assert column(picture, xs[3], distractor) >= 224
    np.testing.assert_array_equal(distractor, MUTED)
    rows = [
        np.flatnonzero((picture[:, xs[1]] == np.rint(c)).all(axis=1)).max()
        for c in (first, second)
    ]
    assert rows[0] > rows[1]  # the first layer stands at the bottom


def test_time_after_all_have_left_is_blank() -> None:
    lessons = two_students()
    lessons.activity[:, 2:] = -1
    picture = curriculum_picture(lessons)
    taught = column(picture, 76 + 392, layer_colours(2)[0])
    assert taught == column(picture, 76 + 392, layer_colours(2)[2]) == 0
    assert column(picture, 76 + 392, PAPER) > 224


def test_mastery_is_sorted_by_layer_not_by_slot() -> None:
    shares, layers = mastery_shares(two_students())
    assert layers.tolist() == [0, 1]
    # root: 0 of the first student, 1 of the second; then the skill on top of it
    expected = [[0, 0.5, 1, 1, 1], [0, 0, 0.5, 0.5, 0.5]]
    np.testing.assert_array_equal(shares, expected)
    picture = mastery_picture(two_students())
    for share in (0.0, 0.5, 1.0):
        assert (picture == np.rint(ramp(share))).all(axis=2).sum() > 1000


def many(rates: list[float], starts: list[int]) -> Lessons:
    """Students of two skills that learn at these rates and know so many at first."""
    n = len(rates)
    known = np.zeros((n, 2, 2), bool)
    for row, start in enumerate(starts):
        known[row, :, :start] = True
    return Lessons(
        activity=np.zeros((n, 1), int),
        known=known,
        attempts=np.ones((n, 2), int),
        parents=np.full((n, 2, 1), -1),
        goal=np.ones((n, 2), bool),
        distractor=np.zeros((n, 2), bool),
        learn=np.repeat(np.array(rates)[:, None], 2, axis=1),
        budget=1,
    )


def test_students_are_chosen_by_how_they_learn_then_by_what_they_knew() -> None:
    rates = [0.5, 0.1, 0.9, 0.3, 0.2, 0.4, 0.8, 0.6, 0.7, 0.0, 1.0]
    chosen = chosen_students(many(rates, [0] * 11))
    assert [rates[row] for row in chosen.values()] == [0.1, 0.5, 0.9]
    assert list(chosen) == ["weak", "middling", "strong"]
    alike = chosen_students(many([0.3, 0.3, 0.3], [2, 0, 1]))
    assert list(alike.values()) == [1, 2, 0]
    assert set(chosen_students(many([0.3], [1])).values()) == {0}


def test_students_show_what_was_learnt_and_the_goals() -> None:
    picture = students_picture(two_students())
    for colour in (ramp(LEARNT), MUTED, GOLD):
        assert (picture == np.rint(colour)).all(axis=2).any()
    assert picture.dtype == np.uint8


@pytest.mark.parametrize(
    "draw", [curriculum_picture, mastery_picture, students_picture]
)
@pytest.mark.parametrize("skills", [1, 12, 70])
def test_all_words_fit(draw: Any, skills: int) -> None:
    """Also a chain of 70 layers."""
    parents = np.arange(skills)[None, :, None] - 1
    lessons = Lessons(
        activity=np.arange(200)[None] % skills,
        known=np.ones((1, 201, skills), bool),
        attempts=np.ones((1, skills), int),
        parents=parents,
        goal=np.ones((1, skills), bool),
        distractor=np.zeros((1, skills), bool),
        learn=np.full((1, skills), 0.1),
        budget=200,
    )
    picture = draw(lessons, "tutor-arithmetic-v0 after 1,000,000 steps. ")
    for edge in (picture[:, :4], picture[:, -4:], picture[:4], picture[-4:]):
        assert (edge == PAPER).all()
