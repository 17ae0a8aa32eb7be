"""Codes of observations in which similar ones are alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from curiosity_rl.rewards.hashing import hash_rows
from curiosity_rl.rewards.observations import bounds

SPREAD = 3.0
"""Deviations from the mean that take the place of bounds where a space has none."""


class SimHash:
    """The signs of random affine functions of an observation.

    Formula: `sgn(A x + b)`, A and b standard normal, x the flat observation scaled to
    [-1, 1] by the bounds of the space, so that the planes cut the whole of it. Where it
    has no bounds (or huge ones), by three deviations about the mean of the observations
    that `measure` was given first; until then such columns stay as they are.

    Without b, an observation and its double would share a code: in a world of few
    numbers nearly all would.

    Source: Charikar 2002, "Similarity estimation techniques from rounding algorithms";
    Tang et al. 2017, "#Exploration", section 2.2. Scale and b are ours.
    """

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.measured = False
        self._space: Any = None
        self._seed = 0
        self._planes: np.ndarray | None = None  # (D + 1, bits), b last

    def setup(self, space: Any, seed: int) -> None:
        """Take the observation space, and the seed of the planes."""
        self._space, self._seed = space, seed

    def measure(self, rows: np.ndarray) -> bool:
        """Take bounds from rows `(B, D)`, the first time; return if codes changed."""
        if self.measured or not len(rows):
            return False
        self._begin(rows)
        unknown = np.isnan(self._low)
        mean, spread = rows.mean(0), SPREAD * rows.std(0)
        self._low = np.where(unknown, mean - spread, self._low).astype(np.float32)
        self._high = np.where(unknown, mean + spread, self._high).astype(np.float32)
        self.measured = True
        return bool(unknown.any())

    def hashes(self, rows: np.ndarray) -> np.ndarray:
        """Return a hash of each code, `(B,)` uint64.

        Raises:
            ValueError: If rows have another length than those before.
        """
        planes = self._begin(rows)
        low = np.where(np.isnan(self._low), np.float32(-1), self._low)
        high = np.where(np.isnan(self._high), np.float32(1), self._high)
        scaled = (rows - low) * (2 / np.maximum(high - low, np.float32(1e-8))) - 1
        return hash_rows(np.packbits(scaled @ planes[:-1] + planes[-1] > 0, axis=1))

    def state_dict(self) -> dict[str, Any]:
        """Return planes and bounds."""
        if self._planes is None:
            return {}
        return {
            "planes": self._planes.copy(),
            "low": self._low.copy(),
            "high": self._high.copy(),
            "measured": self.measured,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._planes, self.measured = None, False
        if state:
            self._planes, self._low, self._high = (
                np.array(state[name], np.float32) for name in ("planes", "low", "high")
            )
            self.measured = bool(state["measured"])

    def _begin(self, rows: np.ndarray) -> np.ndarray:
        """Draw the planes for rows of this length; return them."""
        width = rows.shape[1]
        if self._planes is None:
            rng = np.random.default_rng(self._seed)
            size = (width + 1, self.bits)
            self._planes = rng.standard_normal(size, dtype=np.float32)
            self._low, self._high = bounds(self._space, width)
        if len(self._planes) != width + 1:
            raise ValueError(
                f"observations have {width} numbers, but this reward has counted some "
                f"of {len(self._planes) - 1}; build a new one"
            )
        return self._planes
