"""Landmarks: what worlds name is what their rules say, on the way and at the end."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from arm_reference import scripted
from grid_counterparts import drawn
from grid_solver import solve

from curiosity_rl.registry import WORLDS

GRIDS = [name for name, spec in WORLDS.items() if ".grid." in spec.world]
ORDER = {
    "door-key-v0": ["key", "door", "goal"],
    "multi-room-v0": ["room-2", "room-3", "room-4", "goal"],
    "obstructed-maze-v0": ["key", "door", "prize"],
}
NEVER = 10**6


class Watched:
    """A world that remembers when each lane first was at each landmark."""

    def __init__(self, world: Any, lanes: int) -> None:
        self._world = world
        self.first = np.full((lanes, len(world.landmarks)), NEVER)
        self.steps = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def step(self, state: Any, actions: np.ndarray, out: Any) -> Any:
        result = self._world.step(state, actions, out)
        self.steps += 1
        at = self._world.at_landmarks(state)
        assert at.dtype == bool
        self.first = np.where(at, np.minimum(self.first, self.steps), self.first)
        return result


@pytest.mark.parametrize("name", GRIDS)
def test_who_solves_a_grid_world_passes_its_landmarks_in_order(name: str) -> None:
    world: Any = gym.make(name, obs="flat").unwrapped
    state = drawn(world.world, 20, seed=3)
    watched = Watched(world.world, 20)
    assert not watched.at_landmarks(state).any()
    rewards, lengths = solve(watched, state)
    solved = rewards > 0
    assert solved.any()
    first = watched.first[solved]
    np.testing.assert_array_equal(first[:, -1], lengths[solved])
    if name in ORDER:
        assert list(world.world.landmarks) == ORDER[name]
        assert (np.diff(first, axis=1) > 0).all()
    assert (first < NEVER).all()


def test_a_landmark_that_ends_an_episode_is_seen_through_the_restart() -> None:
    lanes: Any = gym.make_vec("deep-sea-v0", 3, size=4, mapping_seed=None).unwrapped
    assert lanes.landmarks == ("treasure",)
    lanes.reset(seed=0)
    for step in range(4):
        assert not lanes.at_landmarks().any()
        lanes.step(np.array([1, 1, int(step < 3)]))
    assert lanes.at_landmarks()[:, 0].tolist() == [True, True, False]
    lanes.step(np.zeros(3, int))
    assert not lanes.at_landmarks().any()


def test_the_far_bank_is_the_last_place() -> None:
    lanes: Any = gym.make_vec("river-swim-v0", 40, size=4).unwrapped
    lanes.reset(seed=1)
    seen = 0
    for _ in range(60):
        obs, *_ = lanes.step(np.ones(40, int))
        np.testing.assert_array_equal(lanes.at_landmarks()[:, 0], obs[:, -1] == 1)
        seen += lanes.at_landmarks().sum()
    assert seen


def test_regions_of_the_corridor_are_reached_one_by_one() -> None:
    lanes: Any = gym.make_vec("noisy-corridor-v0", 1, width=2).unwrapped
    assert lanes.landmarks == ("unlearnable", "learnable", "hard")
    lanes.reset(seed=0)
    reached = [lanes.step(np.ones(1, int)) and lanes.at_landmarks()[0].sum()]
    for _ in range(6):
        lanes.step(np.ones(1, int))
        reached.append(lanes.at_landmarks()[0].sum())
    assert reached == [0, 1, 1, 2, 2, 3, 3]


def test_the_arm_moves_the_stick_then_the_toy_then_brings_it_home() -> None:
    lanes: Any = gym.make_vec("arm-v0", 16).unwrapped
    obs, _ = lanes.reset(seed=5)
    first = np.full((16, 3), NEVER)
    for step in range(100):
        obs, _, terminated, _, info = lanes.step(scripted(obs))
        first = np.where(lanes.at_landmarks(), np.minimum(first, step), first)
        if terminated.any():
            moved = info["final_info"]["moved"][terminated]
            assert (moved[:, :2] > 0).all()
            assert lanes.at_landmarks()[terminated].all()
    assert (first < NEVER).all()
    assert (np.diff(first, axis=1) >= 0).all()


def test_the_goal_of_a_maze_is_its_success() -> None:
    lanes: Any = gym.make_vec("point-maze-v0", 1, maze="####\n#SG#\n####").unwrapped
    lanes.reset(seed=0)
    ends = []
    while not any(ends):
        _, _, terminated, *_ = lanes.step(np.array([[1.0, 0.0]], np.float32))
        assert lanes.at_landmarks()[0, 0] == terminated[0]
        ends.append(terminated[0])
    assert len(ends) < 30


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_names_are_tags_and_nothing_that_learns_sees_them(name: str) -> None:
    lanes: Any = gym.make_vec(name, 2).unwrapped
    _, info = lanes.reset(seed=0)
    assert lanes.at_landmarks().shape == (2, len(lanes.landmarks))
    assert len(set(lanes.landmarks)) == len(lanes.landmarks)
    for landmark in lanes.landmarks:
        assert landmark.replace("-", "").isalnum()
        assert landmark not in info
