"""What is explored in training: cells, things moved, regions, a noisy television."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper

from curiosity_rl.adapters.infos import merge_info
from curiosity_rl.agents.evaluation import succeeded


class Visits(VectorWrapper[Any, Any, Any, Any, Any]):
    """Lanes that pay nothing and note every step.

    It stands between the world and everything that learns: no reward comes through,
    whatever the bonus. In the step that ends an episode, what the world reports of the
    finished episode counts, and then the first cell of the next one.

    Args:
        env: Lanes that begin anew in the step that ends an episode.
        things: Names of the entries of `info["moved"]`, where the world reports it.
        regions: Names of the values of `info["region"]`, where the world reports it.
        watching: Number of the action that watches a noisy television, if there is one.

    Attributes:
        count: Finished episodes; those that are reset half-way do not count.
    """

    def __init__(
        self,
        env: VectorEnv,
        things: tuple[str, ...] = (),
        regions: tuple[str, ...] = (),
        watching: int | None = None,
    ) -> None:
        super().__init__(env)
        self.regions, self.watching = regions, watching
        self.names = (*(f"{thing} moved" for thing in things), "success")
        world = getattr(env.unwrapped, "world", None)
        self._may_succeed = world is None or world.reward_range[1] > 0
        self._did = np.zeros((env.num_envs, len(self.names)), dtype=np.bool_)
        self._ever = np.zeros(len(self.names), dtype=np.bool_)
        self._episodes: list[np.ndarray] = []
        self._regions: list[np.ndarray] = []
        self._watched: list[float] = []
        self._seen: np.ndarray | None = None
        if world is not None:
            self._seen = np.zeros(int(np.prod(world.coverage_shape)), dtype=np.bool_)

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin new episodes, in all lanes or in those of `options["reset_mask"]`."""
        mask = (options or {}).get("reset_mask")
        self._did[slice(None) if mask is None else np.asarray(mask)] = False
        obs, info = self.env.reset(seed=seed, options=options)
        self._look()
        return obs, info

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step all lanes, note what came of it, and hide the rewards."""
        obs, reward, terminated, truncated, info = self.env.step(actions)
        ended = terminated | truncated
        told = merge_info(info, info.get("final_info", {}), ended, self.num_envs)
        self._did[:, -1] |= ended & succeeded(reward, terminated, info)
        if "is_success" in told:  # on the way too, where the world goes on after it
            self._did[:, -1] |= told["is_success"].astype(bool)
            self._may_succeed = True
        if "moved" in told:
            self._did[:, :-1] |= told["moved"] > 0
        self._ever |= self._did.any(axis=0)
        self._episodes.extend(self._did[ended])  # rows picked by a mask are copies
        self._did[ended] = False
        if "region" in told:
            number = len(self.regions)
            self._regions.append(np.bincount(told["region"], minlength=number))
        if self.watching is not None:
            self._watched.append(float(np.mean(np.asarray(actions) == self.watching)))
        self._look()
        if self._seen is not None:
            ends: Any = self.env.unwrapped
            self._seen[ends.visited()] = True
        return obs, np.zeros_like(reward), terminated, truncated, info

    @property
    def count(self) -> int:
        """Number of finished episodes."""
        return len(self._episodes)

    def measures(self) -> dict[str, float]:
        """Return what was found so far, by name; nothing that the world cannot tell."""
        found: dict[str, Any] = {"episodes": self.count}
        if self._seen is not None:
            found |= {"cells": self._seen.sum(), "cells, share": self._seen.mean()}
        late = _last(5, self._episodes)
        for column, name in enumerate(self.names):
            if name == "success" and not self._may_succeed:
                continue
            found[f"{name}, ever"] = self._ever[column]
            if late:
                found[f"{name}, all"] = np.mean([e[column] for e in self._episodes])
                found[f"{name}, last fifth"] = np.mean([e[column] for e in late])
        if self._regions:
            steps = np.sum(_last(4, self._regions), axis=0)
            for name, share in zip(self.regions, steps / steps.sum(), strict=True):
                found[f"{name}, last quarter"] = share
        if self._watched:
            found["watching, last quarter"] = np.mean(_last(4, self._watched))
        return {name: float(value) for name, value in found.items()}

    def _look(self) -> None:
        """Note where the lanes are now, after a reset at a start."""
        if self._seen is not None:
            lanes: Any = self.env.unwrapped
            self._seen[lanes.coverage()] = True


def _last(part: int, values: list[Any]) -> list[Any]:
    """Return the last fifth (part 5) and so on, at least one where there is any."""
    return values[len(values) - -(-len(values) // part) :]
