"""What mazes of equal rooms share: rooms in rows and columns, one wall between two.

Sides of a room are 0 right, 1 bottom, 2 left, 3 top. Rooms overlap by their walls, so
room (column, row) starts at `pitch * column, pitch * row`, with `pitch` its size - 1.
"""

from __future__ import annotations

from curiosity_rl.envs.grid.building import (
    draw,
    empty_place,
    fill,
    flat,
    room,
    seat_unhindered,
)
from curiosity_rl.envs.grid.cells import EMPTY
from curiosity_rl.jit import kernel


@kernel
def lay_out(i, state, params, pitch, columns, rows):
    """Build all rooms, closed; the agent waits in the middle one, for `furnish`."""
    for row in range(rows):
        for column in range(columns):
            size = pitch + 1
            room(i, state, params, pitch * column, pitch * row, size, size)
    x, y = pitch * (columns // 2), pitch * (rows // 2)
    state.place[i] = flat(params, x + (pitch + 1) // 2, y + (pitch + 1) // 2)


@kernel
def open_wall(i, state, params, pitch, column, row):
    """Take away the wall at the top of a room, but not its corners."""
    x, y = pitch * column + 1, pitch * row
    fill(i, state, params, x, y, pitch - 1, 1, EMPTY)


@kernel
def hang_door(i, state, params, pitch, column, row, side, door):
    """Put a door anywhere in a wall of a room; return its place."""
    x, y = pitch * column, pitch * row
    along = draw(i, state, 1, pitch)
    if side & 1:
        x += along
    else:
        y += along
    if side == 0:
        x += pitch
    elif side == 1:
        y += pitch
    place = flat(params, x, y)
    state.cells[i, place] = door
    return place


@kernel
def furnish(i, state, params, pitch, column, row, thing):
    """Put a thing anywhere in a room, but not next to the middle of the maze."""
    x, y, size = pitch * column, pitch * row, pitch + 1
    place = empty_place(i, state, params, x, y, size, size, state.place[i], False)
    state.cells[i, place] = thing


@kernel
def seat_in_room(i, state, params, pitch, column, row):
    """Put the agent anywhere in a room, facing nothing or a wall."""
    x, y, size = pitch * column, pitch * row, pitch + 1
    seat_unhindered(i, state, params, x, y, size, size)
