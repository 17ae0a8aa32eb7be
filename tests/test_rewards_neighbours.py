"""Lifelong neighbours: golden numbers, brute force, a fair memory, a moving encoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_batches import column, reaching, rows

from curiosity_rl import checkpoint
from curiosity_rl.rewards.distances import blocks_for, get, nearest, put
from curiosity_rl.rewards.neighbours import RE3, KNNEntropy, PseudoCount, Reservoir

CLASSES = [RE3, KNNEntropy, PseudoCount]


def plain(reward: Any) -> Any:
    """Let features be the observations themselves, whatever was seen."""
    reward.encoder.settle = 0
    return reward


def brute_force(queries: np.ndarray, memory: np.ndarray, k: int) -> np.ndarray:
    """Return the k smallest distances, fewer where fewer are there."""
    apart = queries[:, None].astype(np.float64) - memory[None].astype(np.float64)
    return np.sort(np.sqrt((apart**2).sum(-1)), 1)[:, :k]


def test_golden_re3():
    reward = plain(RE3(k=2, encoder="identity"))
    met = reaching(column(0.0, 1.0, 3.0))
    paid = reward.compute(met)
    assert paid.dtype == np.float32
    np.testing.assert_array_equal(paid, 0)  # nothing remembered yet
    assert reward.update(met) == {"states_remembered": 3.0}
    # second nearest: 0 -> 1; 5 -> 1, at 4; 2 -> 1 or 3, at 1
    paid = reward.compute(reaching(column(0.0, 5.0, 2.0)))
    np.testing.assert_allclose(paid[:, 0], np.log([2, 5, 2]), rtol=1e-6)


def test_golden_knn_entropy():
    reward = plain(KNNEntropy(k=2, c=0.5, encoder="identity"))
    met = reaching(column(0.0, 1.0, 3.0))
    np.testing.assert_array_equal(reward.compute(met), 0)
    reward.update(met)
    # means over two: (0 + 1) / 2, (2 + 4) / 2, (1 + 1) / 2
    paid = reward.compute(reaching(column(0.0, 5.0, 2.0)))
    np.testing.assert_allclose(paid[:, 0], np.log([1, 3.5, 1.5]), rtol=1e-6)


def test_golden_pseudo_count():
    reward = plain(PseudoCount(k=1, epsilon=0.5, c=0.25, encoder="identity"))
    met = reaching(column(0.0, 1.0, 3.0))
    np.testing.assert_array_equal(reward.compute(met), 0)
    log = reward.update(met)
    # squared distances to the nearest other: 1, 1, 4
    assert log["neighbour_distance_squared"] == 2
    # 0 is met: K = 1; from 2 to 1: K = .5 / (1 / 2 + .5) = .5
    paid = reward.compute(reaching(column(0.0, 2.0)))
    np.testing.assert_allclose(paid[:, 0], [0.8, 1 / (0.5**0.5 + 0.25)], rtol=1e-6)
    # 2 lies 1 from what was remembered before it
    log = reward.update(reaching(column(2.0)))
    assert log["neighbour_distance_squared"] == pytest.approx(7 / 4)


def test_pseudo_count_nears_a_count():
    """Visits further apart than the kernel is wide are counted, up to k."""
    reward = plain(PseudoCount(k=10, c=1e-9, epsilon=1e-6, encoder="identity"))
    met = np.repeat([[0.0, 0], [4, 0], [0, 4]], [2, 5, 30], 0)[:, None]
    reward.update(reaching(met))
    paid = reward.compute(reaching(met[[0, 2, 7]]))
    np.testing.assert_allclose(paid[:, 0], np.array([2, 5, 10]) ** -0.5, rtol=1e-3)


@pytest.mark.parametrize("build", CLASSES)
def test_fewer_neighbours_than_k(build):
    reward = build(k=9)
    for step in range(12):  # one lane, one step at a time
        batch = reaching(np.full((1, 1, 3), float(step), np.float32))
        assert np.isfinite(reward.compute(batch)).all()
        reward.update(batch)


def test_the_farthest_stands_in_for_the_kth():
    few, all_ = (plain(r(k=5, encoder="identity")) for r in (RE3, KNNEntropy))
    for reward in (few, all_):
        reward.update(reaching(column(1.0, 2.0)))
    query = reaching(column(4.0))
    np.testing.assert_allclose(few.compute(query), np.log(4), rtol=1e-6)
    np.testing.assert_allclose(all_.compute(query), np.log(1 + 2.5), rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.integers(0, 140),
    width=st.integers(1, 9),
    k=st.integers(1, 12),
)
def test_nearest_is_brute_force(seed, size, width, k):
    rng = np.random.default_rng(seed)
    memory = rng.normal(size=(size, width)).round(1).astype(np.float32)
    queries = rng.normal(size=(20, width)).round(1).astype(np.float32)
    blocks = blocks_for(1, 150, width)
    slots = np.arange(size)
    put(blocks, np.zeros_like(slots), slots, memory)
    np.testing.assert_array_equal(get(blocks, np.zeros_like(slots), slots), memory)
    found = nearest(queries, blocks, size, k)
    expected = brute_force(queries, memory, k)
    there = expected.shape[1]
    np.testing.assert_allclose(np.sqrt(found[:, :there]), expected, rtol=1e-5)
    assert np.isinf(found[:, there:]).all()


def test_equal_features_are_exactly_zero_apart():
    far = np.full((1, 33), 4.9, np.float32)  # by products: some 1e-5
    blocks = blocks_for(1, 1, 33)
    put(blocks, np.zeros(1, int), np.zeros(1, int), far)
    assert nearest(far, blocks, 1, 1)[0, 0] == 0


@pytest.mark.parametrize("build", CLASSES)
def test_remembers_in_the_features_of_today(build):
    """The encoder learns, so what is remembered must be told anew."""
    space, action = spaces.Box(-9, 9, (4,)), spaces.Discrete(3)
    reward = build(k=3, encoder="inverse", features=5, learning_rate=0.01)
    reward.setup(space, action, 1)
    rng = np.random.default_rng(5)
    for _ in range(3):
        obs, after = rng.normal(size=(2, 40, 2, 4)).astype(np.float32)
        act = rng.integers(0, 3, (40, 2))
        batch = replace(reaching(after), obs=obs, action=act)
        reward.compute(batch)
        reward.update(batch)
    memory = reward.memory
    assert memory.size == 240
    today = reward.encoder.encode_rows(memory.rows[:240]).numpy()
    query = reaching(rng.normal(size=(7, 2, 4)).astype(np.float32))
    features = reward.encoder.encode(query.next_obs).reshape(14, -1)
    apart = brute_force(features, today, 3)
    expected = {
        RE3: lambda: np.log1p(apart[:, -1]),
        KNNEntropy: lambda: np.log1p(apart.mean(1)),
        PseudoCount: lambda: (
            1
            / (np.sqrt((1e-3 / (apart**2 / reward.spacing.value + 1e-3)).sum(1)) + 1e-3)
        ),
    }[build]()
    np.testing.assert_allclose(reward.compute(query).ravel(), expected, rtol=1e-4)


def test_scores_against_the_memory_of_the_last_update():
    reward = plain(RE3(k=1, encoder="identity"))
    reward.update(reaching(column(0.0)))
    batch = reaching(column(3.0, 3.0))
    np.testing.assert_allclose(reward.compute(batch), np.log(4), rtol=1e-6)
    reward.update(batch)
    np.testing.assert_array_equal(reward.compute(batch), 0)


def test_reservoir_is_a_fair_sample():
    kept = np.zeros(40)
    for seed in range(400):
        memory = Reservoir(10, seed)
        for start, stop in ((0, 7), (7, 8), (8, 31), (31, 40)):
            memory.add(np.arange(start, stop, dtype=np.float32)[:, None])
        held = memory.rows[: memory.size, 0].astype(int)
        assert len(set(held)) == memory.size == 10
        kept[held] += 1
    # 10 of 40, in 400 tries: 100 each, deviation 8.7
    assert kept.min() > 60
    assert kept.max() < 140


def test_reservoir_keeps_all_that_fit_and_says_which_are_new():
    memory = Reservoir(5)
    np.testing.assert_array_equal(memory.add(np.eye(3, dtype=np.float32)), [0, 1, 2])
    np.testing.assert_array_equal(memory.rows[:3], np.eye(3))
    before = memory.rows.copy()
    before[3:] = np.nan
    new = memory.add(np.full((50, 3), 7, np.float32))
    old = np.setdiff1d(np.arange(5), new)
    assert {3, 4} <= set(new)
    np.testing.assert_array_equal(memory.rows[new], 7)
    np.testing.assert_array_equal(memory.rows[old], before[old])


@pytest.mark.parametrize("build", CLASSES)
def test_memory_is_bounded(build):
    reward = build(k=2, capacity=50)
    for seed in range(3):
        obs = np.random.default_rng(seed).normal(size=(30, 4, 3)).astype(np.float32)
        reward.update(reaching(obs))
    assert reward.memory.size == 50
    assert reward.memory.rows.shape == (50, 3)


@pytest.mark.parametrize("build", CLASSES)
def test_one_step_at_a_time_is_the_rollout(build):
    obs = np.random.default_rng(1).normal(size=(60, 3, 3)).astype(np.float32)
    batch = reaching(obs)
    reward = plain(build(k=4, encoder="identity"))
    reward.update(rows(batch, 0, 30))
    before = reward.state_dict()
    whole = reward.compute(batch)
    steps = [reward.compute(rows(batch, t, t + 1)) for t in range(60)]
    np.testing.assert_array_equal(np.concatenate(steps), whole)
    assert whole.max() > whole[30:].min() > 0
    assert_equal(reward.state_dict(), before)  # compute moved nothing


def assert_equal(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    else:
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("build", CLASSES)
@pytest.mark.parametrize("encoder", ["random", "inverse"])
def test_resumes_bit_for_bit(build, encoder, tmp_path: Path):
    space = spaces.Dict({"a": spaces.Discrete(3), "b": spaces.Box(-9, 9, (2,))})
    action = spaces.Discrete(2)

    def batch(seed: int) -> Any:
        rng = np.random.default_rng(seed)
        obs = [
            {
                "a": rng.integers(0, 3, (20, 2)),
                "b": rng.normal(size=(20, 2, 2)).astype(np.float32),
            }
            for _ in range(2)
        ]
        made = reaching(obs[0])
        return replace(made, obs=obs[1], action=rng.integers(0, 2, (20, 2)))

    def built() -> Any:
        reward = build(k=2, encoder=encoder, features=4, hidden=8, capacity=30)
        reward.setup(space, action, 4)
        return reward

    straight, resumed = built(), built()
    for seed in range(3):
        straight.compute(batch(seed))
        straight.update(batch(seed))
    checkpoint.save(tmp_path / "state", straight.state_dict())
    resumed.load_state_dict(checkpoint.load(tmp_path / "state"))
    for seed in range(3, 6):
        paid = straight.compute(batch(seed))
        assert paid.min() < paid.max()
        np.testing.assert_array_equal(resumed.compute(batch(seed)), paid)
        assert resumed.update(batch(seed)) == straight.update(batch(seed))


def test_setup_does_not_undo_what_was_loaded():
    reward, other = RE3(k=1, encoder="identity"), RE3(k=1, encoder="identity")
    reward.update(reaching(column(1.0, 2.0)))
    other.load_state_dict(reward.state_dict())
    other.setup(None, None, 99)
    query = reaching(column(3.0))
    np.testing.assert_array_equal(other.compute(query), reward.compute(query))


def test_a_fresh_state_makes_a_fresh_reward():
    reward, fresh = RE3(), RE3()
    reward.update(reaching(column(1.0, 2.0)))
    reward.load_state_dict(fresh.state_dict())
    np.testing.assert_array_equal(reward.compute(reaching(np.ones((2, 1, 5)))), 0)


@pytest.mark.parametrize("build", CLASSES)
def test_constant_observations_pay_a_finite_bonus(build):
    reward, batch = build(), reaching(np.ones((20, 1, 3), np.float32))
    for _ in range(3):
        assert np.isfinite(reward.compute(batch)).all()
        assert np.isfinite(list(reward.update(batch).values())).all()
    assert np.ptp(reward.compute(batch)) == 0
    elsewhere = reaching(np.full((1, 1, 3), 9, np.float32))
    assert reward.compute(batch)[0, 0] < reward.compute(elsewhere)[0, 0] < np.inf


@pytest.mark.parametrize(
    ("build", "given_", "words"),
    [
        (RE3, {"k": 0}, "k is 0; it must be at least 1"),
        (RE3, {"capacity": 0}, "capacity is 0; it must be at least 1"),
        (RE3, {"k": 9, "capacity": 8}, "only 8 states are remembered"),
        (RE3, {"encoder": "cnn"}, "encoder is 'cnn'; allowed are identity"),
        (KNNEntropy, {"c": 0}, "c is 0; it must be positive"),
        (PseudoCount, {"epsilon": 0}, "epsilon is 0; it must be positive"),
        (PseudoCount, {"c": -1}, "c is -1; it must be positive"),
    ],
)
def test_refused_settings(build, given_, words):
    with pytest.raises(ValueError, match=words):
        build(**given_)


def test_another_capacity_is_refused():
    state = RE3(capacity=64).state_dict()
    with pytest.raises(ValueError, match=r"capacity of 32, the saved one of 64"):
        RE3(capacity=32).load_state_dict(state)
