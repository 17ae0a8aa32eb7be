"""What is done with given actions before a world sees them: checked, made uniform."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol

import numpy as np
from gymnasium.spaces import Box, Discrete, Space

WHOLE = (int, np.integer)


class Actions(Protocol):
    """Checks of actions of one space, for a fixed number of lanes."""

    def every(self, given: Any) -> np.ndarray:
        """Return one action per lane, `(n, ...)`.

        Raises:
            ValueError: If they are none of the space, or not one per lane.
        """
        ...

    def one(self, given: Any) -> np.ndarray:
        """Return the action of the only lane, `(1, ...)`; valid until the next call.

        Raises:
            ValueError: If it is none of the space.
        """
        ...


class DiscreteActions:
    """Whole numbers from 0; handed on as int64 `(n,)`."""

    def __init__(self, space: Discrete, lanes: int) -> None:
        self.count, self.lanes = int(space.n), lanes
        self._only = np.zeros(1, dtype=np.int64)

    def every(self, given: Any) -> np.ndarray:
        actions = np.asarray(given)
        if actions.shape != (self.lanes,) or actions.dtype.kind not in "iu":
            raise ValueError(
                f"got actions of type {actions.dtype} and shape {actions.shape} for "
                f"{self.lanes} lanes; pass one action per lane, whole numbers "
                f"{(self.lanes,)}"
            )
        actions = np.ascontiguousarray(actions, dtype=np.int64)
        if actions.view(np.uint64).max() >= self.count:  # below 0 is huge there
            self._refuse(actions)
        return actions

    def one(self, given: Any) -> np.ndarray:
        if not isinstance(given, WHOLE):
            return self.every(np.asarray(given)[None])
        if not 0 <= given < self.count:
            self._refuse(np.array([given]))
        self._only[0] = given
        return self._only

    def _refuse(self, actions: np.ndarray) -> NoReturn:
        wrong = actions[(actions < 0) | (actions >= self.count)]
        raise ValueError(f"got the action {wrong[0]}; {self._allowed()}")

    def _allowed(self) -> str:
        return f"actions are whole numbers from 0 to {self.count - 1}"


class BoxActions:
    """Bounded vectors; handed on as float32 `(n, ...)`, clipped to the bounds."""

    def __init__(self, space: Box, lanes: int) -> None:
        self.shape = (lanes, *space.shape)
        self.low, self.high = space.low, space.high

    def every(self, given: Any) -> np.ndarray:
        actions = np.asarray(given)
        if actions.shape != self.shape or actions.dtype.kind not in "fiu":
            raise ValueError(
                f"got actions of type {actions.dtype} and shape {actions.shape}; pass "
                f"one action per lane, numbers {self.shape}"
            )
        if not np.isfinite(actions).all():
            raise ValueError(
                f"got actions with {actions[~np.isfinite(actions)][0]}; actions are "
                f"finite numbers, clipped to {self.low.min()} to {self.high.max()}"
            )
        clipped = np.clip(actions, self.low, self.high)
        return np.ascontiguousarray(clipped, dtype=np.float32)

    def one(self, given: Any) -> np.ndarray:
        return self.every(np.asarray(given)[None])


def actions_of(space: Space[Any], lanes: int) -> Actions:
    """Return the checks of actions of this space.

    Raises:
        TypeError: If worlds cannot have such a space.
    """
    if isinstance(space, Discrete):
        return DiscreteActions(space, lanes)
    if isinstance(space, Box):
        return BoxActions(space, lanes)
    raise TypeError(f"worlds act in Discrete or Box spaces, not in {space}")
