"""Regions: cuts, entries and progress by hand and against a slow reference."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from curiosity_rl.checkpoint import load, save
from curiosity_rl.rewards.cuts import best_cut
from curiosity_rl.rewards.regions import Regions


def line(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


# cuts


def test_cut_by_variance_golden():
    # targets step from 0 to 3 between 4 and 10 (axis 1); axis 0 is in no such order
    points = np.array([[0, 4], [1, 10], [2, 3], [3, 11]], np.float32)
    cut = best_cut(points, line(0, 3, 0, 3), np.zeros(4), np.zeros(4), "variance")
    assert cut == (1, 7.0)


def test_cut_by_progress_golden():
    # below 2 errors fall from 4 to 1; above they stay at 5, though they are larger
    points = line(0, 3, 1, 4, 0, 3, 1, 4)
    errors = np.array([4, 5, 4, 5, 1, 5, 1, 5.0])
    times = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    assert best_cut(points, line(*range(8)), errors, times, "progress") == (0, 2.0)


def test_no_cut_where_none_helps():
    same, apart, two = (
        np.ones((40, 2), np.float32),
        line(*range(40)),
        np.arange(40) // 20,
    )
    for split in ("variance", "progress"):
        # all points are one; close enough to be one; nothing to gain anywhere
        assert best_cut(same, apart, np.arange(40.0), two, split) is None
        assert best_cut(apart * 1e-6, apart, np.arange(40.0), two, split) is None
        assert best_cut(apart, line(*[0.1] * 40), np.full(40, 0.1), two, split) is None
    # one update tells no progress
    assert best_cut(apart, apart, np.arange(40.0), 0 * two, "progress") is None


def test_a_tenth_stays_on_either_side():
    targets = line(50, *[0] * 39)  # the best cut would single out the first row
    points = line(*range(40))
    zero = np.zeros(40)
    assert best_cut(points, targets, zero, zero, "variance") == (0, 3.5)


def slow_cut(
    points: np.ndarray,
    targets: np.ndarray,
    errors: np.ndarray,
    times: np.ndarray,
    split: str,
) -> tuple[int, float] | None:
    """All cuts, by their definition."""
    n = len(points)
    border = max(times[n // 2], times[0] + 1)
    best, found = 1e-8, None
    for axis in range(points.shape[1]):
        values = np.unique(points[:, axis])
        for low, high in itertools.pairwise(values):
            one = points[:, axis] <= low
            weight = one.mean() * (1 - one.mean())
            if min(one.sum(), n - one.sum()) < max(1, int(0.1 * n)):
                continue
            if split == "variance":
                parts = one.mean() * targets[one].var(0).sum()
                parts += (1 - one.mean()) * targets[~one].var(0).sum()
                gain = targets.var(0).sum() - parts
            else:
                old = times < border
                quarters = [one & old, one & ~old, ~one & old, ~one & ~old]
                if not all(quarter.any() for quarter in quarters):
                    continue
                a, b, c, d = (errors[quarter].mean() for quarter in quarters)
                gain = weight * abs((a - b) - (c - d))
            if gain > best * (1 + 1e-12):
                best, found = gain, (axis, float(low + (high - low) / 2))
    return found


@pytest.mark.parametrize("split", ["variance", "progress"])
@pytest.mark.parametrize("seed", range(5))
def test_cuts_equal_the_slow_reference(split, seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(50, 3)).astype(np.float32)
    points[:, 1] = np.round(points[:, 1])  # with ties
    targets = rng.normal(size=(50, 4)) + points[:, :1] ** 2
    args = (points, targets, rng.random(50), np.sort(rng.integers(4, size=50)))
    assert best_cut(*args, split) == slow_cut(*args, split)  # type: ignore[arg-type]


# progress


def one_region(**settings: Any) -> Regions:
    return Regions(**{"split": "none", "z": 0.0, "kind": "signed", **settings})


def told(regions: Regions, *errors: float) -> float:
    """File errors, made by one model, of the only region; return its progress."""
    nowhere = np.zeros((len(errors), 1), np.float32)
    regions.file(nowhere, nowhere, np.array(errors))
    return float(regions.progress[0])


def test_progress_golden():
    regions = one_region(window=2, smoothing=2)
    assert told(regions, 8, 6) == 0  # one entry: 7
    assert told(regions, 5) == 0  # an error is missing in the second entry
    assert told(regions, 3) == 3  # 7 - 4, in halves of one entry
    assert told(regions, 1, 1, 4) == 2  # three entries: still one each, 4 - 2
    # four: two each, and every error counts once: (8 + 14) / 4 - (2 + 6) / 5
    assert told(regions, 2, 0) == pytest.approx(5.5 - 1.6)
    # the oldest has left the windows: (6 + 8) / 5 - (10 + 2) / 4
    assert told(regions, 5, 5) == pytest.approx(2.8 - 3)


@pytest.mark.parametrize(
    ("kind", "falls", "rises"),
    [("signed", 1, -1), ("positive", 1, 0), ("absolute", 1, 1)],
)
def test_kinds_and_noise_golden(kind, falls, rises):
    # means 8 and 2, variances 4 and 1, two errors each: noise sqrt(4 / 2 + 1 / 2)
    for z, size in ((0.0, 6.0), (2.0, 6 - 2 * 2.5**0.5), (4.0, 0.0)):
        regions = one_region(window=1, smoothing=2, kind=kind, z=z)
        told(regions, 6, 10)
        assert told(regions, 1, 3) == pytest.approx(falls * size)
        assert told(regions, 6, 10) == pytest.approx(rises * size)


def test_noise_earns_little_where_its_deviation_is_reckoned_with():
    rng = np.random.default_rng(0)
    paid = {}
    for z in (0.0, 2.0):
        regions = one_region(kind="positive", z=z)
        paid[z] = np.mean([told(regions, *rng.random(30)) for _ in range(400)])
    assert paid[0.0] > 0.005
    assert paid[2.0] < 0.05 * paid[0.0]  # in theory .0085 / .399


# filing and cutting


@dataclass
class SlowRegions:
    """The rules of `Regions` with plain lists, one region a box of half-spaces."""

    window: int
    smoothing: int
    split: str
    capacity: int
    max_regions: int
    memory: int
    updates: int = 0
    rows: list[Any] = field(default_factory=list)  # remembered: region, point, ...
    leaves: list[Any] = field(default_factory=lambda: [[]])  # conditions of a region
    entries: list[Any] = field(default_factory=lambda: [[]])  # lists of errors
    latest: list[int] = field(default_factory=lambda: [-1])
    since: list[int] = field(default_factory=lambda: [0])

    def find(self, point: np.ndarray) -> int:
        (region,) = (
            r
            for r, conditions in enumerate(self.leaves)
            if all((point[a] > cut) == above for a, cut, above in conditions)
        )
        return region

    def enter(self, r: int, error: float, time: int) -> None:
        entries = self.entries[r]
        done = entries and len(entries[-1]) >= self.smoothing
        if not entries or (done and self.latest[r] != time):
            entries.append([])
        entries[-1].append(error)
        self.latest[r] = time

    def file(self, points: np.ndarray, targets: np.ndarray, errors: np.ndarray) -> None:
        regions = [self.find(point) for point in points]
        for r, error in zip(regions, errors, strict=True):
            self.enter(r, error, self.updates)
            self.since[r] += 1
        share = self.memory // (2 * self.window)
        chosen: Any = range(len(errors))
        if len(errors) > share:
            rng = np.random.default_rng((0, self.updates))
            chosen = sorted(rng.choice(len(errors), share, replace=False))
        if len(self.leaves) < self.max_regions:
            new = [
                [regions[i], points[i], targets[i], errors[i], self.updates]
                for i in chosen
            ]
            self.rows = [*self.rows, *new][-self.memory :]
            self.cut()
        self.updates += 1

    def inside(self, r: int) -> list[Any]:
        return [row[1:] for row in self.rows if row[0] == r]

    def cut(self) -> None:
        waiting = [
            r
            for r in range(len(self.leaves))
            if len(self.inside(r)) >= self.capacity and self.since[r] >= self.capacity
        ]
        while waiting and len(self.leaves) < self.max_regions:
            r = waiting.pop(0)
            rows = self.inside(r)
            some = [rows[i * len(rows) // self.capacity] for i in range(self.capacity)]
            points, targets, errors, times = map(np.array, zip(*some, strict=True))
            found = slow_cut(points, targets, errors, times, self.split)
            self.since[r] = 0
            if found is None:
                continue
            above = [*self.leaves[r], (*found, True)]
            self.leaves[r] = [*self.leaves[r], (*found, False)]
            self.leaves.append(above)
            self.entries.append([])
            self.latest.append(-1)
            self.since.append(0)
            for row in self.rows:
                row[0] = self.find(row[1]) if row[0] == r else row[0]
            for part in (r, len(self.leaves) - 1):
                self.entries[part], self.since[part] = [], self.capacity
                for _, _, error, time in self.inside(part):
                    self.enter(part, error, time)
                if len(self.inside(part)) >= self.capacity:
                    waiting.append(part)

    def progress(self) -> np.ndarray:
        out = []
        for entries in self.entries:
            complete = [e for e in entries if len(e) >= self.smoothing]
            h = min(len(complete) // 2, self.window)
            middle = len(complete) - h
            older = itertools.chain(*complete[middle - h : middle])
            recent = itertools.chain(*complete[middle:])
            out.append(np.mean([*older]) - np.mean([*recent]) if h else 0.0)
        return np.array(out)


@pytest.mark.parametrize("split", ["variance", "progress"])
@pytest.mark.parametrize(
    ("rows", "memory", "max_regions"),
    [(7, 400, 64), (60, 200, 64), (60, 400, 6), (3, 60, 64)],
    ids=["few rows", "drawn rows", "few regions", "short memory"],
)
def test_regions_equal_the_slow_reference(split, rows, memory, max_regions):
    settings: dict[str, Any] = {
        "window": 3,
        "smoothing": 4,
        "split": split,
        "capacity": 24,
        "max_regions": max_regions,
        "memory": memory,
    }
    slow = SlowRegions(**settings)
    fast = Regions(**settings, z=0.0, kind="signed")
    rng = np.random.default_rng(rows)
    probe = rng.normal(size=(50, 3)).astype(np.float32)
    for update in range(300 // rows):
        points = rng.normal(size=(rows, 3)).astype(np.float32)
        targets = points[:, :2] ** 2 + 0.1 * rng.normal(size=(rows, 2))
        targets = targets.astype(np.float32)
        errors = rng.random(rows) * np.exp(-0.05 * update * (points[:, 0] > 0))
        slow.file(points, targets, errors)
        fast.file(points, targets, errors)
        assert fast.size == len(slow.leaves)
        np.testing.assert_allclose(fast.progress, slow.progress(), atol=1e-6)
    np.testing.assert_array_equal(fast.find(probe), [slow.find(p) for p in probe])
    assert 3 < fast.size <= max_regions


def filled(updates: int, **settings: Any) -> Regions:
    regions = Regions(**{"capacity": 20, "memory": 300, "smoothing": 2, **settings})
    advance(regions, updates)
    return regions


def advance(regions: Regions, updates: int) -> None:
    for _ in range(updates):
        rng = np.random.default_rng(regions.updates)
        points = rng.normal(size=(40, 2)).astype(np.float32)
        regions.file(points, points, rng.random(40) / (1 + regions.updates))


@pytest.mark.parametrize("split", ["variance", "progress", "none"])
@pytest.mark.parametrize("max_regions", [4, 64])
@pytest.mark.parametrize("updates", [0, 6])
def test_resumes_bit_for_bit(split, max_regions, updates, tmp_path):
    settings = {"split": split, "max_regions": max_regions}
    straight, resumed = filled(updates, **settings), filled(3, **settings)
    save(tmp_path / "c", straight.state_dict())
    resumed.load_state_dict(load(tmp_path / "c"))
    np.testing.assert_array_equal(resumed.progress, straight.progress)
    kept = straight.state_dict()
    advance(straight, 4)
    if updates:
        assert straight.size == 1 if split == "none" else straight.size > 3
    advance(resumed, 4)
    np.testing.assert_array_equal(resumed.progress, straight.progress)
    for name, value in straight.state_dict().items():
        np.testing.assert_array_equal(resumed.state_dict()[name], value)
    # a copy: what came after did not reach it
    assert kept["updates"] == updates
    assert (kept["sums"] != straight.state_dict()["sums"]).any()


def test_rows_are_dropped_once_no_region_can_be_made():
    assert filled(2, max_regions=64).state_dict()["points"].shape == (60, 2)
    full = filled(3, max_regions=4)
    assert full.size == 4
    assert full.state_dict()["points"].shape == (0, 0)


def test_what_cannot_be_cut_is_tried_seldom(monkeypatch):
    tries = []

    def count(*args: Any) -> None:
        tries.append(len(args[0]))

    monkeypatch.setattr("curiosity_rl.rewards.regions.best_cut", count)
    regions = Regions(capacity=20, memory=1000)
    point = np.zeros((1, 2), np.float32)
    for _ in range(100):
        regions.file(point, point, np.ones(1))
    assert tries == [20] * 5
    assert regions.size == 1
    assert regions.progress == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "beta"}, "kind is 'beta'; allowed are positive, absolute, signed"),
        ({"split": "half"}, "split is 'half'; allowed are variance, progress, none"),
        ({"window": 0}, "window is 0; it must be at least 1"),
        ({"smoothing": 0}, "smoothing is 0; it must be at least 1"),
        ({"capacity": 3}, "capacity is 3; it must be at least 4"),
        ({"max_regions": 0}, "max_regions is 0; it must be at least 1"),
        ({"memory": 249}, "memory is 249; it must be at least 250"),
        ({"z": -1}, "z is -1; it must be 0 or more"),
        ({"z": float("nan")}, "z is nan"),
    ],
)
def test_refused_settings(settings, words):
    with pytest.raises(ValueError, match=words):
        Regions(**settings)
