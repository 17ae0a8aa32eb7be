"""The arrays of the tutor world: students (the truth) and the tutor's record."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LAYERED, FIXED = 0, 1
HARD, SOFT, ADDITIVE = 0, 1, 2
EXAM, GAIN, MASTERY = 0, 1, 2
NONE, TRUE, NOISY = 0, 1, 2


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
    # the tutor's record: answers, and the graph as shown
    shown: np.ndarray  # (n, A, P) int16, parents as the tutor is told
    activity: np.ndarray  # (n,) int64, last activity; -1 before the first
    outcome: np.ndarray  # (n,) int8, last answer; 1 right, 0 wrong
    children: np.ndarray  # (n, A, W) uint64, the same links from the other end
    attempts: np.ndarray  # (n, A) int32
    last: np.ndarray  # (n, A) int32, exercise at which it was last practised; 0 never
    features: np.ndarray  # (n, A, F) float32, see record.FEATURES
    belief_before: np.ndarray  # (n, A) float32, belief before the last answer
    # the belief over graph and mastery, see graph_belief.Particles; else without room
    dice: np.ndarray
    past: np.ndarray
    weights: np.ndarray
    tables: np.ndarray
    desk: np.ndarray


class Params(NamedTuple):
    """Settings of a tutor world, as the kernels read them."""

    skills: int
    activities: int
    budget: int
    goals: int
    min_unknown: int
    redraws: int  # students drawn at most, until one has enough unknown skills
    students: int  # size of the pool of students; 0 for a new one every time
    kind: int  # LAYERED or FIXED
    gating: int  # HARD, SOFT or ADDITIVE
    leak: float  # chance factor to learn although prerequisites are missing
    forgetting: float  # chance to forget a known skill when it is practised
    learn_first: bool
    graph: int  # what the tutor is shown: NONE, TRUE or NOISY
    graph_noise: float
    graph_dropped: float
    prior_logit: float
    ability_sd: float
    ability_on_learn: float
    ability_on_answers: float
    parents: np.ndarray  # (K, P) int16, FIXED curricula, parents first
    learn: np.ndarray  # (K,) float32, where the curriculum fixes it; else empty
    boost: np.ndarray  # (K,) float32
    exam: np.ndarray  # (G,) int64, skills that exams are drawn from; empty: last half
    table: np.ndarray  # (rows, 3) float64, logits of learn, guess, slip
    jitter: np.ndarray  # (3,) float64
    clips: np.ndarray  # (6,) float64


def allocate(
    lanes: int,
    activities: int,
    parents: int,
    features: int,
    budget: int = 0,
    particles: int = 0,
) -> State:
    """Return an empty state; without particles there is no belief over the graph."""
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
        shown=np.full((*table, parents), -1, dtype=np.int16),
        activity=np.full(lanes, -1, dtype=np.int64),
        outcome=np.zeros(lanes, dtype=np.int8),
        children=np.zeros((*table, words), dtype=np.uint64),
        attempts=np.zeros(table, dtype=np.int32),
        last=np.zeros(table, dtype=np.int32),
        features=np.zeros((*table, features), dtype=np.float32),
        belief_before=rates(),
        **room(lanes, activities, budget, particles),
    )


def room(
    lanes: int, activities: int, budget: int, particles: int
) -> dict[str, np.ndarray]:
    """Return the arrays of the belief over graph and mastery, by name."""
    some = min(particles, 1)
    rows = (budget + 1) * some
    return {
        "dice": np.zeros((lanes, some), np.uint64),
        "past": np.zeros((lanes, rows, 3, activities), np.int16),
        "weights": np.zeros((lanes, particles)),
        "tables": np.zeros((lanes, particles + some, 7, activities), np.int16),
        "desk": np.zeros((lanes, max(activities, particles) * some)),
    }


def unpack(masks: np.ndarray, activities: int) -> np.ndarray:
    """Turn bit masks `(m, W)` uint64 into `(m, A)` bool."""
    little = masks.astype("<u8", copy=False)
    bits = np.unpackbits(little.view(np.uint8), axis=1, bitorder="little")
    return bits[:, :activities].astype(np.bool_)
