"""Maps of point mazes, as text: `#` wall, `.` or space free, `S` start, `G` goal."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from curiosity_rl.registry import unknown_name

WALL, FREE, START, GOAL = "#", ".", "S", "G"
SMALLEST, LARGEST = 3, 100
STEPS_PER_CELL = 50

MAZES: dict[str, str] = {
    "u": """
        #####
        #S..#
        ###.#
        #G..#
        #####
    """,
    "medium": """
        ########
        #S.##..#
        #..#...#
        ##...###
        #..#...#
        #.#..#.#
        #...#G.#
        ########
    """,
    "large": """
        ############
        #S...#.....#
        #.##.#.#.#.#
        #......#...#
        #.####.###.#
        #..#.#.....#
        ##.#.#.#.###
        #..#...#.G.#
        ############
    """,
    "spiral": """
        #########
        #S......#
        #######.#
        #.....#.#
        #.###.#.#
        #.#G..#.#
        #.#####.#
        #.......#
        #########
    """,
}
STEPS = {"u": 300, "medium": 600, "large": 800}
"""Time limits of these mazes in Gymnasium-Robotics."""


class Map(NamedTuple):
    """A maze, cell by cell; places are flat indices `row * width + column`."""

    walls: np.ndarray  # (height, width) bool
    starts: np.ndarray  # (S,) int64
    goals: np.ndarray  # (G,) int64
    reachable: np.ndarray  # (R,) int64, free cells that a start leads to
    steps: int  # time limit that suits it


def parse(maze: str) -> Map:
    """Return the map of that name, or the one that the text draws.

    White space around the rows is left out. The time limit is the one of
    Gymnasium-Robotics where it has the maze, else 50 steps per cell on the longest of
    the shortest ways from a start to a goal.

    Raises:
        ValueError: If the name is unknown or the map has a fault.
    """
    if not isinstance(maze, str) or (maze not in MAZES and WALL not in maze):
        raise ValueError(
            f"{unknown_name('maze', str(maze), MAZES)}; or draw one, "
            "'#####\\n#S.G#\\n#####'"
        )
    rows = [row.strip() for row in MAZES.get(maze, maze).strip().split("\n")]
    cells = _rectangle(rows)
    walls = cells == WALL
    starts, goals = (np.flatnonzero(cells == kind) for kind in (START, GOAL))
    for kind, found in ((START, starts), (GOAL, goals)):
        if not len(found):
            name = "start" if kind == START else "goal"
            raise ValueError(f"the maze has no {name}; mark a free cell with {kind!r}")
    away = [distances(walls, start) for start in starts.tolist()]
    for start, ways in zip(starts.tolist(), away, strict=True):
        for goal in goals[ways[goals] < 0].tolist():
            raise ValueError(
                f"the goal in {_place(goal, walls)} cannot be reached from the start "
                f"in {_place(start, walls)}; open a way"
            )
    longest = max(int(ways[goals].max()) for ways in away)
    return Map(
        walls=walls,
        starts=starts,
        goals=goals,
        reachable=np.flatnonzero(away[0] >= 0),
        steps=STEPS.get(maze, STEPS_PER_CELL * longest),
    )


def _rectangle(rows: list[str]) -> np.ndarray:
    """Return the letters, `(height, width)`, free cells as `.`."""
    height, width = len(rows), len(rows[0])
    for number, row in enumerate(rows):
        if len(row) != width:
            raise ValueError(
                f"the maze is not rectangular: row {number} has {len(row)} cells, row "
                f"0 has {width}"
            )
    if not (SMALLEST <= height <= LARGEST and SMALLEST <= width <= LARGEST):
        raise ValueError(
            f"the maze has {height} rows of {width} cells; each side is {SMALLEST} to "
            f"{LARGEST} cells long"
        )
    cells = np.array([list(row.replace(" ", FREE)) for row in rows])
    known = np.isin(cells, (WALL, FREE, START, GOAL))
    for y, x in np.argwhere(~known):
        raise ValueError(
            f"unknown letter {str(cells[y, x])!r} in row {y}, column {x} of the maze; "
            "known: '#' wall, '.' or space free, 'S' start, 'G' goal"
        )
    inner = np.zeros(cells.shape, dtype=np.bool_)
    inner[1:-1, 1:-1] = True
    for y, x in np.argwhere((cells != WALL) & ~inner):
        raise ValueError(
            f"the border of the maze is open in row {y}, column {x}; wall it in "
            "with '#'"
        )
    return cells


def distances(walls: np.ndarray, start: int) -> np.ndarray:
    """Return the cells to walk to each place, `(height * width,)`; -1 for never."""
    width = walls.shape[1]
    free, steps = ~walls.ravel(), np.full(walls.size, -1)
    steps[start] = 0
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for there in (here - width, here - 1, here + 1, here + width):
            if free[there] and steps[there] < 0:
                steps[there] = steps[here] + 1
                queue.append(there)
    return steps


def _place(cell: int, walls: np.ndarray) -> str:
    y, x = divmod(cell, walls.shape[1])
    return f"row {y}, column {x}"
