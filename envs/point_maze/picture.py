"""Draw a point maze: its walls, starts and goals, the mass and where it is going."""

from __future__ import annotations

import numpy as np

from curiosity_rl.canvas import GOLD, INK, MUTED, PAPER, Canvas
from curiosity_rl.envs.point_maze.rules import RADIUS, SUCCESS, Params, State

TILE = 40
AHEAD = 0.5
"""Seconds of travel that the arrow shows."""
MASS = (214, 69, 65)


def draw_maze(state: State, lane: int, params: Params) -> np.ndarray:
    """Return the picture of one lane, `(40 * height, 40 * width, 3)` uint8."""
    canvas = Canvas(TILE * params.height, TILE * params.width)
    for cell in params.starts:
        y, x = _middle(int(cell), params.width)
        canvas.ring(x, y, 0.3 * TILE, 0.06 * TILE, MUTED)
    targets = [_middle(int(cell), params.width) for cell in np.flatnonzero(params.ends)]
    if len(params.targets):
        targets = [(TILE * state.goal[lane, 1], TILE * state.goal[lane, 0])]
    pale = 0.65 * np.asarray(PAPER, float) + 0.35 * np.asarray(GOLD, float)
    for y, x in targets:
        canvas.disc(x, y, SUCCESS * TILE, pale)
        canvas.disc(x, y, 0.1 * TILE, GOLD)
    for cell in np.flatnonzero(params.walls):
        y, x = _middle(int(cell), params.width)
        half = TILE / 2
        canvas.box(x - half, y - half, x + half, y + half, INK)
    x, y = TILE * state.position[lane]
    dx, dy = AHEAD * TILE * state.velocity[lane]
    if np.hypot(dx, dy) > 0.15 * TILE:
        canvas.arrow((x, y), (x + dx, y + dy), 0.06 * TILE, MASS)
    canvas.disc(x, y, RADIUS * TILE, MASS)
    return canvas.image()


def _middle(cell: int, width: int) -> tuple[float, float]:
    """Return y and x of a cell's middle in pixels."""
    row, column = divmod(cell, width)
    return TILE * (row + 0.5), TILE * (column + 0.5)
