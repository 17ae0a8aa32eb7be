"""River swim: the table of transitions, and the optimum by dynamic programming."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from scipy import stats

import curiosity_rl  # noqa: F401  registers the world

HORIZON, SIZE = 200, 6


def model() -> tuple[np.ndarray, np.ndarray]:
    """Transitions `(2, S, S)` and rewards `(2, S)` as published, written anew."""
    p = np.zeros((2, SIZE, SIZE))
    r = np.zeros((2, SIZE))
    r[0, 0], r[1, SIZE - 1] = 0.005, 1.0
    for s in range(SIZE):
        p[0, s, max(s - 1, 0)] = 1.0
    for s in range(1, SIZE - 1):
        p[1, s, [s - 1, s, s + 1]] = 0.05, 0.60, 0.35
    p[1, 0, [0, 1]] = 0.4, 0.6
    p[1, SIZE - 1, [SIZE - 2, SIZE - 1]] = 0.4, 0.6
    return p, r


def optimum() -> tuple[float, np.ndarray]:
    """Value of the start and the best action, `(T, S)`, by backward induction."""
    p, r = model()
    value = np.zeros(SIZE)
    policy = np.zeros((HORIZON, SIZE), dtype=np.int64)
    for t in reversed(range(HORIZON)):
        q = r + p @ value
        policy[t], value = q.argmax(0), q.max(0)
    return float(value[0]), policy


def test_transitions_follow_the_table():
    p, r = model()
    lanes, steps = 500, 400
    env = gym.make_vec("river-swim-v0", lanes, max_episode_steps=10_000)
    obs, _ = env.reset(seed=11)
    rng = np.random.default_rng(5)
    seen = np.zeros((2, SIZE, SIZE))
    for _ in range(steps):
        action = np.where(rng.random(lanes) < 0.75, 1, 0)
        before = obs.argmax(1)
        obs, reward, terminated, _, _ = env.step(action)
        np.testing.assert_array_equal(reward, r[action, before])
        assert not terminated.any()
        np.add.at(seen, (action, before, obs.argmax(1)), 1)
    assert not seen[p == 0].any()
    for a, s in np.ndindex(2, SIZE):
        expected = p[a, s][p[a, s] > 0] * seen[a, s].sum()
        assert expected.min() > 30
        if len(expected) > 1:
            found = seen[a, s][p[a, s] > 0]
            assert stats.chisquare(found, expected).pvalue > 1e-4


def test_optimum_is_reached():
    value, policy = optimum()
    lanes = 4_000
    env = gym.make_vec("river-swim-v0", lanes)
    obs, _ = env.reset(seed=3)
    total = np.zeros(lanes)
    for t in range(HORIZON):
        obs, reward, _, truncated, _ = env.step(policy[t, obs.argmax(1)])
        total += reward
        assert truncated.all() == (t == HORIZON - 1)
    error = total.std() / np.sqrt(lanes)
    assert abs(total.mean() - value) < 3.5 * error
    assert value > 50  # swimming right pays; idling on the bank earns at most 1


@pytest.mark.parametrize("size", [1, 0, -3, 2.5, "6", 10**6])
def test_refuses_other_sizes(size):
    with pytest.raises(ValueError, match="from 2 to 1000"):
        gym.make("river-swim-v0", size=size)
