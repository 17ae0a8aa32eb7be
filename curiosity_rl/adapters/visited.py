"""Which cells of a world its lanes visit, so that exploration can be counted.

A world tells it by two names: `coverage_shape`, the shape of its table of cells, and
`coverage()`, the flat index of the cell in which it now is. Worlds of this package have
them; a `gymnasium.Env` of yours may.
"""

from __future__ import annotations

from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from gymnasium.vector import SyncVectorEnv, VectorEnv


class Cells(Protocol):
    """Lanes that tell which cells they visit."""

    @property
    def coverage_shape(self) -> tuple[int, ...]:
        """Shape of the table of cells."""
        ...

    def coverage(self) -> np.ndarray:
        """Return the flat index of each lane's cell, `(n,)` integers."""
        ...


class NotesCell(gym.Wrapper[Any, Any, Any, Any]):
    """Notes the cell to which the last step led.

    A lane of a vector environment begins anew in the step that ends its episode; the
    last cell of the finished one, often the goal, could not be asked for any more.

    Attributes:
        cell: Flat index in `coverage_shape`; before the first step 0.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        world: Any = env.unwrapped
        self.coverage_shape = tuple(int(n) for n in world.coverage_shape)
        self._cells = int(np.prod(self.coverage_shape))
        self._ask = world.coverage
        self.cell = 0

    @staticmethod
    def possible(env: gym.Env[Any, Any]) -> bool:
        """Whether the world tells its cells."""
        world = env.unwrapped
        return hasattr(world, "coverage") and hasattr(world, "coverage_shape")

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take one step.

        Raises:
            ValueError: If the world names a cell that its table does not have.
        """
        found = self.env.step(action)
        self.cell = int(self._ask())
        if not 0 <= self.cell < self._cells:
            raise ValueError(
                f"coverage() of {self.env.unwrapped} is {self.cell}; its "
                f"coverage_shape {self.coverage_shape} has the cells 0 to "
                f"{self._cells - 1}"
            )
        return found


class _Noted:
    """The cells that the lanes of a `SyncVectorEnv` have noted."""

    def __init__(self, lanes: SyncVectorEnv) -> None:
        self._lanes = lanes
        self.coverage_shape: tuple[int, ...] = lanes.get_attr("coverage_shape")[0]

    def coverage(self) -> np.ndarray:
        """Return the cell to which each lane's last step led."""
        return np.array(self._lanes.get_attr("cell"), dtype=np.int64)

    visited = coverage


def cells_of(lanes: VectorEnv) -> Cells | None:
    """Return what tells the visited cells of lanes; None where the world does not."""
    world: Any = lanes.unwrapped
    if hasattr(world, "coverage"):
        return world
    if isinstance(world, SyncVectorEnv) and all(_notes(env) for env in world.envs):
        return _Noted(world)
    return None


def _notes(env: gym.Env[Any, Any]) -> bool:
    return isinstance(env, gym.Wrapper) and env.has_wrapper_attr("cell")
