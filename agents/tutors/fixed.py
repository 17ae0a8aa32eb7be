"""The fixed syllabus: so many exercises of each skill, whatever the student answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from curiosity_rl.agents.tutors.graph import teaching_order
from curiosity_rl.agents.tutors.reading import GRAPH, Reading, ReadingTutor
from curiosity_rl.protocols import ActivityLayout


class Syllabus(ReadingTutor):
    """Walk through a fixed order, each skill a fixed number of exercises.

    The needed skills in the topological order of the shown graph, or a given order. The
    exercise number t (from 0) of a course of m skills goes to place
    `floor(t / exercises) mod m`, or, with an equal share of the budget for each skill,
    to place `floor(t / budget * m)`. No answer is read.

    Args:
        layout: How the observation is laid out.
        seed: Not used; every tutor takes one.
        exercises: Exercises per skill; None shares the budget equally.
        order: Slots to teach, in this order; None for the order of the shown graph.
            Slots are shuffled for each student in worlds without `shuffle=False`.

    Raises:
        ValueError: If `exercises` is below 1, the order is empty, repeats a slot or
            holds one that is none, or no graph is shown and no order given.
    """

    name = "syllabus"
    reads = GRAPH

    def __init__(
        self,
        layout: ActivityLayout,
        seed: int = 0,
        exercises: int | None = None,
        order: Sequence[int] | None = None,
    ):
        if exercises is not None and exercises < 1:
            raise ValueError(
                f"exercises is {exercises}: give a number of exercises from 1, or None "
                "for an equal share of the budget"
            )
        self.exercises = exercises
        self.order = None if order is None else _slots(order, layout.activities)
        if order is not None:
            self.reads = ()
        super().__init__(layout, seed)

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """The slots in the order of teaching, how many they are, exercises given."""
        given = np.zeros(len(reading), np.int64)
        if self.order is not None:
            places = np.broadcast_to(self.order, (len(reading), len(self.order)))
            skills = np.full_like(given, len(self.order))
            return {"places": places.copy(), "skills": skills, "given": given}
        course, rank = reading.course, teaching_order(reading)
        places = np.where(course, rank, rank + course.shape[1]).argsort(axis=1)
        return {"places": places, "skills": course.sum(axis=1), "given": given}

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Return the activity whose turn it is, `(n,)`."""
        skills, given = notes["skills"], notes["given"]
        if self.exercises is None:
            spent = 1.0 - reading.time_left.astype(np.float64)
            # time_left is float32: t / budget may come out a little too low.
            place = np.floor(spent * skills + 1e-5).astype(np.int64)
        else:
            place = given // self.exercises
        notes["given"] = given + 1
        return notes["places"][np.arange(len(skills)), place % np.maximum(skills, 1)]


def _slots(order: Sequence[int], activities: int) -> np.ndarray:
    slots = np.asarray(order)
    fits = slots.ndim == 1 and slots.size > 0 and slots.dtype.kind in "iu"
    if not fits or len(set(slots.tolist())) < slots.size:
        fits = False
    if not fits or slots.min() < 0 or slots.max() >= activities:
        raise ValueError(
            f"order is {list(order)}: give each slot to teach once, whole numbers from "
            f"0 to {activities - 1}"
        )
    return slots.astype(np.int64)
