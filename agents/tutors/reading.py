"""What a tutor may read: the observation, in natural units, and its own notes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from curiosity_rl.protocols import ActivityLayout

OUTCOMES = ("last_1", "last_2", "last_3", "last_4")
GRAPH = ("needed", "parent_1", "parent_2")
RECENCY = 0.9  # the world's: `recency` is .9 ** exercises since the last
LONG = 1e6  # exercises or days after which it makes no difference how long


class Reading:
    """A batch of tutor observations, read in natural units.

    Args:
        layout: How the observation is laid out.
        obs: Observations, `(n, A * F + 1)`.
    """

    def __init__(self, layout: ActivityLayout, obs: np.ndarray):
        self.layout = layout
        self.features, self.time_left = layout.split(obs)

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, feature: str) -> np.ndarray:
        """One feature as the world wrote it, `(n, A)`."""
        return self.features[..., self.layout.features.index(feature)]

    def lanes(self, which: np.ndarray) -> Reading:
        """Return the reading of some lanes only."""
        part = object.__new__(Reading)
        part.layout = self.layout
        part.features, part.time_left = self.features[which], self.time_left[which]
        return part

    @property
    def attempts(self) -> np.ndarray:
        """Exercises given so far, `(n, A)` int64; the feature is `log1p(n) / 2`."""
        return np.rint(np.expm1(2.0 * self["attempts"])).astype(np.int64)

    @property
    def recent(self) -> np.ndarray:
        """Sum of the last two answers (1, -1, or 0 for none), `(n, A)`."""
        return self["last_1"] + self["last_2"]

    @property
    def older(self) -> np.ndarray:
        """Sum of the two answers before, `(n, A)`."""
        return self["last_3"] + self["last_4"]

    @property
    def needed(self) -> np.ndarray:
        """Goals and all that they rest on, `(n, A)` bool."""
        return self["needed"] > 0.5

    @property
    def course(self) -> np.ndarray:
        """What is to be taught, `(n, A)` bool: `needed`, or all without a graph."""
        if "needed" in self.layout.features:
            return self.needed
        return np.ones((len(self), self.layout.activities), bool)

    @property
    def right(self) -> np.ndarray:
        """Whether the newest answer was right, `(n, A)` bool; False for none."""
        return self["last_1"] > 0

    @property
    def exercises_since(self) -> np.ndarray:
        """Exercises given since the last of each activity, `(n, A)`; 1e6 if never.

        The newest has 0. Beyond some 900 the feature is 0, which reads as never.
        """
        recency = self["recency"].astype(np.float64)
        since = np.log(np.maximum(recency, 1e-300)) / np.log(RECENCY)
        return np.where(recency > 0, np.rint(since), LONG)

    @property
    def days_since(self) -> np.ndarray:
        """Days since the last exercise of each activity, `(n, A)`; 0 if never.

        The feature is `log1p(days) / 4`; a thousandth of a day is what float32 tells.
        """
        return np.round(np.expm1(4.0 * self["days"].astype(np.float64)), 3)

    @property
    def parents(self) -> np.ndarray:
        """Slots of the shown parents, `(n, A, P)` int64, -1 for none; P at least 2."""
        names = [f for f in self.layout.features if f.startswith("parent_")]
        slots = np.stack([self[name] for name in names], axis=-1)
        return np.rint(slots * self.layout.activities).astype(np.int64) - 1


class ReadingTutor(ABC):
    """A tutor that reads the observation only and keeps notes per lane.

    A subclass names the features it reads, says which `notes` an episode begins with,
    and `choose`s.

    Args:
        layout: How the observation is laid out.
        seed: Seed of the tutor's random numbers; one stream for the whole batch.

    Raises:
        ValueError: If the layout lacks a feature that this tutor reads.
    """

    name: ClassVar[str]
    reads: tuple[str, ...] = ()
    privileged = False

    def __init__(self, layout: ActivityLayout, seed: int = 0):
        for feature in self.reads:
            if feature not in layout.features:
                raise ValueError(_missing(self.name, feature, layout))
        self.layout = layout
        self.rng = np.random.default_rng(seed)
        self._notes: dict[str, np.ndarray] = {}
        self._lanes = -1
        self._just_reset = False

    def reset(self, obs: np.ndarray, info: Mapping[str, Any]) -> None:
        """Begin anew in every lane."""
        self._notes = self.notes(Reading(self.layout, obs))
        self._lanes = len(obs)
        self._just_reset = True

    def act(self, obs: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
        """Propose one activity per lane, `(n,)` int64."""
        if len(obs) != self._lanes:
            self.reset(obs, info)
        reading = Reading(self.layout, obs)
        # Only the first observation of an episode shows the whole budget.
        fresh = reading.time_left >= 1.0
        if fresh.any() and not self._just_reset:
            for key, value in self.notes(reading.lanes(fresh)).items():
                self._notes[key][fresh] = value
        self._just_reset = False
        return self.choose(reading, self._notes).astype(np.int64, copy=False)

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """Return the notes with which episodes begin, arrays with a row per lane."""
        return {}

    @abstractmethod
    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Return the activity of each lane, `(n,)`, and bring the notes up to date.

        Every rule says this in its own way.
        """


def sample(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one column per row with probability in proportion to its weight, `(n,)`."""
    total = weights.cumsum(axis=1)
    return (total > rng.random((len(weights), 1)) * total[:, -1:]).argmax(axis=1)


def first_choice(*tiers: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Pick the smallest score in the first tier that has a candidate, `(n,)` int64.

    Args:
        tiers: Pairs of candidates `(n, A)` bool and scores `(n, A)`. In a lane without
            any candidate slot 0 is picked.
    """
    picked = np.zeros(len(tiers[0][0]), np.int64)
    for among, score in reversed(tiers):
        best = np.where(among, score, np.inf).argmin(axis=1)
        picked = np.where(among.any(axis=1), best, picked)
    return picked


def _missing(tutor: str, feature: str, layout: ActivityLayout) -> str:
    if feature in GRAPH or (
        feature == "joint_belief" and "needed" not in layout.features
    ):
        way_out = (
            "make the world with graph_shown='true', or take a tutor that needs no "
            "graph, such as 'rotate' or 'zpdes-blind'"
        )
    elif feature.startswith("graph_"):
        way_out = "make the world with belief='graph'"
    elif "belief" in feature:
        way_out = (
            "make the world with belief=True, or take a tutor that keeps no belief, "
            "such as 'n-in-a-row' or 'zpdes'"
        )
    else:
        way_out = "pass the layout of a tutor world, env.unwrapped.layout"
    return (
        f"tutor {tutor!r} reads the feature {feature!r}, which this observation lacks "
        f"(it has {', '.join(layout.features)}): {way_out}"
    )
