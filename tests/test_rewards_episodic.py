"""Episodic novelty: golden numbers, slow references, ends of episodes, resuming."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_batches import batch_of, column, rows

from curiosity_rl import checkpoint
from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards.episodic import E3B, EpisodicCount, EpisodicKNN

CLASSES = [EpisodicCount, EpisodicKNN, E3B]


def along(obs: Any, next_obs: Any, done: np.ndarray | None = None) -> Transitions:
    shape = np.shape(next_obs)[:2]
    batch = batch_of({"step": np.zeros(shape)}, done)
    return replace(batch, obs=obs, next_obs=next_obs, action=np.zeros(shape, int))


def journey(seed: int, steps: int, lanes: int, width: int, ends: float = 0.1) -> Any:
    """Draw a walk whose episodes begin anywhere; states are met again and again."""
    rng = np.random.default_rng(seed)
    reached, begun = rng.integers(-2, 3, (2, steps, lanes, width)).astype(np.float32)
    done = rng.random((steps, lanes)) < ends
    obs = begun.copy()
    obs[1:] = np.where(done[:-1, :, None], begun[1:], reached[:-1])
    batch = along(obs, reached, done)
    cut = done & (rng.random(done.shape) < 0.5)
    action = rng.integers(0, 3, done.shape)
    return replace(batch, terminated=done & ~cut, truncated=cut, action=action)


def reference(
    batch: Transitions, pay: Callable[[np.ndarray, np.ndarray], float]
) -> np.ndarray:
    """Pay by what the episode has met; lane by lane, in plain Python."""
    out = np.empty(batch.shape)
    for lane in range(batch.shape[1]):
        met: list[np.ndarray] = []
        for t in range(batch.shape[0]):
            met = met or [batch.obs[t, lane]]
            out[t, lane] = pay(np.array(met, np.float64), batch.next_obs[t, lane])
            met.append(batch.next_obs[t, lane])
            if batch.done[t, lane]:
                met = []
    return out


def count(met: np.ndarray, state: np.ndarray) -> float:
    return (1 + (met == state).all(-1).sum()) ** -0.5


def ellipse(met: np.ndarray, state: np.ndarray, ridge: float = 0.1) -> float:
    inverse = np.linalg.inv(ridge * np.eye(met.shape[1]) + met.T @ met)
    return float(state @ inverse @ state)


def kernel_count(spacing: float, **given_: Any) -> Callable[..., float]:
    """Algorithm 1 of Never Give Up."""
    k, epsilon, c, cluster, most, capacity = (
        {
            "k": 10,
            "epsilon": 1e-3,
            "c": 1e-3,
            "cluster": 0.008,
            "max_similarity": 8.0,
            "capacity": 1024,
        }
        | given_
    ).values()

    def pay(met: np.ndarray, state: np.ndarray) -> float:
        squared = np.sort(((met[-capacity:] - state) ** 2).sum(-1))[:k]
        apart = np.maximum(squared / spacing - cluster, 0)
        total = np.sqrt((epsilon / (apart + epsilon)).sum()) + c
        return 0.0 if total > most else 1 / total

    return pay


def plain(build: Any, **given_: Any) -> Any:
    """Let features be the observations themselves, and settle the distance of k-NN."""
    if build is EpisodicCount:
        return build(mode="exact", **given_)
    reward = build(encoder="identity", **given_)
    reward.encoder.settle = 0
    if build is EpisodicKNN:
        reward.spacing.note(np.full(4, 2.5))
        reward.spacing.settle()
    return reward


def expected(build: Any, batch: Transitions, **given_: Any) -> np.ndarray:
    if build is EpisodicKNN:
        return reference(batch, kernel_count(2.5, **given_))
    return reference(batch, count if build is EpisodicCount else ellipse)


def test_golden_count():
    # 0 | 1 2 1 0, end | 1 | 1 1: the first state counts, and no visit outlives the end
    obs = column(0, 1, 2, 1, 1, 1).astype(int)
    reached = column(1, 2, 1, 0, 1, 1).astype(int)
    done = column(0, 0, 0, 1, 0, 0).astype(bool)
    paid = EpisodicCount().compute(along(obs, reached, done))
    assert paid.dtype == np.float32
    half = 2**-0.5
    np.testing.assert_allclose(paid[:, 0], [1, 1, half, half, half, 3**-0.5])
    assert paid[0, 0] == 1  # exactly: a gate may ask


def test_golden_e3b():
    # ridge .5: C = .5 + 1, then + 4, then (an end) .5 + 0
    batch = along(column(1, 2, 0), column(2, 1, 2), column(0, 1, 0).astype(bool))
    paid = plain(E3B, ridge=0.5).compute(replace(batch, **as_float(batch)))
    assert paid.dtype == np.float32
    np.testing.assert_allclose(paid[:, 0], [4 / 1.5, 1 / 5.5, 4 / 0.5], rtol=1e-6)


def as_float(batch: Transitions) -> dict[str, np.ndarray]:
    names = ("obs", "next_obs")
    return {k: getattr(batch, k)[..., None].astype(np.float32) for k in names}


def test_golden_knn():
    reward = EpisodicKNN(k=1, epsilon=0.1, c=0.25, cluster=0.1, encoder="identity")
    reward.encoder.settle = 0
    batch = along(column(0, 1, 0), column(1, 3, 0), column(0, 1, 0).astype(bool))
    batch = replace(batch, **as_float(batch))
    np.testing.assert_array_equal(reward.compute(batch), 0)  # no distance known yet
    log = reward.update(batch)
    assert log["neighbour_distance_squared"] == pytest.approx(5 / 3)  # of 1, 4, 0
    # 0 is met in this episode: K = 1. From 2 to 0: 4 / (5 / 3) - .1 = 2.3, K = 1 / 24
    again = along(np.zeros((2, 1, 1)), column(0.0, 2.0)[..., None])
    paid = reward.compute(again)
    assert paid.dtype == np.float32
    np.testing.assert_allclose(paid[:, 0], [0.8, 1 / (24**-0.5 + 0.25)], rtol=1e-6)


def test_knn_pays_nothing_before_a_distance_is_known():
    batch, reward, resumed = journey(2, 20, 2, 3), EpisodicKNN(), EpisodicKNN()
    for one in (reward, resumed):
        one.setup(spaces.Box(-9, 9, (3,)), spaces.Discrete(3), 2)
    np.testing.assert_array_equal(reward.compute(batch), 0)
    resumed.load_state_dict(reward.state_dict())
    np.testing.assert_array_equal(resumed.compute(batch), 0)
    resumed.update(batch)
    assert resumed.compute(batch).min() > 0


def test_knn_pays_nothing_for_what_is_known_too_well():
    reward = plain(EpisodicKNN, max_similarity=1.5)
    still = along(np.zeros((5, 1, 2)), np.zeros((5, 1, 2)))
    # sqrt of 1, 2, 3, .. states met, plus c
    np.testing.assert_allclose(
        reward.compute(still)[:, 0], [1 / 1.001, 1 / (2**0.5 + 0.001), 0, 0, 0], 1e-5
    )


def test_knn_moves_its_distance_in_update_only():
    batch = journey(3, 30, 2, 3)
    reward = plain(EpisodicKNN)
    reward.compute(batch)
    assert reward.spacing.value == 2.5
    reward.update(batch)

    def kth(met: np.ndarray, state: np.ndarray) -> float:
        return np.sort(((met - state) ** 2).sum(-1))[:10][-1]

    noted = reference(batch, kth)
    assert reward.spacing.value == pytest.approx((10 + noted.sum()) / (4 + 60))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    lanes=st.integers(1, 3),
    width=st.integers(1, 6),
    ends=st.sampled_from([0.0, 0.05, 0.4]),
    cuts=st.lists(st.integers(0, 90), max_size=4),
)
@pytest.mark.parametrize("build", CLASSES)
def test_any_cut_of_time_pays_as_the_reference(build, seed, lanes, width, ends, cuts):
    batch = journey(seed, 90, lanes, width, ends)
    reward = plain(build)
    marks = sorted({0, 90, *cuts})
    paid = [reward.compute(rows(batch, *span)) for span in itertools.pairwise(marks)]
    np.testing.assert_allclose(np.concatenate(paid), expected(build, batch), rtol=2e-5)


@pytest.mark.parametrize("build", CLASSES)
def test_one_step_at_a_time_is_the_rollout(build):
    batch = journey(4, 70, 3, 4)
    whole, steps = plain(build).compute(batch), plain(build)
    paid = [steps.compute(rows(batch, t, t + 1)) for t in range(70)]
    np.testing.assert_array_equal(np.concatenate(paid), whole)
    assert whole.min() < whole.max()


@pytest.mark.parametrize("build", CLASSES)
def test_lanes_left_out_keep_their_episode(build):
    batch = journey(5, 60, 3, 4, ends=0.1)
    whole = expected(build, batch)
    reward = plain(build)
    rng = np.random.default_rng(0)
    at = np.zeros(3, int)  # how far each lane is
    reward.compute(rows(batch, 0, 1))
    at += 1
    while at.max() < 60:
        lanes = rng.permutation(3)[: rng.integers(1, 4)]
        some = {
            f.name: getattr(batch, f.name)[at[lanes], lanes][None]
            for f in fields(batch)
            if f.name not in ("info", "lanes")
        }
        paid = reward.compute(Transitions(**some, lanes=lanes))
        np.testing.assert_allclose(paid[0], whole[at[lanes], lanes], rtol=2e-5)
        at[lanes] += 1


@pytest.mark.parametrize("build", CLASSES)
def test_the_end_is_on_time(build):
    """Neither a step late (as peers are) nor a step early."""
    state = np.full((4, 1, 1), 1, np.float32)
    done = column(0, 1, 0, 0).astype(bool)
    for names in ("terminated", "truncated"):
        batch = replace(along(state, state), **{names: done})
        paid = plain(build).compute(batch)[:, 0]
        assert paid[1] < paid[0] == paid[2] > paid[3]


@pytest.mark.parametrize("build", CLASSES)
def test_forget_begins_new_episodes(build):
    batch = journey(6, 20, 2, 3, ends=0)
    reward = plain(build)
    reward.forget()  # before anything was met
    first = reward.compute(batch)
    assert np.any(reward.compute(batch) != first)
    reward.forget()
    np.testing.assert_array_equal(reward.compute(batch), first)


def test_count_is_a_dictionary_however_long_the_episode():
    rng = np.random.default_rng(7)
    visited = rng.integers(0, 3000, (9000, 2))
    batch = along(np.full((9000, 2), -1), visited)
    reward, seen, whole = EpisodicCount(), [Counter(), Counter()], []
    for t in range(9000):
        row = []
        for lane in range(2):
            seen[lane][visited[t, lane]] += 1
            row.append(seen[lane][visited[t, lane]] ** -0.5)
        whole.append(row)
    spans = ((0, 50), (50, 51), (51, 4000), (4000, 9000))
    paid = [reward.compute(rows(batch, *span)) for span in spans]
    np.testing.assert_allclose(np.concatenate(paid), whole, rtol=1e-6)


def test_count_starts_over_when_its_memory_is_full():
    reward = EpisodicCount(capacity=3)
    batch = along(np.zeros((6, 1), int), column(1, 2, 1, 3, 3, 1).astype(int))
    half = 2**-0.5
    # 0, 1, 2 fill it; 3 is the first of the next three
    np.testing.assert_allclose(reward.compute(batch)[:, 0], [1, 1, half, 1, half, 1])


def test_count_by_a_key():
    info = {"room": column(1, 1, 2, 1).astype(int)}
    batch = batch_of(info, column(0, 0, 1, 0).astype(bool))
    # the room in which the episode begins is not reported
    paid = EpisodicCount(key="room").compute(batch)
    np.testing.assert_allclose(paid[:, 0], [1, 2**-0.5, 1, 1])
    batch = along(column(0.2, 5), column(0.9, 5.5))
    paid = EpisodicCount(key=np.floor).compute(batch)
    np.testing.assert_allclose(paid[:, 0], [2**-0.5, 1])
    with pytest.raises(ValueError, match="no 'door'"):
        EpisodicCount(key="door").compute(batch)


def test_knn_remembers_the_last_states_in_a_ring():
    batch = journey(8, 400, 2, 5, ends=0.01)
    paid = plain(EpisodicKNN, k=3, capacity=70).compute(batch)
    whole = expected(EpisodicKNN, batch, k=3, capacity=70)
    np.testing.assert_allclose(paid, whole, rtol=2e-5)
    assert np.any(whole != expected(EpisodicKNN, batch, k=3))


def test_e3b_stays_exact_over_long_episodes():
    rng = np.random.default_rng(9)
    path = (rng.normal(size=(30_000, 1, 6)) * [5, 1, 0.1, 1e-3, 0, 2]).astype("f")
    reward = plain(E3B, ridge=1e-3)
    paid = reward.compute(along(np.zeros_like(path), path))
    assert np.all(paid > 0)
    met, last = path[:-1, 0].clip(-5, 5).astype(float), path[-1, 0].clip(-5, 5)
    np.testing.assert_allclose(paid[-1, 0], ellipse(met, last, 1e-3), rtol=1e-5)


def learnt(build: Any, **given_: Any) -> Any:
    reward = build(
        encoder="inverse", features=4, hidden=8, learning_rate=0.05, **given_
    )
    reward.setup(spaces.Box(-9, 9, (3,)), spaces.Discrete(3), 2)
    return reward


@pytest.mark.parametrize("build", [EpisodicKNN, E3B])
@pytest.mark.parametrize("capacity", [1024, 6])
def test_an_encoder_that_moves_in_mid_episode(build, capacity):
    """What the episode met is told anew in the features of today."""
    batch = journey(10, 24, 2, 3, ends=0.08)
    assert batch.done.any()
    assert not batch.done[19:].any()
    reward, given_ = learnt(build, capacity=capacity), {"capacity": capacity}
    for start in range(0, 20, 5):
        part = rows(batch, start, start + 5)
        reward.compute(part)
        reward.update(part)
    paid = reward.compute(rows(batch, 20, 21))[0]

    obs, after = (reward.encoder.encode(x) for x in (batch.obs, batch.next_obs))
    today = replace(batch, obs=obs, next_obs=after)
    if build is EpisodicKNN:
        pay = kernel_count(reward.spacing.value, **given_)
    else:

        def pay(met: np.ndarray, state: np.ndarray) -> float:
            return ellipse(met[-capacity:], state)

    np.testing.assert_allclose(paid, reference(today, pay)[20], rtol=1e-3)


@pytest.mark.parametrize("build", CLASSES)
@pytest.mark.parametrize("encoder", ["random", "inverse"])
def test_resumes_bit_for_bit_in_mid_episode(build, encoder, tmp_path: Path):
    def built() -> Any:
        small = {"encoder": encoder, "features": 4, "hidden": 8, "capacity": 9}
        reward = build(**({} if build is EpisodicCount else small))
        reward.setup(spaces.Box(-9, 9, (3,)), spaces.Discrete(3), 2)
        return reward

    batch = journey(11, 90, 2, 3, ends=0.03)
    straight, resumed = built(), built()
    for start in range(0, 40, 10):
        straight.compute(rows(batch, start, start + 10))
        straight.update(rows(batch, start, start + 10))
    straight.compute(rows(batch, 40, 45))  # saved between compute and update
    checkpoint.save(tmp_path / "state", straight.state_dict())
    resumed.load_state_dict(checkpoint.load(tmp_path / "state"))
    resumed.setup(spaces.Box(-9, 9, (3,)), spaces.Discrete(3), 2)
    for start in range(45, 90, 15):
        part = rows(batch, start, start + 15)
        paid = straight.compute(part)
        assert paid.min() < paid.max()
        np.testing.assert_array_equal(resumed.compute(part), paid)
        assert resumed.update(part) == straight.update(part)


@pytest.mark.parametrize("build", CLASSES)
def test_a_fresh_state_makes_a_fresh_reward(build):
    batch = journey(12, 20, 2, 3)
    reward = plain(build)
    fresh = reward.state_dict()
    first = reward.compute(batch)
    reward.load_state_dict(fresh)
    np.testing.assert_array_equal(reward.compute(batch), first)


@pytest.mark.parametrize("build", CLASSES)
def test_constant_observations_pay_a_finite_bonus(build):
    reward = build()
    reward.setup(spaces.Box(-9, 9, (3,)), spaces.Discrete(3), 2)
    still = np.ones((20, 1, 3), np.float32)
    for _ in range(3):
        assert np.isfinite(reward.compute(along(still, still))).all()
        log = reward.update(along(still, still))
        assert np.isfinite(list(log.values())).all()


@pytest.mark.parametrize("build", CLASSES)
def test_dict_and_discrete_observations(build):
    rng = np.random.default_rng(13)
    n = rng.integers(0, 2, (2, 30, 1))
    place = n[..., None].astype(np.float32)
    done = rng.random((30, 1)) < 0.2
    cases: list[tuple[Any, list[Any]]] = [
        (spaces.Discrete(2), [n[0], n[1]]),
        (
            spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Box(-1, 1, (1,))}),
            [{"a": n[i], "b": place[i]} for i in range(2)],
        ),
    ]
    for space, (obs, after) in cases:
        reward = build()
        reward.setup(space, spaces.Discrete(3), 0)
        batch = replace(along(n[0], n[1], done), obs=obs, next_obs=after)
        reward.compute(batch)
        reward.update(batch)
        paid = reward.compute(batch)
        assert paid.shape == (30, 1)
        assert np.isfinite(paid).all()
        assert paid.min() < paid.max()


@pytest.mark.parametrize("build", CLASSES)
def test_another_number_of_lanes_is_refused(build):
    reward = plain(build)
    reward.compute(journey(0, 3, 2, 2))
    with pytest.raises(ValueError, match="remembers 2 lanes and was given 3"):
        reward.compute(journey(0, 3, 3, 2))


@pytest.mark.parametrize(
    ("build", "given_", "words"),
    [
        (EpisodicCount, {"capacity": 0}, "capacity is 0; it must be at least 1"),
        (EpisodicCount, {"mode": "hash"}, "mode is 'hash'; allowed: auto"),
        (EpisodicKNN, {"k": 0}, "k is 0; it must be at least 1"),
        (EpisodicKNN, {"epsilon": 0}, "epsilon is 0; it must be positive"),
        (EpisodicKNN, {"encoder": "cnn"}, "encoder is 'cnn'; allowed are identity"),
        (E3B, {"ridge": 0}, "ridge is 0; it must be positive"),
        (E3B, {"capacity": 0}, "capacity is 0; it must be at least 1"),
    ],
)
def test_refused_settings(build, given_, words):
    with pytest.raises(ValueError, match=words):
        build(**given_)


def test_another_capacity_is_refused():
    reward = plain(E3B, capacity=9)
    reward.compute(journey(1, 20, 1, 2, ends=0))
    with pytest.raises(ValueError, match="does not fit a capacity of 8"):
        E3B(capacity=8).load_state_dict(reward.state_dict())
