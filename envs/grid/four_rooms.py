"""Four rooms with a gap in each of the walls between them."""

from __future__ import annotations

from typing import Literal

import numpy as np

from curiosity_rl.envs.grid import building
from curiosity_rl.envs.grid.cells import EMPTY, FINISH, STONE
from curiosity_rl.envs.grid.state import State
from curiosity_rl.envs.grid.world import GridWorld
from curiosity_rl.envs.settings import whole
from curiosity_rl.jit import kernel


@kernel
def build(lanes, state, params):
    """Draw new maps into these lanes."""
    size = params.width
    middle = size // 2
    for i in lanes:
        building.room(i, state, params, 0, 0, size, size)
        building.fill(i, state, params, middle, 0, 1, size, STONE)
        building.fill(i, state, params, 0, middle, size, 1, STONE)
        for half in range(2):
            low = 1 if half == 0 else middle + 1
            high = middle if half == 0 else size - 1
            gap = building.flat(params, middle, building.draw(i, state, low, high))
            state.cells[i, gap] = EMPTY
            gap = building.flat(params, building.draw(i, state, low, high), middle)
            state.cells[i, gap] = EMPTY
        building.seat(i, state, params, 0, 0, size, size)
        goal = building.empty_place(
            i, state, params, 0, 0, size, size, state.place[i], True
        )
        state.cells[i, goal] = FINISH
        building.begin(i, state)


class FourRooms(GridWorld):
    """Find the goal in one of four rooms.

    ## Description
    Two walls cross in the middle of a square and leave four rooms; each piece of wall
    between two rooms has one gap. Agent and goal start anywhere.
    ## Action
    `Discrete(7)`, see `GridWorld`: 0 to 2 are of use.
    ## Observation
    What stands in the 7 by 7 cells ahead, see `GridWorld`.
    ## Reward
    `1 - 0.9 * steps / max_steps` on reaching the goal, else 0.
    ## End
    Terminated at the goal; truncated after `max_steps`.
    ## Registered ids
    `four-rooms-v0`, which is `MiniGrid-FourRooms-v0`.
    ## Source
    Sutton, Precup & Singh (1999); Chevalier-Boisvert et al. (2023), MiniGrid.

    Args:
        size: Cells along each side with the outer wall, 5 to 64; MiniGrid's is 19.
        max_steps: Time limit.
        obs: See `GridWorld`.
        direction: See `GridWorld`.
        noisy_tv: See `GridWorld`.

    Raises:
        ValueError: If a setting is not allowed.
    """

    def __init__(
        self,
        size: int = 19,
        max_steps: int = 100,
        obs: Literal["flat", "image", "onehot"] = "flat",
        direction: bool = False,
        noisy_tv: bool = False,
    ) -> None:
        size = whole("size", size, 5, 64)
        super().__init__(size, size, max_steps, obs, direction, noisy_tv)

    def build(self, state: State, lanes: np.ndarray) -> None:
        build(lanes, state, self.params)
