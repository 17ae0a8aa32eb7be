"""Novelty of what comes again: golden numbers, a slow reference, a television."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from reward_batches import reaching

import curiosity_rl  # noqa: F401  registers the worlds
from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards import make_reward
from curiosity_rl.rewards.combinators import score
from curiosity_rl.rewards.recurring import RecurringDifference, RecurringNovelty

PLACES = spaces.Discrete(1000)
WATCH = 7


def ready(reward: Any, space: Any = PLACES) -> Any:
    reward.setup(space, spaces.Discrete(8), 0)
    return reward


def walk(states: Any, done: Any = None) -> Transitions:
    """Follow states `(T + 1, N)`; ends are marked, not jumped."""
    states = np.asarray(states)
    batch = reaching(states[1:], None if done is None else np.asarray(done))
    return Transitions(
        states[:-1],
        np.zeros(batch.shape, np.int64),
        batch.reward,
        states[1:],
        batch.terminated,
        batch.truncated,
    )


def lane(*states: int) -> np.ndarray:
    return np.array(states)[:, None]


def test_golden_by_states() -> None:
    reward = ready(RecurringNovelty())
    end = lane(0, 0, 0, 0, 0, 1).astype(bool)
    batch = walk(lane(0, 1, 1, 1, 2, 3, 1), end)  # N(1) = 4, N(2) = N(3) = 1
    assert not reward.compute(batch).any()  # nothing is known to come again
    log = reward.update(batch)
    assert (log["states_counted"], log["states_recurring"]) == (3, 1)
    done = lane(0, 0, 0, 0, 1, 0).astype(bool)
    again = walk(lane(5, 1, 2, 9, 1, 3, 2), done)
    #       5>1          1>2          2>9  9>1: met  1>3        | 3>2: begun in 3
    gains = [0.5 - 0.5, 1 - 0.5 / 2, 0.0, 0.0, 1 - 0.5 / 2, 1 - 0.5]
    np.testing.assert_allclose(reward.compute(again)[:, 0], gains, rtol=1e-6)


def test_golden_by_transitions() -> None:
    reward = ready(RecurringNovelty(repeat="transition"))
    end = lane(0, 0, 0, 0, 0, 1).astype(bool)
    batch = replace(walk(lane(1, 2, 1, 2, 1, 3, 4), end), action=lane(7, 0, 7, 0, 7, 0))
    assert not reward.compute(batch).any()
    reward.update(batch)  # N(1) = N(2) = 2, N(3) = N(4) = 1; (1, 7) > 2 2 3, (3, 0) > 4
    again = replace(
        walk(lane(1, 2, 3, 4, 1, 3), lane(0, 0, 0, 1, 0).astype(bool)),
        action=lane(7, 0, 0, 0, 7),
    )
    half = 2**-0.5
    #       1>2             2>3: not from 2  3>4    4>1: (4, 0) is new | 1>3
    gains = [half / 2 * 2 / 3, 0.0, 1 - 0.5, 0.0, (1 - half / 2) / 3]
    np.testing.assert_allclose(reward.compute(again)[:, 0], gains, rtol=1e-6)
    other = replace(again, action=1 - np.minimum(again.action, 1))
    reward.forget()
    assert not reward.compute(other)[[0, 2, 4]].any()  # actions never tried there


def test_actions_that_cannot_be_counted_are_left_out() -> None:
    reward: Any = RecurringDifference(repeat="transition")
    reward.setup(PLACES, spaces.Box(-1, 1, (2,)), 0)
    batch = walk(lane(0, 1, 2, 1, 3))
    batch = replace(batch, action=np.linspace(-1, 1, 8).reshape(4, 1, 2))
    reward.update(batch)
    half = 2**-0.5
    expected = [half - 0.5, (1 - half / 2) / 2, half - 0.5, (1 - half / 2) / 2]
    np.testing.assert_allclose(reward.compute(batch)[:, 0], expected, rtol=1e-6)


def test_what_was_never_met_is_most_novel_where_it_is_left() -> None:
    keen = ready(RecurringDifference(0.0, "state"))
    plain = ready(RecurringDifference(0.5, "state"))
    for reward in (keen, plain):
        reward.update(walk(lane(0, 1)))
    unknown = walk(lane(7, 1))
    assert keen.compute(unknown).item() == 1.0
    assert plain.compute(unknown).item() == 0.5  # as if 7 had been met once
    assert keen.compute(walk(lane(1, 7))).item() == 0.0


def slow(batches: list[Transitions], alpha: float, repeat: str) -> list[np.ndarray]:
    """Pay by lists and dictionaries: an independent reading of the formula."""
    ever: Counter[int] = Counter()
    past: dict[tuple[int, int], list[int]] = {}
    met: list[set[int]] = [set() for _ in range(batches[0].shape[1])]
    paid = []
    for batch in batches:
        bonus, tried = np.zeros(batch.shape), []
        for t, n in np.ndindex(batch.shape):
            left, reached = int(batch.obs[t, n]), int(batch.next_obs[t, n])
            here = left, int(batch.action[t, n])
            outcomes = past.get(here, [])
            share = outcomes.count(reached) / len(outcomes) if outcomes else 0.0
            if repeat == "state":
                share = float(ever[reached] > 0)
            met[n] |= set() if met[n] else {left}
            if reached not in met[n] and share:
                now = ever[reached] ** -0.5
                before = ever[left] ** -0.5 if ever[left] else 1.0
                bonus[t, n] = share * max(now - alpha * before, 0.0)
            met[n].add(reached)
            if batch.done[t, n]:
                met[n].clear()
            tried.append((here, reached))
        for here, reached in tried:
            past.setdefault(here, []).append(reached)
            ever[reached] += 1
        paid.append(bonus)
    return paid


@pytest.mark.parametrize("repeat", ["transition", "state"])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_against_a_slow_reference(alpha: float, repeat: Any) -> None:
    rng = np.random.default_rng(3)
    batches = []
    for _ in range(6):
        states = np.minimum(rng.geometric(0.1, (41, 4)), 999)
        batch = walk(states, rng.random((40, 4)) < 0.1)
        batches.append(replace(batch, action=rng.integers(0, 2, (40, 4))))
    reward = ready(RecurringNovelty(alpha, repeat))
    paid = []
    for batch in batches:
        paid.append(reward.compute(batch))
        reward.update(batch)
    assert sum(float(p.sum()) for p in paid) > 0.5
    for mine, theirs in zip(paid, slow(batches, alpha, repeat), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("repeat", ["transition", "state"])
def test_noise_does_not_fill_the_memory(repeat: Any) -> None:
    reward = ready(RecurringNovelty(repeat=repeat, capacity=32))
    reward.update(walk(lane(10, *range(1, 11), *range(1, 11))))
    for start in (100, 200, 300):  # a hundred screens each, none met twice
        batch = walk(lane(*range(start, start + 100)))
        assert not reward.compute(batch).any()
        log = reward.update(batch)
    assert (log["states_counted"], log["states_recurring"]) == (32, 10)
    reward.update(batch)
    paid = reward.compute(walk(lane(3, 4, 350)))
    assert paid[0] > 0 == paid[1]  # no count is shared with noise


def test_a_replayed_transition_is_an_episode_of_its_own() -> None:
    reward = ready(RecurringNovelty())
    reward.update(walk(lane(0, 1, 1, 2)))
    batch = walk(lane(2, 1, 2, 2, 8))
    half = 2**-0.5
    expected = [half - 0.5, 1 - half / 2, 0.0, 0.0]
    for _ in range(2):
        np.testing.assert_allclose(score(reward, batch)[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"alpha": -1}, "alpha is -1"),
        ({"repeat": "never"}, "allowed are state, transition"),
        ({"key": "cell"}, "give a function of observations"),
        ({"bits": 65}, "bits is 65"),
        ({"capacity": 0}, "capacity is 0"),
    ],
)
def test_settings_that_are_refused(setting: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make_reward("recurring-novelty", **setting)


def rollout(
    env: Any, obs: np.ndarray, rng: np.random.Generator
) -> tuple[Transitions, np.ndarray]:
    """Play at random for 64 steps; return them and what is seen after them."""
    steps: list[tuple[Any, ...]] = []
    for _ in range(64):
        action = rng.integers(0, 8, env.num_envs)
        after, pay, over, cut, info = env.step(action)
        true = after.copy()
        for i in np.nonzero(over | cut)[0]:
            true[i] = info["final_obs"][i]
        steps.append((obs, action, pay, true, over, cut))
        obs = after
    before, action, pay, true, over, cut = (
        np.stack(x) for x in zip(*steps, strict=True)
    )
    return Transitions(before, action, pay, true, over, cut), obs


@cache
def paid(name: str, screens: int = 0, **settings: Any) -> tuple[float, float]:
    """Return the mean bonus of watching, and of all else, in the last of 6 rollouts.

    Players at random in the six rooms; what they meet is the same for every bonus.

    Args:
        name: The bonus.
        screens: Pictures that the television has; 0 for the world's own.
        settings: Of the bonus.
    """
    maze = {"rooms": 6, "room_size": 10, "layout": 0, "noisy_tv": True}
    env: Any = gym.make_vec("multi-room-v0", 32, **maze)
    reward: Any = make_reward(name, scale=False, mode="exact", **settings)
    reward.setup(env.unwrapped.single_observation_space, spaces.Discrete(8), 0)
    rng = np.random.default_rng(5)
    obs, _ = env.reset(seed=1)
    tv = rest = 0.0
    for _ in range(6):
        batch, obs = rollout(env, obs, rng)
        watched = batch.action == WATCH
        if screens:
            batch.next_obs[watched] = 0
            batch.next_obs[watched, 0] = rng.integers(1, screens + 1, watched.sum())
            batch.obs[1:][watched[:-1]] = batch.next_obs[:-1][watched[:-1]]
        bonus = reward.compute(batch)
        reward.update(batch)
        tv, rest = float(bonus[watched].mean()), float(bonus[~watched].mean())
    return tv, rest


def test_a_screen_that_never_comes_again_is_never_paid() -> None:
    for repeat in ("transition", "state"):
        tv, rest = paid("recurring-novelty", repeat=repeat)
        assert tv == 0 < rest
    tv, rest = paid("noveld")
    assert tv > 5 * rest > 0


def test_screens_that_come_again_are_told_by_what_leads_to_them() -> None:
    tv, rest = paid("recurring-novelty", 1000, repeat="transition")
    assert 0 < tv < 0.3 * rest
    tv, rest = paid("recurring-novelty", 1000)
    assert tv > 2 * rest > 0
