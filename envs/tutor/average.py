"""The average student of a world, which every tutor may know."""

from __future__ import annotations

import numpy as np

from curiosity_rl.envs.tutor.bits import unpack
from curiosity_rl.envs.tutor.people import FORGETTING, MODEL, SHARE
from curiosity_rl.envs.tutor.state import ADDITIVE, BKT, HARD, SOFT, Params, State
from curiosity_rl.protocols import StudentModel

_LEAST = 1e-3


def average_student(state: State, params: Params) -> StudentModel:
    """Average the skills of freshly drawn students.

    Of additive prerequisites, T_k + D_k * known prerequisites, `learn` is the mean
    chance with all prerequisites known, `leak` the share that is left with none. Graded
    students count as Bayesian ones with the same rates.

    Args:
        state: Students at the start of an episode.
        params: The world's settings.
    """
    activities = params.activities
    skill = ~unpack(state.distractor, activities)
    known = unpack(state.mastery, activities)
    count = (state.parents >= 0).sum(axis=2)
    learn, leak = state.learn, params.leak
    if params.gating == ADDITIVE:
        learn = state.learn + state.boost * count
        child = skill & (count > 0)
        leak = _mean(state.learn, child) / max(_mean(learn, child), _LEAST)
    return StudentModel(
        learn=_mean(learn, skill),
        guess=float(np.clip(_mean(state.guess, skill), _LEAST, 1 - _LEAST)),
        slip=float(np.clip(_mean(state.slip, skill), _LEAST, 1 - _LEAST)),
        prior=_mean(known, skill & _ready(known, state.parents)),
        leak=min(leak, 1.0),
        gating={HARD: "hard", SOFT: "soft", ADDITIVE: "additive"}[params.gating],
        forgetting=_forgetting(params),
        learn_first=params.learn_first,
        skills=params.skills,
        exact=_bayesian(params),
    )


def _bayesian(params: Params) -> bool:
    """Whether every student is one of Bayesian knowledge tracing, and nothing else."""
    people = params.people
    alike = len(np.unique(people[:, FORGETTING])) == 1
    alike &= bool((people[:, MODEL] == BKT).all())
    plain = params.representations == 1 and params.dropout == 0
    return alike and plain and not params.forget_others


def _forgetting(params: Params) -> float:
    shares = np.diff(params.people[:, SHARE], prepend=0.0)
    return float(shares @ params.people[:, FORGETTING])


def _mean(value: np.ndarray, among: np.ndarray) -> float:
    return float(value[among].mean()) if among.any() else 0.0


def _ready(known: np.ndarray, parents: np.ndarray) -> np.ndarray:
    lanes = np.arange(len(known))[:, None, None]
    known = known[lanes, np.maximum(parents, 0)] | (parents < 0)
    return np.logical_and.reduce(known, axis=2)
