"""When training has gone on for long enough: finished episodes, a level to reach."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper
from stable_baselines3.common.callbacks import BaseCallback

from curiosity_rl.agents.evaluation import succeeded


class EpisodeLog(VectorWrapper[Any, Any, Any, Any, Any]):
    """Lanes that remember how their last finished episodes went.

    It stands between the world and everything that learns: rewards are extrinsic.

    Args:
        env: Lanes that begin anew in the step that ends an episode.
        window: How many episodes to remember.

    Attributes:
        count: Finished episodes; those that are reset half-way do not count.
    """

    def __init__(self, env: VectorEnv, window: int) -> None:
        super().__init__(env)
        self.count = 0
        self._returns: deque[float] = deque(maxlen=window)
        self._successes: deque[bool] = deque(maxlen=window)
        self._sums = np.zeros(env.num_envs)

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin new episodes, in all lanes or in those of `options["reset_mask"]`."""
        mask = (options or {}).get("reset_mask")
        self._sums[slice(None) if mask is None else np.asarray(mask)] = 0.0
        return self.env.reset(seed=seed, options=options)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step all lanes and note the episodes that end, in the order of the lanes."""
        obs, reward, terminated, truncated, info = self.env.step(actions)
        self._sums += reward
        ended = np.flatnonzero(terminated | truncated)
        if ended.size:
            self.count += ended.size
            self._returns.extend(self._sums[ended].tolist())
            success = succeeded(reward, terminated, info)
            self._successes.extend(success[ended].tolist())
            self._sums[ended] = 0.0
        return obs, reward, terminated, truncated, info

    def average(self, kind: str) -> float:
        """Return the mean return or success; not a number before `window` episodes."""
        values = self._returns if kind == "return" else self._successes
        return float(np.mean(values)) if len(values) == values.maxlen else math.nan

    def recent(self, kind: str) -> float:
        """Return the same over the episodes there are; 0 before the first has ended."""
        values = self._returns if kind == "return" else self._successes
        return float(np.mean(values)) if values else 0.0

    def forget(self) -> None:
        """Forget all finished episodes."""
        self.count = 0
        self._returns.clear()
        self._successes.clear()


class StopWhenSolved(BaseCallback):
    """Ends training after the rollout that brings the average to the level.

    Args:
        log: The lanes that are trained on.
        kind: `return` or `success`.
        level: Mean to reach.
        steps: Steps of a rollout.
    """

    def __init__(self, log: EpisodeLog, kind: str, level: float, steps: int) -> None:
        super().__init__()
        self.log, self.kind, self.level, self.steps = log, kind, level, steps
        self.solved = False

    def _on_step(self) -> bool:
        if self.n_calls % self.steps == 0:
            self.solved = self.log.average(self.kind) >= self.level
        return not self.solved
