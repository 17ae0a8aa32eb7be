"""Point-based value iteration over knowledge states: plans that count on doubt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curiosity_rl.agents.tutors.knowledge import (
    Skills,
    discounted_loss,
    hear,
    learn_chance,
    most_gain,
    spread_prior,
)
from curiosity_rl.jit import kernel
from curiosity_rl.protocols import StudentModel

MOST_SWEEPS, QUIET, CLOSE = 200, 3, 1e-4
WANDERING = (0.0, 0.1, 0.3, 1.0)
"""Shares of random activities of the tutors along whose way beliefs are gathered."""


@dataclass(frozen=True)
class Plan:
    """A value function over beliefs, V(b) = max_v vectors_v . b: a lower bound.

    Attributes:
        vectors: Values of the states, `(V, S)`.
        skill: The skill to practise where a vector is the largest, `(V,)`.
    """

    vectors: np.ndarray
    skill: np.ndarray

    def value(self, beliefs: np.ndarray) -> np.ndarray:
        """Return V of beliefs `(B, S)`, `(B,)`."""
        return np.max(beliefs @ self.vectors.T, axis=1)

    def choose(self, beliefs: np.ndarray) -> np.ndarray:
        """Return the skill to practise under beliefs `(B, S)`, `(B,)`."""
        return self.skill[(beliefs @ self.vectors.T).argmax(axis=1)]


@kernel
def change_chances(skills, out):
    """Write P(practising j makes it known) of one student's states, `(m, S)`."""
    for j in range(out.shape[0]):
        for s in range(out.shape[1]):
            out[j, s] = 0.0 if s >> j & 1 else learn_chance(0, j, s, skills)


class Problem:
    """The tutor's problem for one graph: states, answers, discounted reward.

    The reward of an exercise is the number of skills known after it.

    Args:
        skills: One student, `n = 1`.
        student: The student's prior, and whether learning comes before the answer.
        discount: Discount of the reward.
    """

    def __init__(self, skills: Skills, student: StudentModel, discount: float):
        m = int(skills.bits[0])
        self.skills, self.student, self.discount, self.m = skills, student, discount, m
        self.states = np.arange(1 << m)
        self.after = self.states | 1 << np.arange(m)[:, None]
        self.learnt = np.empty((m, 1 << m))
        change_chances(skills, self.learnt)
        known = self.after == self.states
        slip, guess = skills.slip[0, :m, None], skills.guess[0, :m, None]
        right = np.where(known, 1.0 - slip, guess)
        self.answers = np.stack([1.0 - right, right], axis=1)
        self.start = np.zeros((1, 1 << m), np.float32)
        spread_prior(skills, student.prior, self.start)
        self.reward = self._expected(np.bitwise_count(self.states).astype(np.float64))

    def _expected(self, later: np.ndarray) -> np.ndarray:
        """Return what is expected of `(..., S)` after practising each skill."""
        p = self.learnt
        later = later[..., None, :]
        moved = np.take_along_axis(
            np.broadcast_to(later, (*later.shape[:-2], *p.shape)),
            np.broadcast_to(self.after, (*later.shape[:-2], *p.shape)),
            axis=-1,
        )
        return (1.0 - p) * later + p * moved

    def projections(self, vectors: np.ndarray) -> np.ndarray:
        """Return each vector seen from before an exercise, `(m, 2, V, S)`.

        `g[j, o, v](s) = sum_s' P(s', answer o | s, j) v(s')`.
        """
        if self.student.learn_first:
            parts = [self._each(vectors, answer) for answer in (0, 1)]
            return np.stack(parts, axis=1)
        expected = np.moveaxis(self._expected(vectors), 1, 0)
        return self.answers[:, :, None] * expected[:, None]

    def _each(self, vectors: np.ndarray, answer: int) -> np.ndarray:
        out = np.empty((self.m, *vectors.shape))
        for j in range(self.m):
            told = self.answers[j, answer] * vectors
            p = self.learnt[j]
            out[j] = (1.0 - p) * told + p * told[:, self.after[j]]
        return out

    def wander(
        self, lanes: int, steps: int, plan: Plan | None, seed: int
    ) -> np.ndarray:
        """Gather beliefs along the way of planned and random tutors, `(B, S)`.

        Without a plan the tutors follow QMDP; a share of their activities is random.
        """
        rng = np.random.default_rng(seed)
        many = Skills(*(np.repeat(part, lanes, axis=0) for part in self.skills))
        belief = np.repeat(self.start, lanes, axis=0)
        state = _draw(belief, rng)
        loss = np.empty_like(belief)
        discounted_loss(many, self.discount, loss)
        share = np.resize(WANDERING, lanes)
        every, slot = np.arange(lanes), np.empty(lanes, np.int64)
        met = [belief.copy()]
        for _ in range(steps):
            most_gain(many, belief, loss, slot)
            skill = (many.slot[:, : self.m] == slot[:, None]).argmax(axis=1)
            if plan is not None:
                skill = plan.choose(belief)
            stray = rng.random(lanes) < share
            skill = np.where(stray, rng.integers(0, self.m, lanes), skill)
            moved = np.where(
                rng.random(lanes) < self.learnt[skill, state],
                self.after[skill, state],
                state,
            )
            shown = moved if self.student.learn_first else state
            right = rng.random(lanes) < self.answers[skill, 1, shown]
            state = moved
            activity = many.slot[every, skill]
            first = self.student.learn_first
            hear(many, every, activity, right, first, 0.0, belief)
            met.append(belief.copy())
        return np.concatenate(met).astype(np.float64)


def solve_points(
    problem: Problem, points: np.ndarray, plan: Plan | None, seed: int
) -> Plan:
    """Improve a plan at these beliefs by randomised point-based value iteration.

    Each sweep backs up beliefs in random order, until the value of none is below that
    of the last sweep. It ends when, for three sweeps, no value moved by more than 1e-4
    of the largest.

    Args:
        problem: What to plan for.
        points: Beliefs, `(B, S)`.
        plan: Plan to improve; None to begin with "nothing more is learnt".
        seed: Seed of the order.

    Source: Spaan and Vlassis 2005, JAIR 24 (Perseus).
    """
    rng = np.random.default_rng(seed)
    if plan is None:
        known = np.bitwise_count(problem.states) / (1.0 - problem.discount)
        plan = Plan(known[None].astype(np.float64), np.zeros(1, np.int64))
    value = plan.value(points)
    most = problem.m / (1.0 - problem.discount)
    quiet = 0
    for _ in range(MOST_SWEEPS):
        plan, better = _sweep(problem, points, value, plan, rng)
        moved = np.max(better - value)
        value = better
        quiet = quiet + 1 if moved < CLOSE * most else 0
        if quiet == QUIET:
            break
    return plan


def _sweep(
    problem: Problem,
    points: np.ndarray,
    value: np.ndarray,
    plan: Plan,
    rng: np.random.Generator,
) -> tuple[Plan, np.ndarray]:
    """Return a plan that is nowhere worse at the points, and its values."""
    seen = problem.discount * problem.projections(plan.vectors)
    better = np.full(len(points), -np.inf)
    vectors, skills = [], []
    left = np.arange(len(points))
    while len(left):
        one = rng.choice(left)
        vector, skill = _backup(problem, points[one], seen)
        if vector @ points[one] < value[one]:
            best = (plan.vectors @ points[one]).argmax()
            vector, skill = plan.vectors[best], int(plan.skill[best])
        vectors.append(vector)
        skills.append(skill)
        better = np.maximum(better, points @ vector)
        better[one] = max(better[one], value[one])  # against rounding
        left = left[better[left] < value[left]]
    return Plan(np.array(vectors), np.array(skills)), better


def _backup(
    problem: Problem, point: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, int]:
    """Return the best vector at a belief, one exercise ahead, and its skill."""
    best = (seen @ point).argmax(axis=2)
    skills = np.arange(problem.m)
    later = seen[skills, 0, best[:, 0]] + seen[skills, 1, best[:, 1]]
    vectors = problem.reward + later
    skill = int((vectors @ point).argmax())
    return vectors[skill], skill


def _draw(belief: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    total = belief.cumsum(axis=1)
    return (total > rng.random((len(belief), 1)) * total[:, -1:]).argmax(axis=1)
