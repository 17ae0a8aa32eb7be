"""Perseus: a tutor who plans on what the next answers may tell."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from curiosity_rl.agents.tutors.knowledge import Skills
from curiosity_rl.agents.tutors.planner import BeliefTutor, assumed_rates
from curiosity_rl.agents.tutors.point_based import Plan, Problem, solve_points
from curiosity_rl.agents.tutors.reading import Reading
from curiosity_rl.protocols import ActivityLayout, StudentModel

MOST_SKILLS = 8
MOST_GRAPHS = 16
LANES, STEPS, ROUNDS = 64, 100, 3


class Perseus(BeliefTutor):
    """Plan on the exact belief, the worth of answers included.

    Solves the partially observed problem for the assumed student by point-based value
    iteration, reward = number of needed skills known, discount .99. The value of the
    plan lies between a lower bound, which the plan itself gives, and that of the same
    problem with the state seen; with the right model it is close to the best that any
    tutor can do who cannot see the state, for that reward and that discount. It is made
    for courses of up to eight skills that all students share: each new graph is planned
    for once, which takes ten seconds.

    Args:
        layout: How the observation is laid out.
        seed: Seed of the beliefs that are planned for.
        assumed: The student to assume, see `assumed_student`; None for the world's
            average student.
        discount: Discount of the value, in (0, 1).
        points: Beliefs that are planned for.

    Raises:
        ValueError: As `BeliefTutor`, if a setting is out of range, or for more skills
            or graphs than it takes.

    Source: Spaan and Vlassis 2005, JAIR 24; the planner of Clement, Oudeyer and Lopes
    2016, EDM (1,350 beliefs).
    """

    name = "perseus"

    def __init__(
        self,
        layout: ActivityLayout,
        seed: int = 0,
        assumed: StudentModel | Mapping[str, Any] | None = None,
        discount: float = 0.99,
        points: int = 1350,
    ):
        super().__init__(layout, seed, assumed, discount)
        if points < 1:
            raise ValueError(f"points is {points}: give 1 belief or more")
        if self.width > MOST_SKILLS:
            raise ValueError(
                f"students of this world need up to {self.width} skills; tutor "
                f"'perseus' takes at most {MOST_SKILLS}: take 'qmdp'"
            )
        self.points, self.seed = points, seed
        self._graphs: list[tuple[int, ...]] = []

    @classmethod
    def takes(cls, layout: ActivityLayout) -> bool:
        """Return whether the course is short enough."""
        student = layout.student
        return (student.skills if student else layout.activities) <= MOST_SKILLS

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """The belief, and which plan is for the graph of each lane."""
        notes = super().notes(reading)
        graph = np.zeros(len(reading), np.int64)
        for key in np.unique(notes["parents"], axis=0):
            lanes = np.all(notes["parents"] == key, axis=1)
            for bits in np.unique(notes["bits"][lanes]):
                these = lanes & (notes["bits"] == bits)
                graph[these] = self._number(tuple(key[:bits].tolist()))
        return {**notes, "graph": graph}

    def plan(
        self, skills: Skills, reading: Reading, notes: dict[str, np.ndarray]
    ) -> np.ndarray:
        """Return the activity of each lane under its plan, `(n,)`."""
        skill = np.empty(len(reading), np.int64)
        for number in np.unique(notes["graph"]):
            lanes = notes["graph"] == number
            plan = self.plan_of(number)
            states = plan.vectors.shape[1]
            skill[lanes] = plan.choose(notes["belief"][lanes, :states])
        return np.take_along_axis(skills.slot, skill[:, None], axis=1)[:, 0]

    def plan_of(self, number: int) -> Plan:
        """Return the plan for the graph of this number, as the notes tell it."""
        parents = self._graphs[number]
        return solve_graph(parents, self.student, self.discount, self.points, self.seed)

    def _number(self, parents: tuple[int, ...]) -> int:
        if parents not in self._graphs:
            if len(self._graphs) == MOST_GRAPHS:
                raise ValueError(
                    f"students of this world have more than {MOST_GRAPHS} graphs; tutor"
                    " 'perseus' is for a course that all share: take 'qmdp'"
                )
            self._graphs.append(parents)
        return self._graphs.index(parents)


@lru_cache(maxsize=64)
def solve_graph(
    parents: tuple[int, ...],
    student: StudentModel,
    discount: float,
    points: int,
    seed: int,
) -> Plan:
    """Plan for one graph: gather beliefs, improve, and go on along the plan's own way.

    Args:
        parents: For each skill the state of exactly its parents.
        student: The assumed student.
        discount: Discount of the reward.
        points: How many beliefs.
        seed: Seed of the beliefs.
    """
    states = np.array([parents], np.int64)
    skills = Skills(
        bits=np.array([len(parents)]),
        slot=np.arange(len(parents))[None],
        parents=states,
        **assumed_rates(states, student),
    )
    problem = Problem(skills, student, discount)
    rng = np.random.default_rng(seed)
    met, plan = np.zeros((0, len(problem.states))), None
    for turn in range(ROUNDS):
        way = problem.wander(LANES, STEPS, plan, seed + turn)
        met = np.concatenate([met, rng.permutation(way)[: points // ROUNDS + 1]])
        plan = solve_points(problem, met, plan, seed)
    assert plan is not None
    return plan
