"""A world and its lanes: what the two faces have in common."""

from __future__ import annotations

import inspect
import json
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Dict

from curiosity_rl.adapters.arrays import map_obs
from curiosity_rl.envs.actions import actions_of
from curiosity_rl.envs.rng import lane_words
from curiosity_rl.envs.world import World
from curiosity_rl.registry import load, unknown_name


def make_world(world: str, settings: dict[str, Any]) -> World:
    """Build a world from `module:Class` and its settings.

    Raises:
        ValueError: If a setting is unknown or not allowed.
    """
    cls = load(world)
    known = inspect.signature(cls).parameters
    for name in settings:
        if name not in known:
            raise ValueError(unknown_name(f"setting of {cls.__name__}", name, known))
    return cls(**settings)


def describe(world: str, settings: dict[str, Any]) -> str:
    """Name a world and all of its settings, so that two can be compared."""
    bound = inspect.signature(load(world)).bind(**settings)
    bound.apply_defaults()
    plain = json.dumps(
        bound.arguments,
        default=lambda x: x.item() if isinstance(x, np.generic) else repr(x),
    )
    return f"{world} {plain}"


class Lanes:
    """The episodes in progress in a world, and what is needed to go on with them."""

    def __init__(self, world: str, lanes: int, settings: dict[str, Any]) -> None:
        self.world = make_world(world, settings)
        self.described = describe(world, settings)
        self.state = self.world.allocate(lanes)
        self.all = np.arange(lanes)
        self.seeded = False
        self.actions = actions_of(self.world.action_space, lanes)
        space = self.world.observation_space
        self.composed = isinstance(space, Dict)
        self._rooms = map_obs(
            lambda box: ((lanes, *box.shape), box.dtype),
            dict(space.spaces) if isinstance(space, Dict) else space,
        )

    def seed(self, lanes: np.ndarray, seeds: Any) -> None:
        """Begin the streams of these lanes anew.

        Raises:
            ValueError: If a seed is no whole number from 0 to 2**64 - 1.
        """
        for seed in seeds:
            if not (isinstance(seed, int | np.integer) and 0 <= int(seed) < 2**64):
                raise ValueError(
                    f"got the seed {seed!r}; a seed is a whole number from 0 to "
                    "2**64 - 1"
                )
        self.state.rng[lanes] = lane_words(np.array(seeds, dtype=np.uint64))
        self.seeded = True

    def check_begun(self) -> None:
        """Raise `ResetNeeded` if no episode has begun."""
        if not self.seeded:
            raise gym.error.ResetNeeded("call reset before the first step or picture")

    def empty(self) -> Any:
        """Return room for the observations of all lanes, an array or a dict of them."""
        if self.composed:
            return {key: np.empty(*room) for key, room in self._rooms.items()}
        return np.empty(*self._rooms)

    def observe(self) -> Any:
        """Return the observations of all lanes."""
        out = self.empty()
        self.world.observe(self.state, self.all, out)
        return out

    def get_state(self) -> dict[str, Any]:
        """Return everything that the next steps depend on: arrays and primitives."""
        fields = {k: v.copy() for k, v in self.state._asdict().items()}
        return {"fields": fields, "seeded": self.seeded, "world": self.described}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned; numbers in it are trusted.

        Raises:
            ValueError: If the state belongs to a world with other settings.
        """
        if state.get("world") != self.described:
            raise ValueError(
                f"got a state of {state.get('world')}; this is {self.described}: "
                "restore into a world with the same settings"
            )
        kept = state.get("fields", {})
        for name, array in self.state._asdict().items():
            given = kept.get(name)
            kind = (np.shape(given), getattr(given, "dtype", None))
            if kind != (array.shape, array.dtype):
                raise ValueError(
                    f"state field {name!r} is {kind[1]} of shape {kind[0]}, this world "
                    f"needs {array.dtype} of shape {array.shape}; restore into as many "
                    "lanes, with the same settings"
                )
        for name, array in self.state._asdict().items():
            array[...] = kept[name]
        self.seeded = bool(state.get("seeded"))
