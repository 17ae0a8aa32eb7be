"""Populations: the distribution from which simulated students are drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files

import numpy as np

from curiosity_rl.registry import unknown_name


@dataclass(frozen=True)
class Population:
    """Distribution of a student's parameters.

    For each skill one row of the table is drawn as a whole and jittered on the logit
    scale; the student's ability a ~ N(0, ability_sd) shifts logit(learn) by
    `ability_on_learn * a` and logit(prior) by a; the results are clipped.

    Attributes:
        table: Rows `(learn, guess, slip)`, `(rows, 3)` float64.
        jitter_sd: Standard deviation of the jitter [logit], per parameter.
        ability_sd: Standard deviation of the ability [logit].
        ability_on_learn: Weight of the ability on logit(learn).
        prior: Chance that a skill whose prerequisites are known is known at the start.
        clips: Lower and upper bounds of learn, guess and slip.
    """

    table: np.ndarray
    jitter_sd: tuple[float, float, float]
    ability_sd: float
    ability_on_learn: float
    prior: float
    clips: tuple[float, float, float, float, float, float]

    def with_prior(self, prior: float | None) -> Population:
        """Return this population with another prior; None leaves it as it is."""
        return self if prior is None else replace(self, prior=prior)


def assistments() -> Population:
    """Students as fits to real answers show them (ASSISTments 2009-10).

    The table is data/assistments2009.csv; the ability's deviation of .73 was measured
    on the same answers (1PL model). The weight .5 of the ability on learning and the
    prior of .5 for a course on new material are assumptions.
    """
    path = files("curiosity_rl.envs.tutor.data") / "assistments2009.csv"
    with path.open() as file:
        table = np.loadtxt(file, delimiter=",", skiprows=1)[:, :3]
    return Population(
        table=np.clip(table, [0.01, 0.02, 0.02], 0.9),
        jitter_sd=(0.25, 0.25, 0.25),
        ability_sd=0.73,
        ability_on_learn=0.5,
        prior=0.5,
        clips=(0.05, 0.60, 0.02, 0.45, 0.02, 0.40),
    )


def textbook() -> Population:
    """Students as textbooks draw them: learn about .2, guess = slip = .1, no prior.

    Learn rates vary with a deviation of .44 on the logit scale, which is close to the
    log-normal deviation of .35 of the chain benchmark.
    """
    return Population(
        table=np.array([[0.2, 0.1, 0.1]]),
        jitter_sd=(0.44, 0.0, 0.0),
        ability_sd=0.0,
        ability_on_learn=0.0,
        prior=0.0,
        clips=(0.01, 0.90, 0.0, 0.5, 0.0, 0.5),
    )


POPULATIONS = {"assistments": assistments, "textbook": textbook}


def parse(name: str) -> Population:
    """Return a population by its name.

    Raises:
        ValueError: If there is no such population.
    """
    if not isinstance(name, str) or name not in POPULATIONS:
        raise ValueError(unknown_name("population", str(name), POPULATIONS))
    return POPULATIONS[name]()
