"""The upper bound: a tutor who sees what the student knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from curiosity_rl.agents.tutors.graph import all_parents
from curiosity_rl.agents.tutors.truth import Truth
from curiosity_rl.protocols import ActivityLayout


class Omniscient:
    """Teach the needed, unknown skill that is learnt fastest, its parents being known.

    `argmax of learn_k` over needed skills with `mastery_k = 0` and all true parents
    known; greedy, hence a little below the best that could be done with the truth.
    Where no such skill is left, the needed one that is least strong.

    Args:
        layout: How the observation is laid out.
        seed: Not used; every tutor takes one.
    """

    name = "omniscient"
    reads: ClassVar[tuple[str, ...]] = ()
    privileged = True

    def __init__(self, layout: ActivityLayout, seed: int = 0):
        self.layout = layout
        self._truth = Truth(self.name, ("needed", "parents", "learn"))

    def reset(self, obs: np.ndarray, info: Mapping[str, Any]) -> None:
        """Note the students' graphs and parameters."""
        self._truth.reset(info)

    def act(self, obs: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
        """Propose one activity per lane, `(n,)` int64."""
        self._truth.update(info, len(obs))
        known = np.asarray(self._truth.now(info)["mastery"], bool)
        ready = all_parents(known, self._truth["parents"].astype(np.int64))
        score = self._truth["needed"].astype(np.float64)
        strength = self._truth.now(info).get("strength", known)
        score *= 2.0 - np.asarray(strength)
        score += (self._truth["needed"] & ~known & ready) * (2.0 + self._truth["learn"])
        return score.argmax(axis=1).astype(np.int64)
