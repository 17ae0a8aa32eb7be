"""Counter-based random numbers for kernels: one 64-bit word per lane.

SplitMix64 (Steele, Lea & Flood 2014): the state walks by a fixed odd step and the
output is a bijective mix of it, so any word is a good seed and lanes never interact.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curiosity_rl.jit import kernel

STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_TO_UNIT = 1.0 / 2.0**53
_LOW_BITS = np.uint64(11)


@kernel
def mix(word):
    """Return the SplitMix64 output of a state word (uint64)."""
    z = (word ^ (word >> _SHIFTS[0])) * _MIX1
    z = (z ^ (z >> _SHIFTS[1])) * _MIX2
    return z ^ (z >> _SHIFTS[2])


@kernel
def uniform(word):
    """Return the uniform number in [0, 1) that belongs to a state word."""
    return (mix(word) >> _LOW_BITS) * _TO_UNIT


@kernel
def normal(word):
    """Return a standard normal number; it uses `word` and `word + STEP`."""
    radius = np.sqrt(-2.0 * np.log(1.0 - uniform(word)))
    return radius * np.cos(2.0 * np.pi * uniform(word + STEP))


def lane_words(seeds: np.ndarray) -> np.ndarray:
    """Turn seeds (any 64-bit integers) into one state word per lane, uint64."""
    words = np.asarray(seeds, dtype=np.uint64)
    plain: Any = mix
    with np.errstate(over="ignore"):
        return np.asarray(plain.py_func(words * STEP + STEP), dtype=np.uint64)
