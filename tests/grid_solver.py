"""A planner for grid worlds that knows the map: proof that a layout can be solved.

It looks only at codes of cells, never at the rules: whether its plans work out is for
the world that plays them to say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from curiosity_rl.envs.grid import cells as c
from curiosity_rl.envs.grid.state import State, inner_map

LEFT, RIGHT, FORWARD, PICK_UP, DROP, TOGGLE = range(6)
AHEAD = ((1, 0), (0, 1), (-1, 0), (0, -1))

Cell = tuple[int, int]


class Scene(NamedTuple):
    """One lane of a grid world, `codes[y, x]` without margins."""

    codes: np.ndarray
    place: Cell
    heading: int
    carrying: int

    def kind(self, at: Cell) -> int:
        return int(self.codes[at[1], at[0]]) & c.KIND_BITS

    def colour(self, at: Cell) -> int:
        return int(self.codes[at[1], at[0]]) >> c.COLOUR_AT & 7

    def opaque(self, at: Cell) -> bool:
        return bool(self.codes[at[1], at[0]] & c.OPAQUE)

    def locked(self, at: Cell) -> bool:
        state = int(self.codes[at[1], at[0]]) >> c.DOOR_AT & 3
        return self.kind(at) == c.DOOR and state == c.LOCKED

    def can_enter(self, at: Cell) -> bool:
        door = self.kind(at) == c.DOOR and not self.locked(at)
        return door or self.kind(at) == c.EMPTY

    def every(self, *kinds: int) -> list[Cell]:
        rows, columns = np.nonzero(np.isin(self.codes & c.KIND_BITS, kinds))
        return list(zip(columns.tolist(), rows.tolist(), strict=True))


def scene(state: State, lane: int, params: Any) -> Scene:
    y, x = divmod(int(state.place[lane]) - params.origin, params.stride)
    codes = inner_map(state.cells[lane], params).astype(np.int64)
    return Scene(codes, (x, y), int(state.heading[lane]), int(state.carrying[lane]))


def around(at: Cell) -> Iterator[Cell]:
    return ((at[0] + dx, at[1] + dy) for dx, dy in AHEAD)


def reach(now: Scene) -> set[Cell]:
    """Return the cells that the agent can stand on without moving an object."""
    found, todo = {now.place}, [now.place]
    while todo:
        for near in around(todo.pop()):
            if near not in found and now.can_enter(near):
                found.add(near)
                todo.append(near)
    return found


def walk(now: Scene, wanted: Callable[[Cell], bool]) -> list[int] | None:
    """Return actions after which the agent faces a wanted cell; None if it cannot."""
    start = (now.place, now.heading)
    before: dict[Any, Any] = {start: None}
    todo = deque([start])
    while todo:
        node = todo.popleft()
        (x, y), heading = node
        front = (x + AHEAD[heading][0], y + AHEAD[heading][1])
        if wanted(front):
            actions: list[int] = []
            while before[node] is not None:
                node, taken = before[node]
                actions[:0] = taken
            return actions
        steps = [
            (((x, y), (heading + 3) % 4), [LEFT]),
            (((x, y), (heading + 1) % 4), [RIGHT]),
        ]
        if now.can_enter(front):
            shut = now.kind(front) == c.DOOR and now.opaque(front)
            steps.append(((front, heading), [TOGGLE] * shut + [FORWARD]))
        for after, taken in steps:
            if after not in before:
                before[after] = (node, taken)
                todo.append(after)
    return None


def harmless(now: Scene) -> Callable[[Cell], bool]:
    """Tell where an object can be dropped so that nothing else is cut off."""
    region = reach(now)
    things = now.every(c.KEY, c.BALL, c.BOX, c.GOAL)
    doors = [at for at in now.every(c.DOOR) if now.locked(at)]

    def touched(cells: set[Cell]) -> set[Cell]:
        return {at for at in things + doors if any(n in cells for n in around(at))}

    def test(at: Cell) -> bool:
        if now.kind(at) != c.EMPTY or any(near in doors for near in around(at)):
            return False
        codes = now.codes.copy()
        codes[at[1], at[0]] = c.BALL
        left = reach(now._replace(codes=codes))
        return left == region - {at} and touched(left) == touched(region)

    return test


def plan(now: Scene) -> list[int] | None:
    """Return the actions up to the next use of an object; None where nothing is left.

    First the goal if it can be reached; else balls are taken from in front of locked
    doors, boxes opened, and keys carried to their doors, one after another.
    """

    def go(cells: list[Cell], action: int) -> list[int] | None:
        way = walk(now, lambda at: at in cells) if cells else None
        return None if way is None else [*way, action]

    def drop() -> list[int] | None:
        way = walk(now, harmless(now))
        return None if way is None else [*way, DROP]

    if (way := go(now.every(c.GOAL), FORWARD)) is not None:
        return way
    rows, columns = np.nonzero(now.codes & c.TARGET)
    targets = list(zip(columns.tolist(), rows.tolist(), strict=True))
    if (way := go(targets, PICK_UP)) is not None:
        return drop() if now.carrying else way
    doors = [at for at in now.every(c.DOOR) if now.locked(at)]
    if now.carrying:
        if now.carrying & c.KIND_BITS == c.KEY:
            colour = now.carrying >> c.COLOUR_AT & 7
            way = go([at for at in doors if now.colour(at) == colour], TOGGLE)
            if way is not None:
                return way
        return drop()
    balls = [at for at in now.every(c.BALL) if any(n in doors for n in around(at))]
    if (way := go(balls, PICK_UP)) is not None:
        return way
    if (way := go(now.every(c.BOX), TOGGLE)) is not None:
        return way
    return go([at for at in now.every(c.KEY) if of_use(now, at, doors)], PICK_UP)


def of_use(now: Scene, key: Cell, doors: list[Cell]) -> bool:
    """Tell whether to take a key: it is in the way, or its door can then be reached."""
    codes = now.codes.copy()
    codes[key[1], key[0]] = c.EMPTY
    region = reach(now._replace(codes=codes))
    before = reach(now)
    if len(region) > len(before) + 1 or any(near in doors for near in around(key)):
        return True
    for thing in now.every(c.BALL, c.BOX):
        if not any(near in before for near in around(thing)) and any(
            near in region for near in around(thing)
        ):
            return True
    mine = [at for at in doors if now.colour(at) == now.colour(key)]
    return any(near in region for at in mine for near in around(at))
