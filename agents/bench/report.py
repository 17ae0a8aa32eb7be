"""What a comparison found, as tables for a terminal, markdown, CSV and pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curiosity_rl.agents.bench.compare import Comparison, Row
from curiosity_rl.agents.bench.equity import Equity
from curiosity_rl.agents.bench.matrix import Matrix
from curiosity_rl.agents.outcomes import append, written
from curiosity_rl.agents.runs import write_text

CAUTION = (
    "A tutor marked * sees what the student knows: a bound to compare with, no tutor. "
    "Simulated students only: no number here says what a tutor does for real learners."
)
WIDEST = 240
"""Columns of a table that is printed into a file."""
Found = Comparison | Matrix | Equity


@dataclass(frozen=True)
class Table:
    """A table of text: title, heads of the columns, rows."""

    title: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True)
class CurvePoint:
    """Mean share of the needed skills known after so many exercises, as a CSV row."""

    students: str
    tutor: str
    group: str
    exercises: int = written("")
    known: float = written(".4f")


def tables(found: Found) -> list[Table]:
    """Return what was found as tables."""
    if isinstance(found, Matrix):
        return [_matrix(found)]
    if isinstance(found, Equity):
        return _equity(found)
    made = []
    for students in found.populations:
        rows = [row for row in found.rows if row.students == students]
        made.append(_comparison(found, students, rows))
    return made


def markdown(found: Found) -> str:
    """Return what was found as markdown."""
    parts = []
    for table in tables(found):
        head = "|".join(["", *(f" {h} " for h in table.heads), ""])
        rule = "|".join(["", *("---" for _ in table.heads), ""])
        body = ["| " + " | ".join(row) + " |" for row in table.rows]
        parts.append("\n".join([f"**{table.title}**", "", head, rule, *body]))
    return "\n\n".join([*parts, CAUTION]) + "\n"


def show(found: Found) -> None:
    """Print what was found on stdout; on a terminal cells are folded to fit it."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDEST
    for table in tables(found):
        shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        for number, head in enumerate(table.heads):
            text = head.replace(" ", "\n") if number else head
            side: Any = "right" if number else "left"
            shown.add_column(text, justify=side)
        for row in table.rows:
            shown.add_row(*row)
        console.print(table.title, soft_wrap=True)
        console.print(shown)


def save(found: Found, folder: str | Path, pictures: bool = True) -> list[Path]:
    """Write CSV, markdown and pictures into a folder; files of that name are replaced.

    Args:
        found: What `compare_tutors`, `robustness_matrix` or `equity` returned.
        folder: Made where it does not exist.
        pictures: Draw pictures too; needs matplotlib.

    Returns:
        The files.

    Raises:
        ValueError: If the folder cannot be written, or matplotlib is not installed.
    """
    kind = type(found).__name__.lower()
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"{kind}.md"]
        write_text(files[0], markdown(found))
        for name, rows in _sheets(found).items():
            file = folder / f"{name}.csv"
            file.unlink(missing_ok=True)
            if rows:
                append(file, *rows)
                files.append(file)
    except OSError as error:
        raise ValueError(
            f"cannot write to {str(folder)!r}: {error.strerror or error}; give another "
            "folder with --out"
        ) from error
    if pictures:
        from curiosity_rl.agents.bench.pictures import draw

        files += draw(found, folder)
    return files


def _sheets(found: Found) -> dict[str, Sequence[Any]]:
    if isinstance(found, Matrix):
        return {"matrix": found.comparison.rows}
    if isinstance(found, Equity):
        points = [
            CurvePoint(students, tutor, group, int(t), float(share))
            for students, by_tutor in found.curves.items()
            for tutor, by_group in by_tutor.items()
            for group, curve in by_group.items()
            for t, share in zip(found.comparison.times[students], curve, strict=True)
        ]
        return {
            "equity_groups": found.groups,
            "equity": found.summary,
            "equity_individuals": found.individuals,
            "equity_curves": points,
        }
    points = [
        CurvePoint(students, tutor, "all", int(t), float(share))
        for students, by_tutor in found.curves.items()
        for tutor, curve in by_tutor.items()
        for t, share in zip(found.times[students], curve, strict=True)
    ]
    return {"comparison": found.rows, "curves": points}


def _comparison(found: Comparison, students: str, rows: list[Row]) -> Table:
    heads = ("tutor", "pass rate", "interval", "norm. gain", "exercises used")
    heads += ("on distr.", "score", "interval", "difference", "interval")
    body = [
        (
            _name(row),
            _share(row.pass_rate),
            _range(row.pass_low, row.pass_high),
            _share(row.gain),
            f"{row.exercises:.0f}",
            _share(row.distractors),
            _share(row.score),
            _range(row.score_low, row.score_high),
            _share(row.difference),
            _range(row.difference_low, row.difference_high),
        )
        for row in rows
    ]
    title = (
        f"{found.world}, students {students}: {found.n:,} held-out students, the same "
        f"for all (seed {found.seed}); score of {found.measure}; difference to "
        f"{rows[0].against}; 95 % intervals"
    )
    return Table(title, heads, body)


def _matrix(found: Matrix) -> Table:
    heads = ("tutor", *found.students, "worst")
    rows = []
    for i, tutor in enumerate(found.tutors):
        cells = [
            f"{_share(found.scores[i, j])} {_half(found, students, tutor)}".rstrip()
            for j, students in enumerate(found.students)
        ]
        name = _name(found.comparison.row(found.students[0], tutor))
        rows.append((name, *cells, _share(found.worst[i])))
    title = (
        f"{found.comparison.world}: score of {found.comparison.measure}, "
        f"{found.comparison.n:,} students of each kind, half the 95 % interval"
    )
    return Table(title, heads, rows)


def _equity(found: Equity) -> list[Table]:
    made = []
    for students in found.comparison.populations:
        for kind in dict.fromkeys(row.kind for row in found.summary):
            groups = [
                g for g in found.groups if (g.students, g.kind) == (students, kind)
            ]
            if groups:
                made.append(_groups(found, students, kind))
                made.append(_summary(found, students, kind))
        rows = [
            (x.tutor, _share(x.similar), _share(x.any_two), _share(x.ratio))
            for x in found.individuals
            if x.students == students
        ]
        title = (
            f"{students}: are similar students served alike? Mean difference of "
            "normalised gain"
        )
        heads = ("tutor", "similar students", "any two", "ratio")
        made.append(Table(title, heads, rows))
    return made


def _groups(found: Equity, students: str, kind: str) -> Table:
    mine = [g for g in found.groups if (g.students, g.kind) == (students, kind)]
    names = list(dict.fromkeys(g.group for g in mine))
    sizes = {g.group: g.n for g in mine}
    gain = found.comparison.measure == "gain"
    rows = []
    for tutor in dict.fromkeys(g.tutor for g in mine):
        cells = []
        for g in (g for g in mine if g.tutor == tutor):
            value, ends = (
                (g.gain, (g.gain_low, g.gain_high))
                if gain
                else (g.pass_rate, (g.pass_low, g.pass_high))
            )
            cells.append(f"{_share(value)} ({_range(*ends)})")
        rows.append((tutor, *cells))
    what = "normalised gain" if gain else "pass rate"
    title = f"{students}: {what} by {kind}, with 95 % intervals"
    heads = ("tutor", *(f"{name} ({sizes[name]:,})" for name in names))
    return Table(title, heads, rows)


def _summary(found: Equity, students: str, kind: str) -> Table:
    what = "gain" if found.comparison.measure == "gain" else "pass"
    heads = ("tutor", f"worst {what}", f"best {what}", "gap", "interval")
    heads += ("ratio", "worst score", "score gap", "score ratio", "worst group")
    rows = [
        (
            x.tutor,
            _share(x.worst),
            _share(x.best),
            _share(x.gap),
            _range(x.gap_low, x.gap_high),
            _share(x.ratio),
            _share(x.worst_score),
            _share(x.score_gap),
            _share(x.score_ratio),
            x.worst_group,
        )
        for x in found.summary
        if (x.students, x.kind) == (students, kind)
    ]
    return Table(f"{students}: how even, by {kind}", heads, rows)


def _name(row: Row) -> str:
    return f"{row.tutor} *" if row.privileged else row.tutor


def _share(x: float) -> str:
    return "-" if math.isnan(x) else f"{x:.3f}".replace("-0.000", "0.000")


def _range(low: float, high: float) -> str:
    return "-" if math.isnan(low) else f"{_share(low)} to {_share(high)}"


def _half(found: Matrix, students: str, tutor: str) -> str:
    row = found.comparison.row(students, tutor)
    half = (row.score_high - row.score_low) / 2
    return "" if math.isnan(half) or half == 0 else f"± {half:.3f}"
