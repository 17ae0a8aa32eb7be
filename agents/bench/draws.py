"""Random numbers of a tutor that do not depend on which students share a batch."""

from __future__ import annotations

from typing import Any

import numpy as np


class BlockDraws:
    """The rows of some students, of numbers that are drawn for their whole block.

    It stands in for the `numpy.random.Generator` that a tutor keeps as `rng`: draws of
    a row per lane (`random((lanes, ...))`, `integers(low, high, lanes)`) are made for
    the whole block, and the rows of these lanes returned. So students get the same
    numbers whether their block is played in one batch or in many. Draws of any other
    shape come from a stream of their own, and leave the block's where it is.

    Args:
        seed: Seed of the block.
        size: Students in the block.
        first: Place of the first lane's student in the block.
        lanes: Number of lanes.
    """

    def __init__(self, seed: int, size: int, first: int, lanes: int) -> None:
        self._block = np.random.default_rng(seed)
        self._other = np.random.default_rng((seed, first))
        self._size, self._first, self._lanes = size, first, lanes

    def random(self, size: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Draw from [0, 1); as `Generator.random`."""
        return self._draw("random", (), size, args, kwargs)

    def integers(
        self, low: Any, high: Any = None, size: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Draw whole numbers; as `Generator.integers`."""
        return self._draw("integers", (low, high), size, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._other, name)

    def _draw(self, name: str, bounds: Any, size: Any, args: Any, kwargs: Any) -> Any:
        shape = (size,) if isinstance(size, int | np.integer) else tuple(size or ())
        if not shape or shape[0] != self._lanes or any(map(np.ndim, bounds)):
            return getattr(self._other, name)(*bounds, size, *args, **kwargs)
        whole = (self._size, *shape[1:])
        drawn = getattr(self._block, name)(*bounds, whole, *args, **kwargs)
        return drawn[self._first : self._first + self._lanes]
