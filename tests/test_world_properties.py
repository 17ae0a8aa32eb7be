"""What every registered world promises, whatever is played in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from promises import long_form
from world_play import (
    EVERY_WORLD,
    HORIZON,
    LANES,
    assert_same,
    batch,
    lane_of,
    rows,
    saved,
    single,
)

SEEDS = some.lists(some.integers(0, 2**63 - 1), min_size=LANES, max_size=LANES)
MOVES = some.lists(some.integers(0, 2**31), min_size=2, max_size=2 * HORIZON + 2)


class Follower:
    """The single environment of one lane, which must say what the lane says."""

    def __init__(self, name: str) -> None:
        self.env = single(name)

    def reset(self, seed: int) -> tuple[Any, Any]:
        return self.env.reset(seed=seed)

    def check(self, action: Any, lane: int, played: tuple[Any, ...]) -> None:
        obs, reward, terminated, truncated, info = played
        own = self.env.step(action)
        assert_same(reward[lane], np.float64(own[1]))
        assert (terminated[lane], truncated[lane]) == own[2:4]
        own_obs, own_info = own[0], own[4]
        if own[2] or own[3]:
            assert_same(info["final_obs"][lane], own[0])
            assert_same(lane_of(info["final_info"], lane), own[4])
            own_obs, own_info = self.env.reset()
        assert_same(rows(obs, lane), own_obs)
        assert_same(lane_of(info, lane), own_info)


@pytest.mark.promise("Every world keeps its contract, whatever is played")
@EVERY_WORLD
def test_whatever_is_played(name: str):
    """Faces agree, a state goes on elsewhere, no lane touches another, all in bounds.

    Half of the moves repeat the last action: random ones alone get nowhere in most
    worlds.
    """
    env, copy, apart = (batch(name) for _ in range(3))
    follower, space = Follower(name), env.single_observation_space
    low, high = env.unwrapped.world.reward_range

    def bounded(played: tuple[Any, ...]) -> None:
        obs, reward = played[:2]
        assert np.isfinite(reward).all()
        assert ((low <= reward) & (reward <= high)).all()
        assert all(space.contains(rows(obs, lane)) for lane in range(LANES))

    @settings(max_examples=long_form(4, 10_000), deadline=None)
    @given(
        seeds=SEEDS,
        moves=MOVES,
        lane=some.integers(0, LANES - 1),
        cut=some.floats(0, 1),
    )
    def always(seeds: list[int], moves: list[int], lane: int, cut: float) -> None:
        start, start_info = env.reset(seed=list(seeds))
        own, own_info = follower.reset(seeds[lane])
        assert_same(rows(start, lane), own)
        assert_same(lane_of(start_info, lane), own_info)
        others = [seed if k == lane else seed ^ 1 for k, seed in enumerate(seeds)]
        apart.reset(seed=others)
        action: Any = None
        restored = int(cut * (len(moves) - 1))
        for step, move in enumerate(moves):
            if action is None or move % 2:
                env.action_space.seed(move)
                action = env.action_space.sample()
            if step == restored:
                copy.reset(seed=0)
                copy.set_state(saved(env.get_state()))
            played = env.step(action)
            bounded(played)
            follower.check(action[lane], lane, played)
            if step >= restored:
                assert_same(played, copy.step(action))
            elsewhere = np.roll(action, 1, axis=0)  # other lanes do something else
            elsewhere[lane] = action[lane]
            lonely = apart.step(elsewhere)
            mine = [rows(part, lane) for part in played[:4]]
            assert_same(mine, [rows(part, lane) for part in lonely[:4]])
            assert_same(lane_of(played[4], lane), lane_of(lonely[4], lane))
        assert_same(env.get_state(), copy.get_state())

    always()
