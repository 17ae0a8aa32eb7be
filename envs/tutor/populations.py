"""Populations: the distribution from which simulated students are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from curiosity_rl.envs.settings import real
from curiosity_rl.registry import unknown_name

KEYS = ("kind", "version", "prior", "ability_sd", "ability_on_learn")
KEYS += ("ability_on_answers", "jitter_sd", "clips", "skills")
REMARKS = ("refused", "log", "held_out")
"""What a file may say besides; nothing here reads it."""
ROW = ("learn", "guess", "slip")
ROW_REMARKS = ("name", "prior", "forget", "students", "answers")
MOST_BYTES = 10_000_000


@dataclass(frozen=True)
class Population:
    """Distribution of a student's parameters.

    For each skill one row of the table is drawn as a whole and jittered on the logit
    scale; the student's ability a ~ N(0, ability_sd) shifts logit(prior) by a,
    logit(learn) by `ability_on_learn * a`, logit(guess) by `ability_on_answers * a` and
    logit(slip) by as much downwards; the results are clipped.

    Attributes:
        table: Rows `(learn, guess, slip)`, `(rows, 3)` float64.
        jitter_sd: Standard deviation of the jitter [logit], per parameter.
        ability_sd: Standard deviation of the ability [logit].
        ability_on_learn: Weight of the ability on logit(learn).
        prior: Chance that a skill whose prerequisites are known is known at the start.
        clips: Lower and upper bounds of learn, guess and slip.
        ability_on_answers: Weight of the ability on logit(guess) and -logit(slip).
    """

    table: np.ndarray
    jitter_sd: tuple[float, float, float]
    ability_sd: float
    ability_on_learn: float
    prior: float
    clips: tuple[float, float, float, float, float, float]
    ability_on_answers: float = 0.0

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
    """Return a population by its name, or from a file `....yaml`.

    Raises:
        ValueError: If there is no such population, or the file is wrong.
    """
    if isinstance(name, str) and name.endswith((".yaml", ".yml")):
        return from_yaml(Path(name))
    if not isinstance(name, str) or name not in POPULATIONS:
        known = (*POPULATIONS, "a file such as population.yaml")
        raise ValueError(unknown_name("population", str(name), known))
    return POPULATIONS[name]()


def from_yaml(path: Path) -> Population:
    """Read a population from a file, as `scripts/calibrate.py` writes it.

    The file tells the mean over students of every parameter; the population's own table
    and prior are those of the median student, so that the means come out as told.

    Raises:
        ValueError: If the file cannot be read, or a setting is missing or wrong.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot read population {path}: {error.strerror}") from error
    if len(text) > MOST_BYTES:
        raise ValueError(f"population {path} has more than {MOST_BYTES:,} bytes")
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"population {path} is no YAML file: {error}") from error
    try:
        return _read(data)
    except ValueError as error:
        raise ValueError(f"population {path}: {error}") from error


def _read(data: Any) -> Population:
    _check_keys("the file", data, KEYS, REMARKS)
    if (data["kind"], data["version"]) != ("bkt", 1):
        raise ValueError(
            f"got kind {data['kind']!r}, version {data['version']!r}; this reads kind "
            "'bkt', version 1"
        )
    skills = data["skills"]
    if not isinstance(skills, list) or not skills:
        raise ValueError("skills is no list of skills")
    table = np.empty((len(skills), len(ROW)))
    for number, row in enumerate(skills):
        what = f"skill {number + 1}"
        _check_keys(what, row, ROW, ROW_REMARKS)
        table[number] = [real(f"{name} of {what}", row[name], 0, 1) for name in ROW]
    jitter = _numbers(data, "jitter_sd", 3, 5.0)
    clips = _numbers(data, "clips", 6, 1.0)
    for name, low, high in zip(ROW, clips[::2], clips[1::2], strict=True):
        if low > high:
            raise ValueError(f"clips of {name}: {low} to {high} is no range")
    ability = real("ability_sd", data["ability_sd"], 0.0, 10.0)
    on_learn = real("ability_on_learn", data["ability_on_learn"], -10, 10)
    on_answers = real("ability_on_answers", data["ability_on_answers"], -10, 10)
    weights = np.array([on_learn, on_answers, on_answers])
    prior = np.array(real("prior", data["prior"], 0.0, 1.0))
    return Population(
        table=median(table, np.hypot(jitter, weights * ability)),
        jitter_sd=(jitter[0], jitter[1], jitter[2]),
        ability_sd=ability,
        ability_on_learn=on_learn,
        prior=float(median(prior, np.array(ability))),
        clips=(clips[0], clips[1], clips[2], clips[3], clips[4], clips[5]),
        ability_on_answers=on_answers,
    )


def median(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Return the median of chances by their mean and their deviation [logit].

    Chances whose logit is normal; the probit approximation of MacKay (1992).
    """
    p = np.clip(mean, 1e-4, 1 - 1e-4)
    logit = np.log(p / (1 - p)) * np.sqrt(1 + np.pi / 8 * deviation**2)
    return 1 / (1 + np.exp(-logit))


def _check_keys(
    what: str, data: Any, needed: tuple[str, ...], allowed: tuple[str, ...]
) -> None:
    if not isinstance(data, Mapping):
        raise ValueError(f"{what} is no mapping of settings")
    for name in needed:
        if name not in data:
            raise ValueError(f"{what} has no {name!r}")
    for name in data:
        if name not in needed + allowed:
            raise ValueError(unknown_name("setting", str(name), needed + allowed))


def _numbers(data: Any, name: str, count: int, high: float) -> list[float]:
    values = data[name]
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"{name} is no list of {count} numbers")
    return [real(name, value, 0.0, high) for value in values]
