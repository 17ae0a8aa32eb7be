"""Tutors that come back to what was learnt: boxes, models of memory, thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import rule_reference as slow
from rule_reference import LANES, STEPS, classroom, note, wait
from tutor_desk import CHAIN, Desk

from curiosity_rl.agents.tutors.memory import Fsrs, HalfLife, Memory

# --- models of memory -------------------------------------------------------------

# Right?, day, then stability, difficulty and recall five days later, as py-fsrs 6.3.1
# gives them for the grades good and again (no learning steps, no fuzz).
REVIEWS = [
    (True, 0, 2.3065, 2.118104, 0.838861),
    (True, 3, 13.826904, 2.111214, 0.954288),
    (False, 10, 1.614598, 7.392238, 0.806425),
    (True, 10, 1.643845, 7.380074, 0.808103),
    (True, 12, 5.028164, 7.367923, 0.900385),
    (False, 12, 1.605219, 9.120082, 0.80588),
    (True, 40, 7.626358, 9.106191, 0.926317),
]
FAILED_FIRST = [
    (False, 0, 0.212, 6.4133),
    (False, 0, 0.083357, 8.806304),
    (True, 0, 0.103141, 8.792727),
    (True, 1, 0.695255, 8.779162),
]


def review(memory: Memory, answers: Any, day_after: float) -> tuple[float, ...]:
    """Return both numbers, and recall `day_after` days after the last answer."""
    first = second = np.zeros(1)
    last = 0
    for right, day in answers:
        gap = np.array([day - last], float)
        first, second = memory.answered(first, second, np.array([right]), gap)
        last = day
    recall = memory.recall(first, second, np.array([day_after]))
    return float(first[0]), float(second[0]), float(recall[0])


@pytest.mark.parametrize("upto", range(1, len(REVIEWS) + 1))
def test_fsrs_is_that_of_the_released_package(upto: int) -> None:
    answers = [row[:2] for row in REVIEWS[:upto]]
    np.testing.assert_allclose(
        review(Fsrs(), answers, 5.0), REVIEWS[upto - 1][2:], 2e-5
    )


def test_fsrs_after_failures_is_that_of_the_released_package() -> None:
    for upto, row in enumerate(FAILED_FIRST, start=1):
        answers = [row[:2] for row in FAILED_FIRST[:upto]]
        np.testing.assert_allclose(review(Fsrs(), answers, 1.0)[:2], row[2:], 1e-5)


def test_stability_is_the_days_until_nine_in_ten_are_recalled() -> None:
    assert review(Fsrs(), [(True, 0)], 2.3065)[2] == pytest.approx(0.9)


def test_half_life_by_hand() -> None:
    # Three right, none wrong: h = 2^(2 - 1) = 2 days; four days are two half-lives.
    answers = [(True, 0)] * 3
    assert review(HalfLife(), answers, 4.0)[2] == pytest.approx(0.25)
    # One right, one wrong: h = 2^0 = 1 day.
    assert review(HalfLife(), [(True, 0), (False, 0)], 1.0)[2] == pytest.approx(0.5)
    # Clipped at 15 minutes and at 274 days.
    short = review(HalfLife((0.0, -9.0, 0.0)), [(False, 0)], 15 / 1440)
    long = review(HalfLife((9.0, 0.0, 0.0)), answers, 274.0)
    np.testing.assert_allclose([short[2], long[2]], 0.5)


def test_nothing_is_remembered_of_what_was_never_answered() -> None:
    zero = np.zeros(2)
    for memory in (Fsrs(), HalfLife()):
        np.testing.assert_array_equal(memory.recall(zero, zero, zero), zero)


# --- by hand ----------------------------------------------------------------------


def test_leitner_by_hand_in_exercises() -> None:
    desk = Desk([()] * 3, shown=False)
    # 0 right: box 1, one other first. 1 new, wrong: box 0, at once; right: box 1. Now 0
    # waited two: due, right: box 2. 1 waited one: due, right: box 2. Nothing is due: 2
    # is new, right: box 1. Nothing is due: 0 and 2 in one more exercise, 1 in two.
    proposed = desk.teach(desk.tutor("leitner"), "+-++++" + "+")
    assert proposed == [0, 1, 1, 0, 1, 2, 0]


def test_leitner_by_hand_in_days() -> None:
    desk = Desk([()] * 2, shown=False, days=True)
    tutor = desk.tutor("leitner")
    assert desk.teach(tutor, "+-+") == [0, 1, 1]  # both in box 1
    assert desk.ask(tutor) == [0]  # due in a day, as 1 is: the lower slot
    desk.day += 1
    assert desk.teach(tutor, "-+") == [0, 0]  # box 1 of today; 1 is due, too, but later
    assert desk.teach(tutor, "+") == [1]  # box 2: in two days
    desk.day += 1
    assert desk.teach(tutor, "+") == [0]  # box 2
    desk.day += 1
    assert desk.teach(tutor, "+") == [1]  # waited two days, 0 only one
    desk.day += 1
    assert desk.teach(tutor, "+") == [0]


def test_leitner_follows_the_shown_graph_and_keeps_to_what_is_needed() -> None:
    desk = Desk(CHAIN, needed=[2, 0])
    assert set(desk.teach(desk.tutor("leitner"), "+" * 20)) == {2, 0}
    fresh = Desk(CHAIN)
    assert fresh.teach(fresh.tutor("leitner"), "++")[0] == 2


def test_recall_threshold_reviews_what_is_closest_below() -> None:
    desk = Desk([()] * 3, shown=False, days=True)
    tutor = desk.tutor("recall-threshold", n=1)
    assert desk.teach(tutor, "+") == [0]  # stability 2.31 days
    desk.day += 1
    assert desk.teach(tutor, "+") == [1]  # 0 is at .95: something new
    desk.day += 3
    # 0 is below .9 since day 2.3, 1 since day 3.3: 1 is closest. Then 0, then 2 is new.
    assert desk.teach(tutor, "+++") == [1, 0, 2]
    # All learnt, none below: 2 is weakest a day later (2.3 days; the others 14 and 16).
    desk.day += 1
    assert desk.teach(tutor, "+") == [2]


def test_recall_threshold_teaches_until_three_in_a_row() -> None:
    desk = Desk(CHAIN)
    tutor = desk.tutor("recall-threshold")
    assert desk.teach(tutor, "++-+++" + "-") == [2] * 6 + [0]


def test_memory_begins_with_learning() -> None:
    """Wrong answers before a skill was learnt do not make it look forgotten."""
    desk = Desk([()] * 2, shown=False)
    tutor = desk.tutor("recall-threshold")
    assert desk.teach(tutor, "-" * 12 + "+++") == [0] * 15
    # Learnt: stability 2.31 days of 20 exercises; below .9 after 47 others.
    assert desk.teach(tutor, "-" * 47 + "+") == [1] * 47 + [0]


# --- against one student at a time ------------------------------------------------


@pytest.mark.parametrize("days", [False, True], ids=["exercises", "days"])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("leitner", {"boxes": 5}),
        ("leitner", {"boxes": 3}),
        ("recall-threshold", {"model": "fsrs", "threshold": 0.9, "n": 3}),
        ("recall-threshold", {"model": "hlr", "threshold": 0.6, "n": 2}),
    ],
    ids=["5 boxes", "3 boxes", "fsrs", "hlr"],
)
def test_a_batch_equals_one_student_at_a_time(
    name: str, settings: dict[str, Any], days: bool
) -> None:
    desk, pupils = classroom(days)
    tutor = desk.tutor(name, **settings)
    rng = np.random.default_rng(8)
    skill = rng.uniform(0.3, 0.95, LANES)
    for t in range(STEPS):
        proposed = desk.ask(tutor)
        for lane, pupil in enumerate(pupils):
            if name == "leitner":
                want = slow.leitner(pupil, **settings)
            else:
                want = slow.recall_threshold(pupil, pace=20.0, **settings)
            assert proposed[lane] == want, (t, lane)
        right = rng.random(LANES) < skill
        note(desk, pupils, proposed, right)
        if days and t % 9 == 8:
            wait(desk, pupils, rng.integers(1, 5, LANES))
