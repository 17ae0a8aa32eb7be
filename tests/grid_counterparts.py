"""MiniGrid's ids, our worlds that equal them, and how to carry a layout over."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import numpy as np

import curiosity_rl  # noqa: F401  registers the worlds
from curiosity_rl.envs.grid import cells
from curiosity_rl.envs.grid.state import State, inner_map
from curiosity_rl.envs.grid.world import GridWorld
from curiosity_rl.envs.rng import lane_words

COUNTERPARTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{f"DoorKey-{s}x{s}-v0": ("door-key-v0", {"size": s}) for s in (5, 6, 8, 16)},
    **{
        f"Empty-{s}x{s}-v0": ("empty-v0", {"size": s, "random_start": False})
        for s in (5, 6, 8, 16)
    },
    **{f"Empty-Random-{s}x{s}-v0": ("empty-v0", {"size": s}) for s in (5, 6)},
    "FourRooms-v0": ("four-rooms-v0", {}),
    "MultiRoom-N2-S4-v0": ("multi-room-v0", {"rooms": 2, "room_size": 4}),
    "MultiRoom-N4-S5-v0": ("multi-room-v0", {"rooms": 6, "room_size": 5}),
    "MultiRoom-N4-S5-v1": ("multi-room-v0", {}),
    "MultiRoom-N6-v0": ("multi-room-v0", {"rooms": 6, "room_size": 10}),
    **{
        f"KeyCorridorS{s}R{r}-v0": ("key-corridor-v0", {"room_size": s, "rows": r})
        for s, r in ((3, 1), (3, 2), (3, 3), (4, 3), (5, 3), (6, 3))
    },
    **{
        f"ObstructedMaze-{m}-v0": ("obstructed-maze-v0", {"maze": m})
        for m in ("1Dl", "1Dlh", "1Dlhb", "2Dl", "2Dlh")
    },
    **{
        f"ObstructedMaze-{m}-v{v}": (
            "obstructed-maze-v0",
            {"maze": m, "covered_keys": v == 0},
        )
        for m in ("2Dlhb", "1Q", "2Q", "Full")
        for v in (0, 1)
    },
}


def minigrid(theirs: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import minigrid

        assert minigrid.__name__
        return gym.make(f"MiniGrid-{theirs}", disable_env_checker=True)


def ours(theirs: str, **settings: Any) -> Any:
    name, kwargs = COUNTERPARTS[theirs]
    return gym.make(name, disable_env_checker=True, **{**kwargs, **settings})


def code_of(thing: Any, target: Any) -> int:
    if thing is None:
        return cells.EMPTY
    kind, colour, state = thing.encode()
    key = None
    if thing.contains is not None:
        assert thing.contains.type == "key"
        key = thing.contains.encode()[1]
    code = cells.cell(cells.NUMBERS.index(kind), colour, state, key)
    return code | (cells.TARGET if thing is target else 0)


def carry_over(source: Any, env: Any) -> None:
    """Copy MiniGrid's layout, agent and clock into our only lane."""
    params, state = env.world.params, env._lanes.state
    grid = source.grid
    target = getattr(source, "obj", None)
    inner = inner_map(state.cells[0], params)
    assert inner.shape == (grid.height, grid.width)
    for y, x in np.ndindex(*inner.shape):
        inner[y, x] = code_of(grid.get(x, y), target)
    x, y = source.agent_pos
    state.place[0] = params.origin + y * params.stride + x
    state.heading[0] = source.agent_dir
    state.carrying[0] = 0
    state.elapsed[0] = source.step_count


def drawn(world: GridWorld, lanes: int, seed: int = 0) -> State:
    """Return so many layouts, each of its own stream."""
    state = world.allocate(lanes)
    state.rng[:] = lane_words(np.arange(seed, seed + lanes))
    world.build(state, np.arange(lanes))
    return state
