"""A chain of rooms of many sizes, a closed door between each and the next."""

from __future__ import annotations

from typing import Literal

import numpy as np

from curiosity_rl.envs.grid import building
from curiosity_rl.envs.grid.cells import (
    CLOSED,
    COLOUR_AT,
    COLOURS,
    DOOR,
    EMPTY,
    FINISH,
    NUMBER_AT,
    cell,
)
from curiosity_rl.envs.grid.state import State
from curiosity_rl.envs.grid.world import GridWorld
from curiosity_rl.envs.rng import lane_words
from curiosity_rl.envs.settings import whole
from curiosity_rl.jit import kernel

SMALLEST = 4
TRIES = 8
CHAINS, TRIAL_CHAINS = 1_000_000, 20_000
"""Chains begun until a maze is given up. The trial of the settings allows fewer, so
that settings that pass it do not fail later."""
LEFT, TOP, WIDTH, HEIGHT, DOOR_X, DOOR_Y = range(6)
SHUT_DOOR = cell(DOOR, state=CLOSED)


@kernel
def attach(i, state, params, rooms, count, largest, side, x, y):
    """Try to add a room to a chain of `count`, with its entry (x, y) on this side.

    Sides are 0 right, 1 bottom, 2 left, 3 top; the first room starts at (x, y).
    """
    width = building.draw(i, state, SMALLEST, largest + 1)
    height = building.draw(i, state, SMALLEST, largest + 1)
    left, top = x, y
    if count > 0:
        if side == 0 or side == 2:
            top = building.draw(i, state, y - height + 2, y)
        else:
            left = building.draw(i, state, x - width + 2, x)
        if side == 0:
            left = x - width + 1
        elif side == 1:
            top = y - height + 1
    if left < 0 or top < 0:
        return False
    if left + width > params.width or top + height >= params.height:
        return False
    for other in range(count - 1):
        if not (
            left + width < rooms[other, LEFT]
            or rooms[other, LEFT] + rooms[other, WIDTH] <= left
            or top + height < rooms[other, TOP]
            or rooms[other, TOP] + rooms[other, HEIGHT] <= top
        ):
            return False
    rooms[count, LEFT], rooms[count, TOP] = left, top
    rooms[count, WIDTH], rooms[count, HEIGHT] = width, height
    rooms[count, DOOR_X], rooms[count, DOOR_Y] = x, y
    return True


@kernel
def chain(i, state, params, rooms, largest):
    """Lay out a chain of rooms; return whether all found their place."""
    side, count = 2, 0
    x = building.draw(i, state, 0, params.width - 2)
    y = building.draw(i, state, 0, params.width - 2)
    tries = 1
    while tries > 0:
        tries -= 1
        entry = side
        if count > 0:
            way = building.draw(i, state, 0, 3)  # any side but that of the entry
            if way >= side:
                way += 1
            last = count - 1
            x, y = rooms[last, LEFT], rooms[last, TOP]
            if way == 0 or way == 2:
                y += building.draw(i, state, 1, rooms[last, HEIGHT] - 1)
                if way == 0:
                    x += rooms[last, WIDTH] - 1
            else:
                x += building.draw(i, state, 1, rooms[last, WIDTH] - 1)
                if way == 1:
                    y += rooms[last, HEIGHT] - 1
            entry = way + 2 & 3
        if attach(i, state, params, rooms, count, largest, entry, x, y):
            side, count, tries = entry, count + 1, TRIES
            if count == rooms.shape[0]:
                return True
    return False


@kernel
def build(lanes, state, params, largest, chains, rooms):
    """Draw new maps into these lanes; return the first lane without one, or -1.

    `rooms`, `(R, 6)` int64, is scratch space.
    """
    for i in lanes:
        left = chains
        while left > 0 and not chain(i, state, params, rooms, largest):
            left -= 1
        if left == 0:
            return i
        building.fill(i, state, params, 0, 0, params.width, params.height, EMPTY)
        colour = 0
        for k in range(rooms.shape[0]):
            x, y, width, height = rooms[k, 0], rooms[k, 1], rooms[k, 2], rooms[k, 3]
            building.room(i, state, params, x, y, width, height)
            if k > 0:
                if k == 1:
                    colour = building.draw(i, state, 0, COLOURS)
                else:  # any but the last
                    colour += building.draw(i, state, 1, COLOURS)
                    colour %= COLOURS
                door = building.flat(params, rooms[k, DOOR_X], rooms[k, DOOR_Y])
                state.cells[i, door] = SHUT_DOOR | colour << COLOUR_AT | k << NUMBER_AT
        x, y, width, height = rooms[0, 0], rooms[0, 1], rooms[0, 2], rooms[0, 3]
        building.seat(i, state, params, x, y, width, height)
        k = rooms.shape[0] - 1
        x, y, width, height = rooms[k, 0], rooms[k, 1], rooms[k, 2], rooms[k, 3]
        goal = building.empty_place(
            i, state, params, x, y, width, height, state.place[i], True
        )
        state.cells[i, goal] = FINISH
        building.begin(i, state)
    return -1


@kernel
def repeat(lanes, state, cells, place, heading):
    """Begin the same episode in all of these lanes: a map, a place, a heading."""
    for i in lanes:
        for k in range(len(cells)):
            state.cells[i, k] = cells[k]
        state.place[i] = place
        state.heading[i] = heading
        building.begin(i, state)


class MultiRoom(GridWorld):
    """Pass through a chain of rooms, opening each door, to the goal in the last.

    ## Description
    Rooms of random sizes are strung together on a large map, a closed door of some
    colour between each and the next. The agent starts in the first.
    ## Action
    `Discrete(7)`, see `GridWorld`: 0 to 2 and 5 are of use.
    ## Observation
    What stands in the 7 by 7 cells ahead, see `GridWorld`.
    ## Reward
    `1 - 0.9 * steps / max_steps` on reaching the goal, else 0.
    ## End
    Terminated at the goal; truncated after `max_steps`.
    ## Registered ids
    `multi-room-v0`, which is `MiniGrid-MultiRoom-N4-S5-v1`. `-N2-S4-v0` is
    `rooms=2, room_size=4`, `-N6-v0` is `rooms=6, room_size=10`; `-N4-S5-v0` has in
    truth `rooms=6, room_size=5`.
    ## Source
    Chevalier-Boisvert et al. (2023), MiniGrid.

    Args:
        rooms: Rooms in the chain, 1 to 16.
        room_size: Largest side of a room with its walls, 4 to 16; the smallest is 4.
        size: Cells along each side of the map, 8 to 64.
        max_steps: Time limit; None for MiniGrid's `20 * rooms`.
        layout: Number of one map, 0 to 2^32 - 1, in which every episode of every lane
            begins, at the same place; None for a new map each time, as MiniGrid draws.
        obs: See `GridWorld`.
        direction: See `GridWorld`.
        noisy_tv: See `GridWorld`.

    Raises:
        ValueError: If a setting is not allowed, or so many rooms find no place.
    """

    def __init__(
        self,
        rooms: int = 4,
        room_size: int = 5,
        size: int = 25,
        max_steps: int | None = None,
        layout: int | None = None,
        obs: Literal["flat", "image", "onehot"] = "flat",
        direction: bool = False,
        noisy_tv: bool = False,
    ) -> None:
        self.rooms = whole("rooms", rooms, 1, 16)
        further = (f"room-{k}" for k in range(2, self.rooms + 1))
        self.landmarks = (*further, "goal")
        self.room_size = whole("room_size", room_size, SMALLEST, 16)
        size = whole("size", size, 8, 64)
        limit = 20 * self.rooms if max_steps is None else max_steps
        super().__init__(size, size, limit, obs, direction, noisy_tv)
        self._map: State | None = None
        if layout is None:
            self._build(self.allocate(4), np.arange(4), TRIAL_CHAINS)
        else:
            number = whole("layout", layout, 0, 2**32 - 1)
            drawn = self.allocate(1)
            drawn.rng[:] = lane_words(np.array([number]))
            self._build(drawn, np.arange(1), CHAINS)
            self._map = drawn

    def build(self, state: State, lanes: np.ndarray) -> None:
        drawn = self._map
        if drawn is None:
            self._build(state, lanes, CHAINS)
        else:
            repeat(lanes, state, drawn.cells[0], drawn.place[0], drawn.heading[0])

    def _build(self, state: State, lanes: np.ndarray, chains: int) -> None:
        scratch = np.empty((self.rooms, 6), dtype=np.int64)
        if build(lanes, state, self.params, self.room_size, chains, scratch) >= 0:
            raise ValueError(
                f"no chain of {self.rooms} rooms of up to {self.room_size} cells was "
                f"found on a map of {self.params.width} in {chains:,} draws; lower "
                "rooms or room_size, or raise size"
            )
