"""What `get_env` gives at door 3: the user's environment, and nothing around it."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from intrinsic_worlds import OURS, Bonus, Screen, build, world
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecNormalize,
    VecTransposeImage,
)


@pytest.mark.parametrize("algo", OURS)
def test_evaluation_under_vec_normalize(algo: str) -> None:
    """EvalCallback copies the statistics to the wrappers of the stock algorithm."""
    train = VecNormalize(world())
    test = VecNormalize(world(1), training=False, norm_reward=False)
    callback = EvalCallback(test, n_eval_episodes=2, eval_freq=32, verbose=0)
    bonus = Bonus(slope=1000)
    model = build(algo, train, intrinsic=bonus)
    model.learn(96, callback)
    assert isinstance(train.obs_rms, RunningMeanStd)
    assert isinstance(test.obs_rms, RunningMeanStd)
    assert np.all(test.obs_rms.mean != 0)  # it was 0 before
    np.testing.assert_array_equal(test.obs_rms.mean, train.obs_rms.mean)
    assert 0 < callback.last_mean_reward < 50  # no bonus


def test_evaluation_on_the_training_lanes_is_not_recorded() -> None:
    """It resets them below the model, as in the stock algorithm."""
    bonus = Bonus()
    model = build("ppo", intrinsic=bonus)
    env: Any = model.get_env()
    model.learn(96, EvalCallback(env, n_eval_episodes=3, eval_freq=10, verbose=0))
    assert [batch.shape for batch in bonus.batches] == [(32, 3)]


def test_stepping_the_environment_by_hand_keeps_nothing() -> None:
    venv = VecTransposeImage(DummyVecEnv([Screen]))
    bonus: Any = Bonus()
    bonus.compute = lambda batch: np.zeros(batch.shape, np.float32)
    model = build("ppo", venv, "Cnn", n_steps=8, batch_size=8, intrinsic=bonus)
    model.learn(8)
    env: Any = model.get_env()
    assert env is venv
    env.reset()
    still = np.zeros(1, int)
    env.step(still)
    tracemalloc.start()
    try:
        for _ in range(300):
            env.step(still)
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 100 * 36 * 36 * 3  # of 300 pictures


def test_another_environment() -> None:
    bonus, other = Bonus(), world()
    model = build("ppo", intrinsic=bonus).learn(96)
    model.set_env(other)
    assert model.get_env() is other
    model.learn(96, reset_num_timesteps=False)
    np.testing.assert_array_equal(bonus.batches[1].obs[0, :, 0], [0, 0, 0])
