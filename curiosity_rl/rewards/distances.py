"""Distances to the nearest of what is remembered, and how far apart that is.

Remembered features lie in blocks of `WIDTH` slots, features first: `(lanes, blocks, F,
WIDTH)`. So a query is held against all slots of a block at once, by differences and not
by products: equal features are exactly 0 apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curiosity_rl.jit import kernel

WIDTH = 64
LEAST_SPACING = 1e-8


@kernel
def search_block(queries, i, memory, lane, block, held, best, scratch):
    """Merge the first `held` slots of a block into the nearest of query i."""
    features = queries.shape[1]
    for slot in range(WIDTH):
        scratch[slot] = 0
    for j in range(0, features - 3, 4):
        a, b = queries[i, j], queries[i, j + 1]
        c, d = queries[i, j + 2], queries[i, j + 3]
        for slot in range(WIDTH):
            p = a - memory[lane, block, j, slot]
            q = b - memory[lane, block, j + 1, slot]
            r = c - memory[lane, block, j + 2, slot]
            s = d - memory[lane, block, j + 3, slot]
            scratch[slot] += (p * p + q * q) + (r * r + s * s)
    for j in range(features - features % 4, features):
        a = queries[i, j]
        for slot in range(WIDTH):
            p = a - memory[lane, block, j, slot]
            scratch[slot] += p * p
    last = best.shape[1] - 1
    for slot in range(held):
        distance = scratch[slot]
        if distance < best[i, last]:
            place = last
            while place > 0 and best[i, place - 1] > distance:
                best[i, place] = best[i, place - 1]
                place -= 1
            best[i, place] = distance


@kernel
def store(features, i, memory, lane, slot):
    """Put features i into a slot."""
    for j in range(features.shape[1]):
        memory[lane, slot // WIDTH, j, slot % WIDTH] = features[i, j]


@kernel
def walk_neighbours(
    lanes, begin, done, features, begun, count, capacity, memory, squared, scratch
):
    """Walk lanes through time, see `episodes.Walk`: search, then remember."""
    columns = len(lanes)
    for column in range(columns):
        lane = lanes[column]
        for t in range(len(done)):
            if begin[t, column] >= 0:
                store(begun, begin[t, column], memory, lane, 0)
                count[lane] = 1
            i = t * columns + column
            held = min(count[lane], capacity)
            for block in range((held + WIDTH - 1) // WIDTH):
                there = min(WIDTH, held - block * WIDTH)
                search_block(features, i, memory, lane, block, there, squared, scratch)
            store(features, i, memory, lane, count[lane] % capacity)
            count[lane] += 1
            if done[t, column]:
                count[lane] = 0


@kernel
def _search(queries, memory, size, best, scratch):
    for start in range(0, size, WIDTH):
        held = min(WIDTH, size - start)
        for i in range(queries.shape[0]):
            search_block(queries, i, memory, 0, start // WIDTH, held, best, scratch)


def blocks_for(lanes: int, capacity: int, features: int) -> np.ndarray:
    """Return empty blocks, `(lanes, blocks, F, WIDTH)` float32."""
    return np.zeros((lanes, -(-capacity // WIDTH), features, WIDTH), np.float32)


def put(
    blocks: np.ndarray, lanes: np.ndarray, slots: np.ndarray, features: np.ndarray
) -> None:
    """Put features `(M, F)` into slots `(M,)` of lanes `(M,)`."""
    blocks[lanes, slots // WIDTH, :, slots % WIDTH] = features


def get(blocks: np.ndarray, lanes: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """Return what slots `(M,)` of lanes `(M,)` hold, `(M, F)`."""
    return blocks[lanes, slots // WIDTH, :, slots % WIDTH]


def nearest(queries: np.ndarray, blocks: np.ndarray, size: int, k: int) -> np.ndarray:
    """Return squared Euclidean distances to the k nearest of one lane, `(B, k)`.

    In ascending order; infinite where fewer than k are remembered.

    Args:
        queries: Features, `(B, F)` float32.
        blocks: What is remembered, `(1, blocks, F, WIDTH)`.
        size: How many slots are in use, from the first on.
        k: How many neighbours.
    """
    best = np.full((len(queries), k), np.inf, np.float32)
    _search(queries, blocks, size, best, np.empty(WIDTH, np.float32))
    return best


def farthest(squared: np.ndarray) -> np.ndarray:
    """Return the k-th smallest of `(B, k)`, or the largest there is; 0 without any."""
    return np.where(np.isfinite(squared), squared, 0).max(-1)


def similarity(
    squared: np.ndarray, spacing: float, epsilon: float, cluster: float = 0.0
) -> np.ndarray:
    """Return the inverse kernel summed over the neighbours, `(B,)`.

    Formula: `sum_i epsilon / (max(d_i^2 / spacing - cluster, 0) + epsilon)`; a missing
    neighbour (infinitely far) adds nothing.

    Source: Badia et al. 2020, "Never give up", equation 3 and algorithm 1.
    """
    apart = squared / np.float32(max(spacing, LEAST_SPACING)) - np.float32(cluster)
    apart = np.maximum(apart, 0, out=apart)
    return (np.float32(epsilon) / (apart + np.float32(epsilon))).sum(-1)


class Spacing:
    """Mean squared distance to the k-th neighbour over all time so far.

    `note` takes distances, `settle` lets the value move by all noted since.
    """

    def __init__(self) -> None:
        self.total = 0.0
        self.count = 0
        self.value: float | None = None
        """None before the first distance was noted and settled."""

    def note(self, squared: np.ndarray) -> None:
        """Take squared distances, of any shape."""
        self.total += float(squared.sum(dtype=np.float64))
        self.count += squared.size

    def settle(self) -> None:
        """Move the value."""
        if self.count:
            self.value = self.total / self.count

    def state_dict(self) -> dict[str, Any]:
        """Return sum, number and value."""
        return {"total": self.total, "count": self.count, "value": self.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.total, self.count = float(state["total"]), int(state["count"])
        self.value = None if state["value"] is None else float(state["value"])


def check_kernel(epsilon: float, c: float) -> None:
    """Raise `ValueError` for constants with which a bonus would not be finite."""
    for name, value in (("epsilon", epsilon), ("c", c)):
        if not value > 0:
            raise ValueError(f"{name} is {value}; it must be positive")
