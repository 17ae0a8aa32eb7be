"""Draw a grid world: its map, its agent and the cells that the agent sees."""

from __future__ import annotations

import numpy as np

from curiosity_rl.canvas import INK, PAPER, Canvas
from curiosity_rl.envs.grid import cells
from curiosity_rl.envs.grid.state import Params, State, inner_map

TILE = 24
PALETTE = (
    *((214, 69, 65), (62, 158, 96), (58, 110, 196)),
    *((140, 84, 176), (226, 176, 40), (120, 126, 136)),
)
"""Red, green, blue, purple, yellow, grey, as `cells` counts them."""


def draw_map(state: State, lane: int, params: Params) -> np.ndarray:
    """Return the picture of one lane, `(24 * height, 24 * width, 3)` uint8."""
    canvas = Canvas(TILE * params.height, TILE * params.width)
    inner = inner_map(state.cells[lane], params)
    for (y, x), code in np.ndenumerate(inner):
        _draw_cell(canvas, TILE * x, TILE * y, int(code))
    y, x = np.divmod(int(state.place[lane]) - params.origin, params.stride)
    middle = np.array([TILE * x + TILE / 2, TILE * y + TILE / 2])
    ahead = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)][int(state.heading[lane])])
    back, tip = middle - 0.4 * TILE * ahead, middle + 0.42 * TILE * ahead
    canvas.arrow((back[0], back[1]), (tip[0], tip[1]), 0.13 * TILE, PALETTE[cells.RED])
    if state.carrying[lane]:
        px, py = TILE * x + 0.5 * TILE, TILE * y
        _draw_cell(canvas, px, py, int(state.carrying[lane]), TILE / 2)
    return canvas.image()


def _draw_cell(
    canvas: Canvas, x: float, y: float, code: int, side: float = TILE
) -> None:
    kind, colour = code & cells.KIND_BITS, PALETTE[(code >> cells.COLOUR_AT & 7) % 6]

    def box(low: float, high: float, fill: tuple[int, int, int]) -> None:
        canvas.box(
            x + low * side, y + low * side, x + high * side, y + high * side, fill
        )

    if kind == cells.WALL:
        box(0.0, 1.0, INK)
    elif kind == cells.GOAL:
        box(0.04, 0.96, colour)
    elif kind == cells.BALL:
        canvas.disc(x + side / 2, y + side / 2, 0.31 * side, colour)
    elif kind == cells.KEY:
        canvas.ring(x + 0.5 * side, y + 0.3 * side, 0.14 * side, 0.1 * side, colour)
        stem = (x + 0.5 * side, y + 0.45 * side), (x + 0.5 * side, y + 0.85 * side)
        canvas.line(*stem, 0.1 * side, colour)
        bit = (x + 0.5 * side, y + 0.8 * side), (x + 0.68 * side, y + 0.8 * side)
        canvas.line(*bit, 0.1 * side, colour)
    elif kind == cells.BOX:
        box(0.12, 0.88, colour)
        box(0.22, 0.78, PAPER)
        slit = (x + 0.2 * side, y + 0.5 * side), (x + 0.8 * side, y + 0.5 * side)
        canvas.line(*slit, 0.08 * side, colour)
    elif kind == cells.DOOR:
        state = code >> cells.DOOR_AT & 3
        if state == cells.OPEN:
            canvas.box(x + 0.84 * side, y, x + side, y + side, colour)
        else:
            box(0.0, 1.0, colour)
            if state == cells.CLOSED:
                box(0.12, 0.88, PAPER)
                box(0.2, 0.8, colour)
            canvas.disc(x + 0.72 * side, y + 0.5 * side, 0.1 * side, INK)
