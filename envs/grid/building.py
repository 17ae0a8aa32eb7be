"""What makers of maps share: draws, walls, and empty places, one lane at a time."""

from __future__ import annotations

import numpy as np

from curiosity_rl.envs.grid.cells import EMPTY, KIND_BITS, STONE, WALL
from curiosity_rl.envs.rng import STEP, mix
from curiosity_rl.jit import kernel

_HIGH = np.uint64(32)


@kernel
def draw(i, state, low, high):
    """Return a whole number from `low` to `high - 1`, all equally likely."""
    state.rng[i] += STEP
    return low + int((mix(state.rng[i]) >> _HIGH) * np.uint64(high - low) >> _HIGH)


@kernel
def flat(params, x, y):
    """Return the flat place of cell (x, y)."""
    return params.origin + y * params.stride + x


@kernel
def fill(i, state, params, x, y, width, height, cell):
    """Fill a rectangle with one cell."""
    for row in range(y, y + height):
        at = flat(params, x, row)
        for column in range(width):
            state.cells[i, at + column] = cell


@kernel
def room(i, state, params, x, y, width, height):
    """Build a room: a rectangle of walls, empty within."""
    for row in range(height):
        at = flat(params, x, y + row)
        edge = row == 0 or row == height - 1
        for column in range(width):
            wall = edge or column == 0 or column == width - 1
            state.cells[i, at + column] = STONE if wall else EMPTY


@kernel
def empty_place(i, state, params, x, y, width, height, avoid, next_to):
    """Return an empty place of a rectangle, all equally likely; -1 if there is none.

    The place `avoid` does not count, nor, unless `next_to`, the four beside it.
    """
    count, chosen = 0, -1
    for row in range(y, y + height):
        for column in range(x, x + width):
            at = flat(params, column, row)
            away = abs(at - avoid)
            beside = away == 1 or away == params.stride
            if state.cells[i, at] == EMPTY and away > 0 and (next_to or not beside):
                count += 1
                if draw(i, state, 0, count) == 0:
                    chosen = at
    return chosen


@kernel
def seat(i, state, params, x, y, width, height):
    """Put the agent on an empty place of a rectangle, under any heading."""
    state.place[i] = empty_place(i, state, params, x, y, width, height, 0, True)
    state.heading[i] = draw(i, state, 0, 4)


@kernel
def seat_unhindered(i, state, params, x, y, width, height):
    """Put the agent where it faces nothing or a wall: place and heading at random."""
    count = 0
    for row in range(y, y + height):
        for column in range(x, x + width):
            at = flat(params, column, row)
            for heading in range(4):
                front = state.cells[i, at + params.ahead[heading]] & KIND_BITS
                if state.cells[i, at] == EMPTY and front in (EMPTY, WALL):
                    count += 1
                    if draw(i, state, 0, count) == 0:
                        state.place[i] = at
                        state.heading[i] = heading


@kernel
def begin(i, state):
    """Start the episode that has been built: nothing in hand, no step taken."""
    state.carrying[i] = 0
    state.elapsed[i] = 0
    state.watching[i] = False
    state.rng[i] += STEP
    state.noise[i] = mix(state.rng[i])
