"""Maps for TensorBoard: what was explored, and where curiosity was paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curiosity_rl.canvas import FIRE, INK, PAPER, SEA, ramp
from curiosity_rl.tracking.sheet import MARGIN, SMALL, SOFT, Sheet, length

WIDEST, TALLEST = 448, 320
"""Pixels of a map, at most, unless one cell a pixel needs more."""
BARS = 150
"""Height of the bars of a world whose cells stand in one row."""
LEFT, GAP, PART, AXIS, LEGEND, LEAST = 46, 14, 20, 44, 34, 440
CAPPED = 0.98
"""Share of the cells that the scale of means spans; a few may stand out more."""


@dataclass(frozen=True)
class Axes:
    """What the axes of a table of cells are called, the last one running to the right.

    Attributes:
        names: One name per axis, `rows` before `columns`; where there are three, the
            first is a tuple: the names of tables that stand side by side.
    """

    names: Sequence[Any] = ()

    def named(self, dimensions: int) -> tuple[tuple[str, ...], str, str]:
        """Return the names of the tables, of the rows and of the columns."""
        names = list(self.names) if len(self.names) == dimensions else []
        if not names:
            names = ["part", "row", "column"][-dimensions:] if dimensions > 1 else []
        if dimensions == 1:
            return (), "", str(names[0]) if names else "cell"
        parts = names[0] if dimensions > 2 and not isinstance(names[0], str) else ()
        return tuple(parts), str(names[-2]), str(names[-1])


@dataclass(frozen=True)
class Shades:
    """Colours of cells, and the legend that tells of them.

    Attributes:
        share: How deep each cell's colour is, -1 to 1, NaN for paper; as the table.
        colours: Of the legend from left to right, `(n, 3)`.
        low: What its left end means.
        high: What its right end means.
        stops: Colours above 0; those below are `SEA`.
    """

    share: np.ndarray
    colours: np.ndarray
    low: str
    high: str
    stops: np.ndarray

    def paint(self, share: np.ndarray) -> np.ndarray:
        """Return the colours of shares, `(..., 3)` uint8."""
        known = np.nan_to_num(share)
        found = ramp(known, self.stops)
        if (known < 0).any():
            found = np.where(known[..., None] < 0, ramp(-known, SEA), found)
        found[np.isnan(share)] = PAPER
        return np.rint(found).astype(np.uint8)


def visit_map(visits: np.ndarray, axes: Axes = Axes(), where: str = "") -> np.ndarray:
    """Draw how often each cell was reached, on a logarithmic scale.

    A cell that was never reached has the colour of the paper. The legend names the
    counts at both ends of the scale.

    Args:
        visits: Counts `(cells,)`, drawn as bars, or `(rows, columns)`; tables of a
            third axis stand side by side.
        axes: Names of the axes.
        where: World and time, for the note.

    Returns:
        The picture, `(height, width, 3)` uint8.
    """
    table = pooled(np.asarray(visits))
    most = max(int(table.max(initial=0)), 1)
    share = np.where(table > 0, np.log1p(table) / np.log1p(most), np.nan)
    low = np.log1p(1) / np.log1p(most)
    colours = ramp(np.linspace(low, 1.0, 256))
    shades = Shades(share, colours, "1 visit", f"{most:,} visits", SEA)
    seen = np.count_nonzero(np.asarray(visits))
    note = (
        f"{where}How often steps led to each cell, on a logarithmic scale. "
        f"{seen:,} of {np.size(visits):,} cells reached; blank: never."
    )
    return draw_cells("Visits", note, shades, axes)


def mean_map(
    title: str,
    note: str,
    sums: np.ndarray,
    counts: np.ndarray,
    axes: Axes = Axes(),
    stops: np.ndarray = FIRE,
    unit: str = "",
) -> np.ndarray:
    """Draw the mean of what was paid, or measured, per visit of each cell.

    The scale begins at 0; where means are negative it has two sides, of other colours.
    It ends where `CAPPED` of the cells end, if the rest stand out by more than half.

    Args:
        title: What is drawn.
        note: How to read it.
        sums: Sums by cell, in the shape of the table of cells.
        counts: How much each cell counts; 0 where there is nothing to draw.
        axes: Names of the axes.
        stops: Colours.
        unit: What the numbers are, for the legend.

    Returns:
        The picture, `(height, width, 3)` uint8.
    """
    sums, counts = pooled(np.asarray(sums)), pooled(np.asarray(counts))
    known = counts > 0
    means = np.where(known, sums / np.where(known, counts, 1.0), np.nan)
    sizes = np.abs(means[known])
    most = float(sizes.max(initial=0.0))
    end = float(np.quantile(sizes, CAPPED)) if known.any() else 0.0
    more = most > 1.5 * end > 0
    end = (end if more else most) or 1.0
    share = np.clip(means / end, -1.0, 1.0)
    told = f"{end:.2g}{' or more' if more else ''} {unit}".rstrip()
    positive = ramp(np.linspace(0.0, 1.0, 128), stops)
    if not (means[known] < 0).any():
        return draw_cells(title, note, Shades(share, positive, "0", told, stops), axes)
    negative = ramp(np.linspace(1.0, 0.0, 128))
    colours = np.concatenate([negative, positive])
    shades = Shades(share, colours, f"-{end:.2g}", told, stops)
    return draw_cells(title, note, shades, axes)


def draw_cells(title: str, note: str, shades: Shades, axes: Axes) -> np.ndarray:
    """Draw a table of cells with its axes and its legend."""
    share = shades.share
    parts, rows, columns = axes.named(share.ndim)
    if share.ndim == 1:
        return _bars(title, note, shades, columns)
    tables = share.reshape(-1, *share.shape[-2:])
    count, height, width = tables.shape
    room = WIDEST - GAP * (count - 1)
    cell = max(1, min(room // (count * width), TALLEST // height))
    wide, tall = cell * width, cell * height
    span = count * wide + GAP * (count - 1)
    body = PART * bool(parts) + tall + AXIS + LEGEND
    sheet = Sheet(title, note, body, max(LEFT + span + MARGIN + 16, LEAST))
    left = LEFT + (sheet.width - LEFT - MARGIN - 16 - span) // 2
    top = sheet.top + PART * bool(parts)
    for number, table in enumerate(tables):
        x = left + number * (wide + GAP)
        picture = shades.paint(table).repeat(cell, axis=0).repeat(cell, axis=1)
        sheet.frame(x, top, x + wide, top + tall)
        sheet.paste(x, top, picture)
        if parts:
            sheet.write(x + wide / 2, top - PART / 2 - 1, parts[number])
        _across(sheet, x, top + tall, wide, width, columns)
    edge = min(cell, 14) / 2
    sheet.write(left - 7, top + edge, "0", SMALL, SOFT, at="rm")
    last = str(height - 1)
    sheet.write(left - 7, top + tall - edge, last, SMALL, SOFT, at="rm")
    sheet.write_up(left - 22, top + tall / 2, rows)
    _legend(sheet, top + tall + AXIS, shades)
    return sheet.image()


def _bars(title: str, note: str, shades: Shades, axis: str) -> np.ndarray:
    """Draw cells that stand in one row, as bars from 0 up or down."""
    share = shades.share
    cell = max(1, WIDEST // len(share))
    span = cell * len(share)
    sheet = Sheet(title, note, BARS + AXIS + LEGEND, max(2 * LEFT + span, LEAST))
    left, top = (sheet.width - span) // 2, sheet.top
    down = BARS / 2 if (np.nan_to_num(share) < 0).any() else 0.0
    colours = shades.paint(share)
    zero = top + BARS - down
    sheet.frame(left, top, left + span, top + BARS)
    for place in np.flatnonzero(~np.isnan(share)).tolist():
        x = left + cell * place
        size = float(share[place]) * (BARS - 4 - down)
        upper, lower = min(zero - size, zero - 2), max(zero - size, zero)
        sheet.box(x + (cell > 4), upper, x + cell - (cell > 4), lower, colours[place])
    _across(sheet, left, top + BARS, span, len(share), axis)
    _legend(sheet, top + BARS + AXIS, shades)
    return sheet.image()


def _across(
    sheet: Sheet, left: float, bottom: float, wide: int, cells: int, name: str
) -> None:
    """Write the first and the last cell below a table, and its axis between them."""
    edge = min(wide / cells, 14) / 2
    last = str(cells - 1)
    right = left + wide - max(edge, length(last, SMALL) / 2)
    sheet.write(left + edge, bottom + 11, "0", SMALL, SOFT)
    sheet.write(right, bottom + 11, last, SMALL, SOFT)
    sheet.write(left + wide / 2, bottom + 11, name)


def _legend(sheet: Sheet, top: float, shades: Shades) -> None:
    wide = min(sheet.width - 2 * MARGIN, 400)
    x = (sheet.width - wide) // 2
    sheet.scale(x, top + 6, wide, shades.colours, shades.low, shades.high)


def pooled(table: np.ndarray) -> np.ndarray:
    """Add neighbouring cells of a table that has more of them than a map has pixels."""
    side = np.array(table.shape[-2:])
    side[-1] *= table.shape[0] if table.ndim > 2 else 1
    by = -(-int(side.max(initial=1)) // WIDEST)
    if by <= 1:
        return table
    lead = table.shape[:-2] if table.ndim > 1 else ()
    kept = table if table.ndim > 1 else table[None]
    rows, columns = kept.shape[-2:]
    down = by if table.ndim > 1 else 1
    padded = np.zeros((*lead, -(-rows // down) * down, -(-columns // by) * by))
    padded = padded.astype(table.dtype)
    padded[..., :rows, :columns] = kept
    tall, wide = padded.shape[-2] // down, padded.shape[-1] // by
    found = padded.reshape(*lead, tall, down, wide, by).sum(axis=(-3, -1))
    return found if table.ndim > 1 else found[0]


def region_history(
    names: Sequence[str],
    visits: np.ndarray,
    bonus: np.ndarray | None,
    steps: int,
    where: str = "",
) -> np.ndarray:
    """Draw where the time went, and where the bonus was, region by region.

    Args:
        names: Names of the regions.
        visits: Steps that led into each region in each slice of time, `(S, R)`.
        bonus: Bonus paid for them, summed, `(S, R)`; None where nothing is paid.
        steps: Steps at the end of the last slice.
        where: World and time, for the note.

    Returns:
        The picture, `(height, width, 3)` uint8.
    """
    note = f"{where}Above: share of the steps of each slice of time that led into each "
    note += "region of the world. "
    if bonus is not None:
        note += "Below: mean bonus paid for such a step; blank: no step."
    row, names = 30, [str(name) for name in names]
    left = MARGIN + 10 + int(max(length(name, SMALL) for name in names))
    tall, slices = row * len(names), len(visits)
    panels: list[tuple[str, np.ndarray, np.ndarray, str]] = []
    total = np.maximum(visits.sum(axis=1, keepdims=True), 1)
    panels.append(("share of the steps", visits / total, SEA, "100 %"))
    if bonus is not None:
        means = np.where(visits > 0, bonus / np.maximum(visits, 1), np.nan)
        most = float(np.nanmax(np.abs(means), initial=0.0)) or 1.0
        panels.append(("mean bonus", means / most, FIRE, f"{most:.2g}"))
    block = 22 + tall + 14 + 28
    sheet = Sheet("Regions", note, block * len(panels) + 20, left + WIDEST + MARGIN)
    for number, (name, share, stops, high) in enumerate(panels):
        top = sheet.top + 22 + number * block
        sheet.write(left, top - 12, name, at="lm")
        edges = np.linspace(0, WIDEST, slices + 1).round().astype(int)
        low, ends = "0", np.linspace(0.0, 1.0, 128)
        colours = ramp(ends, stops)
        if (np.nan_to_num(share) < 0).any():
            low = f"-{high}"
            colours = np.concatenate([ramp(ends[::-1]), colours])
        shades = Shades(share, colours, low, high, stops)
        cells = shades.paint(share.T).repeat(row, axis=0)
        sheet.frame(left, top, left + WIDEST, top + tall)
        sheet.paste(left, top, cells.repeat(np.diff(edges), axis=1))
        for region, text in enumerate(names):
            sheet.write(left - 8, top + row * (region + 0.5), text, SMALL, INK, at="rm")
        shades_at = left + WIDEST - 220
        sheet.scale(shades_at, top - 12, 220, colours, low, high)
    bottom = sheet.top + block * len(panels) - 28
    sheet.write(left, bottom, "step 0", SMALL, SOFT, at="lm")
    sheet.write(left + WIDEST, bottom, f"{steps:,}", SMALL, SOFT, at="rm")
    return sheet.image()
