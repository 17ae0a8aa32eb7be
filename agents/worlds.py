"""Lanes of any Gymnasium world, by its id."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec, load_env_creator, registry
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.preprocessing import is_image_space

from curiosity_rl.adapters.visited import NotesCell
from curiosity_rl.registry import WORLDS

SMALLEST_IMAGE = 36
"""Side in pixels from which Stable-Baselines3's CNN can see an image."""

NUMBERS = (
    spaces.Box,
    spaces.Dict,
    spaces.Discrete,
    spaces.MultiBinary,
    spaces.MultiDiscrete,
    spaces.Tuple,
)


def import_packages(names: str) -> None:
    """Import packages that register worlds, their names separated by commas.

    Raises:
        ValueError: If one cannot be imported.
    """
    for name in filter(None, (part.strip() for part in names.split(","))):
        try:
            importlib.import_module(name)
        except (ImportError, ValueError) as error:
            raise ValueError(
                f"gym_packages: cannot import {name!r} ({error}); install the package, "
                "or stand in the folder that holds it"
            ) from error


def find_world(env_id: str) -> EnvSpec:
    """Return Gymnasium's entry of a world; `module:id` imports the module first.

    Raises:
        ValueError: If there is no such world; names the nearest ones.
    """
    module, _, name = env_id.rpartition(":")
    if module:
        try:
            __import__(module)
        except (ImportError, ValueError) as error:
            raise ValueError(
                f"world {env_id!r}: cannot import {module!r} ({error}); install the "
                "package that registers it, or stand in the folder that holds it"
            ) from error
    if name in registry:
        return registry[name]
    lower = {known.lower(): known for known in registry}
    near = difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(lower[n] for n in near)}? " if near else ""
    raise ValueError(
        f"unknown world {env_id!r}: {hint}ours are {', '.join(WORLDS)}; any other "
        "registered Gymnasium id works too"
    )


def make_lanes(env_id: str, env_kwargs: Mapping[str, Any], n: int) -> VectorEnv:
    """Build `n` lanes of a world that begin a new episode in the step that ends one.

    A world's own vector class is used where it resets in the same step; otherwise
    Gymnasium's `SyncVectorEnv`, over worlds whose observations are made fit for
    Stable-Baselines3, see `fitting`.

    Raises:
        ValueError: If the world does not exist or refuses its settings.
    """
    spec = find_world(env_id)
    settings: dict[str, Any] = dict(env_kwargs)
    if not _resets_in_same_step(spec):
        settings["vector_kwargs"] = {"autoreset_mode": AutoresetMode.SAME_STEP}
        settings["vectorization_mode"] = "sync"
        settings["wrappers"] = fitting(spec, env_kwargs)
    with as_refusal(env_id):
        return gym.make_vec(spec.id, num_envs=n, **settings)


def fitting(
    spec: EnvSpec, env_kwargs: Mapping[str, Any]
) -> list[Callable[[gym.Env], gym.Env]]:
    """Return wrappers that make a world's observations fit for Stable-Baselines3.

    Parts of a Dict that are no numbers (text, MiniGrid's mission) are left out; a Dict,
    tuple or image in which nothing is large enough for Stable-Baselines3's CNN is laid
    flat, discrete parts one-hot. Everything else stays as it is. The cells of a world
    that tells its coverage are noted, see `adapters.visited`.

    Raises:
        ValueError: If the world refuses its settings.
    """
    with as_refusal(spec.id):
        env = gym.make(spec.id, **env_kwargs)
    space = env.observation_space
    wrappers: list[Callable[[gym.Env], gym.Env]] = []
    if NotesCell.possible(env):
        wrappers.append(NotesCell)
    env.close()
    if isinstance(space, spaces.Dict):
        told = [key for key, part in space.items() if isinstance(part, NUMBERS)]
        if len(told) < len(space):
            space = spaces.Dict({key: space[key] for key in told})
            wrappers.append(lambda env: gym.wrappers.FilterObservation(env, told))
    parts = list(space.values()) if isinstance(space, spaces.Dict) else [space]
    composed = isinstance(space, spaces.Dict | spaces.Tuple)
    images = [part for part in parts if is_image_space(part)]
    small = all(_smallest_side(image) < SMALLEST_IMAGE for image in images)
    if small and (composed or images):
        wrappers.append(gym.wrappers.FlattenObservation)
    return wrappers


def _smallest_side(image: spaces.Space) -> int:
    return sorted(image.shape or (0, 0, 0))[1]


def episode_limit(venv: VectorEnv) -> int | None:
    """Return the number of steps of the longest episode; None if there is no limit."""
    world = getattr(venv.unwrapped, "world", None)
    limits = [getattr(world, name, None) for name in ("budget", "max_steps")]
    limits.append(venv.spec.max_episode_steps if venv.spec else None)
    return min((int(limit) for limit in limits if limit is not None), default=None)


@contextmanager
def as_refusal(env_id: str) -> Iterator[None]:
    """Turn an error of a world's constructor into a ValueError that names the world."""
    try:
        yield
    except (ValueError, TypeError, AssertionError, gym.error.Error) as error:
        raise ValueError(f"cannot make {env_id}: {error}") from error
    except ImportError as error:
        raise ValueError(
            f"cannot make {env_id}: {error}; install what it needs"
        ) from error


def _resets_in_same_step(spec: EnvSpec) -> bool:
    entry: Any = spec.vector_entry_point
    if isinstance(entry, str):
        entry = load_env_creator(entry)
    mode = getattr(entry, "metadata", {}).get("autoreset_mode")
    return mode == AutoresetMode.SAME_STEP
