"""What a tutor world reports in `info`: the record for bonuses, the truth apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from curiosity_rl.envs.tutor import graph_belief, record
from curiosity_rl.envs.tutor.bits import unpack
from curiosity_rl.envs.tutor.state import NONE, Params, State
from curiosity_rl.envs.tutor.strength import strengths

SETS = ("needed", "goal", "distractor")
OF_STUDENT = ("learn", "guess", "slip", "boost", "parents", "group", "model")
"""What is told at the beginning of an episode only."""


def truth(state: State, lanes: np.ndarray, params: Params) -> dict[str, np.ndarray]:
    """Return what only evaluation may know of these lanes now."""
    found = {"mastery": unpack(state.mastery[lanes], params.activities)}
    if state.level.shape[2]:
        found["strength"] = np.empty((len(lanes), params.activities), np.float32)
        strengths(lanes, state, found["strength"])
    if params.dropout > 0:
        found["motivation"] = state.motivation[lanes]
    return found


def whole_truth(
    state: State, lanes: np.ndarray, params: Params
) -> dict[str, np.ndarray]:
    """Return what only evaluation may know of new students in these lanes."""
    found = truth(state, lanes, params)
    for name in SETS:
        found[name] = unpack(getattr(state, name)[lanes], params.activities)
    return found | {name: getattr(state, name)[lanes] for name in OF_STUDENT}


def beliefs(state: State, lanes: Any, params: Params) -> dict[str, np.ndarray]:
    """Return what the tutor believes of these lanes, and what it is told of the exam.

    With a belief over the graph, that one; `needed` is then a chance.
    """
    features = state.features[lanes]
    shown = params.graph != NONE
    column = record.JOINT if shown else record.BELIEF
    inferred = state.weights.shape[1] > 0
    if inferred:
        column = features.shape[2] - len(graph_belief.FEATURES)
    info = {
        "belief": features[..., column].copy(),
        "goal": features[..., record.GOAL] > 0,
    }
    if inferred:
        info["needed"] = features[..., column + graph_belief.NEEDED].copy()
    elif shown:
        info["needed"] = features[..., record.NEEDED] > 0
    return info
