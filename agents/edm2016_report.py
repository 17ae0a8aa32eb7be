"""Tables of the experiments of EDM 2016, beside an earlier reproduction."""

from __future__ import annotations

from collections.abc import Sequence

from curiosity_rl.agents.edm2016 import (
    MARKS,
    STEPS_A,
    STEPS_B,
    CrossRow,
    CurveRow,
    experiment_a,
    experiment_b,
)
from curiosity_rl.tracking.progress import Progress

EXPERIMENTS = ("edm2016-a", "edm2016-b")
STUDENTS_A, STUDENTS_B = 500, 200
CLAIM = (
    "Published claim (abstract): the flexibility of the bandits compensates for the "
    "lack of planning where the model of the students is imprecise. The paper stores "
    "curves, no table."
)
EARLIER_A: dict[str, tuple[float, float, float, float]] = {
    "omniscient greedy": (0.777, 0.988, 1.00, 1.00),
    "DP on the true state": (0.760, 0.985, 1.00, 1.00),
    "expert order, 3 in a row": (0.562, 0.934, 0.994, 0.99),
    "ZPDES*": (0.552, 0.915, 0.987, 0.98),
    "QMDP": (0.549, 0.849, 0.988, 0.98),
    "ZPDES^H": (0.444, 0.776, 0.982, 0.95),
    "random": (0.136, 0.279, 0.554, 0.15),
}
"""An earlier reproduction of ours, a prototype: level at 25, 50, 100; all six known."""
EARLIER_B: dict[str, dict[int, tuple[float, float, float]]] = {
    "QMDP": {0: (0.94, 0.90, 0.92), 1: (0.87, 0.90, 0.82), 2: (0.39, 0.57, 0.95)},
    "ZPDES^H": {0: (0.93, 0.90, 0.94), 1: (0.93, 0.90, 0.93), 2: (0.79, 0.78, 0.93)},
    "expert order, 3 in a row": {
        0: (0.93, 0.89, 0.94),
        1: (0.93, 0.89, 0.94),
        2: (0.17, 0.41, 0.94),
    },
}
"""The same for B, group {0, 1, 2}: by model assumed, on students of models 0, 1, 2."""


def print_experiment(
    name: str, students: int | None = None, seed: int = 0, show: bool = True
) -> None:
    """Run an experiment and print its tables as markdown.

    Args:
        name: `edm2016-a` or `edm2016-b`.
        students: Students of each model; None for 500 (a) or 200 (b).
        seed: Which held-out students.
        show: Show progress.

    Raises:
        ValueError: If there is no such experiment.
    """
    if name not in EXPERIMENTS:
        raise ValueError(
            f"unknown experiment {name!r}; known: {', '.join(EXPERIMENTS)}"
        )
    with Progress(name, 100, "%", show) as progress:

        def tick(label: str, share: float) -> None:
            progress.update(int(100 * share), now=label)

        if name == "edm2016-a":
            text = markdown_a(experiment_a(students or STUDENTS_A, seed, tick))
        else:
            text = markdown_b(experiment_b(students or STUDENTS_B, seed, tick))
    print(CLAIM, text, sep="\n\n")


def markdown_a(rows: Sequence[CurveRow]) -> str:
    """Return experiment A as markdown, one table per model of students."""
    parts = []
    for model in dict.fromkeys(row.model for row in rows):
        marks = " | ".join(f"t = {mark}" for mark in MARKS)
        lines = [
            f"Students of model {model}: mean share of the six skills known after t "
            f"exercises, and share of students who know all six after {STEPS_A}; an "
            "earlier reproduction in brackets.",
            "",
            f"| tutor | {marks} | all six |",
            "|---" * (len(MARKS) + 2) + "|",
        ]
        for row in rows:
            if row.model == model:
                now = (*row.levels, row.complete)
                before = EARLIER_A.get(row.tutor, ())
                cells = [
                    f"{value:.3f}" + (f" ({before[c]:.3f})" if before else "")
                    for c, value in enumerate(now)
                ]
                lines.append(f"| {row.tutor} | {' | '.join(cells)} |")
        worst = max(error for row in rows for error in row.errors)
        lines += ["", f"Standard errors of the levels are at most {worst:.3f}."]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def markdown_b(rows: Sequence[CrossRow]) -> str:
    """Return experiment B as markdown, one matrix per group of models."""
    parts = []
    for group in dict.fromkeys(row.group for row in rows):
        students = " | ".join(f"students of {model}" for model in group)
        lines = [
            f"Group {{{', '.join(map(str, group))}}}: mean share of the six skills "
            f"known after {STEPS_B} exercises, perturbed students.",
            "",
            f"| tutor | graph assumed | {students} | all |",
            "|---" * (len(group) + 3) + "|",
        ]
        mine = [row for row in rows if row.group == group]
        for tutor, assumed in dict.fromkeys((row.tutor, row.assumed) for row in mine):
            cells = {
                row.model: row.level
                for row in mine
                if (row.tutor, row.assumed) == (tutor, assumed)
            }
            before = EARLIER_B.get(tutor, {}) if group == (0, 1, 2) else {}
            shown = [
                f"{cells[model]:.2f}"
                + (f" ({before[assumed][c]:.2f})" if assumed in before else "")
                for c, model in enumerate(group)
            ]
            mean = sum(cells.values()) / len(cells)
            told = "" if assumed is None else str(assumed)
            lines.append(f"| {tutor} | {told} | {' | '.join(shown)} | {mean:.2f} |")
        worst = max(row.error for row in mine)
        lines += ["", f"Standard errors are at most {worst:.3f}."]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)
