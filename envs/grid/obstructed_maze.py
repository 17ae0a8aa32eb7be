"""Locked doors, balls in front of them, keys in boxes: a ball hidden behind it all."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from curiosity_rl.envs.grid import room_grid
from curiosity_rl.envs.grid.building import begin, draw
from curiosity_rl.envs.grid.cells import (
    BALL,
    BLUE,
    BOX,
    CLOSED,
    COLOUR_AT,
    COLOURS,
    CONTENT_AT,
    DOOR,
    GREEN,
    GREY,
    HOLDS_KEY,
    KEY,
    LOCKED,
    TARGET,
    cell,
)
from curiosity_rl.envs.grid.state import State
from curiosity_rl.envs.grid.world import GridWorld
from curiosity_rl.envs.settings import flag, whole
from curiosity_rl.jit import kernel
from curiosity_rl.registry import unknown_name

SHUT_DOOR, LOCKED_DOOR = cell(DOOR, state=CLOSED), cell(DOOR, state=LOCKED)
PRIZE, OBSTACLE, CHEST = cell(BALL, BLUE) | TARGET, cell(BALL, GREEN), cell(BOX, GREY)


class Maze(NamedTuple):
    """One of MiniGrid's mazes, as the kernel reads it."""

    columns: int
    rows: int
    quarters: int  # corners with their side rooms; 0 for the maze of two rooms
    start_column: int
    start_row: int
    hidden: bool  # keys are in boxes
    blocked: bool  # a ball lies before every locked door
    covered: bool  # such a ball may come to lie on a key, which is then lost
    rooms_visited: int  # of the longest way, for MiniGrid's time limit


MAZES: dict[str, Maze] = {
    "1Dl": Maze(2, 1, 0, 0, 0, False, False, False, 2),
    "1Dlh": Maze(2, 1, 0, 0, 0, True, False, False, 2),
    "1Dlhb": Maze(2, 1, 0, 0, 0, True, True, False, 2),
    "2Dl": Maze(3, 3, 1, 2, 1, False, False, False, 4),
    "2Dlh": Maze(3, 3, 1, 2, 1, True, False, False, 4),
    "2Dlhb": Maze(3, 3, 1, 2, 1, True, True, False, 4),
    "1Q": Maze(3, 3, 1, 1, 1, True, True, False, 5),
    "2Q": Maze(3, 3, 2, 2, 1, True, True, False, 11),
    "Full": Maze(3, 3, 4, 1, 1, True, True, False, 25),
}


@kernel
def lock(i, state, params, pitch, maze, column, row, side, colour):
    """Hang a locked door, with a ball before it where the maze is blocked."""
    door = LOCKED_DOOR | colour << COLOUR_AT
    place = room_grid.hang_door(i, state, params, pitch, column, row, side, door)
    if maze.blocked:
        state.cells[i, place - params.ahead[side]] = OBSTACLE


@kernel
def hide_key(i, state, params, pitch, maze, column, row, colour):
    """Put the key of a door into a room, in a box where the maze hides keys."""
    thing = KEY | colour << COLOUR_AT
    if maze.hidden:
        thing = CHEST | HOLDS_KEY | colour << CONTENT_AT
    room_grid.furnish(i, state, params, pitch, column, row, thing)


@kernel
def build(lanes, state, params, pitch, maze, colours):
    """Draw new maps into these lanes; `colours`, `(6,)` int64, is scratch space."""
    for i in lanes:
        room_grid.lay_out(i, state, params, pitch, maze.columns, maze.rows)
        for k in range(COLOURS):  # Fisher and Yates, inside out
            other = draw(i, state, 0, k + 1)
            colours[k] = colours[other]
            colours[other] = k
        column, row = 1, 0
        for quarter in range(max(maze.quarters, 1)):
            column, row = 0, 0
            if maze.quarters > 0:
                door = SHUT_DOOR | colours[quarter] << COLOUR_AT
                room_grid.hang_door(i, state, params, pitch, 1, 1, quarter, door)
                column += (2, 1, 0, 1)[quarter]
                row += (1, 2, 1, 0)[quarter]
            doors = 2 if maze.quarters > 0 else 1
            # a door and its key in turn; or both doors first, then both keys
            for job in range(2 * doors):
                k, is_key = job >> 1, job & 1 == 1
                if not maze.covered:
                    k, is_key = job % doors, job >= doors
                turn = 2 * k - 1 if maze.quarters > 0 else 0
                colour = colours[(quarter + turn + COLOURS) % COLOURS]
                if is_key:
                    hide_key(i, state, params, pitch, maze, column, row, colour)
                else:
                    side = quarter + turn & 3
                    lock(i, state, params, pitch, maze, column, row, side, colour)
        column, row = 1, 0
        if maze.quarters > 0:
            corner = draw(i, state, 0, maze.quarters)
            column, row = (2, 2, 0, 0)[corner], (0, 2, 2, 0)[corner]
        room_grid.furnish(i, state, params, pitch, column, row, PRIZE)
        start_column, start_row = maze.start_column, maze.start_row
        room_grid.seat_in_room(i, state, params, pitch, start_column, start_row)
        begin(i, state)


class ObstructedMaze(GridWorld):
    """Clear the way, find keys, unlock doors, and pick up the blue ball.

    ## Description
    The ball is in another room: the next one (`1D..`), or a corner of 3 by 3 rooms that
    is reached through side rooms. Doors to corners are locked; their keys lie in the
    side rooms, in grey boxes that must be opened (`h`), and green balls lie in front of
    the doors (`b`). Both hands are needed for one thing at a time.
    ## Action
    `Discrete(7)`, see `GridWorld`: all but 6 are of use.
    ## Observation
    What stands in the 7 by 7 cells ahead, see `GridWorld`.
    ## Reward
    `1 - 0.9 * steps / max_steps` on picking up the blue ball, else 0.
    ## End
    Terminated with that ball in hand; truncated after `max_steps`.
    ## Registered ids
    `obstructed-maze-v0`. `MiniGrid-ObstructedMaze-M-v1` is `maze=M`, and so is `-v0` of
    the mazes that have no v1; `-v0` of the others is `maze=M, covered_keys=True`.
    ## Source
    Chevalier-Boisvert et al. (2023), MiniGrid.

    Args:
        maze: `1Dl`, `1Dlh`, `1Dlhb`, `2Dl`, `2Dlh`, `2Dlhb`, `1Q`, `2Q` or `Full`.
        covered_keys: Whether a green ball may come to lie where a key was, which is
            then lost, as in MiniGrid's v0: some mazes then cannot be solved (shares in
            docs/grid_worlds.md). Without it every maze can.
        room_size: Side of a room with its walls, 6 (MiniGrid's) to 16.
        max_steps: Time limit; None for MiniGrid's `4 * room_size ** 2` for each room
            on the longest way.
        obs: See `GridWorld`.
        direction: See `GridWorld`.
        noisy_tv: See `GridWorld`.

    Raises:
        ValueError: If a setting is not allowed.
    """

    landmarks = ("key", "door", "prize")

    def __init__(
        self,
        maze: str = "1Dlhb",
        covered_keys: bool = False,
        room_size: int = 6,
        max_steps: int | None = None,
        obs: Literal["flat", "image", "onehot"] = "flat",
        direction: bool = False,
        noisy_tv: bool = False,
    ) -> None:
        if maze not in MAZES:
            raise ValueError(unknown_name("maze", str(maze), MAZES))
        self.maze = MAZES[maze]._replace(covered=flag("covered_keys", covered_keys))
        room_size = whole("room_size", room_size, 6, 16)
        self.pitch = room_size - 1
        limit = 4 * self.maze.rooms_visited * room_size**2
        limit = limit if max_steps is None else max_steps
        width, height = (
            count * self.pitch + 1 for count in (self.maze.columns, self.maze.rows)
        )
        super().__init__(width, height, limit, obs, direction, noisy_tv)

    def build(self, state: State, lanes: np.ndarray) -> None:
        colours = np.empty(COLOURS, dtype=np.int64)
        build(lanes, state, self.params, self.pitch, self.maze, colours)
