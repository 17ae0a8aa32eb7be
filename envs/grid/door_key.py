"""Door and key: fetch the key, unlock the door, reach the goal."""

from __future__ import annotations

from typing import Literal

import numpy as np

from curiosity_rl.envs.grid import building
from curiosity_rl.envs.grid.cells import DOOR, FINISH, KEY, LOCKED, STONE, YELLOW, cell
from curiosity_rl.envs.grid.state import State
from curiosity_rl.envs.grid.world import GridWorld
from curiosity_rl.envs.settings import whole
from curiosity_rl.jit import kernel

LOCKED_DOOR, ITS_KEY = cell(DOOR, YELLOW, LOCKED), cell(KEY, YELLOW)


@kernel
def build(lanes, state, params):
    """Draw new maps into these lanes."""
    size = params.width
    for i in lanes:
        building.room(i, state, params, 0, 0, size, size)
        state.cells[i, building.flat(params, size - 2, size - 2)] = FINISH
        split = building.draw(i, state, 2, size - 2)
        building.fill(i, state, params, split, 0, 1, size, STONE)
        building.seat(i, state, params, 0, 0, split, size)
        door = building.flat(params, split, building.draw(i, state, 1, size - 2))
        state.cells[i, door] = LOCKED_DOOR
        key = building.empty_place(
            i, state, params, 0, 0, split, size, state.place[i], True
        )
        state.cells[i, key] = ITS_KEY
        building.begin(i, state)


class DoorKey(GridWorld):
    """Unlock the door between two rooms and reach the goal behind it.

    ## Description
    A wall splits a square room. The agent starts left of it, where a yellow key lies;
    the goal is in the corner at the right. Only with the key in hand does the door in
    the wall open.
    ## Action
    `Discrete(7)`, see `GridWorld`: all but 6 are of use.
    ## Observation
    What stands in the 7 by 7 cells ahead, see `GridWorld`.
    ## Reward
    `1 - 0.9 * steps / max_steps` on reaching the goal, else 0.
    ## End
    Terminated at the goal; truncated after `max_steps`.
    ## Registered ids
    `door-key-v0`. `MiniGrid-DoorKey-SxS-v0` is `size=S`.
    ## Source
    Chevalier-Boisvert et al. (2023), MiniGrid.

    Args:
        size: Cells along each side with the outer wall, 5 to 64.
        max_steps: Time limit; None for MiniGrid's `10 * size ** 2`.
        obs: See `GridWorld`.
        direction: See `GridWorld`.
        noisy_tv: See `GridWorld`.

    Raises:
        ValueError: If a setting is not allowed.
    """

    landmarks = ("key", "door", "goal")

    def __init__(
        self,
        size: int = 8,
        max_steps: int | None = None,
        obs: Literal["flat", "image", "onehot"] = "flat",
        direction: bool = False,
        noisy_tv: bool = False,
    ) -> None:
        size = whole("size", size, 5, 64)
        limit = 10 * size**2 if max_steps is None else max_steps
        super().__init__(size, size, limit, obs, direction, noisy_tv)

    def build(self, state: State, lanes: np.ndarray) -> None:
        build(lanes, state, self.params)
