"""The arm: equal to a slow reference, solvable by a script, sparse by random play."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from arm_reference import (
    LIMITS,
    TABLE,
    arms,
    assert_equals_reference,
    babble,
    chain,
    places,
    postures,
    scripted,
)
from scipy import stats

from curiosity_rl.envs.arm.rules import MOVED
from curiosity_rl.envs.arm.world import Arm


@pytest.mark.parametrize("kind", ["free", "held"])
def test_random_plays_equal_the_reference(kind: str):
    lanes, steps = 40, 230
    actions = babble(np.random.default_rng(1), lanes, steps, kind)
    happened = assert_equals_reference(
        arms(lanes), lanes, steps, 5, lambda t, obs: actions[t]
    )
    assert happened["ends"] >= 2 * lanes
    assert happened["held"] > 20
    if kind == "held":
        assert happened["held"] > 500
        assert happened["hooked"] > 5
        assert happened["let go"] > 0


@pytest.mark.parametrize(
    "settings", [{}, {"reward": "none"}, {"spread": 0.0, "walk": 0.0}]
)
def test_a_script_solves_every_episode_as_the_reference_does(settings: dict):
    """From observations alone, by inverse kinematics: the world can be solved."""
    lanes, steps = 20, 100
    slips = np.random.default_rng(3).random((steps, lanes)) < 0.03

    def policy(t: int, obs: Any) -> np.ndarray:
        actions = scripted(obs)
        actions[slips[t], 3] = -1.0
        return actions

    happened = assert_equals_reference(arms(lanes, **settings), lanes, steps, 8, policy)
    assert happened["let go"] > 5
    assert happened["success"] >= lanes


def test_how_long_the_script_takes():
    """Every one of many first episodes ends with the reward, long before the limit."""
    lanes = 50
    env = arms(lanes)
    obs, _ = env.reset(seed=40)
    length, path = np.zeros(lanes), np.zeros((lanes, 4))
    for t in range(60):
        obs, reward, terminated, truncated, info = env.step(scripted(obs))
        assert not truncated.any()
        assert (reward == terminated).all()
        first = terminated & (length == 0)
        length[first] = t + 1
        if first.any():
            path[first] = info["final_info"]["moved"][first]
    assert length.min() > 10
    assert length.max() < 40
    assert (path[:, :2] > 0.5).all()
    assert (path[:, 2:] == 0).all()


def test_the_toy_is_beyond_the_hand_and_within_the_stick_and_the_far_toy_beyond_both():
    env = arms(300)
    env.reset(seed=2)
    lie = places(env)
    reach = np.hypot(*lie[:, [3, 5]].T)
    assert (reach[0] > sum((0.5, 0.3, 0.2)) + 0.14).all()  # hand's reach, and grasp
    assert (reach[1] > 0.5 + 0.3 + 0.2 + 0.5 + 0.15).all()  # stick's, and magnet
    for toy, handle in zip(lie[:, 3], lie[:, 1], strict=True):
        found = postures((toy[0], toy[1]), 0.7)
        assert len(found)
        np.testing.assert_allclose(chain(found[0].tolist(), 0.7), toy, atol=1e-9)
        assert len(postures((handle[0], handle[1]), 0.2))
        assert not len(postures((toy[0], toy[1]), 0.2))


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.0])
def test_things_lie_in_their_regions(spread: float):
    """Uniform in distance and angle, as the docstring's table says."""
    regions = {
        1: (0.7, 0.1, 0.9, 0.3),
        3: (1.25, 0.1, 2.2, 0.3),
        4: (1.2, 0.3, -0.8, 0.4),
        5: (1.85, 0.1, 1.5, 0.3),
    }
    env = arms(800, spread=spread)
    obs, _ = env.reset(seed=9)
    lie = places(env)
    for row, (r, dr, angle, da) in regions.items():
        x, y = lie[:, row].T
        for value, middle, half in (
            (np.hypot(x, y), r, dr * spread),
            (np.arctan2(y, x), angle, da * spread),
        ):
            if half == 0:
                np.testing.assert_allclose(value, middle)
            else:
                where = (value - middle + half) / (2 * half)
                assert stats.kstest(where, "uniform").pvalue > 1e-3
    handle, tip = lie[:, 1], lie[:, 2]
    np.testing.assert_allclose(np.hypot(*(tip - handle).T), 0.5)
    outward = handle / np.hypot(*handle.T)[:, None]
    np.testing.assert_allclose(tip, handle + 0.5 * outward)
    np.testing.assert_allclose(obs[:, 8:10] * TABLE, [[0.0, 1.0]] * 800, atol=1e-6)


def test_the_walker_walks_by_itself_and_cannot_be_moved():
    """Uniform steps along each axis; what the arm does changes nothing."""
    rng, lanes, steps = np.random.default_rng(6), 20, 90
    walks = []
    for kind in ("free", "held"):
        env = arms(lanes, reward="none")
        obs, info = env.reset(seed=70)
        assert (info["moved"] == 0).all()
        assert info["moved"].dtype == np.float32
        rows = [obs]
        for action in babble(rng, lanes, steps, kind):
            obs, _, _, _, info = env.step(action)
            rows.append(obs)
        assert (info["moved"][:, MOVED.index("walker") :] == 0).all()
        walks.append(TABLE * np.stack(rows)[..., 16:18].astype(float))
    np.testing.assert_array_equal(walks[0], walks[1])
    strides = np.diff(walks[0], axis=0).reshape(-1, 2)
    assert np.abs(strides).max() <= 0.05 + 1e-6
    for axis in strides.T:
        assert stats.kstest((axis + 0.05) / 0.1, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(strides.T)[0, 1]) < 0.08
    assert abs(np.corrcoef(strides[:-lanes, 0], strides[lanes:, 0])[0, 1]) < 0.08


def test_the_walker_stays_on_the_table():
    env = arms(50, walk=1.0)
    env.reset(seed=1)
    found = np.zeros((0, 2))
    for _ in range(60):
        obs, *_ = env.step(np.zeros((50, 4), np.float32))
        found = np.concatenate([found, obs[:, 16:18]])
    assert np.abs(found).max() == 1.0
    assert (np.abs(found) == 1).mean() < 0.5


def test_random_play_moves_the_stick_seldom_and_the_toy_hardly_ever():
    """The figures of the docstring: .14, .0005 and 0 of the episodes."""
    lanes = 4000
    env = arms(lanes, reward="none", max_episode_steps=1000)
    _, info = env.reset(seed=0)
    rng, home = np.random.default_rng(0), np.zeros(lanes, bool)
    for _ in range(100):
        action = rng.uniform(-1, 1, (lanes, 4)).astype(np.float32)
        *_, info = env.step(action)
        home |= info["is_success"]
    stick, toy, _, _ = (info["moved"] > 0).mean(axis=0)
    assert 0.11 < stick < 0.17
    assert 0 < toy < 0.003
    assert home.mean() < 0.001


def test_coverage_has_a_map_for_hand_tip_and_toy():
    env = arms(1)
    obs, info = env.reset(seed=12)
    assert env.unwrapped.coverage_shape == (3, 20, 20)
    assert info["cell"].tolist() == [5 * 20 + 10]  # the hand at (0, 1), rows from above
    assert env.unwrapped.coverage().tolist() == [5 * 20 + 10]
    maps = []
    for _ in range(100):
        obs, _, terminated, _, info = env.step(scripted(obs))
        if terminated[0]:
            break
        row = obs[0].astype(float)
        power = int(row[6] + row[7])
        x, y = np.split(row, [8, 20])[1].reshape(6, 2)[[0, 2, 3][power]]
        cell = (power * 20 + int((1 - y) * 10)) * 20 + int((x + 1) * 10)
        assert env.unwrapped.coverage().tolist() == info["cell"].tolist() == [cell]
        maps.append(power)
    assert sorted(set(maps)) == [0, 1, 2]
    assert maps == sorted(maps)


def test_the_table_is_drawn_in_its_colours():
    env = gym.make("arm-v0", render_mode="rgb_array")
    env.reset(seed=3)
    picture: Any = env.render()
    lie = places(env)[0]
    gold, red = (235, 158, 28), (214, 69, 65)
    blue, purple, green = (58, 110, 196), (140, 84, 176), (62, 158, 96)
    for row, colour in ((2, red), (3, blue), (4, purple), (5, green)):
        x, y = 200 + lie[row, 0] * 94, 200 - lie[row, 1] * 94
        np.testing.assert_array_equal(picture[int(y), int(x)], colour)
    assert (picture == gold).all(axis=-1).any()


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("reward", "dense", "sparse"),
        ("reward", None, "sparse"),
        ("goal_conditioned", 1, "True or False"),
        ("spread", 1.1, "from 0.0 to 1.0"),
        ("spread", float("nan"), "from 0.0 to 1.0"),
        ("walk", -0.1, "from 0.0 to 1.0"),
        ("walk", True, "from 0.0 to 1.0"),
    ],
)
def test_refuses_other_settings(name: str, value: Any, allowed: str):
    with pytest.raises(ValueError, match=rf"{name}.*{allowed}"):
        Arm(**{name: value})


def test_limits_are_those_of_the_reference():
    """Joints that push on against a limit stay there, seen as -1 or 1."""
    env = arms(2)
    obs, _ = env.reset(seed=0)
    push = np.array([[1, 1, 1, -1], [-1, -1, -1, -1]], np.float32)
    for _ in range(30):
        obs, *_ = env.step(push)
    assert obs[:, :3].tolist() == [[1.0] * 3, [-1.0] * 3]
    low, high = np.array(LIMITS).T
    for row, joints in zip(obs, (high, low), strict=True):
        np.testing.assert_allclose(TABLE * row[8:10], chain(joints.tolist()), atol=1e-6)
