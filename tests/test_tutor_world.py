"""The tutor world: episodes, rewards, coverage, pictures, seeds and actions."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tutor_reference import lanes_of, play

from curiosity_rl.envs.tutor.world import Tutor

SETTINGS = some.fixed_dictionaries(
    {
        "curriculum": some.sampled_from(
            ["layered-2", "layered-9", "chain-2", "chain-7", "edm2016-1"]
        ),
        "population": some.sampled_from(["assistments", "textbook"]),
        "students": some.none() | some.integers(1, 2**62),
        "budget": some.integers(1, 30),
        "goals": some.integers(1, 2),
        "distractors": some.integers(0, 70),
        "forgetting": some.floats(0, 1),
        "graph_shown": some.sampled_from(["true", "none", "noisy"]),
        "reward": some.sampled_from(["exam", "gain", "mastery"]),
        "belief": some.booleans(),
        "leak": some.floats(0, 1),
        "prior": some.none() | some.floats(0, 1),
        "min_unknown": some.just(0),
        "graph_noise": some.floats(0, 1),
    }
)


@given(SETTINGS, some.integers(0, 2**63), some.sampled_from(["soft", "hard", None]))
@settings(max_examples=60, deadline=None)
def test_allowed_settings_give_a_sound_episode(chosen: dict, seed: int, gating: Any):
    if not chosen["curriculum"].startswith("edm"):
        chosen["gating"] = gating
    venv: Any = gym.make_vec("tutor-v0", 3, **chosen)
    world = venv.unwrapped.world
    rng = np.random.default_rng(seed)
    low, high = world.reward_range
    obs, info = venv.reset(seed=[seed, seed + 1, seed + 2])
    assert venv.observation_space.contains(obs)
    cells = int(np.prod(venv.unwrapped.coverage_shape))
    for step in range(1, world.budget + 1):
        actions = rng.integers(world.params.activities, size=3)
        obs, reward, terminated, truncated, info = venv.step(actions)
        assert venv.observation_space.contains(obs)
        assert np.all((reward >= low) & (reward <= high))
        assert np.all(terminated == (step == world.budget))
        assert not truncated.any()
        cell = venv.unwrapped.coverage()
        assert cell.dtype == np.int64
        assert np.all((cell >= 0) & (cell < cells))
        report = info if step < world.budget else info["final_info"]
        np.testing.assert_array_equal(report["activity"], actions)
        assert np.all((report["belief"] > 0) & (report["belief"] < 1))
    last = np.stack(info["final_obs"])
    assert venv.observation_space.contains(last)
    assert np.all(last[:, -1] == 0)
    assert np.all(obs[:, -1] == 1)


def guided(world: Tutor, state: Any, info: dict[str, Any], skill: float) -> Any:
    """A tutor that reads minds, now and then (privileged, for tests)."""
    truth = info["truth"]
    lanes = len(state.rng)
    rows = np.arange(lanes)[:, None, None]
    rng = np.random.default_rng(0)

    def choose(t: int) -> np.ndarray:
        known = world.step_info(state)["truth"]["mastery"]
        parents = truth["parents"]
        missing = (parents >= 0) & ~known[rows, np.maximum(parents, 0)]
        open_ = truth["needed"] & ~known & ~missing.any(2)
        best = np.argmax(open_ * truth["learn"], axis=1)
        random = rng.integers(world.params.activities, size=lanes)
        return np.where(rng.random(lanes) < skill, best, random)

    return choose


def test_exam_pays_all_goals_known_and_nothing_before():
    world = Tutor()
    state, info = lanes_of(world, 2000)
    choose = guided(world, state, info, 0.7)
    _, _, rewards, mastery = play(world, state, choose, world.budget)
    assert np.all(rewards[:-1] == 0)
    goal = info["truth"]["goal"]
    passed = np.all(mastery[-1] | ~goal, axis=1)
    np.testing.assert_array_equal(rewards[-1], passed.astype(float))
    assert 0.2 < passed.mean() < 0.98  # both happen
    assert world.reward_range == (0.0, 1.0)


@pytest.mark.parametrize("forgetting", [0.0, 0.3])
def test_gain_and_mastery_follow_the_needed_skills(forgetting: float):
    for reward in ("gain", "mastery"):
        world = Tutor(
            reward=reward,  # type: ignore[arg-type]
            forgetting=forgetting,
            prior=0.7,
            min_unknown=1,
            budget=60,
        )
        state, info = lanes_of(world, 300)
        choose = guided(world, state, info, 0.3)
        _, _, rewards, mastery = play(world, state, choose, 60)
        needed = info["truth"]["needed"]
        known = (mastery & needed).sum(2)
        total = needed.sum(1)
        if reward == "gain":
            expected = np.zeros_like(rewards)
            expected[-1] = (known[-1] - known[0]) / (total - known[0])
        else:
            expected = np.diff(known, axis=0) / total
        np.testing.assert_allclose(rewards, expected, atol=1e-12)
        low, high = world.reward_range
        assert rewards.min() >= low
        assert rewards.max() <= high
        assert (rewards.min() < 0) == (forgetting > 0)
        assert rewards.max() > 0


def test_gain_is_nothing_where_nothing_was_left_to_learn():
    world = Tutor(reward="gain", prior=1.0, min_unknown=0, budget=5)
    state, _ = lanes_of(world, 10)
    _, _, rewards, _ = play(world, state, lambda t: np.zeros(10, int), 5)
    assert np.all(rewards == 0)


def test_gain_may_fall_below_minus_one_within_its_range():
    world = Tutor(
        reward="gain",
        curriculum="chain-9",
        goals=9,
        distractors=0,
        prior=0.9,
        min_unknown=1,
        forgetting=1.0,
        leak=0.0,
        budget=200,
    )
    state, _ = lanes_of(world, 50)
    rng = np.random.default_rng(0)
    _, _, rewards, _ = play(world, state, lambda t: rng.integers(9, size=50), 200)
    assert world.reward_range[0] <= rewards.min() < -1


def test_coverage_is_last_activity_and_skills_known():
    venv: Any = gym.make_vec("tutor-v0", 50, budget=40)
    _, info = venv.reset(seed=0)
    assert venv.unwrapped.coverage_shape == (16, 13)
    level = info["truth"]["mastery"].sum(1)
    np.testing.assert_array_equal(venv.unwrapped.coverage(), level)
    rng = np.random.default_rng(0)
    for _ in range(39):
        actions = rng.integers(16, size=50)
        *_, info = venv.step(actions)
        expected = actions * 13 + info["truth"]["mastery"].sum(1)
        np.testing.assert_array_equal(venv.unwrapped.coverage(), expected)


@pytest.mark.parametrize("activity", [0, 511])
def test_the_largest_world(activity: int):
    world = Tutor(curriculum="layered-256", distractors=256, budget=50)
    assert world.params.activities == 512
    state, info = lanes_of(world, 2)
    out = np.empty((2, world.layout.size), np.float32)
    for step in range(1, 51):
        _, terminated = world.step(state, np.full(2, activity), out)
        assert world.observation_space.contains(out[0])
        assert np.all(terminated == (step == 50))
    assert np.all(info["truth"]["distractor"].sum(1) == 256)
    assert np.all(world.layout.column(out, "attempts")[:, activity] > 0)
    assert np.all(np.count_nonzero(world.layout.column(out, "attempts"), axis=1) == 1)


@pytest.mark.parametrize("budget", [1, 3000])
def test_long_and_short_budgets_stay_in_the_space(budget: int):
    world = Tutor(budget=budget)
    state, info = lanes_of(world, 3)
    child = np.argmax(info["truth"]["parents"][..., 0] >= 0, axis=1)
    out = np.empty((3, world.layout.size), np.float32)
    for step in range(1, budget + 1):
        _, terminated = world.step(state, child, out)
        assert np.all(terminated == (step == budget))
        if step % 50 == 0 or step > budget - 3:
            assert all(world.observation_space.contains(row) for row in out)
    top = world.layout.column(out, "attempts").max()
    assert top == pytest.approx(np.log1p(min(budget, 1024)) / 2, abs=1e-5)
    world.observe(state, np.arange(3), out)
    assert world.observation_space.contains(out[0])


def test_an_activity_left_alone_for_long_is_as_good_as_never_tried():
    world = Tutor(budget=3000)
    state, _ = lanes_of(world, 1)
    out = np.empty((1, world.layout.size), np.float32)
    world.step(state, np.array([3]), out)
    recency = [world.layout.column(out, "recency")[0, 3]]
    for _ in range(2999):
        world.step(state, np.array([5]), out)
        recency.append(world.layout.column(out, "recency")[0, 3])
    np.testing.assert_allclose(recency, 0.9 ** np.arange(3000.0), atol=1e-7)
    assert np.all(np.diff(recency) <= 0)


@pytest.mark.parametrize(
    "settings_",
    [{}, {"curriculum": "layered-40"}, {"graph_shown": "none", "distractors": 0}],
)
def test_render_draws_a_picture(settings_: dict[str, Any]):
    env: Any = gym.make("tutor-v0", render_mode="rgb_array", **settings_)
    env.reset(seed=0)
    before = env.render()
    assert before.dtype == np.uint8
    assert before.ndim == 3
    assert before.shape[2] == 3
    for _ in range(5):
        env.step(0)
    after = env.render()
    assert after.shape == before.shape
    assert np.any(after != before)


def test_the_registered_ids():
    expected = {
        "tutor-v0": (16, 180, 20),
        "tutor-blind-v0": (16, 300, 11),
        "tutor-chain-v0": (10, 100, 20),
        "tutor-edm2016-v0": (6, 100, 20),
    }
    for name, (activities, budget, features) in expected.items():
        env: Any = gym.make(name)
        assert env.spec.max_episode_steps is None
        assert env.action_space.n == activities
        assert env.unwrapped.world.budget == budget
        assert env.observation_space.shape == (activities * features + 1,)
        assert env.observation_space.dtype == np.float32


@pytest.mark.parametrize(
    "seeds", [[0, -1, 2], [0, 2**64, 1], [0, None, 1], [0, 0.5, 1]]
)
def test_what_is_no_seed_is_refused(seeds: list[Any]):
    venv = gym.make_vec("tutor-v0", 3)
    with pytest.raises(ValueError, match=r"seed.*0 to 2\*\*64 - 1"):
        venv.reset(seed=seeds)  # type: ignore[arg-type]


def test_seeds_of_any_integer_type():
    venv: Any = gym.make_vec("tutor-v0", 2)
    top = 2**64 - 2
    one, _ = venv.reset(seed=[top, top + 1])
    for seeds in (np.array([top, top + 1], np.uint64), top):
        other, _ = venv.reset(seed=seeds)
        np.testing.assert_array_equal(one, other)
    one, _ = venv.reset(seed=5)
    for seeds in (np.int64(5), np.array([5, 6], np.int32)):
        other, _ = venv.reset(seed=seeds)
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "actions", [[0, 1], [0, 16, 1], [-1, 0, 0], [[0], [1], [2]], [0.5, 1, 2]]
)
def test_what_is_no_action_is_refused(actions: list[Any]):
    venv = gym.make_vec("tutor-v0", 3)
    venv.reset(seed=0)
    with pytest.raises(ValueError, match="action"):
        venv.step(np.array(actions))


def test_no_lane_is_played_before_its_first_reset():
    venv: Any = gym.make_vec("tutor-v0", 3)
    with pytest.raises(gym.error.ResetNeeded, match="call reset"):
        venv.step(np.zeros(3, int))
    with pytest.raises(ValueError, match="reset all lanes first"):
        venv.reset(seed=1, options={"reset_mask": np.array([True, False, True])})
    with pytest.raises(gym.error.ResetNeeded, match="call reset"):
        venv.step(np.zeros(3, int))
    venv.reset(seed=1, options={"reset_mask": np.ones(3, bool)})
    venv.step(np.zeros(3, int))
    # a restored state needs no reset
    other: Any = gym.make_vec("tutor-v0", 3)
    other.unwrapped.set_state(venv.unwrapped.get_state())
    one, *_ = venv.step(np.ones(3, int))
    two, *_ = other.step(np.ones(3, int))
    np.testing.assert_array_equal(one, two)
