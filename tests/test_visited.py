"""Worlds of others tell which cells they visit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import register, registry

from curiosity_rl.adapters.visited import cells_of
from curiosity_rl.agents.imports import modules_of_this_folder
from curiosity_rl.agents.worlds import make_lanes


class Stairs(gym.Env):
    """Climbs a step at each action 1; the third ends the episode."""

    observation_space = spaces.Box(0, 3, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, cells: int = 4) -> None:
        self.coverage_shape = (cells,)

    def coverage(self) -> int:
        return self.height

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.height = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        self.height += int(action)
        return np.full(1, self.height, np.float32), 0.0, self.height == 3, False, {}


@pytest.fixture
def stairs() -> Iterator[str]:
    register("Stairs-v0", Stairs)  # type: ignore[arg-type]
    yield "Stairs-v0"
    del registry["Stairs-v0"]


def test_the_last_cell_of_an_episode_is_seen(stairs: str) -> None:
    lanes = make_lanes(stairs, {}, 2)
    cells: Any = cells_of(lanes)
    assert cells.coverage_shape == (4,)
    lanes.reset(seed=0)
    seen = []
    for _ in range(4):
        lanes.step(np.array([1, 0]))
        seen.append(cells.visited().tolist())
    # The first lane ends on the third step and is on its first one again.
    assert seen == [[1, 0], [2, 0], [3, 0], [1, 0]]


def test_a_cell_that_the_table_lacks_is_told(stairs: str) -> None:
    lanes = make_lanes(stairs, {"cells": 2}, 1)
    lanes.reset(seed=0)
    lanes.step(np.array([1]))
    with pytest.raises(ValueError, match=r"coverage\(\) of .* is 2; its coverage_sha"):
        lanes.step(np.array([1]))


def test_who_tells_and_who_does_not() -> None:
    assert cells_of(make_lanes("CartPole-v1", {}, 2)) is None
    many: Any = make_lanes("river-swim-v0", {}, 2)
    assert cells_of(many) is many.unwrapped


def test_modules_of_this_folder_come_last_and_go_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("found = True")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", ".")])
    before = list(sys.path)
    with modules_of_this_folder():
        assert sys.path[:-1] == before
        assert __import__("only_here").found
    assert sys.path == before
    sys.modules.pop("only_here")
