"""Records the transitions that pass through a Stable-Baselines3 `VecEnv`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from curiosity_rl.adapters.arrays import copy_obs, map_obs, stack_obs
from curiosity_rl.adapters.infos import (
    NOT_INFO,
    collect_infos,
    common_info,
    is_numeric,
)
from curiosity_rl.adapters.paying import check_first
from curiosity_rl.protocols import Transitions

__all__ = ["NOT_INFO", "TransitionRecorder", "collect_infos", "copy_obs", "is_numeric"]


class TransitionRecorder(VecEnvWrapper):
    """Lets everything pass and keeps the transitions until they are drained.

    It records what the algorithm outside of it sees: under `VecNormalize` the
    normalised observations and rewards. Rewards are copied, since SB3 changes them in
    place when it bootstraps a time limit.

    Attributes:
        obs: The lanes' present observations; None before the first reset.
        steps: Steps that went through it, which is how an error counts them.
    """

    def __init__(self, venv: VecEnv) -> None:
        super().__init__(venv)
        inner = venv
        while isinstance(inner, VecEnvWrapper):
            inner = inner.venv
        self._reporter: Any = inner if hasattr(inner, "transition_info") else None
        self.obs: Any = None
        self.steps = 0
        self.clear()

    def clear(self, obs: Any = None) -> None:
        """Forget the transitions recorded so far; the episodes go on.

        Args:
            obs: The lanes' present observations, where a run goes on from a checkpoint
                without a reset.
        """
        if obs is not None:
            self.obs = copy_obs(obs)
        self._steps: list[tuple[Any, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
        self._steps = []
        self._ends: list[tuple[int, int, Any]] = []
        self._infos: list[dict[str, np.ndarray]] = []

    def __len__(self) -> int:
        """Steps recorded since the last drain."""
        return len(self._steps)

    def reset(self) -> VecEnvObs:
        """Reset every lane and forget what was recorded.

        Raises:
            NotFinite: If an observation is not finite.
        """
        obs = self.venv.reset()
        self.clear(obs)
        check_first(self.obs, np.arange(self.num_envs), self.steps)
        return obs

    def step_async(self, actions: np.ndarray) -> None:
        """Keep a copy of the actions."""
        self._actions = np.array(actions)
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Record one step of every lane.

        Raises:
            ValueError: If a lane ended without `terminal_observation`.
            NotFinite: If the first observation of a lane's next episode is not finite.
        """
        obs, rewards, dones, infos = self.venv.step_wait()
        truncated = np.zeros(self.num_envs, bool)
        for lane in np.flatnonzero(dones):
            last = infos[lane].get("terminal_observation")
            if last is None:
                raise ValueError(
                    f"lane {lane} ended, but its info has no 'terminal_observation', "
                    "so its last transition cannot be known; use a VecEnv that keeps "
                    "to SB3's API"
                )
            self._ends.append((len(self._steps), int(lane), copy_obs(last)))
            truncated[lane] = infos[lane].get("TimeLimit.truncated", False)
        reported = self._reporter and self._reporter.transition_info
        self._infos.append(collect_infos(infos) if reported is None else reported)
        self._steps.append(
            (self.obs, self._actions, np.array(rewards), np.array(dones), truncated)
        )
        self.obs = copy_obs(obs)
        self.steps += 1
        if np.any(dones):
            check_first(self.obs, np.flatnonzero(dones), self.steps)
        return obs, rewards, dones, infos

    def drain(self) -> Transitions:
        """Return the transitions since the last drain, `(T, N, ...)`, and forget them.

        `info` holds the entries that were reported at every step, in one shape.

        Raises:
            ValueError: If nothing was recorded.
        """
        if not self._steps:
            raise ValueError("nothing was recorded since the last drain; step first")
        obs, action, reward, done, truncated = zip(*self._steps, strict=True)
        truncated = np.stack(truncated)
        path = stack_obs([*obs, self.obs])
        common = common_info(self._infos)
        batch = Transitions(
            obs=map_obs(lambda a: a[:-1], path),
            action=np.stack(action),
            reward=np.stack(reward),
            next_obs=_next(path, self._ends),
            terminated=np.stack(done) & ~truncated,
            truncated=truncated,
            info={key: np.stack(values) for key, values in common.items()},
        )
        self.clear()
        return batch


def _next(path: Any, ends: Sequence[tuple[int, int, Any]]) -> Any:
    """Observations shifted by one step, with the true last ones at the ends."""
    if isinstance(path, dict):
        return {
            key: _next(value, [(t, lane, last[key]) for t, lane, last in ends])
            for key, value in path.items()
        }
    if not ends:
        return path[1:]
    shifted = path[1:].copy()
    for step, lane, last in ends:
        shifted[step, lane] = last
    return shifted
