"""The hand-made tutors on students on paper: what they choose, and when."""

from __future__ import annotations

import numpy as np
import pytest
from tutor_desk import CHAIN, DIAMOND, Desk

# --- n in a row -------------------------------------------------------------------


def test_in_a_row_walks_the_chain_and_wants_three_in_a_row() -> None:
    desk = Desk(CHAIN)
    tutor = desk.tutor("n-in-a-row")
    assert desk.teach(tutor, "++-+++" + "+++" + "---") == [2] * 6 + [0] * 3 + [1] * 3


def test_in_a_row_counts_runs_longer_than_the_streak_feature() -> None:
    desk = Desk(CHAIN)
    assert desk.teach(desk.tutor("n-in-a-row", n=7), "+++++++-") == [2] * 7 + [0]


def test_in_a_row_leaves_out_what_is_not_needed_and_ends_with_the_weakest() -> None:
    desk = Desk(CHAIN, needed=[2, 0])
    desk.belief[0] = [0.4, 0.1, 0.9]
    proposed = desk.teach(desk.tutor("n-in-a-row"), "+" * 8)
    assert proposed == [2] * 3 + [0] * 3 + [0] * 2


def test_backtrack_reopens_the_parents_of_a_skill_that_will_not_come() -> None:
    desk = Desk(DIAMOND, needed=[0, 1, 2, 3])
    tutor = desk.tutor("n-in-a-row-backtrack")
    assert desk.teach(tutor, "+" * 9) == [3] * 3 + [1] * 3 + [2] * 3
    assert desk.teach(tutor, "+-" * 7 + "-") == [0] * 15
    # Both parents must show three in a row again, whatever they showed before.
    assert desk.teach(tutor, "++++++") == [1] * 3 + [2] * 3
    assert desk.teach(tutor, "-" * 16) == [0] * 15 + [1]


def test_backtrack_climbs_down_to_the_grandparents() -> None:
    desk = Desk(CHAIN)
    tutor = desk.tutor("n-in-a-row-backtrack", patience=4)
    assert desk.teach(tutor, "+++" + "+++") == [2] * 3 + [0] * 3
    assert desk.teach(tutor, "-" * 9) == [1] * 4 + [0] * 4 + [2]


# --- belief -----------------------------------------------------------------------


def test_bkt_mastery_takes_the_lowest_skill_whose_parents_are_mastered() -> None:
    desk = Desk(DIAMOND, lanes=5)
    desk.belief[:] = [
        [0.1, 0.9, 0.9, 0.94],  # the root first
        [0.1, 0.96, 0.5, 0.96],  # a parent is missing
        [0.1, 0.96, 0.96, 0.96],  # the goal is open
        [0.1, 0.97, 0.96, 0.5],  # the root fell again
        [0.99, 0.97, 0.96, 0.98],  # all mastered: the weakest
    ]
    tutor = desk.tutor("bkt-mastery")
    np.testing.assert_array_equal(desk.ask(tutor), [3, 2, 0, 3, 2])
    lax = desk.tutor("bkt-mastery", threshold=0.9)
    np.testing.assert_array_equal(desk.ask(lax), [0, 2, 0, 3, 2])


def test_bkt_mastery_falls_back_to_the_needed_skill_of_lowest_belief() -> None:
    desk = Desk([(1,), (), ()], needed=[0])  # the shown graph needs 0, but not 1
    desk.belief[0] = [0.6, 0.2, 0.1]
    assert desk.ask(desk.tutor("bkt-mastery")) == [0]


def test_parent_inference_reads_the_joint_belief() -> None:
    desk = Desk(CHAIN)
    desk.joint[0] = [0.2, 0.1, 0.99]
    desk.belief[0] = [0.99, 0.1, 0.1]
    assert desk.ask(desk.tutor("parent-inference")) == [0]
    assert desk.ask(desk.tutor("bkt-mastery")) == [2]


def test_lowest_mastery_knows_no_prerequisites() -> None:
    desk = Desk(CHAIN, needed=[2, 0], lanes=2)
    desk.belief[:] = [[0.1, 0.05, 0.3], [0.97, 0.05, 0.96]]
    np.testing.assert_array_equal(desk.ask(desk.tutor("lowest-mastery")), [0, 2])
    blind = Desk(CHAIN, shown=False)
    blind.belief[:] = [0.1, 0.05, 0.3]
    assert blind.ask(blind.tutor("lowest-mastery")) == [1]


# --- fixed syllabus ---------------------------------------------------------------


def test_the_syllabus_gives_each_skill_its_exercises_whatever_the_answers() -> None:
    desk = Desk(DIAMOND, needed=[0, 1, 3])
    tutor = desk.tutor("syllabus", exercises=2)
    assert desk.teach(tutor, "--++-+-+") == [3, 3, 1, 1, 0, 0, 3, 3]


def test_the_syllabus_shares_the_budget_equally() -> None:
    desk = Desk(CHAIN)  # 500 exercises: 167 until 2 / 3 of them, and so on
    proposed = desk.teach(desk.tutor("syllabus"), "+" * 500)
    assert proposed == [2] * 167 + [0] * 167 + [1] * 166


@pytest.mark.parametrize("budget", [7, 60, 180, 1000])
@pytest.mark.parametrize("skills", [1, 3, 7, 12])
def test_equal_shares_are_exact_in_float32(budget: int, skills: int) -> None:
    lanes = np.arange(budget)
    desk = Desk([()] * skills, lanes=budget)
    tutor = desk.tutor("syllabus")
    obs = desk.obs()
    obs[:, -1] = (budget - lanes) / budget
    np.testing.assert_array_equal(tutor.act(obs, {}), lanes * skills // budget)


def test_the_syllabus_takes_a_given_order_where_no_graph_is_shown() -> None:
    desk = Desk([()] * 4, shown=False)
    tutor = desk.tutor("syllabus", order=[3, 0, 1], exercises=1)
    assert desk.teach(tutor, "++++") == [3, 0, 1, 3]


# --- zpdes ------------------------------------------------------------------------


def test_zpdes_opens_a_skill_when_all_its_parents_are_mastered() -> None:
    desk = Desk(DIAMOND, lanes=200)
    tutor = desk.tutor("zpdes")

    def proposed() -> set[int]:
        return set(desk.ask(tutor).tolist())

    for right in (False, True, True, True):
        assert proposed() == {3}
        desk.answer(3, right)
    assert proposed() == {1, 2}  # 3 of 4 right: mastered, its children open
    for _ in range(4):
        desk.answer(1, True)
        assert proposed() <= {1, 2}
    for _ in range(4):
        desk.answer(2, True)
    assert proposed() == {0}
    desk.answer(3, False)
    assert proposed() == {0}  # 3 of 4 right still
    desk.answer(3, False)
    assert proposed() == {0, 3}  # not mastered any more; what is open stays open


def test_zpdes_weights_follow_progress() -> None:
    desk = Desk([(), ()], lanes=40_000)
    tutor = desk.tutor("zpdes")
    for right in (False, False, True, True):  # progress 1 on skill 0
        desk.ask(tutor)
        desk.answer(0, right)
    # Weights: .05, four times: three answers leave it, then .2 * .05 + .8 * 1 = .81.
    share = 0.8 * 0.81 / 0.86 + 0.2 / 2
    assert np.mean(desk.ask(tutor) == 0) == pytest.approx(share, abs=0.01)
    desk.answer(0, False)  # - + + - : progress 0, weight .2 * .81
    share = 0.8 * 0.162 / 0.212 + 0.2 / 2
    assert np.mean(desk.ask(tutor) == 0) == pytest.approx(share, abs=0.01)


def test_zpdes_practises_needed_skills_when_the_zone_is_empty() -> None:
    desk = Desk([(), (), ()], needed=[0, 2], lanes=500)
    tutor = desk.tutor("zpdes")
    for _ in range(4):
        for skill in (0, 2):
            desk.ask(tutor)
            desk.answer(skill, True)
    assert set(desk.ask(tutor).tolist()) == {0, 2}


def test_zpdes_stall_rule_leaves_a_hopeless_zone() -> None:
    for stall in (False, True):
        desk = Desk(CHAIN, lanes=300)
        tutor = desk.tutor("zpdes", stall=stall)
        for _ in range(8):
            assert set(desk.ask(tutor).tolist()) == {2}
            desk.answer(2, False)
        assert set(desk.ask(tutor).tolist()) == ({0, 1, 2} if stall else {2})


def test_zpdes_blind_leaves_out_only_what_is_mastered() -> None:
    desk = Desk([(), (), ()], lanes=30_000, shown=False)
    desk.belief[:, 1] = 0.95
    tutor = desk.tutor("zpdes-blind")
    for right in (False, False, True, True):
        desk.ask(tutor)
        desk.answer(0, right)
    share = 0.8 * 0.81 / 0.86 + 0.2 / 2
    counts = np.bincount(desk.ask(tutor), minlength=3) / desk.n
    np.testing.assert_allclose(counts, [share, 0, 1 - share], atol=0.01)


# --- blind rules ------------------------------------------------------------------


def slow_turns(name: str, beliefs: np.ndarray, answers: np.ndarray) -> list[int]:
    """Teach one lane in plain Python; `beliefs` `(T, A)`, `answers` `(T,)`."""
    activities, current, given, proposed = beliefs.shape[1], 0, 0, []
    history: list[list[bool]] = [[] for _ in range(activities)]
    for belief, right in zip(beliefs, answers, strict=True):
        if name == "rotate":
            over = given >= 4
        else:
            over = (given >= 3 and sum(history[current][-3:]) < 2) or given >= 25
        if over or belief[current] >= 0.95:
            given = 0
            for step in range(1, activities + 1):
                slot = (current + step) % activities
                if belief[slot] < 0.95:
                    current = slot
                    break
        given += 1
        history[current].append(bool(right))
        proposed.append(current)
    return proposed


@pytest.mark.parametrize("name", ["rotate", "stay"])
def test_turns_equal_a_plain_loop(name: str) -> None:
    rng = np.random.default_rng(1)
    lanes, steps, activities = 40, 150, 5
    beliefs = rng.choice([0.5, 0.96], (steps, lanes, activities), p=[0.8, 0.2])
    beliefs[60:70] = 0.99  # nothing left to do for a while
    answers = rng.random((steps, lanes)) < np.linspace(0.2, 1.0, lanes)
    desk = Desk([()] * activities, lanes=lanes, shown=False)
    tutor = desk.tutor(name)
    proposed = []
    for t in range(steps):
        desk.belief = beliefs[t]
        proposed.append(desk.ask(tutor))
        desk.answer(proposed[-1], answers[t])
    for lane in range(lanes):
        want = slow_turns(name, beliefs[:, lane], answers[:, lane])
        assert [int(p[lane]) for p in proposed] == want


def test_wrong_order_is_a_syllabus_of_its_own_for_each_lane() -> None:
    desk = Desk([()] * 5, lanes=400, shown=False)
    tutor = desk.tutor("wrong-order", seed=3)
    visited = []
    for _ in range(5):
        visited.append(desk.ask(tutor))
        for right in (True, True, False, True, True, True):
            desk.answer(visited[-1], right)
            if not right:
                np.testing.assert_array_equal(desk.ask(tutor), visited[-1])
    orders = np.stack(visited, axis=1)
    np.testing.assert_array_equal(np.sort(orders, axis=1), [[0, 1, 2, 3, 4]] * 400)
    assert len(np.unique(orders, axis=0)) > 80  # of 120
    np.testing.assert_array_equal(desk.ask(tutor), orders[:, 0])  # begins again


def test_random_draws_every_activity_equally() -> None:
    desk = Desk([()] * 4, lanes=20_000, shown=False)
    tutor = desk.tutor("random")
    share = np.bincount(desk.ask(tutor), minlength=4) / desk.n
    np.testing.assert_allclose(share, 0.25, atol=0.015)
