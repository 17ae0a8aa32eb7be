"""Planners: the exact belief, QMDP, and what a student is assumed to be."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import knowledge_reference as slow
import numpy as np
import pytest
from tutor_desk import SHOWN, Desk

import curiosity_rl  # noqa: F401  registers the worlds
from curiosity_rl.agents.tutors import available_tutors, make_tutor
from curiosity_rl.agents.tutors.knowledge import (
    Skills,
    discounted_loss,
    marginals,
    most_gain,
)
from curiosity_rl.agents.tutors.planner import AVERAGE, assumed_student, index_skills
from curiosity_rl.agents.tutors.told import ToldGraph
from curiosity_rl.protocols import ActivityLayout, StudentModel

PARENTS = [(), (), (0,), (0, 1), (2, 3)]  # parents first
EDM = StudentModel(0.2, 0.1, 0.1, 0.0, 0.0, "soft", 0.0, True, 5)
NOISY = StudentModel(0.3, 0.25, 0.15, 0.4, 0.05, "hard", 0.0, False, 5)
LOSING = replace(EDM, forgetting=0.1, prior=0.3, leak=0.1)
STUDENTS = {"edm 2016": EDM, "prior, hard": NOISY, "forgetting": LOSING}


def shuffled(parents: list[tuple[int, ...]], seed: int) -> tuple[list, np.ndarray]:
    """The same graph in other slots, and the slot of each skill."""
    slot = np.random.default_rng(seed).permutation(len(parents))
    moved: list[tuple[int, ...]] = [()] * len(parents)
    for skill, direct in enumerate(parents):
        moved[slot[skill]] = tuple(int(slot[p]) for p in direct)
    return moved, slot


def state_of(skills: Skills, slot: np.ndarray, known: slow.State) -> int:
    bit = {int(s): j for j, s in enumerate(skills.slot[0])}
    return sum(1 << bit[int(slot[k])] for k in known)


def skills_of(notes: dict[str, np.ndarray]) -> Skills:
    return Skills(**{name: notes[name] for name in Skills._fields})


@pytest.mark.parametrize("student", STUDENTS.values(), ids=STUDENTS)
def test_belief_and_choice_are_those_of_a_plain_reference(
    student: StudentModel,
) -> None:
    moved, slot = shuffled(PARENTS, 3)
    desk = Desk(moved)
    tutor = desk.tutor("qmdp", assumed=student)
    rng = np.random.default_rng(1)
    belief = slow.prior(PARENTS, student)
    values = slow.q_values(PARENTS, student, 0.99)
    for _ in range(40):
        chosen = int(desk.ask(tutor)[0])
        notes = tutor._notes  # type: ignore[attr-defined]
        skills = skills_of(notes)
        for state, chance in belief.items():
            found = notes["belief"][0, state_of(skills, slot, state)]
            assert found == pytest.approx(chance, abs=2e-6)
        q = [sum(b * values[s][k] for s, b in belief.items()) for k in range(5)]
        assert q[slot.tolist().index(chosen)] == pytest.approx(max(q), abs=1e-3)
        if rng.random() < 0.5:  # any activity may be answered
            chosen = int(rng.integers(5))
        right = bool(rng.random() < 0.6)
        desk.answer(chosen, right)
        skill = slot.tolist().index(chosen)
        belief = slow.hear(belief, PARENTS, student, skill, right)


def test_the_loss_is_that_of_value_iteration() -> None:
    desk = Desk(PARENTS)
    tutor = desk.tutor("qmdp", assumed=NOISY)
    skills = skills_of(tutor._notes)  # type: ignore[attr-defined]
    loss = tutor._notes["loss"][0]  # type: ignore[attr-defined]
    table = slow.q_values(PARENTS, NOISY, 0.99)
    full = max(table[frozenset(range(5))])
    for state, row in table.items():
        at = state_of(skills, np.arange(5), state)
        assert loss[at] == pytest.approx(full - max(row), rel=1e-5, abs=1e-4)


def test_qmdp_by_hand() -> None:
    """Two skills, 1 -> 2, learn .5, discount .5.

    V(none) = (0 + .25 V(1)) / .75, V(1) = (1 + .25 V(2)) / .75, V(2) = 2 / .5 = 4, so
    V(1) = 8 / 3, V(none) = 8 / 9. With P(1 known) = b, teaching 1 gains
    (1 - b) .5 (8/3 - 8/9), teaching 2 gains b .5 (4 - 8/3): equal at b = 4 / 7.
    """
    rates = {
        name: np.full((1, 2), value)
        for name, value in {
            "full": 0.5,
            "base": 0.0,
            "add": 0.0,
            "guess": 0.1,
            "slip": 0.1,
        }.items()
    }
    skills = Skills(np.array([2]), np.array([[4, 2]]), np.array([[0, 1]]), **rates)
    loss = np.empty((1, 4), np.float32)
    discounted_loss(skills, 0.5, loss)
    np.testing.assert_allclose(loss[0, [0, 1, 3]], [28 / 9, 4 / 3, 0], rtol=1e-6)
    chosen = np.empty(1, np.int64)
    for known, activity in ((0.55, 4), (0.59, 2)):
        belief = np.array([[1 - known, known, 0, 0]], np.float32)
        most_gain(skills, belief, loss, chosen)
        assert chosen[0] == activity
    out = np.empty((1, 2))
    marginals(skills, np.array([[0.1, 0.2, 0.3, 0.4]], np.float32), out)
    np.testing.assert_allclose(out, [[0.6, 0.7]], rtol=1e-6)


def test_only_needed_skills_are_planned_for() -> None:
    desk = Desk([(2,), (), (), (0,)], needed=[0, 2])
    tutor = desk.tutor("qmdp")
    proposed = desk.teach(tutor, "+" * 30)
    assert set(proposed) == {0, 2}
    desk.ask(tutor)
    before = tutor._notes["belief"].copy()  # type: ignore[attr-defined]
    desk.answer(3, True)  # tells nothing about the others
    desk.ask(tutor)
    np.testing.assert_array_equal(before, tutor._notes["belief"])  # type: ignore[attr-defined]


def test_skills_get_bits_with_parents_first() -> None:
    parents = np.array([[(2, -1), (-1, -1), (1, -1), (0, 2), (-1, -1)]])
    needed = np.array([[True, True, True, True, False]])
    index = index_skills(needed, parents, 4)
    assert index["bits"].tolist() == [4]
    assert index["slot"].tolist() == [[1, 2, 0, 3]]
    assert index["parents"].tolist() == [[0, 1, 2, 6]]
    with pytest.raises(ValueError, match="needs 4 skills; planners take at most 3"):
        index_skills(needed, parents, 3)


# --- the assumed student ----------------------------------------------------------


def test_worlds_tell_their_average_student() -> None:
    edm = gym.make("tutor-edm2016-v0", curriculum="edm2016-1").unwrapped
    student = edm.layout.student  # type: ignore[attr-defined]
    assert edm.layout.budget == 100  # type: ignore[attr-defined]
    assert (student.learn, student.guess) == pytest.approx((0.2, 0.1))
    assert (student.leak, student.prior, student.learn_first) == (0, 0, True)
    assert (student.gating, student.skills) == ("additive", 6)
    student = gym.make("tutor-v0").unwrapped.layout.student  # type: ignore[attr-defined]
    # means of the population: .141, .198, .208 (calibration, 4,000 students)
    assert student.learn == pytest.approx(0.141, abs=0.01)
    assert student.guess == pytest.approx(0.198, abs=0.01)
    assert student.slip == pytest.approx(0.208, abs=0.01)
    assert (student.gating, student.leak, student.skills) == ("hard", 0.02, 12)


def test_an_assumed_student_may_differ_in_parts() -> None:
    layout = ActivityLayout(4, SHOWN, 100, replace(EDM, skills=4))
    assert assumed_student(layout, None) == layout.student
    changed = assumed_student(layout, {"learn": 0.5})
    assert changed == replace(EDM, learn=0.5, skills=4)
    assert assumed_student(layout, NOISY) == replace(NOISY, skills=4)
    bare = ActivityLayout(4, SHOWN)
    assert assumed_student(bare, None) == replace(AVERAGE, skills=4)
    with pytest.raises(ValueError, match="did you mean learn"):
        assumed_student(layout, {"lern": 0.5})
    with pytest.raises(ValueError, match="guess of the student model is 0"):
        assumed_student(layout, {"guess": 0})
    with pytest.raises(ValueError, match=r"learn of the student model is 1\.5"):
        assumed_student(layout, {"learn": 1.5})
    with pytest.raises(ValueError, match="give 'hard', 'soft' or 'additive'"):
        assumed_student(layout, {"gating": "none"})


def test_planners_are_offered_where_they_can_plan() -> None:
    def offered(**settings) -> set[str]:
        env = gym.make("tutor-v0", **settings).unwrapped
        return set(available_tutors(env.layout))  # type: ignore[attr-defined]

    assert {"qmdp", "dynamic"} <= offered()
    assert "perseus" not in offered()
    assert {"qmdp", "dynamic", "perseus"} <= offered(curriculum="chain-8")
    large = offered(curriculum="layered-13")
    assert not {"qmdp", "dynamic", "perseus"} & large
    assert {"bkt-mastery", "zpdes-list"} <= large
    with pytest.raises(ValueError, match="discount is 1"):
        make_tutor("qmdp", ActivityLayout(4, SHOWN), discount=1.0)


# --- told another graph -----------------------------------------------------------


def test_a_told_graph_replaces_the_one_shown() -> None:
    desk = Desk([(), (0,), (1,)], needed=[0, 1, 2])
    layout = desk.layout
    told = ToldGraph(make_tutor("n-in-a-row", layout), layout, ((1,), (2,), ()))
    names = layout.features
    obs = desk.obs()
    layout.split(obs)[0][..., names.index("goal")] = [0, 1, 0]
    before = obs.copy()
    features = layout.split(told.retold(obs))[0][0]
    np.testing.assert_array_equal(obs, before)
    for name, column in {
        "parent_1": [2 / 3, 1, 0],
        "parent_2": [0, 0, 0],
        "root": [0, 0, 1],
        "needed": [0, 1, 1],
        "goal": [0, 1, 0],
    }.items():
        np.testing.assert_allclose(features[:, names.index(name)], column)
    told.reset(obs, {})
    assert told.act(obs, {}).tolist() == [2]


def test_a_told_graph_refuses_what_it_cannot_hide() -> None:
    layout = Desk([(), (0,), (1,)]).layout
    chain = ((), (0,), (1,))
    with pytest.raises(ValueError, match="this one reads joint_belief"):
        ToldGraph(make_tutor("parent-inference", layout), layout, chain)
    with pytest.raises(ValueError, match="the truth"):
        ToldGraph(make_tutor("omniscient", layout), layout, chain)
    with pytest.raises(ValueError, match="has 2 slots with up to 1"):
        ToldGraph(make_tutor("qmdp", layout), layout, chain[:2])
