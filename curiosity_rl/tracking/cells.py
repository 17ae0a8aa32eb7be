"""Count over the cells of a world's coverage: visits, and means of what they were paid.

Regions are coarser cells, counted by slices of time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

MOST_CELLS = 1_000_000
"""Largest table of cells that is drawn."""
FADE = 0.5
"""What earlier bonuses count after each picture, so that a mean follows the times."""


class Cells:
    """Visits of every cell, and fading means of what was paid for them.

    Attributes:
        visits: Steps that led to each cell, `(cells,)` int64.
        sums: By name of what is averaged, faded sums by cell, `(cells,)`.
        counts: By name, faded numbers of visits by cell, `(cells,)`.
    """

    def __init__(self, cells: int) -> None:
        self.visits = np.zeros(cells, np.int64)
        self.sums: dict[str, np.ndarray] = {}
        self.counts: dict[str, np.ndarray] = {}

    def visit(self, cells: np.ndarray) -> None:
        """Count one step of the lanes; -1 stands for a cell that nobody knows."""
        np.add.at(self.visits, cells[cells >= 0], 1)

    def pay(self, name: str, cells: np.ndarray, values: np.ndarray) -> None:
        """Take what was paid for steps that led to these cells, both `(T, N)`."""
        if name not in self.sums:
            self.sums[name] = np.zeros(len(self.visits))
            self.counts[name] = np.zeros(len(self.visits))
        known = cells >= 0
        np.add.at(self.sums[name], cells[known], values[known])
        np.add.at(self.counts[name], cells[known], 1.0)

    def fade(self) -> None:
        """Let all that was paid so far count less."""
        for table in (*self.sums.values(), *self.counts.values()):
            table *= FADE

    def state_dict(self) -> dict[str, Any]:
        """Return all counts."""
        return {
            "visits": self.visits.copy(),
            "sums": {name: table.copy() for name, table in self.sums.items()},
            "counts": {name: table.copy() for name, table in self.counts.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.visits = np.array(state["visits"])
        self.sums = {name: np.array(table) for name, table in state["sums"].items()}
        self.counts = {name: np.array(table) for name, table in state["counts"].items()}


class Regions:
    """Visits of a world's regions, and bonuses paid there, by slices of time.

    Attributes:
        every: Steps of a slice.
        visits: `(slices, regions)`.
        bonus: Sums, `(slices, regions)`; None while nothing was paid.
    """

    def __init__(self, regions: int, every: int) -> None:
        self.every = every
        self.visits = np.zeros((0, regions))
        self.bonus: np.ndarray | None = None

    def slot(self, steps: int) -> int:
        """Return the slice that so many steps fall into."""
        return max(steps - 1, 0) // self.every

    def visit(self, slot: int, regions: np.ndarray) -> None:
        """Count one step of the lanes."""
        missing = slot + 1 - len(self.visits)
        if missing > 0:
            rows = np.zeros((missing, self.visits.shape[1]))
            self.visits = np.concatenate([self.visits, rows])
            if self.bonus is not None:
                self.bonus = np.concatenate([self.bonus, rows])
        self.visits[slot] += np.bincount(regions, minlength=self.visits.shape[1])

    def pay(self, slots: np.ndarray, regions: np.ndarray, values: np.ndarray) -> None:
        """Take what was paid for steps of these slices, `(T,)`, `(T, N)`, `(T, N)`."""
        if self.bonus is None:
            self.bonus = np.zeros_like(self.visits)
        at = slots[:, None] * self.bonus.shape[1] + regions
        sums = np.bincount(at.ravel(), values.ravel(), minlength=self.bonus.size)
        self.bonus += sums.reshape(self.bonus.shape)

    def state_dict(self) -> dict[str, Any]:
        """Return all counts."""
        bonus = None if self.bonus is None else self.bonus.copy()
        return {"every": self.every, "visits": self.visits.copy(), "bonus": bonus}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.every, self.visits = int(state["every"]), np.array(state["visits"])
        self.bonus = None if state["bonus"] is None else np.array(state["bonus"])
