"""Disagreement and Jensen-Renyi divergence of forward models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_batches import reaching, rows

from curiosity_rl.checkpoint import load, save
from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards import make_reward
from curiosity_rl.rewards.combinators import Scaled
from curiosity_rl.rewards.ensembles import Disagreement, JensenRenyi

NAMES = ("disagreement", "jensen-renyi")
SPACE, ACTIONS = spaces.Box(-9, 9, (4,)), spaces.Discrete(3)
SMALL: dict[str, Any] = {"features": 8, "hidden": 16, "batch_size": 32}


def walk(seed: int, steps: int = 40, lanes: int = 3) -> Transitions:
    """Observations that depend on the action, with ends of episodes."""
    rng = np.random.default_rng(seed)
    path = rng.normal(size=(steps + 1, lanes, 4)).astype(np.float32)
    action = rng.integers(3, size=(steps, lanes))
    path[1:, :, 0] = action
    batch = reaching(path[1:], rng.random((steps, lanes)) < 0.1)
    return replace(batch, obs=path[:-1], action=action)


def build(name: str, seed: int = 0, **kwargs: Any) -> Any:
    reward = make_reward(name, scale=False, **(SMALL | kwargs))
    reward.setup(SPACE, ACTIONS, seed)  # type: ignore[attr-defined]
    return reward


def gaussians(mean: Any, deviation: Any) -> th.Tensor:
    """Return what members with these Gaussians tell, `(M, B, 2 F)`.

    The logarithm of the variance is bent softly, so it is bent back here.
    """
    bent = np.log(np.asarray(deviation, float) ** 2)
    high = np.log(np.expm1(bent + 10)) - 10
    raw = 2 - np.log(np.expm1(2 - high))
    return th.tensor(np.concatenate([np.asarray(mean, float), raw], -1))


def test_disagreement_golden():
    # feature 1: 1, 2, 6 has mean 3 and variance (4 + 1 + 9) / 3; feature 2 agrees
    told = th.tensor([[[1.0, 5.0]], [[2.0, 5.0]], [[6.0, 5.0]]])
    assert float(Disagreement().spread(told)) == pytest.approx(14 / 3 / 2, rel=1e-6)
    # far from 0, where E[x^2] - E[x]^2 in float32 gives 0 or worse
    assert float(Disagreement().spread(told + 4096)) == pytest.approx(7 / 3, rel=1e-6)


def test_jensen_renyi_golden():
    reward = JensenRenyi()
    # Two Gaussians of variance 1, a distance d apart: int N_1 N_2 = e^(-d^2 / 4) times
    # int N_i^2, so the divergence is -ln((1 + e^(-d^2 / 4)) / 2), here with d = 2:
    # -ln((1 + .3678794) / 2) = .379885
    told = gaussians([[[0.0]], [[2.0]]], [[[1.0]], [[1.0]]])
    assert float(reward.spread(told)) == pytest.approx(0.379885, abs=1e-6)
    # nothing in common: ln 2
    told = gaussians([[[0.0]], [[50.0]]], [[[1.0]], [[1.0]]])
    assert float(reward.spread(told)) == pytest.approx(np.log(2), abs=1e-6)
    # Same mean, deviations 1 and 2. In units of 1 / sqrt(4 pi): int N_1^2 = 1,
    # int N_2^2 = 1/2, int N_1 N_2 = 1 / sqrt(2.5) = .632456. Mixture:
    # -ln((1 + .5 + 2 * .632456) / 4) = .369286, less the mean of 0 and ln 2: .022712
    told = gaussians([[[0.0]], [[0.0]]], [[[1.0]], [[2.0]]])
    assert float(reward.spread(told)) == pytest.approx(0.022712, abs=1e-6)
    # of two features, one apart and one agreed on: half; jointly, all of it
    told = gaussians([[[0.0, 7.0]], [[2.0, 7.0]]], [[[1.0, 2.0]], [[1.0, 2.0]]])
    assert float(reward.spread(told)) == pytest.approx(0.379885 / 2, abs=1e-6)
    joint = JensenRenyi(joint=True)
    assert float(joint.spread(told)) == pytest.approx(0.379885, abs=1e-6)


def by_integrals(mean: np.ndarray, deviation: np.ndarray) -> float:
    """The divergence by adding up densities on a fine grid of two dimensions."""
    line = np.linspace(-10, 10, 201)
    x = np.stack(np.meshgrid(line, line), -1)[:, :, None]
    z = (x - mean) / deviation
    density = np.exp(-0.5 * (z**2).sum(-1)) / (2 * np.pi * deviation.prod(-1))
    cell = (line[1] - line[0]) ** 2
    entropies = -np.log((density**2).sum((0, 1)) * cell)
    mixture = -np.log((density.mean(-1) ** 2).sum() * cell)
    return max(0.0, float(mixture - entropies.mean()))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), members=st.integers(2, 5))
def test_jensen_renyi_is_what_integrals_say(seed, members):
    rng = np.random.default_rng(seed)
    mean = rng.uniform(-2, 2, (members, 2))
    deviation = rng.uniform(0.4, 1.5, (members, 2))
    paid = JensenRenyi(joint=True).spread(gaussians(mean[:, None], deviation[:, None]))
    assert float(paid) == pytest.approx(by_integrals(mean, deviation), abs=1e-6)


def test_never_negative_where_widths_differ_much():
    # a needle in a broad one: about ln 4 of the mixture, less ln(100) / 2, so below 0
    told = gaussians([[[0.0]], [[0.0]]], [[[0.02]], [[2.0]]])
    assert float(JensenRenyi().spread(told)) == 0


@pytest.mark.parametrize("name", NAMES)
def test_members_that_agree_are_paid_nothing(name):
    reward, batch = build(name), walk(0)
    assert reward.compute(batch).min() > 1e-4
    with th.no_grad():
        for weight in reward.model.networks.parameters():
            weight[:] = weight[:1].clone()
    np.testing.assert_allclose(reward.compute(batch), 0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_shape_type_and_that_computing_moves_nothing(name):
    reward, batch = build(name), walk(0)
    first = reward.compute(batch)
    assert first.dtype == np.float32
    assert first.shape == batch.shape
    np.testing.assert_array_equal(reward.compute(batch), first)
    log = reward.update(batch)
    assert np.isfinite(log["forward_loss"])
    assert np.any(reward.compute(batch) != first)


@pytest.mark.parametrize("name", NAMES)
def test_one_step_at_a_time_is_the_rollout(name):
    reward, batch = build(name), walk(1)
    reward.update(walk(2))
    whole = reward.compute(batch)
    steps = [reward.compute(rows(batch, t, t + 1)) for t in range(len(whole))]
    np.testing.assert_allclose(np.concatenate(steps), whole, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_only_start_and_action_matter(name):
    reward, batch = build(name), walk(3)
    reward.update(batch)
    paid = reward.compute(batch)
    other = replace(batch, next_obs=batch.next_obs + 1, terminated=~batch.terminated)
    np.testing.assert_array_equal(reward.compute(other), paid)
    other = replace(batch, action=(batch.action + 1) % 3)
    assert np.any(reward.compute(other) != paid)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("encoder", ["random", "inverse", "identity"])
def test_what_was_seen_often_is_paid_less(name, encoder):
    reward = build(name, encoder=encoder, updates=4, learning_rate=3e-3)
    batch = walk(4)
    for _ in range(25):
        reward.update(batch)
    paid = reward.compute(batch)
    far = reward.compute(replace(batch, obs=-4 * batch.obs))
    assert paid.mean() < 0.7 * far.mean()


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_it_goes_on_as_if_never_stopped(name, tmp_path):
    reward = build(name, share=0.5)
    fresh = reward.state_dict()
    reward.update(walk(5))
    save(tmp_path / "state", reward.state_dict())
    resumed = build(name, seed=9, share=0.5)
    resumed.load_state_dict(load(tmp_path / "state"))
    for one in (reward, resumed):
        one.update(walk(6))
    np.testing.assert_array_equal(resumed.compute(walk(7)), reward.compute(walk(7)))
    resumed.load_state_dict(fresh)
    resumed.setup(SPACE, ACTIONS, 0)
    again = build(name, share=0.5)
    np.testing.assert_array_equal(resumed.compute(walk(7)), again.compute(walk(7)))


@pytest.mark.parametrize("name", NAMES)
def test_constant_observations_and_one_lane(name):
    reward = build(name)
    batch = reaching(np.ones((30, 1, 4), np.float32))
    batch = replace(batch, action=np.zeros((30, 1), np.int64))
    for _ in range(3):
        assert np.all(np.isfinite(reward.compute(batch)))
        reward.update(batch)


def test_settings():
    assert isinstance(make_reward("disagreement"), Scaled)
    assert isinstance(make_reward("jensen-renyi"), Scaled)
    assert Disagreement.per_transition
    assert JensenRenyi.per_transition
    with pytest.raises(ValueError, match="members is 1; it must be at least 2"):
        Disagreement(members=1)
    with pytest.raises(ValueError, match=r"share is 0; it must lie in \(0, 1\]"):
        make_reward("jensen-renyi", share=0)
    with pytest.raises(ValueError, match="encoder is 'cnn'"):
        make_reward("disagreement", encoder="cnn")


def test_share_gives_members_data_of_their_own():
    # equal weights and equal data would stay equal for ever
    reward = build("disagreement", share=0.5)
    batch = walk(8)
    reward.compute(batch)
    with th.no_grad():
        for weight in reward.model.networks.parameters():
            weight[:] = weight[:1].clone()
    reward.update(batch)
    apart = reward.compute(batch)
    assert apart.mean() > 1e-8
