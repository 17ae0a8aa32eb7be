"""Noisy corridor: what each region promises, by the errors of tables that learn."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import pytest
from scipy import stats

import curiosity_rl  # noqa: F401  registers the world

WIDTH, BUTTONS, PIXELS, PLACES, ACTIONS = 5, 4, 8, 20, 6
KNOWN, UNLEARNABLE, LEARNABLE, HARD = range(4)
CHANCE = 0.25  # squared error per pixel of who knows no more than that it is a coin


class Walk(NamedTuple):
    """Transitions of one region, in the order in which they were made."""

    place: np.ndarray  # before
    picture: np.ndarray  # before, as a number
    action: np.ndarray
    reached: np.ndarray  # place after
    pixels: np.ndarray  # after, (n, PIXELS)


def numbers(obs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read places, and pictures as numbers, from observations."""
    powers = 2 ** np.arange(PIXELS)
    return obs[:, :PLACES].argmax(1), obs[:, PLACES:].astype(int) @ powers


@cache
def walks(lanes: int = 600, steps: int = 1000) -> tuple[Walk, ...]:
    """Let lanes wander at random, and sort their transitions by reported region."""
    env: Any = gym.make_vec(
        "noisy-corridor-v0", lanes, reward="none", max_episode_steps=10_000
    )
    obs, _ = env.reset(seed=5)
    rng, parts = np.random.default_rng(2), []
    state = env.get_state()  # spread out, so that no region waits for visitors
    state["fields"]["place"][:] = np.arange(lanes) % PLACES
    env.set_state(state)
    obs = env.step(np.full(lanes, 2))[0]
    for _ in range(steps):
        action = rng.integers(0, ACTIONS, lanes)
        after, _, _, _, info = env.step(action)
        (place, picture), reached = numbers(obs), numbers(after)[0]
        row = (place, picture, action, reached, after[:, PLACES:], info["region"])
        parts.append(row)
        obs = after
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    region = columns.pop()
    np.testing.assert_array_equal(region, columns[3] // WIDTH)
    return tuple(Walk(*(c[region == which] for c in columns)) for which in range(4))


def error(walk: Walk, few: int | None, with_picture: bool, test: int = 20_000) -> float:
    """Return the squared error per pixel of a table of means on transitions to come.

    The table has an entry per place and action, or per place, action and picture before
    them. It learns from the first `few` transitions (None: all but those to come); what
    it has never met it takes for a coin.
    """
    key = walk.place * ACTIONS + walk.action
    if with_picture:
        key = key * 2**PIXELS + walk.picture
    entries = PLACES * ACTIONS * 2**PIXELS
    learn = slice(0, len(key) - test if few is None else few)
    visits = np.bincount(key[learn], minlength=entries)
    total = 0.0
    for pixel in range(PIXELS):
        lit = np.bincount(key[learn], walk.pixels[learn, pixel], entries)
        mean = np.where(visits, lit / np.maximum(visits, 1), 0.5)
        total += np.mean((mean[key[-test:]] - walk.pixels[-test:, pixel]) ** 2)
    return float(total) / PIXELS


def test_regions_are_visited_alike() -> None:
    for walk in walks():
        assert len(walk.place) > 100_000


def test_the_known_region_is_known_at_once() -> None:
    assert not walks()[KNOWN].pixels.any()
    assert error(walks()[KNOWN], 150, with_picture=False) < 0.01


def test_the_learnable_region_takes_few_visits() -> None:
    walk = walks()[LEARNABLE]
    assert error(walk, 1_000, with_picture=False) < 0.01
    assert error(walk, 20, with_picture=False) > 0.05
    lit = walk.pixels.argmax(1)
    np.testing.assert_array_equal(walk.pixels.sum(1), 1)
    np.testing.assert_array_equal(lit, (walk.reached + walk.action) % PIXELS)


def test_the_hard_region_takes_many_visits() -> None:
    """At 1,000 transitions, which are plenty next door, little is learnt."""
    walk = walks()[HARD]
    assert error(walk, 1_000, with_picture=True) > 0.8 * CHANCE
    assert 0.2 * CHANCE < error(walk, 10_000, with_picture=True) < 0.75 * CHANCE
    assert error(walk, None, with_picture=True) < 0.01
    assert error(walk, None, with_picture=False) > 0.9 * CHANCE  # no simpler table does


@pytest.mark.parametrize("with_picture", [False, True])
def test_the_unlearnable_region_stays_at_its_variance(with_picture: bool) -> None:
    walk = walks()[UNLEARNABLE]
    for few in (1_000, 10_000, None):
        assert error(walk, few, with_picture) > 0.99 * CHANCE


def test_noise_is_fresh_coins() -> None:
    walk = walks()[UNLEARNABLE]
    after = walk.pixels.astype(int) @ 2 ** np.arange(PIXELS)
    assert stats.chisquare(np.bincount(after, minlength=2**PIXELS)).pvalue > 1e-4
    before = walk.place // WIDTH == UNLEARNABLE
    for cause, effect in [
        (walk.picture[before] >> 4, after[before] >> 4),
        (walk.action, after),
    ]:
        table = np.zeros((16, 2**PIXELS))
        np.add.at(table, (cause, effect), 1)
        table = table[table.any(1)][:, table.any(0)]
        independent: Any = stats.chi2_contingency(table)
        assert independent.pvalue > 1e-4


@pytest.mark.parametrize("region", [KNOWN, LEARNABLE, HARD])
def test_all_but_the_noise_follows_from_what_was_seen(region: int) -> None:
    """The same observation and action give the same next one, over all lanes."""
    walk = walks()[region]
    key = (walk.place * ACTIONS + walk.action) * 2**PIXELS + walk.picture
    after = walk.pixels.astype(int) @ 2 ** np.arange(PIXELS) * PLACES + walk.reached
    _, first, same = np.unique(key, return_index=True, return_inverse=True)
    np.testing.assert_array_equal(after, after[first][same])
    np.testing.assert_array_equal(
        walk.reached,
        np.clip(walk.place + (walk.action == 1) - (walk.action == 0), 0, PLACES - 1),
    )


def test_the_table_of_the_hard_region_is_balanced() -> None:
    walk = walks()[HARD]
    entry = (walk.reached * ACTIONS + walk.action) * 2**PIXELS + walk.picture
    after = walk.pixels.astype(int) @ 2 ** np.arange(PIXELS)
    told, first = np.unique(entry, return_index=True)
    assert len(told) > 0.9 * WIDTH * ACTIONS * 2**PIXELS
    counts = np.bincount(after[first], minlength=2**PIXELS)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_the_way_to_the_reward() -> None:
    env: Any = gym.make("noisy-corridor-v0")
    obs, info = env.reset(seed=0)
    assert (obs.argmax(), obs.sum(), info["region"]) == (0, 1, KNOWN)
    regions = []
    for step in range(PLACES):
        obs, reward, terminated, truncated, info = env.step(1)
        regions.append(info["region"])
        last = step == PLACES - 1
        assert (reward, terminated, truncated) == (float(last), last, False)
    assert regions == sorted(regions)
    assert set(regions) == {KNOWN, UNLEARNABLE, LEARNABLE, HARD}


def test_without_a_reward_there_is_no_door() -> None:
    env: Any = gym.make("noisy-corridor-v0", reward="none")
    env.reset(seed=0)
    for step in range(100):
        _, reward, terminated, truncated, _ = env.step(1)
        assert (reward, terminated, truncated) == (0.0, False, step == 99)
    assert env.unwrapped.coverage() == PLACES - 1


def test_chance_hardly_finds_the_reward() -> None:
    """The chance that random play opens the door, against the walk's own chain."""
    at = np.eye(PLACES + 1)[0]  # the last entry: the door is open
    for _ in range(100):
        one = at[:-1] / ACTIONS
        at[:-1] -= 2 * one
        at[1:] += one
        at[: PLACES - 1] += one[1:]
        at[0] += one[0]
    lanes = 20_000
    assert 0.0003 < at[-1] < 0.003
    env = gym.make_vec("noisy-corridor-v0", lanes)
    env.reset(seed=1)
    rng, opened = np.random.default_rng(4), 0
    first = np.ones(lanes, bool)
    for _ in range(100):
        _, reward, over, cut, _ = env.step(rng.integers(0, ACTIONS, lanes))
        opened += int(reward[first].sum())
        first &= ~(over | cut)
    assert stats.binomtest(opened, lanes, at[-1]).pvalue > 1e-4


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"width": 0}, "from 1 to 100"),
        ({"buttons": 0}, "from 1 to 100"),
        ({"pixels": 17}, "from 1 to 16"),
        ({"reward": "some"}, "unknown reward"),
    ],
)
def test_refuses_other_settings(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        gym.make("noisy-corridor-v0", **settings)


def test_other_sizes() -> None:
    env: Any = gym.make_vec(
        "noisy-corridor-v0", 64, width=2, buttons=1, pixels=16, max_episode_steps=500
    )
    assert env.single_observation_space.shape == (8 + 16,)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(200):
        obs = env.step(rng.integers(0, 3, 64))[0]
        assert env.observation_space.contains(obs)
        seen |= set(obs[:, :8].argmax(1).tolist())
    assert seen == set(range(8))
