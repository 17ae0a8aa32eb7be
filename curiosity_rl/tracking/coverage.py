"""What was explored: visits of cells, and landmarks that were reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


class Coverage:
    """Counts visits of cells, at a cost that does not grow with their number.

    Attributes:
        visits: Visits of every cell up to the last `report`, `(cells,)`.
    """

    def __init__(self, cells: int) -> None:
        self.visits = np.zeros(cells, np.int64)
        self._steps: list[np.ndarray] = []
        self._seen, self._total = 0, 0
        self._weight = 0.0  # sum of v log2(v) over the visits v of all cells

    def note(self, cells: np.ndarray) -> None:
        """Take the cells that lanes have come to; -1 stands for one nobody knows."""
        self._steps.append(cells)

    def report(self) -> dict[str, float]:
        """Count what was noted, and describe it.

        Returns:
            `cells`, seen so far; `cells_this_period`, different ones seen since the
            last report; `share`, seen of all that there are; `entropy` of all visits so
            far, in bits: `log2(V) - sum_c v_c log2(v_c) / V` for V visits.
        """
        if not self._steps:
            return {}
        noted = np.concatenate(self._steps)
        self._steps.clear()
        noted = noted[noted >= 0]
        if not len(noted):
            return {}
        found, times = np.unique(noted, return_counts=True)
        before = self.visits[found]
        after = before + times
        self.visits[found] = after
        self._seen += int(np.count_nonzero(before == 0))
        self._total += len(noted)
        self._weight += float((_weights(after) - _weights(before)).sum())
        entropy = np.log2(self._total) - self._weight / self._total
        return {
            "cells": float(self._seen),
            "cells_this_period": float(len(found)),
            "share": self._seen / len(self.visits),
            "entropy": max(float(entropy), 0.0),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return what was counted and noted."""
        return {
            "visits": self.visits.copy(),
            "noted": np.concatenate(self._steps) if self._steps else None,
            "weight": self._weight,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.visits = np.array(state["visits"])
        self._steps = [] if state["noted"] is None else [np.array(state["noted"])]
        self._seen = int(np.count_nonzero(self.visits))
        self._total = int(self.visits.sum())
        self._weight = float(state["weight"])


def _weights(visits: np.ndarray) -> np.ndarray:
    """Return `v log2(v)`, 0 for no visits."""
    return visits * np.log2(np.maximum(visits, 1))


class Landmarks:
    """Notes the frame at which a world's landmarks were first reached, by any lane.

    Attributes:
        frames: Frame of each landmark that was reached, by its name.
    """

    def __init__(self) -> None:
        self.frames: dict[str, int] = {}

    def look(self, world: Any, frame: int) -> None:
        """Look where the lanes are, unless all landmarks were reached before."""
        if len(self.frames) == len(world.landmarks):
            return
        reached = world.at_landmarks().any(axis=0)
        if reached.any():
            for name, at in zip(world.landmarks, reached.tolist(), strict=True):
                if at:
                    self.frames.setdefault(name, frame)
