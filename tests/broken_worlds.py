"""A world whose numbers go wrong in one lane at one step."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

NAME = "broken-numbers-v0"
EPISODE = 7


class Broken(gym.Env[Any, Any]):
    """Shows noise and pays by it; after `at` steps of the lane with `seed`, `value`.

    Args:
        field: What goes wrong: `obs`, `last` (the last observation of an episode),
            `first` (that of the next one), `reward` or nothing.
        seed: Seed of the lane.
        at: Which of its steps, counted from 0 over all its episodes.
        value: What is shown or paid then.
        continuous: Take a number in -1..1 instead of one of two actions.
    """

    def __init__(
        self,
        field: str = "",
        seed: int = -1,
        at: int = 0,
        value: float = np.nan,
        continuous: bool = False,
    ) -> None:
        self.observation_space = spaces.Box(-9.0, 9.0, (3,), np.float32)
        self.action_space = spaces.Discrete(2)
        if continuous:
            self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
        self.field, self.seed, self.at, self.value = field, seed, at, value
        self.mine, self.steps, self.age = False, 0, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        if seed is not None:
            self.mine = seed == self.seed
        self.age = 0
        obs = self._noise()
        if self.field == "first" and self.mine and self.steps == self.at + 1:
            obs[1] = self.value
        return obs, {}

    def step(self, action: Any) -> Any:
        obs, now = self._noise(), self.mine and self.steps == self.at
        if now and self.field in ("obs", "last"):
            obs[1] = self.value
        reward = self.value if now and self.field == "reward" else float(obs[0])
        self.steps, self.age = self.steps + 1, self.age + 1
        return obs, reward, self.age == EPISODE, False, {}

    def _noise(self) -> np.ndarray:
        return self.np_random.uniform(-1, 1, 3).astype(np.float32)


gym.register(NAME, entry_point=f"{__name__}:{Broken.__name__}")
