"""What makers of maps share: draws, walls, and empty places, one lane at a time."""

from __future__ import annotations

import numpy as np

from curiosity_rl.envs.grid.cells import EMPTY, STONE, WALL
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
    fill(i, state, params, x, y, width, height, STONE)
    fill(i, state, params, x + 1, y + 1, width - 2, height - 2, EMPTY)


@kernel
def distance(params, a, b):
    """Return the steps between two places, walls apart."""
    ax, ay = (a - params.origin) % params.stride, (a - params.origin) // params.stride
    bx, by = (b - params.origin) % params.stride, (b - params.origin) // params.stride
    return abs(ax - bx) + abs(ay - by)


@kernel
def empty_place(i, state, params, x, y, width, height, avoid, gap):
    """Return an empty place of a rectangle, all equally likely; -1 if there is none.

    Only places at least `gap` steps away from `avoid` count.
    """
    count, chosen = 0, -1
    for drawing in range(2):
        left = -1
        if drawing == 1:
            if count == 0:
                break
            left = draw(i, state, 0, count)
        for row in range(y, y + height):
            for column in range(x, x + width):
                at = flat(params, column, row)
                if state.cells[i, at] == EMPTY and distance(params, at, avoid) >= gap:
                    if drawing == 0:
                        count += 1
                    elif left == 0:
                        chosen = at
                        left -= 1
                    else:
                        left -= 1
    return chosen


@kernel
def seat(i, state, params, x, y, width, height):
    """Put the agent on an empty place of a rectangle, under any heading."""
    state.place[i] = empty_place(i, state, params, x, y, width, height, 0, 0)
    state.heading[i] = draw(i, state, 0, 4)


@kernel
def seat_unhindered(i, state, params, x, y, width, height):
    """Put the agent where it faces nothing or a wall: place and heading at random."""
    count, left = 0, -1
    for drawing in range(2):
        if drawing == 1:
            left = draw(i, state, 0, count)
        for row in range(y, y + height):
            for column in range(x, x + width):
                at = flat(params, column, row)
                if state.cells[i, at] != EMPTY:
                    continue
                for heading in range(4):
                    front = state.cells[i, at + params.ahead[heading]]
                    if front == EMPTY or front & 7 == WALL:
                        if drawing == 0:
                            count += 1
                        else:
                            if left == 0:
                                state.place[i] = at
                                state.heading[i] = heading
                            left -= 1


@kernel
def begin(i, state):
    """Start the episode that has been built: nothing in hand, no step taken."""
    state.carrying[i] = 0
    state.elapsed[i] = 0
    state.watching[i] = False
    state.rng[i] += STEP
    state.noise[i] = mix(state.rng[i])
