"""The goal-conditioned point maze under Stable-Baselines3's hindsight replay."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from replay_worlds import both
from stable_baselines3 import SAC, HerReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from curiosity_rl.adapters.replay import RelabelledHerReplayBuffer
from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.envs.point_maze.world import PointMaze
from curiosity_rl.rewards import make_reward

LIMIT = 20
SETTINGS: dict[str, Any] = {
    "maze": "u",
    "goal_conditioned": True,
    "goal_cells": "free",
    "max_steps": LIMIT,
}


def lanes(kind: str, count: int = 4) -> VecEnv:
    if kind == "dummy":
        return DummyVecEnv([lambda: gym.make("point-maze-v0", **SETTINGS)] * count)
    return VectorEnvAdapter(gym.make_vec("point-maze-v0", count, **SETTINGS))


def sac(venv: VecEnv, buffer: Any = HerReplayBuffer, **buffer_kwargs: Any) -> SAC:
    return SAC(
        "MultiInputPolicy",
        venv,
        replay_buffer_class=buffer,
        replay_buffer_kwargs={"n_sampled_goal": 4, **buffer_kwargs},
        learning_starts=4 * LIMIT + 8,  # no goals to relabel with before an end
        batch_size=32,
        buffer_size=2000,
        policy_kwargs={"net_arch": [16]},
        seed=1,
        device="cpu",
    )


def finite(model: SAC) -> bool:
    return all(bool(th.isfinite(v).all()) for v in model.policy.state_dict().values())


@pytest.mark.parametrize("kind", ["dummy", "adapter"])
def test_sac_trains_with_her_and_relabelled_rewards_are_the_world_s(kind: str):
    venv = lanes(kind)
    model = sac(venv)
    model.learn(400)
    assert finite(model)
    buffer: Any = model.replay_buffer
    np.random.seed(0)  # noqa: NPY002
    sample = buffer.sample(512)
    goals = sample.next_observations
    achieved, desired = (
        goals[key].numpy() for key in ("achieved_goal", "desired_goal")
    )
    rewards = sample.rewards.numpy()[:, 0]
    expected = PointMaze(**SETTINGS).compute_reward(achieved, desired)
    np.testing.assert_array_equal(rewards, expected)
    assert 0.02 < rewards.mean() < 0.98
    assert not sample.dones.numpy().any()  # episodes are only truncated
    stored = buffer.observations["desired_goal"][: buffer.pos].reshape(-1, 2)
    relabelled = ~(desired[:, None] == stored).all(2).any(1)
    assert 0.7 < relabelled.mean() <= 0.9  # 4 of 5 goals are places that were reached
    stored_rewards = buffer.rewards[: buffer.pos].ravel()
    asked = venv.env_method(
        "compute_reward",
        buffer.next_observations["achieved_goal"][: buffer.pos].reshape(-1, 2),
        buffer.next_observations["desired_goal"][: buffer.pos].reshape(-1, 2),
        [{}] * len(stored_rewards),
        indices=[0],
    )
    np.testing.assert_array_equal(asked[0], stored_rewards)
    venv.close()


def test_both_kinds_of_lanes_collect_the_same():
    """The same seeds and actions: equal observations, rewards and ends."""
    pair = [lanes(kind, 3) for kind in ("dummy", "adapter")]
    first: list[Any] = []
    for venv in pair:
        venv.seed(5)
        first.append(venv.reset())
    rng = np.random.default_rng(0)
    np.testing.assert_equal(dict(first[0]), dict(first[1]))
    for _ in range(3 * LIMIT):
        action = rng.uniform(-1, 1, (3, 2)).astype(np.float32)
        one, two = (venv.step(action) for venv in pair)
        np.testing.assert_equal(dict(one[0]), dict(two[0]))  # type: ignore[arg-type]
        np.testing.assert_array_equal(one[1], two[1])
        np.testing.assert_array_equal(one[2], two[2])
        for a, b in zip(one[3], two[3], strict=True):
            if "terminal_observation" in a:
                assert a["TimeLimit.truncated"]
                assert b["TimeLimit.truncated"]
                assert a["is_success"] == b["is_success"]
                np.testing.assert_equal(
                    a["terminal_observation"], b["terminal_observation"]
                )


def test_a_bonus_is_paid_in_hindsight_too():
    reward = make_reward("rnd", hidden=8, outputs=4, scale=False)
    model = sac(
        lanes("adapter"),
        RelabelledHerReplayBuffer,
        intrinsic=reward,
        coef=0.5,
        update_every=8,
    )
    model.learn(300)
    assert finite(model)
    paid, stock = both(model.replay_buffer, 256)
    world = PointMaze(**SETTINGS)
    goals = stock.next_observations
    expected = world.compute_reward(goals["achieved_goal"], goals["desired_goal"])
    np.testing.assert_array_equal(stock.rewards.numpy()[:, 0], expected)
    assert bool((paid.rewards > stock.rewards).all())
