"""A small world, bonuses and watchers for the tests of door 3, and its algorithms."""

from __future__ import annotations

import re
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th
from gymnasium import spaces
from sb3_contrib import RecurrentPPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from curiosity_rl.agents.a2c import IntrinsicA2C
from curiosity_rl.agents.on_policy import IntrinsicOnPolicy
from curiosity_rl.agents.ppo import IntrinsicPPO
from curiosity_rl.agents.recurrent_ppo import IntrinsicRecurrentPPO
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


class Screen(gym.Env):
    """Pictures that are as bright as the clock; cut after 5 steps."""

    observation_space = spaces.Box(0, 255, (36, 36, 3), np.uint8)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> Any:
        self.t = 0
        return np.zeros((36, 36, 3), np.uint8), {}

    def step(self, action: Any) -> Any:
        self.t += 1
        obs = np.full((36, 36, 3), self.t, np.uint8)
        return obs, 0.0, False, self.t == 5, {}


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


OURS: dict[str, type[IntrinsicOnPolicy]] = {
    "ppo": IntrinsicPPO,
    "a2c": IntrinsicA2C,
    "recurrent-ppo": IntrinsicRecurrentPPO,
}
STOCK: dict[str, type[OnPolicyAlgorithm]] = {
    "ppo": PPO,
    "a2c": A2C,
    "recurrent-ppo": RecurrentPPO,
}


def policy_of(algo: str, kind: str = "Mlp") -> str:
    """The name of a policy: kind `Mlp`, `Cnn` or `MultiInput`."""
    return f"{kind}LstmPolicy" if algo == "recurrent-ppo" else f"{kind}Policy"


def settings_of(algo: str, **more: Any) -> dict[str, Any]:
    """`SETTINGS` as far as the algorithm has them; `policy_kwargs` are merged."""
    own = more.pop("policy_kwargs", {})
    settings = {**SETTINGS, **more}
    settings["policy_kwargs"] = {**SETTINGS["policy_kwargs"], **own}
    if algo == "a2c":
        settings = {
            k: v for k, v in settings.items() if k not in ("batch_size", "n_epochs")
        }
    if algo == "recurrent-ppo":
        settings["policy_kwargs"]["lstm_hidden_size"] = 6
    return settings


def build(algo: str, venv: Any = None, kind: str = "Mlp", **more: Any) -> Any:
    """One of our algorithms, on `Drift` unless another environment is given."""
    if venv is None:
        venv = world(as_dict=kind == "MultiInput")
    return OURS[algo](policy_of(algo, kind), venv, **settings_of(algo, **more))


def silence(model: Any) -> Any:
    """Let the intrinsic head predict 0 everywhere."""
    for parameter in model.policy.value_net.intrinsic.parameters():
        th.nn.init.zeros_(parameter)
    return model


def weights(model: Any) -> list[th.Tensor]:
    return [value.clone() for value in model.policy.state_dict().values()]


class Keep(BaseCallback):
    """Keeps the buffer's arrays as a callback finds them at the end of a rollout."""

    def __init__(self) -> None:
        super().__init__()
        self.rollouts: list[dict[str, Any]] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        model: Any = self.model
        buffer = model.rollout_buffer
        names = ("rewards", "values", "advantages", "returns", "observations")
        kept = {name: getattr(buffer, name) for name in names}
        kept = {k: v if isinstance(v, dict) else v.copy() for k, v in kept.items()}
        kept["last_obs"] = model._last_obs
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
