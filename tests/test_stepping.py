"""The measure of stepping speed: what is played, timed and counted."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from curiosity_rl.agents import stepping
from curiosity_rl.agents.stepping import Lanes
from curiosity_rl.registry import WORLDS


@pytest.mark.xdist_group("kernels")  # two workers would compile the same ones
@pytest.mark.parametrize("env_id", WORLDS)
def test_kernels_of_all_worlds_can_be_measured(env_id: str) -> None:
    lanes = Lanes(env_id, 3)
    assert 0 < lanes.turns(5, lanes.step) < 60
    sizes = lanes.bytes_per_lane()
    assert sizes[-1] >= 8  # the word of random numbers at least
    arrays = lanes.state._asdict().values()
    assert 3 * sum(sizes) == sum(array.nbytes for array in arrays)
    rules = lanes.rules()
    if rules is not None:
        assert lanes.turns(5, rules) > 0


@pytest.mark.parametrize("env_id", WORLDS)
def test_a_lane_takes_1_kb_beside_its_map_and_its_observation(env_id: str) -> None:
    lanes = Lanes(env_id, 8)
    _, kept, rest = lanes.bytes_per_lane()
    assert rest <= 1024
    if kept:  # nothing but what would be written anew in every step
        box: Any = lanes.world.observation_space
        assert kept <= 4 * int(np.prod(box.shape))


def test_lanes_that_end_begin_anew() -> None:
    lanes = Lanes("door-key-v0", 4, max_steps=3)
    seen = []

    def step(actions: np.ndarray) -> np.ndarray:
        seen.append(lanes.state.elapsed.tolist())
        return lanes.step(actions)

    lanes.turns(7, step)
    assert seen == [[t % 3] * 4 for t in range(7)]


def test_lanes_of_ids_with_a_limit_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    lanes = Lanes("river-swim-v0", 2)
    resets: list[list[int]] = []
    monkeypatch.setattr(lanes.world, "reset", lambda _, ended: resets.append([*ended]))
    lanes.turns(401, lanes.step)
    assert resets == [[0, 1], [0, 1]]


def test_rules_alone_are_the_kernel_of_the_worlds_module(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lanes = Lanes("door-key-v0", 2)
    assert lanes.rules() is None
    calls: list[Any] = []

    def move_all(actions: Any, state: Any, params: Any, rewards: Any, ended: Any):
        calls.append((actions, state, params, rewards.shape))
        ended[1] = True

    module = stepping.sys.modules[type(lanes.world).__module__]
    monkeypatch.setattr(module, "move_all", move_all, raising=False)
    rules = lanes.rules()
    assert rules is not None
    ended: Any = rules(lanes.actions[0])
    assert ended.tolist() == [False, True]
    actions, state, params, shape = calls[0]
    assert np.array_equal(actions, lanes.actions[0])
    assert state is lanes.state
    assert params is lanes.world.params
    assert shape == (2,)


def test_seconds_are_cpu_time_of_one_call() -> None:
    def work() -> int:
        return sum(range(30_000))

    once = stepping.seconds(work, 20)
    twice = stepping.seconds(lambda: (work(), work()), 20)
    assert 1.4 < twice / once < 2.8
    assert 0 <= stepping.clock_seconds() < 1e-3


def test_random_actions_fit_their_spaces() -> None:
    box = spaces.Box(np.array([-1, 2], np.float32), np.array([0, 5], np.float32))
    drawn = stepping.random_actions(box, 50)
    assert drawn.shape == (stepping.ACTIONS, 50, 2)
    assert drawn.dtype == np.float32
    assert all(box.contains(action) for action in drawn[0])
    late = spaces.Discrete(3, start=5)
    assert set(stepping.random_actions(late, 50).ravel()) == {5, 6, 7}


def test_room_for_observations_of_dict_spaces() -> None:
    part = spaces.Box(-1, 1, (2, 3), np.float32)
    room = stepping.empty(spaces.Dict({"a": part, "b": spaces.Discrete(4)}), 5)
    assert room["a"].shape == (5, 2, 3)
    assert room["b"].shape == (5,)
    assert stepping.copy_seconds(spaces.Dict({"a": part}), 4, 3) > 0


def test_faces_are_measured_over_whole_episodes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Any] = []
    make = gym.make

    def kept(*args: Any, **kwargs: Any) -> Any:
        made.append(gym.wrappers.RecordEpisodeStatistics(make(*args, **kwargs)))
        return made[-1]

    monkeypatch.setattr(gym, "make", kept)
    rounds = stepping.single_seconds(["river-swim-v0", "CartPole-v1"], 80)
    assert set(rounds) == {"river-swim-v0", "CartPole-v1"}
    for times in rounds.values():
        assert times.shape == (stepping.ROUNDS,)
        assert (times > 0).all()
    assert made[0].episode_count == stepping.ROUNDS * (1 + 80) // 200
    assert stepping.face_seconds("door-key-v0", 3, 5) > 0
