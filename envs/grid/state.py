"""The arrays of the grid worlds: maps with a margin, agents, and settings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from curiosity_rl.envs.grid.cells import EMPTY, STONE

VIEW = 7
MARGIN = VIEW - 2
"""Cells that an agent inside the outer wall can see beyond it."""


class State(NamedTuple):
    """Maps and agents of n lanes; a map is flat, see `Params`."""

    rng: np.ndarray  # (n,) uint64, stream of episodes
    noise: np.ndarray  # (n,) uint64, stream of pictures on the noisy television
    cells: np.ndarray  # (n, P) uint16, see cells.py
    place: np.ndarray  # (n,) int64, flat place of the agent
    heading: np.ndarray  # (n,) int64, 0 right (x grows), 1 down (y grows), 2 left, 3 up
    carrying: np.ndarray  # (n,) uint16, the cell picked up; 0 for none
    elapsed: np.ndarray  # (n,) int64, steps of this episode
    watching: np.ndarray  # (n,) bool, whether the television fills the view


class Params(NamedTuple):
    """Settings of a grid world, as the kernels read them.

    Cell (x, y) stands at `origin + x + y * stride`. Rows are followed by `MARGIN` cells
    of wall, which are also the margin before the next row, and there are `MARGIN` rows
    of wall above and below: no view needs a test of bounds.
    """

    width: int
    height: int
    stride: int
    origin: int
    max_steps: int
    see_through: bool  # walls hide nothing
    ahead: np.ndarray  # (4,) int64, the way to the next cell under each heading
    looks: np.ndarray  # (256, C) what each look is written as


def geometry(
    width: int, height: int, max_steps: int, see_through: bool, looks: np.ndarray
) -> Params:
    """Return the settings of a world whose map is so large."""
    stride = width + MARGIN
    return Params(
        width=width,
        height=height,
        stride=stride,
        origin=MARGIN * stride + MARGIN,
        max_steps=max_steps,
        see_through=see_through,
        ahead=np.array([1, stride, -1, -stride], dtype=np.int64),
        looks=looks,
    )


def allocate(lanes: int, params: Params) -> State:
    """Return lanes with empty maps within margins of wall."""
    size = (params.height + 2 * MARGIN) * params.stride + MARGIN
    cells = np.full((lanes, size), STONE, dtype=np.uint16)
    inner_map(cells, params)[...] = EMPTY
    return State(
        rng=np.zeros(lanes, dtype=np.uint64),
        noise=np.zeros(lanes, dtype=np.uint64),
        cells=cells,
        place=np.full(lanes, params.origin, dtype=np.int64),
        heading=np.zeros(lanes, dtype=np.int64),
        carrying=np.zeros(lanes, dtype=np.uint16),
        elapsed=np.zeros(lanes, dtype=np.int64),
        watching=np.zeros(lanes, dtype=np.bool_),
    )


def inner_map(cells: np.ndarray, params: Params) -> np.ndarray:
    """Show the maps without margins, `(..., height, width)`, a view."""
    rows = cells[..., : (params.height + 2 * MARGIN) * params.stride]
    rows = rows.reshape(*cells.shape[:-1], -1, params.stride)
    return rows[..., MARGIN : MARGIN + params.height, MARGIN:]
