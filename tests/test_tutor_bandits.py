"""Bandits over the shown graph: ZPDES in its form for graphs, RiARiT."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import rule_reference as slow
from rule_reference import LANES, STEPS, classroom, note, wait
from tutor_desk import CHAIN, DIAMOND, Desk

from curiosity_rl.agents.tutors.zpdes_dag import KEPT, remembered

MANY = 40_000


def share_of(desk: Desk, tutor: Any, slot: int) -> float:
    return float(np.mean(desk.ask(tutor) == slot))


# --- zpdes over a graph -----------------------------------------------------------


def test_zpdes_dag_weights_are_mean_signed_progress() -> None:
    desk = Desk([(), ()], lanes=MANY)
    tutor = desk.tutor("zpdes-dag")
    for right in (False, False, True, True):
        assert share_of(desk, tutor, 0) == pytest.approx(0.5, abs=0.01)
        desk.answer(0, right)
    # Progress 1 on skill 0, start weight .5 on skill 1.
    assert share_of(desk, tutor, 0) == pytest.approx(0.9 / 1.5 + 0.05, abs=0.01)
    desk.answer(0, False)  # - + + -: progress 0, mean .5
    assert share_of(desk, tutor, 0) == pytest.approx(0.5, abs=0.01)
    desk.answer(0, False)  # + + - -: progress -1, mean 0, weight .001
    share = 0.9 * 0.001 / 0.501 + 0.05
    assert share_of(desk, tutor, 0) == pytest.approx(share, abs=0.005)


def test_zpdes_dag_gives_what_just_opened_four_times_the_weight() -> None:
    desk = Desk([(), (0,), ()], lanes=MANY)
    tutor = desk.tutor("zpdes-dag")
    for right in (False, True, True, True):
        assert set(desk.ask(tutor).tolist()) == {0, 2}
        desk.answer(0, right)
    # 3 of 4 right: 0 is mastered, 1 is open with weight 2 beside 2 with .5.
    assert share_of(desk, tutor, 1) == pytest.approx(0.9 * 2 / 2.5 + 0.05, abs=0.01)


def test_zpdes_dag_needs_all_parents_and_twice_the_history() -> None:
    desk = Desk(DIAMOND, lanes=300)
    tutor = desk.tutor("zpdes-dag", history=3)
    for _ in range(6):
        assert set(desk.ask(tutor).tolist()) == {3}
        desk.answer(3, True)
    for _ in range(6):
        assert set(desk.ask(tutor).tolist()) == {1, 2}
        desk.answer(1, True)
    assert set(desk.ask(tutor).tolist()) == {2}


def test_memory_of_practice_by_hand() -> None:
    when = np.zeros((2, KEPT))
    when[0, :4] = [0, 1, 2, 3]
    memory = remembered(when, np.array([4, 1]), np.array([43.0, 18.0]))
    by_hand = np.exp([-43 / 1, -42 / 2, -41 / 3, -40 / 4]).sum() / 4
    np.testing.assert_allclose(memory, [by_hand, np.exp(-18.0)])


def test_memory_looks_far_enough_back() -> None:
    """Of 100 practices 32 are kept; near the threshold the others add under 1 %."""
    times = np.arange(100.0)
    when = np.zeros((1, KEPT))
    when[0, np.arange(100) % KEPT] = times
    now = 99.0 + 17 * 100
    everything = np.exp((times - now) / (times + 1)).mean()
    kept = remembered(when, np.array([100]), np.array([now]))[0]
    assert kept == pytest.approx(everything, rel=0.01)


def test_zpdes_dag_reviews_a_parent_that_is_forgotten() -> None:
    # Four practices of the parent: forgotten once (now - 3) / 4 + ln 4 > 18, after 70
    # exercises (the three older practices together make less than a hundredth).
    desk = Desk(CHAIN, needed=[2, 0])
    tutor = desk.tutor("zpdes-dag")
    assert desk.teach(tutor, "++++" + "-" * 66 + "+") == [2] * 4 + [0] * 66 + [2]
    assert desk.teach(tutor, "-") == [0]  # remembered again
    never = Desk(CHAIN, needed=[2, 0])
    tutor = never.tutor("zpdes-dag", forget=None)
    assert never.teach(tutor, "++++" + "-" * 80) == [2] * 4 + [0] * 80


def test_zpdes_dag_reviews_by_days_where_there_are_any() -> None:
    desk = Desk(CHAIN, needed=[2, 0], days=True)
    tutor = desk.tutor("zpdes-dag")
    assert desk.teach(tutor, "++++" + "-" * 90) == [2] * 4 + [0] * 90  # the same day
    desk.day += 66  # e^(-66 / 4) / 4 is above e^-18, e^(-67 / 4) / 4 below
    assert desk.teach(tutor, "-") == [0]
    desk.day += 1
    assert desk.teach(tutor, "+-") == [2, 0]


def test_zpdes_dag_stall_rule_opens_one_more_skill_for_good() -> None:
    desk = Desk(CHAIN, lanes=300)
    tutor = desk.tutor("zpdes-dag", stall=True)
    for _ in range(8):
        assert set(desk.ask(tutor).tolist()) == {2}
        desk.answer(2, False)
    assert set(desk.ask(tutor).tolist()) == {2, 0}  # next of the syllabus
    for _ in range(8):
        assert set(desk.ask(tutor).tolist()) == {2, 0}
        desk.answer(0, False)
    assert set(desk.ask(tutor).tolist()) == {2, 0, 1}
    desk.answer(2, True)
    desk.answer(2, True)  # half of the last four: no more hopeless
    assert set(desk.ask(tutor).tolist()) == {2, 0, 1}


# --- riarit -----------------------------------------------------------------------


def test_riarit_by_hand() -> None:
    desk = Desk(CHAIN, lanes=MANY)
    tutor: Any = desk.tutor("riarit")
    for _ in range(2):
        assert set(desk.ask(tutor).tolist()) == {2}
        desk.answer(2, True)  # level .6, then .84: at least .8, so 0 opens
    # 2 had .05 (alone), then .2 * .05 + .8 * .4 / 3 = .11667; 0 comes in with as much.
    assert share_of(desk, tutor, 2) == pytest.approx(0.5, abs=0.01)
    np.testing.assert_allclose(tutor._notes["weight"][0], [7 / 60, 0, 7 / 60])
    desk.answer(2, True)  # level .936 > .9: left
    assert set(desk.ask(tutor).tolist()) == {0}
    desk.answer(0, False)  # 2 falls to .936 - .6 * .136 = .8544: open again
    # 0 had .05 (alone), then .2 * .05 = .01; 2 comes in with as much.
    assert share_of(desk, tutor, 2) == pytest.approx(0.5, abs=0.01)
    np.testing.assert_allclose(tutor._notes["level"][0], [0, 0, 0.8544])
    np.testing.assert_allclose(tutor._notes["weight"][0], [0.01, 0, 0.01])
    desk.answer(0, True)  # level 0: .6; the mean of .6 / .6 moved is 1 / 3
    weight = np.array([0.2 * 0.01 + 0.8 / 3, 0.01])
    share = (weight[0] + weight.sum() / 10) / (1.2 * weight.sum())
    assert share_of(desk, tutor, 0) == pytest.approx(share, abs=0.01)


def test_riarit_keeps_to_what_is_needed() -> None:
    desk = Desk([(), (), ()], needed=[0, 2], lanes=200)
    tutor = desk.tutor("riarit")
    for _ in range(3):
        for slot in (0, 2):
            assert set(desk.ask(tutor).tolist()) <= {0, 2}
            desk.answer(slot, True)
    assert set(desk.ask(tutor).tolist()) == {0, 2}  # all left: evenly


# --- against one student at a time ------------------------------------------------


@pytest.mark.parametrize(
    ("name", "settings", "days"),
    [
        ("zpdes-dag", {"h": 2, "mastery": 0.74, "forget": 18.0, "stall": False}, False),
        ("zpdes-dag", {"h": 1, "mastery": 0.5, "forget": 4.0, "stall": True}, False),
        ("zpdes-dag", {"h": 2, "mastery": 0.74, "forget": 3.0, "stall": True}, True),
        ("zpdes-dag", {"h": 3, "mastery": 0.6, "forget": None, "stall": True}, False),
        ("riarit", {"parent": 0.8, "leave": 0.9}, False),
        ("riarit", {"parent": 0.5, "leave": 0.95}, False),
    ],
)
def test_a_batch_equals_one_student_at_a_time(
    name: str, settings: dict[str, Any], days: bool
) -> None:
    desk, pupils = classroom(days)
    given = {"history" if k == "h" else k: v for k, v in settings.items()}
    tutor = desk.tutor(name, seed=6, **given)
    draws, rng = np.random.default_rng(6), np.random.default_rng(8)
    skill = rng.uniform(0.15, 0.95, LANES)
    rule = slow.zpdes_dag if name == "zpdes-dag" else slow.riarit
    for t in range(STEPS):
        proposed = desk.ask(tutor)
        for lane, u in enumerate(draws.random((LANES, 1))[:, 0]):
            assert proposed[lane] == rule(pupils[lane], u, **settings), (t, lane)
        right = rng.random(LANES) < skill
        note(desk, pupils, proposed, right)
        if days and t % 9 == 8:
            wait(desk, pupils, rng.integers(1, 5, LANES))
