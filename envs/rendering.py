"""Draw worlds as pixels with NumPy alone: shapes, digits and layered graphs.

Shapes are drawn from their signed distance d (negative inside, in pixels): a pixel is
covered by `clip(0.5 - d, 0, 1)`, which gives smooth edges without any drawing library.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Colour = Sequence[int] | np.ndarray
"""Red, green and blue, each 0..255."""

PAPER = (250, 249, 246)
INK = (45, 52, 64)
MUTED = (203, 207, 213)
GOLD = (235, 158, 28)
_RAMP = np.array(  # pale sand to deep sea: lighter means less
    [[244, 236, 219], [183, 219, 190], [90, 178, 165], [36, 123, 145], [24, 74, 117]],
    dtype=float,
)
_DIGIT_ROWS = (  # rows of 3 bits, top to bottom
    (7, 5, 5, 5, 7),
    (2, 6, 2, 2, 7),
    (7, 1, 7, 4, 7),
    (7, 1, 7, 1, 7),
    (5, 5, 7, 1, 1),
    (7, 4, 7, 1, 7),
    (7, 4, 7, 5, 7),
    (7, 1, 1, 2, 2),
    (7, 5, 7, 5, 7),
    (7, 5, 7, 1, 7),
)


def ramp(values: Any) -> np.ndarray:
    """Map numbers in [0, 1] to colours `(..., 3)` float, pale (0) to deep (1).

    Values outside the range are clipped.
    """
    at = np.clip(np.asarray(values, dtype=float), 0.0, 1.0) * (len(_RAMP) - 1)
    low = np.minimum(at.astype(int), len(_RAMP) - 2)
    part = (at - low)[..., None]
    return _RAMP[low] * (1.0 - part) + _RAMP[low + 1] * part


class Canvas:
    """A picture in progress; x goes right, y goes down, both in pixels.

    Attributes:
        pixels: The picture so far, `(height, width, 3)` float in 0..255.
    """

    def __init__(self, height: int, width: int, background: Colour = PAPER) -> None:
        self.pixels = np.empty((height, width, 3))
        self.pixels[:] = np.asarray(background, dtype=float)

    def image(self) -> np.ndarray:
        """Return the picture, `(height, width, 3)` uint8, a fresh array."""
        return np.rint(self.pixels).astype(np.uint8)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Fill a circle."""
        window, xs, ys = self._window(x, y, x, y, radius)
        self._blend(window, np.hypot(xs - x, ys - y) - radius, colour)

    def ring(
        self, x: float, y: float, radius: float, thickness: float, colour: Colour
    ) -> None:
        """Draw a circle of a given radius to the middle of its line."""
        window, xs, ys = self._window(x, y, x, y, radius + thickness)
        away = np.abs(np.hypot(xs - x, ys - y) - radius) - thickness / 2
        self._blend(window, away, colour)

    def line(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        thickness: float,
        colour: Colour,
    ) -> None:
        """Draw a straight line with round ends from `(x, y)` to `(x, y)`."""
        (x0, y0), (x1, y1) = start, end
        window, xs, ys = self._window(x0, y0, x1, y1, thickness)
        dx, dy = x1 - x0, y1 - y0
        along = ((xs - x0) * dx + (ys - y0) * dy) / max(dx * dx + dy * dy, 1e-12)
        along = np.clip(along, 0.0, 1.0)
        away = np.hypot(xs - x0 - along * dx, ys - y0 - along * dy)
        self._blend(window, away - thickness / 2, colour)

    def arrow(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        thickness: float,
        colour: Colour,
    ) -> None:
        """Draw a line with a filled head whose tip is at `end`."""
        tip, back = np.array(end, dtype=float), np.array(start, dtype=float)
        ahead = (tip - back) / max(float(np.hypot(*(tip - back))), 1e-12)
        length, half = 5.0 * thickness, 2.2 * thickness
        neck = tip - length * ahead
        self.line(start, (neck[0], neck[1]), thickness, colour)
        side = np.array([-ahead[1], ahead[0]])
        window, xs, ys = self._window(tip[0], tip[1], tip[0], tip[1], length + half)
        from_tip = (tip[0] - xs) * ahead[0] + (tip[1] - ys) * ahead[1]
        across = np.abs((xs - tip[0]) * side[0] + (ys - tip[1]) * side[1])
        slope = half / length
        flank = (across - from_tip * slope) / np.hypot(1.0, slope)
        self._blend(window, np.maximum(flank, from_tip - length), colour)

    def box(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        colour: Colour,
        corner: float = 0.0,
    ) -> None:
        """Fill a rectangle whose corners are rounded with radius `corner`."""
        window, xs, ys = self._window(x0, y0, x1, y1, 0.0)
        corner = min(corner, (x1 - x0) / 2, (y1 - y0) / 2)
        qx = np.abs(xs - (x0 + x1) / 2) - (x1 - x0) / 2 + corner
        qy = np.abs(ys - (y0 + y1) / 2) - (y1 - y0) / 2 + corner
        outside = np.hypot(np.maximum(qx, 0.0), np.maximum(qy, 0.0))
        inside = np.minimum(np.maximum(qx, qy), 0.0)
        self._blend(window, outside + inside - corner, colour)

    def number(self, x: float, y: float, value: int, dot: int, colour: Colour) -> None:
        """Write a whole number centred at `(x, y)`, in dots of `dot` pixels."""
        text = str(abs(int(value)))
        width = (4 * len(text) - 1) * dot
        left, top = round(x - width / 2), round(y - 5 * dot / 2)
        for place, digit in enumerate(text):
            for row, bits in enumerate(_DIGIT_ROWS[int(digit)]):
                for column in range(3):
                    if bits >> (2 - column) & 1:
                        px = left + (4 * place + column) * dot
                        py = top + row * dot
                        self.box(px, py, px + dot, py + dot, colour)

    def _window(
        self, x0: float, y0: float, x1: float, y1: float, margin: float
    ) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
        """Return the part of the picture to touch, and its pixels' centres."""
        height, width = self.pixels.shape[:2]
        left = int(np.clip(np.floor(min(x0, x1) - margin) - 1, 0, width))
        right = int(np.clip(np.ceil(max(x0, x1) + margin) + 1, 0, width))
        top = int(np.clip(np.floor(min(y0, y1) - margin) - 1, 0, height))
        bottom = int(np.clip(np.ceil(max(y0, y1) + margin) + 1, 0, height))
        ys, xs = np.mgrid[top:bottom, left:right] + 0.5
        return (slice(top, bottom), slice(left, right)), xs, ys

    def _blend(
        self, window: tuple[slice, slice], away: np.ndarray, colour: Colour
    ) -> None:
        cover = np.clip(0.5 - away, 0.0, 1.0)[..., None]
        part = self.pixels[window]
        part += cover * (np.asarray(colour, dtype=float) - part)


def layered_positions(
    parents: np.ndarray, apart: np.ndarray | None = None
) -> np.ndarray:
    """Place the nodes of an acyclic graph in rows by depth, few edges crossing.

    A node stands one row below its deepest parent; in a row, nodes are ordered by the
    mean place of their neighbours (the barycentre rule of Sugiyama et al. 1981).

    Args:
        parents: Parents of every node, `(n, P)` int, -1 for none.
        apart: Nodes outside the graph, `(n,)` bool; they share a row of their own at
            the bottom.

    Returns:
        Positions `(n, 2)` as (x, y) in [0, 1], the first row at y = 0.

    Raises:
        ValueError: If the graph has a cycle.
    """
    count = len(parents)
    loose = np.zeros(count, bool) if apart is None else np.asarray(apart, bool)
    parents = np.where(loose[:, None], -1, parents)
    depth = np.zeros(count, int)
    for _ in range(count + 1):
        above = np.where(parents >= 0, depth[parents] + 1, 0).max(1, initial=0)
        if np.array_equal(above, depth):
            break
        depth = above
    else:
        raise ValueError("the graph has a cycle: a node is its own ancestor")
    if loose.any():
        depth[loose] = depth[~loose].max(initial=-1) + 1
    linked = np.zeros((count, count), bool)
    child, slot = np.nonzero(parents >= 0)
    linked[child, parents[child, slot]] = linked[parents[child, slot], child] = True
    x = np.zeros(count)
    rows = [np.flatnonzero(depth == level) for level in range(depth.max(initial=0) + 1)]
    for row in rows:
        x[row] = (np.arange(len(row)) + 0.5) / len(row)
    for sweep in range(8):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            near = linked[row] & (depth != depth[row][0])
            pull = np.where(near.any(1), near @ x / np.maximum(near.sum(1), 1), x[row])
            x[row[np.argsort(pull, kind="stable")]] = (np.arange(len(row)) + 0.5) / len(
                row
            )
    return np.stack([x, depth / max(len(rows) - 1, 1)], axis=1)


def draw_graph(
    positions: np.ndarray,
    edges: np.ndarray,
    fill: np.ndarray,
    *,
    ringed: np.ndarray | None = None,
    active: int | None = None,
    labels: Sequence[int] | np.ndarray | None = None,
    left: float | None = None,
    size: tuple[int, int] = (400, 520),
) -> np.ndarray:
    """Draw a graph of skills as a picture.

    Args:
        positions: Places of the nodes, `(n, 2)` as (x, y) in [0, 1].
        edges: Pairs (from, to), `(E, 2)` int.
        fill: Colours of the nodes, `(n, 3)` in 0..255; see `ramp` and `MUTED`.
        ringed: Nodes with a golden ring (goals), `(n,)` bool.
        active: Node with a dark outline and a halo (the current activity).
        labels: Whole numbers written in the nodes, `(n,)`.
        left: Part of the budget that is left, [0, 1]: a bar at the bottom.
        size: Height and width of the picture in pixels.

    Returns:
        The picture, `(height, width, 3)` uint8.
    """
    height, width = size
    canvas = Canvas(height, width)
    _, crowd = np.unique(positions[:, 1], return_counts=True)
    room = min(width / crowd.max(initial=1), height / max(len(crowd), 1), 0.16 * width)
    radius = max(0.27 * room, 2.0)
    stroke = max(radius / 11, 1.0)
    foot = 0.07 * height if left is not None else 0.0
    margin = np.array([0.02 * width, 1.9 * radius])
    area = np.array([width, height - foot]) - 2 * margin
    places = margin + positions * area
    gap = radius + 4.0 * stroke
    if active is not None:
        halo = 0.75 * np.asarray(PAPER, float) + 0.25 * np.asarray(INK, float)
        x, y = places[active]
        canvas.disc(x, y, radius + 6.5 * stroke, halo)
        canvas.disc(x, y, radius + 4.5 * stroke, PAPER)
    for origin, target in edges:
        start, end = places[origin], places[target]
        ahead = (end - start) / max(float(np.hypot(*(end - start))), 1e-12)
        first, last = start + radius * ahead, end - gap * ahead
        canvas.arrow(tuple(first), tuple(last), stroke, MUTED)
    for node in range(len(positions)):
        x, y = places[node]
        if ringed is not None and ringed[node]:
            canvas.ring(x, y, radius + 2.2 * stroke, 2.2 * stroke, GOLD)
        canvas.disc(x, y, radius, fill[node])
        edge = INK if node == active else 0.8 * np.asarray(fill[node], float)
        canvas.ring(x, y, radius, (2.4 if node == active else 1.0) * stroke, edge)
        if labels is not None and radius >= 7:
            light = np.dot(fill[node], (0.299, 0.587, 0.114)) > 140
            dot = max(round(radius / 9), 1)
            canvas.number(x, y, int(labels[node]), dot, INK if light else PAPER)
    if left is not None:
        y0, y1, edge = height - 0.75 * foot, height - 0.4 * foot, 0.06 * width
        span = width - 2 * edge
        canvas.box(edge, y0, edge + span, y1, (228, 230, 233), corner=foot)
        if left > 0:
            end = edge + max(span * min(left, 1.0), y1 - y0)
            canvas.box(edge, y0, end, y1, INK, corner=foot)
    return canvas.image()
