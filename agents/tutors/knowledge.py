"""Knowledge states: which of up to twelve skills a student knows, as bits of a number.

A state s of m skills is a number below 2**m; bit j is set where skill j is known. On
them stand the exact belief of a tutor and the plans of those who see the state. All
kernels work on a batch of students, each with a graph of their own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from curiosity_rl.jit import kernel

MOST_SKILLS = 12
"""4,096 states: what a belief or a plan per student can afford."""


class Skills(NamedTuple):
    """The skills of n students that matter, parents first; M at most per student.

    The chance to learn skill j in state s is `full` if all its parents are known, else
    `base + add * number of parents known`.
    """

    bits: np.ndarray  # (n,) int64, m
    slot: np.ndarray  # (n, M) int64, the activity that teaches skill j
    parents: np.ndarray  # (n, M) int64, states of exactly the parents
    full: np.ndarray  # (n, M) float64
    base: np.ndarray  # (n, M) float64
    add: np.ndarray  # (n, M) float64
    guess: np.ndarray  # (n, M) float64
    slip: np.ndarray  # (n, M) float64


@kernel
def known_skills(state):
    """Return how many skills are known in a state."""
    count = 0
    while state:
        state &= state - 1
        count += 1
    return count


@kernel
def learn_chance(i, j, state, skills):
    """Return the chance that one exercise teaches the unknown skill j."""
    met = state & skills.parents[i, j]
    if met == skills.parents[i, j]:
        return skills.full[i, j]
    if skills.add[i, j] == 0.0:
        return skills.base[i, j]
    return skills.base[i, j] + skills.add[i, j] * known_skills(met)


@kernel
def spread_prior(skills, prior, belief):
    """Write the belief before the first answer, `(n, 2**M)`.

    Going from parents to children, a skill is known with chance `prior` if all its
    parents are, else unknown.
    """
    for i in range(belief.shape[0]):
        m = skills.bits[i]
        for s in range(1 << m):
            chance = 1.0
            for j in range(m):
                ready = s & skills.parents[i, j] == skills.parents[i, j]
                if s >> j & 1:
                    chance *= prior if ready else 0.0
                elif ready:
                    chance *= 1.0 - prior
            belief[i, s] = chance


@kernel
def hear(skills, lane, activity, right, learn_first, forgetting, belief):
    """Carry one answer into the beliefs of some lanes: Bayes' rule and learning.

    Args:
        skills: The students' skills as the tutor assumes them.
        lane: Lanes that answered, `(r,)`.
        activity: The activity of each answer, `(r,)`; one that teaches no skill of the
            belief tells nothing.
        right: Whether the answer was right, `(r,)`.
        learn_first: Whether students learn before they answer.
        forgetting: Chance to forget a known skill when it is practised.
        belief: Probabilities of the states, `(n, 2**M)`, brought up to date.
    """
    for r in range(lane.shape[0]):
        i = lane[r]
        j = -1
        for c in range(skills.bits[i]):
            if skills.slot[i, c] == activity[r]:
                j = c
        if j < 0:
            continue
        slip, guess = skills.slip[i, j], skills.guess[i, j]
        likely = 1.0 - slip if right[r] else slip
        unlikely = guess if right[r] else 1.0 - guess
        total = 0.0
        for s in range(1 << skills.bits[i]):
            if s >> j & 1:
                continue
            unknown, known = belief[i, s], belief[i, s | 1 << j]
            if not learn_first:
                unknown, known = unknown * unlikely, known * likely
            learnt = unknown * learn_chance(i, j, s, skills)
            lost = known * forgetting
            unknown, known = unknown - learnt + lost, known + learnt - lost
            if learn_first:
                unknown, known = unknown * unlikely, known * likely
            belief[i, s], belief[i, s | 1 << j] = unknown, known
            total += unknown + known
        for s in range(1 << skills.bits[i]):
            belief[i, s] /= total


@kernel
def discounted_loss(skills, discount, loss):
    """Solve the tutor's problem for students whose state is seen, `(n, 2**M)`.

    With reward = number of skills known and no end,

        V(s) = max_j (r(s) + discount p_j V(s + j)) / (1 - discount (1 - p_j)),

    solved in one pass from the state that knows all, since skills are never lost by a
    tutor who practises unknown ones only. Written is what is lost against that state,
    V(all) - V(s), which float32 holds more closely than V.
    """
    for i in range(loss.shape[0]):
        m = skills.bits[i]
        for s in range((1 << m) - 1, -1, -1):
            missing = m - known_skills(s)
            best = missing / (1.0 - discount)
            for j in range(m):
                if not s >> j & 1:
                    p = learn_chance(i, j, s, skills)
                    q = missing + discount * p * loss[i, s | 1 << j]
                    best = min(best, q / (1.0 - discount * (1.0 - p)))
            loss[i, s] = best


@kernel
def most_gain(skills, belief, loss, out):
    """Write the activity of the largest Q under the belief, `(n,)` int64.

    Q(b, j) = sum_s b(s) Q(s, j); what all j share is left out, and so are states of
    probability below 1e-9:

        gain_j = sum_{s without j} b(s) p_j(s) (V(s + j) - V(s)).
    """
    for i in range(belief.shape[0]):
        out[i] = skills.slot[i, 0]
        most = 0.0
        likely, lost = belief[i], loss[i]
        for j in range(skills.bits[i]):
            gain = 0.0
            for s in range(1 << skills.bits[i]):
                if not s >> j & 1 and likely[s] > 1e-9:
                    step = lost[s] - lost[s | (1 << j)]
                    gain += likely[s] * learn_chance(i, j, s, skills) * step
            if gain > most:
                most = gain
                out[i] = skills.slot[i, j]


@kernel
def marginals(skills, belief, out):
    """Write P(skill j known) of every lane, `(n, M)`."""
    for i in range(belief.shape[0]):
        for j in range(skills.bits[i]):
            out[i, j] = 0.0
        for s in range(1 << skills.bits[i]):
            for j in range(skills.bits[i]):
                if s >> j & 1:
                    out[i, j] += belief[i, s]
