"""Pictures for TensorBoard: what was explored."""

from __future__ import annotations

import numpy as np

from curiosity_rl.canvas import INK, PAPER, Canvas, ramp

WIDEST = 480
"""Pixels of a map's longer side, about."""
MARGIN, LEGEND = 12, 44


def visit_map(visits: np.ndarray) -> np.ndarray:
    """Draw how often each cell was visited, on a logarithmic scale.

    A cell that was never visited has the colour of the paper. The legend names the
    counts at both ends of the scale.

    Args:
        visits: Counts `(cells,)` or `(rows, columns)`; more axes are put side by side.

    Returns:
        The picture, `(height, width, 3)` uint8.
    """
    table = _flat(visits)
    cell = max(1, WIDEST // max(table.shape))
    most = max(int(table.max(initial=0)), 1)
    share = np.log1p(table) / np.log1p(most)
    colours = np.where(table[..., None] > 0, ramp(share), np.asarray(PAPER, float))
    cells = np.rint(colours).astype(np.uint8)
    drawn = cells.repeat(cell, axis=0).repeat(cell, axis=1)
    height, width = drawn.shape[:2]
    legend = _legend(max(width, WIDEST // 2), most)
    picture = np.empty(
        (MARGIN + height + len(legend), legend.shape[1], 3), dtype=np.uint8
    )
    picture[:] = PAPER
    picture[-len(legend) :] = legend
    left = (picture.shape[1] - width) // 2
    picture[MARGIN - 1 : MARGIN + height + 1, left - 1 : left + width + 1] = INK
    picture[MARGIN : MARGIN + height, left : left + width] = drawn
    return picture


def _legend(width: int, most: int) -> np.ndarray:
    """Draw the scale from one visit to the most, with both numbers."""
    canvas = Canvas(LEGEND, width + 2 * MARGIN)
    digits = 4 * 2 * len(str(most))
    left, right = 2 * MARGIN + 8, width - digits
    low = np.log1p(1) / np.log1p(most)
    middle = LEGEND // 2
    scale = ramp(np.linspace(low, 1, right - left))
    canvas.pixels[middle - 6 : middle + 6, left:right] = scale
    canvas.number(left - 10, middle, 1, 2, INK)
    canvas.number(right + 6 + digits / 2, middle, most, 2, INK)
    return canvas.image()


def _flat(visits: np.ndarray) -> np.ndarray:
    """Lay a table of counts out in two dimensions, with a gap between its parts."""
    table = np.atleast_2d(np.asarray(visits))
    while table.ndim > 2:
        gap = np.zeros((*table.shape[1:-1], 1), table.dtype)
        parts = [np.concatenate([part, gap], axis=-1) for part in table]
        table = np.concatenate(parts, axis=-1)[..., :-1]
    return _pooled(table)


def _pooled(table: np.ndarray) -> np.ndarray:
    """Add neighbouring cells of a table that has more of them than the map pixels."""
    by = -(-max(table.shape) // WIDEST)
    if by <= 1:
        return table
    rows, columns = (-(-size // by) * by for size in table.shape)
    padded = np.zeros((rows, columns), table.dtype)
    padded[: table.shape[0], : table.shape[1]] = table
    return padded.reshape(rows // by, by, columns // by, by).sum(axis=(1, 3))
