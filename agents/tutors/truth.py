"""What privileged tutors keep of the truth: bounds to compare with, not tutors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


class Truth:
    """The part of `info["truth"]` that is told at the start of an episode only.

    Args:
        tutor: Name of the tutor, for errors.
        keys: What to keep.
    """

    def __init__(self, tutor: str, keys: Sequence[str]):
        self.tutor, self.keys = tutor, tuple(keys)
        self._kept: dict[str, np.ndarray] = {}

    def __getitem__(self, key: str) -> np.ndarray:
        """What the last reset of each lane told, `(n, ...)`."""
        return self._kept[key]

    def now(self, info: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the truth of this step.

        Raises:
            ValueError: If the info holds none.
        """
        if "truth" not in info:
            raise ValueError(
                f"info has no 'truth', which the privileged tutor {self.tutor!r} reads:"
                " give it the info of a tutor world as the vector env returns it "
                "(adapters for training strip the truth)"
            )
        return info["truth"]

    def reset(self, info: Mapping[str, Any]) -> None:
        """Note the truth of all lanes.

        Raises:
            ValueError: If the info lacks it.
        """
        truth = self.now(info)
        absent = [key for key in self.keys if key not in truth]
        if absent:
            raise ValueError(
                f"info['truth'] of this reset lacks {', '.join(absent)}: give tutor "
                f"{self.tutor!r} the info that reset() of a tutor world returned"
            )
        self._kept = {key: np.array(truth[key]) for key in self.keys}

    def update(self, info: Mapping[str, Any], lanes: int) -> np.ndarray:
        """Note the truth of lanes that began a new episode; return them, `(r,)`."""
        truth = self.now(info)
        begun = np.zeros(lanes, bool)
        for key in self.keys:
            if key in truth:
                new = truth.get(f"_{key}", np.ones(lanes, bool))
                self._kept[key][new] = truth[key][new]
                begun |= new
        return np.flatnonzero(begun)
