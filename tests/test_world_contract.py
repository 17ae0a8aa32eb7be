"""What every registered world promises, on both faces."""

from __future__ import annotations

import math
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as some
from stable_baselines3.common.env_checker import check_env as sb3_check_env
from world_play import (
    EVERY_WORLD,
    HORIZON,
    LANES,
    SEED,
    actions_for,
    assert_same,
    batch,
    lane_of,
    may_leave,
    numbers,
    play,
    rows,
    single,
)

from curiosity_rl.registry import WORLDS

DETERMINISTIC = {"deep-sea-v0"}
"""Worlds in which nothing is left to chance: all seeds give the same episodes."""
SELDOM_CHANCE = {"noisy-corridor-v0"}
"""Worlds in which a short episode may meet no chance: only the streams must differ."""


@EVERY_WORLD
def test_both_checkers_have_nothing_to_say(name: str):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make(name).unwrapped)
        check_env(gym.make(name, render_mode="rgb_array").unwrapped)
        sb3_check_env(gym.make(name), warn=True)


@EVERY_WORLD
def test_a_lane_is_the_single_environment(name: str):
    """Lane i seeded s is the single one seeded s + i, bit for bit, over episodes."""
    steps = 5 * HORIZON + 3
    actions = actions_for(name, steps)
    many = batch(name)
    start, start_info = many.reset(seed=SEED)
    played = play(many, actions)
    for lane in range(LANES):
        one = single(name)
        obs, info = one.reset(seed=SEED + lane)
        assert_same(rows(start, lane), obs)
        assert_same(lane_of(start_info, lane), info)
        ends = 0
        for t, (obs, reward, terminated, truncated, info) in enumerate(played):
            own = one.step(actions[t, lane])
            assert_same(reward[lane], np.float64(own[1]))
            assert (terminated[lane], truncated[lane]) == own[2:4]
            assert ("final_obs" in info) == bool((terminated | truncated).any())
            if own[2] or own[3]:
                ends += 1
                assert info["_final_obs"][lane]
                assert info["_final_info"][lane]
                assert_same(info["final_obs"][lane], own[0])
                assert_same(lane_of(info["final_info"], lane), own[4])
                own_obs, own_info = one.reset()
            else:
                assert not info.get("_final_obs", np.zeros(LANES))[lane]
                own_obs, own_info = own[0], own[4]
            assert_same(rows(obs, lane), own_obs)
            assert_same(lane_of(info, lane), own_info)
        assert ends >= 5


@EVERY_WORLD
@pytest.mark.parametrize("limit", [None, 5, HORIZON])
def test_batch_equals_sync_vector_env(name: str, limit: int | None):
    """Also where lanes are out of step, and with the masks of the info dict."""
    kwargs = {} if limit is None else {"max_episode_steps": limit}
    sync = batch(
        name,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
        **kwargs,
    )
    ours = batch(name, **kwargs)
    assert ours.metadata["autoreset_mode"] is sync.metadata["autoreset_mode"]
    for space in ("observation_space", "action_space"):
        assert getattr(ours, space) == getattr(sync, space)
        assert getattr(ours, f"single_{space}") == getattr(sync, f"single_{space}")
    assert_same(ours.reset(seed=SEED), sync.reset(seed=SEED))
    for t, action in enumerate(actions_for(name, 4 * HORIZON)):
        if t in (3, 17, 18):
            mask = np.arange(LANES) == t % LANES
            assert_same(
                ours.reset(options={"reset_mask": mask.copy()}),
                sync.reset(options={"reset_mask": mask.copy()}),
            )
        assert_same(ours.step(action), sync.step(action), f"step {t}")
    assert_same(ours.reset(), sync.reset())
    seeds = [3, 2**63, 0]
    assert_same(ours.reset(seed=seeds), sync.reset(seed=list(seeds)))


@EVERY_WORLD
def test_a_lane_does_not_depend_on_their_number(name: str):
    few, many = batch(name, 2), batch(name, 7)
    start, _ = few.reset(seed=SEED)
    other, _ = many.reset(seed=SEED)
    assert_same(start, rows(other, slice(2)))
    actions = actions_for(name, 3 * HORIZON, 7)
    for action in actions:
        obs, reward, terminated, truncated, _ = few.step(action[:2])
        others = many.step(action)
        assert_same(
            (obs, reward, terminated, truncated),
            tuple(rows(part, slice(2)) for part in others[:4]),
        )


@EVERY_WORLD
def test_seeds(name: str):
    """A list seeds lane by lane; equal seeds give equal lanes, others do not."""
    env, actions = batch(name), actions_for(name, 2 * HORIZON)
    actions[:] = actions[:, :1]

    def run(seed: Any) -> list[Any]:
        return [env.reset(seed=seed), *play(env, actions)]

    first = run([7, 8, 7])
    streams = env.get_state()["fields"]["rng"]
    assert_same(first, run([7, 8, 7]))
    assert_same(run(7), run([7, 8, 9]))
    assert_same(run(7), run(np.int64(7)))
    observed = [
        np.stack([numbers(rows(step[0], lane)) for step in first])
        for lane in range(LANES)
    ]
    assert_same(observed[0], observed[2])
    assert streams[0] == streams[2] != streams[1]
    if name not in SELDOM_CHANCE:
        assert (observed[0] != observed[1]).any() == (name not in DETERMINISTIC)


@EVERY_WORLD
def test_unseeded_environments_differ(name: str):
    actions = actions_for(name, HORIZON)
    runs, streams = [], []
    for _ in range(2):
        env = batch(name)
        played = [env.reset()[0]] + [step[0] for step in play(env, actions)]
        runs.append(np.stack([numbers(obs) for obs in played]))
        streams.append(env.get_state()["fields"]["rng"])
    assert (streams[0] != streams[1]).all()
    if name not in SELDOM_CHANCE:
        assert (runs[0] != runs[1]).any() == (name not in DETERMINISTIC)


@EVERY_WORLD
def test_bad_seeds_are_refused(name: str):
    env = batch(name)
    for seed in (2**64, [1, 2], [1, 2, 3, 4], [1, 2, -3], [1, 2, 0.5]):
        with pytest.raises(ValueError, match=r"seeds? "):
            env.reset(seed=seed)
    for face in (env, single(name)):
        with pytest.raises(gym.error.Error, match="Seed must be"):
            face.reset(seed=-1)


@EVERY_WORLD
def test_bad_actions_are_refused_and_change_nothing(name: str):
    many, one = batch(name), single(name).unwrapped
    many.reset(seed=SEED)
    one.reset(seed=SEED)
    before = many.get_state(), one.get_state()
    space = many.single_action_space
    good = np.zeros(space.shape, space.dtype)
    for bad in bad_actions(space):
        with pytest.raises(ValueError, match="action"):
            one.step(bad)
        if np.shape(bad) == space.shape:
            with pytest.raises(ValueError, match="action"):
                many.step(np.array([good, good, bad]))
    for wrong in (good, [good] * 2, [good] * 4, [[good]] * 3):
        with pytest.raises(ValueError, match="action"):
            many.step(np.array(wrong))
    assert_same(before, (many.get_state(), one.get_state()))


def bad_actions(space: Any) -> list[Any]:
    if isinstance(space, gym.spaces.Discrete):
        return [-1, space.n, 0.5, float("nan"), "0", None, [0], [[0]]]
    wrong = [np.full(space.shape, value) for value in (np.nan, np.inf, -np.inf)]
    return [*wrong, np.full(space.shape, "0"), np.zeros((1, *space.shape)), 0.0, None]


@EVERY_WORLD
def test_actions_beyond_the_bounds_of_a_box_count_as_the_bounds(name: str):
    space: Any = single(name).action_space
    if not isinstance(space, gym.spaces.Box):
        pytest.skip("this world chooses among a few actions")
    actions = actions_for(name, HORIZON)
    at_bounds = np.where(actions > 0, space.high, space.low).astype(np.float64)
    runs = []
    for factor in (1.0, 3.0, 1e300):
        env = batch(name)
        env.reset(seed=SEED)
        runs.append(play(env, factor * at_bounds))
    assert_same(runs[0], runs[1])
    assert_same(runs[0], runs[2])


@EVERY_WORLD
def test_reset_mask_restarts_only_those_lanes(name: str):
    """The lanes go on with their own streams; the others notice nothing."""
    ours, twin = batch(name), batch(name)
    actions = actions_for(name, HORIZON)
    before = [env.reset(seed=SEED)[0] for env in (ours, twin)]
    for action in actions[:4]:
        before = [env.step(action)[0] for env in (ours, twin)]
    obs, info = ours.reset(options={"reset_mask": np.array([False, True, False])})
    assert_same(rows(obs, [0, 2]), rows(before[1], [0, 2]))
    one = single(name)
    one.reset(seed=SEED + 1)
    play(one.unwrapped, actions[:4, 1])
    own_obs, own_info = one.reset()
    assert_same(rows(obs, 1), own_obs)
    assert_same(lane_of(info, 1), own_info)
    assert lane_of(info, 0) == {}
    left = HORIZON - 4
    for t, action in enumerate(actions[4:]):
        mine, other = ours.step(action), twin.step(action)
        for a, b in zip(mine[:4], other[:4], strict=True):
            assert_same(rows(a, [0, 2]), rows(b, [0, 2]))
        over = mine[2] | mine[3]
        assert over[[0, 2]].all() == (t == left - 1)
        assert not over[1]
    for mask in ([True], np.ones(4, bool)):
        with pytest.raises(ValueError, match="reset_mask"):
            ours.reset(options={"reset_mask": np.array(mask)})
    with pytest.raises(ValueError, match="reset all lanes first"):
        batch(name).reset(options={"reset_mask": np.array([True, False, True])})


@EVERY_WORLD
def test_time_limits_truncate_and_do_not_terminate(name: str):
    limit = HORIZON - 3
    many = batch(name, max_episode_steps=limit)
    one = single(name, max_episode_steps=limit)
    many.reset(seed=SEED)
    one.reset(seed=SEED)
    for t, action in enumerate(actions_for(name, 3 * limit)):
        _, _, terminated, truncated, _ = many.step(action)
        assert not terminated.any()
        assert (truncated == ((t + 1) % limit == 0)).all()
        if t < limit:
            assert one.step(action[0])[2:4] == (False, t + 1 == limit)


@EVERY_WORLD
def test_registered_episodes_end_once(name: str):
    """With the id's own settings an episode ends by itself or by its time limit."""
    env: Any = gym.make_vec(name, 2)
    world = env.unwrapped.world
    env.reset(seed=SEED)
    limit = WORLDS[name].max_episode_steps or getattr(world, "max_steps", None)
    length = limit or world.budget
    elapsed, ends = np.zeros(2, dtype=int), 0
    for action in actions_for(name, length, 2):
        _, _, terminated, truncated, _ = env.step(action)
        elapsed += 1
        last = elapsed == length
        assert (truncated == (last & (limit is not None))).all()
        assert (terminated | truncated)[last].all()
        if limit is None and not may_leave(name):
            assert (terminated == last).all()
        ends += (terminated | truncated).sum()
        elapsed[terminated | truncated] = 0
    assert ends >= 2


@EVERY_WORLD
@given(
    seed=some.integers(0, 2**63),
    moves=some.lists(some.integers(0, 2**31), min_size=1, max_size=3 * HORIZON),
)
@settings(max_examples=15, deadline=None)
def test_any_play_stays_within_what_the_world_declares(
    name: str, seed: int, moves: list[int]
):
    """Actions drawn to stay as well as to wander: half of the moves repeat the last."""
    env = batch(name)
    world, space = env.unwrapped.world, env.single_observation_space
    low, high = world.reward_range
    cells = math.prod(env.coverage_shape)
    obs, _ = env.reset(seed=seed)
    action = env.action_space.sample()
    for move in [None, *moves]:
        if move is not None:
            if move % 2:
                env.action_space.seed(move)
                action = env.action_space.sample()
            obs, reward, terminated, truncated, _ = env.step(action)
            assert reward.dtype == np.float64
            assert np.isfinite(reward).all()
            assert (low <= reward).all()
            assert (reward <= high).all()
            assert terminated.dtype == truncated.dtype == np.bool_
            assert reward.shape == terminated.shape == truncated.shape == (LANES,)
        assert all(space.contains(rows(obs, lane)) for lane in range(LANES))
        visited = env.coverage()
        assert (visited.dtype, visited.shape) == (np.int64, (LANES,))
        assert (visited >= 0).all()
        assert (visited < cells).all()


@EVERY_WORLD
def test_coverage_of_a_lane_is_that_of_the_single_environment(name: str):
    many = batch(name)
    ones = [single(name) for _ in range(LANES)]
    many.reset(seed=SEED)
    for lane, one in enumerate(ones):
        one.reset(seed=SEED + lane)
    seen = set()
    for action in actions_for(name, 2 * HORIZON + 1):
        many.step(action)
        reached = []
        for one, a in zip(ones, action, strict=True):
            over = any(one.step(a)[2:4])
            reached.append(one.unwrapped.coverage())
            if over:
                one.reset()
        assert many.visited().tolist() == reached
        own = [one.unwrapped.coverage() for one in ones]
        assert all(type(cell) is int for cell in own)
        assert many.coverage().tolist() == own
        seen |= set(own)
    assert len(seen) > 1
    assert ones[0].unwrapped.coverage_shape == many.coverage_shape


@EVERY_WORLD
def test_environments_share_no_space(name: str):
    """Spaces hold random generators: seeding one must not touch another's."""
    for build in (batch, single):
        first, second = build(name), build(name)
        first.action_space.seed(0)
        expected = first.action_space.sample()
        first.action_space.seed(0)
        second.action_space.sample()
        assert_same(expected, first.action_space.sample())
        assert first.unwrapped.action_space is not second.unwrapped.action_space


@EVERY_WORLD
def test_render_draws_pixels(name: str):
    one, many = (build(name, render_mode="rgb_array") for build in (single, batch))
    one.reset(seed=SEED)
    many.reset(seed=SEED)
    for action in actions_for(name, 5):
        one.step(action[0])
        many.step(action)
    before = many.get_state()
    picture = one.render()
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert picture.min() < picture.max()
    pictures = many.render()
    assert len(pictures) == LANES
    assert_same(pictures[0], picture)
    assert_same(before, many.get_state())
    assert single(name).unwrapped.render() is None
    assert batch(name).render() is None


@EVERY_WORLD
def test_wrong_settings_are_refused_with_a_sentence(name: str):
    for build in (batch, single):
        with pytest.raises(ValueError, match=r"unknown setting of .*known: "):
            build(name, no_such_setting=1)
    for lanes in (0, -1):
        with pytest.raises(ValueError, match="at least 1 lane"):
            batch(name, lanes)
    for env in (batch(name), single(name).unwrapped):
        with pytest.raises(gym.error.ResetNeeded):
            env.step(actions_for(name, 1)[0])
