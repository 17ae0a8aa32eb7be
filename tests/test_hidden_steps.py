"""No way into an agent steps the user's world by itself, or resets it."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.vec_env import DummyVecEnv

from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.replay import RelabelledReplayBuffer
from curiosity_rl.adapters.wrappers import IntrinsicWrapper
from curiosity_rl.agents.ppo import IntrinsicPPO
from curiosity_rl.rewards import make_reward

STEPS, LANES = 64, 2
SETTINGS: dict[str, Any] = {"n_steps": 16, "batch_size": 16, "device": "cpu"}
LEARNING: dict[str, Any] = {"hidden": 8, "batch_size": 16}


class Counted(gym.Env):
    """Five steps to an episode; counts what is done to it."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self) -> None:
        self.steps, self.resets, self.age = 0, 0, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.resets, self.age = self.resets + 1, 0
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> Any:
        self.steps, self.age = self.steps + 1, self.age + 1
        seen = self.np_random.random(2).astype(np.float32)
        return seen, 0.0, self.age == 5, False, {}


def learn(door: str, worlds: list[Counted]) -> None:
    reward = make_reward("rnd", **LEARNING)
    if door == "gymnasium":
        parts = [IntrinsicWrapper(w, make_reward("rnd", **LEARNING)) for w in worlds]
        PPO("MlpPolicy", DummyVecEnv([lambda p=p: p for p in parts]), **SETTINGS).learn(
            STEPS
        )
        return
    venv = DummyVecEnv([lambda w=w: w for w in worlds])
    if door == "wrapper":
        PPO("MlpPolicy", IntrinsicVecEnv(venv, reward), **SETTINGS).learn(STEPS)
    elif door == "two heads":
        IntrinsicPPO("MlpPolicy", venv, intrinsic=reward, **SETTINGS).learn(STEPS)
    else:
        DQN(
            "MlpPolicy",
            venv,
            learning_starts=10,
            buffer_size=100,
            replay_buffer_class=RelabelledReplayBuffer,
            replay_buffer_kwargs={"intrinsic": reward},
            device="cpu",
        ).learn(STEPS)


@pytest.mark.parametrize("door", ["gymnasium", "wrapper", "two heads", "replay"])
def test_the_world_is_stepped_by_the_agent_alone(door: str) -> None:
    worlds = [Counted() for _ in range(LANES)]
    learn(door, worlds)
    for world in worlds:
        assert world.steps == STEPS // LANES
        assert world.resets == 1 + world.steps // 5
