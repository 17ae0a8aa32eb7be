"""Where in an algorithm the numbers stand that are logged."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import (
    VecEnv,
    VecEnvWrapper,
    VecMonitor,
    VecNormalize,
)

from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.paying import Payer
from curiosity_rl.adapters.replay import RelabelledReplay
from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.adapters.visited import cells_of


class Sources:
    """What can be read of an algorithm, its environment and its bonus.

    Args:
        model: The algorithm.
        most_cells: Largest coverage table to count.

    Attributes:
        adapter: The adapter of a Gymnasium vector environment; None if there is none.
        world: What tells the cells that are visited; None where the world does not.
        landmarks: The vector environment, where it names landmarks; else None.
        door: What adds a bonus to a foreign algorithm's rewards; None if nothing does.
            An algorithm with a bonus of its own logs it itself.
    """

    def __init__(self, model: BaseAlgorithm, most_cells: int) -> None:
        assert model.env is not None
        self._model, self._venv = model, model.env
        self._monitored = False
        self._reward_of: Callable[[], np.ndarray] | None = None
        self.door: IntrinsicVecEnv | RelabelledReplay | None = None
        inner = self._unwrap(model.env)
        buffer = getattr(model, "replay_buffer", None)
        if isinstance(buffer, RelabelledReplay):
            self.door = buffer
        self.adapter = inner if isinstance(inner, VectorEnvAdapter) else None
        found: Any = None if self.adapter is None else self.adapter.venv.unwrapped
        world: Any = None if self.adapter is None else cells_of(self.adapter.venv)
        counted = world is not None and np.prod(world.coverage_shape) <= most_cells
        self.world: Any = world if counted else None
        named = getattr(found, "landmarks", ())
        self.landmarks: Any = found if named else None
        self._tutor = getattr(found, "layout", None) is not None

    def _unwrap(self, venv: Any) -> VecEnv:
        """Look through the wrappers, from the outermost one."""
        while isinstance(venv, VecEnvWrapper):
            if isinstance(venv, IntrinsicVecEnv):
                self.door = venv
                self._reward_of = partial(_last_rewards, venv.payer)
            elif isinstance(venv, VecNormalize):
                self._reward_of = partial(_unscaled_rewards, venv)
            self._monitored |= isinstance(venv, VecMonitor)
            venv = venv.venv
        if not isinstance(venv, VectorEnvAdapter):
            self._monitored |= all(venv.env_is_wrapped(Monitor))
        return venv

    @property
    def payer(self) -> Payer | None:
        """Who pays the bonus of `door`."""
        return None if self.door is None else self.door.payer

    def visited(self, dones: np.ndarray) -> np.ndarray:
        """Return the cell that the last step of each lane led to; -1: nobody knows."""
        if hasattr(self.world, "visited"):
            return self.world.visited()
        # A lane that has just ended already shows the start of its next episode.
        return np.where(dones, -1, self.world.coverage())

    def rewards(self, seen: np.ndarray) -> np.ndarray:
        """Return the rewards of the world in the last step, `(N,)`.

        Args:
            seen: Those that the algorithm was given.
        """
        return seen if self._reward_of is None else self._reward_of()

    @property
    def world_seconds(self) -> Callable[[], float] | None:
        """Tells the time spent in the world; None if nobody knows."""
        adapter = self.adapter
        return None if adapter is None else lambda: adapter.seconds

    def bonus_seconds(self) -> float:
        """Return the time spent on the bonus so far."""
        if self.door is not None:
            return self.door.payer.seconds
        return float(getattr(self._model, "bonus_seconds", 0.0))

    def tags(self) -> set[str]:
        """Return tags that this run will have, besides those of its first report."""
        tags = {"rollout/success_rate"}
        if self._monitored:
            tags |= {"rollout/ep_rew_mean", "rollout/ep_len_mean"}
        if hasattr(self._model, "gae_lambda"):
            tags.add("train/explained_variance")
        if self._tutor:
            tags |= {f"tutor/{n}" for n in ("pass_rate", "goals_known", "skills_known")}
        if self.landmarks is not None:
            tags |= {f"landmark/{name}" for name in self.landmarks.landmarks}
        return tags

    def settings(self) -> dict[str, Any]:
        """Return what the algorithm tells of its settings."""
        model = self._model
        rate = model.learning_rate
        return {
            "algo": type(model).__name__,
            "n_envs": model.n_envs,
            "seed": model.seed if model.seed is not None else "none",
            "learning_rate": "schedule" if callable(rate) else rate,
            "gamma": getattr(model, "gamma", "none"),
        }


def _last_rewards(payer: Payer) -> np.ndarray:
    assert payer.paid is not None
    return payer.paid[1][-1]


def _unscaled_rewards(scaler: VecNormalize) -> np.ndarray:
    return scaler.old_reward
