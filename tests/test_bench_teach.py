from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from curiosity_rl.agents.bench.draws import BlockDraws
from curiosity_rl.agents.bench.shards import Outcomes, Plan, Played, play
from curiosity_rl.agents.bench.teach import BLOCK, teach, teach_blocks
from curiosity_rl.agents.tutors import make_tutor
from curiosity_rl.agents.worlds import make_lanes
from curiosity_rl.seeding import lane_seeds

SMALL: dict[str, Any] = {
    "curriculum": "chain-3",
    "budget": 8,
    "goals": 1,
    "distractors": 1,
}
SKILLS = 3


class Leaver(gym.Env[np.ndarray, Any]):
    """A student of three skills, a goal and a distractor, who leaves some day."""

    observation_space = spaces.Box(0.0, 1.0, (1,), np.float32)
    action_space = spaces.Discrete(2 * (SKILLS + 1))

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.left = int(self.np_random.integers(1, 12))
        self.known = np.zeros(SKILLS + 1, bool)
        self.known[0] = self.np_random.random() < 0.5
        truth = {
            "mastery": self.known.copy(),
            "goal": np.array([0, 0, 1, 0], bool),
            "needed": np.array([1, 1, 1, 0], bool),
            "distractor": np.array([0, 0, 0, 1], bool),
        }
        return np.zeros(1, np.float32), {"truth": truth}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        skill = action % (SKILLS + 1)
        if skill < SKILLS and self.np_random.random() < 0.6:
            self.known[skill] = True
        if self.np_random.random() < 0.15:
            self.known[0] = False  # so that the last mastery is not the best
        self.left -= 1
        info = {"truth": {"mastery": self.known.copy()}}
        return np.zeros(1, np.float32), 0.0, self.left == 0, False, info


class Turns:
    """Proposes action t mod `actions`."""

    privileged = False

    def __init__(self, actions: int) -> None:
        self.actions = actions

    def reset(self, obs: np.ndarray, info: Mapping[str, Any]) -> None:
        self.t = -1

    def act(self, obs: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
        self.t += 1
        return np.full(len(obs), self.t % self.actions)


def test_students_who_leave_count_for_their_first_episode() -> None:
    """Lanes end at different steps; each equals its student taught alone."""
    seeds = lane_seeds(0, "evaluation", 40)
    lanes = gym.vector.SyncVectorEnv(
        [Leaver] * len(seeds), autoreset_mode=gym.vector.AutoresetMode.SAME_STEP
    )
    found = teach(lanes, Turns(8), seeds)  # every second round another representation
    lengths = []
    for i, seed in enumerate(seeds):
        env = Leaver()
        _, info = env.reset(seed=seed)
        known = info["truth"]["mastery"]
        start = known[:3].sum()
        curve, first, wasted, over, t = [start], None, 0, False, 0
        while not over:
            wasted += t % 4 == 3
            _, _, over, _, info = env.step(t % 8)
            t += 1
            known = info["truth"]["mastery"]
            curve.append(known[:3].sum())
            if known[2] and first is None:
                first = t
        lengths.append(t)
        assert found.passed[i] == known[2]
        assert found.mastered[i] == known[:3].sum() / 3
        assert found.gain[i] == (known[:3].sum() - start) / (3 - start)
        assert found.exercises[i] == (10_000 if first is None else first)
        assert found.reached[i] == (first is not None)
        assert found.distractors[i] == wasted / t
        assert found.known[i, 0] == start
        assert found.known[i, -1] == curve[-1]
    assert len(set(lengths)) > 5
    assert 0 < found.passed.sum() < 40
    assert (found.gain < found.gain.max()).any()


@pytest.mark.parametrize("world", ["tutor-dropout-v0", "tutor-memory-v0"])
def test_who_passed_is_who_the_world_rewards(world: str) -> None:
    """Students who leave, and an exam after a pause: what counts is the exam."""
    kwargs: dict[str, Any] = {"budget": 40, "curriculum": "chain-3", "goals": 1}
    kwargs |= {"distractors": 1, "population": "textbook", "min_unknown": 1}
    kwargs |= {"population": "fsrs"} if "memory" in world else {}
    seeds = lane_seeds(0, "evaluation", 30)
    found = teach(make_lanes(world, kwargs, len(seeds)), Turns(4), seeds)
    lengths = []
    for i, seed in enumerate(seeds):
        env = gym.make(world, **kwargs)
        env.reset(seed=seed)
        over, t, reward = False, 0, 0.0
        while not over:
            _, reward, over, _, _ = env.step(t % 4)
            t = t + 1
        lengths.append(t)
        assert found.passed[i] == (reward == 1)
    assert 0 < found.passed.sum() < len(seeds)
    assert (len(set(lengths)) > 5) == ("dropout" in world)


def test_the_curve_tells_what_is_known_after_each_exercise() -> None:
    venv = make_lanes("tutor-v0", SMALL, 30)
    found = teach(venv, Turns(4), lane_seeds(0, "evaluation", 30))
    assert found.times.tolist() == list(range(9))
    for i, seed in enumerate(lane_seeds(0, "evaluation", 30)):
        env = gym.make("tutor-v0", **SMALL)
        _, info = env.reset(seed=seed)
        needed = info["truth"]["needed"]
        known = [(info["truth"]["mastery"] & needed).sum()]
        for t in range(8):
            info = env.step(t % 4)[-1]
            known.append((info["truth"]["mastery"] & needed).sum())
        assert found.known[i].tolist() == known


def test_a_students_draws_do_not_depend_on_who_shares_the_batch() -> None:
    whole = BlockDraws(5, 10, 0, 10)
    plain = np.random.default_rng(5)
    parts = [BlockDraws(5, 10, first, 2) for first in range(0, 10, 2)]
    for _ in range(3):
        rows = whole.random((10, 4))
        np.testing.assert_array_equal(rows, plain.random((10, 4)))
        np.testing.assert_array_equal(
            rows, np.concatenate([part.random((2, 4)) for part in parts])
        )
        numbers = whole.integers(0, 7, 10)
        np.testing.assert_array_equal(numbers, plain.integers(0, 7, 10))
        np.testing.assert_array_equal(
            numbers, np.concatenate([part.integers(0, 7, 2) for part in parts])
        )
        parts[0].random((1, 3))  # of fewer lanes: leaves the others' alone
        assert 0 <= parts[1].permutation(3)[0] < 3


def _plan(n: int, **more: Any) -> Plan:
    tutors = ("random", "zpdes", "omniscient")
    settings = {
        name: {**SMALL, "population": name} for name in ("assistments", "textbook")
    }
    return Plan("tutor-v0", tutors, settings, n, **more)


@pytest.fixture(scope="module")
def whole() -> Played:
    return play(_plan(2 * BLOCK + 5))  # in one shard for each tutor


def _equal(a: Outcomes, b: Outcomes) -> None:
    for item in fields(Outcomes):
        if item.name != "lessons":
            mine, theirs = getattr(a, item.name), getattr(b, item.name)
            np.testing.assert_array_equal(mine, theirs, item.name)


@pytest.mark.parametrize(("shard", "lanes"), [(1, BLOCK), (2, 1000)])
def test_shards_and_lanes_change_no_outcome(
    shard: int, lanes: int, whole: Played
) -> None:
    n = 2 * BLOCK + 5  # three blocks, in three shards and in two
    found = play(_plan(n, lanes=lanes), shard=shard)
    assert list(found) == ["assistments", "textbook"]
    for population, tutors in found.items():
        assert list(tutors) == list(_plan(n).tutors)
        for tutor, outcomes in tutors.items():
            assert outcomes.n == n
            _equal(outcomes, whole[population][tutor])
    rates = {t: x.mean("passed") for t, x in found["assistments"].items()}
    assert 0 < rates["random"] < rates["zpdes"] + 0.05 < rates["omniscient"]


def test_processes_change_no_outcome() -> None:
    plan = Plan("tutor-v0", ("random", "omniscient"), {"own": SMALL}, BLOCK + 50)
    told: list[float] = []
    found = play(plan, jobs=2, tick=lambda _, share: told.append(share), shard=1)
    assert told == [0.25, 0.5, 0.75, 1.0]
    for tutor, outcomes in play(plan)["own"].items():
        _equal(found["own"][tutor], outcomes)


def test_bags_keep_the_sums_and_bound_the_rows() -> None:
    plan = Plan("tutor-v0", ("zpdes",), {"textbook": SMALL}, 12_000)
    apart = play(replace(plan, each=True))["textbook"]["zpdes"]
    bagged = play(plan)["textbook"]["zpdes"]
    assert len(apart.passed) == 12_000
    assert len(bagged.passed) == 6_000  # at most 10,000 rows
    assert Plan("tutor-v0", (), {}, 10_000_000).bag == 1024
    np.testing.assert_array_equal(bagged.gain, apart.gain.reshape(-1, 2).sum(axis=1))
    np.testing.assert_array_equal(bagged.curve, apart.curve)
    assert bagged.mastery()[-1] == pytest.approx(bagged.mean("mastered"), abs=1e-12)
    assert bagged.lessons == ()


def test_a_tutor_begins_its_random_numbers_anew_with_every_call() -> None:
    layout = make_lanes("tutor-v0", SMALL, 1).unwrapped.layout  # type: ignore[attr-defined]
    tutor = make_tutor("random", layout, seed=99)
    a, b = (next(teach_blocks("tutor-v0", SMALL, tutor, 50)) for _ in range(2))
    np.testing.assert_array_equal(a.known, b.known)
    (other,) = teach_blocks("tutor-v0", SMALL, tutor, 50, seed=1)
    assert (a.known != other.known).any()
    with pytest.raises(ValueError, match="lanes is 0; give a number from 1 to 4096"):
        next(teach_blocks("tutor-v0", SMALL, tutor, 50, lanes=0))
