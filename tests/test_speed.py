"""The measure of training speed: idle lanes do nothing, and both sides train."""

from __future__ import annotations

import gymnasium as gym
import numpy as np

from curiosity_rl.agents.speed import IdleLanes, training_speed


def test_idle_lanes_do_nothing():
    lanes = IdleLanes(gym.make_vec("tutor-v0", 3))
    first, _ = lanes.reset()
    one = lanes.step(np.zeros(3, int))
    other = lanes.step(np.full(3, 5))
    assert lanes.layout is not None
    assert first.shape == one[0].shape == (3, lanes.layout.size)
    assert one is other
    assert not one[2].any()
    assert not one[3].any()


def test_training_speed():
    rows = training_speed("tutor-v0", n_envs=64, rollouts=1, rounds=1)
    assert [row[0] for row in rows] == ["tutor-v0", "a world that does nothing"]
    for _, speed, share in rows:
        assert speed > 0
        assert share > 0
