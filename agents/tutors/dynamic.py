"""Dynamic programming on the true state: the best that can be done at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from curiosity_rl.agents.tutors.horizon import EXAM, LEVEL, MASTERY, solve, states_of
from curiosity_rl.agents.tutors.knowledge import MOST_SKILLS, Skills
from curiosity_rl.agents.tutors.planner import index_skills, plannable, true_rates
from curiosity_rl.agents.tutors.reading import Reading
from curiosity_rl.agents.tutors.truth import Truth
from curiosity_rl.protocols import ActivityLayout

_KEYS = ("needed", "goal", "parents", "learn", "boost", "guess", "slip")
OBJECTIVES = {"exam": EXAM, "mastery": MASTERY, "level": LEVEL}


class Dynamic:
    """Plan exactly, for each student, over all states of the needed skills.

    Reads the true state at every step and the true chances of each student, and solves
    the finite-horizon problem backwards in time, see `horizon.solve`. No tutor of any
    kind does better on average at the objective it plans for. It takes worlds of
    Bayesian knowledge tracing where no student needs more than twelve skills; a student
    with twelve unknown skills costs 4,096 states per exercise, most cost some hundreds.

    Args:
        layout: How the observation is laid out; tells budget and student model.
        seed: Not used; every tutor takes one.
        objective: `exam`: chance that all goals are known at the end; `mastery`: share
            of needed skills known at the end; `level`: that share, summed over all
            exercises, which asks for haste.

    Attributes:
        value: Value of the objective at the start of the episode, per student `(n,)`.

    Raises:
        ValueError: If the objective is unknown, or the world does not tell its budget
            and student model, or needs too many skills.

    Source: Bellman 1957, "Dynamic Programming".
    """

    name = "dynamic"
    reads: ClassVar[tuple[str, ...]] = ()
    privileged = True

    def __init__(
        self,
        layout: ActivityLayout,
        seed: int = 0,
        objective: Literal["exam", "mastery", "level"] = "exam",
    ):
        if objective not in OBJECTIVES:
            raise ValueError(
                f"objective is {objective!r}: give one of {', '.join(OBJECTIVES)}"
            )
        if layout.budget is None or layout.student is None or not layout.student.exact:
            raise ValueError(
                "tutor 'dynamic' plans until the end with the rules of the world: pass "
                "the layout of a tutor world of Bayesian students, env.unwrapped.layout"
            )
        if not plannable(layout):
            raise ValueError(
                f"students of this world need up to {layout.student.skills} skills; "
                f"tutor 'dynamic' takes at most {MOST_SKILLS}: take 'omniscient'"
            )
        self.layout, self.budget, self.student = layout, layout.budget, layout.student
        self.objective = objective
        self.value = np.zeros(0)
        self._truth = Truth(self.name, _KEYS)
        self._plans: list[np.ndarray] = []
        self._skills: dict[str, np.ndarray] = {}
        self._state = np.zeros(0, np.int64)

    @classmethod
    def takes(cls, layout: ActivityLayout) -> bool:
        """Return whether the world tells what this tutor needs, and is small enough."""
        student = layout.student
        exact = student is not None and student.exact and layout.budget is not None
        return exact and plannable(layout)

    def reset(self, obs: np.ndarray, info: Mapping[str, Any]) -> None:
        """Plan for new students in all lanes."""
        self._truth.reset(info)
        self._plans = [np.zeros((0, 0), np.int8)] * len(obs)
        self.value = np.zeros(len(obs))
        self._skills = {}
        self._prepare(np.arange(len(obs)), self._known(info))

    def act(self, obs: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
        """Propose one activity per lane, `(n,)` int64."""
        begun, known = self._truth.update(info, len(obs)), self._known(info)
        if len(begun):
            self._prepare(begun, known)
        skills = Skills(**{name: self._skills[name] for name in Skills._fields})
        state = np.empty(len(obs), np.int64)
        states_of(known, skills, state)
        left = Reading(self.layout, obs).time_left.astype(np.float64)
        step = np.rint((1.0 - left) * self.budget).astype(np.int64)
        step = np.clip(step, 0, self.budget - 1)
        moments = zip(self._plans, step.tolist(), state.tolist(), strict=True)
        chosen = np.array([plan[t, s] for plan, t, s in moments], np.int64)
        slot = np.take_along_axis(skills.slot, np.maximum(chosen, 0)[:, None], axis=1)
        return np.where(chosen < 0, self._skills["spare"], slot[:, 0])

    def _known(self, info: Mapping[str, Any]) -> np.ndarray:
        return np.asarray(self._truth.now(info)["mastery"], bool)

    def _prepare(self, lanes: np.ndarray, known: np.ndarray) -> None:
        """Plan for the new students of these lanes."""
        truth = {key: self._truth[key][lanes] for key in _KEYS}
        needed, known = truth["needed"], known[lanes]
        # What is never lost need not be planned for.
        open_ = needed if self.student.forgetting > 0 else needed & ~known
        index = index_skills(open_, truth["parents"].astype(np.int64), MOST_SKILLS)
        index |= true_rates(truth, index, self.student)
        bit = np.arange(index["slot"].shape[1])
        among = bit < index["bits"][:, None]
        goal = np.take_along_axis(truth["goal"], index["slot"], axis=1) & among
        spare = (~open_).argmax(axis=1)
        index["spare"] = np.where((~open_).any(axis=1), spare, -1)
        if not self._skills:
            self._skills = {name: value.copy() for name, value in index.items()}
        for name, value in index.items():
            self._skills[name][lanes] = value
        skills = Skills(**{name: index[name] for name in Skills._fields})
        before = (needed & known & ~open_).sum(axis=1)
        start = np.empty(len(lanes), np.int64)
        states_of(known, skills, start)
        for row, lane in enumerate(lanes):
            idle = index["spare"][row] >= 0
            plan, value = self._solve(row, skills, goal[row] @ (1 << bit), idle)
            self._plans[lane], expected = plan, float(value[start[row]])
            if self.objective != "exam":
                steps = self.budget if self.objective == "level" else 1
                counted = steps * before[row] + index["bits"][row] * expected
                expected = counted / max(needed[row].sum(), 1)
            self.value[lane] = expected

    def _solve(
        self, row: int, skills: Skills, goal: int, idle: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a student's plan `(budget, 2**m)` and the value of every state."""
        states = 1 << int(skills.bits[row])
        plan = np.empty((self.budget, states), np.int8)
        later, value = np.empty(states), np.empty(states)
        chance = np.empty((states, int(skills.bits[row])))
        kind, forgetting = OBJECTIVES[self.objective], self.student.forgetting
        solve(row, skills, goal, kind, forgetting, idle, plan, chance, later, value)
        return plan, value
