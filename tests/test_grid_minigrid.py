"""Grid worlds play as MiniGrid does: its layouts, in both, action by action.

Layouts drawn by MiniGrid are carried over into our state; then both are given the same
actions, random ones and those of a planner that reaches the goal, and must agree on
image, direction, reward, terminated and truncated at every step. In full, with 200
layouts of 1,000 actions each:

    GRID_LAYOUTS=200 GRID_ACTIONS=1000 python -m pytest tests/test_grid_minigrid.py
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from grid_solver import plan, scene

import curiosity_rl  # noqa: F401  registers the worlds
from curiosity_rl.envs.grid import cells
from curiosity_rl.envs.grid.state import inner_map

LAYOUTS = int(os.environ.get("GRID_LAYOUTS", "4"))
ACTIONS = int(os.environ.get("GRID_ACTIONS", "200"))

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
EVERY_ID = pytest.mark.parametrize("theirs", sorted(COUNTERPARTS))


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


@EVERY_ID
def test_the_same_actions_give_the_same_episodes(theirs: str):
    """Half of the episodes are played at random, half mostly by the planner."""
    source, env = minigrid(theirs).unwrapped, ours(theirs, obs="image").unwrapped
    env.reset(seed=0)
    state, params = env._lanes.state, env.world.params
    assert env.world.max_steps == source.max_steps
    rng = np.random.default_rng(1)
    wins = 0
    for layout in range(LAYOUTS):
        obs, _ = source.reset(seed=layout)
        carry_over(source, env)
        helped = layout % 2 == 0
        todo: list[int] = []
        for t in range(ACTIONS):
            if helped and not todo:
                todo = plan(scene(state, 0, params)) or []
            if todo and rng.random() < 0.9:
                action = todo.pop(0)
            else:
                action = int(rng.integers(7))
                todo = []
            obs, *other = source.step(action)
            mine, *own, info = env.step(action)
            assert mine.tobytes() == obs["image"].tobytes(), (layout, t)
            assert info["direction"] == obs["direction"], (layout, t)
            assert own == other[:3], (layout, t)
            wins += bool(own[1])
            if own[1] or own[2]:
                source.reset()
                carry_over(source, env)
                todo = []
    assert wins >= LAYOUTS / 4


@EVERY_ID
def test_first_views_are_equal(theirs: str):
    source, env = minigrid(theirs).unwrapped, ours(theirs, obs="image").unwrapped
    env.reset(seed=0)
    for layout in range(LAYOUTS):
        obs, _ = source.reset(seed=1000 + layout)
        carry_over(source, env)
        assert env._lanes.observe()[0].tobytes() == obs["image"].tobytes()
