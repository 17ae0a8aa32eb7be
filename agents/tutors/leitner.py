"""Leitner's boxes: what is answered right comes back later, what is not, at once."""

from __future__ import annotations

import numpy as np

from curiosity_rl.agents.tutors.graph import teaching_order
from curiosity_rl.agents.tutors.reading import Reading, ReadingTutor, first_choice
from curiosity_rl.protocols import ActivityLayout


class Leitner(ReadingTutor):
    """Boxes with doubling intervals.

    A skill begins in box 0. A right answer moves it one box up (not beyond the last),
    a wrong one back to box 0. A skill in box b is due

        2^b - 1 exercises after its last exercise: at once, after 1, 3, 7, .. others,

    or, where the world has days, 2^(b - 1) days after it (box 0: at once). Of the
    skills that are due the one in the lowest box comes first, then the one longest
    overdue; if none is due, the next new skill of the course (needed skills in
    topological order; all activities by slot, where no graph is shown); if there is no
    new one, the skill that is due soonest. Boxes know no prerequisites.

    Args:
        layout: How the observation is laid out.
        seed: Not used; every tutor takes one.
        boxes: Number of boxes, from 2 to 20.

    Raises:
        ValueError: If `boxes` is out of range.

    Source: Leitner 1972, "So lernt man lernen" (five boxes); doubling intervals as in
    Settles and Meeder 2016, ACL, section 3.2.
    """

    name = "leitner"
    reads = ("attempts", "last_1", "recency")

    def __init__(self, layout: ActivityLayout, seed: int = 0, boxes: int = 5):
        super().__init__(layout, seed)
        if not 2 <= boxes <= 20:
            raise ValueError(f"boxes is {boxes}: give a number from 2 to 20")
        self.boxes = boxes
        self.by_days = "days" in layout.features

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """The box of each activity, the order of new ones, attempts seen."""
        attempts = reading.attempts
        return {
            "box": np.zeros_like(attempts),
            "rank": teaching_order(reading),
            "attempts": attempts,
        }

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Return the activity that is due first, `(n,)`."""
        attempts, course = reading.attempts, reading.course
        up = np.minimum(notes["box"] + 1, self.boxes - 1)
        moved = np.where(reading.right, up, 0)
        box = np.where(attempts > notes["attempts"], moved, notes["box"])
        notes["box"], notes["attempts"] = box, attempts
        overdue = self._waited(reading) - self._interval(box)
        seen = course & (attempts > 0)
        # Lowest box first; within a box the longest overdue, which no box outweighs.
        urgency = box - overdue / (1.0 + np.abs(overdue)) / 2.0
        return first_choice(
            (seen & (overdue >= 0), urgency),
            (course & (attempts == 0), notes["rank"]),
            (course, -overdue),
        )

    def _waited(self, reading: Reading) -> np.ndarray:
        return reading.days_since if self.by_days else reading.exercises_since

    def _interval(self, box: np.ndarray) -> np.ndarray:
        if self.by_days:
            return np.where(box > 0, 2.0 ** (box - 1), 0.0)
        return 2.0**box - 1.0
