"""Maps of grid worlds: drawn as MiniGrid draws them.

With 10,000 draws each from MiniGrid, 20,000 from here (some 5 minutes of CPU):

    GRID_DRAWS=10000 python -m pytest -n 2 --timeout=0 tests/test_grid_layouts.py
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
import pytest
from grid_counterparts import carry_over, drawn, minigrid, ours
from scipy import ndimage, stats

from curiosity_rl.envs.grid import cells as c
from curiosity_rl.envs.grid.state import State, inner_map

DRAWS = int(os.environ.get("GRID_DRAWS", "400"))
COMPARED = (
    *("DoorKey-8x8-v0", "Empty-Random-6x6-v0", "FourRooms-v0"),
    *("MultiRoom-N2-S4-v0", "MultiRoom-N4-S5-v1", "MultiRoom-N6-v0"),
    *("KeyCorridorS3R2-v0", "KeyCorridorS4R3-v0"),
    *("ObstructedMaze-1Dlhb-v0", "ObstructedMaze-2Dl-v0", "ObstructedMaze-2Dlhb-v0"),
    *("ObstructedMaze-2Q-v1", "ObstructedMaze-Full-v0", "ObstructedMaze-Full-v1"),
)
Cell = tuple[int, int]
NAMES = ("wall", "door", "key", "ball", "box", "goal")


class Scene(NamedTuple):
    """One lane of a grid world, `codes[y, x]` without margins."""

    codes: np.ndarray
    place: Cell
    heading: int

    def kind(self, at: Cell) -> int:
        return int(self.codes[at[1], at[0]]) & c.KIND_BITS

    def colour(self, at: Cell) -> int:
        return int(self.codes[at[1], at[0]]) >> c.COLOUR_AT & 7

    def locked(self, at: Cell) -> bool:
        state = int(self.codes[at[1], at[0]]) >> c.DOOR_AT & 3
        return self.kind(at) == c.DOOR and state == c.LOCKED

    def every(self, *kinds: int) -> list[Cell]:
        rows, columns = np.nonzero(np.isin(self.codes & c.KIND_BITS, kinds))
        return list(zip(columns.tolist(), rows.tolist(), strict=True))

    def rooms(self) -> list[Cell]:
        """Return (width, height) of what walls and doors part, the agent's first."""
        kinds = self.codes & c.KIND_BITS
        room: Any = (kinds != c.WALL) & (kinds != c.DOOR)
        labels = np.empty(room.shape, dtype=np.int32)
        ndimage.label(room, output=labels)
        own = labels[self.place[1], self.place[0]]
        found = ndimage.find_objects(labels)
        found.insert(0, found.pop(own - 1))
        return [(x.stop - x.start, y.stop - y.start) for y, x in found]


def scene(state: State, lane: int, params: Any) -> Scene:
    y, x = divmod(int(state.place[lane]) - params.origin, params.stride)
    codes = inner_map(state.cells[lane], params).astype(np.int64)
    return Scene(codes, (x, y), int(state.heading[lane]))


def features(now: Scene) -> dict[str, Hashable]:
    """Describe a layout by facts, each one category per layout."""
    (x, y), heading = now.place, now.heading
    found: dict[str, Hashable] = {"agent": (x, y), "heading": heading}
    dx, dy = ((1, 0), (0, 1), (-1, 0), (0, -1))[heading]
    found["in front"] = now.kind((x + dx, y + dy))
    locked = {now.colour(at) for at in now.every(c.DOOR) if now.locked(at)}
    found["locked colours"] = tuple(sorted(locked))
    rooms = now.rooms()
    areas = [width * height for width, height in rooms]
    found["rooms"] = len(rooms)
    found["room of the agent"] = rooms[0]
    found["room widths"] = tuple(sorted(width for width, _ in rooms[1:]))
    found["room heights"] = tuple(sorted(height for _, height in rooms[1:]))
    found["smallest and largest room"] = (min(areas), max(areas))
    for kind, name in enumerate(NAMES, start=c.WALL):
        places = now.every(kind)
        found[f"{name} count"] = len(places)
        if not places or kind == c.WALL:
            xs, ys = zip(*places, strict=True) if places else ((), ())
            found[f"{name} extent"] = (min(xs, default=0), max(ys, default=0))
            continue
        first, last = places[0], places[-1]
        found[f"first {name}"] = first
        found[f"last {name}"] = last
        found[f"{name} apart"] = (last[0] - first[0], last[1] - first[1])
        found[f"{name} from agent"] = (first[0] - x, first[1] - y)
        codes = [int(now.codes[at[1], at[0]]) for at in places]
        found[f"{name} colours"] = tuple(code >> 3 & 7 for code in codes[:2])
        found[f"{name} hues"] = len({code >> 3 & 7 for code in codes})
        found[f"{name} states"] = tuple(code >> 6 & 3 for code in codes)
        found[f"{name} targets"] = sum(bool(code & c.TARGET) for code in codes)
        boxes = codes if kind == c.BOX else []  # of doors these bits are a number
        held = [code >> c.CONTENT_AT & 7 for code in boxes if code & c.HOLDS_KEY]
        found[f"{name} contents"] = tuple(sorted(held)) == tuple(sorted(locked))
        found[f"{name} content"] = tuple(held[:1])
    colours = {now.colour(at) for at in now.every(c.KEY)}
    found["keys fit"] = (colours <= locked, locked <= colours)
    return found


def alike(first: Counter[Hashable], second: Counter[Hashable]) -> float:
    """Return the chi-square p of two samples; rare categories are thrown together."""
    a, b = sum(first.values()), sum(second.values())
    table, rest = [], [0, 0]
    for key in sorted(set(first) | set(second), key=repr):
        pair = [first[key], second[key]]
        if sum(pair) * min(a, b) / (a + b) >= 5:
            table.append(pair)
        else:
            rest = [rest[0] + pair[0], rest[1] + pair[1]]
    if sum(rest) * min(a, b) / (a + b) >= 5:
        table.append(rest)
    elif table:
        table[-1] = [table[-1][0] + rest[0], table[-1][1] + rest[1]]
    if len(table) < 2:
        return 1.0
    result: Any = stats.chi2_contingency(np.array(table))
    return float(result.pvalue)


@pytest.mark.parametrize("theirs", COMPARED)
def test_layouts_are_drawn_as_minigrid_draws_them(theirs: str):
    source, env = minigrid(theirs).unwrapped, ours(theirs).unwrapped
    env.reset(seed=0)
    source.reset(seed=5)
    tables: dict[str, tuple[Counter[Hashable], Counter[Hashable]]] = {}

    def count(sample: int, now: Scene) -> None:
        for name, value in features(now).items():
            tables.setdefault(name, (Counter(), Counter()))[sample][value] += 1

    for _ in range(DRAWS):
        source.reset()
        carry_over(source, env)
        count(0, scene(env._lanes.state, 0, env.world.params))
    state = drawn(env.world, 2 * DRAWS)
    for lane in range(2 * DRAWS):
        count(1, scene(state, lane, env.world.params))
    told = {name: alike(*pair) for name, pair in tables.items()}
    assert min(told.values()) > 1e-5, {k: p for k, p in told.items() if p < 1e-3}
    for name, (first, second) in tables.items():
        if len(first) == 1 and "count" in name:  # what MiniGrid never varies
            assert set(second) == set(first), name


@pytest.mark.parametrize(
    ("theirs", "layouts"), [("DoorKey-5x5-v0", 48), ("Empty-Random-5x5-v0", 32)]
)
def test_small_worlds_have_all_layouts_equally_often(theirs: str, layouts: int):
    """Door and key: 3 * 2 places of agent and key, 4 headings, 2 places of the door."""
    state = drawn(ours(theirs).unwrapped.world, 200 * layouts)
    seen = Counter(
        (state.cells[lane].tobytes(), int(state.place[lane]), int(state.heading[lane]))
        for lane in range(200 * layouts)
    )
    assert len(seen) == layouts
    assert stats.chisquare(list(seen.values())).pvalue > 1e-4
    source, env = minigrid(theirs).unwrapped, ours(theirs).unwrapped
    env.reset(seed=0)
    source.reset(seed=3)
    mine = env._lanes.state
    theirs_seen = set()
    for _ in range(20 * layouts):
        source.reset()
        carry_over(source, env)
        place, heading = int(mine.place[0]), int(mine.heading[0])
        theirs_seen.add((mine.cells[0].tobytes(), place, heading))
    assert theirs_seen == set(seen)
