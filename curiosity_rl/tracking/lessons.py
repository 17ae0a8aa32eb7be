"""Take down whole lessons of a tutor world as they are given in training.

What students know is read here for pictures only; nothing that learns sees it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from curiosity_rl.tracking.lesson_pictures import Lessons

LANES, STUDENTS = 16, 32
"""Lanes that are watched, and lessons that are kept: the latest."""
POINTS = 256
"""Exercises of a lesson that are kept, at most; evenly spaced."""
LONGEST = 10_000
"""Exercises of the longest lessons that are watched."""
_FIXED = ("parents", "learn", "goal", "distractor")
_SETS = ("goal", "distractor", "known", "start", "after")
"""Of booleans: kept as bits."""


class Notebook:
    """The latest whole lessons of the first lanes, and what was done in the others.

    Lessons that are cut short (`TimeLimit.truncated`) are left out. A step costs two
    rows of a ring; a lesson is put together when it ends.

    Args:
        world: Lanes of a tutor world: `report(lanes)` tells of the episodes in
            progress what `reset` tells of new ones.
        budget: Exercises of the longest episode.
        lanes: Number of lanes.
    """

    def __init__(self, world: Any, budget: int, lanes: int) -> None:
        self._world, self.budget = world, budget
        self.watched = np.arange(min(lanes, LANES))
        self._stride = -(-budget // POINTS)
        points, n = -(-budget // self._stride), len(self.watched)
        truth = world.report(self.watched[:1])["truth"]
        activities, parents = truth["parents"].shape[1:]
        fixed: dict[str, tuple[tuple[int, ...], Any]] = {
            "parents": ((activities, parents), np.int16),
            "learn": ((activities,), np.float32),
            "goal": ((activities,), np.bool_),
            "distractor": ((activities,), np.bool_),
        }
        kept: dict[str, tuple[tuple[int, ...], Any]] = {
            **fixed,
            "activity": ((points,), np.int16),
            "known": ((points + 1, activities), np.bool_),
            "attempts": ((activities,), np.int32),
        }
        self._whole: dict[str, np.ndarray] = {
            k: np.zeros((STUDENTS, *s), t) for k, (s, t) in kept.items()
        }
        self._open: dict[str, np.ndarray] = {
            k: np.zeros((n, *s), t) for k, (s, t) in fixed.items()
        }
        self._open["start"] = np.zeros((n, activities), bool)
        self._open["did"] = np.zeros((n, budget), np.int16)
        self._open["after"] = np.zeros((n, budget, activities), bool)
        self._begun = np.full(n, -1, np.int64)  # the step; -1: not from its start
        self._step = self.filed = 0

    @staticmethod
    def fits(world: Any) -> bool:
        """Whether these lanes are of a tutor world that can be watched."""
        budget = getattr(getattr(world, "layout", None), "budget", None)
        if budget is None or budget > LONGEST or not hasattr(world, "report"):
            return False
        return {"mastery", *_FIXED} <= set(world.report(np.arange(1)).get("truth", {}))

    def begin(self, lanes: np.ndarray) -> None:
        """Open a page for the new students of these lanes."""
        truth = self._world.report(lanes)["truth"]
        for name in _FIXED:
            self._open[name][lanes] = truth[name]
        self._open["start"][lanes] = truth["mastery"]
        self._begun[lanes] = self._step

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
        at, n = self._step % self.budget, len(self.watched)
        self._open["did"][:, at] = actions[:n]
        self._open["after"][:, at] = known[:n]
        self._step += 1
        if dones[:n].any():
            ended = np.flatnonzero(dones[:n])
            for lane in ended.tolist():
                cut = infos[lane].get("TimeLimit.truncated")
                if self._begun[lane] >= 0 and not cut:
                    exam = np.asarray(infos[lane]["truth"]["mastery"], bool)
                    self._file(lane, exam)
            self.begin(ended)

    def _file(self, lane: int, exam: np.ndarray) -> None:
        """Keep the lesson of a lane that has just ended; the oldest gives way."""
        row = self.filed % STUDENTS
        self.filed += 1
        whole, pages = self._whole, {k: page[lane] for k, page in self._open.items()}
        steps = np.arange(self._begun[lane], self._step) % self.budget
        did = pages["did"][steps] % len(exam)
        some = np.arange(0, len(steps), self._stride)
        for name in _FIXED:
            whole[name][row] = pages[name]
        whole["attempts"][row] = np.bincount(did, minlength=len(exam))
        whole["activity"][row] = -1
        whole["activity"][row, : len(some)] = did[some]
        whole["known"][row] = exam
        whole["known"][row, 0] = pages["start"]
        whole["known"][row, 1 : len(some)] = pages["after"][steps[some[1:] - 1]]

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
            "begun": self._begun.copy(),
            "counts": [self._step, self.filed],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for pages, kept in ((self._open, "open"), (self._whole, "whole")):
            for name, array in pages.items():
                value = np.asarray(state[kept][name])
                if name in _SETS:
                    value = np.unpackbits(value, axis=-1, count=array.shape[-1])
                array[...] = value
        self._begun[:] = state["begun"]
        self._step, self.filed = state["counts"]


def _packed(pages: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Copy arrays, sets of skills as bits."""
    return {
        name: np.packbits(array, axis=-1) if name in _SETS else array.copy()
        for name, array in pages.items()
    }
