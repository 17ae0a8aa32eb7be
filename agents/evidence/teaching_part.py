"""The part of the report on tutors, in one world or in several."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from curiosity_rl.agents.evidence import pictures
from curiosity_rl.agents.evidence.pictures import Dots
from curiosity_rl.agents.evidence.plan import Question
from curiosity_rl.agents.evidence.statistics import estimate
from curiosity_rl.agents.evidence.summary import Arm, Tasks, limit
from curiosity_rl.agents.evidence.tables import level_table, teaching_table

RATE = "final pass rate"
TUTOR = "tutor: "
AMOUNT = re.compile(r"(\d+) % ")
"""Begins the names of tasks that differ by an amount."""


def teaching_part(question: Question, tasks: Tasks, folder: Path) -> str:
    """Return tables of every world; draw their pictures."""
    if all(AMOUNT.match(task) for task in tasks):
        return _by_amount(question, tasks, folder)
    names = list(dict.fromkeys(name for arms in tasks.values() for name in arms))
    lines = pictures.lines_of(names, question.reference)
    parts = []
    for task, arms in tasks.items():
        if len(tasks) > 1:
            parts.append(f"### {task}\n")
        parts.append(teaching_table(arms, question.reference))
    if len(tasks) == 1:
        parts.append(_learning(question, tasks, lines, folder))
    panels = {
        task: {_short(name): _values(arms[name].last(RATE)) for name in _ranked(arms)}
        for task, arms in tasks.items()
    }
    short = {_short(name): line for name, line in lines.items()}
    label = "pass rate at the end: a dot per run, IQM and 95 % interval"
    figure = pictures.dot_picture(panels, short, label)
    picture = pictures.kept(figure, folder / f"{question.name}_runs.png")
    parts.append(f"![Pass rate at the end, a dot per run]({picture.name})\n")
    return "\n".join(parts)


def _learning(
    question: Question,
    tasks: Tasks,
    lines: Mapping[str, pictures.Line],
    folder: Path,
) -> str:
    """Draw pass rates over training frames, and across them what does not learn."""
    ((task, arms),) = tasks.items()
    learners = {n: a for n, a in arms.items() if not n.startswith(TUTOR)}
    times = _exams(learners)
    levels = {
        _short(name): estimate([arm.last(RATE)]).value
        for name, arm in arms.items()
        if name not in learners
    }
    title = f"{task}, {limit(learners.values()):,} frames"
    figure = pictures.curve_picture(
        {title: {name: _passed(arm, times) for name, arm in learners.items()}},
        {title: times},
        lines,
        "pass rate of held-out students",
        levels,
    )
    picture = pictures.kept(figure, folder / f"{question.name}.png")
    return f"![Pass rate over training frames]({picture.name})\n"


def _by_amount(question: Question, tasks: Tasks, folder: Path) -> str:
    """Return a table with a column per amount; draw pass rates over it."""
    names = list(dict.fromkeys(name for arms in tasks.values() for name in arms))
    ordered = sorted(tasks, key=_amount)
    arms = {
        name: {
            _amount(task): estimate([tasks[task][name].last(RATE)])
            for task in ordered
            if name in tasks[task]
        }
        for name in names
    }
    seeds = {
        name: min(by[name].seeds for by in tasks.values() if name in by)
        for name in names
    }
    unit = AMOUNT.sub("", ordered[0])
    figure = pictures.amount_picture(
        {_short(name): values for name, values in arms.items()},
        f"% {unit}",
        "pass rate of held-out students: IQM and 95 % interval",
    )
    picture = pictures.kept(figure, folder / f"{question.name}.png")
    return "\n".join(
        [
            level_table(arms, seeds, f"% {unit}"),
            f"![Pass rate over the share that is {unit}]({picture.name})\n",
        ]
    )


def _amount(task: str) -> int:
    found = AMOUNT.match(task)
    assert found is not None
    return int(found[1])


def _short(name: str) -> str:
    return name.removeprefix(TUTOR)


def _ranked(arms: Mapping[str, Arm]) -> list[str]:
    return sorted(arms, key=lambda name: -estimate([arms[name].last(RATE)]).value)


def _exams(arms: Mapping[str, Arm]) -> np.ndarray:
    """Return the frames of all examinations, 0 before."""
    found: set[int] = {0}
    for arm in arms.values():
        for run in arm.runs.values():
            for measure in ("pass rate", RATE):
                found |= {frames for frames, _ in run.get(measure, [])}
    return np.array(sorted(found))


def _passed(arm: Arm, times: np.ndarray) -> np.ndarray:
    """Return pass rates over time with the last examination, `(seeds, times)`."""
    joined = Arm(
        {
            seed: {"all": [*run.get("pass rate", []), *run[RATE]]}
            for seed, run in arm.runs.items()
        }
    )
    return joined.curves("all", times)


def _values(values: np.ndarray) -> Dots:
    middle = estimate([values]) if len(values) > 1 else None
    return Dots(values, np.zeros(len(values), bool), middle)
