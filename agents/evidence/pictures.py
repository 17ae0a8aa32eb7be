"""Pictures of the evidence: curves with bands, a dot per run, profiles, aims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curiosity_rl.agents.bench.pictures import COLOURS, GREY
from curiosity_rl.agents.bench.pictures import kept as kept_in_few
from curiosity_rl.agents.evidence.statistics import (
    Estimate,
    efficiency_curve,
    performance_profile,
)

SHADES_KEPT = 256
"""With fewer, small dots take the colour of other arms."""
PALE = "0.85"
HEIGHT = 3.0
"""Height of a panel in inches."""


@dataclass(frozen=True)
class Line:
    """How an arm looks in all pictures of a question."""

    colour: str
    stroke: Any = "-"
    marker: str = "o"


@dataclass(frozen=True)
class Dots:
    """An arm in a panel of dots.

    Attributes:
        values: One per run.
        open: Which of them stand for more than they say (runs that were given up).
        middle: What all of them come to, and its interval; None to leave it out.
    """

    values: np.ndarray
    open: np.ndarray
    middle: Estimate | None = None


def kept(figure: Any, file: Path) -> Path:
    """Save a figure; return its file."""
    return kept_in_few(figure, file, SHADES_KEPT)


def lines_of(arms: Sequence[str], reference: str = "none") -> dict[str, Line]:
    """Return a colour for each arm; dashed grey for the reference, grey for tutors."""
    found: dict[str, Line] = {}
    for arm in arms:
        if arm == reference or arm.startswith("tutor: "):
            found[arm] = Line("0.25" if arm == reference else GREY, (0, (4, 1.5)))
        else:
            place = sum(line.colour in COLOURS for line in found.values())
            found[arm] = Line(COLOURS[place % len(COLOURS)])
    return found


def curve_picture(
    panels: Mapping[str, Mapping[str, np.ndarray]],
    times: Mapping[str, np.ndarray],
    lines: Mapping[str, Line],
    label: str,
    levels: Mapping[str, float] | None = None,
    columns: int = 2,
    draws: int = 500,
) -> Any:
    """Draw interquartile means over frames, a panel per task.

    Args:
        panels: Curves `(seeds, times)` of each arm, by title of the panel.
        times: Frames of the curves, by title.
        lines: How arms look.
        label: What is drawn, below the y axis.
        levels: Values of what does not learn, drawn across each panel.
        columns: Panels in a row.
        draws: Draws of the bands.
    """
    figure, places = _panels(len(panels), columns, _width(panels))
    for place, (title, arms) in zip(places, panels.items(), strict=True):
        frames = times[title] / 1000
        for name, runs in arms.items():
            line = lines[name]
            middle, low, high = efficiency_curve([runs], draws=draws)
            place.fill_between(frames, low, high, color=line.colour, alpha=0.13, lw=0)
            place.plot(frames, middle, color=line.colour, linestyle=line.stroke, lw=1.7)
        across = levels or {}
        heights = apart(list(across.values()), 0.06)
        for (name, value), height in zip(across.items(), heights, strict=True):
            place.axhline(value, color=GREY, lw=0.8, linestyle=":")
            place.annotate(
                name,
                (1, height),
                xycoords=("axes fraction", "data"),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color="0.35",
            )
        place.set_title(title, fontsize=10)
        place.set_xlim(0, frames[-1])
        place.set_ylim(-0.02, 1.02)
        place.grid(color=PALE, lw=0.6)
        place.set_axisbelow(True)
    figure.supxlabel("thousand training frames", fontsize=9)
    figure.supylabel(label, fontsize=9)
    _legend(figure, {name: lines[name] for arms in panels.values() for name in arms})
    return figure


def dot_picture(
    panels: Mapping[str, Mapping[str, Dots]],
    lines: Mapping[str, Line],
    label: str,
    columns: int = 2,
    limits: Mapping[str, float] | None = None,
    thousands: bool = False,
) -> Any:
    """Draw a dot per run, and the middle of each arm with its interval.

    Args:
        panels: Arms by title of the panel; the first arm stands above.
        lines: How arms look.
        label: What is drawn, below the x axis.
        columns: Panels in a row.
        limits: Where a panel ends, by its title.
        thousands: Divide values by a thousand.
    """
    rows = max(len(arms) for arms in panels.values())
    height = 0.75 + 0.26 * rows
    figure, places = _panels(len(panels), columns, _width(panels), height)
    unit = 1000 if thousands else 1
    for place, (title, arms) in zip(places, panels.items(), strict=True):
        for row, (name, dots) in enumerate(arms.items()):
            _dots(place, row, dots, lines[name].colour, unit)
        place.set_yticks(range(len(arms)), list(arms), fontsize=9)
        place.set_ylim(len(arms) - 0.5, -0.5)
        place.tick_params(axis="y", length=0)
        place.grid(axis="x", color=PALE, lw=0.6)
        place.set_axisbelow(True)
        most = (limits or {}).get(title)
        if most is None:
            place.set_xlim(-0.02, 1.02)
        else:
            place.set_xlim(0, most / unit * 1.06)
        place.set_title(title, fontsize=10)
    figure.supxlabel(label, fontsize=9)
    return figure


def profile_picture(
    scores: Mapping[str, Sequence[np.ndarray]], lines: Mapping[str, Line], label: str
) -> Any:
    """Draw the share of runs above each score.

    Args:
        scores: Of each arm, one array `(seeds,)` per task.
        lines: How arms look.
        label: What the score is.
    """
    figure, (place,) = _panels(1, 1, 6.4, 3.6)
    levels = np.linspace(0, 1, 101)
    for name, strata in scores.items():
        line = lines[name]
        share, low, high = performance_profile(strata, levels, draws=500)
        place.fill_between(levels, low, high, color=line.colour, alpha=0.1, lw=0)
        place.plot(levels, share, color=line.colour, linestyle=line.stroke, lw=1.7)
    place.set_xlim(0, 1)
    place.set_ylim(0, 1.02)
    place.grid(color=PALE, lw=0.6)
    place.set_xlabel(label, fontsize=9)
    place.set_ylabel("share of runs above", fontsize=9)
    _legend(figure, {name: lines[name] for name in scores})
    return figure


def amount_picture(
    arms: Mapping[str, Mapping[int, Estimate]], across: str, label: str
) -> Any:
    """Draw estimates over an amount, a line per arm, named at its right end.

    Args:
        arms: Estimates by amount, by arm.
        across: What the amount is of, below the x axis.
        label: What is drawn, beside the y axis.
    """
    figure, (place,) = _panels(1, 1, 6.8, 3.8)
    ends: dict[str, float] = {}
    for number, (name, found) in enumerate(arms.items()):
        colour = COLOURS[number % len(COLOURS)]
        amounts = sorted(found)
        values = [found[amount].value for amount in amounts]
        low = [found[amount].low for amount in amounts]
        high = [found[amount].high for amount in amounts]
        place.fill_between(amounts, low, high, color=colour, alpha=0.15, lw=0)
        place.plot(amounts, values, "o-", color=colour, lw=1.7, ms=3.5)
        ends[name] = values[-1]
    heights = apart(list(ends.values()), 0.05)
    for number, (name, height) in enumerate(zip(ends, heights, strict=True)):
        place.annotate(
            name,
            (1, height),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=COLOURS[number % len(COLOURS)],
        )
    place.set_xlim(left=0)
    place.margins(x=0.01)
    place.set_ylim(-0.02, 1.02)
    place.grid(color=PALE, lw=0.6)
    place.set_axisbelow(True)
    place.set_xlabel(across, fontsize=9)
    place.set_ylabel(label, fontsize=9)
    return figure


def apart(heights: Sequence[float], least: float) -> list[float]:
    """Move heights up or down until neighbours are so far apart, in the same order."""
    order = np.argsort(heights, kind="stable")
    found = np.asarray(heights, float)[order]
    for _ in range(200):
        gaps = np.diff(found)
        close = np.flatnonzero(gaps < least - 1e-9)
        if not len(close):
            break
        for place in close:
            push = (least - (found[place + 1] - found[place])) / 2
            found[place] -= push
            found[place + 1] += push
    back = np.empty(len(found))
    back[order] = found
    return back.tolist()


def aims_picture(
    arms: Mapping[str, tuple[Estimate, Estimate]],
    aims: tuple[float, float],
    labels: tuple[str, str],
    met: Callable[[str], bool],
) -> Any:
    """Draw two measures of each arm as intervals, a row per arm; shade the aims.

    Args:
        arms: Estimates of both measures, by arm, from the top.
        aims: What the first is to stay below and the second to exceed.
        labels: Of the measures.
        met: Whether an arm meets both aims.
    """
    figure, panels = _panels(2, 2, 4.2, 0.4 + 0.2 * len(arms))
    tops = [1.08 * max(aims[m], *(e[m].high for e in arms.values())) for m in (0, 1)]
    panels[0].axvspan(0, aims[0], color=PALE, alpha=0.5, lw=0)
    panels[1].axvspan(aims[1], tops[1], color=PALE, alpha=0.5, lw=0)
    for measure, place in enumerate(panels):
        for row, (name, estimates) in enumerate(arms.items()):
            found = estimates[measure]
            colour = COLOURS[0] if met(name) else "0.35"
            place.plot([found.low, found.high], [row] * 2, color=colour, lw=1.6)
            place.plot(found.value, row, "o", color=colour, ms=5)
            if measure == 0:
                place.annotate(
                    name,
                    (0, row),
                    xytext=(-8, 0),
                    xycoords=("axes fraction", "data"),
                    textcoords="offset points",
                    fontsize=8.5,
                    ha="right",
                    va="center",
                    color=colour if met(name) else "0.1",
                )
        place.set_yticks([])
        place.set_ylim(len(arms) - 0.5, -0.5)
        place.set_xlim(0, tops[measure])
        place.grid(axis="x", color=PALE, lw=0.6)
        place.set_axisbelow(True)
        place.set_xlabel(labels[measure], fontsize=9)
    return figure


def _dots(place: Any, row: int, dots: Dots, colour: str, unit: float) -> None:
    """Draw the runs of an arm side by side, so that equal ones can be counted."""
    values = np.asarray(dots.values) / unit
    shift = np.zeros(len(values))
    if len(values) > 1:
        shift = np.linspace(-0.24, 0.24, len(values))
    full, hollow = ~dots.open, dots.open
    place.plot(
        values[full], row + shift[full], "o", color=colour, ms=3.6, alpha=0.75, mew=0
    )
    place.plot(
        values[hollow],
        row + shift[hollow],
        ">",
        color=colour,
        ms=4,
        mfc="none",
        mew=0.9,
    )
    if dots.middle is None:
        place.plot(values[full], row + shift[full], "D", color=colour, ms=5, mew=0)
        return
    middle = dots.middle
    place.plot([middle.low / unit, middle.high / unit], [row] * 2, color="0.1", lw=1.3)
    place.plot(middle.value / unit, row, "|", color="0.1", ms=13, mew=2)


def _width(panels: Mapping[str, Any]) -> float:
    """Return the width of a panel in inches."""
    return 6.8 if len(panels) == 1 else 4.3


def _panels(
    number: int, columns: int, width: float, height: float = HEIGHT
) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    columns = min(columns, number)
    rows = -(-number // columns)
    size = (width * columns, height * rows + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
    for place in places[number:]:
        place.set_visible(False)
    for place in places:
        place.spines[["top", "right"]].set_visible(False)
        place.tick_params(labelsize=8)
    return figure, places[:number]


def _legend(figure: Any, lines: Mapping[str, Line]) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], color=line.colour, linestyle=line.stroke, lw=2)
        for line in lines.values()
    ]
    figure.legend(
        marks,
        list(lines),
        loc="outside upper center",
        fontsize=9,
        frameon=False,
        ncols=min(len(lines), 4),
    )
