"""Batch loops of the tutor world: each lane is a student and the record of a tutor."""

from __future__ import annotations

from curiosity_rl.envs.tutor.bits import has
from curiosity_rl.envs.tutor.enrolment import enrol
from curiosity_rl.envs.tutor.record import note, observe, open_record
from curiosity_rl.envs.tutor.state import EXAM, GAIN
from curiosity_rl.envs.tutor.students import (
    answer,
    attend,
    needed_known,
    needed_total,
    pass_time,
    passed,
)
from curiosity_rl.jit import kernel


@kernel
def reset_lanes(lanes, state, params, slots, needed):
    """Draw new students into these lanes; return the first lane without one, or -1.

    `slots`, `(A,)` int64, and `needed`, `(1, W)` uint64, are scratch space.
    """
    for i in lanes:
        if not enrol(i, state, params, slots):
            return i
        open_record(i, state, params, slots, needed)
    return -1


@kernel
def step_all(actions, state, params, reward_kind, columns, rewards, terminated, out):
    """One exercise in every lane: answer, note, observe, and the exam at the end."""
    for i in range(actions.shape[0]):
        before = 0
        if reward_kind != EXAM:
            before = needed_known(i, state)
        k = actions[i]
        if k >= params.activities or params.representations > 1:
            mode = k // params.activities
            k -= mode * params.activities
            state.representation[i] = mode % params.representations
            state.probe[i] = mode >= params.representations
        else:
            state.probe[i] = False
        known = has(state.mastery, i, k)
        right = answer(i, k, state, params)
        note(i, k, right, state, params)
        pass_time(i, state, params)
        observe(i, state, params, columns, out)
        over = state.elapsed[i] >= params.budget
        if params.dropout > 0.0:
            over |= attend(i, k, right, known, state, params)
        terminated[i] = over
        rewards[i] = 0.0
        if reward_kind == EXAM:
            if over and passed(i, state):
                rewards[i] = 1.0
        else:
            known = needed_known(i, state)
            total = needed_total(i, state)
            if reward_kind == GAIN:
                if over:
                    start = state.start[i]
                    rewards[i] = (known - start) / max(total - start, 1)
            else:
                rewards[i] = (known - before) / total


@kernel
def move_all(actions, state, params, rewards, terminated):
    """Rules alone for all lanes: answers, days and the exam, no record to keep."""
    for i in range(actions.shape[0]):
        answer(i, actions[i] % params.activities, state, params)
        pass_time(i, state, params)
        over = state.elapsed[i] >= params.budget
        terminated[i] = over
        rewards[i] = 1.0 if over and passed(i, state) else 0.0


@kernel
def observe_lanes(lanes, state, params, columns, out):
    """Write the observations of these lanes into the same rows of `out`."""
    for i in lanes:
        observe(i, state, params, columns, out)
