"""Turn observations of any space into rows of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from curiosity_rl.protocols import Observation

SMALLEST_IMAGE = 16
"""Side in pixels from which on a uint8 box is seen by a CNN; below, it is laid flat."""

LARGEST_BOUND = 1e4
"""Bounds beyond this say that a number may be anything."""


@dataclass(frozen=True)
class Block:
    """Columns of a flat row that belong together.

    Attributes:
        start: First column.
        stop: Column after the last.
        image: `(C, H, W)` if they are an image, else None.
        channels_last: Whether the image is stored as `(H, W, C)`.
    """

    start: int
    stop: int
    image: tuple[int, int, int] | None = None
    channels_last: bool = False

    @property
    def stored(self) -> tuple[int, ...]:
        """Shape of the image as it is stored."""
        if self.image is None:
            return (self.stop - self.start,)
        c, h, w = self.image
        return (h, w, c) if self.channels_last else (c, h, w)


def layout(space: Any, width: int) -> tuple[Block, ...]:
    """Return the images in the rows of `flatten`, and what stands between them.

    An image is a uint8 Box of three axes, both sides at least `SMALLEST_IMAGE`; its
    channels are the smallest axis if that is the first or the last.
    """
    parts = [space]
    if isinstance(space, spaces.Dict):
        parts = [space.spaces[key] for key in sorted(space.spaces)]
    blocks: list[Block] = []
    start = stop = 0  # of the columns that are no image
    for part in parts:
        image, size = _image(part), _length(part, width)
        if image is not None:
            if stop > start:
                blocks.append(Block(start, stop))
            start = stop + size
            blocks.append(Block(stop, start, *image))
        stop += size
    if stop > start:
        blocks.append(Block(start, stop))
    return tuple(blocks)


def bounds(space: Any, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest value of every column of `flatten`, `(D,)`.

    NaN where the space has no bounds, or some beyond `LARGEST_BOUND`.
    """
    if isinstance(space, spaces.Dict):
        parts = [space.spaces[key] for key in sorted(space.spaces)]
        pairs = [bounds(part, _length(part, 0)) for part in parts]
        low, high = (np.concatenate(side) for side in zip(*pairs, strict=True))
        return low, high
    low, high = np.zeros(width, np.float32), np.ones(width, np.float32)
    if space is None:
        return np.full_like(low, np.nan), np.full_like(high, np.nan)
    if isinstance(space, spaces.Box):
        scale = 255 if space.dtype == np.uint8 else 1
        low = np.clip(space.low.ravel() / scale, -1e30, 1e30).astype(np.float32)
        high = np.clip(space.high.ravel() / scale, -1e30, 1e30).astype(np.float32)
        far = (low < -LARGEST_BOUND) | (high > LARGEST_BOUND)
        low[far] = high[far] = np.nan
    return low, high


def flatten_actions(action: np.ndarray, space: Any = None) -> np.ndarray:
    """Return actions `(T, N, ...)` as rows `(T * N, A)` float32.

    As `flatten`, but a bounded Box, of whatever type, is scaled to [-1, 1].
    """
    if not isinstance(space, spaces.Box) or not space.is_bounded("both"):
        return flatten(np.asarray(action), space)
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    centre, half = low / 2 + high / 2, high / 2 - low / 2  # high - low may overflow
    rows = (np.asarray(action) - centre) / np.maximum(half, 1e-8)
    return rows.astype(np.float32).reshape(math.prod(rows.shape[:2]), centre.size)


def _image(space: Any) -> tuple[tuple[int, int, int], bool] | None:
    """Return `(C, H, W)` and whether channels are stored last; None for no image."""
    if not isinstance(space, spaces.Box) or space.dtype != np.uint8:
        return None
    if space.shape is None or len(space.shape) != 3:
        return None
    axis = int(np.argmin(space.shape))
    if axis == 1:
        return None
    a, b, c = space.shape
    shape = (a, b, c) if axis == 0 else (c, a, b)
    if min(shape[1:]) < SMALLEST_IMAGE:
        return None
    return shape, axis == 2


def _length(space: Any, width: int) -> int:
    """Return how many numbers `flatten` makes of an observation of this space."""
    if space is None:
        return width
    if isinstance(space, spaces.Dict):
        return sum(_length(part, width) for part in space.spaces.values())
    return spaces.flatdim(space)


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
                f"observations or actions are {array.dtype} and no space tells their "
                "range; call setup(observation_space, action_space, seed) before "
                "compute"
            )
        if array.dtype == np.uint8 and not isinstance(space, spaces.MultiBinary):
            return rows * np.float32(1 / 255)
        return rows.astype(np.float32, copy=False)
    raise ValueError(
        f"{type(space).__name__} observations are not supported; allowed are Box, "
        "Discrete, MultiDiscrete, MultiBinary and Dict of these; leave it out with "
        "gymnasium.wrappers.FilterObservation"
    )


def one_hot(rows: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return integers `(B, len(sizes))` as `(B, sum(sizes))` float32.

    Raises:
        ValueError: If an integer does not lie in `0 .. size - 1`.
    """
    if not np.all((rows >= 0) & (rows < sizes)):
        raise ValueError("an observation or action lies outside of its space")
    out = np.zeros((len(rows), int(sizes.sum())), np.float32)
    first = np.cumsum(sizes) - sizes
    np.put_along_axis(out, rows.astype(np.int64) + first, 1.0, axis=1)
    return out


def is_discrete(obs: Observation, space: Any = None) -> bool:
    """Whether observations can be counted as they are.

    They can if nothing in them is a Box of floats or an image, see `layout`; a small
    grid of whole numbers is none. Without a space: whether all arrays hold integers or
    bools.
    """
    if isinstance(obs, Mapping):
        parts = space.spaces if isinstance(space, spaces.Dict) else dict.fromkeys(obs)
        return all(is_discrete(obs[k], parts[k]) for k in parts)
    if space is None:
        return np.asarray(obs).dtype.kind in "iub"
    if isinstance(space, spaces.Box):
        return space.dtype.kind in "iub" and _image(space) is None
    return True
