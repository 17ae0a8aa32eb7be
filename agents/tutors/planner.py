"""What planners share: an assumed student, and the exact belief about one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from curiosity_rl import belief as average
from curiosity_rl.agents.tutors.graph import syllabus
from curiosity_rl.agents.tutors.knowledge import (
    MOST_SKILLS,
    Skills,
    hear,
    spread_prior,
)
from curiosity_rl.agents.tutors.reading import GRAPH, Reading, ReadingTutor
from curiosity_rl.protocols import ActivityLayout, StudentModel
from curiosity_rl.registry import unknown_name

AVERAGE = StudentModel(
    learn=average.LEARN,
    guess=average.GUESS,
    slip=average.SLIP,
    prior=average.PRIOR,
    leak=0.02,
    gating="hard",
    forgetting=0.0,
    learn_first=False,
    skills=MOST_SKILLS,
)
"""Assumed where a world does not tell its average student: that of the belief."""


def assumed_student(
    layout: ActivityLayout, assumed: StudentModel | Mapping[str, Any] | None
) -> StudentModel:
    """Return the student that a planner assumes.

    Args:
        layout: Tells the world's average student, or not.
        assumed: None for that student; a mapping of what to change, such as
            `{"learn": 0.3}`; or another student.

    Raises:
        ValueError: If a name or a value is not allowed.
    """
    told = layout.student or replace(AVERAGE, skills=layout.activities)
    if assumed is None:
        return told
    if isinstance(assumed, StudentModel):
        return replace(assumed, skills=told.skills)
    names = [field.name for field in fields(told) if field.name != "skills"]
    for name in assumed:
        if name not in names:
            raise ValueError(unknown_name("part of a student model", name, names))
    return replace(told, **assumed)


def plannable(layout: ActivityLayout) -> bool:
    """Return whether no student of this world needs more skills than planners take."""
    most = layout.student.skills if layout.student else layout.activities
    return most <= MOST_SKILLS


def index_skills(
    needed: np.ndarray, parents: np.ndarray, width: int
) -> dict[str, np.ndarray]:
    """Give each needed skill its bit, parents first.

    Args:
        needed: `(n, A)` bool, parents of needed skills included.
        parents: Slots of the parents, `(n, A, P)` int, -1 for none.
        width: Bits M.

    Returns:
        `bits`, `slot` and `parents` of `Skills`.

    Raises:
        ValueError: If a student needs more than `width` skills.
    """
    count = needed.sum(axis=1)
    if len(count) and count.max() > width:
        raise ValueError(
            f"a student needs {count.max()} skills; planners take at most {width}: "
            "make the world with fewer skills, or take a rule such as 'bkt-mastery'"
        )
    rank = np.where(needed, 0, needed.shape[1]) + syllabus(parents)
    slot = np.argsort(rank, axis=1)
    bit = np.argsort(slot, axis=1)
    slot = slot[:, :width]
    lanes = np.arange(len(needed))[:, None, None]
    of_skill = np.take_along_axis(parents, slot[:, :, None], axis=1)
    used = (of_skill >= 0) & needed[lanes, of_skill]
    states = np.where(used, 1 << np.where(used, bit[lanes, of_skill], 0), 0)
    return {
        "bits": count.astype(np.int64),
        "slot": slot.astype(np.int64),
        "parents": np.bitwise_or.reduce(states, axis=2).astype(np.int64),
    }


def assumed_rates(parents: np.ndarray, student: StudentModel) -> dict[str, np.ndarray]:
    """Return the chances of `Skills` for equal skills of an assumed student, `(n, M)`.

    Args:
        parents: States of exactly the parents, `(n, M)`.
        student: The assumed student.
    """

    def everywhere(chance: float) -> np.ndarray:
        return np.full(parents.shape, chance)

    count = np.maximum(np.bitwise_count(parents), 1)
    lost = 0.0 if student.gating == "hard" else 1.0 - student.leak
    return {
        "full": everywhere(student.learn),
        "base": everywhere(student.learn * student.leak),
        "add": student.learn * lost / count,
        "guess": everywhere(student.guess),
        "slip": everywhere(student.slip),
    }


class BeliefTutor(ReadingTutor):
    """A tutor with the exact belief over all knowledge states of the needed skills.

    A subclass plans on it. It reads answers and the graph shown, never the truth.

    Args:
        layout: How the observation is laid out.
        seed: Seed of the tutor's random numbers.
        assumed: The student to assume, see `assumed_student`; None for the world's
            average student.
        discount: Discount of the value, in (0, 1).

    Raises:
        ValueError: If no graph is shown, the student model is not allowed, a student
            needs more than twelve skills, or the discount is out of range.
    """

    reads = ("attempts", "last_1", *GRAPH)

    def __init__(
        self,
        layout: ActivityLayout,
        seed: int = 0,
        assumed: StudentModel | Mapping[str, Any] | None = None,
        discount: float = 0.99,
    ):
        super().__init__(layout, seed)
        if not 0.0 < discount < 1.0:
            raise ValueError(f"discount is {discount}: give a number between 0 and 1")
        self.discount = discount
        self.student = assumed_student(layout, assumed)
        self.width = min(MOST_SKILLS, self.student.skills, layout.activities)

    @classmethod
    def takes(cls, layout: ActivityLayout) -> bool:
        """Return whether no student of this world needs too many skills."""
        return plannable(layout)

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """The skills as assumed, attempts seen, the belief before the first answer."""
        index = index_skills(reading.needed, reading.parents, self.width)
        index |= assumed_rates(index["parents"], self.student)
        belief = np.zeros((len(reading), 1 << self.width), np.float32)
        spread_prior(Skills(**index), self.student.prior, belief)
        return {**index, "attempts": reading.attempts, "belief": belief}

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Bring the belief up to date and plan, `(n,)`."""
        attempts = reading.attempts
        lane, activity = np.nonzero(attempts > notes["attempts"])
        notes["attempts"] = attempts
        skills = Skills(**{name: notes[name] for name in Skills._fields})
        right = reading["last_1"][lane, activity] > 0
        student = self.student
        hear(
            skills,
            lane,
            activity,
            right,
            student.learn_first,
            student.forgetting,
            notes["belief"],
        )
        return self.plan(skills, reading, notes)

    @abstractmethod
    def plan(
        self, skills: Skills, reading: Reading, notes: dict[str, np.ndarray]
    ) -> np.ndarray:
        """Return the activity of each lane under `notes["belief"]`, `(n,)`.

        Every planner does this in its own way.
        """


def true_rates(
    truth: Mapping[str, np.ndarray], index: dict[str, np.ndarray], student: StudentModel
) -> dict[str, np.ndarray]:
    """Return the true chances of `Skills`, `(n, M)`.

    Parents that have no bit count as known: they were so at the start.

    Args:
        truth: `learn`, `boost`, `guess`, `slip` `(n, A)` and `parents` `(n, A, P)`.
        index: `slot` and `parents` of `Skills`.
        student: The world's rules: gating and leak.
    """
    slot = index["slot"]
    learn, boost, guess, slip = (
        np.take_along_axis(truth[name], slot, axis=1).astype(np.float64)
        for name in ("learn", "boost", "guess", "slip")
    )
    every = np.take_along_axis(truth["parents"], slot[:, :, None], axis=1) >= 0
    count = every.sum(axis=2)
    met = count - np.bitwise_count(index["parents"])
    full, base, add = learn, learn * student.leak, np.zeros_like(learn)
    if student.gating == "soft":
        add = learn * (1.0 - student.leak) / np.maximum(count, 1)
    elif student.gating == "additive":
        full, base, add = learn + boost * count, learn, boost
    return {
        "full": full,
        "base": base + add * met,
        "add": add,
        "guess": guess,
        "slip": slip,
    }
