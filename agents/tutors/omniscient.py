"""The upper bound: a tutor who sees what the student knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from curiosity_rl.agents.tutors.graph import all_parents
from curiosity_rl.protocols import ActivityLayout

_FIXED = ("needed", "parents", "learn")  # told at the start of an episode only


class Omniscient:
    """Teach the needed, unknown skill that is learnt fastest, its parents being known.

    `argmax of learn_k` over needed skills with `mastery_k = 0` and all true parents
    known; greedy, hence a little below the best that could be done with the truth.
    Where no such skill is left, any needed one.

    Args:
        layout: How the observation is laid out.
        seed: Not used; every tutor takes one.
    """

    name = "omniscient"
    reads: ClassVar[tuple[str, ...]] = ()
    privileged = True

    def __init__(self, layout: ActivityLayout, seed: int = 0):
        self.layout = layout
        self._truth: dict[str, np.ndarray] = {}

    def reset(self, obs: np.ndarray, info: Mapping[str, Any]) -> None:
        """Note the students' graphs and parameters."""
        truth = _truth_of(info)
        absent = [key for key in _FIXED if key not in truth]
        if absent:
            raise ValueError(
                f"info['truth'] of this reset lacks {', '.join(absent)}: give tutor "
                "'omniscient' the info that reset() of a tutor world returned"
            )
        self._truth = {key: np.array(truth[key]) for key in _FIXED}

    def act(self, obs: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
        """Propose one activity per lane, `(n,)` int64."""
        truth = _truth_of(info)
        for key in _FIXED:
            if key in truth:  # some lanes began a new episode
                new = truth.get(f"_{key}", np.ones(len(obs), bool))
                self._truth[key][new] = truth[key][new]
        known = np.asarray(truth["mastery"], bool)
        ready = all_parents(known, self._truth["parents"].astype(np.int64))
        score = self._truth["needed"].astype(np.float64)
        score += (self._truth["needed"] & ~known & ready) * (1.0 + self._truth["learn"])
        return score.argmax(axis=1).astype(np.int64)


def _truth_of(info: Mapping[str, Any]) -> Mapping[str, Any]:
    if "truth" not in info:
        raise ValueError(
            "info has no 'truth', which the privileged tutor 'omniscient' reads: give "
            "it the info of a tutor world as the vector env returns it (adapters for "
            "training strip the truth)"
        )
    return info["truth"]
