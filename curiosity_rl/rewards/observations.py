"""Turn observations of any space into rows of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from curiosity_rl.protocols import Observation


def flatten(obs: Observation, space: Any = None) -> np.ndarray:
    """Return observations `(T, N, ...)` as rows `(T * N, D)` float32.

    Discrete and MultiDiscrete become one-hot, MultiBinary 0/1, uint8 Boxes (images)
    are divided by 255, other Boxes are laid flat, Dicts are flattened key by key and
    put side by side. Without a space, float, bool and uint8 arrays are taken as boxes.

    Raises:
        ValueError: For other spaces, and for integers whose range no space tells.
    """
    if isinstance(obs, Mapping):
        parts = space.spaces if isinstance(space, spaces.Dict) else dict.fromkeys(obs)
        return np.concatenate([flatten(obs[k], parts[k]) for k in sorted(parts)], 1)
    array = np.asarray(obs)
    count = array.shape[0] * array.shape[1]
    rows = array.reshape(count, math.prod(array.shape[2:]))
    if isinstance(space, spaces.Discrete):
        return one_hot(rows - int(space.start), np.array([space.n]))
    if isinstance(space, spaces.MultiDiscrete):
        return one_hot(rows - space.start.ravel(), space.nvec.ravel())
    if isinstance(space, spaces.Box | spaces.MultiBinary) or space is None:
        if space is None and array.dtype.kind in "iu" and array.dtype != np.uint8:
            raise ValueError(
                f"observations are {array.dtype} and no space tells their range; call "
                "setup(observation_space, action_space, seed) before compute"
            )
        if array.dtype == np.uint8 and not isinstance(space, spaces.MultiBinary):
            return rows * np.float32(1 / 255)
        return rows.astype(np.float32, copy=False)
    raise ValueError(
        f"{type(space).__name__} observations are not supported; allowed are Box, "
        "Discrete, MultiDiscrete, MultiBinary and Dict of these"
    )


def one_hot(rows: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return integers `(B, len(sizes))` as `(B, sum(sizes))` float32.

    Raises:
        ValueError: If an integer does not lie in `0 .. size - 1`.
    """
    if not np.all((rows >= 0) & (rows < sizes)):
        raise ValueError("an observation lies outside of the observation space")
    out = np.zeros((len(rows), int(sizes.sum())), np.float32)
    first = np.cumsum(sizes) - sizes
    np.put_along_axis(out, rows.astype(np.int64) + first, 1.0, axis=1)
    return out


def is_discrete(obs: Observation, space: Any = None) -> bool:
    """Whether observations can be counted as they are: nothing in them is a Box.

    Without a space: whether all arrays hold integers or bools.
    """
    if isinstance(obs, Mapping):
        parts = space.spaces if isinstance(space, spaces.Dict) else dict.fromkeys(obs)
        return all(is_discrete(obs[k], parts[k]) for k in parts)
    if space is None:
        return np.asarray(obs).dtype.kind in "iub"
    return not isinstance(space, spaces.Box)
