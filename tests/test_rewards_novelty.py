"""Counts: golden numbers, a dictionary as reference, and the table of hashes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_batches import batch_of, column, reaching, rows

from curiosity_rl.rewards.hashing import SMALLEST, CountTable, hash_rows
from curiosity_rl.rewards.novelty import Count


def test_golden():
    reward = Count()
    reward.setup(spaces.Discrete(5), spaces.Discrete(2), 0)
    batch = reaching(np.array([[3, 4], [3, 3]]))
    paid = reward.compute(batch)
    assert paid.dtype == np.float32
    np.testing.assert_array_equal(paid, 1)  # nothing counted before this batch
    np.testing.assert_array_equal(reward.compute(batch), 1)  # compute never learns
    assert reward.update(batch) == {"states_counted": 2.0}
    again = reward.compute(reaching(np.array([[3, 4], [0, 3]])))
    np.testing.assert_allclose(again, [[0.5, 2**-0.5], [1, 0.5]])  # n = 3, 1, 0


def test_the_state_reached_is_counted_at_an_end_too():
    reward = Count(mode="exact")
    batch = reaching(column(1, 2, 3), np.array([[False], [True], [False]]))
    reward.compute(batch)
    reward.update(batch)
    paid = reward.compute(reaching(column(0, 2, 3)))  # 0 is only where we came from
    np.testing.assert_allclose(paid[:, 0], [1, 2**-0.5, 2**-0.5])


def test_golden_actions():
    """Only what was done in the state left counts, not where it led."""
    reward = Count(actions=True)
    reward.setup(spaces.Discrete(5), spaces.Discrete(2), 0)
    obs, action = np.array([[3, 3], [3, 4]]), np.array([[0, 0], [1, 0]])
    batch = replace(reaching(np.full((2, 2), 1)), obs=obs, action=action)
    np.testing.assert_array_equal(reward.compute(batch), 1)
    assert reward.update(batch) == {"states_counted": 3.0}
    again = replace(batch, next_obs=np.full((2, 2), 2))
    third, second = 3**-0.5, 2**-0.5
    np.testing.assert_allclose(
        reward.compute(again), [[third, third], [second, second]]
    )
    other = replace(batch, obs=obs - 3, action=1 - action)  # states 0 and 1
    np.testing.assert_array_equal(reward.compute(other), 1)


@pytest.mark.parametrize("mode", ["exact", "simhash"])
def test_actions_are_counted_in_every_kind_of_state(mode):
    rng = np.random.default_rng(3)
    box = spaces.Box(-2, 2, (3,), np.float32)
    reward, seen = Count(mode=mode, bits=64, actions=True), Counter()
    reward.setup(box, spaces.Discrete(2), 1)
    for _ in range(4):
        obs = rng.integers(-1, 2, (30, 2, 3)).astype(np.float32)
        action = rng.integers(0, 2, (30, 2))
        batch = replace(reaching(0 * obs), obs=obs, action=action)
        rows = zip(obs.reshape(60, 3), action.ravel(), strict=True)
        keys = [(row.tobytes(), int(a)) for row, a in rows]
        expected = [(seen[k] + 1) ** -0.5 for k in keys]
        np.testing.assert_allclose(reward.compute(batch).ravel(), expected, rtol=1e-6)
        reward.update(batch)
        seen.update(keys)
    assert reward.table.size == len(seen)


def test_actions_that_cannot_be_counted_are_refused():
    with pytest.raises(ValueError, match="the state left; give a function"):
        Count(key="place", actions=True)
    reward = Count(mode="exact", actions=True)
    reward.setup(spaces.Discrete(5), spaces.Box(-1, 1, (1,)), 0)
    batch = reaching(np.array([[3, 4]]))
    with pytest.raises(ValueError, match="they must be discrete"):
        reward.compute(replace(batch, action=np.zeros((1, 2, 1), np.float32)))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), batches=st.integers(1, 5), width=st.integers(1, 11))
def test_exact_counts_are_those_of_a_dictionary(seed, batches, width):
    rng = np.random.default_rng(seed)
    reward, seen = Count(mode="exact"), Counter()
    for _ in range(batches):
        obs = rng.integers(0, 2, size=(30, 2, width)).astype(np.uint8)
        batch = reaching(obs)
        keys = [row.tobytes() for row in obs.reshape(60, width)]
        expected = [(seen[k] + 1) ** -0.5 for k in keys]
        np.testing.assert_allclose(reward.compute(batch).ravel(), expected, rtol=1e-6)
        reward.update(batch)
        seen.update(keys)
        assert reward.table.size == len(seen)


@pytest.mark.parametrize("mode", ["exact", "simhash"])
def test_one_step_at_a_time_is_the_rollout(mode):
    batch = reaching(np.random.default_rng(1).normal(size=(60, 3, 3)).round())
    reward = Count(mode=mode, bits=6)
    reward.update(rows(batch, 0, 30))
    whole = reward.compute(batch)
    steps = [reward.compute(rows(batch, t, t + 1)) for t in range(60)]
    np.testing.assert_array_equal(np.concatenate(steps), whole)
    assert whole.min() < 0.6 < whole.max()


def test_simhash_puts_like_to_like():
    rng = np.random.default_rng(2)
    obs = rng.uniform(-9, 9, size=(1, 50, 20)).astype(np.float32)
    reward = Count(bits=48)
    reward.setup(spaces.Box(-9, 9, (20,)), spaces.Discrete(2), 5)
    reward.update(reaching(obs))
    assert reward.table.size == 50
    near = reward.compute(reaching(obs + np.float32(1e-4)))
    assert (near < 1).mean() > 0.9
    np.testing.assert_array_equal(reward.compute(reaching(-obs)), 1)


def test_simhash_golden():
    # planes x > 0, y > 0 and x + y > 1 of the square [-1, 1]^2
    reward = Count(mode="simhash", bits=3)
    planes = np.array([[1, 0, 1], [0, 1, 1], [0, 0, -1]], np.float32)
    low, high = np.full(2, -1, np.float32), np.full(2, 1, np.float32)
    code = {"planes": planes, "low": low, "high": high, "measured": True}
    reward.load_state_dict(reward.state_dict() | {"code": code})
    seen = np.array([[[0.9, 0.9], [0.8, 0.3], [0.2, 0.2], [0.5, -0.1]]])
    reward.update(reaching(seen))
    asked = np.array([[[0.6, 0.6], [0.4, 0.1], [0.9, -0.9], [-0.5, -0.5]]])
    paid = reward.compute(reaching(asked))
    np.testing.assert_allclose(paid[0], [3**-0.5, 2**-0.5, 2**-0.5, 1])


@pytest.mark.parametrize("bounded", [True, False])
def test_simhash_tells_states_of_few_numbers_apart(bounded):
    """Signs of A s alone put every state and its double into one code."""
    edge = 10 if bounded else np.inf
    reward = Count(bits=32)
    low = 0 if bounded else -np.inf
    reward.setup(spaces.Box(low, edge, (1,), np.float32), None, 1)
    line = np.linspace(0, 10, 1000, dtype=np.float32).reshape(10, 100, 1)
    reward.update(reaching(line))
    assert reward.table.size > 10


def test_simhash_measures_once_and_counts_what_it_measured():
    reward = Count(bits=32)
    reward.setup(spaces.Box(-np.inf, np.inf, (2,), np.float32), None, 1)
    rng = np.random.default_rng(0)
    batch = reaching((100 + rng.normal(size=(30, 4, 2))).astype(np.float32))
    np.testing.assert_array_equal(reward.compute(batch), 1)
    reward.update(batch)
    code = reward.state_dict()["code"]
    np.testing.assert_allclose((code["low"] + code["high"]) / 2, 100, atol=0.5)
    assert reward.table.size > 10
    assert reward.compute(batch).max() < 1  # under the codes that were counted
    reward.update(reaching(np.zeros((3, 4, 2), np.float32)))
    np.testing.assert_array_equal(reward.state_dict()["code"]["low"], code["low"])


def test_equal_seeds_draw_equal_planes():
    obs = reaching(np.random.default_rng(3).normal(size=(2, 2, 8)))
    drawn = []
    for seed in (7, 7, 8):
        reward = Count()
        reward.setup(spaces.Box(-9, 9, (8,)), None, seed)
        reward.compute(obs)
        drawn.append(reward.state_dict()["code"]["planes"])
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.any(drawn[0] != drawn[2])


def test_keys():
    info = {"room": column(1, 1, 2).astype(np.int64), "xy": np.zeros((3, 1, 2))}
    batch = batch_of(info)
    reward = Count(key="room")
    reward.update(batch)
    np.testing.assert_allclose(reward.compute(batch)[:, 0], [3**-0.5] * 2 + [2**-0.5])
    reward = Count(key="xy")
    reward.update(batch)
    np.testing.assert_allclose(reward.compute(batch), 0.5)
    reward = Count(key=lambda obs: np.floor(obs[..., :1]))
    batch = reaching(np.array([[[0.2, 5.0], [0.9, 7.0], [1.1, 7.0]]]))
    reward.update(batch)
    assert reward.table.size == 2
    with pytest.raises(ValueError, match="no 'door'"):
        Count(key="door").compute(batch)


def cases() -> list[tuple[spaces.Space, Any]]:
    n = np.random.default_rng(0).integers(2, size=(40, 1, 2))
    return [
        (spaces.Discrete(2), n[..., 0]),
        (spaces.MultiDiscrete([2, 2]), n),
        (spaces.MultiBinary(2), n.astype(np.int8)),
        (spaces.Box(0, 1, (2,)), 2 * n.astype(np.float32) - 1),
        (spaces.Box(0, 255, (1, 2), np.uint8), n[:, :, None].astype(np.uint8)),
        (
            spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Box(0, 1, (1,))}),
            {"a": n[..., 0], "b": n[..., 1:].astype(np.float32)},
        ),
        (
            spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Discrete(2)}),
            {"a": n[..., 0], "b": n[..., 1]},
        ),
    ]


@pytest.mark.parametrize(("space", "obs"), cases())
def test_every_space_and_resume(space, obs):
    batch = reaching(obs)
    reward = Count()
    reward.setup(space, spaces.Discrete(2), 3)
    assert np.all(reward.compute(batch) == 1)
    reward.update(batch)
    assert 1 < reward.table.size <= 4
    resumed = Count()
    resumed.load_state_dict(reward.state_dict())
    resumed.setup(space, spaces.Discrete(2), 99)  # does not undo what was loaded
    for one in (reward, resumed):
        one.update(rows(batch, 0, 7))
    np.testing.assert_array_equal(resumed.compute(batch), reward.compute(batch))


def test_state_is_a_copy():
    reward = Count(mode="exact")
    reward.update(reaching(column(1, 2)))
    state = reward.state_dict()
    reward.update(reaching(column(1, 2, 3)))
    assert state["table"]["counts"].tolist() == [1, 1]


def test_update_hashes_the_batch_it_is_given():
    reward = Count(mode="exact")
    reward.compute(reaching(column(1, 1)))
    reward.update(reaching(column(2)))  # another batch than computed
    np.testing.assert_allclose(
        reward.compute(reaching(column(1, 2)))[:, 0], [1, 2**-0.5]
    )


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"mode": "hash"}, "mode is 'hash'; allowed: auto, exact, simhash"),
        ({"bits": 65}, r"bits is 65; it must lie in 1\.\.64"),
        ({"mode": "simhash", "key": "room"}, "a key is counted exactly"),
    ],
)
def test_refused_settings(given_, words):
    with pytest.raises(ValueError, match=words):
        Count(**given_)


def test_other_width_is_refused():
    reward = Count()
    reward.compute(reaching(np.zeros((1, 1, 3))))
    with pytest.raises(ValueError, match=r"have 2 numbers.*counted some of 3"):
        reward.compute(reaching(np.zeros((1, 1, 2))))


def test_table_grows_and_keeps_every_count():
    rng = np.random.default_rng(6)
    table, seen = CountTable(), Counter()
    for _ in range(12):
        values = rng.integers(0, 40_000, size=5_000)
        table.add(hash_rows(values[:, None]))
        seen.update(values.tolist())
    every = np.arange(40_001)
    counts = table.look_up(hash_rows(every[:, None]))
    assert counts.tolist() == [seen[i] for i in range(40_001)]
    assert table.size == len(seen)
    copy = CountTable()
    copy.load_state_dict(table.state_dict())
    np.testing.assert_array_equal(copy.look_up(hash_rows(every[:, None])), counts)


def test_hashes_tell_rows_apart():
    grid = np.indices((40, 40, 40)).reshape(3, -1).T.astype(np.float32)
    assert len(np.unique(hash_rows(grid))) == len(grid)
    order = hash_rows(np.array([[1, 2], [2, 1]]))
    assert order[0] != order[1]
    zeros = hash_rows(np.array([[0.0], [-0.0]]))
    assert zeros[0] == zeros[1]
    assert len(np.unique(hash_rows(np.eye(8, 13, dtype=np.uint8)))) == 8


def test_full_table_shares_counts_and_stays_bounded():
    table = CountTable(capacity=100)
    known = np.arange(1, 101, dtype=np.uint64)
    table.add(known)
    late = np.arange(1000, 9000, dtype=np.uint64)
    for _ in range(3):
        table.add(late)
    table.add(known[:50])
    assert table.size == 100
    np.testing.assert_array_equal(table.look_up(known), np.repeat([2, 1], 50))
    assert table.look_up(late).min() >= 3  # shared: never less than their own
    assert len(table._keys) == SMALLEST
    copy = CountTable(capacity=100)
    copy.load_state_dict(table.state_dict())
    np.testing.assert_array_equal(copy.look_up(late), table.look_up(late))
    with pytest.raises(ValueError, match="capacity is 0"):
        CountTable(0)
