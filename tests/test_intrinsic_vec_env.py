"""IntrinsicVecEnv: the bonus paid at every step, for any SB3 algorithm."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecEnv,
    VecMonitor,
    VecNormalize,
)

from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv, pay
from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.protocols import Transitions


class Corridor(gym.Env):
    """Walks from 0 to 5 (the end, reward 1); one observation, the place."""

    def __init__(self) -> None:
        self.observation_space = spaces.Box(0, 9, (1,), np.float32)
        self.action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> Any:
        super().reset(seed=seed)
        self.place = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        self.place += 1
        obs = np.full(1, self.place, np.float32)
        return obs, float(self.place == 5), self.place == 5, False, {"act": int(action)}


class Place:
    """Pays 10 x place reached + the times it has learnt; keeps what it was given."""

    def __init__(self) -> None:
        self.learnt, self.setups, self.batches = 0, [], []

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        self.setups.append((observation_space, action_space, seed))

    def compute(self, batch: Transitions) -> np.ndarray:
        self.batches.append(batch)
        return (10 * batch.next_obs[..., 0] + self.learnt).astype(np.float32)

    def update(self, batch: Transitions) -> dict[str, float]:
        self.learnt += 1
        return {"learnt": float(self.learnt)}

    def state_dict(self) -> dict[str, Any]:
        return {"learnt": self.learnt}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.learnt = state["learnt"]


def corridor(lanes: int = 2) -> VecMonitor:
    return VecMonitor(DummyVecEnv([Corridor] * lanes))


def test_pays_for_the_true_last_observation_then_learns() -> None:
    reward = Place()
    venv = IntrinsicVecEnv(corridor(), reward, coef=0.5, seed=3, update_every=1)
    assert reward.setups == [(venv.observation_space, venv.action_space, 3)]
    venv.reset()
    for step in range(12):
        obs, rewards, dones, infos = venv.step(np.array([0, 1]))
        place = step % 5 + 1  # at an end 5, though the new observation is 0
        bonus = 10 * place + step  # one update after each payment
        assert [info["intrinsic_reward"] for info in infos] == [bonus] * 2
        np.testing.assert_array_equal(rewards, [0.5 * bonus + (place == 5)] * 2)
        assert rewards.dtype == np.float32
        assert venv.metrics == {"learnt": step + 1}
        assert dones.all() == (place == 5)
        assert np.all(obs == (0 if place == 5 else place))
        if place == 5:  # the monitor inside counts the extrinsic reward alone
            assert [info["episode"]["r"] for info in infos] == [1.0, 1.0]
    assert reward.batches[4].terminated.all()
    assert reward.batches[0].shape == (1, 2)
    np.testing.assert_array_equal(reward.batches[0].info["act"], [[0, 1]])


def test_extrinsic_off() -> None:
    venv = IntrinsicVecEnv(corridor(), Place(), extrinsic=False, update_every=1)
    venv.reset()
    rewards = [venv.step(np.zeros(2, int))[1][0] for _ in range(5)]
    assert rewards == [10, 21, 32, 43, 54]


def test_state_round_trip() -> None:
    first = IntrinsicVecEnv(corridor(), Place(), update_every=1)
    first.reset()
    for _ in range(3):
        first.step(np.zeros(2, int))
    second = IntrinsicVecEnv(corridor(), Place(), update_every=1)
    second.reset()
    second.load_state_dict(first.state_dict())
    assert second.step(np.zeros(2, int))[3][0]["intrinsic_reward"] == 10 + 3
    batch = second.reward.batches[-1]  # type: ignore[attr-defined]
    assert np.all(batch.obs == 3)  # goes on from where the first one stood


def test_inside_vec_normalize_the_sum_is_normalised() -> None:
    venv = VecNormalize(IntrinsicVecEnv(corridor(), Place(), update_every=1))
    venv.reset()
    for step in range(5):
        venv.step(np.zeros(2, int))
        total = 10 * (step + 1) + step + (step == 4)
        np.testing.assert_array_equal(venv.get_original_reward(), [total] * 2)


def test_outside_vec_normalize_the_bonus_is_added_unscaled() -> None:
    venv = IntrinsicVecEnv(VecNormalize(corridor()), Place())
    twin = VecNormalize(corridor())
    venv.reset()
    twin.reset()
    for _ in range(5):
        _, rewards, _, infos = venv.step(np.zeros(2, int))
        expected = twin.step(np.zeros(2, int))[1]
        bonus = np.array([info["intrinsic_reward"] for info in infos], np.float32)
        np.testing.assert_array_equal(rewards, expected + bonus)


def test_off_policy_stores_the_sum_and_vector_worlds_report_their_info() -> None:
    world = gym.vector.SyncVectorEnv(
        [Corridor] * 2, autoreset_mode=gym.vector.AutoresetMode.SAME_STEP
    )
    reward = Place()
    venv = IntrinsicVecEnv(VecMonitor(VectorEnvAdapter(world)), reward, update_every=1)
    model = DQN("MlpPolicy", venv, learning_starts=100, buffer_size=100, device="cpu")
    model.learn(20)
    assert model.replay_buffer is not None
    stored = model.replay_buffer.rewards[:10, 0]
    expected = [10 * (t % 5 + 1) + t + (t % 5 == 4) for t in range(10)]
    np.testing.assert_array_equal(stored, expected)
    assert "act" in reward.batches[-1].info


def test_trains_ppo() -> None:
    model = PPO("MlpPolicy", IntrinsicVecEnv(corridor(), Place()), n_steps=32)
    model.learn(64)
    assert model.ep_info_buffer is not None
    assert {info["r"] for info in model.ep_info_buffer} == {1.0}


def test_a_bad_bonus_is_named() -> None:
    class Flat(Place):
        def compute(self, batch: Transitions) -> np.ndarray:
            return np.zeros(batch.shape[1], np.float32)

    class Nan(Place):
        def compute(self, batch: Transitions) -> np.ndarray:
            return np.full(batch.shape, np.nan, np.float32)

    obs = np.zeros((1, 2, 1), np.float32)
    nothing, never = np.zeros((1, 2), np.float32), np.zeros((1, 2), bool)
    batch = Transitions(obs, nothing, nothing, obs, never, never)
    with pytest.raises(ValueError, match=r"Flat.compute returned shape \(2,\)"):
        pay(Flat(), batch)
    with pytest.raises(ValueError, match=r"lane 0, step 0: bonus of Nan is nan"):
        pay(Nan(), batch)


def test_a_reset_begins_new_episodes() -> None:
    class Episodes(Place):
        forgotten = 0

        def forget(self) -> None:
            self.forgotten += 1

    reward = Episodes()
    venv = IntrinsicVecEnv(corridor(), reward)
    venv.reset()
    for _ in range(12):  # two episodes end on the way; that is no reset
        venv.step(np.zeros(2, int))
    before = reward.forgotten
    venv.reset()
    assert reward.forgotten == before + 1 == 2


def test_without_a_reward_it_passes_the_world_on() -> None:
    venv = IntrinsicVecEnv(corridor(), None, coef=3.0)
    venv.reset()
    rewards = [venv.step(np.zeros(2, int))[1].tolist() for _ in range(10)]
    assert rewards == [[float(step % 5 == 4)] * 2 for step in range(10)]


@pytest.mark.parametrize("inside", [True, False])
def test_evaluation_under_vec_normalize(inside: bool) -> None:
    """EvalCallback copies the statistics, and sees the reward of the world alone."""

    def build(reward: Place | None) -> tuple[VecEnv, VecNormalize]:
        if inside:
            venv = normalized = VecNormalize(IntrinsicVecEnv(corridor(), reward))
        else:
            normalized = VecNormalize(corridor())
            venv = IntrinsicVecEnv(normalized, reward)
        return venv, normalized

    (train, known), (test, copied) = build(Place()), build(None)
    copied.training, copied.norm_reward = False, False
    callback = EvalCallback(test, n_eval_episodes=2, eval_freq=16, verbose=0)
    PPO("MlpPolicy", train, n_steps=16, batch_size=32).learn(32, callback)
    assert callback.last_mean_reward == 1  # one per episode, and no bonus
    assert isinstance(known.obs_rms, RunningMeanStd)
    assert isinstance(copied.obs_rms, RunningMeanStd)
    assert np.all(copied.obs_rms.mean > 0.5)  # it was 0 before
    np.testing.assert_array_equal(copied.obs_rms.mean, known.obs_rms.mean)
