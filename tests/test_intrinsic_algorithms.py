"""Door 2 in every algorithm of SB3 and sb3-contrib; stock where the bonus weighs 0."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import sb3_contrib as contrib
import stable_baselines3 as sb3
import torch as th
from corridor import LENGTH, Corridor, EndBonus
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from intrinsic_worlds import Drift, Keep
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecEnv,
    VecMonitor,
    VecNormalize,
)

from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.adapters.wrappers import IntrinsicVectorWrapper, IntrinsicWrapper
from curiosity_rl.protocols import IntrinsicReward, Transitions
from curiosity_rl.rewards import make_reward

SMALL: dict[str, Any] = {"device": "cpu", "seed": 4, "verbose": 0}
NET: dict[str, Any] = {"policy_kwargs": {"net_arch": [8]}}
ON: dict[str, Any] = {"n_steps": 16, **NET}
OFF: dict[str, Any] = {"learning_starts": 8, "batch_size": 8, "buffer_size": 64, **NET}
PPO: dict[str, Any] = {"batch_size": 8, "n_epochs": 1, **ON}
QUANTILES: dict[str, Any] = {"policy_kwargs": {"net_arch": [8], "n_quantiles": 5}}
LSTM: dict[str, Any] = {"policy_kwargs": {"net_arch": [8], "lstm_hidden_size": 8}}

ALGORITHMS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "PPO": (sb3.PPO, "MlpPolicy", PPO),
    "A2C": (sb3.A2C, "MlpPolicy", ON),
    "DQN": (sb3.DQN, "MlpPolicy", OFF),
    "SAC": (sb3.SAC, "MlpPolicy", OFF),
    "TD3": (sb3.TD3, "MlpPolicy", OFF),
    "DDPG": (sb3.DDPG, "MlpPolicy", OFF),
    "TRPO": (contrib.TRPO, "MlpPolicy", {"batch_size": 8, **ON}),
    "RecurrentPPO": (contrib.RecurrentPPO, "MlpLstmPolicy", {**PPO, **LSTM}),
    "MaskablePPO": (contrib.MaskablePPO, "MlpPolicy", PPO),
    "QRDQN": (contrib.QRDQN, "MlpPolicy", {**OFF, **QUANTILES}),
    "TQC": (contrib.TQC, "MlpPolicy", {**OFF, **QUANTILES}),
}
CONTINUOUS = ("SAC", "TD3", "DDPG", "TQC")


class Stairs:
    """Pays more with every step that it is asked for; learns nothing."""

    def __init__(self) -> None:
        self.paid: list[np.ndarray] = []
        self.batches: list[Transitions] = []

    def compute(self, batch: Transitions) -> np.ndarray:
        bonus = np.full(batch.shape, 1 + len(self.paid), np.float32)
        bonus += np.arange(batch.shape[1], dtype=np.float32) / 8  # exact
        self.paid.append(bonus[0])
        self.batches.append(batch)
        return bonus

    def update(self, batch: Transitions) -> dict[str, float]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class Masked(Corridor):
    """A corridor in which standing still is never allowed."""

    def action_masks(self) -> np.ndarray:
        return np.array([False, True])


def lanes(continuous: bool = False, n: int = 2) -> VecEnv:
    return VecMonitor(DummyVecEnv([lambda: Masked(continuous=continuous)] * n))


def stored(model: Any) -> np.ndarray:
    """Return the rewards of the last rollout, or of the replay buffer."""
    if isinstance(model, OffPolicyAlgorithm):
        assert model.replay_buffer is not None
        return model.replay_buffer.rewards[: model.replay_buffer.pos]
    return model.rollout_buffer.rewards


def build(name: str, env: Any, **kwargs: Any) -> Any:
    algorithm, policy, settings = ALGORITHMS[name]
    settings = copy.deepcopy({**settings, **SMALL, **kwargs})  # SB3 writes into them
    return algorithm(policy, env, **settings)


def weights(model: BaseAlgorithm) -> dict[str, th.Tensor]:
    return {key: value.clone() for key, value in model.policy.state_dict().items()}


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_every_algorithm_trains_on_the_bonus(name: str) -> None:
    reward = Stairs()
    env = IntrinsicVecEnv(lanes(name in CONTINUOUS), reward, coef=0.5)
    model = build(name, env)
    before = weights(model)
    model.learn(32)
    assert len(reward.paid) == 16
    # The world's reward is 0, so the bonus is all there is.
    np.testing.assert_array_equal(stored(model), 0.5 * np.stack(reward.paid))
    after = weights(model)
    assert any(not th.equal(before[key], after[key]) for key in before)
    assert all(bool(value.isfinite().all()) for value in after.values())
    if name == "MaskablePPO":  # the masks came through
        assert all(np.all(batch.action == 1) for batch in reward.batches)
        assert model.ep_info_buffer
    assert all(info["r"] == 0 for info in model.ep_info_buffer)  # monitors: extrinsic


@pytest.mark.parametrize("name", ["PPO", "A2C", "DQN", "SAC"])
def test_without_weight_it_is_stock(name: str) -> None:
    def world() -> VecEnv:
        action = "box" if name in CONTINUOUS else "discrete"
        return VecMonitor(DummyVecEnv([lambda: Drift(action)] * 2))

    learnt = []
    for env in (world(), IntrinsicVecEnv(world(), make_reward("rnd"), coef=0)):
        model = build(name, env)
        model.learn(96)
        learnt.append(weights(model))
    weighed = build(name, IntrinsicVecEnv(world(), make_reward("rnd", scale=False)))
    weighed.learn(96)
    stock, ours = learnt
    assert all(th.equal(stock[key], ours[key]) for key in stock)
    other = weights(weighed)
    assert any(not th.equal(stock[key], other[key]) for key in stock)


@pytest.mark.parametrize("door", ["wrapper", "vector wrapper", "VecEnv", "recipe"])
def test_bonus_at_the_end_reaches_the_start(door: str) -> None:
    """With a critic of 0 the advantage is `(gamma * lambda)^k`, k steps to the end.

    The recipe that adds the bonus to the advantages after they were computed gives the
    start nothing.
    """
    reward = EndBonus()
    if door == "wrapper":
        env: Any = IntrinsicWrapper(Monitor(Corridor()), reward)
    elif door == "vector wrapper":
        world = SyncVectorEnv([Corridor], autoreset_mode=AutoresetMode.SAME_STEP)
        env = VectorEnvAdapter(IntrinsicVectorWrapper(world, reward))
    elif door == "VecEnv":
        env = IntrinsicVecEnv(VecMonitor(DummyVecEnv([Corridor])), reward)
    else:
        env = DummyVecEnv([Corridor])
    model = build("PPO", env, n_steps=128, batch_size=128)
    th.nn.init.zeros_(model.policy.value_net.weight)
    keep = Keep()
    model.learn(128, callback=keep)
    rollout = keep.rollouts[0]
    place = rollout["observations"][:, 0, 0]
    moved_on = np.diff(place)
    ends = np.flatnonzero(moved_on < 0)  # the step after which it is back at the start
    assert len(ends) >= 3
    advantages = rollout["advantages"][:, 0]
    if door == "recipe":
        advantages[ends] += 1
    else:
        assert rollout["rewards"].sum() >= len(ends)
    start = 0
    for end in ends:
        to_end = end - np.arange(start, end + 1)
        expected = (0.99 * 0.95) ** to_end
        assert place[start] == 0
        assert to_end[0] >= LENGTH - 1
        if door == "recipe":
            assert advantages[start] == 0
        else:
            assert advantages[start] > 0
            np.testing.assert_allclose(advantages[start : end + 1], expected, rtol=1e-5)
        start = end + 1


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_inside_vec_normalize_everything_works(name: str) -> None:
    reward = Stairs()
    world = lanes(name in CONTINUOUS)
    env = VecNormalize(IntrinsicVecEnv(world, reward), clip_reward=1000)
    model = build(name, env)
    model.learn(32)
    paid = np.stack(reward.paid)
    if isinstance(model, OffPolicyAlgorithm):  # they store what is not normalised yet
        np.testing.assert_array_equal(stored(model), paid)
    else:
        assert stored(model).min() > 0
        assert np.all(np.diff(env.get_original_reward()) == 1 / 8)


@pytest.mark.parametrize("name", ["DQN", "QRDQN", "SAC", "TD3", "DDPG", "TQC"])
@pytest.mark.parametrize("norm_reward", [True, False])
def test_outside_vec_normalize_off_policy_is_refused(
    name: str, norm_reward: bool
) -> None:
    normalized = VecNormalize(lanes(name in CONTINUOUS), norm_reward=norm_reward)
    model = build(name, IntrinsicVecEnv(normalized, Stairs()))
    before = weights(model)
    with pytest.raises(ValueError, match=r"Build VecNormalize\(IntrinsicVecEnv\(venv"):
        model.learn(32)
    assert model.replay_buffer.pos == 0
    after = weights(model)
    assert all(th.equal(before[key], after[key]) for key in before)
    # An algorithm that meets the environment later is refused as well.
    model = build(name, lanes(name in CONTINUOUS))
    model.set_env(IntrinsicVecEnv(normalized, Stairs(), coef=0, extrinsic=False))
    with pytest.raises(ValueError, match="the bonus would be lost"):
        model.learn(32)


def test_outside_vec_normalize_on_policy_gets_the_bonus_unscaled() -> None:
    reward = Stairs()
    model = build("PPO", IntrinsicVecEnv(VecNormalize(lanes()), reward))
    model.learn(32)
    np.testing.assert_array_equal(stored(model), np.stack(reward.paid))


def test_without_weight_nothing_is_lost_and_nothing_is_refused() -> None:
    model = build("DQN", IntrinsicVecEnv(VecNormalize(lanes()), Stairs(), coef=0))
    model.learn(32)
    np.testing.assert_array_equal(stored(model), np.zeros((16, 2)))


def test_the_refusal_is_not_saved_with_the_statistics() -> None:
    normalized = VecNormalize(lanes())
    IntrinsicVecEnv(normalized, Stairs())
    for _ in range(2):  # what was loaded can be saved again
        normalized = pickle.loads(pickle.dumps(normalized))
        normalized.set_venv(IntrinsicVecEnv(lanes(), Stairs()))
        normalized.reset()
        normalized.step(np.ones(2, int))
        np.testing.assert_array_equal(normalized.get_original_reward(), [1, 1.125])


class Goals(gym.Env):
    """Shows a clock; the goal is a time."""

    action_space = spaces.Discrete(2)
    observation_space = spaces.Dict(
        {
            key: spaces.Box(0, 9, (1,), np.float32)
            for key in ("observation", "achieved_goal", "desired_goal")
        }
    )

    def _obs(self) -> dict[str, np.ndarray]:
        now = np.full(1, self.t, np.float32)
        goal = np.full(1, 6, np.float32)
        return {"observation": now, "achieved_goal": now, "desired_goal": goal}

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> Any:
        super().reset(seed=seed)
        self.t = 0
        return self._obs(), {}

    def step(self, action: Any) -> Any:
        self.t += 1
        return self._obs(), float(self.t == 6) - 1, False, self.t == 4, {}

    def compute_reward(self, achieved: Any, desired: Any, info: Any) -> Any:
        return (achieved == desired)[..., 0].astype(np.float32) - 1


@pytest.mark.parametrize("door", ["wrapper", "VecEnv", "normalized"])
@pytest.mark.parametrize("weight", [1.0, 0.0])
def test_hindsight_replay_cannot_lose_the_bonus(door: str, weight: float) -> None:
    if door == "wrapper":
        env: Any = IntrinsicWrapper(Monitor(Goals()), Stairs(), coef=weight)
    else:
        lane = DummyVecEnv([lambda: Monitor(Goals())])
        env = IntrinsicVecEnv(lane, Stairs(), coef=weight)
        env = VecNormalize(env) if door == "normalized" else env
    algorithm, _, settings = ALGORITHMS["DQN"]
    settings = copy.deepcopy({**settings, **SMALL})
    model = algorithm(
        "MultiInputPolicy", env, replay_buffer_class=sb3.HerReplayBuffer, **settings
    )
    if weight:
        with pytest.raises(ValueError, match=r"hindsight replay \(HER\) would lose it"):
            model.learn(32)
    else:
        model.learn(32)


class Ones(Corridor):
    """A corridor whose every step is worth 7."""

    def step(self, action: Any) -> Any:
        obs, _, *rest = super().step(action)
        return obs, 7.0, *rest


def test_fine_tuning_goes_on_from_reward_free_pretraining() -> None:
    def door(reward: IntrinsicReward, extrinsic: bool) -> IntrinsicVecEnv:
        env = VecMonitor(DummyVecEnv([lambda: Ones(observation="discrete")] * 2))
        return IntrinsicVecEnv(env, reward, extrinsic=extrinsic, update_every=8)

    free = door(make_reward("count", scale=False), extrinsic=False)
    model = build("PPO", free)
    model.learn(128)
    assert 0 < stored(model).max() < 1  # no reward of the world
    assert all(info["r"] == 7 * info["l"] for info in model.ep_info_buffer)
    pretrained = weights(model)

    tuned = door(make_reward("count", scale=False), extrinsic=True)
    model.set_env(tuned)
    tuned.reset()
    tuned.load_state_dict({**free.state_dict(), "obs": tuned.recorder.obs})
    paid = tuned.step(np.ones(2, int))[3][0]["intrinsic_reward"]
    fresh = door(make_reward("count", scale=False), extrinsic=True)
    fresh.reset()
    assert fresh.step(np.ones(2, int))[3][0]["intrinsic_reward"] == 1
    assert paid < 0.5  # it knows the corridor already
    assert all(th.equal(pretrained[k], v) for k, v in weights(model).items())
    model.learn(32, reset_num_timesteps=False)
    assert 7 < stored(model).min() <= stored(model).max() < 8
    # One door whose switch is turned does the same.
    free.extrinsic = True
    model.set_env(free)
    model.learn(32, reset_num_timesteps=False)
    assert stored(model).min() > 7


class Rotten(gym.Env):
    """Shows a NaN in its twentieth step."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)
    t = 0

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> Any:
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> Any:
        self.t += 1
        obs = np.full(2, np.nan if self.t == 20 else 0, np.float32)
        return obs, 0.0, False, False, {}


def test_no_weight_changes_by_what_is_not_finite() -> None:
    reward: Any = make_reward("rnd", scale=False)
    env = IntrinsicVecEnv(DummyVecEnv([Rotten]), reward, update_every=16)
    model = build("PPO", env, n_steps=32)
    before = weights(model)
    with pytest.raises(ValueError, match=r"lane 0, step 19: next_obs\[0\] is nan"):
        model.learn(64)
    after = weights(model)
    assert all(th.equal(before[key], after[key]) for key in before)
    known = [v for v in _leaves(reward.state_dict()) if isinstance(v, th.Tensor)]
    assert known
    assert all(bool(value.isfinite().all()) for value in known)


def _leaves(state: Any) -> list[Any]:
    if isinstance(state, dict):
        return [leaf for value in state.values() for leaf in _leaves(value)]
    if isinstance(state, list | tuple):
        return [leaf for value in state for leaf in _leaves(value)]
    return [state]
