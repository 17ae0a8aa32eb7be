"""What a tutor takes for granted who infers graph and mastery: the population."""

from __future__ import annotations

import numpy as np

from curiosity_rl.envs.tutor import hypotheses as hy
from curiosity_rl.envs.tutor import state as st
from curiosity_rl.envs.tutor.bits import unpack
from curiosity_rl.envs.tutor.people import PRIOR, SHARE

MOST_ACTIVITIES = 64
DOUBT = 0.02
"""Least chance that a link shown is wrong, or one is missing: moves between hypotheses
need a way, and authors err."""
SWEEPS = 1
_CERTAIN = 1e-12


def expect(students: st.State, params: st.Params, particles: int) -> hy.Model:
    """Return the model of students that belong to these settings.

    A skill's rates are those of some skill of some student of a sample, independent
    between skills; graded students count as Bayesian ones with the same rates, and
    nothing is forgotten.

    Args:
        students: A sample of freshly drawn students.
        params: Settings of the world.
        particles: Number of hypotheses.

    Raises:
        ValueError: If graphs of this curriculum cannot be inferred.
    """
    _check(params)
    skill = ~unpack(students.distractor, params.activities)
    rates = [getattr(students, name)[skill] for name in ("learn", "guess", "slip")]
    weight = np.diff(params.people[:, SHARE], prepend=0.0)
    known = float(weight @ (1 / (1 + np.exp(-params.people[:, PRIOR]))))
    noise, dropped = _errors(params)
    return hy.Model(
        skills=params.skills,
        activities=params.activities,
        particles=particles,
        sweeps=SWEEPS,
        goals=params.goals,
        min_unknown=params.min_unknown,
        known=known,
        log_known=float(_log(known)),
        log_unknown=float(_log(1 - known)),
        leak=params.leak,
        learn_first=int(params.learn_first),
        noisy=params.graph != st.NONE,
        noise=noise,
        dropped=dropped,
        rates=with_logs(np.stack(rates, axis=1).astype(np.float64), params.leak),
    )


def _errors(params: st.Params) -> tuple[float, float]:
    """Return how often links are taken to be wrong and dropped, neither 0 nor 1."""
    noisy = params.graph == st.NOISY
    noise = np.clip(params.graph_noise if noisy else 0.0, DOUBT, 1 - 2 * DOUBT)
    dropped = np.clip(params.graph_dropped if noisy else 0.0, DOUBT, 1 - DOUBT - noise)
    return float(noise), float(dropped)


def with_logs(rates: np.ndarray, leak: float) -> np.ndarray:
    """Return rates `(R, 3)`, learn, guess and slip, with their logs, `(R, 9)`.

    Columns as `hypotheses.T` to `LOG_NOT_G`; guess and slip are kept off 0 and 1.
    """
    learn, (guess, slip) = rates[:, 0], np.clip(rates[:, 1:], 1e-9, 1 - 1e-9).T
    learn = np.clip(learn, 0, 1 - _CERTAIN)
    logs = (learn, 1 - learn, leak * learn, 1 - leak * learn)
    logs += (guess, 1 - guess)
    return np.stack([learn, guess, slip, *map(_log, logs)], axis=1)


def _log(x: np.ndarray | float) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(x), hy.IMPOSSIBLE)


def _check(params: st.Params) -> None:
    if params.kind != st.LAYERED or params.gating != st.HARD:
        raise ValueError(
            "belief='graph' infers graphs of layered curricula with hard gating; use "
            "curriculum='layered-K' and gating='hard', or belief=True"
        )
    if params.activities > MOST_ACTIVITIES or params.budget >= hy.NEVER:
        raise ValueError(
            f"belief='graph' can take {MOST_ACTIVITIES} activities and a budget below "
            f"{hy.NEVER:,}; got {params.activities} and {params.budget:,}"
        )
    if params.graph_noise + params.graph_dropped > 1:
        raise ValueError(
            f"graph_noise is {params.graph_noise} and graph_dropped "
            f"{params.graph_dropped}; together they must not exceed 1"
        )
