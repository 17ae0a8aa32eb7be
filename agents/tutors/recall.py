"""Review what is about to be forgotten, otherwise teach something new."""

from __future__ import annotations

import numpy as np

from curiosity_rl.agents.tutors.graph import teaching_order
from curiosity_rl.agents.tutors.memory import Fsrs, HalfLife, Memory
from curiosity_rl.agents.tutors.reading import Reading, ReadingTutor, first_choice
from curiosity_rl.protocols import ActivityLayout

MODELS: dict[str, type[Memory]] = {"fsrs": Fsrs, "hlr": HalfLife}
"""Models of memory by name."""


class RecallThreshold(ReadingTutor):
    """Review the learnt skill whose recall is closest below a threshold.

    A skill counts as learnt, for good, after `n` right answers in a row. From the last
    of these on, its recall comes from a published model of memory (memory.py) with its
    defaults, fed with the answers and the days between them. Where no learnt skill is
    below the threshold, the first skill of the course that is not learnt is taught
    (needed skills in topological order; all activities by slot, where no graph is
    shown); where there is none, the skill of lowest recall is practised.

    Args:
        layout: How the observation is laid out.
        seed: Not used; every tutor takes one.
        threshold: Recall at which a review is due, in (0, 1).
        model: `fsrs` or `hlr`.
        n: Right answers in a row after which a skill counts as learnt.
        exercises_per_day: How many exercises count as a day where the world has no
            days. An assumption: no data say how fast a lesson is forgotten in itself.

    Raises:
        ValueError: If a setting is out of range.

    Source: the threshold tutor of Reddy, Levine and Dragan 2017, "Accelerating Human
    Learning with Deep Reinforcement Learning" (there with the true recall); .9 is the
    retention that FSRS aims at by default.
    """

    name = "recall-threshold"
    reads = ("attempts", "last_1", "recency")

    def __init__(
        self,
        layout: ActivityLayout,
        seed: int = 0,
        threshold: float = 0.9,
        model: str = "fsrs",
        n: int = 3,
        exercises_per_day: float = 20.0,
    ):
        super().__init__(layout, seed)
        if not 0.0 < threshold < 1.0:
            raise ValueError(f"threshold is {threshold}: give a recall between 0 and 1")
        if model not in MODELS:
            raise ValueError(f"model is {model!r}: give one of {', '.join(MODELS)}")
        if n < 1:
            raise ValueError(f"n is {n}: give the number of right answers, 1 or more")
        if not exercises_per_day > 0.0:
            raise ValueError(
                f"exercises_per_day is {exercises_per_day}: give a number above 0"
            )
        self.threshold, self.n, self.pace = threshold, n, exercises_per_day
        self.memory = MODELS[model]()
        self.by_days = "days" in layout.features

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """Memory, runs of right answers, what is learnt, when and how often given."""
        attempts = reading.attempts
        return {
            "rank": teaching_order(reading),
            "attempts": attempts,
            "first": np.zeros(attempts.shape),
            "second": np.zeros(attempts.shape),
            "run": np.zeros_like(attempts),
            "learnt": np.zeros(attempts.shape, bool),
            "days": np.zeros(attempts.shape),
        }

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Return the activity to review or to teach, `(n,)`."""
        self._enter(reading, notes)
        course, learnt = reading.course, notes["learnt"]
        recall = self.memory.recall(notes["first"], notes["second"], notes["days"])
        return first_choice(
            (course & learnt & (recall < self.threshold), -recall),
            (course & ~learnt, notes["rank"]),
            (course, recall),
        )

    def _enter(self, reading: Reading, notes: dict[str, np.ndarray]) -> None:
        """Carry the newest answers through the memory; look at the clock."""
        attempts, days = reading.attempts, notes["days"]
        new = np.nonzero(attempts > notes["attempts"])
        right = reading.right[new]
        notes["run"][new] = np.where(right, notes["run"][new] + 1, 0)
        notes["learnt"] |= notes["run"] >= self.n
        # What was never known cannot be forgotten: memory begins with learning.
        first, second = notes["first"], notes["second"]
        known = notes["learnt"][new]
        new, right = (new[0][known], new[1][known]), right[known]
        first[new], second[new] = self.memory.answered(
            first[new], second[new], right, days[new]
        )
        notes["attempts"] = attempts
        if self.by_days:
            notes["days"] = reading.days_since
        else:
            notes["days"] = reading.exercises_since / self.pace
