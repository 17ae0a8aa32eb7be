"""Grid worlds play as MiniGrid does: its layouts, in both, action by action.

Layouts drawn by MiniGrid are carried over into our state; then both are given the same
actions, random ones and those of a planner that reaches the goal, and must agree on
image, direction, reward, terminated and truncated at every step. In full, with 200
layouts of 1,000 actions each:

    GRID_LAYOUTS=200 GRID_ACTIONS=1000 python -m pytest tests/test_grid_minigrid.py
"""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grid_counterparts import COUNTERPARTS, carry_over, minigrid, ours
from grid_solver import board, plan
from gymnasium.envs.registration import registry

LAYOUTS = int(os.environ.get("GRID_LAYOUTS", "4"))
ACTIONS = int(os.environ.get("GRID_ACTIONS", "200"))

EVERY_ID = pytest.mark.parametrize("theirs", sorted(COUNTERPARTS))


@EVERY_ID
def test_the_same_actions_give_the_same_episodes(theirs: str):
    """Half of the episodes are played at random, half mostly by the planner."""
    source, env = minigrid(theirs).unwrapped, ours(theirs, obs="image").unwrapped
    env.reset(seed=0)
    state, params = env._lanes.state, env.world.params
    assert env.world.max_steps == source.max_steps
    rng = np.random.default_rng(1)
    wins, actions = 0, max(ACTIONS, 1000 if "Full" in theirs else 0)
    for layout in range(LAYOUTS):
        obs, _ = source.reset(seed=layout)
        carry_over(source, env)
        helped = layout % 2 == 0
        todo: list[int] = []
        for t in range(actions):
            if helped and not todo:
                todo = plan(board(state, 0, params)) or []
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
    assert wins >= LAYOUTS // 4


@EVERY_ID
def test_first_views_are_equal(theirs: str):
    source, env = minigrid(theirs).unwrapped, ours(theirs, obs="image").unwrapped
    env.reset(seed=0)
    for layout in range(LAYOUTS):
        obs, _ = source.reset(seed=1000 + layout)
        carry_over(source, env)
        assert env._lanes.observe()[0].tobytes() == obs["image"].tobytes()


def test_the_table_in_the_docs_names_every_counterpart():
    """Its right column is code; each line of it makes the world of its left column."""
    text = (Path(__file__).parents[1] / "docs" / "grid_worlds.md").read_text("utf-8")
    lines = re.findall(r"\| `MiniGrid-(\S+)` \| `gym\.make\((.*)\)` \|", text)
    found = {}
    for theirs, code in lines:
        call: Any = ast.parse(f"make({code})", mode="eval").body
        settings = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
        found[theirs] = (ast.literal_eval(call.args[0]), settings)
    assert found == COUNTERPARTS


def test_every_id_of_these_families_has_a_counterpart():
    minigrid("Empty-5x5-v0")
    families = r"Empty|FourRooms|DoorKey|MultiRoom|KeyCorridor|ObstructedMaze"
    ids = [re.fullmatch(rf"MiniGrid-((?:{families}).*)", name) for name in registry]
    assert {match[1] for match in ids if match} == set(COUNTERPARTS)
