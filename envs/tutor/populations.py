"""Populations by name: the distributions from which simulated students are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np

from curiosity_rl.envs.tutor.population import Mixture, Population
from curiosity_rl.envs.tutor.population_file import from_yaml
from curiosity_rl.registry import unknown_name


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


def perturbed() -> Population:
    """The perturbed students of EDM 2016: N(.05, variance .005) is taken off rates."""
    return replace(textbook(), lowered=(0.05, 0.005**0.5))


def forgetting() -> Population:
    """Students who also forget: .02, between median and upper quartile of real fits."""
    return replace(assistments(), forgetting=0.02)


def graded(model: str, *traits: tuple[float, float]) -> Population:
    """Students of a graded model, with rates and ability as in `assistments`."""
    return replace(assistments(), model=model, traits=traits)


def mixed() -> Mixture:
    """Students of all models, in equal shares."""
    names = ("assistments", "forgetting", "pfa", "irt", "q-student", "hlr", "fsrs")
    groups: list[Population] = []
    for name in names:
        one = POPULATIONS[name]()
        assert isinstance(one, Population)
        groups.append(one)
    return Mixture(names, (1 / len(names),) * len(names), tuple(groups))


def subgroups() -> Mixture:
    """Named groups to compare: who is slow, who knows little, who misses a picture.

    Shares and sizes of the differences are assumptions. The handicap is felt only in
    worlds with several representations.
    """
    usual = assistments()
    groups = {
        "average": (0.55, usual),
        "slow learners": (0.20, replace(usual, learn_shift=-0.8)),
        "low prior": (0.15, replace(usual, prior=0.2)),
        "handicapped": (0.10, replace(usual, handicap=0.5)),
    }
    shares, people = zip(*groups.values(), strict=True)
    return Mixture(tuple(groups), shares, people)


POPULATIONS: dict[str, Callable[[], Population | Mixture]] = {
    "assistments": assistments,
    "textbook": textbook,
    "edm2016": textbook,
    "edm2016-perturbed": perturbed,
    "forgetting": forgetting,
    "afm": partial(graded, "pfa", (0.35, 0.71), (0.039, 0.0), (0.039, 0.0)),
    "pfa": partial(graded, "pfa", (0.3, 0.65), (0.134, 0.08), (-0.076, 0.05)),
    "irt": partial(graded, "irt", (0.0, 0.3), (0.0, 1.0), (-1.5, 0.5)),
    "q-student": partial(graded, "q", (0.1, 0.05), (0.0, 0.0), (0.0, 0.0)),
    "hlr": partial(graded, "hlr", (1.0, 0.2), (-0.5, 0.2), (0.0, 0.5)),
    "fsrs": partial(graded, "fsrs", (0.0, 0.3), (0.0, 0.0), (0.0, 0.0)),
    "mixed": mixed,
    "subgroups": subgroups,
}
"""Populations by name.

Traits (mean, deviation), see strength.py: `afm` and `pfa` are our fits to the first 20
answers of ASSISTments 2009-10 (79 skills, with an ability per student; medians of the
weights of single answers, deviations from their quartiles); `irt` has the usual prior
of 3PL parameters, and starts below it; the traits of `q-student`, `hlr` and the spread
of `fsrs` are assumptions.
"""


def parse(name: str) -> Population | Mixture:
    """Return a population by its name, or from a file `....yaml`.

    Raises:
        ValueError: If there is no such population, or the file is wrong.
    """
    if isinstance(name, str) and name.endswith((".yaml", ".yml")):
        return from_yaml(Path(name), parse)
    if not isinstance(name, str) or name not in POPULATIONS:
        known = (*POPULATIONS, "a file such as population.yaml")
        raise ValueError(unknown_name("population", str(name), known))
    return POPULATIONS[name]()
