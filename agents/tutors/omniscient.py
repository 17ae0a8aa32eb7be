"""The upper bound: a tutor who sees what the student knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from curiosity_rl.agents.tutors.planner import AVERAGE
from curiosity_rl.agents.tutors.truth import Truth
from curiosity_rl.jit import kernel
from curiosity_rl.protocols import ActivityLayout

_CERTAIN = 1e-9  # what nobody can learn still comes before what is known


class Omniscient:
    """Teach what is learnt most surely, and what most rests on.

    `argmax of P(learn k) * (1 + needed skills that rest on k)` over needed skills with
    `mastery_k = 0`, by the student's true chances and prerequisites; greedy, hence a
    little below the best that could be done with the truth (`dynamic`). Where nothing
    is left to learn, the needed skill that is least strong.

    Args:
        layout: How the observation is laid out.
        seed: Not used; every tutor takes one.
    """

    name = "omniscient"
    reads: ClassVar[tuple[str, ...]] = ()
    privileged = True

    def __init__(self, layout: ActivityLayout, seed: int = 0):
        self.layout = layout
        student = layout.student or AVERAGE
        self.gating, self.leak = student.gating, student.leak
        self._truth = Truth(self.name, ("needed", "parents", "learn", "boost"))
        self._resting = np.zeros((0, 0), np.int64)

    def reset(self, obs: np.ndarray, info: Mapping[str, Any]) -> None:
        """Note the students' graphs and parameters."""
        self._truth.reset(info)
        self._resting = np.zeros(self._truth["needed"].shape, np.int64)
        self._count(np.arange(len(obs)))

    def act(self, obs: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
        """Propose one activity per lane, `(n,)` int64."""
        begun = self._truth.update(info, len(obs))
        if len(begun):
            self._count(begun)
        now, needed = self._truth.now(info), self._truth["needed"]
        known = np.asarray(now["mastery"], bool)
        worth = (self._chances(known) + _CERTAIN) * (1 + self._resting)
        score = np.where(needed & ~known, worth, 0.0)
        weakness = needed * (2.0 - np.asarray(now.get("strength", known)))
        score = np.where(score.any(axis=1, keepdims=True), score, weakness)
        return score.argmax(axis=1).astype(np.int64)

    def _chances(self, known: np.ndarray) -> np.ndarray:
        """Return the true chance that one exercise teaches each skill, `(n, A)`."""
        parents, learn = self._truth["parents"], self._truth["learn"]
        lanes = np.arange(len(known))[:, None, None]
        real = parents >= 0
        count, met = real.sum(axis=2), (known[lanes, parents] & real).sum(axis=2)
        if self.gating == "additive":
            return learn + self._truth["boost"] * met
        if self.gating == "hard":
            return np.where(met == count, learn, self.leak * learn)
        share = np.where(count > 0, met / np.maximum(count, 1), 1.0)
        return learn * (self.leak + (1.0 - self.leak) * share)

    def _count(self, lanes: np.ndarray) -> None:
        needed, parents = self._truth["needed"], self._truth["parents"]
        seen = np.empty(needed.shape[1], np.bool_)
        stack = np.empty(needed.shape[1], np.int64)
        count_resting(lanes, needed, parents, seen, stack, self._resting)


@kernel
def count_resting(lanes, needed, parents, seen, stack, out):
    """Count the needed skills that rest on each activity, directly or not.

    Args:
        lanes: Lanes to count in.
        needed: `(n, A)` bool.
        parents: Slots of the parents, `(n, A, P)` int, -1 for none.
        seen: `(A,)` bool, scratch.
        stack: `(A,)` int64, scratch.
        out: `(n, A)` int64, written in these lanes.
    """
    activities = needed.shape[1]
    for i in lanes:
        for k in range(activities):
            out[i, k] = 0
        for k in range(activities):
            if not needed[i, k]:
                continue
            for j in range(activities):
                seen[j] = False
            stack[0], size = k, 1
            while size > 0:
                size -= 1
                child = stack[size]
                for p in range(parents.shape[2]):
                    parent = parents[i, child, p]
                    if parent >= 0 and not seen[parent]:
                        seen[parent] = True
                        out[i, parent] += 1
                        stack[size] = parent
                        size += 1
