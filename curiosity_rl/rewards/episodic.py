"""Novelty in an episode: pay for states unlike those met since it began.

What an episode has met lies in a memory per lane, carried from batch to batch and empty
again once the transition that ends the episode was paid. The state in which an episode
begins has been met: to come back to it is not new. `forget` begins episodes in all
lanes. These bonuses need their episode: they cannot be told for a replayed transition.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Unpack

import numpy as np

from curiosity_rl.protocols import Observation, Transitions
from curiosity_rl.rewards.distances import (
    WIDTH,
    Spacing,
    blocks_for,
    check_kernel,
    farthest,
    get,
    put,
    similarity,
    walk_neighbours,
)
from curiosity_rl.rewards.ellipses import absorb_all, walk_ellipses
from curiosity_rl.rewards.encoders import Encoder, Kind
from curiosity_rl.rewards.episodes import EpisodeRows, EpisodeTable, Walk, pick
from curiosity_rl.rewards.networks import TrainingOptions, check_sizes
from curiosity_rl.rewards.novelty import Count, Mode


class EpisodicCount:
    """Count-based novelty within the episode.

    Formula: `1 / sqrt(n(s'))`, `n` the visits to s' in this episode, this one included:
    a first visit pays 1, the second 0.71. The state in which the episode begins counts
    as visited (not with a key of info, which is told of steps only). What counts as the
    same state is said as for `novelty.Count`.

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`. Memory: 48 bytes
    per different state of the running episodes, at most `capacity` per lane: an episode
    that meets more begins to count anew.

    Args:
        mode: See `novelty.Count`.
        key: See `novelty.Count`.
        bits: See `novelty.Count`.
        capacity: Most states that a lane remembers.

    Source: Raileanu and Rocktaschel 2020, "RIDE" (`N_ep`); Zhang et al. 2021, "NovelD"
    (`N_e`); Henaff et al. 2023, "A study of global and episodic bonuses".
    """

    scaled_by_default = True
    per_transition = False

    def __init__(
        self,
        mode: Mode = "auto",
        key: str | Callable[[Observation], np.ndarray] | None = None,
        bits: int = 32,
        capacity: int = 65_536,
    ) -> None:
        check_sizes(capacity=capacity)
        self.states = Count(mode, key, bits)  # for its hashes; it counts nothing
        self.table = EpisodeTable(capacity)

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the observation space, and the seed of the codes."""
        self.states.setup(observation_space, action_space, seed)

    def forget(self) -> None:
        """Begin a new episode in all lanes."""
        self.table.forget()

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the novelty, `(T, N)` float32, and count the visits.

        Raises:
            ValueError: If the world does not report the key.
        """
        walk = self.table.walk(batch)
        reached = self.states.hashes(batch)
        begun, begins = reached[:0], walk.begin >= 0
        if begins.any() and not isinstance(self.states.key, str):
            first = pick(batch.obs, begins)
            begun = self.states.hashes(replace(batch, next_obs=first))
        visits = self.table.visit(walk, reached, begun)
        return (1 / np.sqrt(visits)).astype(np.float32)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Learn nothing but the scale of a SimHash, once; counts are the episode's."""
        if self.states.measure(batch):
            self.forget()  # codes of the states met so far mean nothing any more
        return {"states_in_episode": self.table.mean_states}

    def state_dict(self) -> dict[str, Any]:
        """Return the counts of the running episodes, and the code."""
        hashing = self.states.state_dict()
        return {"states": hashing, "episodes": self.table.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.states.load_state_dict(state["states"])
        self.table.load_state_dict(state["episodes"])


class _InFeatures(ABC):
    """What the two others share: an encoder, and the states of the running episodes.

    When the encoder moves, the features remembered from the middle of an episode mean
    nothing beside new ones, so `update` tells them anew from the states themselves.
    """

    scaled_by_default = True
    per_transition = False

    def __init__(
        self,
        encoder: Kind,
        features: int,
        hidden: int,
        capacity: int,
        **training: Unpack[TrainingOptions],
    ) -> None:
        check_sizes(capacity=capacity)
        self.encoder = Encoder(encoder, features, hidden, **training)
        self.memory = EpisodeRows(capacity)
        self._empty()

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the spaces, and the seed of the encoder."""
        self.encoder.setup(observation_space, action_space, seed)

    def forget(self) -> None:
        """Begin a new episode in all lanes."""
        self.memory.forget()

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the novelty, `(T, N)` float32, and remember the states."""
        walk = self.memory.walk(batch)
        rows = self.encoder.rows(batch.next_obs)
        begun = self.encoder.rows(pick(batch.obs, walk.begin >= 0))
        features, first = self._features(rows), self._features(begun)
        self.memory.keep(walk, rows, begun)
        paid = self._pay(walk, features, first)
        return paid.astype(np.float32, copy=False).reshape(batch.shape)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Train the encoder, if it learns, and tell anew what is remembered."""
        version = self.encoder.version
        log = self.encoder.update(batch)
        held = self.memory.held()
        if self.encoder.version != version and len(self.memory.count):
            self._restore(*held, self._features(self.memory.rows[held]))
        return log

    def state_dict(self) -> dict[str, Any]:
        """Return the encoder and the running episodes."""
        return {
            "encoder": self.encoder.state_dict(),
            "memory": self.memory.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.encoder.load_state_dict(state["encoder"])
        self.memory.load_state_dict(state["memory"])
        self._empty()

    def _features(self, rows: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self.encoder.encode_rows(rows).cpu().numpy())

    @abstractmethod
    def _empty(self) -> None:
        """Remember no features."""

    @abstractmethod
    def _pay(self, walk: Walk, features: np.ndarray, begun: np.ndarray) -> np.ndarray:
        """Return the bonus of the features reached, `(T * N,)`; move the memory."""

    @abstractmethod
    def _restore(
        self, lanes: np.ndarray, slots: np.ndarray, features: np.ndarray
    ) -> None:
        """Replace what is remembered by these features, lane by lane."""


class EpisodicKNN(_InFeatures):
    """Kernel count of the states near s' within the episode: NGU's episodic bonus.

    Formula: `1 / (sqrt(sum_i K_i) + c)` over the k nearest s_i that the episode has met
    before s', `K_i = epsilon / (max(d_i^2 / d_m^2 - cluster, 0) + epsilon)`, `d_i` the
    distance in features; 0 where the denominator exceeds `max_similarity`. A missing
    neighbour adds nothing, and there is always one: the state in which the episode
    began. `d_m^2` is the mean over all time of the squared distance to the k-th
    neighbour (the farthest, while fewer were met); it moves in `update` only, by what
    `compute` met since, and before the first `update` nothing is paid.

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`, at most `1 / c`.
    Memory: the last `capacity` states of each lane's episode, `lanes * capacity *
    (D + F)` float32, D numbers in an observation; time grows with it too.

    Args:
        k: How many neighbours.
        epsilon: Width of the kernel.
        c: Constant that bounds the bonus.
        cluster: Scaled squared distance below which two states are the same.
        max_similarity: See the formula.
        encoder: See `encoders.Encoder`.
        features: Number of features.
        hidden: Width of the encoder.
        capacity: How many states of an episode are remembered.
        **training: See `networks.TrainingOptions`.

    Source: Badia et al. 2020, "Never give up", section 2, equations 2 and 3, algorithm
    1 (which moves `d_m^2` at every step and remembers 30,000 states).
    """

    def __init__(
        self,
        k: int = 10,
        epsilon: float = 1e-3,
        c: float = 1e-3,
        cluster: float = 0.008,
        max_similarity: float = 8.0,
        encoder: Kind = "inverse",
        features: int = 32,
        hidden: int = 128,
        capacity: int = 1024,
        **training: Unpack[TrainingOptions],
    ) -> None:
        check_sizes(k=k)
        check_kernel(epsilon, c)
        super().__init__(encoder, features, hidden, capacity, **training)
        self.k, self.epsilon, self.c = k, epsilon, c
        self.cluster, self.max_similarity = cluster, max_similarity
        self.spacing = Spacing()

    def update(self, batch: Transitions) -> dict[str, float]:
        """Train the encoder, and take the distances met since into their mean."""
        log = super().update(batch)
        self.spacing.settle()
        return {**log, "neighbour_distance_squared": float(self.spacing.value or 0)}

    def state_dict(self) -> dict[str, Any]:
        """Return encoder, episodes, their features and the mean distance."""
        features = get(self._blocks, *self.memory.held())
        return {
            **super().state_dict(),
            "features": features,
            "spacing": self.spacing.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        super().load_state_dict(state)
        features = np.asarray(state["features"], np.float32)
        self._restore(*self.memory.held(), features)
        self.spacing.load_state_dict(state["spacing"])

    def _empty(self) -> None:
        self._blocks = blocks_for(0, self.memory.capacity, 0)

    def _restore(
        self, lanes: np.ndarray, slots: np.ndarray, features: np.ndarray
    ) -> None:
        shape = (len(self.memory.count), self.memory.capacity, features.shape[1])
        self._blocks = blocks_for(*shape)
        put(self._blocks, lanes, slots, features)

    def _pay(self, walk: Walk, features: np.ndarray, begun: np.ndarray) -> np.ndarray:
        if not self._blocks.size:
            none = np.zeros(0, np.int64)
            self._restore(none, none, features[:0])
        squared = np.full((len(features), self.k), np.inf, np.float32)
        memory = (self.memory.count, self.memory.capacity, self._blocks)
        scratch = np.empty(WIDTH, np.float32)
        walk_neighbours(*walk, features, begun, *memory, squared, scratch)
        self.spacing.note(farthest(squared))
        if self.spacing.value is None:
            return np.zeros(len(squared), np.float32)
        near = similarity(squared, self.spacing.value, self.epsilon, self.cluster)
        total = np.sqrt(near) + np.float32(self.c)
        return np.where(total > self.max_similarity, 0, 1 / total)


class E3B(_InFeatures):
    """Elliptical novelty within the episode.

    Formula: `phi^T C^-1 phi` with `phi` the features of s' and
    `C = ridge I + sum_i phi_i phi_i^T` over the states that the episode has met before
    s', the first one included. The inverse is kept by Sherman and Morrison's formula,
    in float64, and is `I / ridge` again after the transition that ends the episode.
    When the encoder moves (in `update`), C is built anew from today's features of the
    last `capacity` states; while it stands still, C holds the whole episode.

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`. Memory: per lane,
    `F^2` float64 and `capacity * D` float32, D numbers in an observation.

    Args:
        ridge: Regulariser.
        encoder: See `encoders.Encoder`.
        features: Number of features F.
        hidden: Width of the encoder.
        capacity: How many states of an episode are remembered for a moving encoder.
        **training: See `networks.TrainingOptions`.

    Source: Henaff et al. 2022, "Exploration via elliptical episodic bonuses", equation
    3 and algorithm 1.
    """

    def __init__(
        self,
        ridge: float = 0.1,
        encoder: Kind = "inverse",
        features: int = 64,
        hidden: int = 128,
        capacity: int = 1024,
        **training: Unpack[TrainingOptions],
    ) -> None:
        if not ridge > 0:
            raise ValueError(f"ridge is {ridge}; it must be positive: C is inverted")
        super().__init__(encoder, features, hidden, capacity, **training)
        self.ridge = ridge

    def forget(self) -> None:
        """Begin a new episode in all lanes."""
        super().forget()
        self._inverse[:] = np.eye(self._inverse.shape[1]) / self.ridge

    def state_dict(self) -> dict[str, Any]:
        """Return encoder, episodes and inverses."""
        return {**super().state_dict(), "inverse": self._inverse.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        super().load_state_dict(state)
        self._inverse = np.array(state["inverse"], dtype=np.float64)

    def _empty(self) -> None:
        self._inverse = np.zeros((0, 0, 0))

    def _restore(
        self, lanes: np.ndarray, slots: np.ndarray, features: np.ndarray
    ) -> None:
        start = np.eye(features.shape[1]) / self.ridge
        self._inverse = np.tile(start, (len(self.memory.count), 1, 1))
        absorb_all(lanes, features, self._inverse, np.empty(features.shape[1]))

    def _pay(self, walk: Walk, features: np.ndarray, begun: np.ndarray) -> np.ndarray:
        if not self._inverse.size:
            none = np.zeros(0, np.int64)
            self._restore(none, none, features[:0])
        paid = np.empty(len(features), np.float32)
        scratch = np.empty(features.shape[1])
        memory = (self.memory.count, self._inverse, 1 / self.ridge)
        walk_ellipses(*walk, features, begun, *memory, paid, scratch)
        return paid
