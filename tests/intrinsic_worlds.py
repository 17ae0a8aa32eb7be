"""A small world, a bonus and watchers for the tests of IntrinsicPPO."""

from __future__ import annotations

import re
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from curiosity_rl.agents.two_streams import TwoHeads
from curiosity_rl.protocols import Transitions

ACTIONS = {
    "discrete": spaces.Discrete(3),
    "box": spaces.Box(-1, 1, (2,), np.float32),
    "multidiscrete": spaces.MultiDiscrete([2, 3]),
    "multibinary": spaces.MultiBinary(2),
}


class Drift(gym.Env):
    """A clock that drifts, ends at random and is cut after 9 steps."""

    scale = 1.0  # of the extrinsic reward

    def __init__(self, action: str = "discrete", as_dict: bool = False) -> None:
        box = spaces.Box(-50, 50, (2,), np.float32)
        self.as_dict = as_dict
        both = spaces.Dict({"a": box, "clock": spaces.Discrete(20)})
        self.observation_space = both if as_dict else box
        self.action_space = ACTIONS[action]

    def _obs(self) -> Any:
        seen = np.array([self.t, self.place], np.float32)
        return {"a": seen, "clock": np.int64(self.t)} if self.as_dict else seen

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> Any:
        super().reset(seed=seed)
        self.t, self.place = 0, float(self.np_random.random())
        return self._obs(), {}

    def step(self, action: Any) -> Any:
        self.t += 1
        self.place += float(np.sum(action)) / 4
        ended = bool(self.np_random.random() < 0.1)
        return self._obs(), self.scale * self.place, ended, self.t >= 9, {}


class Bonus:
    """Pays a linear function of the next observation; keeps the batches."""

    def __init__(self, slope: float = 0.3) -> None:
        self.slope, self.calls, self.batches, self.paid = slope, [], [], []

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        self.calls.append(("setup", seed))

    def compute(self, batch: Transitions) -> np.ndarray:
        self.calls.append("compute")
        self.batches.append(batch)
        seen = (
            batch.next_obs["a"]
            if isinstance(batch.next_obs, dict)
            else (batch.next_obs)
        )
        self.paid.append((self.slope * seen.sum(-1)).astype(np.float32))
        return self.paid[-1]

    def update(self, batch: Transitions) -> dict[str, float]:
        self.calls.append("update")
        return {"loss": 2.5}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def world(lanes: int = 3, **kwargs: Any) -> VecMonitor:
    return VecMonitor(DummyVecEnv([lambda: Drift(**kwargs)] * lanes))


SETTINGS: dict[str, Any] = {
    "n_steps": 32,
    "batch_size": 48,
    "n_epochs": 2,
    "seed": 4,
    "device": "cpu",
    "policy_kwargs": {"net_arch": [8]},
}


def weights(model: PPO) -> list[th.Tensor]:
    return [value.clone() for value in model.policy.state_dict().values()]


class Keep(BaseCallback):
    """Keeps the buffer's arrays as a callback finds them at the end of a rollout."""

    def __init__(self) -> None:
        super().__init__()
        self.rollouts: list[dict[str, Any]] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        buffer = self.model.rollout_buffer  # type: ignore[attr-defined]
        names = ("rewards", "values", "advantages", "returns", "observations")
        kept = {name: getattr(buffer, name) for name in names}
        kept = {k: v if isinstance(v, dict) else v.copy() for k, v in kept.items()}
        kept["last_obs"] = self.model._last_obs  # type: ignore[attr-defined]
        if isinstance(self.model.policy, TwoHeads):
            kept["policy"] = {
                key: value.clone() for key, value in weights_of(self.model.policy)
            }
        self.rollouts.append(kept)


def weights_of(policy: Any) -> Any:
    return policy.state_dict().items()


def in_two_heads(name: str) -> str:
    return re.sub(r"^value_net\.", "value_net.extrinsic.", name)


class Tags(KVWriter):
    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def write(self, key_values: dict, key_excluded: dict, step: int = 0) -> None:
        self.rows.append(dict(key_values))

    def close(self) -> None:
        pass
