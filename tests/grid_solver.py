"""A planner for grid worlds that knows the map: proof that a layout can be solved.

It looks only at codes of cells, never at the rules: whether its plans work out is for
the world that plays them to say. A set of cells is one whole number, bit
`y * width + x` for cell (x, y); the outer walls keep moves from wrapping around.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from curiosity_rl.envs.grid import cells as c
from curiosity_rl.envs.grid.state import State, inner_map

LEFT, RIGHT, FORWARD, PICK_UP, DROP, TOGGLE, DONE = range(7)
COLOUR_BITS = 0b111


class Board(NamedTuple):
    """One lane of a grid world; all but the last four are sets of cells."""

    empty: int
    doors: int
    locked: int
    shut: int
    keys: int
    balls: int
    boxes: int
    goals: int
    targets: int
    agent: int
    heading: int
    carrying: int
    width: int
    codes: np.ndarray  # (cells,)

    def around(self, cells: int) -> int:
        return cells << 1 | cells >> 1 | cells << self.width | cells >> self.width

    def ahead(self, cells: int, heading: int) -> int:
        """Return what is in front of those who stand there under this heading."""
        step = self.width if heading & 1 else 1
        return cells << step if heading < 2 else cells >> step

    def flood(self, free: int) -> int:
        """Return the cells that the agent comes to through free ones."""
        found, before = self.agent, 0
        while found != before:
            before = found
            found |= self.around(found) & free
        return found

    @property
    def free(self) -> int:
        """Where the agent can stand without moving a thing."""
        return self.empty | self.doors & ~self.locked

    def colour(self, cell: int, at: int = c.COLOUR_AT) -> int:
        return int(self.codes[cell.bit_length() - 1]) >> at & COLOUR_BITS


def cells_of(cells: int) -> Iterator[int]:
    """Take a set apart, into sets of one cell."""
    while cells:
        yield cells & -cells
        cells &= cells - 1


def bits(mask: np.ndarray) -> int:
    return int.from_bytes(np.packbits(mask, bitorder="little").tobytes(), "little")


def board(state: State, lane: int, params: Any) -> Board:
    y, x = divmod(int(state.place[lane]) - params.origin, params.stride)
    codes = inner_map(state.cells[lane], params).ravel()
    kinds = codes & c.KIND_BITS
    door = kinds == c.DOOR
    return Board(
        empty=bits(kinds == c.EMPTY),
        doors=bits(door),
        locked=bits(door & (codes >> c.DOOR_AT & 0b11 == c.LOCKED)),
        shut=bits(door & (codes & c.OPAQUE != 0)),
        keys=bits(kinds == c.KEY),
        balls=bits(kinds == c.BALL),
        boxes=bits(kinds == c.BOX),
        goals=bits(kinds == c.GOAL),
        targets=bits(codes & c.TARGET != 0),
        agent=1 << y * params.width + x,
        heading=int(state.heading[lane]),
        carrying=int(state.carrying[lane]),
        width=params.width,
        codes=codes,
    )


def walk(now: Board, wanted: Callable[[int], int]) -> list[int] | None:
    """Return the fewest actions after which the agent faces a wanted cell.

    Args:
        now: The lane.
        wanted: Returns one of the faced cells that is wanted; 0 if none is.

    Returns:
        The actions; None if no wanted cell can be faced.
    """
    free = now.free
    reached = [0, 0, 0, 0]
    wave = [now.agent if heading == now.heading else 0 for heading in range(4)]
    waves = []
    while any(wave):
        waves.append(wave)
        for heading in range(4):
            reached[heading] |= wave[heading]
            at = wanted(now.ahead(wave[heading], heading))
            if at:
                return _way_back(now, waves, now.ahead(at, heading ^ 2), heading)
        wave = [
            (
                now.ahead(wave[heading], heading) & free
                | wave[heading - 1]
                | wave[heading - 3]
            )
            & ~reached[heading]
            for heading in range(4)
        ]
    return None


def _way_back(now: Board, waves: list[list[int]], at: int, heading: int) -> list[int]:
    actions: list[int] = []
    for wave in waves[-2::-1]:
        if wave[heading - 1] & at:
            heading = heading - 1 & 3
            actions.append(RIGHT)
        elif wave[heading - 3] & at:
            heading = heading + 1 & 3
            actions.append(LEFT)
        else:
            actions.append(FORWARD)
            if at & now.shut:
                actions.append(TOGGLE)
            at = now.ahead(at, heading ^ 2)
    return actions[::-1]


def harmless(now: Board) -> Callable[[int], int]:
    """Tell where an object can be dropped so that nothing else is cut off."""
    region = now.flood(now.free)
    things = now.keys | now.balls | now.boxes | now.goals | now.locked
    places = now.empty & ~now.around(now.locked)

    def test(faced: int) -> int:
        for at in cells_of(faced & places):
            left = now.flood(now.free & ~at)
            kept = things & now.around(left) == things & now.around(region)
            if left == region & ~at and kept:
                return at
        return 0

    return test


def plan(now: Board) -> list[int] | None:
    """Return the actions up to the next use of an object; None where nothing is left.

    First the goal if it can be reached; else balls are taken from in front of locked
    doors, boxes opened, and keys carried to their doors, one after another.
    """

    within_reach = now.around(now.flood(now.free))

    def go(cells: int, action: int) -> list[int] | None:
        if not cells & within_reach:
            return None
        way = walk(now, lambda faced: faced & cells & -(faced & cells))
        return None if way is None else [*way, action]

    def drop() -> list[int] | None:
        way = walk(now, harmless(now))
        return None if way is None else [*way, DROP]

    if (way := go(now.goals, FORWARD)) is not None:
        return way
    if (way := go(now.targets, PICK_UP)) is not None:
        return drop() if now.carrying else way
    if now.carrying:
        if now.carrying & c.KIND_BITS == c.KEY:
            colour = now.carrying >> c.COLOUR_AT & COLOUR_BITS
            way = go(locked_in(now, colour), TOGGLE)
            if way is not None:
                return way
        return drop()
    if (way := go(now.balls & now.around(now.locked), PICK_UP)) is not None:
        return way
    if (way := go(now.boxes, TOGGLE)) is not None:
        return way
    useful = [key for key in cells_of(now.keys) if of_use(now, key)]
    return go(sum(useful), PICK_UP)


def locked_in(now: Board, colour: int) -> int:
    """Return the locked doors of a colour."""
    return sum(at for at in cells_of(now.locked) if now.colour(at) == colour)


def of_use(now: Board, key: int) -> bool:
    """Tell whether to take a key: it is in the way, or its door can then be reached."""
    before, region = now.flood(now.free), now.flood(now.free | key)
    opened = region.bit_count() > before.bit_count() + 1
    if opened or now.around(now.locked) & key:
        return True
    near, then = now.around(before), now.around(region)
    if (now.balls | now.boxes) & then & ~near:
        return True
    return bool(locked_in(now, now.colour(key)) & then)


def lost(now: Board) -> bool:
    """Tell for sure that nobody can solve a layout.

    Even if no object were ever in the way, the goal, or the target, would not be
    reached with all the keys that lie open or in boxes this side of their doors.
    """
    things = now.keys | now.balls | now.boxes | now.goals
    free = now.free | things
    while True:
        region = now.flood(free)
        if region & (now.goals | now.targets):
            return False
        held = {now.colour(at) for at in cells_of(region & now.keys)}
        for at in cells_of(region & now.boxes):
            if int(now.codes[at.bit_length() - 1]) & c.HOLDS_KEY:
                held.add(now.colour(at, c.CONTENT_AT))
        opened = sum(locked_in(now, colour) for colour in held) & now.around(region)
        if not opened & ~free:
            return True
        free |= opened


def solve(world: Any, state: State) -> tuple[np.ndarray, np.ndarray]:
    """Play every lane by plans until it is paid, or until there is no plan left.

    Returns:
        Rewards `(n,)`, 0 where no plan was left, and steps taken `(n,)`.
    """
    lanes = len(state.rng)
    out = np.empty((lanes, *world.observation_space.shape), dtype=np.float32)
    rewards, lengths = np.zeros(lanes), np.zeros(lanes, dtype=np.int64)
    todo: list[list[int]] = [[] for _ in range(lanes)]
    going = list(range(lanes))
    while going:
        for lane in going:
            if not todo[lane]:
                todo[lane] = (plan(board(state, lane, world.params)) or [])[::-1]
        going = [lane for lane in going if todo[lane]]
        actions = np.full(lanes, DONE)
        actions[going] = [todo[lane].pop() for lane in going]
        reward, terminated = world.step(state, actions, out)
        rewards[going], lengths[going] = reward[going], lengths[going] + 1
        np.testing.assert_array_equal(terminated[going], reward[going] != 0)
        going = [lane for lane in going if rewards[lane] == 0]
    return rewards, lengths
