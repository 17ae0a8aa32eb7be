"""DEIR: a slow reference, episodes, what the discriminator learns, resuming."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from reward_batches import reaching, rows

from curiosity_rl import checkpoint
from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards import make_reward
from curiosity_rl.rewards.combinators import Scaled, is_per_transition, score
from curiosity_rl.rewards.deir import DEIR
from curiosity_rl.rewards.discriminator import Queue

SMALL: dict[str, Any] = {"features": 5, "hidden": 12, "batch_size": 32, "queue": 64}
BOX = spaces.Box(-9, 9, (3,))


def built(seed: int = 0, space: Any = BOX, **settings: Any) -> DEIR:
    reward = DEIR(**{**SMALL, **settings})
    reward.setup(space, spaces.Discrete(3), seed)
    return reward


def play(seed: int = 0, steps: int = 30, lanes: int = 2, ends: float = 0.1) -> Any:
    """A random walk; the first observation of an episode is not where it ended."""
    rng = np.random.default_rng(seed)
    obs = rng.normal(size=(steps, lanes, 3)).astype(np.float32)
    end = rng.normal(size=(steps, lanes, 3)).astype(np.float32)
    done = rng.random((steps, lanes)) < ends
    last = rng.normal(size=(1, lanes, 3)).astype(np.float32)
    following = np.concatenate([obs[1:], last])
    next_obs = np.where(done[..., None], end, following)
    action = rng.integers(0, 3, (steps, lanes))
    return replace(reaching(next_obs, done), obs=obs, action=action)


def reference(reward: DEIR, batch: Transitions) -> np.ndarray:
    """The formula, an episode at a time, with torch's own GRU cell."""
    model = reward.model
    paid = np.zeros(batch.shape)
    for lane in range(batch.shape[1]):
        past: list[tuple[Any, Any]] = []
        h: Any = None
        for t in range(batch.shape[0]):
            with th.no_grad():
                if not past:
                    zero = th.zeros(1, reward.features)
                    e = model.trunk(reward.inputs.normalised(batch.obs[t, [lane]]))
                    past, h = [(e, zero)], model.cell(e, zero)
                e = model.trunk(reward.inputs.normalised(batch.next_obs[t, [lane]]))
                paid[t, lane] = min(
                    float((e - a).square().sum() / ((h - b).norm() + 1e-6))
                    for a, b in past
                )
                past.append((e, h))
                h = model.cell(e, h)
            if batch.done[t, lane]:
                past = []
    return paid


def test_is_the_formula():
    reward, batch = built(), play()
    reward.update(play(9))
    reward.forget()
    paid = reward.compute(batch)
    assert paid.dtype == np.float32
    assert batch.done.sum() > 3
    np.testing.assert_allclose(paid, reference(reward, batch), rtol=2e-4, atol=1e-6)


def test_golden():
    # embeddings are the observations; with no recurrent weights and gates of zero,
    # z = 1/2 and n = tanh(e_1, 0): h = h / 2 + n / 2
    reward = built(features=2, hidden=4, space=spaces.Box(-9, 9, (2,)))
    obs = np.array([[1, 0], [3, 0], [3, 2]], np.float32)[:, None]
    batch = replace(reaching(obs[1:]), obs=obs[:-1], action=np.zeros((2, 1), int))
    reward.compute(batch)
    reward.forget()
    model = reward.model
    with th.no_grad():
        for weight in model.parameters():
            weight.zero_()
        model.trunk.head[0].weight[:2] = th.eye(2)  # type: ignore[index]
        model.trunk.head[2].weight[:, :2] = th.eye(2)  # type: ignore[index]
        model.cell.weight_ih[4, 0] = 1
    h_0 = np.tanh(1) / 2
    h_1 = h_0 / 2 + np.tanh(3) / 2
    first = 4 / h_0  # (3, 0) from (1, 0), before which there was nothing
    second = min(8 / h_1, 4 / (h_1 - h_0))  # (3, 2) from (1, 0) and (3, 0)
    np.testing.assert_allclose(reward.compute(batch)[:, 0], [first, second], rtol=1e-5)
    # a replayed transition is an episode of one step
    alone = [first, 4 / (np.tanh(3) / 2)]
    np.testing.assert_allclose(score(reward, batch)[:, 0], alone, rtol=1e-5)


def test_staying_and_coming_back_pay_nothing():
    reward = built()
    path = np.array([0, 0, 1, 1, 0, 2])[:, None, None] * np.ones((1, 1, 3), np.float32)
    batch = replace(reaching(path[1:]), obs=path[:-1], action=np.zeros((5, 1), int))
    paid = reward.compute(batch)[:, 0]
    np.testing.assert_allclose(paid[[0, 2, 3]], 0, atol=1e-6)
    assert np.all(paid[[1, 4]] > 1e-3)


def test_the_memory_ends_with_the_episode_and_not_a_step_late():
    batch = play(3, ends=0.0)
    done = np.zeros((30, 2), bool)
    done[9, 0] = True
    cut = replace(batch, terminated=done)
    whole, ended = built().compute(batch), built().compute(cut)
    np.testing.assert_array_equal(whole[:, 1], ended[:, 1])
    np.testing.assert_array_equal(whole[:10, 0], ended[:10, 0])
    # from there on as if the episode were the first
    fresh = built().compute(rows(batch, 10, 30))
    np.testing.assert_allclose(ended[10:, 0], fresh[:, 0], rtol=1e-4)
    assert np.abs(whole[10:, 0] - fresh[:, 0]).max() > 0.01
    truncated = built().compute(replace(batch, truncated=done))
    np.testing.assert_array_equal(truncated, ended)
    reward = built()
    reward.compute(rows(batch, 0, 10))
    reward.forget()
    np.testing.assert_allclose(
        reward.compute(rows(batch, 10, 30)), fresh, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("capacity", [1, 4, 512])
def test_one_step_at_a_time_is_the_rollout(capacity):
    batch = play(4, steps=40)
    whole, stepwise = built(capacity=capacity), built(capacity=capacity)
    for reward in (whole, stepwise):
        reward.update(play(5))
    paid = whole.compute(batch)
    steps = [stepwise.compute(rows(batch, t, t + 1)) for t in range(40)]
    np.testing.assert_allclose(np.concatenate(steps), paid, rtol=1e-3, atol=1e-5)
    assert stepwise.memory.rows.shape == (2, capacity, 3)


def test_a_bounded_memory_knows_the_latest():
    path = np.arange(7.0)[:, None, None] * np.ones((1, 1, 3), np.float32)
    path = np.concatenate([path, path[:1], path[5:6]]).astype(np.float32)
    batch = replace(reaching(path[1:]), obs=path[:-1], action=np.zeros((8, 1), int))
    long, short = built().compute(batch)[:, 0], built(capacity=4).compute(batch)[:, 0]
    np.testing.assert_allclose(long[[6, 7]], 0, atol=1e-5)
    assert short[6] > 1e-3  # forgotten
    np.testing.assert_allclose(short[7], 0, atol=1e-5)  # not yet


def test_lanes_left_out_keep_their_episodes():
    batch = play(6, lanes=3, ends=0.0)
    whole = built().compute(batch)
    reward = built()
    reward.compute(rows(batch, 0, 10))
    some = np.array([2, 0])
    step = rows(batch, 10, 11)
    arrays = {
        name: value[:, some]
        for name, value in vars(step).items()
        if name not in ("info", "lanes")
    }
    part = Transitions(**arrays, lanes=some)
    paid = reward.compute(part)
    np.testing.assert_allclose(paid[0], whole[10, some], rtol=1e-4, atol=1e-6)
    assert np.isfinite(reward.update(part)["discriminator_loss"])


def test_memory_is_embedded_anew_after_an_update():
    # peers compare old embeddings with new ones: what was seen looks new again
    reward = built(updates=20, learning_rate=1e-2)
    path = np.random.default_rng(7).normal(size=(10, 1, 3)).astype(np.float32)
    batch = replace(reaching(path[1:]), obs=path[:-1], action=np.zeros((9, 1), int))
    reward.compute(batch)
    before = reward._seen.copy()
    reward.update(batch)
    assert np.abs(reward._seen - before).max() > 0.05
    back = replace(reaching(path[[4]]), obs=path[[9]], action=np.zeros((1, 1), int))
    assert reward.compute(back).item() < 1e-6
    # and as if all had been seen with today's model
    twin = built()
    twin.load_state_dict(reward.state_dict())
    twin.forget()
    twin.compute(batch)
    reward.load_state_dict(twin.state_dict())
    twin._embed_anew()
    for name in ("_seen", "_led", "_trajectory"):
        now, then = getattr(twin, name), getattr(reward, name)
        np.testing.assert_allclose(now[..., :10], then[..., :10], atol=1e-5)


def test_learns_to_tell_true_from_fake():
    # the action says where one goes: o' = o + move(a), fakes come from anywhere
    rng = np.random.default_rng(8)
    settings: dict[str, Any] = {
        "features": 16,
        "hidden": 32,
        "queue": 512,
        "batch_size": 128,
    }
    reward = built(learning_rate=1e-2, updates=4, **settings)
    losses = []
    for _ in range(25):
        obs = rng.normal(size=(64, 4, 3)).astype(np.float32)
        action = rng.integers(0, 3, (64, 4))
        after = obs + 2 * np.eye(3, dtype=np.float32)[action]
        done = np.ones((64, 4), bool)
        batch = replace(reaching(after, done), obs=obs, action=action)
        losses.append(reward.update(batch)["discriminator_loss"])
    assert losses[0] > 0.6
    assert losses[-1] < 0.35


def test_ends_of_episodes_are_learnt_from():
    # all episodes last a step: a peer would have nothing to learn from
    batch = play(10, ends=1.1)
    reward = built(updates=30, learning_rate=1e-2, batch_size=64)
    losses = [reward.update(batch)["discriminator_loss"] for _ in range(4)]
    assert losses[-1] < 0.8 * losses[0]


def test_compute_never_learns_and_score_moves_nothing():
    reward, batch = built(), play()
    reward.update(batch)
    paid = reward.compute(batch)
    state = reward.state_dict()
    score(reward, batch)
    assert_equal(reward.state_dict(), state)
    reward.compute(batch)
    for name in ("model", "trainer", "queue", "inputs", "learnt"):
        assert_equal(reward.state_dict()[name], state[name])
    assert paid.std() > 0
    assert not is_per_transition(reward)


def test_resumes_as_if_it_never_stopped(tmp_path: Path):
    batches = [play(i, steps=12) for i in range(6)]
    straight = built(capacity=8)
    for batch in batches[:3]:
        straight.compute(batch)
        straight.update(batch)
    straight.compute(batches[3])
    checkpoint.save(tmp_path / "c", straight.state_dict())
    resumed = built(capacity=8)
    resumed.load_state_dict(checkpoint.load(tmp_path / "c"))
    resumed.setup(BOX, spaces.Discrete(3), 99)  # does not undo what was loaded
    for one in (straight, resumed):
        one.update(batches[3])
    for batch in batches[4:]:
        np.testing.assert_array_equal(resumed.compute(batch), straight.compute(batch))
        assert resumed.update(batch) == straight.update(batch)
    assert_equal(resumed.state_dict(), straight.state_dict())
    straight.load_state_dict({})
    assert straight.state_dict() == {}


def test_training_knows_the_trajectory_across_updates():
    # one step an update, or all at once: the memory that is trained on is the same
    batch = play(11, steps=6, lanes=1)
    whole, stepwise = built(updates=0), built(updates=0)
    for reward in (whole, stepwise):
        reward.update(play(12, steps=1, lanes=1, ends=1.1))
    moments = whole.inputs.moments.state_dict()
    whole.compute(batch)
    whole.update(batch)
    for t in range(6):
        stepwise.inputs.moments.load_state_dict(whole.inputs.moments.state_dict())
        stepwise.compute(rows(batch, t, t + 1))
        stepwise.inputs.learn = lambda rows: None  # type: ignore[method-assign]
        stepwise.update(rows(batch, t, t + 1))
    assert moments["count"] == 1
    np.testing.assert_allclose(
        stepwise._learnt_trajectory, whole._learnt_trajectory, atol=1e-5
    )
    assert np.abs(whole._learnt_trajectory).max() > 0.01


def test_own_random_numbers_only():
    before = th.random.get_rng_state()
    states = []
    for seed in (3, 3, 4):
        reward = built(seed)
        reward.compute(play())
        reward.update(play())
        states.append(reward.state_dict())
    assert th.equal(th.random.get_rng_state(), before)
    assert_equal(states[0], states[1])
    weight = "cell.weight_hh"
    assert not th.equal(states[0]["model"][weight], states[2]["model"][weight])


def test_constant_observations_and_one_lane():
    batch = replace(
        reaching(np.zeros((1, 1, 3), np.float32)), action=np.zeros((1, 1), int)
    )
    reward = built()
    for _ in range(4):
        np.testing.assert_array_equal(reward.compute(batch), 0)
        assert np.isfinite(reward.update(batch)["discriminator_loss"])


def test_queue_is_a_ring_that_mixes_batches():
    queue, draw = Queue(16), th.Generator().manual_seed(0)
    for i in range(12):
        queue.put(np.full((30, 2), float(i), np.float32), draw)
        assert len(queue.filled()) == min(16, 2 * (i + 1))
    assert sorted(queue.filled()[:, 0]) == sorted([*range(4, 12)] * 2)
    other = Queue(16)
    other.load_state_dict(queue.state_dict())
    for one in (queue, other):
        one.put(np.full((1, 2), 99, np.float32), draw)
    np.testing.assert_array_equal(other.filled(), queue.filled())


def test_by_name():
    reward = make_reward("deir", features=4, updates=2, capacity=9)
    assert isinstance(reward, Scaled)
    assert isinstance(reward.reward, DEIR)
    assert reward.reward.memory.capacity == 9


@pytest.mark.parametrize("name", ["features", "hidden", "capacity", "queue"])
def test_refused_settings(name):
    with pytest.raises(ValueError, match=f"{name} is 0; it must be at least 1"):
        built(**{name: 0})


def assert_equal(a: Any, b: Any) -> None:
    """Nested dicts of tensors, arrays and primitives are equal, bit for bit."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_equal(a[key], b[key])
    else:
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
