"""What the hand-made tutors reach in the real worlds, on the same 5,000 students.

The figures are those of the calibration (1,000 to 4,000 students of a prototype);
random and omniscient bracket the task, the others hold world and tutor together. The
table itself:

    python scripts/evaluate.py tutor-v0 --students 5000
"""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import pytest

import curiosity_rl  # noqa: F401  registers the worlds
from curiosity_rl.agents.tutors import available_tutors, make_tutor
from curiosity_rl.seeding import evaluation_seeds, stream_seed

STUDENTS = 5000

# world, tutor, least and most pass rate
BARS = [
    ("tutor-v0", "random", 0.0, 0.012),
    ("tutor-v0", "wrong-order", 0.0, 0.02),
    ("tutor-v0", "n-in-a-row", 0.55, 0.63),
    ("tutor-v0", "n-in-a-row-backtrack", 0.61, 0.67),
    ("tutor-v0", "bkt-mastery", 0.523, 0.583),
    ("tutor-v0", "parent-inference", 0.70, 0.76),
    ("tutor-v0", "zpdes", 0.468, 0.528),
    ("tutor-v0", "omniscient", 0.95, 0.98),
    # .030 in the calibration (1,000 students) was a low draw: the prototype gives .0453
    # on 60,000 students, this world .0453 too (standard error .0009).
    ("tutor-blind-v0", "random", 0.0, 0.054),
    ("tutor-blind-v0", "rotate", 0.094, 0.154),
    ("tutor-blind-v0", "stay", 0.089, 0.149),
    ("tutor-blind-v0", "zpdes-blind", 0.087, 0.147),
    ("tutor-blind-v0", "wrong-order", 0.0, 0.053),
    ("tutor-blind-v0", "omniscient", 0.99, 1.0),
    ("tutor-chain-v0", "random", 0.0, 0.005),
    ("tutor-chain-v0", "n-in-a-row", 0.75, 0.87),
    ("tutor-chain-v0", "omniscient", 0.92, 1.0),
    ("tutor-edm2016-v0", "n-in-a-row", 0.95, 1.0),
    ("tutor-edm2016-v0", "omniscient", 0.99, 1.0),
]

# Not in the calibration: measured here, 2,000 students.
MORE = {
    "syllabus": 0.36,
    "lowest-mastery": 0.05,
    "recall-threshold": 0.56,
    "zpdes-dag": 0.52,
    "riarit": 0.29,
    "leitner": 0.39,
}


@dataclass(frozen=True)
class Class:
    """What the students reached: passed `(n,)`, share of needed skills known `(n,)`."""

    passed: np.ndarray
    mastered: np.ndarray


def teach(world: str, tutor_name: str, students: int = STUDENTS, **settings) -> Class:
    """Teach every student one episode; check the exam's reward against the truth."""
    venv = gym.make_vec(world, students)
    layout = venv.unwrapped.layout  # type: ignore[attr-defined]
    tutor = make_tutor(tutor_name, layout, stream_seed(0, "tutor"), **settings)
    obs, info = venv.reset(seed=evaluation_seeds(students))  # type: ignore[arg-type]
    goal = np.array(info["truth"]["goal"])
    needed = np.array(info["truth"]["needed"])
    tutor.reset(obs, info)
    for _ in range(venv.unwrapped.world.budget - 1):  # type: ignore[attr-defined]
        obs, reward, terminated, _, info = venv.step(tutor.act(obs, info))
        assert not reward.any()
        assert not terminated.any()
    _, reward, terminated, _, info = venv.step(tutor.act(obs, info))
    assert terminated.all()
    mastery = info["final_info"]["truth"]["mastery"]
    passed = (mastery | ~goal).all(axis=1)
    np.testing.assert_array_equal(reward, passed)
    venv.close()
    return Class(passed, (mastery & needed).sum(axis=1) / needed.sum(axis=1))


@pytest.mark.parametrize(("world", "tutor", "least", "most"), BARS)
def test_the_pass_rate_is_that_of_the_calibration(
    world: str, tutor: str, least: float, most: float
) -> None:
    assert least <= teach(world, tutor).passed.mean() <= most


@pytest.mark.parametrize("tutor", MORE)
def test_the_pass_rate_is_about_that_of_the_page(tutor: str) -> None:
    passed = teach("tutor-v0", tutor, 2000).passed.mean()
    assert passed == pytest.approx(MORE[tutor], abs=0.03)


def test_patience_changes_backtracking_as_in_the_calibration() -> None:
    """Patience 10 / 20: .544 / .676 (4,000 students)."""
    rates = [
        teach("tutor-v0", "n-in-a-row-backtrack", 2500, patience=p).passed.mean()
        for p in (10, 20)
    ]
    np.testing.assert_allclose(rates, [0.544, 0.676], atol=0.03)


def test_two_in_a_row_is_too_few() -> None:
    """2 in a row: .349 pass, .60 mastered (4,000 students)."""
    taught = teach("tutor-v0", "n-in-a-row", 2500, n=2)
    assert taught.passed.mean() == pytest.approx(0.349, abs=0.03)
    assert taught.mastered.mean() == pytest.approx(0.60, abs=0.02)


def test_the_zpdes_stall_rule_loses_where_answers_are_noisy() -> None:
    """With stall rule .309, without .498 (4,000 students)."""
    taught = teach("tutor-v0", "zpdes", 2500, stall=True)
    assert taught.passed.mean() == pytest.approx(0.309, abs=0.03)


def test_tutors_go_on_into_the_next_episode() -> None:
    """After the autoreset, notes and truth are those of the new students."""
    venv = gym.make_vec("tutor-v0", 400)
    budget = venv.unwrapped.world.budget  # type: ignore[attr-defined]
    for name, least in (("omniscient", 0.9), ("n-in-a-row", 0.48)):
        tutor = make_tutor(name, venv.unwrapped.layout)  # type: ignore[attr-defined]
        obs, info = venv.reset(seed=5)
        tutor.reset(obs, info)
        rates = []
        for _ in range(2 * budget):
            obs, reward, terminated, _, info = venv.step(tutor.act(obs, info))
            if terminated.any():
                rates.append(reward.mean())
        assert len(rates) == 2
        assert min(rates) > least
    venv.close()


@pytest.mark.parametrize(
    "settings",
    [
        {"graph_shown": "noisy"},
        {"belief": False},
        {"curriculum": {"a": [], "b": [], "c": [], "d": ["a", "b", "c"]}, "goals": 1},
        {"curriculum": "edm2016-1", "goals": 6, "distractors": 2},
    ],
    ids=["noisy graph", "no belief", "three parents", "edm2016-1"],
)
def test_every_available_tutor_finishes_in_every_kind_of_tutor_world(
    settings: dict,
) -> None:
    venv = gym.make_vec("tutor-v0", 20, budget=60, **settings)
    layout = venv.unwrapped.layout  # type: ignore[attr-defined]
    names = available_tutors(layout)
    assert {"n-in-a-row", "zpdes", "omniscient"} <= set(names)
    for name in names:
        quick = {"points": 20} if name == "perseus" else {}
        tutor = make_tutor(name, layout, **quick)
        obs, info = venv.reset(seed=0)
        tutor.reset(obs, info)
        for _ in range(70):  # into the next episode
            action = tutor.act(obs, info)
            assert venv.action_space.contains(action)
            obs, _, _, _, info = venv.step(action)
    venv.close()
