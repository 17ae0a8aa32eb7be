"""What the lanes have met in their running episodes: rows of numbers, or hashes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from curiosity_rl.jit import kernel
from curiosity_rl.protocols import Observation, Transitions
from curiosity_rl.rewards.statistics import lane_rows

ONE = np.uint64(1)
SMALLEST = 64


class Walk(NamedTuple):
    """How a kernel walks through a batch, lane by lane, each through time.

    Attributes:
        lanes: The lane of each column, `(N,)` int64.
        begin: Which of the states that begin an episode is met before a transition,
            `(T, N)` int64; -1 where no episode begins.
        done: Where episodes end, `(T, N)` bool.
    """

    lanes: np.ndarray
    begin: np.ndarray
    done: np.ndarray


class Lanes:
    """How many states each lane has met in its running episode, `count` `(lanes,)`."""

    def __init__(self) -> None:
        self.count = np.zeros(0, np.int64)

    def walk(self, batch: Transitions) -> Walk:
        """Return how to walk through a batch.

        Raises:
            ValueError: If the batch has other lanes than those before.
        """
        if not len(self.count):
            self.count = np.zeros(batch.shape[1], np.int64)
        known = np.arange(len(self.count))
        lanes = known[lane_rows(len(known), batch.shape[1], batch.lanes)]
        done = np.ascontiguousarray(batch.done)
        begins = np.concatenate([self.count[None, lanes] == 0, done[:-1]])
        number = np.cumsum(begins).reshape(begins.shape) - 1
        return Walk(lanes, np.where(begins, number, -1), done)

    def forget(self) -> None:
        """Begin a new episode in all lanes."""
        self.count[:] = 0


class EpisodeRows(Lanes):
    """The last `capacity` rows of each running episode, in a ring per lane.

    Memory: `lanes * capacity * D` float32. The n-th state of an episode lies in slot
    `n % capacity`. Whoever keeps features beside the rows moves `count`, after `keep`.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.rows = np.empty((0, capacity, 0), np.float32)

    def keep(self, walk: Walk, rows: np.ndarray, begun: np.ndarray) -> None:
        """Keep what the episodes that go on after a batch have met in it.

        Args:
            walk: See `Walk`.
            rows: States reached, `(T * N, D)`.
            begun: States in which episodes began, `(S, D)`.
        """
        if not self.rows.size:
            self._begin(rows.shape[1])
        _keep(*walk, rows, begun, self.count, self.rows)

    def held(self) -> tuple[np.ndarray, np.ndarray]:
        """Return lanes and slots of all that is kept, `(M,)` each, lane by lane."""
        lanes, slots = np.nonzero(np.arange(self.capacity) < self.count[:, None])
        return lanes, slots

    def state_dict(self) -> dict[str, Any]:
        """Return numbers and rows."""
        return {"count": self.count.copy(), "rows": self.rows[self.held()]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            ValueError: If it comes from a memory of another capacity.
        """
        self.count = np.array(state["count"], dtype=np.int64)
        rows = np.asarray(state["rows"], np.float32)
        if len(rows) != np.minimum(self.count, self.capacity).sum():
            raise ValueError(
                f"the saved memory of episodes does not fit a capacity of "
                f"{self.capacity}; build the reward with the saved capacity"
            )
        self._begin(rows.shape[1])
        self.rows[self.held()] = rows

    def _begin(self, width: int) -> None:
        shape = (len(self.count), self.capacity, width)
        self.rows = np.empty(shape, np.float32)  # takes no memory before it is used


class EpisodeTable(Lanes):
    """How often each hash was met in each running episode.

    One table per lane, at most half full; an entry of an episode that is over is an
    empty place. Memory: for every lane 48 to 96 bytes per different state of the
    fullest lane, of which a lane remembers at most `capacity`: an episode that meets
    more starts over.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self._fresh()

    @property
    def mean_states(self) -> float:
        """How many different states a running episode has met, over the lanes."""
        return float(self._states.mean()) if len(self._states) else 0.0

    def visit(self, walk: Walk, reached: np.ndarray, begun: np.ndarray) -> np.ndarray:
        """Meet states; return how often each has been met, this time included.

        Args:
            walk: See `Walk`.
            reached: Hashes of the states reached, `(T * N,)`.
            begun: Hashes of the states in which episodes began, `(S,)`.

        Returns:
            The visits, `(T, N)` int64.
        """
        if not len(self._episode):
            self._episode = np.ones(len(self.count), np.int64)
            self._states = np.zeros(len(self.count), np.int64)
        self._make_room(int(self._states.max()) + len(walk.done) + 1)
        out = np.empty(walk.done.shape, np.int64)
        tables = (self._keys, self._visits, self._owner, self._episode, self._states)
        _visit_all(*walk, reached, begun, self.count, *tables, self.capacity, out)
        return out

    def forget(self) -> None:
        """Begin a new episode in all lanes."""
        super().forget()
        self._episode += 1
        self._states[:] = 0

    def state_dict(self) -> dict[str, Any]:
        """Return lane, hash (as int64) and visits of every state of every episode."""
        lane, hashes, visits = self._entries()
        order = np.lexsort((hashes, lane))  # the same whatever the size of the table
        return {
            "count": self.count.copy(),
            "lane": lane[order],
            "hash": hashes[order].view(np.int64),
            "visits": visits[order],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._fresh()
        self.count = np.array(state["count"], dtype=np.int64)
        lane = np.array(state["lane"], dtype=np.int64)
        self._episode = np.ones(len(self.count), np.int64)
        self._states = np.bincount(lane, minlength=len(self.count)).astype(np.int64)
        hashes = np.array(state["hash"], dtype=np.int64).view(np.uint64)
        self._fill(lane, hashes, np.array(state["visits"], dtype=np.int64))

    def _fresh(self) -> None:
        self._episode = np.zeros(0, np.int64)  # of each lane, so that tables need not
        self._states = np.zeros(0, np.int64)  # be emptied; how many it has met
        self._keys = np.zeros((0, SMALLEST), np.uint64)
        self._visits = np.zeros((0, SMALLEST), np.int64)
        self._owner = np.zeros((0, SMALLEST), np.int64)

    def _entries(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        where = np.nonzero(self._owner == self._episode[: len(self._owner), None])
        return where[0], self._keys[where], self._visits[where]

    def _make_room(self, states: int) -> None:
        """Have tables in which this many states take at most half."""
        room = 2 * (min(states, self.capacity) + 1)
        if room > self._keys.shape[1] or len(self._keys) != len(self._episode):
            self._fill(*self._entries(), room)

    def _fill(
        self, lane: np.ndarray, hashes: np.ndarray, visits: np.ndarray, room: int = 0
    ) -> None:
        room = max(room, SMALLEST, 2 * (int(self._states.max(initial=0)) + 1))
        shape = (len(self._episode), 1 << (room - 1).bit_length())
        self._keys = np.zeros(shape, np.uint64)
        self._visits = np.zeros(shape, np.int64)
        self._owner = np.zeros(shape, np.int64)
        tables = (self._keys, self._visits, self._owner, self._episode)
        _put_all(lane, hashes, visits, *tables)


def pick(obs: Observation, chosen: np.ndarray) -> Observation:
    """Return the observations where `chosen` `(T, N)`, `(1, S, ...)`."""
    if isinstance(obs, Mapping):
        return {key: np.asarray(part)[chosen][None] for key, part in obs.items()}
    return np.asarray(obs)[chosen][None]


@kernel
def _keep_row(rows, i, kept, lane, number):
    slot = number % kept.shape[1]
    for j in range(rows.shape[1]):
        kept[lane, slot, j] = rows[i, j]


@kernel
def _keep(lanes, begin, done, rows, begun, count, kept):
    columns = len(lanes)
    for column in range(columns):
        lane = lanes[column]
        first = len(done)  # of the episode that goes on; what ends here is not kept
        while first > 0 and not done[first - 1, column]:
            first -= 1
        number = count[lane] if first == 0 else 0
        for t in range(first, len(done)):
            if begin[t, column] >= 0:
                _keep_row(begun, begin[t, column], kept, lane, number)
                number += 1
            _keep_row(rows, t * columns + column, kept, lane, number)
            number += 1


@kernel
def _place(keys, owner, lane, episode, h):
    """Return where a hash of this episode is, or belongs."""
    last = np.uint64(keys.shape[1] - 1)
    place = h & last
    while owner[lane, place] == episode and keys[lane, place] != h:
        place = (place + ONE) & last
    return place


@kernel
def _visit(keys, visits, owner, lane, episode, h):
    """Count a visit; return how many there are now."""
    place = _place(keys, owner, lane, episode, h)
    if owner[lane, place] != episode:
        owner[lane, place] = episode
        keys[lane, place] = h
        visits[lane, place] = 0
    visits[lane, place] += 1
    return visits[lane, place]


@kernel
def _put_all(lane, hashes, amounts, keys, visits, owner, episode):
    for i in range(len(hashes)):
        n = lane[i]
        place = _place(keys, owner, n, episode[n], hashes[i])
        owner[n, place] = episode[n]
        keys[n, place] = hashes[i]
        visits[n, place] = amounts[i]


@kernel
def _meet(keys, visits, owner, lane, episode, states, capacity, h):
    """Count a visit in the lane's episode, which starts over where it is full."""
    now = _visit(keys, visits, owner, lane, episode[lane], h)
    if now == 1:
        states[lane] += 1
        if states[lane] > capacity:
            episode[lane] += 1
            states[lane] = 1
            _visit(keys, visits, owner, lane, episode[lane], h)
    return now


@kernel
def _visit_all(
    lanes,
    begin,
    done,
    reached,
    begun,
    count,
    keys,
    visits,
    owner,
    episode,
    states,
    capacity,
    out,
):
    columns = len(lanes)
    for column in range(columns):
        lane = lanes[column]
        for t in range(len(done)):
            i = begin[t, column]
            if i >= 0 and len(begun) > 0:
                _meet(keys, visits, owner, lane, episode, states, capacity, begun[i])
            h = reached[t * columns + column]
            out[t, column] = _meet(
                keys, visits, owner, lane, episode, states, capacity, h
            )
            count[lane] += 1
            if done[t, column]:
                count[lane] = 0
                episode[lane] += 1
                states[lane] = 0
