"""The robustness matrix: tutors under student models that they were not made for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curiosity_rl.agents.bench.compare import Comparison, compare_tutors
from curiosity_rl.agents.bench.students import known_populations


@dataclass(frozen=True)
class Matrix:
    """Scores of tutors under several student models, as a table.

    Attributes:
        comparison: The rows.
        tutors: Names of the rows.
        students: Names of the columns: populations.
        scores: Score of each tutor with each population, `(T, P)`; NaN where random
            and omniscient do not differ.
    """

    comparison: Comparison
    tutors: list[str]
    students: list[str]
    scores: np.ndarray

    @property
    def worst(self) -> np.ndarray:
        """Worst score of each tutor, `(T,)`; NaN where it has none."""
        empty = np.isnan(self.scores).all(axis=1)
        return np.where(empty, np.nan, np.nan_to_num(self.scores, nan=np.inf).min(1))


def robustness_matrix(
    tutors: Sequence[str] = ("all",),
    students: Sequence[str] = (),
    world: str = "tutor-v0",
    **settings: Any,
) -> Matrix:
    """Let tutors teach students of several models, also those they were not made for.

    A tutor that leads with one model of students may fail with another; what is to be
    trusted leads with all of them. Source: Doroudi, Aleven & Brunskill 2017, "Robust
    Evaluation Matrix", Learning @ Scale.

    Args:
        tutors: As for `compare_tutors`.
        students: Names of populations; none for all that the world knows by name.
        world: A tutor world.
        settings: As for `compare_tutors`.

    Returns:
        Scores, and the rows that they come from.
    """
    names = students or known_populations(world, settings.get("env_kwargs"))
    return as_matrix(compare_tutors(tutors, names, world, **settings))


def as_matrix(found: Comparison) -> Matrix:
    """Arrange the scores of a comparison as a matrix."""
    scores = [[found.row(s, t).score for s in found.populations] for t in found.tutors]
    return Matrix(found, found.tutors, found.populations, np.array(scores))
