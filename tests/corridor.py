"""A corridor without a reward, and a bonus only at its end: does the bonus travel?"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from curiosity_rl.protocols import Transitions

LENGTH = 8


class Corridor(gym.Env):
    """Places 0 to `length`; the last one ends the episode; the reward is always 0.

    Action 1 (or a Box action above 0) goes one place on, any other one stays. It draws
    no random numbers. Observations: `"box"` the place divided by the length, in 0..1,
    shape (1,); `"onehot"` shape (length + 1,); `"discrete"` the place.
    """

    def __init__(
        self,
        length: int = LENGTH,
        observation: str = "box",
        continuous: bool = False,
        limit: int | None = None,
    ) -> None:
        self.length, self.observation, self.limit = length, observation, limit
        self.observation_space = {
            "box": spaces.Box(0, 1, (1,), np.float32),
            "onehot": spaces.Box(0, 1, (length + 1,), np.float32),
            "discrete": spaces.Discrete(length + 1),
        }[observation]
        box = spaces.Box(-1, 1, (1,), np.float32)
        self.action_space = box if continuous else spaces.Discrete(2)
        self.place = self.age = 0

    def _obs(self) -> Any:
        if self.observation == "discrete":
            return np.int64(self.place)
        if self.observation == "onehot":
            return np.eye(self.length + 1, dtype=np.float32)[self.place]
        return np.full(1, self.place / self.length, np.float32)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> Any:
        super().reset(seed=seed)
        self.place = self.age = 0
        return self._obs(), {}

    def step(self, action: Any) -> Any:
        self.age += 1
        self.place += int(np.ravel(action)[0] > 0)
        ended = self.place >= self.length
        late = self.limit is not None and self.age >= self.limit
        return self._obs(), 0.0, ended, late and not ended, {}


class EndBonus:
    """Pays `amount` for reaching the corridor's end, else nothing; learns nothing.

    A function of the true next observation alone: with the first observation of the
    next episode in its place it would never pay.
    """

    scaled_by_default = False
    per_transition = True

    def __init__(self, amount: float = 1.0, length: int = LENGTH) -> None:
        self.amount, self.length = amount, length
        self.updates = 0

    def compute(self, batch: Transitions) -> np.ndarray:
        seen = np.asarray(batch.next_obs)
        # The last feature is 1 at the end, both in "box" and in "onehot".
        at_end = seen == self.length if seen.ndim == 2 else seen[..., -1] == 1
        return (self.amount * at_end).astype(np.float32)

    def score(self, batch: Transitions) -> np.ndarray:
        return self.compute(batch)

    def update(self, batch: Transitions) -> dict[str, float]:
        self.updates += 1
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {"amount": self.amount, "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.amount, self.updates = state["amount"], state["updates"]
