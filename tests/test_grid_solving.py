"""Every layout of the grid worlds can be solved; MiniGrid's covered keys are told.

A planner that knows the map (`grid_solver.py`) writes down its actions, and the world
that plays them must pay. With 10,000 layouts each (some 8 minutes of CPU):

    GRID_SOLVED=10000 python -m pytest -n 2 --timeout=0 tests/test_grid_solving.py
"""

from __future__ import annotations

import os
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from grid_counterparts import COUNTERPARTS, carry_over, drawn, minigrid, ours
from grid_solver import board, lost, solve

from curiosity_rl.registry import WORLDS

SOLVED = int(os.environ.get("GRID_SOLVED", "100"))
OWN = [name for name, spec in WORLDS.items() if ".grid." in spec.world]
COVERED = [n for n, (_, kwargs) in COUNTERPARTS.items() if kwargs.get("covered_keys")]


def check_all_are_solved(world: Any, layouts: int) -> None:
    state = drawn(world, layouts, seed=700)
    rewards, lengths = solve(world, state)
    assert rewards.all(), board(state, int(np.argmin(rewards)), world.params)
    assert lengths.max() <= world.max_steps
    np.testing.assert_array_equal(rewards, 1 - 0.9 * (lengths / world.max_steps))


@pytest.mark.parametrize("env_id", OWN)
def test_every_layout_of_our_ids_is_solved_in_time(env_id: str):
    env: Any = gym.make(env_id).unwrapped
    check_all_are_solved(env.world, SOLVED)


@pytest.mark.parametrize("theirs", sorted(set(COUNTERPARTS) - set(COVERED)))
def test_every_layout_of_minigrid_s_ids_is_solved_in_time(theirs: str):
    check_all_are_solved(ours(theirs).unwrapped.world, SOLVED)


@pytest.mark.parametrize("theirs", COVERED)
def test_covered_keys_are_lost_as_often_as_minigrid_loses_them(theirs: str):
    """Layouts without a plan are exactly those that nobody can solve."""
    source, env = minigrid(theirs).unwrapped, ours(theirs).unwrapped
    state = drawn(env.world, SOLVED, seed=700)
    known = [lost(board(state, i, env.world.params)) for i in range(SOLVED)]
    rewards, lengths = solve(env.world, state)
    np.testing.assert_array_equal(rewards == 0, known)
    assert lengths[rewards > 0].max() <= env.world.max_steps
    env.reset(seed=0)
    source.reset(seed=11)
    theirs_lost = 0
    for _ in range(SOLVED):
        source.reset()
        carry_over(source, env)
        theirs_lost += lost(board(env._lanes.state, 0, env.world.params))
    share, their_share = np.mean(known), theirs_lost / (SOLVED)
    print(f"{theirs}: lost {share:.4f}, MiniGrid's {their_share:.4f}")
    noise = np.sqrt(share * (1 - share) + their_share * (1 - their_share))
    assert abs(share - their_share) <= 5 * noise / np.sqrt(SOLVED)
    assert share > 0 or "Full" in theirs  # which has two ways into each corner
