"""The report: what the CSV files say, as a markdown page with pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from curiosity_rl.agents.bench.pictures import kept, require
from curiosity_rl.agents.evidence import pictures
from curiosity_rl.agents.evidence.manifest import file_of
from curiosity_rl.agents.evidence.noise import noise_section
from curiosity_rl.agents.evidence.pictures import Dots
from curiosity_rl.agents.evidence.questions import QUESTIONS, Question
from curiosity_rl.agents.evidence.record import Measurement
from curiosity_rl.agents.evidence.statistics import estimate, warning
from curiosity_rl.agents.evidence.summary import (
    Arm,
    Tasks,
    budget_scores,
    fewest,
    limit,
    summarised,
)
from curiosity_rl.agents.evidence.tables import (
    across_table,
    solving_table,
    teaching_table,
)
from curiosity_rl.agents.outcomes import read
from curiosity_rl.agents.training import versions

POINTS = 60
"""Times at which curves are drawn."""
HEAD = """# Evidence: tables and pictures

Made by `python scripts/benchmark.py report`, from the CSV files beside this page and
nothing else; the runs by `python scripts/benchmark.py evidence`. What they say in
words: [README.md](README.md).

This page was made with {versions}.

IQM is the interquartile mean: the mean of the middle half of the runs. Intervals are
95 % percentile intervals of a stratified bootstrap over seeds. P(better than x) is the
chance that a run of the arm beats a run of x, ties half. Nothing was tuned for an arm:
all have the settings of the world's preset, which were chosen for the preset's own
bonus; another bonus might do better with settings of its own.
"""
SCORE = (
    "Score: the mean, over all frames up to the limit, of the level that the last "
    "training episodes reach; 1 would be solved at once, 0 never. Solved runs stop and "
    "keep their level.\n"
)


def write_report(folder: Path, noise: Path | None = None) -> Path:
    """Write `report.md` and its pictures from the CSV files of a folder.

    Args:
        folder: Where the files are.
        noise: CSV file of question c, of `agents.exploring`; None to leave it out.

    Returns:
        The page.

    Raises:
        ValueError: If there are no rows, or matplotlib is not installed.
    """
    require()
    parts: dict[str, str] = {}
    for key, question in QUESTIONS.items():
        rows = read(file_of(folder, key), Measurement)
        if rows:
            parts[key] = section(key, question, rows, folder)
    if noise is not None and noise.exists():
        parts["c"] = noise_section(noise, folder)
    if not parts:
        raise ValueError(
            f"{folder} holds no rows; run python scripts/benchmark.py evidence first"
        )
    told = ", ".join(f"{name} {number}" for name, number in installed().items())
    page = folder / "report.md"
    text = [HEAD.format(versions=told), *(parts[key] for key in sorted(parts))]
    page.write_text("\n".join(text), "utf-8")
    return page


def installed() -> dict[str, str]:
    """Return the versions that the figures depend on."""
    return {**versions(), "scipy": metadata.version("scipy")}


def section(
    key: str, question: Question, rows: Sequence[Measurement], folder: Path
) -> str:
    """Return the part of the page that answers a question; draw its pictures."""
    tasks, left_out = summarised(rows)
    told = _teaching if key == "a" else _solving
    arms = [arm for by_name in tasks.values() for arm in by_name.values()]
    notes = [warning(fewest(arms))]
    if left_out:
        notes.append(
            f"{left_out} runs of the file have other settings than the last ones of "
            "their arm, and are left out."
        )
    frames = ", ".join(
        f"{name} {limit(by_name.values()):,}" for name, by_name in tasks.items()
    )
    text = [
        f"## {key}. {question.title}",
        "",
        question.text,
        "",
        f"Runs: `{question.name}.csv`, {len({(r.task, r.arm, r.seed) for r in rows})} "
        f"of them; most frames: {frames}.",
        *(f"\n{note}" for note in notes if note),
        "",
        told(question, tasks, folder),
    ]
    return "\n".join(text)


def _teaching(question: Question, tasks: Tasks, folder: Path) -> str:
    parts = []
    for task, arms in tasks.items():
        learners = {n: a for n, a in arms.items() if not n.startswith("tutor: ")}
        made = {n: a for n, a in arms.items() if n not in learners}
        lines = pictures.lines_of(list(arms), question.reference)
        times = _exams(learners)
        most = limit(learners.values())
        curves = {name: _passed(arm, times) for name, arm in learners.items()}
        levels = {
            name.removeprefix("tutor: "): estimate([a.last("final pass rate")]).value
            for name, a in made.items()
        }
        figure = pictures.curve_picture(
            {f"{task}, {most:,} frames": curves},
            {f"{task}, {most:,} frames": times},
            lines,
            "pass rate of held-out students",
            levels,
        )
        curve = kept(figure, folder / f"{question.name}.png")
        ranked = sorted(
            arms, key=lambda name: -estimate([arms[name].last("final pass rate")]).value
        )
        dots = {name: _values(arms[name].last("final pass rate")) for name in ranked}
        figure = pictures.dot_picture(
            {task: dots}, lines, "pass rate at the end, a dot per run"
        )
        dot = kept(figure, folder / f"{question.name}_runs.png")
        parts += [
            teaching_table(arms, question.reference),
            f"![Pass rate over training frames]({curve.name})\n",
            f"![Pass rate at the end, a dot per run]({dot.name})\n",
        ]
    return "\n".join(parts)


def _solving(question: Question, tasks: Tasks, folder: Path) -> str:
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
    curve = kept(figure, folder / f"{question.name}.png")
    dots = {
        task: {
            name: Dots(arm.frames(), arm.last("solved") == 0)
            for name, arm in arms.items()
        }
        for task, arms in tasks.items()
    }
    most = {task: limit(arms.values()) for task, arms in tasks.items()}
    figure = pictures.dot_picture(
        dots,
        lines,
        "thousand frames until solved, a dot per run; open: given up there",
        limits=most,
        thousands=True,
    )
    frames = kept(figure, folder / f"{question.name}_frames.png")
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
    profile = kept(figure, folder / f"{question.name}_profile.png")
    return [
        f"### {len(whole)} tasks together\n",
        across_table(scores, question.reference),
        f"![Share of runs above each score]({profile.name})\n",
    ]


def _grid(most: int) -> np.ndarray:
    return np.linspace(0, most, POINTS + 1)


def _exams(arms: Mapping[str, Arm]) -> np.ndarray:
    """Return the frames of all examinations, 0 before."""
    found: set[int] = {0}
    for arm in arms.values():
        for run in arm.runs.values():
            for measure in ("pass rate", "final pass rate"):
                found |= {frames for frames, _ in run.get(measure, [])}
    return np.array(sorted(found))


def _passed(arm: Arm, times: np.ndarray) -> np.ndarray:
    """Return pass rates over time with the last examination, `(seeds, times)`."""
    joined: Any = Arm(
        {
            seed: {"all": [*run.get("pass rate", []), *run["final pass rate"]]}
            for seed, run in arm.runs.items()
        }
    )
    return joined.curves("all", times)


def _values(values: np.ndarray) -> Dots:
    middle = estimate([values]) if len(values) > 1 else None
    return Dots(values, np.zeros(len(values), bool), middle)
