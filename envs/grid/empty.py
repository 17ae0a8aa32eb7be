"""An empty room with a goal in its corner."""

from __future__ import annotations

from typing import Literal

import numpy as np

from curiosity_rl.envs.grid import building
from curiosity_rl.envs.grid.cells import FINISH
from curiosity_rl.envs.grid.state import State
from curiosity_rl.envs.grid.world import GridWorld
from curiosity_rl.envs.settings import flag, whole
from curiosity_rl.jit import kernel


@kernel
def build(lanes, state, params, random_start):
    """Draw new maps into these lanes."""
    size = params.width
    for i in lanes:
        building.room(i, state, params, 0, 0, size, size)
        state.cells[i, building.flat(params, size - 2, size - 2)] = FINISH
        state.place[i], state.heading[i] = building.flat(params, 1, 1), 0
        if random_start:
            building.seat(i, state, params, 0, 0, size, size)
        building.begin(i, state)


class Empty(GridWorld):
    """Cross an empty room to the goal.

    ## Description
    A square room with nothing in it but a goal in the corner at the bottom right. The
    walls hide nothing: the agent sees what lies in its view beyond them.
    ## Action
    `Discrete(7)`, see `GridWorld`: 0 to 2 are of use.
    ## Observation
    What stands in the 7 by 7 cells ahead, see `GridWorld`.
    ## Reward
    `1 - 0.9 * steps / max_steps` on reaching the goal, else 0.
    ## End
    Terminated at the goal; truncated after `max_steps`.
    ## Registered ids
    `empty-v0`. `MiniGrid-Empty-Random-SxS-v0` is `size=S`; `MiniGrid-Empty-SxS-v0` is
    `size=S, random_start=False`.
    ## Source
    Chevalier-Boisvert et al. (2023), MiniGrid.

    Args:
        size: Cells along each side with the outer wall, 4 to 64.
        random_start: Start anywhere under any heading; else in the corner at the top
            left, facing right.
        max_steps: Time limit; None for MiniGrid's `4 * size ** 2`.
        obs: See `GridWorld`.
        direction: See `GridWorld`.
        noisy_tv: See `GridWorld`.

    Raises:
        ValueError: If a setting is not allowed.
    """

    def __init__(
        self,
        size: int = 8,
        random_start: bool = True,
        max_steps: int | None = None,
        obs: Literal["flat", "image", "onehot"] = "flat",
        direction: bool = False,
        noisy_tv: bool = False,
    ) -> None:
        size = whole("size", size, 4, 64)
        limit = 4 * size**2 if max_steps is None else max_steps
        super().__init__(size, size, limit, obs, direction, noisy_tv, see_through=True)
        self.random_start = flag("random_start", random_start)

    def build(self, state: State, lanes: np.ndarray) -> None:
        build(lanes, state, self.params, self.random_start)
