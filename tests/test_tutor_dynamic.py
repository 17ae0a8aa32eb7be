"""Dynamic programming on the true state: exact, and reached by its own policy."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import knowledge_reference as slow
import numpy as np
import pytest
from scipy.stats import binom

import curiosity_rl  # noqa: F401  registers the worlds
from curiosity_rl.agents.tutors import make_tutor
from curiosity_rl.agents.tutors.dynamic import Dynamic
from curiosity_rl.protocols import ActivityLayout

EDM = "tutor-edm2016-v0"
SMALL: dict[str, Any] = {
    "curriculum": "layered-5",
    "budget": 20,
    "distractors": 1,
    "min_unknown": 2,
    "leak": 0.1,
}


def teach(venv: Any, tutor: Dynamic, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return who passed `(n,)` and the share known after each step `(T, n)`."""
    obs, info = venv.reset(seed=seed)
    needed, goal = (np.array(info["truth"][key]) for key in ("needed", "goal"))
    tutor.reset(obs, info)
    shares, known = [], np.zeros_like(needed)
    for t in range(tutor.budget):
        obs, _, _, _, info = venv.step(tutor.act(obs, info))
        report = info["final_info"] if t == tutor.budget - 1 else info
        known = report["truth"]["mastery"]
        shares.append((known & needed).sum(axis=1) / needed.sum(axis=1))
    return np.asarray((known | ~goal).all(axis=1)), np.array(shares)


@pytest.mark.parametrize("objective", ["exam", "mastery", "level"])
@pytest.mark.parametrize("forgetting", [0.0, 0.1])
def test_the_value_is_that_of_plain_recursion(
    objective: str, forgetting: float
) -> None:
    settings = {**SMALL, "budget": 8, "distractors": 0, "forgetting": forgetting}
    venv: Any = gym.make_vec("tutor-v0", 30, goals=5, **settings)
    tutor = make_tutor("dynamic", venv.unwrapped.layout, objective=objective)
    assert isinstance(tutor, Dynamic)
    obs, info = venv.reset(seed=1)
    tutor.reset(obs, info)
    truth = info["truth"]
    for lane in range(30):
        parents = [[int(p) for p in row if p >= 0] for row in truth["parents"][lane]]
        start = frozenset(np.flatnonzero(truth["mastery"][lane]).tolist())
        goals = frozenset(np.flatnonzero(truth["goal"][lane]).tolist())
        learn = truth["learn"][lane].tolist()
        want = slow.best_return(
            parents, learn, 0.1, start, goals, 8, objective, forgetting
        )
        assert tutor.value[lane] == pytest.approx(want, rel=1e-6)


def test_six_skills_in_a_row_by_the_binomial_distribution() -> None:
    """On the chain of EDM 2016 the best is to teach the next skill, learnt w.p. .2."""
    venv: Any = gym.make_vec(EDM, 2, budget=30)
    steps = np.arange(1, 31)
    known = [
        (np.minimum(np.arange(t + 1), 6) * binom.pmf(np.arange(t + 1), t, 0.2)).sum()
        for t in steps
    ]
    want = {
        "exam": binom.sf(5, 30, 0.2),
        "mastery": known[-1] / 6,
        "level": sum(known) / 6,
    }
    for objective, value in want.items():
        tutor: Any = make_tutor("dynamic", venv.unwrapped.layout, objective=objective)
        tutor.reset(*venv.reset(seed=0))
        np.testing.assert_allclose(tutor.value, value, rtol=1e-6)


@pytest.mark.parametrize(
    ("world", "settings", "objective"),
    [
        (EDM, {"budget": 30}, "exam"),
        (EDM, {"budget": 25, "curriculum": "edm2016-2"}, "level"),
        ("tutor-v0", SMALL, "exam"),
        ("tutor-v0", SMALL, "mastery"),
    ],
    ids=["chain, exam", "branches, level", "layered, exam", "layered, mastery"],
)
def test_its_policy_reaches_its_value_within_one_percent(
    world: str, settings: dict[str, Any], objective: str
) -> None:
    """Against chance: 30,000 students leave a standard error below .4 %."""
    venv: Any = gym.make_vec(world, 30_000, **settings)
    tutor = make_tutor("dynamic", venv.unwrapped.layout, objective=objective)
    assert isinstance(tutor, Dynamic)
    passed, shares = teach(venv, tutor, seed=0)
    reached = {
        "exam": passed.mean(),
        "mastery": shares[-1].mean(),
        "level": shares.sum(axis=0).mean(),
    }
    assert reached[objective] == pytest.approx(tutor.value.mean(), rel=0.01)


def test_new_students_get_plans_of_their_own() -> None:
    venv: Any = gym.make_vec("tutor-v0", 5, **SMALL)
    tutor: Any = make_tutor("dynamic", venv.unwrapped.layout)
    obs, info = venv.reset(seed=3)
    tutor.reset(obs, info)
    first = tutor.value.copy()
    for _ in range(SMALL["budget"]):
        obs, _, _, _, info = venv.step(tutor.act(obs, info))
    tutor.act(obs, info)
    fresh: Any = make_tutor("dynamic", venv.unwrapped.layout)
    fresh.reset(obs, info)
    np.testing.assert_array_equal(tutor.value, fresh.value)
    assert (tutor.value != first).any()


def test_it_says_what_it_cannot_do() -> None:
    layout = gym.make(EDM).unwrapped.layout  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="objective is 'speed': give one of exam"):
        make_tutor("dynamic", layout, objective="speed")
    with pytest.raises(ValueError, match="pass the layout of a tutor world"):
        make_tutor("dynamic", ActivityLayout(4, ()))
    large = gym.make("tutor-v0", curriculum="chain-13").unwrapped
    with pytest.raises(ValueError, match="need up to 13 skills"):
        make_tutor("dynamic", large.layout)  # type: ignore[attr-defined]
