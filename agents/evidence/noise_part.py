"""Question c: which bonus leaves a noisy television alone, and explores still?"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from curiosity_rl.agents.evidence import pictures
from curiosity_rl.agents.evidence.statistics import Estimate, estimate
from curiosity_rl.agents.evidence.tables import TOO_NARROW, noise_table
from curiosity_rl.agents.exploring import Finding
from curiosity_rl.agents.outcomes import read, warning

MOST_WATCHING = 0.10
LEAST_CELLS = 1.3
WATCHING = "watching, last quarter"


def noise_part(file: Path, folder: Path) -> str:
    """Return the part of the page on question c, from a file of findings.

    Args:
        file: CSV file of `agents.exploring`.
        folder: Where the picture goes.

    Raises:
        ValueError: If the file has no runs without a bonus to compare with.
    """
    found = read(file, Finding)
    with_tv = {row.task for row in found if row.measure == WATCHING}
    values: dict[str, dict[str, list[float]]] = {}
    for row in found:
        if row.task in with_tv and row.measure in (WATCHING, "cells"):
            values.setdefault(row.bonus, {}).setdefault(row.measure, []).append(
                row.value
            )
    if "none" not in values:
        raise ValueError(f"{file} has no runs of the bonus none to compare with")
    base = float(np.mean(values["none"]["cells"]))
    measured = {name: _both(found, base) for name, found in values.items()}
    arms = dict(sorted(measured.items(), key=lambda arm: arm[1][0].value))

    def passes(name: str) -> bool:
        share, cells = arms[name]
        return share.value < MOST_WATCHING and cells.value > LEAST_CELLS

    figure = pictures.aims_picture(
        arms,
        (MOST_WATCHING, LEAST_CELLS),
        (
            "share of the last quarter's steps at the TV",
            "cells, times those of no bonus",
        ),
        passes,
    )
    picture = pictures.kept(figure, folder / "c_noisy_tv.png")
    few = warning(min(share.seeds for share, _ in arms.values()), TOO_NARROW)
    lines = [
        "## c. Which bonus leaves the noisy TV alone, and explores still?",
        "",
        "Six rooms with a television that an action switches to a new random picture; "
        "agents learn from the bonus alone. Aims: a share of steps at the television "
        f"below {MOST_WATCHING:g}, and more than {LEAST_CELLS:g} times the cells of no "
        "bonus.",
        "",
        f"Runs: `{file.name}`, made by `python scripts/benchmark.py exploring`, "
        f"{max(row.frames for row in found):,} frames each.",
        *([f"\n{few}"] if few else []),
        "",
        noise_table(arms, passes),
        f"![Time at the television and cells visited]({picture.name})",
        "",
    ]
    return "\n".join(lines)


def _both(found: dict[str, list[float]], base: float) -> tuple[Estimate, Estimate]:
    cells = np.asarray(found["cells"]) / base
    return estimate([np.asarray(found[WATCHING])]), estimate([cells])
