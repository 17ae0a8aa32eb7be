"""A tutor who is told another graph than the one shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from curiosity_rl.agents.tutors import Tutor
from curiosity_rl.protocols import ActivityLayout


class ToldGraph:
    """Let a tutor teach by a graph of the author's, right or wrong.

    The tutor reads its observation as if that graph were shown: prerequisites, roots,
    and what the goals need. It makes sense where each activity has a fixed slot, in a
    world with `shuffle=False`. Beliefs in the observation still rest on the graph of
    the world, so tutors that read beliefs are refused.

    Args:
        tutor: The tutor.
        layout: How the observation is laid out.
        parents: For each slot the slots of its prerequisites.

    Raises:
        ValueError: If the tutor reads beliefs or no graph is shown, or the graph does
            not fit the layout.
    """

    privileged = False

    def __init__(
        self,
        tutor: Tutor,
        layout: ActivityLayout,
        parents: tuple[tuple[int, ...], ...],
    ):
        reads = getattr(tutor, "reads", ())
        beliefs = [feature for feature in reads if "belief" in feature]
        if beliefs or tutor.privileged or "needed" not in layout.features:
            raise ValueError(
                "a tutor can be told another graph if it reads graph and answers only; "
                f"this one reads {', '.join(beliefs) or 'the truth, or no graph'}"
            )
        columns = [c for c, f in enumerate(layout.features) if f.startswith("parent_")]
        if len(parents) != layout.activities or max(map(len, parents)) > len(columns):
            raise ValueError(
                f"the graph has {len(parents)} slots with up to "
                f"{max(map(len, parents))} prerequisites; this world has "
                f"{layout.activities} with up to {len(columns)}"
            )
        self.tutor, self.layout = tutor, layout
        self.shown = np.zeros((layout.activities, len(columns)), np.float32)
        for slot, direct in enumerate(parents):
            for column, parent in enumerate(direct):
                self.shown[slot, column] = (parent + 1) / layout.activities
        self._columns = columns
        self._ancestors = _closure(parents)

    def reset(self, obs: np.ndarray, info: Mapping[str, Any]) -> None:
        """Forget the last students."""
        self.tutor.reset(self.retold(obs), info)

    def act(self, obs: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
        """Propose one activity per lane, `(n,)` int64."""
        return self.tutor.act(self.retold(obs), info)

    def retold(self, obs: np.ndarray) -> np.ndarray:
        """Return the observations with the graph that the tutor is told."""
        other = obs.copy()
        features, names = self.layout.split(other)[0], self.layout.features
        features[..., self._columns] = self.shown
        features[..., names.index("root")] = (self.shown == 0).all(axis=1)
        goal = features[..., names.index("goal")] > 0
        features[..., names.index("needed")] = goal @ self._ancestors
        return other


def _closure(parents: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """Return which slots each slot needs, itself included, `(A, A)` bool."""
    needs = np.eye(len(parents), dtype=bool)
    for _ in parents:
        for slot, direct in enumerate(parents):
            for parent in direct:
                needs[slot] |= needs[parent]
    return needs
