"""What grid worlds add to MiniGrid's rules: observations, the television, limits."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from grid_solver import board, plan
from scipy import stats

import curiosity_rl  # noqa: F401  registers the worlds
from curiosity_rl.envs.grid import cells

EVERY_FAMILY = pytest.mark.parametrize(
    "name",
    [
        *("door-key-v0", "empty-v0", "four-rooms-v0"),
        *("key-corridor-v0", "multi-room-v0", "obstructed-maze-v0"),
    ],
)
LANES, STEPS, WATCH = 8, 60, 7


def played(name: str, actions: np.ndarray, **settings: Any) -> np.ndarray:
    env = gym.make_vec(name, actions.shape[1], **settings)
    rows = [env.reset(seed=4)[0]]
    rows += [env.step(action)[0] for action in actions]
    return np.array(rows)


def some_actions(lanes: int = LANES) -> np.ndarray:
    return np.random.default_rng(0).integers(7, size=(STEPS, lanes))


def helpful_actions(name: str) -> list[int]:
    """Return the actions of a planner in the layout of seed 4, up to the reward."""
    env: Any = gym.make(name, disable_env_checker=True).unwrapped
    env.reset(seed=4)
    done: list[int] = []
    reward, over = 0.0, False
    while not over:
        for action in plan(board(env._lanes.state, 0, env.world.params)) or []:
            done.append(action)
            _, reward, over, _, _ = env.step(action)
    assert reward > 0
    return done


@EVERY_FAMILY
def test_flat_observations_are_the_scaled_image(name: str):
    """Also on the way through doors and with things in hand."""
    for actions in (some_actions(), np.array(helpful_actions(name))[:, None]):
        image = played(name, actions, obs="image")
        flat = played(name, actions)
        assert (flat.dtype, image.dtype) == (np.float32, np.uint8)
        assert image.shape[2:] == (7, 7, 3)
        expected = (image / np.array([8.0, 5.0, 2.0])).reshape(flat.shape)
        np.testing.assert_allclose(flat, expected, rtol=1e-6)
        np.testing.assert_array_equal(flat, played(name, actions, obs="flat"))


@EVERY_FAMILY
def test_one_hot_observations_say_what_the_image_says(name: str):
    actions = np.array(helpful_actions(name))[:, None]
    image = played(name, actions, obs="image").reshape(len(actions) + 1, 49, 3)
    hot = played(name, actions, obs="onehot").reshape(len(image), 49, 15)
    assert hot.dtype == np.float32
    kinds = {1: "empty", 2: "wall", 4: "door", 5: "key", 6: "ball", 7: "box", 8: "goal"}
    colours = ("red", "green", "blue", "purple", "yellow", "grey")
    for triple, features in zip(image.reshape(-1, 3), hot.reshape(-1, 15), strict=True):
        kind, colour, state = (int(x) for x in triple)
        said = {kinds[kind]} if kind else set()
        if kind in (4, 5, 6, 7):
            said.add(colours[colour])
        if kind == 4 and state:
            said.add(("closed", "locked")[state - 1])
        found = np.array(cells.ONE_HOT)[features == 1]
        assert set(found.tolist()) == said
        assert features.sum() == len(said)


@pytest.mark.parametrize(("obs", "size"), [("flat", 147), ("onehot", 735)])
def test_direction_is_added_where_wanted(obs: str, size: int):
    env = gym.make_vec("four-rooms-v0", LANES, obs=obs, direction=True)
    first, info = env.reset(seed=4)
    assert first.shape == (LANES, size + 4)
    plain = played("four-rooms-v0", some_actions(), obs=obs)
    headings = set()
    for t, action in enumerate(some_actions()):
        rows, _, terminated, truncated, info = env.step(action)
        np.testing.assert_array_equal(rows[:, :size], plain[t + 1])
        np.testing.assert_array_equal(rows[:, size:], np.eye(4)[info["direction"]])
        headings |= set(info["direction"].tolist())
        assert not (terminated | truncated).all()
    assert headings == {0, 1, 2, 3}
    with pytest.raises(ValueError, match="has no room for it"):
        gym.make("four-rooms-v0", obs="image", direction=True)


@EVERY_FAMILY
def test_the_television_fills_one_view_and_does_nothing_else(name: str):
    plain = played(name, some_actions(), obs="image")
    actions = some_actions()
    np.testing.assert_array_equal(
        played(name, actions, obs="image", noisy_tv=True), plain
    )
    env = gym.make_vec(name, LANES, obs="image", noisy_tv=True)
    first, _ = env.reset(seed=4)
    pictures = [env.step(np.full(LANES, WATCH))[0] for _ in range(3)]
    assert len({x.tobytes() for rows in pictures for x in rows}) == 3 * LANES
    rows, reward, *_ = env.step(np.full(LANES, 6))
    np.testing.assert_array_equal(rows, first)
    assert not reward.any()
    env.reset(seed=4)
    again = [env.step(np.full(LANES, WATCH))[0] for _ in range(3)]
    np.testing.assert_array_equal(again, pictures)
    without = gym.make_vec(name, LANES)
    without.reset(seed=4)
    with pytest.raises(ValueError, match="from 0 to 6"):
        without.step(np.full(LANES, WATCH))


def test_the_television_shows_all_objects_alike():
    env = gym.make_vec("empty-v0", 200, obs="image", noisy_tv=True)
    env.reset(seed=1)
    seen = [env.step(np.full(200, WATCH))[0] for _ in range(10)]
    kind, colour, state = np.array(seen).reshape(-1, 3).T
    counts = np.bincount(kind, minlength=9)
    assert counts[[0, 3]].sum() == 0
    assert stats.chisquare(counts[[1, 2, 4, 5, 6, 7, 8]]).pvalue > 1e-4
    assert set(colour[kind == 1]) == {0}
    things = np.bincount(colour[kind != 1], minlength=6) / (kind != 1).sum()
    np.testing.assert_allclose(things, 1 / 6, atol=0.01)
    doors = np.bincount(state[kind == 4], minlength=3) / (kind == 4).sum()
    np.testing.assert_allclose(doors, 1 / 3, atol=0.02)
    assert not state[kind != 4].any()
    cell = np.array(seen)[..., 0].reshape(2000, 7, 7)
    for u, v in ((0, 0), (3, 6), (6, 3)):  # neighbours and pictures are unrelated
        same = (cell[:, u, v] == cell[:, (u + 1) % 7, v]).mean()
        assert abs(same - 1 / 7) < 0.04
        assert abs((cell[200:, u, v] == cell[:-200, u, v]).mean() - 1 / 7) < 0.04


@EVERY_FAMILY
def test_the_world_ends_episodes_after_max_steps(name: str):
    one: Any = gym.make(name, max_steps=9)
    many: Any = gym.make_vec(name, 2, max_steps=9)
    one.reset(seed=0)
    many.reset(seed=0)
    for t in range(20):
        _, _, terminated, truncated, _ = many.step(np.array([6, 0]))
        assert not terminated.any()
        assert (truncated == (t % 9 == 8)).all()
        if t < 9:
            assert one.step(6)[2:4] == (False, t == 8)
    tighter: Any = gym.make_vec(name, 2, max_steps=9, max_episode_steps=4)
    looser: Any = gym.make_vec(name, 2, max_steps=9, max_episode_steps=40)
    for env, limit in ((tighter, 4), (looser, 9)):
        env.reset(seed=0)
        cuts = [env.step(np.array([6, 6]))[3].all() for _ in range(9)]
        assert cuts.index(True) == limit - 1


def test_the_goal_in_the_last_step_ends_and_truncates():
    way = helpful_actions("door-key-v0")
    env = gym.make("door-key-v0", max_steps=len(way))
    env.reset(seed=4)
    results = [env.step(action) for action in way]
    assert [r[1:4] for r in results[:-1]] == [(0.0, False, False)] * (len(way) - 1)
    assert results[-1][1:4] == (1 - 0.9 * 1.0, True, True)


@EVERY_FAMILY
def test_a_lane_is_small(name: str):
    env: Any = gym.make_vec(name, 4)
    state = env.unwrapped._lanes.state
    fields = {key: array.nbytes // 4 for key, array in state._asdict().items()}
    assert fields.pop("cells") < 3_000
    assert sum(fields.values()) < 1_000


def test_a_layout_is_one_map_for_all_lanes_seeds_and_episodes():
    def begun(layout: int | None, seed: int) -> list[Any]:
        settings = {"rooms": 6, "layout": layout, "noisy_tv": True, "max_steps": 2}
        env: Any = gym.make_vec("multi-room-v0", 3, **settings)
        env.reset(seed=seed)
        maps = []
        for _ in range(2):
            state = deepcopy(env.unwrapped._lanes.state)
            maps += zip(state.cells, state.place, state.heading, strict=True)
            screens = env.step(np.full(3, 7))[0]
            assert len(np.unique(screens, axis=0)) == 3  # lanes see noise of their own
            env.step(np.full(3, 7))  # the last step of the episode
        return maps

    same = begun(5, 0) + begun(5, 1)
    for walls, place, heading in same:
        np.testing.assert_array_equal(walls, same[0][0])
        assert (place, heading) == same[0][1:]
    assert not np.array_equal(begun(6, 0)[0][0], same[0][0])
    assert len({drawn[0].tobytes() for drawn in begun(None, 0)}) == 6


def test_lanes_of_any_settings_have_a_way_to_the_end():
    """The longest chain of small rooms and the largest corridor still are drawn."""
    hard: list[tuple[str, dict[str, Any]]] = [
        ("multi-room-v0", {"rooms": 8, "room_size": 4}),
        ("multi-room-v0", {"rooms": 1}),
        ("key-corridor-v0", {"rows": 8, "room_size": 4}),
        ("four-rooms-v0", {"size": 8}),
        ("obstructed-maze-v0", {"maze": "Full", "room_size": 8}),
    ]
    for name, settings in hard:
        env: Any = gym.make_vec(name, 20, **settings)
        env.reset(seed=0)
        world, state = env.unwrapped.world, env.unwrapped._lanes.state
        assert all(plan(board(state, lane, world.params)) for lane in range(20))


@pytest.mark.parametrize(
    ("name", "setting", "allowed"),
    [
        ("door-key-v0", {"size": 4}, "from 5 to 64"),
        ("door-key-v0", {"size": 8.0}, "from 5 to 64"),
        ("door-key-v0", {"max_steps": 0}, "from 1 to"),
        ("door-key-v0", {"obs": "pixels"}, "unknown obs 'pixels'"),
        ("door-key-v0", {"noisy_tv": 1}, "True or False"),
        ("empty-v0", {"size": True}, "from 4 to 64"),
        ("empty-v0", {"random_start": None}, "True or False"),
        ("four-rooms-v0", {"size": 65}, "from 5 to 64"),
        ("multi-room-v0", {"rooms": 0}, "from 1 to 16"),
        ("multi-room-v0", {"room_size": 3}, "from 4 to 16"),
        ("multi-room-v0", {"layout": -1}, "from 0 to 4294967295"),
        ("multi-room-v0", {"rooms": 16, "size": 10}, "lower rooms or room_size"),
        ("key-corridor-v0", {"rows": 9}, "from 1 to 8"),
        ("obstructed-maze-v0", {"maze": "2Dhl"}, "did you mean"),
        ("obstructed-maze-v0", {"room_size": 5}, "from 6 to 16"),
    ],
)
def test_settings_that_are_refused(name: str, setting: dict[str, Any], allowed: str):
    with pytest.raises(ValueError, match=allowed):
        gym.make(name, **setting)
