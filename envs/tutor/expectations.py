"""What a tutor takes for granted who infers graph and mastery: the population."""

from __future__ import annotations

import numpy as np

from curiosity_rl.envs.tutor import hypotheses as hy
from curiosity_rl.envs.tutor import state as st

DRAWS = 256
MOST_ACTIVITIES = 64
DOUBT = 0.02
"""Least chance that a link shown is wrong, or one is missing: moves between hypotheses
need a way, and authors err."""
_CERTAIN = 1e-12


def expect(params: st.Params, particles: int) -> hy.Model:
    """Return the model of students that belong to these settings.

    The rates of a skill are one of 256 draws from the population, the same for every
    tutor; ability is drawn anew for each.

    Args:
        params: Settings of the world.
        particles: Number of hypotheses.

    Raises:
        ValueError: If graphs of this curriculum, or these students, cannot be inferred.
    """
    _check(params)
    rng = np.random.default_rng(0)
    rows = params.table[rng.integers(len(params.table), size=DRAWS)]
    rows = rows + params.jitter[0] * rng.normal(size=rows.shape)
    ability = params.ability_sd[0] * rng.normal(size=DRAWS)
    rows[:, 0] += params.ability_on_learn[0] * ability + params.learn_shift[0]
    clips = params.clips[0]
    rates = np.clip(1 / (1 + np.exp(-rows)), clips[::2], clips[1::2])
    noise, dropped = _errors(params)
    known = float(1 / (1 + np.exp(-params.prior_logit[0])))
    return hy.Model(
        skills=params.skills,
        activities=params.activities,
        particles=particles,
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
        rates=with_logs(rates, params.leak),
    )


def _errors(params: st.Params) -> tuple[float, float]:
    """Return how often links are taken to be wrong and dropped, neither 0 nor 1."""
    noisy = params.graph == st.NOISY
    noise = np.clip(params.graph_noise if noisy else 0.0, DOUBT, 1 - 2 * DOUBT)
    dropped = np.clip(params.graph_dropped if noisy else 0.0, DOUBT, 1 - DOUBT - noise)
    return float(noise), float(dropped)


def with_logs(rates: np.ndarray, leak: float) -> np.ndarray:
    """Return rates `(R, 3)`, learn, guess and slip, with their logs, `(R, 11)`.

    Columns as `hypotheses.T` to `LOG_NOT_S`; guess and slip are kept off 0 and 1.
    """
    learn, (guess, slip) = rates[:, 0], np.clip(rates[:, 1:], 1e-9, 1 - 1e-9).T
    learn = np.clip(learn, 0, 1 - _CERTAIN)
    logs = (learn, 1 - learn, leak * learn, 1 - leak * learn)
    logs += (guess, 1 - guess, slip, 1 - slip)
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
    if params.share.size > 1 or params.model[0] != st.BKT:
        raise ValueError(
            "belief='graph' takes it that all students are of one population of the "
            "BKT family; use population='assistments' or 'textbook', or belief=True"
        )
    if params.forgetting[0] > 0:
        raise ValueError(
            f"belief='graph' takes it that nothing is forgotten, and forgetting is "
            f"{params.forgetting[0]}; use forgetting=0 or belief=True"
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
