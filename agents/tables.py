"""Results of an evaluation as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from curiosity_rl.agents.evaluation import ReturnRow, Row, TutorRow

TUTOR_HEADS = ("pass\nrate", "95 %\ninterval", "skills\nmastered")
TUTOR_HEADS += ("exercises\nused", "on dis-\ntractors")
RETURN_HEADS = ("mean\nreturn", "95 %\ninterval", "steps")
RETURN_HEADS += ("success", "95 %\ninterval")


def print_table(rows: Sequence[Row], title: str, highlight: str = "") -> None:
    """Print rows as one table on stdout; the row called `highlight` stands out.

    It fits a terminal of 80 columns.
    """
    tutors = isinstance(rows[0], TutorRow)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("tutor" if tutors else "agent", min_width=24)
    for head in TUTOR_HEADS if tutors else RETURN_HEADS:
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        style = "bold" if row.name == highlight else None
        table.add_row(row.name, *_cells(row), style=style)
    console = Console(highlight=False)
    console.width = max(console.width, 80)  # a log file has no width
    console.print(title, soft_wrap=True)
    console.print(table)


def _cells(row: Row) -> list[str]:
    if isinstance(row, ReturnRow):
        interval = f"{row.return_low:.2f} to {row.return_high:.2f}"
        return [
            f"{row.mean_return:.2f}",
            interval,
            f"{row.length:.0f}",
            f"{row.success:.3f}",
            f"{row.success_low:.3f}-{row.success_high:.3f}",
        ]
    return [
        f"{row.pass_rate:.3f}",
        f"{row.pass_low:.3f}-{row.pass_high:.3f}",
        f"{row.mastered:.3f}",
        f"{row.exercises:.0f}",
        f"{row.distractors:.3f}",
    ]
