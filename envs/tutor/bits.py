"""Sets of activities as bit masks of 64-bit words, one row of words per lane."""

from __future__ import annotations

import numpy as np

from curiosity_rl.jit import kernel

_ONE = np.uint64(1)
_SIX = np.uint64(6)
_LOW = np.uint64(63)


@kernel
def has(masks, i, k):
    """Return whether bit k of lane i is set, as 0 or 1 (uint64)."""
    u = np.uint64(k)
    return (masks[i, u >> _SIX] >> (u & _LOW)) & _ONE


@kernel
def add(masks, i, k):
    """Set bit k of lane i."""
    u = np.uint64(k)
    masks[i, u >> _SIX] |= _ONE << (u & _LOW)


@kernel
def remove(masks, i, k):
    """Clear bit k of lane i."""
    u = np.uint64(k)
    masks[i, u >> _SIX] &= ~(_ONE << (u & _LOW))


@kernel
def bits_set(word):
    """Return how many bits of a word are set."""
    count = 0
    while word:
        word &= word - _ONE
        count += 1
    return count


@kernel
def mark_needed(goals, parents, slots, skills, i, needed):
    """Mark goals and all their ancestors; positions run from parents to children."""
    for position in range(skills - 1, -1, -1):
        k = slots[position]
        if has(goals, i, k):
            add(needed, i, k)
        if has(needed, i, k):
            for p in range(parents.shape[2]):
                if parents[i, k, p] >= 0:
                    add(needed, i, parents[i, k, p])


def unpack(masks: np.ndarray, activities: int) -> np.ndarray:
    """Turn bit masks `(m, W)` uint64 into `(m, A)` bool."""
    little = masks.astype("<u8", copy=False)
    bits = np.unpackbits(little.view(np.uint8), axis=1, bitorder="little")
    return bits[:, :activities].astype(np.bool_)
