"""Rewards that ask where a transition came from, and whether it leads somewhere new."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from curiosity_rl.jit import kernel
from curiosity_rl.protocols import IntrinsicReward, Observation, Transitions
from curiosity_rl.rewards.combinators import Composite, is_per_transition, score
from curiosity_rl.rewards.hashing import EMPTY
from curiosity_rl.rewards.novelty import Count, Mode
from curiosity_rl.rewards.statistics import lane_rows


class Difference(Composite):
    """How much more novel the state reached is than the state left.

    Formula: `max(nov(s') - alpha * nov(s), 0)`. nov is a reward that looks at the state
    reached and at nothing else (`count`, `rnd`, `re3`, ...): nov(s) is what it pays for
    the transition with s in the place of s'.

    Shapes: in and out `(T, N)`.

    Args:
        reward: nov, see above.
        alpha: Weight of the state left.

    Raises:
        ValueError: If the reward is no function of the transition, so that nobody
            knows what it would have paid for s.

    Source: Zhang et al. 2021, "NovelD: a simple yet effective exploration criterion",
    equation 1; Zhang et al. 2020, "BeBold", has alpha = 1.
    """

    def __init__(self, reward: IntrinsicReward, alpha: float = 0.5) -> None:
        if not is_per_transition(reward):
            raise ValueError(
                f"{type(reward).__name__} pays for more than a transition (an episode, "
                "or what the world reports), so the novelty of the state left is "
                "unknown; use a reward whose per_transition is True, such as count or "
                "rnd"
            )
        if not alpha >= 0:
            raise ValueError(f"alpha is {alpha}; it must be 0 or more")
        super().__init__(reward)
        self.alpha = np.float32(alpha)

    def combine(self, bonuses: Sequence[np.ndarray]) -> np.ndarray:
        """Return the difference of novelties before and after, `(T, N)` float32."""
        before, after = bonuses
        return np.maximum(after - self.alpha * before, 0).astype(np.float32)

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the gain in novelty, `(T, N)` float32."""
        before = score(self.parts[0], replace(batch, next_obs=batch.obs))
        return self.combine([before, self.parts[0].compute(batch)])

    def score(self, batch: Transitions) -> np.ndarray:
        """Return the gain in novelty of replayed transitions, `(T, N)` float32."""
        before = score(self.parts[0], replace(batch, next_obs=batch.obs))
        return self.combine([before, score(self.parts[0], batch)])


class FirstVisit(Composite):
    """A bonus paid only where the episode reaches a state for the first time.

    Formula: `bonus * [s' is none of the states of this episode so far]`. The state that
    an episode starts in has been visited. s' is the true next observation, also at the
    end, where the lane forgets everything before the next episode begins.

    States are told apart as in `novelty.Count`. A replayed transition belongs to no
    episode: `score` leaves the gate open.

    Shapes: in and out `(T, N)`. Memory: per lane at most `memory` states in up to
    32 bytes each; a lane that has met so many in one episode forgets them and goes on.

    Args:
        reward: What is paid.
        mode: See `novelty.Count`.
        key: See `novelty.Count`. With a key of info, of which a start has none, a state
            counts as visited from the first time it is reached.
        bits: See `novelty.Count`.
        memory: See above.

    Source: Zhang et al. 2021, "NovelD", section 3 (episodic restriction); Raileanu and
    Rocktaschel 2020, "RIDE", section 3.2, for counts within an episode.
    """

    per_transition = False  # type: ignore[assignment]

    def __init__(
        self,
        reward: IntrinsicReward,
        mode: Mode = "auto",
        key: str | Callable[[Observation], np.ndarray] | None = None,
        bits: int = 32,
        memory: int = 8192,
    ) -> None:
        if memory < 2:
            raise ValueError(f"memory is {memory}; it must be 2 or more states")
        super().__init__(reward)
        self.states = Count(mode, key, bits)
        self.memory = memory
        self._begin(0)

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Pass on the spaces and the seed."""
        super().setup(observation_space, action_space, seed)
        self.states.setup(observation_space, action_space, seed)

    def forget(self) -> None:
        """Begin new episodes in all lanes."""
        super().forget()
        self._begin(len(self._sizes))

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the bonus of first visits, 0 elsewhere, `(T, N)` float32."""
        bonus = self.parts[0].compute(batch).astype(np.float32)
        if not len(self._sizes):
            self._begin(batch.shape[1])
        rows = lane_rows(len(self._sizes), batch.shape[1], batch.lanes)
        lanes = np.arange(len(self._sizes))[rows]
        reached = self.states.hashes(batch).reshape(batch.shape)
        first = np.empty(batch.shape, bool)
        done = batch.done
        starts = self._starts(batch, self._fresh[lanes], done)
        _first_visits(
            lanes, starts, reached, done, self.memory, self._known, self._sizes, first
        )
        self._fresh[lanes] = done[-1]
        return np.where(first, bonus, np.float32(0))

    def score(self, batch: Transitions) -> np.ndarray:
        """Return the bonus of replayed transitions, the gate open, `(T, N)` float32."""
        return score(self.parts[0], batch)

    def own_state(self) -> dict[str, Any]:
        """Return what the lanes have met, and the projection of the hashes."""
        lane, place = np.nonzero(self._known)
        return {
            "states": self.states.state_dict(),
            "lane": lane,
            "place": place,
            "hash": self._known[lane, place].view(np.int64),
            "sizes": self._sizes.copy(),
            "fresh": self._fresh.copy(),
        }

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Restore what `own_state` returned."""
        self.states.load_state_dict(state["states"])
        self._begin(len(state["sizes"]))
        hashes = np.array(state["hash"], np.int64).view(np.uint64)
        self._known[np.array(state["lane"]), np.array(state["place"])] = hashes
        self._sizes[:] = state["sizes"]
        self._fresh[:] = state["fresh"]

    def _begin(self, lanes: int) -> None:
        """Make the tables of all lanes, at most half full, empty."""
        room = 1 << (2 * self.memory - 1).bit_length()
        self._known = np.zeros((lanes, room), np.uint64)
        self._sizes = np.zeros(lanes, np.int64)
        self._fresh = np.ones(lanes, bool)  # no step of the episode seen yet

    def _starts(
        self, batch: Transitions, fresh: np.ndarray, done: np.ndarray
    ) -> np.ndarray:
        """Return hashes of the states episodes start in, `(T, N)`; EMPTY elsewhere."""
        starts = np.full(batch.shape, EMPTY)
        begins = np.concatenate([fresh[None], done[:-1]])
        if begins.any() and not isinstance(self.states.key, str):
            first = _where(batch.obs, begins)
            starts[begins] = self.states.hashes(replace(batch, next_obs=first))
        return starts


@kernel
def _first_visits(lanes, starts, reached, done, memory, known, sizes, first):
    """Walk the lanes through time; `known` holds a table of hashes per lane."""
    for column in range(len(lanes)):
        lane = lanes[column]
        for t in range(len(reached)):
            if starts[t, column] != EMPTY:
                sizes[lane] += _insert(known, lane, starts[t, column])
            new = _insert(known, lane, reached[t, column])
            first[t, column] = new == 1
            sizes[lane] += new
            if done[t, column] or sizes[lane] >= memory:
                known[lane, :] = EMPTY
                sizes[lane] = 0


@kernel
def _insert(known, lane, h):
    """Put a hash into the table of a lane; return 1 if it was not there, else 0."""
    last = np.uint64(known.shape[1] - 1)
    place = h & last
    while known[lane, place] != EMPTY:
        if known[lane, place] == h:
            return 0
        place = (place + np.uint64(1)) & last
    known[lane, place] = h
    return 1


def _where(obs: Observation, chosen: np.ndarray) -> Observation:
    """Return the observations where `chosen`, `(T, N)`, as `(1, count, ...)`."""
    if isinstance(obs, Mapping):
        return {key: np.asarray(part)[chosen][None] for key, part in obs.items()}
    return np.asarray(obs)[chosen][None]
