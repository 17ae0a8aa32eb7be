"""Point-based planning: bounds from both sides, and a small problem solved by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from tutor_desk import Desk

import curiosity_rl  # noqa: F401  registers the worlds
from curiosity_rl.agents.tutors import make_tutor
from curiosity_rl.agents.tutors.knowledge import Skills, discounted_loss
from curiosity_rl.agents.tutors.perseus import solve_graph
from curiosity_rl.agents.tutors.planner import assumed_rates
from curiosity_rl.agents.tutors.point_based import Problem
from curiosity_rl.envs.tutor.curricula import Curriculum
from curiosity_rl.protocols import StudentModel

CHAIN = (0, 1)  # states of exactly the parents: 1 -> 2
FIRST = StudentModel(0.4, 0.2, 0.1, 0.0, 0.0, "soft", 0.0, True, 2)
AFTER = StudentModel(0.4, 0.3, 0.2, 0.3, 0.1, "hard", 0.0, False, 2)


def problem_of(
    parents: tuple[int, ...], student: StudentModel, discount: float
) -> Problem:
    states = np.array([parents])
    skills = Skills(
        np.array([len(parents)]),
        np.arange(len(parents))[None],
        states,
        **assumed_rates(states, student),
    )
    return Problem(skills, student, discount)


def expectimax(student: StudentModel, discount: float, depth: int) -> float:
    """Value of the belief before the first answer, two skills in a chain, by a tree."""
    o = {0: (1 - student.guess, student.guess), 1: (student.slip, 1 - student.slip)}

    def learn(skill: int, state: int) -> float:
        ready = skill == 0 or state & 1
        return student.learn * (1.0 if ready else student.leak)

    @cache
    def value(belief: tuple[float, ...], depth: int) -> float:
        if depth == 0:
            return 0.0
        returns = []
        for skill in range(2):
            total = 0.0
            for answer in range(2):
                after = [0.0] * 4
                for s, b in enumerate(belief):
                    known = s >> skill & 1
                    p = 0.0 if known else learn(skill, s)
                    for to, chance in ((s, 1 - p), (s | 1 << skill, p)):
                        shown = to if student.learn_first else s
                        after[to] += b * chance * o[shown >> skill & 1][answer]
                mass = sum(after)
                if mass > 0:
                    paid = sum(b * s.bit_count() for s, b in enumerate(after)) / mass
                    later = value(tuple(b / mass for b in after), depth - 1)
                    total += mass * (paid + discount * later)
            returns.append(total)
        return max(returns)

    q = student.prior
    return value(((1 - q), q * (1 - q), 0.0, q * q), depth)


@pytest.mark.parametrize("student", [FIRST, AFTER], ids=["learn first", "after"])
def test_the_plan_is_worth_what_a_tree_of_all_answers_says(
    student: StudentModel,
) -> None:
    """Discount .5: what lies beyond eight exercises is worth at most 2 / 128."""
    plan = solve_graph(CHAIN, student, 0.5, 200, 0)
    start = problem_of(CHAIN, student, 0.5).start
    want = expectimax(student, 0.5, 8)
    assert want + 0.005 < plan.value(start)[0] < want + 2 / 128


def test_projections_follow_the_rules_by_hand() -> None:
    """One skill, learn .4, guess .2, slip .1, vector (0, 1); learning first.

    From unknown: learnt and right .4 * .9 = .36, learnt and wrong .04. After the
    answer: the same move, weighed by what an unknown skill answers: .08 and .32.
    """
    vector = np.array([[0.0, 1.0]])
    found = problem_of((0,), replace(FIRST, skills=1), 0.9).projections(vector)
    np.testing.assert_allclose(found[0, :, 0], [[0.04, 0.1], [0.36, 0.9]])
    later = replace(FIRST, skills=1, learn_first=False)
    found = problem_of((0,), later, 0.9).projections(vector)
    np.testing.assert_allclose(found[0, :, 0], [[0.32, 0.1], [0.08, 0.9]])


def test_values_stand_between_the_plan_itself_and_the_seen_state() -> None:
    """Lower bound <= return of the plan <= value with the state seen, in the world."""
    steps, discount = 120, 0.9
    chain = Curriculum(
        skills=3,
        parents=((), (0,), (1,)),
        learn=(0.2, 0.0, 0.0),
        boost=(0.0, 0.2, 0.2),
        learn_first=True,
    )
    settings = {"curriculum": chain, "goals": 3, "budget": steps + 1, "distractors": 0}
    venv: Any = gym.make_vec("tutor-v0", 3000, population="textbook", **settings)
    layout = venv.unwrapped.layout
    tutor: Any = make_tutor("perseus", layout, discount=discount, points=300)
    reached = {}
    for name in ("perseus", "qmdp"):
        one = tutor if name == "perseus" else make_tutor(name, layout, discount=0.9)
        obs, info = venv.reset(seed=1)
        one.reset(obs, info)
        total = np.zeros(3000)
        for t in range(steps):
            obs, _, _, _, info = venv.step(one.act(obs, info))
            total += discount**t * info["truth"]["mastery"].sum(axis=1)
        reached[name] = total.mean()
    tutor.reset(*venv.reset(seed=1))
    plan = tutor.plan_of(0)
    problem = problem_of((0, 1, 2), tutor.student, discount)
    bound = plan.value(problem.start)[0]
    loss = np.zeros((1, 8), np.float32)
    discounted_loss(problem.skills, discount, loss)
    seen = 3 / (1 - discount) - loss[0, 0]
    assert bound < seen
    assert bound * 0.98 < reached["perseus"] < seen * 1.03
    assert reached["perseus"] > reached["qmdp"] - 0.1


def test_lanes_with_the_same_graph_share_a_plan() -> None:
    desk = Desk([(2,), (), (1,)], lanes=3)
    desk.parents[1] = [(-1, -1), (0, -1), (1, -1)]
    desk.parents[2] = [(-1, -1), (0, -1), (0, -1)]
    tutor: Any = make_tutor("perseus", desk.layout, points=60, discount=0.5)
    tutor.reset(desk.obs(), {})
    assert tutor._notes["graph"].tolist() == [1, 1, 0]
    assert desk.ask(tutor).tolist() == [1, 0, 0]


def test_it_says_what_it_cannot_do() -> None:
    desk = Desk([(), (0,), (0,)])
    with pytest.raises(ValueError, match="points is 0"):
        make_tutor("perseus", desk.layout, points=0)
    with pytest.raises(ValueError, match="discount is 0"):
        make_tutor("perseus", desk.layout, discount=0.0)
    nine = Desk([()] * 9)
    with pytest.raises(ValueError, match="need up to 9 skills"):
        make_tutor("perseus", nine.layout)
