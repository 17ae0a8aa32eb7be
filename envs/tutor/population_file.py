"""Population files: students as `scripts/calibrate.py` fits them, and mixtures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from curiosity_rl.envs.settings import real
from curiosity_rl.envs.tutor.population import Mixture, Population
from curiosity_rl.registry import unknown_name

KEYS = ("kind", "version", "prior", "ability_sd", "ability_on_learn")
KEYS += ("ability_on_answers", "jitter_sd", "clips", "skills")
REMARKS = ("refused", "log", "held_out")
"""What a file may say besides; nothing here reads it."""
ROW = ("learn", "guess", "slip")
ROW_REMARKS = ("name", "prior", "forget", "students", "answers")
MOST_BYTES = 10_000_000
MOST_GROUPS = 100
GROUP = ("name", "weight", "population")
CHANGES = {
    "prior": (0.0, 1.0),
    "ability_sd": (0.0, 10.0),
    "ability_on_learn": (-10.0, 10.0),
    "ability_on_answers": (-10.0, 10.0),
    "learn_shift": (-10.0, 10.0),
    "forgetting": (0.0, 1.0),
    "handicap": (0.0, 1.0),
}
"""What a group of a mixture may change, and within which bounds."""

Named = Callable[[str], Population | Mixture]


def from_yaml(path: Path, named: Named) -> Population | Mixture:
    """Read a population from a file: one that was calibrated, or a mixture.

    A calibrated file (`kind: bkt`) tells the mean over students of every parameter; the
    population's own table and prior are those of the median student, so that the means
    come out as told. A mixture names its groups and what is different in them:

    ```yaml
    kind: mixture
    version: 1
    groups:
      - {name: most, weight: 0.8, population: assistments}
      - {name: slow, weight: 0.2, population: assistments, learn_shift: -1.0}
    ```

    Args:
        path: The file.
        named: Returns the population that a group names.

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
        if isinstance(data, Mapping) and data.get("kind") == "mixture":
            return _read_mixture(data, named)
        return _read(data)
    except ValueError as error:
        raise ValueError(f"population {path}: {error}") from error


def _read(data: Any) -> Population:
    _check_keys("the file", data, KEYS, REMARKS)
    if (data["kind"], data["version"]) != ("bkt", 1):
        raise ValueError(
            f"got kind {data['kind']!r}, version {data['version']!r}; this reads kind "
            "'bkt' or 'mixture', version 1"
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


def _read_mixture(data: Mapping[str, Any], named: Named) -> Mixture:
    _check_keys("the file", data, ("kind", "version", "groups"), REMARKS)
    if data["version"] != 1:
        raise ValueError(f"got version {data['version']!r}; this reads version 1")
    groups = data["groups"]
    if not isinstance(groups, list) or not 1 <= len(groups) <= MOST_GROUPS:
        raise ValueError(f"groups is no list of 1 to {MOST_GROUPS} groups")
    names, weights, people = [], [], []
    for number, group in enumerate(groups):
        what = f"group {number + 1}"
        _check_keys(what, group, GROUP, tuple(CHANGES))
        if not isinstance(group["name"], str) or group["name"] in names:
            raise ValueError(f"{what} has no name of its own")
        names.append(group["name"])
        weights.append(real(f"weight of {what}", group["weight"], 0.0, 1e9))
        one = named(group["population"])
        if isinstance(one, Mixture):
            raise ValueError(f"{what} names a mixture, {group['population']!r}")
        changes = {
            key: real(f"{key} of {what}", group[key], *CHANGES[key])
            for key in group
            if key in CHANGES
        }
        people.append(replace(one, **changes))
    if not sum(weights) > 0:
        raise ValueError("the weights of the groups add up to 0")
    shares = tuple(weight / sum(weights) for weight in weights)
    return Mixture(tuple(names), shares, tuple(people))


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
