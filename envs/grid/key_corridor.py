"""A corridor with rooms at both sides: one holds the key, another the locked prize."""

from __future__ import annotations

from typing import Literal

import numpy as np

from curiosity_rl.envs.grid import room_grid
from curiosity_rl.envs.grid.building import begin, draw
from curiosity_rl.envs.grid.cells import (
    BALL,
    CLOSED,
    COLOUR_AT,
    COLOURS,
    DOOR,
    KEY,
    LOCKED,
    TARGET,
    cell,
)
from curiosity_rl.envs.grid.state import State
from curiosity_rl.envs.grid.world import GridWorld
from curiosity_rl.envs.settings import whole
from curiosity_rl.jit import kernel

COLUMNS, SIDES, REACHED = 3, 4, 4
SHUT_DOOR, LOCKED_DOOR = cell(DOOR, state=CLOSED), cell(DOOR, state=LOCKED)
PRIZE, ANY_KEY = cell(BALL) | TARGET, cell(KEY)


@kernel
def neighbour(rows, column, row, side):
    """Return the number of the room behind a wall; -1 outside."""
    column += 1 if side == 0 else (-1 if side == 2 else 0)
    row += 1 if side == 1 else (-1 if side == 3 else 0)
    if 0 <= column < COLUMNS and 0 <= row < rows:
        return row * COLUMNS + column
    return -1


@kernel
def link(rows, rooms, column, row, side):
    """Note that a way leads through a wall, on both of its sides."""
    other = neighbour(rows, column, row, side)
    rooms[row * COLUMNS + column, side] = 1
    rooms[other, side + 2 & 3] = 1


@kernel
def all_reached(rows, rooms):
    """Note which rooms can be reached from the corridor; return whether all can."""
    for k in range(rows * COLUMNS):
        rooms[k, REACHED] = k == 1
    missing, news = rows * COLUMNS - 1, True
    while news:
        news = False
        for k in range(rows * COLUMNS):
            for side in range(SIDES):
                if rooms[k, REACHED] and rooms[k, side]:
                    other = neighbour(rows, k % COLUMNS, k // COLUMNS, side)
                    if not rooms[other, REACHED]:
                        rooms[other, REACHED] = 1
                        missing -= 1
                        news = True
    return missing == 0


@kernel
def build(lanes, state, params, rows, pitch, rooms):
    """Draw new maps into these lanes.

    `rooms`, `(3 * rows, 5)` int64, is scratch space: ways through the four walls of
    every room, and whether it is reached.
    """
    for i in lanes:
        room_grid.lay_out(i, state, params, pitch, COLUMNS, rows)
        for k in range(rows * COLUMNS):
            for side in range(SIDES):
                rooms[k, side] = 0
        for row in range(1, rows):
            room_grid.open_wall(i, state, params, pitch, 1, row)
            link(rows, rooms, 1, row, 3)
        closet = draw(i, state, 0, rows)
        colour = draw(i, state, 0, COLOURS) << COLOUR_AT
        room_grid.hang_door(i, state, params, pitch, 2, closet, 2, LOCKED_DOOR | colour)
        link(rows, rooms, 2, closet, 2)
        for thing in range(2):  # the prize, then the key
            column, row, code = 2, closet, PRIZE
            if thing == 0:
                code |= draw(i, state, 0, COLOURS) << COLOUR_AT
            else:
                column, row, code = 0, draw(i, state, 0, rows), ANY_KEY | colour
            room_grid.furnish(i, state, params, pitch, column, row, code)
        room_grid.seat_in_room(i, state, params, pitch, 1, rows // 2)
        closet = closet * COLUMNS + 2
        while not all_reached(rows, rooms):
            column, row = draw(i, state, 0, COLUMNS), draw(i, state, 0, rows)
            side = draw(i, state, 0, SIDES)
            here, there = row * COLUMNS + column, neighbour(rows, column, row, side)
            if there < 0 or rooms[here, side] or here == closet or there == closet:
                continue
            door = SHUT_DOOR | draw(i, state, 0, COLOURS) << COLOUR_AT
            room_grid.hang_door(i, state, params, pitch, column, row, side, door)
            link(rows, rooms, column, row, side)
        begin(i, state)


class KeyCorridor(GridWorld):
    """Find the key in a room off the corridor, and pick up the ball it locks away.

    ## Description
    A corridor with rooms to the left and to the right of it, joined by closed doors of
    all colours. In one room at the right a ball is locked away; the key of that door
    lies in some room at the left. Who comes for the ball must first put the key down.
    ## Action
    `Discrete(7)`, see `GridWorld`: all but 6 are of use.
    ## Observation
    What stands in the 7 by 7 cells ahead, see `GridWorld`.
    ## Reward
    `1 - 0.9 * steps / max_steps` on picking up the ball, else 0.
    ## End
    Terminated with the ball in hand; truncated after `max_steps`.
    ## Registered ids
    `key-corridor-v0`. `MiniGrid-KeyCorridorSsRr-v0` is `room_size=s, rows=r`.
    ## Source
    Chevalier-Boisvert et al. (2023), MiniGrid.

    Args:
        room_size: Side of a room with its walls, 3 to 16.
        rows: Rooms at each side of the corridor, 1 to 8.
        max_steps: Time limit; None for MiniGrid's `30 * room_size ** 2`.
        obs: See `GridWorld`.
        direction: See `GridWorld`.
        noisy_tv: See `GridWorld`.

    Raises:
        ValueError: If a setting is not allowed.
    """

    landmarks = ("door", "key", "prize")

    def __init__(
        self,
        room_size: int = 3,
        rows: int = 3,
        max_steps: int | None = None,
        obs: Literal["flat", "image", "onehot"] = "flat",
        direction: bool = False,
        noisy_tv: bool = False,
    ) -> None:
        self.pitch = whole("room_size", room_size, 3, 16) - 1
        self.rows = whole("rows", rows, 1, 8)
        limit = 30 * (self.pitch + 1) ** 2 if max_steps is None else max_steps
        width, height = COLUMNS * self.pitch + 1, self.rows * self.pitch + 1
        super().__init__(width, height, limit, obs, direction, noisy_tv)

    def build(self, state: State, lanes: np.ndarray) -> None:
        rooms = np.empty((COLUMNS * self.rows, SIDES + 1), dtype=np.int64)
        build(lanes, state, self.params, self.rows, self.pitch, rooms)
