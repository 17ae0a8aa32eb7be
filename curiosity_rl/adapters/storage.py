"""Steps as a replay buffer of SB3 stores them, and back in the shapes of the spaces.

SB3 stores a Discrete observation or action as `(1,)`, actions of any shape flat, and
Box actions scaled to [-1, 1]. Rewards see none of this, here as through other doors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces


def as_stored(given: Any, stored: Any, space: spaces.Space) -> Any:
    """Return a copy of a step `(N, ...)` in the buffer's type, `(1, N, *space.shape)`.

    A number too large for that type becomes infinite.
    """
    if isinstance(space, spaces.Dict):
        return {key: as_stored(given[key], stored[key], space[key]) for key in stored}
    with np.errstate(over="ignore"):
        cast = np.array(given, stored.dtype)
    return cast.reshape(1, stored.shape[1], *(space.shape or ()))


def gather(stored: Any, at: tuple[np.ndarray, np.ndarray], space: spaces.Space) -> Any:
    """Return what is stored at rows and lanes `(1, B)`, as `(1, B, *space.shape)`."""
    if isinstance(space, spaces.Dict):
        return {key: gather(stored[key], at, space[key]) for key in stored}
    return stored[at].reshape(*at[0].shape, *(space.shape or ()))


def unscaled(actions: np.ndarray, space: spaces.Space) -> np.ndarray:
    """Return actions as the world got them; undoes SB3's `BasePolicy.scale_action`."""
    if not isinstance(space, spaces.Box) or not space.is_bounded():
        return actions
    return space.low + np.float32(0.5) * (actions + 1) * (space.high - space.low)


class Watched:
    """Stands for the actions while SB3 builds a sample, and keeps which ones it read.

    SB3 draws the lanes inside of the method that builds the sample, and tells nobody.
    """

    def __init__(self, actions: np.ndarray) -> None:
        self.actions = actions
        self.drawn: tuple[np.ndarray, np.ndarray] | None = None

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, tuple) and np.ndim(key[0]) == 1:
            self.drawn = key[0], key[1]
        return self.actions[key]
