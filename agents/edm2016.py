"""The comparison of teaching strategies of EDM 2016, on six skills, reproduced.

Experiment A: every tutor knows the students' rules. Experiment B: students differ from
what is assumed, and most are taught by the prerequisites of another model.

Source: Clement, Oudeyer and Lopes 2016, "A Comparison of Automatic Teaching Strategies
for Heterogeneous Student Populations", EDM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from curiosity_rl.agents.tutors import Tutor, make_tutor
from curiosity_rl.agents.tutors.told import ToldGraph
from curiosity_rl.agents.worlds import make_lanes
from curiosity_rl.seeding import lane_seeds, stream_seed

WORLD = "tutor-edm2016-v0"
PERTURBED = "edm2016-perturbed"
MARKS = (25, 50, 100)
STEPS_A, STEPS_B = 100, 200
MODELS_A = (0, 3, 4)
GROUPS_B = ((0, 1, 2), (0, 3, 4))
TUNED: dict[int, dict[str, float]] = {
    0: {"filter1": 0.2, "d": 4, "up": 0.6, "down": 0.7, "promote": 0.8},
    1: {"filter1": 0.1, "d": 4, "up": 0.7, "down": 0.6, "promote": 0.8},
    2: {"filter1": 0.5, "d": 4, "up": 0.8, "down": 0.7, "promote": 1.5},
    3: {"filter1": 0.4, "d": 4, "up": 0.8, "down": 0.6, "promote": 1.2},
    4: {"filter1": 0.4, "d": 4, "up": 0.8, "down": 0.6, "promote": 1.2},
}
"""Constants of ZPDES*, tuned by its authors to the students of each model."""
PLANNERS = ("qmdp", "perseus")
Ticker = Callable[[str, float], None]


@dataclass(frozen=True)
class Strategy:
    """A tutor of the comparison.

    Attributes:
        label: Its name in the tables.
        tutor: A name of `registry.TUTORS`.
        settings: Its settings for students of a model.
        informed: Whether it is told a graph, right or wrong, and is part of B with all.
    """

    label: str
    tutor: str
    settings: Callable[[int], dict[str, Any]] = lambda _: {}
    informed: bool = True


STRATEGIES = (
    Strategy("omniscient greedy", "omniscient", informed=False),
    Strategy(
        "DP on the true state", "dynamic", lambda _: {"objective": "level"}, False
    ),
    Strategy("expert order, 3 in a row", "n-in-a-row"),
    Strategy("ZPDES*", "zpdes-list", lambda model: TUNED[model]),
    Strategy("POMDP, Perseus", "perseus"),
    Strategy("QMDP", "qmdp"),
    Strategy("ZPDES^H", "zpdes-list"),
    Strategy("ZPDES^H, eager", "zpdes-list", lambda _: {"eager": True}),
    Strategy("ZPDES^H, stall rule", "zpdes-list", lambda _: {"stall": True}),
    Strategy("random", "random", informed=False),
)


@dataclass(frozen=True)
class CurveRow:
    """Experiment A, one tutor on the students of one model.

    Attributes:
        model: Number of the model, 0 to 4.
        tutor: Label of the tutor.
        levels: Mean share of the six skills known after each of `MARKS` exercises.
        errors: Their standard errors.
        complete: Share of students who know all six at the end.
    """

    model: int
    tutor: str
    levels: tuple[float, ...]
    errors: tuple[float, ...]
    complete: float


@dataclass(frozen=True)
class CrossRow:
    """Experiment B, one tutor on the students of one model of a group.

    Attributes:
        group: Numbers of the models in the group.
        tutor: Label of the tutor.
        assumed: Model whose prerequisites it is told; None if it is told none.
        model: Model of the students.
        level: Mean share of the six skills known after 200 exercises.
        error: Its standard error.
    """

    group: tuple[int, ...]
    tutor: str
    assumed: int | None
    model: int
    level: float
    error: float


def experiment_a(
    students: int = 500,
    seed: int = 0,
    tick: Ticker | None = None,
    models: Sequence[int] = MODELS_A,
) -> list[CurveRow]:
    """Let every tutor teach students whose rules it knows, for 100 exercises.

    Args:
        students: Students of each model; the same ones for every tutor.
        seed: Which held-out students.
        tick: Told about progress.
        models: Models of students.
    """
    rows = []
    plan = [(model, strategy) for model in models for strategy in STRATEGIES]
    for number, (model, strategy) in enumerate(plan):
        known = _teach(strategy, model, model, "textbook", students, STEPS_A, seed)
        marked = [known[mark - 1] for mark in MARKS]
        rows.append(
            CurveRow(
                model=model,
                tutor=strategy.label,
                levels=tuple(float(level.mean()) for level in marked),
                errors=tuple(_error(level) for level in marked),
                complete=float((known[-1] == 1).mean()),
            )
        )
        if tick is not None:
            tick(f"model {model}, {strategy.label}", (number + 1) / len(plan))
    return rows


def experiment_b(
    students: int = 200,
    seed: int = 0,
    tick: Ticker | None = None,
    groups: Sequence[tuple[int, ...]] = GROUPS_B,
) -> list[CrossRow]:
    """Let tutors made for each model of a group teach perturbed students of them all.

    Args:
        students: Students of each model; the same ones for every tutor.
        seed: Which held-out students.
        tick: Told about progress.
        groups: Groups of models.
    """
    plan = [
        (group, strategy, assumed, model)
        for group in groups
        for strategy in STRATEGIES
        for assumed in (group if strategy.informed else (None,))
        for model in group
    ]
    rows = []
    for number, (group, strategy, assumed, model) in enumerate(plan):
        known = _teach(strategy, assumed, model, PERTURBED, students, STEPS_B, seed)
        level, error = float(known[-1].mean()), _error(known[-1])
        rows.append(CrossRow(group, strategy.label, assumed, model, level, error))
        if tick is not None:
            tick(f"{strategy.label}, model {model}", (number + 1) / len(plan))
    return rows


def _teach(
    strategy: Strategy,
    assumed: int | None,
    model: int,
    population: str,
    students: int,
    steps: int,
    seed: int,
) -> np.ndarray:
    """Return the share of skills known after each exercise, `(steps, students)`."""
    settings = {
        "curriculum": f"edm2016-{model}",
        "population": population,
        "budget": steps,
        "shuffle": False,
        "belief": False,  # it rests on the graph of the world
    }
    venv = make_lanes(WORLD, settings, students)
    tutor = _tutor(strategy, assumed, model, venv)
    given: Any = lane_seeds(seed, "evaluation", students)  # vector worlds take a list
    obs, info = venv.reset(seed=given)
    tutor.reset(obs, info)
    known = np.empty((steps, students))
    for t in range(steps):
        obs, _, _, _, info = venv.step(tutor.act(obs, info))
        report = info["final_info"] if t == steps - 1 else info
        known[t] = report["truth"]["mastery"].mean(axis=1)
    venv.close()
    return known


def _tutor(
    strategy: Strategy, assumed: int | None, model: int, venv: gym.vector.VectorEnv
) -> Tutor:
    """Build a tutor for students of a model, told the graph of the assumed one."""
    world: Any = venv.unwrapped
    seed = stream_seed(0, "tutor")
    if assumed is None or not strategy.informed:
        settings = strategy.settings(model)
        return make_tutor(strategy.tutor, world.layout, seed, **settings)
    settings = strategy.settings(assumed)
    if strategy.tutor in PLANNERS:
        settings = {**settings, "assumed": _nominal(assumed)}
    tutor = make_tutor(strategy.tutor, world.layout, seed, **settings)
    return ToldGraph(tutor, world.layout, _graph(assumed, model))


def _nominal(model: int) -> Any:
    """Return the student that a planner assumes: the model's own, not perturbed."""
    name = f"edm2016-{model}"
    env: Any = gym.make(WORLD, curriculum=name, population="textbook").unwrapped
    return env.layout.student


def _graph(assumed: int, model: int) -> tuple[tuple[int, ...], ...]:
    """Return the prerequisites of one model in the slots of another's skills."""
    slots, course = _course(model)[0], _course(assumed)[1]
    return tuple(tuple(slots.index(p) for p in course[name]) for name in slots)


def _course(model: int) -> tuple[list[str], dict[str, list[str]]]:
    """Return a model's skills in the order of slots, and what each needs."""
    env: Any = gym.make(WORLD, curriculum=f"edm2016-{model}").unwrapped
    course = env.world.curriculum
    names = list(course.names)
    return names, {
        name: [names[p] for p in parents]
        for name, parents in zip(names, course.parents, strict=True)
    }


def _error(level: np.ndarray) -> float:
    return float(level.std(ddof=1) / len(level) ** 0.5) if len(level) > 1 else 0.0
