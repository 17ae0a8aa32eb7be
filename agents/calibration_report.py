"""A calibration as tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from curiosity_rl.agents import bkt
from curiosity_rl.agents.calibration import Calibration
from curiosity_rl.agents.realism import Likeness

QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.95)


def print_report(found: Calibration, rows: Sequence[Likeness] = ()) -> None:
    """Print parameters, scores on held-out students and what was refused, and why.

    It fits a terminal of 80 columns.

    Args:
        found: The calibration.
        rows: The log beside a simulated one; empty prints no such table.
    """
    console = Console(highlight=False)
    console.width = max(console.width, 80)  # a log file has no width
    kept = found.kept
    console.print(
        f"{found.answers:,} answers of {found.students:,} students; "
        f"{len(kept)} of {len(found.skills)} skills kept",
        soft_wrap=True,
    )
    console.print(_quantiles(found))
    console.print(
        f"students' ability: deviation {found.ability.sd:.2f} logits, "
        f"weight on the answers {found.ability.on_answers:.2f}",
        soft_wrap=True,
    )
    if found.quality:
        console.print()
        console.print("answers of held-out students, foretold one by one")
        console.print(_scores(found))
    if rows:
        console.print("the log, beside that of as many simulated students")
        console.print(_likeness(rows))
    if found.refused:
        console.print("refused:")
    for skill in found.refused:
        line = f"  {skill.name}: {skill.refused}"
        console.print(line, soft_wrap=True, markup=False)


def _quantiles(found: Calibration) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("quantile over skills", min_width=24)
    for q in QUANTILES:
        table.add_column(f"{100 * q:.0f} %", justify="right")
    names = bkt.NAMES if found.forgetting else bkt.NAMES[:-1]
    for name, column in zip(names, found.table().T, strict=False):
        table.add_row(name, *(f"{v:.3f}" for v in np.quantile(column, QUANTILES)))
    return table


def _scores(found: Calibration) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("model", min_width=24)
    table.add_column("log loss", justify="right")
    table.add_column("AUC", justify="right")
    for name, score in found.quality.items():
        table.add_row(name, f"{score.log_loss:.4f}", f"{score.auc:.4f}")
    return table


def _likeness(rows: Sequence[Likeness]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("feature", min_width=24)
    for head in ("real", "simulated", "tolerance", ""):
        table.add_column(head, justify="right")
    for row in rows:
        cells = (f"{x:.3f}" for x in (row.real, row.simulated, row.tolerance))
        table.add_row(row.what, *cells, "holds" if row.holds else "MISSED")
    return table
