"""Deep sea: played beside the published rules, written anew, cell by cell."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from scipy import stats

import curiosity_rl  # noqa: F401  registers the world

COST = 0.01


class Published:
    """One diver by the rules of the behaviour suite; chance is handed in."""

    def __init__(self, size: int, right: np.ndarray) -> None:
        self.size, self.right = size, right
        self.reset()

    def reset(self) -> None:
        self.row = self.column = 0
        self.bad = False

    def observation(self) -> np.ndarray:
        grid = np.zeros((self.size, self.size), np.float32)
        if self.row < self.size:
            grid[self.row, self.column] = 1
        return grid.ravel()

    def step(
        self, action: int, fails: bool = False, noise: float = 0.0
    ) -> tuple[float, bool]:
        """Play one step of the variant in which going right `fails`, or does not."""
        reward = 0.0
        goes_right = action == self.right[self.row, self.column]
        if goes_right and self.column == self.size - 1:
            reward += 1
        if self.row == self.size - 1 and self.column in (0, self.size - 1):
            reward += noise
        if goes_right:
            reward -= COST / self.size
            if not fails:
                self.column = min(self.column + 1, self.size - 1)
        else:
            if self.row == self.column:
                self.bad = True
            self.column = max(self.column - 1, 0)
        self.row += 1
        return reward, self.row == self.size


def drawn(seed: int, size: int) -> np.ndarray:
    """Return the suite's map of actions that go right."""
    return np.random.RandomState(seed).binomial(1, 0.5, [size, size])


def dive(env: Any, lanes: int, chance: float, seed: int) -> Any:
    """Yield steps of divers who go right so often: cells before, actions, outcomes."""
    rng = np.random.default_rng(seed)
    right = env.unwrapped.world.params.right
    obs, _ = env.reset(seed=seed)
    for _ in range(len(right)):
        cell = obs.argmax(1)
        action = right.ravel()[cell] ^ (rng.random(lanes) >= chance)
        after, reward, terminated, truncated, info = env.step(action)
        assert not truncated.any()
        yield obs, action, reward, terminated, info
        obs = after


@pytest.mark.parametrize("size", [2, 3, 10, 20, 50])
@pytest.mark.parametrize("seed", [42, 0, None])
def test_every_step_is_as_published(size: int, seed: int | None) -> None:
    right = np.ones((size, size), int) if seed is None else drawn(seed, size)
    env: Any = gym.make("deep-sea-v0", size=size, mapping_seed=seed)
    diver, rng = Published(size, right), np.random.default_rng(size)
    treasures = bads = 0
    for chance in [0.0, 0.5, 0.7, 0.95, 1.0] * 12:
        obs, _ = env.reset(seed=1)
        diver.reset()
        np.testing.assert_array_equal(obs, diver.observation())
        over, total, info = False, 0.0, {}
        while not over:
            way = diver.right[diver.row, diver.column]
            action = int(way if rng.random() < chance else 1 - way)
            expected = diver.step(action)
            obs, reward, over, truncated, info = env.step(action)
            assert (reward, over) == expected
            assert not truncated
            np.testing.assert_array_equal(obs, diver.observation())
            assert info["bad_episode"] == diver.bad
            assert info["is_success"] == (reward > 0)
            total += reward
        assert info["is_success"] == (not diver.bad)
        treasures += info["is_success"]
        bads += diver.bad
        if chance == 1:
            assert total == pytest.approx(1 - COST)
    assert treasures >= 12
    assert bads >= 12


def test_golden_episodes_of_a_sea_of_two() -> None:
    """By hand: right twice pays 1 - .01; each move right costs .005."""
    returns = {(1, 1): 0.99, (1, 0): -0.005, (0, 1): -0.005, (0, 0): 0.0}
    env = gym.make("deep-sea-v0", size=2, mapping_seed=None)
    for actions, expected in returns.items():
        obs, _ = env.reset()
        assert obs.tolist() == [1, 0, 0, 0]
        obs, first, over, _, _ = env.step(actions[0])
        assert obs.tolist() == ([0, 0, 0, 1] if actions[0] else [0, 0, 1, 0])
        assert not over
        obs, second, over, _, _ = env.step(actions[1])
        assert obs.tolist() == [0, 0, 0, 0]
        assert over
        assert float(first) + float(second) == pytest.approx(expected)


def test_going_right_fails_once_in_size_and_is_paid_all_the_same() -> None:
    size, lanes = 5, 20_000
    env = gym.make_vec("deep-sea-v0", lanes, size=size, stochastic=True)
    right = drawn(42, size)
    tried = failed = 0
    ended = False
    before, bad = np.zeros((2, lanes), int), np.zeros(lanes, bool)
    for obs, action, reward, terminated, info in dive(env, lanes, 0.8, 3):
        row, column = divmod(obs.argmax(1), size)
        if row[0]:  # where the step before has led
            left = np.maximum(before[0] - 1, 0)
            slip = before[1].astype(bool) & (column == before[0])
            reached = np.where(before[1], before[0] + 1 - slip, left)
            np.testing.assert_array_equal(column, reached)
            tried, failed = tried + before[1].sum(), failed + slip.sum()
        goes_right = action == right[row, column]
        bad |= ~goes_right & (row == column)
        ended = terminated.all()
        shown = info["final_info"] if ended else info
        np.testing.assert_array_equal(shown["bad_episode"], bad)
        quiet = ~((row == size - 1) & np.isin(column, [0, size - 1]))
        cost = np.where(goes_right, -COST / size, 0.0)
        np.testing.assert_array_equal(reward[quiet], cost[quiet])
        before = np.stack([column, goes_right])
    assert ended
    assert stats.binomtest(int(failed), int(tried), 1 / size).pvalue > 1e-4


def test_noise_of_the_two_corners_is_standard_normal() -> None:
    size, lanes = 3, 40_000
    env = gym.make_vec("deep-sea-v0", lanes, size=size, stochastic=True)
    *_, (obs, action, reward, terminated, info) = dive(env, lanes, 0.5, 8)
    column = obs.argmax(1) - size * (size - 1)
    goes_right = action == drawn(42, size)[-1, column]
    mean = np.where(goes_right, (column == size - 1) - COST / size, 0.0)
    found = info["final_info"]["is_success"]
    np.testing.assert_array_equal(found, goes_right & (column == size - 1))
    for corner in (0, size - 1):
        for way in (True, False):  # the noise does not ask for the action
            here = (column == corner) & (goes_right == way)
            noise = reward[here] - mean[here]
            assert len(noise) > 1_000
            assert stats.kstest(noise, "norm").pvalue > 1e-4
    assert terminated.all()
    assert env.unwrapped.world.reward_range == (-np.inf, np.inf)  # type: ignore[attr-defined]


def test_coverage_is_the_lower_triangle() -> None:
    size, lanes = 8, 3_000
    env: Any = gym.make_vec("deep-sea-v0", lanes, size=size)
    seen = np.zeros((size, size), int)
    for obs, *_ in dive(env, lanes, 0.7, 5):
        seen += np.bincount(obs.argmax(1), minlength=size * size).reshape(size, size)
    np.testing.assert_array_equal(seen > 0, np.tri(size, dtype=bool))
    single: Any = gym.make("deep-sea-v0", size=size, mapping_seed=None).unwrapped
    single.reset()
    cells = [single.coverage()]
    for _ in range(size):
        single.step(1)
        cells.append(single.coverage())
    diagonal = (np.arange(size) * (size + 1)).tolist()
    assert cells == [*diagonal, size * size - 1]


def test_nothing_happens_below_the_last_row() -> None:
    env: Any = gym.make("deep-sea-v0", size=2, stochastic=True).unwrapped
    env.reset(seed=0)
    for _ in range(2):
        env.step(0)
    state = env.get_state()
    obs, reward, over, _, _ = env.step(1)
    assert (reward, over, obs.any()) == (0.0, True, False)
    for name, field in state["fields"].items():
        np.testing.assert_array_equal(field, env.get_state()["fields"][name])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"size": 1}, "from 2 to 100"),
        ({"size": 2.5}, "from 2 to 100"),
        ({"mapping_seed": -1}, "from 0 to"),
        ({"mapping_seed": "off"}, "from 0 to"),
        ({"stochastic": 1}, "True or False"),
        ({"move_cost": float("nan")}, "from 0"),
    ],
)
def test_refuses_other_settings(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        gym.make("deep-sea-v0", **settings)
