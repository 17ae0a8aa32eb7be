"""The arm's goal-conditioned form: goals, relabelled rewards, hindsight replay."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from arm_reference import (
    TABLE,
    arms,
    assert_equals_reference,
    babble,
    postures,
    scripted,
)
from scipy import stats
from stable_baselines3 import SAC, HerReplayBuffer

from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.envs.arm.world import Arm


def test_goals_are_spread_over_what_the_stick_reaches():
    obs, info = arms(600, goal_conditioned=True, spread=0.0).reset(seed=4)
    x, y = TABLE * obs["desired_goal"].T.astype(float)
    for value, middle, half in (
        (np.hypot(x, y), 1.0, 0.35),
        (np.arctan2(y, x), 1.5, 1.2),
    ):
        where = (value - middle + half) / (2 * half)
        assert stats.kstest(where, "uniform").pvalue > 1e-3
    for r in np.linspace(0.65, 1.35, 8):
        for angle in np.linspace(0.3, 2.7, 13):
            assert len(postures((r * math.cos(angle), r * math.sin(angle)), 0.7))
    np.testing.assert_array_equal(obs["achieved_goal"], obs["observation"][:, 14:16])
    assert "is_success" not in info


def test_no_goal_is_reached_before_the_first_step():
    env = arms(4_000, goal_conditioned=True)
    obs, _ = env.reset(seed=8)
    paid = env.unwrapped.compute_reward(obs["achieved_goal"], obs["desired_goal"], {})
    assert not paid.any()


def test_the_flat_form_is_no_world_of_goals():
    assert not hasattr(Arm(), "compute_reward")
    assert hasattr(Arm(goal_conditioned=True), "compute_reward")


def test_the_script_brings_the_toy_to_every_goal():
    """Equal to the reference; episodes go on, and every step in the zone is paid."""
    lanes = 16
    env = arms(lanes, goal_conditioned=True)
    happened = assert_equals_reference(
        env, lanes, 100, 17, lambda t, obs: scripted(obs)
    )
    assert happened["ends"] == lanes
    assert happened["success"] > 50 * lanes


@pytest.mark.parametrize("reward", ["sparse", "none"])
def test_rewards_asked_for_anew_equal_those_paid(reward: str):
    """To the bit, also with goals of others, as hindsight replay asks."""
    lanes, steps = 20, 150
    env = arms(lanes, goal_conditioned=True, reward=reward)
    world: Any = env.unwrapped.world
    obs, _ = env.reset(seed=21)
    rng = np.random.default_rng(2)
    noise = babble(rng, lanes, steps, "held")
    achieved, desired, paid = [], [], []
    for t in range(steps):
        scripts = rng.random(lanes) < 0.7
        action = np.where(scripts[:, None], scripted(obs), noise[t])
        obs, rewards, terminated, truncated, info = env.step(action)
        assert not terminated.any()
        assert truncated.all() == ((t + 1) % 100 == 0)
        last = info.get("final_obs")
        rows = obs if last is None else {k: np.stack([o[k] for o in last]) for k in obs}
        told = info.get("final_info", info)
        achieved.append(rows["achieved_goal"])
        desired.append(rows["desired_goal"])
        paid.append(rewards)
        arrived = told["is_success"]
        np.testing.assert_array_equal(rewards, arrived * (reward == "sparse"))
    a, d, r = np.stack(achieved), np.stack(desired), np.stack(paid)
    anew = world.compute_reward(a, d, {})
    np.testing.assert_array_equal(anew, r)
    assert anew.dtype == np.float64
    if reward == "sparse":
        assert 0.2 < r.mean() < 0.95
        assert (world.compute_reward(a, a, {}) == 1).all()
        one = world.compute_reward(a[3, 4], d[5, 6], None)
        assert one == float(
            math.dist(a[3, 4].astype(float), d[5, 6].astype(float)) <= 0.1
        )
    else:
        assert (world.compute_reward(a, a, {}) == 0).all()


def test_the_zone_is_a_disc_of_radius_a_fifth():
    world = Arm(goal_conditioned=True)
    near = np.array([[0.0999, 0.0], [0.0, -0.0999], [0.0705, 0.0705]])
    far = np.array([[0.1001, 0.0], [0.0, -0.1001], [0.0709, 0.0709]])
    middle = np.zeros(2)
    assert world.compute_reward(near, middle, {}).tolist() == [1.0] * 3
    assert world.compute_reward(far, middle, {}).tolist() == [0.0] * 3


def test_hindsight_replay_trains_through_the_adapter():
    """SB3's SAC + HER: relabelled rewards are those of the world's own rule."""
    venv = VectorEnvAdapter(arms(4, goal_conditioned=True), seed=3)
    model = SAC(
        "MultiInputPolicy",
        venv,
        replay_buffer_class=HerReplayBuffer,
        replay_buffer_kwargs={"n_sampled_goal": 4},
        buffer_size=4_000,
        learning_starts=500,
        train_freq=50,
        gradient_steps=2,
        batch_size=64,
        policy_kwargs={"net_arch": [16]},
        seed=0,
        device="cpu",
    )
    model.learn(1_000)
    assert model._n_updates > 0
    buffer: Any = model.replay_buffer
    batch = buffer.sample(512, env=None)
    world: Any = Arm(goal_conditioned=True)
    anew = world.compute_reward(
        batch.next_observations["achieved_goal"].numpy(),
        batch.next_observations["desired_goal"].numpy(),
        {},
    )
    rewards = batch.rewards.numpy()[:, 0]
    np.testing.assert_array_equal(rewards, anew)
    assert 0 < rewards.mean() < 1
    assert (batch.dones == 0).all()
