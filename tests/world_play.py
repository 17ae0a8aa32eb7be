"""Short episodes of every registered world, and exact comparison of what they give."""

from __future__ import annotations

import copy
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from curiosity_rl.adapters.arrays import map_obs
from curiosity_rl.registry import WORLDS, load

EVERY_WORLD = pytest.mark.parametrize("name", sorted(WORLDS))
HORIZON = 12
LANES = 3
SEED = 20
TESTS = Path(__file__).resolve().parent


def short(name: str) -> dict[str, Any]:
    """Return settings that end an episode after `HORIZON` steps."""
    own = "budget" in inspect.signature(load(WORLDS[name].world)).parameters
    limit = {"budget" if own else "max_episode_steps": HORIZON}
    return limit | ({"dropout": 1e-9} if may_leave(name) else {})


def may_leave(name: str) -> bool:
    """Whether episodes may end at any step, by chance."""
    return bool(WORLDS[name].kwargs.get("dropout"))


def batch(name: str, lanes: int = LANES, **kwargs: Any) -> Any:
    return gym.make_vec(name, lanes, **{**short(name), **kwargs})


def single(name: str, **kwargs: Any) -> Any:
    return gym.make(name, **{**short(name), **kwargs})


def actions_for(name: str, steps: int, lanes: int = LANES, seed: int = 0) -> Any:
    """Return actions `(steps, lanes, ...)`; those of a lane do not depend on lanes."""
    space = copy.deepcopy(single(name).action_space)
    rows = []
    for lane in range(lanes):
        space.seed(1000 * seed + lane)
        rows.append([space.sample() for _ in range(steps)])
    return np.array(rows).swapaxes(0, 1)


def rows(obs: Any, chosen: Any) -> Any:
    """Take some lanes, or one, of observations."""
    return map_obs(lambda part: part[chosen], obs)


def numbers(obs: Any) -> np.ndarray:
    """Write an observation as one row of numbers."""
    parts = arrays_in(obs)
    return np.concatenate([np.ravel(part).astype(float) for part in parts])


def is_objects(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "O"


def assert_same(a: Any, b: Any, where: str = "") -> None:
    """Equal bit for bit: types, keys, shapes, dtypes and bytes."""
    if isinstance(a, dict):
        assert isinstance(b, dict), where
        assert set(a) == set(b), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple) or is_objects(a):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{i}]")
    elif isinstance(a, np.ndarray | np.generic):
        assert isinstance(b, np.ndarray | np.generic), where
        assert (a.dtype, a.shape) == (b.dtype, b.shape), where
        assert a.tobytes() == b.tobytes(), where
    else:
        assert type(a) is type(b), where
        assert a == b, where


def lane_of(info: dict[str, Any], lane: int) -> dict[str, Any]:
    """Take one lane out of a vector info, as its single environment reports it."""
    found = {}
    for key, value in info.items():
        if key.startswith("_") or key in ("final_obs", "final_info"):
            continue
        if info[f"_{key}"][lane]:
            nested = isinstance(value, dict)
            mine = lane_of(value, lane) if nested else value[lane]
            found[key] = bool(mine) if isinstance(mine, np.bool_) else mine
    return found


def arrays_in(x: Any) -> list[np.ndarray]:
    """Return every array within nested dicts, tuples and object arrays."""
    if isinstance(x, dict):
        return [array for value in x.values() for array in arrays_in(value)]
    if isinstance(x, list | tuple):
        return [array for value in x for array in arrays_in(value)]
    if isinstance(x, np.ndarray):
        return [x] + ([a for y in x for a in arrays_in(y)] if is_objects(x) else [])
    return []


def scribble(x: Any) -> None:
    """Spoil everything that an environment has handed out."""
    for array in arrays_in(x):
        if not is_objects(array):
            array[...] = 1 - array if array.dtype == bool else array + 1


def saved(state: dict[str, Any]) -> dict[str, Any]:
    """Take a state through what a checkpoint can hold: JSON and raw arrays."""
    kept: dict[str, Any] = {}
    for key, value in state.items():
        assert isinstance(key, str)
        if isinstance(value, dict):
            kept[key] = saved(value)
        elif isinstance(value, np.ndarray):
            assert value.dtype.kind in "biuf"
            kept[key] = np.frombuffer(value.tobytes(), value.dtype).reshape(value.shape)
        else:
            assert type(value) in (bool, int, float, str)
            kept[key] = json.loads(json.dumps(value))
    return kept


def play(env: Any, actions: Any) -> list[Any]:
    return [env.step(action) for action in actions]


def fresh(code: str, *arguments: str) -> str:
    """Run code in an interpreter of its own, with the tests at hand."""
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
