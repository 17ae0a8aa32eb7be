"""The arrays of the tutor world: students (the truth) and the tutor's record."""

from __future__ import annotations

from collections import namedtuple
from typing import Any, NamedTuple

import numpy as np

LAYERED, FIXED = 0, 1
HARD, SOFT, ADDITIVE = 0, 1, 2
EXAM, GAIN, MASTERY = 0, 1, 2
NONE, TRUE, NOISY = 0, 1, 2
BKT, PFA, IRT, QS, HLR, FSRS = range(6)
AXES = "slot of the activity", "skills known"
"""Axes of the coverage."""


class State(NamedTuple):
    """Students and records of n lanes; A activities, P parents at most, W words.

    Sets of activities are bit masks of W = ceil(A / 64) words.
    """

    # the student: hidden from the tutor
    rng: np.ndarray  # (n,) uint64, stream of students
    answers: np.ndarray  # (n,) uint64, stream of answers and learning of this episode
    elapsed: np.ndarray  # (n,) int32, exercises done
    mastery: np.ndarray  # (n, W) uint64, skills known
    goal: np.ndarray  # (n, W) uint64, skills in the exam
    needed: np.ndarray  # (n, W) uint64, goals and their ancestors in the true graph
    distractor: np.ndarray  # (n, W) uint64, activities that nobody can learn
    start: np.ndarray  # (n,) int32, needed skills known at the start
    learn: np.ndarray  # (n, A) float32
    guess: np.ndarray  # (n, A) float32
    slip: np.ndarray  # (n, A) float32
    boost: np.ndarray  # (n, A) float32, what each known parent adds (additive gating)
    parents: np.ndarray  # (n, A, P) int16, -1 for none
    group: np.ndarray  # (n,) int8, part of the population
    model: np.ndarray  # (n,) int8, BKT, PFA, IRT, QS, HLR or FSRS
    day: np.ndarray  # (n,) float32, days since the first lesson
    level: np.ndarray  # (n, A, 4) float32, what moves in graded models; else no columns
    trait: np.ndarray  # (n, A, 3) float32, what stays; else no columns
    handicap: np.ndarray  # (n, A) int8, representation not grasped; else no columns
    motivation: np.ndarray  # (n,) float32
    frailty: np.ndarray  # (n,) float32, factor on the chance to leave
    run: np.ndarray  # (n,) int8, right answers in a row, or wrong ones below 0
    # the tutor's record: answers, and the graph as shown
    shown: np.ndarray  # (n, A, P) int16, parents as the tutor is told
    activity: np.ndarray  # (n,) int64, last activity; -1 before the first
    representation: np.ndarray  # (n,) int8, in which it was proposed
    probe: np.ndarray  # (n,) bool, whether it was a test that teaches nothing
    outcome: np.ndarray  # (n,) int8, last answer; 1 right, 0 wrong
    children: np.ndarray  # (n, A, W) uint64, the same links from the other end
    attempts: np.ndarray  # (n, A) int16, exercises of it, up to MOST_ATTEMPTS
    last: np.ndarray  # (n, A) int32, exercise at which it was last practised; 0 never
    features: np.ndarray  # (n, A, F) float32, see record.FEATURES
    belief_before: np.ndarray  # (n, A) float32, belief before the last answer
    seen: np.ndarray  # (n, A) float32, day of the last exercise; else no columns
    # the belief over graph and mastery, see graph_belief.Particles; else without room
    dice: np.ndarray
    past: np.ndarray
    tables: np.ndarray


Students = namedtuple("Students", State._fields[: State._fields.index("dice")])
"""A state less its belief over the graph: what the kernels of students are handed.

Every array that a kernel is handed costs time to compile and to call.
"""


def students(state: State) -> Any:
    """Return a state without its belief over the graph; the arrays are the same."""
    return Students(*state[: len(Students._fields)])


class Params(NamedTuple):
    """Settings of a tutor world, as the kernels read them; G groups of students."""

    skills: int
    activities: int
    budget: int
    goals: int
    min_unknown: int
    redraws: int  # students drawn at most, until one has enough unknown skills
    students: int  # size of the pool of students; 0 for a new one every time
    shuffle: bool  # whether every student has activities in another order
    kind: int  # LAYERED or FIXED
    gating: int  # HARD, SOFT or ADDITIVE
    leak: float  # chance factor to learn although prerequisites are missing
    forget_others: bool  # whether skills are forgotten while others are practised
    learn_first: bool
    graph: int  # what the tutor is shown: NONE, TRUE or NOISY
    graph_noise: float
    graph_dropped: float
    lesson: int  # exercises of a lesson; 0 if there is only one
    pause: float  # days between lessons
    exam_pause: float  # days before the exam
    dropout: float  # factor on the chance to leave
    representations: int
    days_column: int  # where the record holds days; -1 for nowhere
    shown_column: int  # where it begins to hold success by representation; -1
    parents: np.ndarray  # (K, P) int16, FIXED curricula, parents first
    learn: np.ndarray  # (K,) float32, where the curriculum fixes it; else empty
    boost: np.ndarray  # (K,) float32
    exam: np.ndarray  # (E,) int64, skills that exams are drawn from; empty: last half
    table: np.ndarray  # (rows, 3) float64, logits of learn, guess, slip
    people: np.ndarray  # (G, 28) float64, see people.py


class Sizes(NamedTuple):
    """How large the arrays of a state are; 0 where a world has no use for them."""

    activities: int
    parents: int
    features: int
    levels: int = 0
    traits: int = 0
    handicaps: bool = False
    days: bool = False
    budget: int = 0
    particles: int = 0


def allocate(lanes: int, sizes: Sizes) -> State:
    """Return an empty state."""
    activities, parents = sizes.activities, sizes.parents
    words = (activities + 63) // 64
    table = (lanes, activities)

    def bits() -> np.ndarray:
        return np.zeros((lanes, words), dtype=np.uint64)

    def rates() -> np.ndarray:
        return np.zeros(table, dtype=np.float32)

    return State(
        rng=np.zeros(lanes, dtype=np.uint64),
        answers=np.zeros(lanes, dtype=np.uint64),
        elapsed=np.zeros(lanes, dtype=np.int32),
        mastery=bits(),
        goal=bits(),
        needed=bits(),
        distractor=bits(),
        start=np.zeros(lanes, dtype=np.int32),
        learn=rates(),
        guess=rates(),
        slip=rates(),
        boost=rates(),
        parents=np.full((*table, parents), -1, dtype=np.int16),
        group=np.zeros(lanes, dtype=np.int8),
        model=np.zeros(lanes, dtype=np.int8),
        day=np.zeros(lanes, dtype=np.float32),
        level=np.zeros((*table, sizes.levels), dtype=np.float32),
        trait=np.zeros((*table, sizes.traits), dtype=np.float32),
        handicap=np.zeros((lanes, activities * sizes.handicaps), dtype=np.int8),
        motivation=np.zeros(lanes, dtype=np.float32),
        frailty=np.zeros(lanes, dtype=np.float32),
        run=np.zeros(lanes, dtype=np.int8),
        shown=np.full((*table, parents), -1, dtype=np.int16),
        activity=np.full(lanes, -1, dtype=np.int64),
        representation=np.zeros(lanes, dtype=np.int8),
        probe=np.zeros(lanes, dtype=np.bool_),
        outcome=np.zeros(lanes, dtype=np.int8),
        children=np.zeros((*table, words), dtype=np.uint64),
        attempts=np.zeros(table, dtype=np.int16),
        last=np.zeros(table, dtype=np.int32),
        features=np.zeros((*table, sizes.features), dtype=np.float32),
        belief_before=rates(),
        seen=np.zeros((lanes, activities * sizes.days), dtype=np.float32),
        **_of_belief(lanes, activities, sizes.budget, sizes.particles),
    )


def _of_belief(
    lanes: int, activities: int, budget: int, particles: int
) -> dict[str, np.ndarray]:
    """Return the arrays of the belief over graph and mastery, by name."""
    some = min(particles, 1)
    rows = (budget + 1) * some
    return {
        "dice": np.zeros((lanes, some), np.uint64),
        "past": np.zeros((lanes, rows, 3, activities), np.int16),
        "tables": np.zeros((lanes, particles + some, 7, activities), np.int16),
    }
