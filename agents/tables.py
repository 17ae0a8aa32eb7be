"""Results of an evaluation as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from curiosity_rl.agents.evaluation import ReturnRow, Row, TutorRow


def print_table(rows: Sequence[Row], title: str, highlight: str = "") -> None:
    """Print rows as one table on stdout; the row called `highlight` stands out."""
    table = Table(title=title, title_justify="left")
    tutors = isinstance(rows[0], TutorRow)
    heads = (
        ("pass rate", "95 % interval", "skills mastered", "exercises", "distractors")
        if tutors
        else ("mean return", "95 % interval", "steps")
    )
    table.add_column("tutor" if tutors else "agent")
    for head in heads:
        table.add_column(head, justify="right")
    for row in rows:
        style = "bold" if row.name == highlight else None
        table.add_row(row.name, *_cells(row), style=style)
    console = Console()
    if not console.is_terminal:
        console.width = 120  # never fold a row of a log file
    console.print(table)


def _cells(row: Row) -> list[str]:
    if isinstance(row, ReturnRow):
        interval = f"{row.return_low:.2f} to {row.return_high:.2f}"
        return [f"{row.mean_return:.2f}", interval, f"{row.length:.0f}"]
    return [
        f"{row.pass_rate:.3f}",
        f"{row.pass_low:.3f} to {row.pass_high:.3f}",
        f"{row.mastered:.3f}",
        f"{row.exercises:.0f}",
        f"{row.distractors:.3f}",
    ]
