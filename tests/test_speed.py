"""The measure of training speed: idle lanes do nothing, and both sides train."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.speed import IdleLanes, plain_ppo, training_speed


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


@pytest.mark.parametrize("plain", [False, True])
def test_training_speed(plain: bool):
    if plain:
        config = plain_ppo("river-swim-v0", 64)
    else:
        settings = {"env": "river-swim-v0", "n_envs": 64, "progress": False}
        config = ExperimentConfig.load(**settings)
    rows = training_speed(config, rollouts=1, rounds=1)
    assert [row[0] for row in rows] == ["river-swim-v0", "a world that does nothing"]
    for _, speed, share in rows:
        assert speed > 0
        assert share > 0
