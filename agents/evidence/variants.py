"""Questions f and g: curiosity against rules, in variants of the tutor's world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from curiosity_rl.agents.bench.candidates import layout_of
from curiosity_rl.agents.config import ExperimentConfig, without_bonus
from curiosity_rl.agents.evidence.plan import Run
from curiosity_rl.agents.evidence.protocols import Teaching, Tutoring
from curiosity_rl.agents.tutors import available_tutors

VARIANTS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "tutor-noisy-v0": ("tutor-noisy-v0", {}),
    "tutor-blind-v0": ("tutor-blind-v0", {}),
    "tutor-memory-v0": ("tutor-memory-v0", {}),
    "tutor-dropout-v0": ("tutor-dropout-v0", {}),
    "tutor-edm2016-v0": ("tutor-edm2016-v0", {}),
    "arithmetic": ("tutor-v0", {"curriculum": "arithmetic", "budget": 600}),
}
"""Worlds and their settings by the name of the task."""
RULES = (
    *("random", "syllabus", "n-in-a-row", "n-in-a-row-backtrack", "bkt-mastery"),
    *("parent-inference", "zpdes", "riarit", "leitner", "recall-threshold"),
    *("zpdes-blind", "stay", "graph-inference", "omniscient"),
)
"""Tutors that learners are compared with, where they find what they read."""
FEW_RULES = (
    *("random", "n-in-a-row-backtrack", "parent-inference", "zpdes", "stay"),
    *("graph-inference", "omniscient"),
)
LEVELS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of links that the shown graph has wrong."""
STUDENTS, EXAMINED = 1000, 200
"""Held-out students at the end, and on the way."""


def variants(seed: int) -> list[Run]:
    """Return the runs of question f; tutors that do not learn teach with seed 0."""
    runs = []
    for task, (env, kwargs) in VARIANTS.items():
        runs += _learners("f", task, _config(env, kwargs, seed))
        if seed == 0:
            runs += _rules("f", task, env, kwargs, RULES)
    return runs


def noise(seed: int) -> list[Run]:
    """Return the runs of question g: half of the wrong links are left out."""
    runs = []
    for level in LEVELS:
        task = f"{100 * level:.0f} % wrong"
        kwargs = {"graph_noise": level / 2, "graph_dropped": level / 2}
        runs += _learners("g", task, _config("tutor-noisy-v0", kwargs, seed))[:1]
        if seed == 0:
            runs += _rules("g", task, "tutor-noisy-v0", kwargs, FEW_RULES)
    return runs


def _config(env: str, kwargs: Mapping[str, Any], seed: int) -> ExperimentConfig:
    return ExperimentConfig.load(
        env=env, env_kwargs=dict(kwargs), seed=seed, progress=False
    )


def _learners(question: str, task: str, config: ExperimentConfig) -> list[Run]:
    """Return the runs of the preset with its bonus and without."""
    exams = Teaching((config.n_timesteps // 2,), EXAMINED, STUDENTS)
    return [
        Run(question, task, "curiosity", config, exams),
        Run(question, task, "none", without_bonus(config), exams),
    ]


def _rules(
    question: str,
    task: str,
    env: str,
    kwargs: Mapping[str, Any],
    names: Sequence[str],
) -> list[Run]:
    """Return the runs of tutors made by hand that find what they read.

    The belief over graphs is slow: it is kept for the tutor that reads it. The students
    and their luck are the same without it.
    """
    config = without_bonus(_config(env, kwargs, 0))
    there = available_tutors(layout_of(env, config.env_kwargs))
    quick = replace(config, env_kwargs={**config.env_kwargs, "belief": True})
    return [
        Run(
            question,
            task,
            f"tutor: {name}",
            config if name == "graph-inference" else quick,
            Tutoring(name, STUDENTS),
        )
        for name in names
        if name in there
    ]
