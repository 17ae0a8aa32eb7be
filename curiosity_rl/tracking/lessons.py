"""Take down whole lessons of a tutor world as they are given in training.

What students know is read here for pictures only; nothing that learns sees it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from curiosity_rl.tracking.lesson_pictures import Lessons

STUDENTS = 32
"""Lanes that are watched, and lessons that are kept: the latest."""
POINTS = 256
"""Exercises of a lesson that are taken down, at most; evenly spaced."""
_SETS = ("goal", "distractor")
_PACKED = (*_SETS, "known")


class Notebook:
    """The latest whole lessons of the first lanes, and those in progress.

    Lessons that are cut short (`TimeLimit.truncated`) are left out.

    Args:
        world: Lanes of a tutor world: `report(lanes)` tells of the episodes in
            progress what `reset` tells of new ones.
        budget: Exercises of the longest episode.
        lanes: Number of lanes.
    """

    def __init__(self, world: Any, budget: int, lanes: int) -> None:
        self._world, self.budget = world, budget
        self.watched = np.arange(min(lanes, STUDENTS))
        self._stride = -(-budget // POINTS)
        points = -(-budget // self._stride)
        truth = world.report(self.watched[:1])["truth"]
        activities, parents = truth["parents"].shape[1:]
        shapes: dict[str, tuple[tuple[int, ...], Any]] = {
            "activity": ((points,), np.int16),
            "known": ((points + 1, activities), np.bool_),
            "attempts": ((activities,), np.int32),
            "parents": ((activities, parents), np.int16),
            "goal": ((activities,), np.bool_),
            "distractor": ((activities,), np.bool_),
            "learn": ((activities,), np.float32),
        }

        def rows(number: int) -> dict[str, np.ndarray]:
            return {
                name: np.zeros((number, *shape), kind)
                for name, (shape, kind) in shapes.items()
            }

        self._open, self._whole = rows(len(self.watched)), rows(STUDENTS)
        self._given = np.full(len(self.watched), -1, np.int64)  # -1: not from its start
        self._now = np.zeros((len(self.watched), activities), bool)
        self.filed = 0

    @staticmethod
    def fits(world: Any) -> bool:
        """Whether these lanes are of a tutor world that can be watched."""
        if getattr(getattr(world, "layout", None), "budget", None) is None:
            return False
        if not hasattr(world, "report"):
            return False
        truth = world.report(np.arange(1)).get("truth", {})
        return {"mastery", "parents", "learn", *_SETS} <= set(truth)

    def begin(self, lanes: np.ndarray) -> None:
        """Open a page for the new students of these lanes."""
        truth, pages = self._world.report(lanes)["truth"], self._open
        for name in ("parents", "learn", *_SETS):
            pages[name][lanes] = truth[name]
        self._now[lanes] = truth["mastery"]
        pages["activity"][lanes] = -1
        pages["attempts"][lanes] = 0
        self._given[lanes] = 0

    def note(
        self,
        actions: np.ndarray,
        known: np.ndarray,
        dones: np.ndarray,
        infos: Sequence[Mapping[str, Any]],
    ) -> None:
        """Take down one exercise of every lane.

        Args:
            actions: What was proposed, `(N,)`.
            known: Skills known after it, of lanes that go on, `(N, A)` bool.
            dones: Lanes whose episode ended with it, `(N,)` bool.
            infos: Info of the step; for lanes that ended, of the episode that did.
        """
        pages = self._open
        rows = np.flatnonzero(self._given >= 0)
        given = self._given[rows]
        activity = np.asarray(actions)[rows] % self._now.shape[1]
        kept = given % self._stride == 0
        some, point = rows[kept], given[kept] // self._stride
        pages["activity"][some, point] = activity[kept]
        pages["known"][some, point] = self._now[some]
        pages["attempts"][rows, activity] += 1
        self._given[rows] += 1
        self._now[:] = known[: len(self._now)]
        ended = np.flatnonzero(dones[: len(self.watched)])
        for lane in ended.tolist():
            if self._given[lane] > 0 and not infos[lane].get("TimeLimit.truncated"):
                self._file(lane, np.asarray(infos[lane]["truth"]["mastery"], bool))
        if len(ended):
            self.begin(ended)

    def _file(self, lane: int, exam: np.ndarray) -> None:
        """Keep the lesson of a lane; the oldest gives way."""
        at = self.filed % STUDENTS
        for name, pages in self._whole.items():
            pages[at] = self._open[name][lane]
        points = -(-int(self._given[lane]) // self._stride)
        self._whole["known"][at, points:] = exam
        self.filed += 1

    def lessons(self) -> Lessons | None:
        """Return the latest whole lessons; None before there is one."""
        if not self.filed:
            return None
        held = {name: pages[: self.filed] for name, pages in self._whole.items()}
        return Lessons(**held, budget=self.budget)

    def state_dict(self) -> dict[str, Any]:
        """Return all lessons."""
        return {
            "open": _packed(self._open),
            "whole": _packed(self._whole),
            "given": self._given.copy(),
            "now": self._now.copy(),
            "filed": self.filed,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for pages, kept in ((self._open, "open"), (self._whole, "whole")):
            for name, array in pages.items():
                value = np.asarray(state[kept][name])
                if name in _PACKED:
                    value = np.unpackbits(value, axis=-1, count=array.shape[-1])
                array[...] = value
        self._given[:], self._now[:] = state["given"], state["now"]
        self.filed = int(state["filed"])


def _packed(pages: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Copy arrays, sets of skills as bits."""
    return {
        name: np.packbits(array, axis=-1) if name in _PACKED else array.copy()
        for name, array in pages.items()
    }
