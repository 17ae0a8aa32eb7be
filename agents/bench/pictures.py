"""Pictures of a comparison: dots with intervals, curves over time, a heat map."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from curiosity_rl.agents.bench.candidates import BOUNDS
from curiosity_rl.agents.bench.compare import Comparison, Row
from curiosity_rl.agents.bench.equity import Equity, GroupRow
from curiosity_rl.agents.bench.matrix import Matrix

DOTS = 100
"""Dots per inch."""
SHADES_KEPT = 96
"""Colours of a picture, edges of letters and lines included."""
PANELS = 3
"""Panels in a row."""
GREY = "0.55"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f3b8f")
COLOURS += ("#4d4d4d",)
"""The first six are those of Okabe & Ito (2008), told apart by the colour-blind."""
STROKES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1, 1, 1)))
"""Lines of the first eight tutors, the second eight, and so on."""
SHADES = ("#d7301f", "#fc8d59", "#6baed6", "#08519c")
"""Quarters of learners, slowest first."""


def require() -> None:
    """Raise a ValueError with what to do where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ValueError(
            "pictures need matplotlib, which is not installed: pip install "
            "'curiosity-rl[plots]', or leave them out with --pictures false"
        ) from error


def draw(found: Comparison | Matrix | Equity, folder: Path) -> list[Path]:
    """Draw what was found into files of a folder; return them."""
    require()
    if isinstance(found, Matrix):
        return [kept(_heat_map(found), folder / "matrix.png")]
    if isinstance(found, Equity):
        everyone = list(found.curves)
        figure = _group_dots(found, "quarter", everyone)
        files = [kept(figure, folder / "equity_quarters.png")]
        for students in everyone:
            if any((g.students, g.kind) == (students, "group") for g in found.groups):
                figure = _group_dots(found, "group", [students])
                name = f"equity_groups_{_plain(students)}.png"
                files.append(kept(figure, folder / name))
            name = f"equity_curves_{_plain(students)}.png"
            files.append(kept(_equity_curves(found, students), folder / name))
        return files
    return [
        kept(_scores(found), folder / "comparison.png"),
        kept(_curves(found), folder / "curves.png"),
    ]


def kept(figure: Any, file: Path, shades: int = SHADES_KEPT) -> Path:
    """Save a figure, in few colours: a third of the size."""
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS, bbox_inches="tight")
    picture = Image.open(drawn).convert("RGB").quantize(shades)
    picture.save(file, optimize=True)
    return file


def _panels(number: int, width: float, height: float) -> tuple[Any, list[Any]]:
    """Return a figure with panels in rows, of a size in inches each."""
    from matplotlib.figure import Figure

    columns = min(number, PANELS)
    rows = math.ceil(number / columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for place in range(number, rows * columns):
        panels.flat[place].set_visible(False)
        panels.flat[place - columns].tick_params(labelbottom=True)
    for panel in panels.flat:
        panel.spines[["top", "right"]].set_visible(False)
    return figure, list(panels.flat[:number])


def _width(populations: Sequence[str]) -> float:
    """Return the width of a panel in inches."""
    return 6.4 if len(populations) == 1 else 4.4


def _line(tutors: Sequence[str], tutor: str) -> dict[str, Any]:
    """Return how the curve of a tutor is drawn."""
    if tutor in BOUNDS:
        stroke = ":" if tutor == "random" else "--"
        return {"color": GREY, "linestyle": stroke, "linewidth": 1.3}
    place = [name for name in tutors if name not in BOUNDS].index(tutor)
    return {
        "color": COLOURS[place % len(COLOURS)],
        "linestyle": STROKES[place // len(COLOURS) % len(STROKES)],
        "linewidth": 1.5,
    }


def _scores(found: Comparison) -> Any:
    """Score of each tutor with its interval, a panel per population."""
    tutors = [name for name in found.tutors if name not in BOUNDS] or found.tutors
    height = 0.9 + 0.27 * len(tutors)
    width = _width(found.populations)
    figure, panels = _panels(len(found.populations), width, height)
    for panel, students in zip(panels, found.populations, strict=True):
        rows = [found.row(students, tutor) for tutor in tutors]
        _dots(panel, rows, "#0072b2", 0.0)
        for edge in (0.0, 1.0):
            panel.axvline(edge, color=GREY, linewidth=0.8, linestyle="--", zorder=0)
        panel.set_title(students, fontsize=10)
    figure.supxlabel(f"score of {found.measure}: random 0, omniscient 1", fontsize=9)
    _names(panels, tutors)
    return figure


def _dots(
    panel: Any,
    rows: Sequence[Row | GroupRow],
    colour: str,
    shift: float,
    label: str = "",
) -> None:
    """Draw scores with intervals, one below the other."""
    values = np.array([row.score for row in rows])
    ends = np.array([[row.score_low, row.score_high] for row in rows])
    panel.errorbar(
        values,
        np.arange(len(rows)) + shift,
        xerr=np.abs(ends.T - values),
        fmt="o",
        color=colour,
        markersize=4,
        linewidth=1.2,
        label=label or None,
    )


def _names(panels: Sequence[Any], tutors: Sequence[str]) -> None:
    """Write tutors at the left, the first at the top."""
    for panel in panels:
        panel.set_yticks(range(len(tutors)), tutors, fontsize=9)
        panel.set_ylim(len(tutors) - 0.4, -0.6)
        panel.set_xlim(min(panel.get_xlim()[0], -0.03), 1.03)
        panel.grid(axis="y", color="0.92", linewidth=0.8)
        panel.set_axisbelow(True)


def _curves(found: Comparison) -> Any:
    """Mastery over time of each tutor, a panel per population."""
    width = _width(found.populations)
    figure, panels = _panels(len(found.populations), width, 3.4)
    for panel, students in zip(panels, found.populations, strict=True):
        for tutor in found.tutors:
            panel.plot(
                found.times[students],
                found.curves[students][tutor],
                label=tutor if panel is panels[0] else None,
                **_line(found.tutors, tutor),
            )
        panel.set_title(students, fontsize=10)
    _frame_curves(figure, panels)
    figure.legend(loc="outside right center", fontsize=8, frameon=False, handlelength=3)
    return figure


def _frame_curves(figure: Any, panels: list[Any]) -> None:
    """Name the axes of curves of mastery; end them where the exercises do."""
    for panel in panels:
        panel.set_ylim(0, 1.01)
        panel.margins(x=0)
    figure.supxlabel("exercises", fontsize=9)
    figure.supylabel("needed skills known", fontsize=9)


def _heat_map(found: Matrix) -> Any:
    """Scores of tutors (rows) under student models (columns), and the worst."""
    from matplotlib.figure import Figure

    cells = np.column_stack([found.scores, found.worst])
    columns = [*found.students, "worst"]
    size = (2.4 + 0.72 * len(columns), 1.3 + 0.33 * len(found.tutors))
    figure = Figure(figsize=size, layout="constrained")
    panel = figure.subplots()
    image = panel.imshow(cells, cmap="viridis", vmin=0.0, vmax=1.0, aspect="auto")
    for (i, j), value in np.ndenumerate(cells):
        text = "-" if math.isnan(value) else f"{value:.2f}".replace("-0.00", "0.00")
        ink = "black" if value > 0.6 or math.isnan(value) else "white"
        panel.text(j, i, text, ha="center", va="center", color=ink, fontsize=8)
    panel.axvline(len(found.students) - 0.5, color="white", linewidth=3)
    panel.set_xticks(
        range(len(columns)),
        columns,
        rotation=35,
        ha="right",
        rotation_mode="anchor",
        fontsize=9,
    )
    panel.set_yticks(range(len(found.tutors)), found.tutors, fontsize=9)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    panel.set_xlabel("students")
    bar = figure.colorbar(image, ax=panel, shrink=0.8, aspect=25, pad=0.02)
    bar.set_label(f"score of {found.comparison.measure}", fontsize=9)
    bar.outline.set_visible(False)
    return figure


def _group_dots(found: Equity, kind: str, populations: Sequence[str]) -> Any:
    """Score of each tutor with each group of students, a panel per population."""
    rows = [
        row for row in found.groups if row.kind == kind and row.students in populations
    ]
    rows = [row for row in rows if row.tutor not in BOUNDS] or rows
    tutors = list(dict.fromkeys(row.tutor for row in rows))
    names = list(dict.fromkeys(row.group for row in rows))
    height = 1.2 + (0.12 + 0.12 * len(names)) * len(tutors)
    figure, panels = _panels(len(populations), _width(populations), height)
    colours = SHADES if kind == "quarter" else COLOURS
    for panel, students in zip(panels, populations, strict=True):
        for number, name in enumerate(names):
            mine = [r for r in rows if (r.students, r.group) == (students, name)]
            shift = 0.7 * ((number + 0.5) / len(names) - 0.5)
            label = name if panel is panels[0] else ""
            _dots(panel, mine, colours[number % len(colours)], shift, label)
        panel.set_title(students, fontsize=10)
    measure = found.comparison.measure
    figure.supxlabel(
        f"score of {measure} in the group: random 0, omniscient 1", fontsize=9
    )
    _names(panels, tutors)
    figure.legend(loc="outside upper center", fontsize=8, frameon=False, ncols=4)
    return figure


def _equity_curves(found: Equity, students: str) -> Any:
    """Mastery over time of each quarter of learners, a panel per tutor."""
    curves = found.curves[students]
    figure, panels = _panels(len(curves), 2.6, 2.0)
    for panel, (tutor, by_group) in zip(panels, curves.items(), strict=True):
        for number, (name, curve) in enumerate(by_group.items()):
            panel.plot(
                found.comparison.times[students],
                curve,
                color=SHADES[number],
                linewidth=1.3,
                label=name if panel is panels[0] else None,
            )
        panel.set_title(tutor, fontsize=9)
    _frame_curves(figure, panels)
    figure.legend(loc="outside upper center", fontsize=8, frameon=False, ncols=4)
    return figure


def _plain(name: str) -> str:
    """Turn the name of a population, perhaps a path, into part of a file name."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in Path(name).stem)
