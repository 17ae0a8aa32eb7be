"""Pictures for TensorBoard: what was explored."""

from __future__ import annotations

import numpy as np

from curiosity_rl.canvas import INK, PAPER, Canvas, ramp

WIDEST = 480
"""Pixels of a map's longer side, about."""
MARGIN, LEGEND = 12, 34


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
    rows, columns = table.shape
    cell = max(1, WIDEST // max(rows, columns))
    most = max(int(table.max(initial=0)), 1)
    share = np.log1p(table) / np.log1p(most)
    colours = np.where(table[..., None] > 0, ramp(share), np.asarray(PAPER, float))
    drawn = colours.repeat(cell, axis=0).repeat(cell, axis=1)
    width = max(drawn.shape[1], WIDEST // 2)
    canvas = Canvas(drawn.shape[0] + 2 * MARGIN + LEGEND, width + 2 * MARGIN)
    left, top = MARGIN + (width - drawn.shape[1]) // 2, MARGIN
    bottom, right = top + drawn.shape[0], left + drawn.shape[1]
    canvas.box(left - 1, top - 1, right + 1, bottom + 1, INK)
    canvas.pixels[top:bottom, left:right] = drawn
    _legend(canvas, bottom + MARGIN, most)
    return canvas.image()


def _legend(canvas: Canvas, top: int, most: int) -> None:
    """Draw the scale from one visit to the most, with both numbers."""
    digits = 4 * 2 * len(str(most))
    left, right = 2 * MARGIN + 8, canvas.pixels.shape[1] - 2 * MARGIN - digits
    low = np.log1p(1) / np.log1p(most)
    canvas.pixels[top : top + 12, left:right] = ramp(np.linspace(low, 1, right - left))
    canvas.number(left - 10, top + 6, 1, 2, INK)
    canvas.number(right + 6 + digits / 2, top + 6, most, 2, INK)


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
