"""Regions of a space: cut in two where many points lie, with the errors made there."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from curiosity_rl.jit import kernel
from curiosity_rl.rewards.cuts import Split, best_cut

Kind = Literal["positive", "absolute", "signed"]


class Regions:
    """A tree of regions, and how the errors of each have fallen.

    `file` takes the errors of one update in time order. All of them were made by one
    and the same model, so that older and recent ones must be told apart by updates:
    the errors of a region are averaged over each update, and over as many updates as
    it takes to gather `smoothing` of them. One such average is an entry. With one row
    per update and `smoothing=1` that is one error of IAC.

    Progress of a region, with `older` and `recent` the mean errors in the last `window`
    entries and in the `window` before them (in two halves of what there is, until
    there are so many; 0 before there are two), `d = older - recent` and `noise` the
    standard error of d: `sign(d) * max(|d| - z * noise, 0)`; `positive` pays no
    negative progress, `absolute` its absolute value, `signed` all of it.

    A region that holds `capacity` remembered rows after an update is cut in two, by
    the axis and value (see `cuts.best_cut`) that leaves the least `variance` of the
    targets, or sets off most `progress` from least, as if the rows were two windows.
    Both parts begin with the errors of their own remembered rows. A region that no
    cut helps tries again `capacity` rows later.

    Memory: `memory` rows of a point, a target and an error, of which one update fills
    `1 / (2 * window)` at most (drawn at random), and `3 * (2 * window + 1)` numbers
    per region; nothing is remembered any more once there are `max_regions`.

    Shapes: points `(B, D)` float32, targets `(B, F)`, errors `(B,)`.

    Args:
        window: Entries in a window.
        smoothing: Errors that an entry holds at least.
        z: How many standard errors are taken for noise; 0 is the papers' rule.
        kind: See above.
        split: Which cut, see above; with `none` there is one region.
        capacity: See above.
        max_regions: Number of regions that are made.
        memory: See above.

    Raises:
        ValueError: For a setting out of its range.

    Source: Oudeyer, Kaplan, Hafner 2007, "Intrinsic motivation systems for autonomous
    mental development" (IAC: progress and cut by variance, at 250 exemplars); Baranes
    and Oudeyer 2009, "R-IAC: robust intrinsically motivated exploration and active
    learning" (cut by progress, among random cuts); Baranes and Oudeyer 2013, "Active
    learning of inverse models with intrinsically motivated goal exploration in robots"
    (sizes as weights of that cut, absolute progress). Entries and z are ours.
    """

    def __init__(
        self,
        window: int = 5,
        smoothing: int = 16,
        z: float = 2.0,
        kind: Kind = "positive",
        split: Split = "variance",
        capacity: int = 250,
        max_regions: int = 256,
        memory: int = 16384,
    ) -> None:
        if kind not in get_args(Kind):
            raise ValueError(
                f"kind is {kind!r}; allowed are {', '.join(get_args(Kind))}"
            )
        if split not in get_args(Split):
            raise ValueError(
                f"split is {split!r}; allowed are {', '.join(get_args(Split))}"
            )
        for name, size, least in (
            ("window", window, 1),
            ("smoothing", smoothing, 1),
            ("capacity", capacity, 4),
            ("max_regions", max_regions, 1),
            ("memory", memory, max(capacity, 2 * window)),
        ):
            if size < least:
                raise ValueError(f"{name} is {size}; it must be at least {least}")
        if not z >= 0:
            raise ValueError(f"z is {z}; it must be 0 or more standard errors")
        self.window, self.smoothing, self.z = window, smoothing, float(z)
        self.kind: Kind = kind
        self.split: Split = split
        self.capacity, self.max_regions = capacity, max_regions
        self.memory = memory
        self._seed = 0
        self._begin()

    def _begin(self) -> None:
        most, entries = self.max_regions, 2 * self.window + 1
        self.size = 1
        self.updates = 0
        # the tree: inner nodes have an axis, leaves -1 and their region as child 0
        self.axis = np.full(2 * most - 1, -1, np.int64)
        self.cut = np.zeros(2 * most - 1, np.float32)
        self.child = np.zeros((2 * most - 1, 2), np.int64)
        self.leaf = np.zeros(most, np.int64)  # the node of a region
        # rings of entries per region; the newest may still be gathering errors
        self.sums = np.zeros((most, entries))
        self.squares = np.zeros((most, entries))
        self.counts = np.zeros((most, entries), np.int64)
        self.newest = np.zeros(most, np.int64)
        self.latest = np.full(most, -1, np.int64)  # the update of the newest error
        self.rows = np.zeros(most, np.int64)  # filed since the last try to cut
        self._forget_rows()
        self.progress = np.zeros(1, np.float32)
        """Progress of every region as the last `file` left it, `(regions,)`."""

    def seed(self, seed: int) -> None:
        """Take the seed of the rows that are remembered."""
        self._seed = seed

    def find(self, points: np.ndarray) -> np.ndarray:
        """Return the region of every point, `(B,)` int64."""
        out = np.zeros(len(points), np.int64)
        if self.size > 1:
            points = np.ascontiguousarray(points, np.float32)
            _find(points, self.axis, self.cut, self.child, out)
        return out

    def file(self, points: np.ndarray, targets: np.ndarray, errors: np.ndarray) -> None:
        """Take the errors of one update, in time order; then cut what is full."""
        region = self.find(points)
        errors = np.ascontiguousarray(errors, np.float64)
        self._enter(region, errors, np.full(len(errors), self.updates))
        if self.split != "none" and self.size < self.max_regions:
            self._remember(region, points, targets, errors)
            self._cut_full()
            if self.size == self.max_regions:
                self._forget_rows()
        self.updates += 1
        self._assess()

    def state_dict(self) -> dict[str, Any]:
        """Return the tree, the entries and what is remembered."""
        held = min(self.filled, self.memory)
        state: dict[str, Any] = {name: getattr(self, name) for name in _NUMBERS}
        state |= {name: getattr(self, name).copy() for name in _PER_REGION}
        return state | {name: getattr(self, name)[:held].copy() for name in _PER_ROW}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._begin()
        for name in _NUMBERS:
            setattr(self, name, int(state[name]))
        for name in _PER_REGION:
            getattr(self, name)[...] = state[name]
        kept = {name: np.asarray(state[name]) for name in _PER_ROW}
        if len(kept["errors"]):
            self._allocate(kept["points"].shape[1], kept["targets"].shape[1])
            for name, value in kept.items():
                getattr(self, name)[: len(value)] = value
        self._assess()

    def _enter(self, region: np.ndarray, errors: np.ndarray, times: np.ndarray) -> None:
        rings = (self.sums, self.squares, self.counts, self.newest, self.latest)
        _enter(region, errors, times, self.smoothing, *rings)

    def _assess(self) -> None:
        """Work out the progress of all regions from their entries."""
        slots, h = self.counts.shape[1], self.window
        counts, newest = self.counts[: self.size], self.newest[: self.size]
        head = np.take_along_axis(counts, newest[:, None] % slots, 1)[:, 0]
        complete = newest + (head >= self.smoothing)
        half = np.minimum(complete // 2, h)[:, None]
        back = np.arange(2 * h)
        slot = (complete[:, None] - 1 - back) % slots
        means, noise = [], np.zeros(self.size)
        for chosen in (back < half, (back >= half) & (back < 2 * half)):
            n, total, square = (
                np.where(chosen, np.take_along_axis(ring[: self.size], slot, 1), 0)
                .sum(1)
                .astype(np.float64)
                for ring in (self.counts, self.sums, self.squares)
            )
            n = np.maximum(n, 1)
            means.append(total / n)
            noise += np.maximum(square / n - means[-1] ** 2, 0) / n
        fallen = means[1] - means[0]
        size = np.maximum(np.abs(fallen) - self.z * np.sqrt(noise), 0)
        if self.kind == "signed":
            size *= np.sign(fallen)
        elif self.kind == "positive":
            size[fallen < 0] = 0
        self.progress = size.astype(np.float32)

    def _forget_rows(self) -> None:
        """Drop the ring of rows, over all regions, that cuts are chosen by."""
        self.filled = 0
        self.points = np.zeros((0, 0), np.float32)
        self.targets = np.zeros((0, 0), np.float32)
        self.errors = np.zeros(0)
        self.times = np.zeros(0, np.int64)
        self.region = np.zeros(0, np.int64)

    def _allocate(self, width: int, outputs: int) -> None:
        self.points = np.zeros((self.memory, width), np.float32)
        self.targets = np.zeros((self.memory, outputs), np.float32)
        self.errors = np.zeros(self.memory)
        self.times = np.zeros(self.memory, np.int64)
        self.region = np.full(self.memory, -1, np.int64)

    def _remember(
        self,
        region: np.ndarray,
        points: np.ndarray,
        targets: np.ndarray,
        errors: np.ndarray,
    ) -> None:
        """Put rows of this update into the ring, all of them if they are few."""
        self.rows += np.bincount(region, minlength=len(self.rows))
        if not len(self.errors):
            self._allocate(points.shape[1], targets.shape[1])
        share = self.memory // (2 * self.window)
        chosen = np.arange(len(errors))
        if len(errors) > share:
            rng = np.random.default_rng((self._seed, self.updates))
            chosen = np.sort(rng.choice(len(errors), share, replace=False))
        at = (self.filled + np.arange(len(chosen))) % self.memory
        self.points[at], self.targets[at] = points[chosen], targets[chosen]
        self.errors[at], self.region[at] = errors[chosen], region[chosen]
        self.times[at] = self.updates
        self.filled += len(chosen)

    def _cut_full(self) -> None:
        """Cut all regions that hold enough rows, and the parts that still do."""
        held = np.bincount(self.region[self.region >= 0], minlength=self.size)
        full = (held >= self.capacity) & (self.rows[: self.size] >= self.capacity)
        waiting = [int(r) for r in np.flatnonzero(full)]
        while waiting and self.size < self.max_regions:
            r = waiting.pop(0)
            mine = np.flatnonzero(self.region == r)
            oldest = self.filled % self.memory if self.filled > self.memory else 0
            mine = mine[np.argsort((mine - oldest) % self.memory)]  # in time order
            if self._cut(r, mine):
                for part in (r, self.size - 1):
                    if np.count_nonzero(self.region == part) >= self.capacity:
                        waiting.append(part)
            else:
                self.rows[r] = 0

    def _cut(self, r: int, mine: np.ndarray) -> bool:
        """Cut one region by its rows in the ring; return whether a cut helps."""
        some = mine[np.arange(self.capacity) * len(mine) // self.capacity]
        found = best_cut(
            self.points[some],
            self.targets[some],
            self.errors[some],
            self.times[some],
            self.split,
        )
        if found is None:
            return False
        axis, cut = found
        parent, other = int(self.leaf[r]), self.size
        for side, part in enumerate((r, other)):
            node = 2 * self.size - 1 + side
            self.child[parent, side], self.leaf[part] = node, node
            self.axis[node], self.child[node, 0] = -1, part
        self.axis[parent], self.cut[parent] = axis, cut
        self.size += 1
        self.region[mine[self.points[mine, axis] > cut]] = other
        for part in (r, other):
            for ring in (self.sums, self.squares, self.counts, self.newest):
                ring[part] = 0
            self.latest[part] = -1
            self.rows[part] = self.capacity
        self._enter(self.region[mine], self.errors[mine], self.times[mine])
        return True


_NUMBERS = ("size", "updates", "filled")
_PER_REGION = (
    *("axis", "cut", "child", "leaf"),
    *("sums", "squares", "counts", "newest", "latest", "rows"),
)
_PER_ROW = ("points", "targets", "errors", "times", "region")


@kernel
def _find(points, axis, cut, child, out):
    """Descend the tree with every point."""
    for i in range(len(points)):
        node = 0
        while axis[node] >= 0:
            node = child[node, int(points[i, axis[node]] > cut[node])]
        out[i] = child[node, 0]


@kernel
def _enter(region, errors, times, smoothing, sums, squares, counts, newest, latest):
    """Add errors to the entries of their regions, beginning new entries."""
    slots = counts.shape[1]
    for i in range(len(errors)):
        r = region[i]
        slot = newest[r] % slots
        if times[i] != latest[r] and counts[r, slot] >= smoothing:
            newest[r] += 1
            slot = newest[r] % slots
            sums[r, slot], squares[r, slot], counts[r, slot] = 0.0, 0.0, 0
        latest[r] = times[i]
        sums[r, slot] += errors[i]
        squares[r, slot] += errors[i] * errors[i]
        counts[r, slot] += 1
