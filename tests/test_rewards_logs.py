"""What rewards log of themselves: errors, progress, spread, entropy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards import make_reward
from curiosity_rl.rewards.information import BayesLinear, Dirichlet
from curiosity_rl.rewards.progress import BeliefProgress, SkillProgress

SPACE, ACTIONS = spaces.Box(-9, 9, (4,)), spaces.Discrete(3)


def walk(seed: int, steps: int = 40, lanes: int = 3) -> Transitions:
    rng = np.random.default_rng(seed)
    obs = rng.normal(size=(steps, lanes, 4)).astype(np.float32)
    done = np.zeros((steps, lanes), bool)
    zero = np.zeros((steps, lanes), np.float32)
    action = rng.integers(3, size=(steps, lanes))
    return Transitions(obs, action, zero, obs[..., ::-1] / 2, done, done)


def told(**info: Any) -> Transitions:
    """Transitions of which only the info counts."""
    arrays = {key: np.asarray(value) for key, value in info.items()}
    shape = next(iter(arrays.values())).shape[:2]
    zero, no = np.zeros(shape, np.float32), np.zeros(shape, bool)
    return Transitions(zero, zero, zero, zero, no, no, arrays)


def built(name: str, **settings: Any) -> Any:
    reward: Any = make_reward(name, scale=False, **settings)
    reward.setup(SPACE, ACTIONS, 0)
    return reward


def test_the_latest_steps_hold_so_many_transitions() -> None:
    batch = walk(0)
    assert batch.latest().shape == (1, 3)
    assert batch.latest(7).shape == (3, 3)
    assert batch.latest(1000).shape == (40, 3)
    np.testing.assert_array_equal(batch.latest(7).obs, batch.obs[-3:])
    seen = Transitions(**{**vars(batch), "obs": {"a": batch.obs}})
    np.testing.assert_array_equal(seen.latest(4).obs["a"], batch.obs[-2:])


@pytest.mark.parametrize("name", ["disagreement", "jensen-renyi"])
def test_spread_is_what_the_ensemble_would_pay_now(name: str) -> None:
    reward, batch = built(name, hidden=16, features=8), walk(1, steps=200)
    log = reward.update(batch)
    assert log["spread"] == pytest.approx(reward.compute(batch)[-86:].mean(), rel=1e-4)
    assert log["forward_loss"] > 0 or name == "jensen-renyi"


def test_progress_is_the_old_model_s_error_less_the_new_one_s() -> None:
    reward, batch = built("gamma-progress", hidden=16, features=8), walk(2)
    log = reward.update(batch)
    assert log["progress"] == pytest.approx(reward.compute(batch).mean(), rel=1e-4)


def test_progress_of_regions_is_summed_up() -> None:
    reward = built("region-progress", hidden=16, features=8, capacity=40, z=0.1)
    log = [reward.update(walk(seed)) for seed in range(6)][-1]
    progress = reward.regions.progress
    assert log["regions"] == len(progress) > 1
    assert log["regions_progressing"] == np.sum(progress > 0) > 0
    assert log["progress_mean"] == pytest.approx(progress.mean())
    assert log["progress_most"] == progress.max()


def test_what_is_gained_is_what_entropy_is_left_less() -> None:
    """The prior's entropy, F H / 2 ln(2 pi e / prior) nats, is shared between both."""
    reward = BayesLinear(prior=2.0, width=5, encoder="identity")
    reward.setup(SPACE, ACTIONS, 0)
    prior = 4 * 5 / 2 * math.log(2 * math.pi * math.e / 2.0)
    entropies = []
    for seed in range(3):
        log = reward.update(walk(seed))
        assert log["information"] + log["posterior_entropy"] == pytest.approx(prior)
        entropies.append(log["posterior_entropy"])
    assert entropies == sorted(entropies, reverse=True)


def test_surprise_is_the_model_s_own() -> None:
    reward = Dirichlet(states=2)
    reward.setup(spaces.Discrete(2), ACTIONS, 0)
    no, zero = np.zeros((3, 1), bool), np.zeros((3, 1))
    start = np.zeros((3, 1), int)
    batch = Transitions(start, start, zero, np.array([[1], [1], [0]]), no, no)
    assert reward.update(batch)["surprise"] == pytest.approx(math.log(2))
    # alpha = 1: P(1) = 3/5 twice, P(0) = 2/5
    expected = -(2 * math.log(3 / 5) + math.log(2 / 5)) / 3
    assert reward.update(batch)["surprise"] == pytest.approx(expected)


def test_the_belief_is_told_after_the_last_step() -> None:
    before = np.full((2, 2, 2), 0.5)
    belief = np.array([[[0.5, 0.5], [0.5, 0.5]], [[0.5, 0.9], [0.0, 1.0]]])
    log = BeliefProgress().update(told(belief=belief, belief_before=before))
    both = math.log(2) - 0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    assert log["belief_entropy"] == pytest.approx(both / 4)
    assert log["progress_potential"] == pytest.approx((1.4 + 1.0) / 2)


def test_progress_of_skills_is_that_of_full_windows() -> None:
    """Lane 0 goes from 0 to 1 at skill 0, from 1 to .5 at skill 1; lane 1 is new."""
    region = np.array([[0, 0]] * 4 + [[1, 1]] * 5)
    outcome = np.array([0, 0, 1, 1, 0, 1, 1, 0, 1.0])
    reward = SkillProgress(window=2)
    batch = told(activity=region, outcome=np.stack([outcome, outcome], axis=1))
    batch.terminated[6, 1] = True
    reward.compute(batch)
    log = reward.update(batch)
    assert log == {"progress_mean": pytest.approx((1 - 0.5) / 2), "skills_followed": 1}


def test_states_of_an_episode_are_counted_over_lanes() -> None:
    reward = make_reward("episodic-count", scale=False, mode="exact")
    setup: Any = reward
    setup.setup(spaces.Discrete(9), ACTIONS, 0)
    path = np.array([[0, 0], [1, 0], [2, 0], [1, 0]])
    no, zero = np.zeros((3, 2), bool), np.zeros((3, 2))
    batch = Transitions(path[:-1], zero.astype(int), zero, path[1:], no, no)
    reward.compute(batch)
    assert reward.update(batch) == {"states_in_episode": 2.0}
