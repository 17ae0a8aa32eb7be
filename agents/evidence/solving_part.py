"""The part of the report on worlds to be solved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from curiosity_rl.agents.evidence import pictures
from curiosity_rl.agents.evidence.pictures import Dots
from curiosity_rl.agents.evidence.plan import Question
from curiosity_rl.agents.evidence.statistics import Estimate
from curiosity_rl.agents.evidence.summary import Arm, Tasks, budget_scores, limit
from curiosity_rl.agents.evidence.tables import across_table, solving_table

POINTS = 60
"""Times at which curves are drawn."""
SCORE = (
    "Score: the mean, over all frames up to the limit, of the level that the last "
    "training episodes reach; 1 would be solved at once, 0 never. Solved runs stop and "
    "keep their level. The first episodes to end are those that succeed: hence the "
    "hills at the beginning of some curves, of any arm, which the score counts.\n"
)


def solving_part(question: Question, tasks: Tasks, folder: Path) -> str:
    """Return tables of every task and of all together; draw their pictures."""
    names = list(dict.fromkeys(name for arms in tasks.values() for name in arms))
    lines = pictures.lines_of(names, question.reference)
    times = {t: _grid(limit(arms.values())) for t, arms in tasks.items()}
    curves = {
        task: {name: arm.curves("level", times[task]) for name, arm in arms.items()}
        for task, arms in tasks.items()
    }
    figure = pictures.curve_picture(
        curves, times, lines, "return or success of the last training episodes"
    )
    curve = pictures.kept(figure, folder / f"{question.name}.png")
    dots = {
        task: {
            name: Dots(arm.frames(), arm.last("solved") == 0, _median(arm))
            for name, arm in arms.items()
        }
        for task, arms in tasks.items()
    }
    most = {task: limit(arms.values()) for task, arms in tasks.items()}
    figure = pictures.dot_picture(
        dots,
        lines,
        "thousand frames until solved: a dot per run, bar: median; open: given up",
        limits=most,
        thousands=True,
    )
    frames = pictures.kept(figure, folder / f"{question.name}_frames.png")
    parts = [SCORE]
    for task, arms in tasks.items():
        parts += [f"### {task}\n", solving_table(arms, question.reference)]
    parts += [
        f"![Level over training frames]({curve.name})\n",
        f"![Frames until solved, a dot per run]({frames.name})\n",
    ]
    if len(tasks) > 1:
        parts += _across(question, tasks, names, lines, folder)
    return "\n".join(parts)


def _across(
    question: Question,
    tasks: Tasks,
    names: Sequence[str],
    lines: Mapping[str, pictures.Line],
    folder: Path,
) -> list[str]:
    """Return the arms over all tasks that have all arms."""
    whole = {task: arms for task, arms in tasks.items() if set(names) <= set(arms)}
    if len(whole) < 2:
        return []
    scores = {
        name: [
            budget_scores(arms[name], limit(arms.values())) for arms in whole.values()
        ]
        for name in names
    }
    figure = pictures.profile_picture(scores, lines, "score")
    profile = pictures.kept(figure, folder / f"{question.name}_profile.png")
    return [
        f"### {len(whole)} tasks together\n",
        across_table(scores, question.reference),
        f"![Share of runs above each score]({profile.name})\n",
    ]


def _median(arm: Arm) -> Estimate:
    """Return the median time to solve; not a number where that run was given up."""
    middle = arm.median_frames()
    middle = middle if np.isfinite(middle) else np.nan
    return Estimate(middle, middle, middle, arm.seeds)


def _grid(most: int) -> np.ndarray:
    return np.linspace(0, most, POINTS + 1)
