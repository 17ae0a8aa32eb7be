"""The tutor's record: what it may know, kept up to date answer by answer.

Kernels here read activities, answers, goals and the graph AS SHOWN, nothing else; that
is the firewall between the truth and every observation and bonus.
"""

from __future__ import annotations

import numpy as np

from curiosity_rl.belief import (
    HIDDEN_GATE,
    JOINT_PRIOR,
    PRIOR,
    answer_probability,
    trace,
    trace_parent,
)
from curiosity_rl.envs.tutor.bits import add, has, mark_needed
from curiosity_rl.envs.tutor.state import NONE
from curiosity_rl.jit import kernel

_ONE = np.uint64(1)
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_BIT_OF = np.zeros(64, dtype=np.int64)
for _bit in range(64):
    _BIT_OF[(0x03F79D71B4CB0A89 << _bit) % 2**64 >> 58] = _bit

ALWAYS = (
    "attempts",
    "last_1",
    "last_2",
    "last_3",
    "last_4",
    "streak",
    "recency",
    "success_fast",
    "success_slow",
    "goal",
    "belief",
)
WITH_GRAPH = (
    "needed",
    "root",
    "parents_belief",
    "parents_success",
    "joint_belief",
    "parents_joint_belief",
    "child_stuck",
)
BELIEFS = ("belief", "parents_belief", "joint_belief", "parents_joint_belief")
_NAMES = ALWAYS + WITH_GRAPH
ATTEMPTS, LAST, STREAK, RECENCY, FAST, SLOW, GOAL, BELIEF = 0, 1, 5, 6, 7, 8, 9, 10
NEEDED, ROOT, PARENTS_BELIEF, PARENTS_SUCCESS, JOINT, PARENTS_JOINT, STUCK, PARENT = (
    range(11, 19)
)
FAST_RATE, SLOW_RATE, RECENCY_DECAY, FULL_STREAK = 0.4, 0.15, 0.9, 5
MOST_ATTEMPTS, FORGOTTEN = 1024, 1000
DAYS_SCALE = 0.25
ATTEMPTS_FEATURE = np.log1p(np.arange(MOST_ATTEMPTS + 1, dtype=np.float32)) / 2
RECENCY_FEATURE = (RECENCY_DECAY ** np.arange(FORGOTTEN + 1)).astype(np.float32)


def feature_names(
    graph: int, parents: int, days: bool = False, representations: int = 1
) -> tuple[str, ...]:
    """Return the names of all features of an activity, in their order."""
    names = ALWAYS
    if graph != NONE:
        names = _NAMES + tuple(f"parent_{p + 1}" for p in range(parents))
    if days:
        names += ("days",)
    if representations > 1:
        names += tuple(f"success_as_{r + 1}" for r in range(representations))
    return names


@kernel
def lowest_bit(word):
    """Return the index of the lowest bit set in a word that is not 0.

    One multiplication and a table (Leiserson, Prokop & Randall 1998); a loop over the
    bits costs as much as all the rest of the record.
    """
    return _BIT_OF[((word & (~word + _ONE)) * _DE_BRUIJN) >> np.uint64(58)]


@kernel
def refresh(i, k, state):
    """Recompute what activity k shows of its parents."""
    f = state.features[i]
    belief, joint, success = 1.0, 1.0, 3.0
    for p in range(state.shown.shape[2]):
        parent = state.shown[i, k, p]
        if parent >= 0:
            belief *= f[parent, BELIEF]
            joint *= f[parent, JOINT]
            recent = f[parent, LAST] + f[parent, LAST + 1] + f[parent, LAST + 2]
            success = min(success, recent)
    f[k, PARENTS_BELIEF] = belief
    f[k, PARENTS_JOINT] = joint
    f[k, PARENTS_SUCCESS] = success / 3.0


@kernel
def open_record(i, state, params, slots, needed):
    """Start the record of a new student in lane i.

    `slots` is scratch of `(A,)` int64, activities with parents first; `needed` is
    scratch of `(1, W)` uint64.
    """
    state.activity[i] = -1
    state.outcome[i] = 0
    f = state.features[i]
    for k in range(params.activities):
        state.attempts[i, k] = 0
        state.last[i, k] = 0
        for w in range(state.children.shape[2]):
            state.children[i, k, w] = np.uint64(0)
        for c in range(f.shape[1]):
            f[k, c] = 0.0
        f[k, FAST] = 0.5
        f[k, SLOW] = 0.5
        f[k, BELIEF] = PRIOR
        f[k, GOAL] = has(state.goal, i, k)
        if params.shown_column >= 0:
            for r in range(params.representations):
                f[k, params.shown_column + r] = 0.5
        state.belief_before[i, k] = PRIOR
    if params.graph == NONE:
        return
    for w in range(needed.shape[1]):
        needed[0, w] = np.uint64(0)
    mark_needed(
        state.goal[i : i + 1], state.shown[i : i + 1], slots, params.skills, 0, needed
    )
    for k in range(params.activities):
        f[k, JOINT] = JOINT_PRIOR
        state.belief_before[i, k] = JOINT_PRIOR
        f[k, NEEDED] = has(needed, 0, k)
        f[k, ROOT] = 1.0
        for p in range(state.shown.shape[2]):
            parent = state.shown[i, k, p]
            f[k, PARENT + p] = (parent + 1) / params.activities
            if parent >= 0:
                f[k, ROOT] = 0.0
                add(state.children[i], parent, k)
    for k in range(params.activities):
        refresh(i, k, state)


@kernel
def trace_graph(i, k, right, taught, state):
    """Carry one answer through the beliefs that the shown graph ties together."""
    f = state.features[i]
    parents = state.shown.shape[2]
    gate = taught
    for p in range(parents):
        if state.shown[i, k, p] >= 0:
            gate *= f[state.shown[i, k, p], JOINT]
    evidence = answer_probability(f[k, JOINT], right)
    child = trace(f[k, JOINT], right, gate)
    f[k, JOINT] = child
    for p in range(parents):
        parent = state.shown[i, k, p]
        if parent >= 0:
            f[parent, JOINT] = trace_parent(f[parent, JOINT], evidence, right, child)
            f[parent, STUCK] = 0.0
    for w in range(state.children.shape[2]):
        touched = state.children[i, k, w]
        for p in range(parents):
            parent = state.shown[i, k, p]
            if parent < 0:
                continue
            left = state.children[i, parent, w]
            touched |= left
            while left:
                j = 64 * w + lowest_bit(left)
                left &= left - _ONE
                stuck = f[j, ATTEMPTS] * (1.0 - f[j, FAST])
                f[parent, STUCK] = max(f[parent, STUCK], stuck)
        while touched:
            refresh(i, 64 * w + lowest_bit(touched), state)
            touched &= touched - _ONE


@kernel
def note(i, k, right, state, params):
    """Enter one answer to activity k into the record of lane i."""
    f = state.features[i]
    shown = params.graph != NONE
    column = JOINT if shown else BELIEF
    for j in range(f.shape[0]):
        state.belief_before[i, j] = f[j, column]
    state.last[i, k] = state.elapsed[i]
    state.activity[i] = k
    state.outcome[i] = 1 if right else 0
    attempts = min(state.attempts[i, k] + 1, MOST_ATTEMPTS)
    state.attempts[i, k] = attempts
    f[k, ATTEMPTS] = ATTEMPTS_FEATURE[attempts]
    for c in range(LAST + 3, LAST, -1):
        f[k, c] = f[k, c - 1]
    f[k, LAST] = 1.0 if right else -1.0
    f[k, STREAK] = min(f[k, STREAK] + 1.0 / FULL_STREAK, 1.0) if right else 0.0
    result = 1.0 if right else 0.0
    f[k, FAST] += FAST_RATE * (result - f[k, FAST])
    f[k, SLOW] += SLOW_RATE * (result - f[k, SLOW])
    if params.days_column >= 0:
        state.seen[i, k] = state.day[i]
    if params.shown_column >= 0:
        column = params.shown_column + state.representation[i]
        f[k, column] += FAST_RATE * (result - f[k, column])
    taught = 0.0 if state.probe[i] else 1.0
    gate = HIDDEN_GATE * taught
    if shown:
        gate = taught
        for p in range(state.shown.shape[2]):
            if state.shown[i, k, p] >= 0:
                gate *= f[state.shown[i, k, p], BELIEF]
    f[k, BELIEF] = trace(f[k, BELIEF], right, gate)
    if shown:
        trace_graph(i, k, right, taught, state)


@kernel
def observe(i, state, params, columns, out):
    """Write the observation of lane i: features by activity, then the budget left."""
    f = state.features[i]
    if params.days_column >= 0:
        for k in range(f.shape[0]):
            if state.last[i, k] > 0:
                days = state.day[i] - state.seen[i, k]
                f[k, params.days_column] = DAYS_SCALE * np.log1p(days)
    width = columns.size
    if width == f.shape[1]:
        flat = f.reshape(-1)
        for c in range(flat.size):
            out[i, c] = flat[c]
    else:
        for k in range(f.shape[0]):
            for c in range(width):
                out[i, k * width + c] = f[k, columns[c]]
    for k in range(f.shape[0]):
        if state.last[i, k] > 0:
            age = min(state.elapsed[i] - state.last[i, k], FORGOTTEN)
            out[i, k * width + RECENCY] = RECENCY_FEATURE[age]
    out[i, f.shape[0] * width] = (params.budget - state.elapsed[i]) / params.budget
