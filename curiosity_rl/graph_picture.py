"""Draw graphs of skills, in layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from curiosity_rl.canvas import GOLD, INK, MUTED, PAPER, Canvas


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
