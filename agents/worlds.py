"""Lanes of any Gymnasium world, by its id."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator, registry
from gymnasium.vector import AutoresetMode, VectorEnv

from curiosity_rl.registry import WORLDS


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
                "package that registers it"
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
    Gymnasium's `SyncVectorEnv`.

    Raises:
        ValueError: If the world does not exist or refuses its settings.
    """
    spec = find_world(env_id)
    settings: dict[str, Any] = dict(env_kwargs)
    if not _resets_in_same_step(spec):
        settings["vector_kwargs"] = {"autoreset_mode": AutoresetMode.SAME_STEP}
        settings["vectorization_mode"] = "sync"
    try:
        return gym.make_vec(spec.id, num_envs=n, **settings)
    except (ValueError, TypeError, AssertionError, gym.error.Error) as error:
        raise ValueError(f"cannot make {env_id}: {error}") from error
    except ImportError as error:
        raise ValueError(
            f"cannot make {env_id}: {error}; install what it needs"
        ) from error


def episode_limit(venv: VectorEnv) -> int | None:
    """Return the number of steps of the longest episode; None if there is no limit."""
    budget = getattr(getattr(venv.unwrapped, "world", None), "budget", None)
    if budget is not None:
        return int(budget)
    return venv.spec.max_episode_steps if venv.spec else None


def _resets_in_same_step(spec: EnvSpec) -> bool:
    entry: Any = spec.vector_entry_point
    if isinstance(entry, str):
        entry = load_env_creator(entry)
    mode = getattr(entry, "metadata", {}).get("autoreset_mode")
    return mode == AutoresetMode.SAME_STEP
