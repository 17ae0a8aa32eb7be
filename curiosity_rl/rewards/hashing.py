"""Count rows of numbers by a 64-bit hash, in a table that grows.

Two different rows share a hash with odds of 2^-64: among a million different rows any
two do with odds of 3e-8.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from curiosity_rl.jit import kernel
from curiosity_rl.protocols import Observation

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
BY_30, BY_27, BY_31 = np.uint64(30), np.uint64(27), np.uint64(31)
EMPTY = np.uint64(0)
ONE = np.uint64(1)
SMALLEST = 1 << 12
SHARED = 1 << 16


@kernel
def _hash_words(words, out):
    """Chain the finaliser of splitmix64 (Steele, Lea, Flood 2014) over each row."""
    for i in range(words.shape[0]):
        h = GOLDEN
        for j in range(words.shape[1]):
            h = (h ^ words[i, j]) + GOLDEN
            h = (h ^ (h >> BY_30)) * MIX_1
            h = (h ^ (h >> BY_27)) * MIX_2
            h = h ^ (h >> BY_31)
        out[i] = h if h != EMPTY else ONE


@kernel
def _slot(keys, h):
    """Return where `h` is, or the empty place where it belongs."""
    last = np.uint64(len(keys) - 1)
    place = h & last
    while keys[place] != h and keys[place] != EMPTY:
        place = (place + ONE) & last
    return place


@kernel
def _look_up(keys, counts, rest, hashes, out):
    for i in range(len(hashes)):
        place = _slot(keys, hashes[i])
        if keys[place] == EMPTY:
            out[i] = rest[hashes[i] & np.uint64(len(rest) - 1)]
        else:
            out[i] = counts[place]


@kernel
def _add(keys, counts, rest, room, hashes, amounts):
    """Add amounts to the counts of hashes; return how many are new.

    At most `room` new ones get a place; all others share the counts in `rest`.
    """
    new = 0
    for i in range(len(hashes)):
        place = _slot(keys, hashes[i])
        if keys[place] == EMPTY and new < room:
            keys[place] = hashes[i]
            new += 1
        if keys[place] == EMPTY:
            rest[hashes[i] & np.uint64(len(rest) - 1)] += amounts[i]
        else:
            counts[place] += amounts[i]
    return new


def hash_rows(rows: np.ndarray) -> np.ndarray:
    """Return a hash per row of `(B, ...)`, `(B,)` uint64, never 0.

    Rows are compared by their bytes (with -0.0 taken as 0.0), so the same numbers in
    another dtype are other rows.
    """
    if rows.dtype.kind == "f":
        rows = rows + rows.dtype.type(0)
    count = len(rows)
    flat = np.ascontiguousarray(rows).reshape(count, math.prod(rows.shape[1:]))
    data = flat.view(np.uint8)
    width = -(-data.shape[1] // 8) * 8
    if width != data.shape[1]:
        data = np.pad(data, ((0, 0), (0, width - data.shape[1])))
    out = np.empty(count, np.uint64)
    _hash_words(data.view(np.uint64), out)
    return out


def hash_batch(values: Observation) -> np.ndarray:
    """Return a hash per transition of an array `(T, N, ...)` or a mapping of such.

    Shape: `(T * N,)` uint64.
    """
    if isinstance(values, Mapping):
        return hash_rows(np.stack([hash_batch(values[k]) for k in sorted(values)], 1))
    array = np.asarray(values)
    count = array.shape[0] * array.shape[1]
    return hash_rows(array.reshape(count, math.prod(array.shape[2:])))


class CountTable:
    """How often each hash was added: open addressing, at most half full.

    Memory is bounded: `capacity` hashes have a count of their own, 64 bytes each at
    most; later ones share `SHARED` counts, so that they seem better known than they
    are, never less.
    """

    def __init__(self, capacity: int = 1 << 20) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}; it must be at least 1 state")
        self.capacity = capacity
        self._clear()

    def _clear(self) -> None:
        self.size = 0
        self._keys = np.zeros(SMALLEST, np.uint64)
        self._counts = np.zeros(SMALLEST, np.int64)
        self._rest = np.zeros(SHARED, np.int64)

    def look_up(self, hashes: np.ndarray) -> np.ndarray:
        """Return the count of every hash, `(B,)` int64; 0 where never added."""
        out = np.empty(len(hashes), np.int64)
        _look_up(self._keys, self._counts, self._rest, hashes, out)
        return out

    def add(self, hashes: np.ndarray, amounts: np.ndarray | None = None) -> None:
        """Count every hash once, or `amounts` times."""
        if amounts is None:
            amounts = np.ones(len(hashes), np.int64)
        most = min(self.size + len(hashes), self.capacity)
        if 2 * most > len(self._keys):
            known = self._keys != EMPTY
            keys, counts = self._keys[known], self._counts[known]
            places = 1 << (2 * most - 1).bit_length()
            self._keys = np.zeros(places, np.uint64)
            self._counts = np.zeros(places, np.int64)
            _add(self._keys, self._counts, self._rest, len(keys), keys, counts)
        room = self.capacity - self.size
        self.size += _add(self._keys, self._counts, self._rest, room, hashes, amounts)

    def at_least(self, count: int) -> int:
        """Return how many hashes with a count of their own were added so often."""
        return int(np.count_nonzero(self._counts >= count))

    def prune(self, least: int) -> None:
        """Forget the hashes that were added less often, and all shared counts."""
        kept = self._counts >= least
        keys, counts = self._keys[kept], self._counts[kept]
        self._clear()
        self.add(keys, counts)

    def state_dict(self) -> dict[str, Any]:
        """Return hashes (as int64, which every file format knows) and counts."""
        known = self._keys != EMPTY
        state: dict[str, Any] = {
            "hashes": self._keys[known].view(np.int64),
            "counts": self._counts[known],
        }
        if self._rest.any():
            state["shared"] = self._rest.copy()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._clear()
        hashes = np.array(state["hashes"], dtype=np.int64).view(np.uint64)
        self.add(hashes, np.array(state["counts"], dtype=np.int64))
        if "shared" in state:
            self._rest = np.array(state["shared"], dtype=np.int64)
