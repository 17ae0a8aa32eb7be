"""Who is taught: populations by name, and what is true of each student."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curiosity_rl.agents.bench.teach import Lessons
from curiosity_rl.agents.worlds import find_world, make_lanes
from curiosity_rl.registry import load


def own_population(world: str, env_kwargs: Mapping[str, Any]) -> str:
    """Return the name of the population that a world draws from if not told."""
    spec = find_world(world)
    if "population" in env_kwargs:
        return str(env_kwargs["population"])
    if "population" in spec.kwargs:
        return str(spec.kwargs["population"])
    kernel = spec.kwargs.get("world")
    known = inspect.signature(load(kernel)).parameters if kernel else {}
    return str(known["population"].default) if "population" in known else "own"


def known_populations(world: str, env_kwargs: Mapping[str, Any] | None) -> list[str]:
    """Return the names of all populations that a world can draw from.

    Raises:
        ValueError: If the world does not tell.
    """
    probe = make_lanes(world, env_kwargs or {}, 1)
    names = getattr(getattr(probe.unwrapped, "world", None), "population_names", None)
    probe.close()
    if not names:
        raise ValueError(
            f"{world} does not tell which populations it knows; name them, such as "
            "--students assistments,textbook"
        )
    return list(names)


QUARTERS = ("slowest quarter", "second quarter", "third quarter", "fastest quarter")
"""Groups by the true learn rate."""
PARAMETERS = ("learn", "guess", "slip")
"""What a student model may tell of each skill, under `info["truth"]` at a reset."""


@dataclass(frozen=True)
class Roll:
    """What is true of each student, whoever teaches; every array has a row per student.

    Attributes:
        learn_rate: Mean over the needed skills of the true `learn`, `(n,)`.
        group: Number of the named subgroup, `(n,)` int64.
        groups: Names of the subgroups; `all` where the population has none.
        features: What makes two students similar, standardised, `(n, d)`.
    """

    learn_rate: np.ndarray
    group: np.ndarray
    groups: tuple[str, ...]
    features: np.ndarray

    def quarter(self) -> np.ndarray:
        """Return the quarter of the true learn rate, 0 slowest to 3 fastest, `(n,)`."""
        rank = np.argsort(np.argsort(self.learn_rate, kind="stable"), kind="stable")
        return 4 * rank // len(rank)


def group_names(world: str, env_kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of a population's subgroups; `all` where it has none."""
    probe = make_lanes(world, env_kwargs, 1)
    names = getattr(getattr(probe.unwrapped, "world", None), "groups", None)
    probe.close()
    return tuple(names) if names else ("all",)


def called(lessons: Sequence[Lessons], groups: tuple[str, ...]) -> Roll:
    """Return the roll of students, from the lessons that any tutor gave them.

    Students are similar if they have similar mean learn rate, guess and slip (on the
    logit scale, over the needed skills), know a similar share of those skills at the
    start, and need as many.
    """
    needed = np.concatenate([block.truth["needed"] for block in lessons]).astype(bool)
    total = np.concatenate([block.needed for block in lessons])
    start = np.concatenate([block.known[:, 0] for block in lessons])
    n = len(total)
    columns = [start / total, total.astype(np.float64)]
    rates = np.zeros(n)
    for name in PARAMETERS:
        if name in lessons[0].truth:
            table = np.concatenate([block.truth[name] for block in lessons])
            mean = (table * needed).sum(axis=1, dtype=np.float64) / total
            inside = np.clip(mean, 1e-6, 1 - 1e-6)
            columns.append(np.log(inside / (1 - inside)))
            rates = mean if name == "learn" else rates
    table = np.stack(columns, axis=1)
    spread = table.std(axis=0)
    features = (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    group = np.zeros(n, np.int64)
    if len(groups) > 1 and "group" in lessons[0].truth:
        group = np.concatenate([block.truth["group"] for block in lessons])
    return Roll(rates, group.astype(np.int64), groups, features)
