"""Where every random number of a run comes from: named streams of one run seed.

The gym face seeds lane i with `seed + i`, so runs with neighbouring seeds would share
almost all their episodes. Runs therefore draw one seed per lane from
`numpy.random.SeedSequence((seed, stream))` and pass the list.
"""

from __future__ import annotations

import numpy as np

STREAMS: dict[str, int] = {
    "training": 1,
    "stagger": 2,
    "reward": 3,
    "algorithm": 4,
    "evaluation": 5,
    "tutor": 6,
    "bootstrap": 7,
    "resumed": 8,
}
"""Streams by name; a number never changes and is never used for anything else."""


def lane_seeds(seed: int, stream: str, n: int) -> list[int]:
    """Draw `n` seeds of 63 bits from a named stream; a longer list has equal starts.

    Args:
        seed: Run seed, at least 0.
        stream: A key of `STREAMS`.
        n: How many, at least 0.

    Raises:
        ValueError: If the seed is negative or no stream has this name.
    """
    return lane_seed_words(seed, stream, n).tolist()


def lane_seed_words(seed: int, stream: str, n: int) -> np.ndarray:
    """Return `lane_seeds` as an array, `(n,)` uint64: 8 bytes a seed, for millions."""
    words = _sequence(seed, stream).generate_state(n, np.uint64)
    words >>= np.uint64(1)
    return words


def resumed_seeds(seed: int, steps: int, n: int) -> list[int]:
    """Seeds of lanes that begin anew after `steps`, as their world tells no state."""
    words = np.random.SeedSequence((seed, STREAMS["resumed"], steps))
    return [int(word) >> 1 for word in words.generate_state(n, np.uint64)]


def stream_seed(seed: int, stream: str, number: int = 0) -> int:
    """Draw one seed of 32 bits, as torch, NumPy and Stable-Baselines3 accept.

    Args:
        seed: Run seed, at least 0.
        stream: A key of `STREAMS`.
        number: Which seed of the stream.
    """
    words = _sequence(seed, stream).generate_state(number + 1, np.uint32)
    return int(words[number])


def evaluation_seeds(n: int) -> list[int]:
    """Seeds of the held-out students: equal for every run, shared with no training."""
    return lane_seeds(0, "evaluation", n)


def _sequence(seed: int, stream: str) -> np.random.SeedSequence:
    if seed < 0:
        raise ValueError(f"seed is {seed}; a seed is a whole number of at least 0")
    if stream not in STREAMS:
        raise ValueError(
            f"unknown random stream {stream!r}; known: {', '.join(STREAMS)}"
        )
    return np.random.SeedSequence((seed, STREAMS[stream]))
