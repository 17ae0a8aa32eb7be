"""Novelty in a lifetime: pay for states far from all that were met before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Unpack

import numpy as np

from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards.distances import (
    Spacing,
    blocks_for,
    check_kernel,
    farthest,
    get,
    nearest,
    put,
    similarity,
)
from curiosity_rl.rewards.encoders import Encoder, Kind
from curiosity_rl.rewards.networks import TrainingOptions, check_sizes

PROBES = 256
"""States of a batch by which `PseudoCount` measures how far apart states are."""


class Reservoir:
    """A uniform sample of all rows ever added, with their features as of today.

    Every row added so far is kept with the same chance, `capacity / added`. Rows stay
    as they came, so that their features can be told anew when the encoder changes.
    Memory: `capacity * (D + F)` float32.

    Source: Vitter 1985, "Random sampling with a reservoir", algorithm R.
    """

    def __init__(self, capacity: int, seed: int = 0) -> None:
        self.capacity = capacity
        self.added = 0
        self.rows = np.empty((0, 0), np.float32)
        self.blocks = blocks_for(1, 0, 0)
        """Features of the rows, see `distances`."""
        self._random = np.random.default_rng(seed)

    @property
    def size(self) -> int:
        """How many rows are kept."""
        return min(self.added, self.capacity)

    def add(self, rows: np.ndarray) -> np.ndarray:
        """Add rows `(B, D)`, in this order; return which slots are new, `(M,)`."""
        if not self.added:
            self.rows = np.empty((self.capacity, rows.shape[1]), np.float32)
        number = self.added + np.arange(len(rows))
        drawn = self._random.integers(number + 1)
        slots = np.where(number < self.capacity, number, drawn)
        kept = np.flatnonzero(slots < self.capacity)[::-1]  # the last one in a slot
        slots, where = np.unique(slots[kept], return_index=True)
        self.rows[slots] = rows[kept[where]]
        self.added += len(rows)
        return slots

    def tell(self, encoder: Encoder, slots: np.ndarray) -> None:
        """Tell the features of the rows in these slots."""
        if not len(slots):
            return
        features = encoder.encode_rows(self.rows[slots]).cpu().numpy()
        if not self.blocks.size:
            self.blocks = blocks_for(1, self.capacity, features.shape[1])
        put(self.blocks, np.zeros_like(slots), slots, features)

    def state_dict(self) -> dict[str, Any]:
        """Return rows, features, and the generator's state."""
        words = self._random.bit_generator.state
        large = {name: str(word) for name, word in words["state"].items()}
        slots = np.arange(self.size)
        return {
            "capacity": self.capacity,
            "added": self.added,
            "rows": self.rows[: self.size].copy(),
            "features": get(self.blocks, np.zeros_like(slots), slots),
            "random": {**words, "state": large},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            ValueError: If it comes from a memory of another capacity.
        """
        if state["capacity"] != self.capacity:
            raise ValueError(
                f"this memory has a capacity of {self.capacity}, the saved one of "
                f"{state['capacity']}; build the reward with the saved capacity"
            )
        self.added = int(state["added"])
        rows, features = (
            np.asarray(state[k], np.float32) for k in ("rows", "features")
        )
        self.rows = np.empty((self.capacity, rows.shape[1]), np.float32)
        self.rows[: len(rows)] = rows
        self.blocks = blocks_for(1, self.capacity, features.shape[1])
        slots = np.arange(len(features))
        put(self.blocks, np.zeros_like(slots), slots, features)
        large = {name: int(word) for name, word in state["random"]["state"].items()}
        self._random.bit_generator.state = {**state["random"], "state": large}


class _Neighbours(ABC):
    """What the three have in common: an encoder, a memory, the nearest in it."""

    scaled_by_default = True
    per_transition = True

    def __init__(
        self,
        k: int,
        encoder: Kind,
        features: int,
        hidden: int,
        capacity: int,
        **training: Unpack[TrainingOptions],
    ) -> None:
        check_sizes(k=k, capacity=capacity)
        if k > capacity:
            raise ValueError(
                f"k is {k}, but only {capacity} states are remembered; "
                "lower k or raise capacity"
            )
        self.k = k
        self.encoder = Encoder(encoder, features, hidden, **training)
        self.memory = Reservoir(capacity)

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the spaces, and the seed of encoder and memory."""
        own, encoder = np.random.SeedSequence(seed).generate_state(2)
        self.encoder.setup(observation_space, action_space, int(encoder))
        if not self.memory.added:  # what was loaded stays
            self.memory = Reservoir(self.memory.capacity, int(own))

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the novelty, `(T, N)` float32; 0 while nothing is remembered."""
        rows = self.encoder.rows(batch.next_obs)
        if not self.memory.size:
            return np.zeros(batch.shape, np.float32)
        paid = self._pay(self._nearest(rows, self.k))
        return paid.astype(np.float32, copy=False).reshape(batch.shape)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Train the encoder, if it learns, and remember states of the batch."""
        version = self.encoder.version
        log = self.encoder.update(batch)
        slots = self.memory.add(self.encoder.rows(batch.next_obs))
        if self.encoder.version != version:
            slots = np.arange(self.memory.size)
        self.memory.tell(self.encoder, slots)
        return {**log, "states_remembered": float(self.memory.size)}

    def state_dict(self) -> dict[str, Any]:
        """Return the encoder and the memory."""
        return {
            "encoder": self.encoder.state_dict(),
            "memory": self.memory.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.encoder.load_state_dict(state["encoder"])
        self.memory.load_state_dict(state["memory"])

    def _nearest(self, rows: np.ndarray, k: int) -> np.ndarray:
        """Return squared distances from rows `(B, D)` to the k nearest, `(B, k)`."""
        features = self.encoder.encode_rows(rows).cpu().numpy()
        return nearest(features, self.memory.blocks, self.memory.size, k)

    @abstractmethod
    def _pay(self, squared: np.ndarray) -> np.ndarray:
        """Return the bonus from squared distances `(B, k)`, `(B,)`."""


class RE3(_Neighbours):
    """Distance to the k-th nearest state ever met, in the features of an encoder.

    Formula: `log(1 + |f(s') - f(s_k)|)`, s_k the k-th nearest in the memory. The memory
    is a uniform sample of the next observations of all updates so far (`Reservoir`),
    `compute` sees it as the last update left it. While fewer than k are remembered, the
    farthest stands in for the k-th; while there are none, nothing is paid. A replayed
    state that is in the memory is its own nearest neighbour.

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`. Memory: `capacity`
    observations and their features, float32; time grows with `capacity` too.

    Args:
        k: Which neighbour.
        encoder: See `encoders.Encoder`; fixed random features in the paper.
        features: Number of features.
        hidden: Width of the encoder.
        capacity: How many states are remembered.
        **training: See `networks.TrainingOptions`; for `encoder="inverse"`.

    Source: Seo et al. 2021, "State entropy maximization with random encoders for
    efficient exploration" (RE3), the intrinsic reward; the memory is bounded here.
    """

    def __init__(
        self,
        k: int = 3,
        encoder: Kind = "random",
        features: int = 32,
        hidden: int = 128,
        capacity: int = 2048,
        **training: Unpack[TrainingOptions],
    ) -> None:
        super().__init__(k, encoder, features, hidden, capacity, **training)

    def _pay(self, squared: np.ndarray) -> np.ndarray:
        return np.log1p(np.sqrt(farthest(squared)))


class KNNEntropy(_Neighbours):
    """Particle estimate of the entropy: mean distance to the k nearest states ever met.

    Formula: `log(c + 1/k sum_i |f(s') - f(s_i)|)` over the k nearest s_i in the memory,
    or over all while fewer are remembered; nothing is paid while there are none. With
    the default c = 1 the bonus is never negative.

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`. Memory: as `RE3`.

    Args:
        k: How many neighbours.
        c: Constant inside the logarithm.
        encoder: See `encoders.Encoder`; learnt features in the paper ("inverse").
        features: Number of features.
        hidden: Width of the encoder.
        capacity: How many states are remembered.
        **training: See `networks.TrainingOptions`; for `encoder="inverse"`.

    Source: Liu and Abbeel 2021, "Behavior from the void: unsupervised active
    pre-training" (APT), the intrinsic reward, with the exponent of the distance left
    out as in url_benchmark, whose k = 12 this is.
    """

    def __init__(
        self,
        k: int = 12,
        c: float = 1.0,
        encoder: Kind = "random",
        features: int = 32,
        hidden: int = 128,
        capacity: int = 2048,
        **training: Unpack[TrainingOptions],
    ) -> None:
        if not c > 0:
            raise ValueError(f"c is {c}; it must be positive: its logarithm is paid")
        super().__init__(k, encoder, features, hidden, capacity, **training)
        self.c = c

    def _pay(self, squared: np.ndarray) -> np.ndarray:
        there = np.isfinite(squared)
        total = np.sqrt(np.where(there, squared, 0)).sum(-1)
        return np.log(np.float32(self.c) + total / there.sum(-1, dtype=np.float32))


class PseudoCount(_Neighbours):
    """Kernel count of the states near s', over a lifetime.

    Formula: `1 / (sqrt(sum_i K(s', s_i)) + c)` over the k nearest s_i in the memory,
    `K = epsilon / (d^2 / d_m^2 + epsilon)`, d their distance in features, `d_m^2` the
    mean squared distance to the k-th neighbour. A missing neighbour counts nothing;
    while none is there, nothing is paid. `d_m^2` is a mean over all time; `update`
    measures it with at most 256 states of the batch, evenly spaced, before it remembers
    the batch (the first time after, each state without itself).

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`, at most `1 / c`.
    Memory: as `RE3`.

    Args:
        k: How many neighbours.
        epsilon: Width of the kernel.
        c: Constant that bounds the bonus.
        encoder: See `encoders.Encoder`; "inverse" in the paper.
        features: Number of features.
        hidden: Width of the encoder.
        capacity: How many states are remembered.
        **training: See `networks.TrainingOptions`; for `encoder="inverse"`.

    Source: Badia et al. 2020, "Never give up", equations 2 and 3, with a memory that
    outlives the episode; `episodic.EpisodicKNN` is theirs.
    """

    def __init__(
        self,
        k: int = 10,
        epsilon: float = 1e-3,
        c: float = 1e-3,
        encoder: Kind = "random",
        features: int = 32,
        hidden: int = 128,
        capacity: int = 2048,
        **training: Unpack[TrainingOptions],
    ) -> None:
        check_kernel(epsilon, c)
        super().__init__(k, encoder, features, hidden, capacity, **training)
        self.epsilon, self.c = epsilon, c
        self.spacing = Spacing()

    def update(self, batch: Transitions) -> dict[str, float]:
        """Measure how far apart states are, then learn and remember."""
        rows = self.encoder.rows(batch.next_obs)
        probes = rows[:: -(-len(rows) // PROBES)]
        if self.memory.size:
            self.spacing.note(farthest(self._nearest(probes, self.k)))
        log = super().update(batch)
        if self.spacing.value is None and not self.spacing.count:
            squared = self._nearest(probes, self.k + 1)
            others = np.delete(squared, 0, axis=1)  # the nearest is the state itself
            self.spacing.note(farthest(others))
        self.spacing.settle()
        return {**log, "neighbour_distance_squared": float(self.spacing.value or 0)}

    def state_dict(self) -> dict[str, Any]:
        """Return encoder, memory and distance."""
        return {**super().state_dict(), "spacing": self.spacing.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        super().load_state_dict(state)
        self.spacing.load_state_dict(state["spacing"])

    def _pay(self, squared: np.ndarray) -> np.ndarray:
        near = similarity(squared, self.spacing.value or 0.0, self.epsilon)
        return 1 / (np.sqrt(near) + np.float32(self.c))
