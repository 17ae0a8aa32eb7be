"""Information gain: about the pupil, about linear weights, about counted outcomes."""

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
from scipy.special import digamma, gammaln

from curiosity_rl.checkpoint import load, save
from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards import make_reward
from curiosity_rl.rewards.combinators import Scaled
from curiosity_rl.rewards.information import BayesLinear, BeliefGain, Dirichlet


def beliefs(before: list[float], after: list[float]) -> dict[str, np.ndarray]:
    return {
        "belief_before": np.array([[before]], np.float32),
        "belief": np.array([[after]], np.float32),
    }


def test_belief_gain_golden():
    # KL(.75 || .5) = .75 ln 1.5 + .25 ln .5 = .304099 - .173287 = .130812
    # KL(.2 || .4) = .2 ln .5 + .8 ln(4/3) = -.138629 + .230146 = .091516
    info = beliefs([0.5, 0.4, 0.3], [0.75, 0.2, 0.3])
    paid = BeliefGain().compute(batch_of(info))
    assert paid.dtype == np.float32
    assert paid.shape == (1, 1)
    assert paid[0, 0] == pytest.approx(0.130812 + 0.091516, abs=2e-6)
    info["needed"] = np.array([[[True, False, True]]])
    info["goal"] = np.array([[[False, True, True]]])
    needed = BeliefGain(mask="needed").compute(batch_of(info))
    assert needed[0, 0] == pytest.approx(0.130812, abs=2e-6)
    goal = BeliefGain(mask="goal").compute(batch_of(info))
    assert goal[0, 0] == pytest.approx(0.091516, abs=2e-6)


def test_certain_beliefs_are_clipped():
    # 0 -> 1 becomes .001 -> .999: .998 ln 999 = 6.892942
    paid = BeliefGain().compute(batch_of(beliefs([0.0], [1.0])))
    assert paid[0, 0] == pytest.approx(6.892942, abs=1e-5)
    # within the clipped ends nothing is left to learn
    assert BeliefGain().compute(batch_of(beliefs([0.9995], [1.0])))[0, 0] == 0


def test_belief_gain_is_never_negative_and_the_same_step_by_step():
    path = np.random.default_rng(0).random((81, 3, 5)).astype(np.float32)
    path[1:40, :, 0] = path[0, :, 0]
    path[1:] = path[:-1] + 0.01 * (path[1:] - path[:-1])  # small moves cancel most
    batch = batch_of({"belief_before": path[:-1], "belief": path[1:]})
    whole = BeliefGain().compute(batch)
    assert np.all(whole >= 0)
    assert whole.max() > 0
    steps = [BeliefGain().compute(rows(batch, t, t + 1)) for t in range(80)]
    np.testing.assert_array_equal(np.concatenate(steps), whole)


def test_belief_gain_refuses_what_the_world_does_not_show():
    with pytest.raises(ValueError, match="does not show the graph"):
        BeliefGain(mask="needed").compute(batch_of(beliefs([0.1], [0.2])))
    with pytest.raises(ValueError, match=r"no 'belief_before' .it has outcome"):
        BeliefGain().compute(batch_of({"outcome": column(1)}))
    with pytest.raises(ValueError, match="mask is 'target'"):
        BeliefGain(mask="target")  # type: ignore[arg-type]


def test_belief_gain_is_stateless():
    reward = make_reward("belief-gain", mask="goal")
    assert isinstance(reward, BeliefGain)  # in nats: not scaled unless asked for
    log = reward.update(batch_of(beliefs([0.1], [0.2])))
    # -.2 ln .2 - .8 ln .8
    assert log == {"belief_entropy": pytest.approx(0.500402, abs=1e-6)}
    assert reward.state_dict() == {}
    reward.load_state_dict({})


def transitions(obs: Any, action: Any, next_obs: Any) -> Transitions:
    return replace(reaching(np.asarray(next_obs)), obs=obs, action=np.asarray(action))


def wander(seed: int, steps: int = 30, lanes: int = 3) -> Transitions:
    rng = np.random.default_rng(seed)
    path = rng.normal(size=(steps + 1, lanes, 4)).astype(np.float32)
    return transitions(path[:-1], rng.integers(3, size=(steps, lanes)), path[1:])


def linear_reward(seed: int = 0, **kwargs: Any) -> Any:
    settings_ = {"width": 16, "features": 6, "hidden": 16} | kwargs
    reward = make_reward("bayes-linear", scale=False, **settings_)
    reward.setup(spaces.Box(-9, 9, (4,)), spaces.Discrete(3), seed)  # type: ignore[attr-defined]
    return reward


def test_bayes_linear_golden():
    # One unit, so phi = 1 wherever it is active. The identity of one number: F = 1.
    # noise .5, prior 2: first (1/2) ln(1 + 1 / (2 * .25)) = (1/2) ln 3 = .549306; after
    # three visits Lambda = 2 + 3 / .25 = 14: (1/2) ln(1 + 4 / 14) = .125657, and with
    # half of the evidence kept by an update with a fourth, Lambda = 2 + 6 + 4 = 12:
    # (1/2) ln(1 + 4 / 12) = .143841
    reward = BayesLinear(noise=0.5, prior=2.0, width=1, retain=0.5, encoder="identity")
    reward.setup(spaces.Box(-1, 1, (1,)), spaces.Discrete(1), 0)
    zeros = np.zeros((3, 1, 1), np.float32)
    batch = transitions(zeros, np.zeros((3, 1), np.int64), zeros)
    reward.compute(batch)
    reward.mixing.weight.abs_()  # the unit is active
    first = reward.compute(batch)
    np.testing.assert_allclose(first, 0.549306, atol=1e-6)
    log = reward.update(batch)
    # all that was learnt: (1/2) ln(14 / 2) = .972955
    assert log["information"] == pytest.approx(0.972955, abs=1e-6)
    np.testing.assert_allclose(reward.compute(batch), 0.125657, atol=1e-6)
    reward.update(rows(batch, 0, 1))
    np.testing.assert_allclose(reward.compute(batch), 0.143841, atol=1e-6)


def gaussian_kl(new: Any, old: Any) -> float:
    """KL of one Gaussian (mean, covariance) from another."""
    inverse = np.linalg.inv(old[1])
    apart = old[0] - new[0]
    logs = np.linalg.slogdet(old[1])[1] - np.linalg.slogdet(new[1])[1]
    trace = np.trace(inverse @ new[1])
    return float(0.5 * (trace + apart @ inverse @ apart - len(apart) + logs))


def posterior(phi: np.ndarray, y: np.ndarray, noise: float, prior: float) -> Any:
    precision = prior * np.eye(phi.shape[1]) + phi.T @ phi / noise**2
    covariance = np.linalg.inv(precision)
    return covariance @ phi.T @ y / noise**2, covariance


def test_bayes_linear_is_the_expected_divergence_of_posteriors():
    noise, prior, batch, more = 0.7, 1.5, wander(0, 10, 1), wander(1, 4, 1)
    reward = linear_reward(noise=noise, prior=prior, width=5)
    reward.update(batch)
    seen, asked = reward._phi(batch), reward._phi(more)
    np.testing.assert_allclose(np.square(asked).sum(1), 1, rtol=1e-6)
    y = np.random.default_rng(2).normal(size=len(seen))  # whatever: it cancels
    old = posterior(seen, y, noise, prior)
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    weights /= weights.sum()
    paid = reward.compute(more).ravel()
    for phi, gain in zip(asked, paid, strict=True):
        centre, spread = phi @ old[0], np.sqrt(noise**2 + phi @ old[1] @ phi)
        expected = 0.0
        for node, weight in zip(nodes, weights, strict=True):
            told = np.append(y, centre + spread * node)
            new = posterior(np.vstack([seen, phi]), told, noise, prior)
            expected += weight * gaussian_kl(new, old)
        assert gain == pytest.approx(6 * expected, rel=1e-5)  # 6 features alike


def test_bayes_linear_adds_up():
    # what single transitions gain one after another is what the posterior has gained
    reward, batch = linear_reward(encoder="random"), wander(3, 25, 1)
    reward.encoder.settle = 1
    start = reward.update(rows(batch, 0, 1))["information"]
    total, log = start, {"information": start}
    for t in range(1, 25):
        total += float(reward.compute(rows(batch, t, t + 1))[0, 0])
        log = reward.update(rows(batch, t, t + 1))
    assert log["information"] == pytest.approx(total, rel=1e-5)
    assert total > start > 0


def test_bayes_linear_tells_actions_and_places_apart():
    batch = wander(4, 60)
    one = replace(batch, action=np.zeros_like(batch.action))
    reward = linear_reward(width=64)
    for _ in range(20):
        reward.update(one)
    known = reward.compute(one).mean()
    assert reward.compute(replace(one, action=one.action + 1)).mean() > 5 * known
    assert reward.compute(replace(one, obs=-4 * one.obs)).mean() > 3 * known


def test_bayes_linear_stays_exact_after_ever_so_many_visits():
    reward, batch = linear_reward(noise=1e-3), wander(5, 1, 1)
    phi = reward._phi(batch)
    reward.evidence = 1e8 * phi.T @ phi / reward.noise**2
    # one direction was seen 1e8 times: (6 / 2) ln(1 + 1e-8), the prior no longer counts
    assert reward.compute(batch)[0, 0] == pytest.approx(3e-8, rel=0.05)


def test_bayes_linear_is_frozen_while_it_pays():
    reward, batch = linear_reward(), wander(6)
    reward.update(wander(7))
    whole = reward.compute(batch)
    assert whole.dtype == np.float32
    assert whole.shape == batch.shape
    assert np.all(whole > 0)
    steps = [reward.compute(rows(batch, t, t + 1)) for t in range(len(whole))]
    np.testing.assert_allclose(np.concatenate(steps), whole, rtol=1e-5)
    other = replace(batch, next_obs=batch.next_obs + 1, terminated=~batch.terminated)
    np.testing.assert_array_equal(reward.compute(other), whole)


@pytest.mark.parametrize("encoder", ["random", "inverse", "identity"])
def test_bayes_linear_goes_on_as_if_never_stopped(encoder, tmp_path):
    settings_ = {"encoder": encoder, "retain": 0.9, "batch_size": 32}
    reward = linear_reward(**settings_)
    fresh = reward.state_dict()
    reward.update(wander(8))
    save(tmp_path / "state", reward.state_dict())
    resumed = linear_reward(seed=5, **settings_)
    resumed.load_state_dict(load(tmp_path / "state"))
    for one in (reward, resumed):
        one.update(wander(9))
    np.testing.assert_array_equal(resumed.compute(wander(7)), reward.compute(wander(7)))
    resumed.load_state_dict(fresh)
    resumed.setup(spaces.Box(-9, 9, (4,)), spaces.Discrete(3), 0)
    again = linear_reward(**settings_)
    np.testing.assert_array_equal(resumed.compute(wander(7)), again.compute(wander(7)))


def test_bayes_linear_on_constant_observations():
    reward = linear_reward()
    ones = np.ones((20, 1, 4), np.float32)
    batch = transitions(ones, np.zeros((20, 1), np.int64), ones)
    for _ in range(3):
        assert np.all(np.isfinite(reward.compute(batch)))
        reward.update(batch)


def test_bayes_linear_settings():
    assert isinstance(make_reward("bayes-linear"), Scaled)
    assert BayesLinear.per_transition
    with pytest.raises(ValueError, match="noise is 0; it must be positive"):
        BayesLinear(noise=0)
    with pytest.raises(ValueError, match="prior is -1; it must be positive"):
        BayesLinear(prior=-1)
    with pytest.raises(ValueError, match=r"retain is 1.5; it must lie in \(0, 1\]"):
        BayesLinear(retain=1.5)
    with pytest.raises(ValueError, match="width is 0; it must be at least 1"):
        BayesLinear(width=0)


def moves(triples: list[tuple[int, int, int]]) -> Transitions:
    """One lane of (state, action, next state)."""
    s, a, after = (column(*values) for values in zip(*triples, strict=True))
    return transitions(s, a, after)


def counted(states: int, **kwargs: Any) -> Dirichlet:
    reward = Dirichlet(**kwargs)
    reward.setup(spaces.Discrete(states), spaces.Discrete(2), 0)
    return reward


def test_dirichlet_golden():
    # K = 2, alpha = 1. KL(Dir(2, 1) || Dir(1, 1)): densities 2 p and 1, so
    # int 2 p ln(2 p) dp = ln 2 - 1/2 = .193147
    reward = counted(2)
    batch = moves([(0, 1, 1)])
    paid = reward.compute(batch)
    assert paid.dtype == np.float32
    assert paid[0, 0] == pytest.approx(0.193147, abs=1e-6)
    surprise = pytest.approx(np.log(2))  # two states, none counted
    assert reward.update(batch) == {"transitions_counted": 1.0, "surprise": surprise}
    # the same again: KL(Dir(3, 1) || Dir(2, 1)), 3 p^2 from 2 p: int 3 p^2 ln(1.5 p) =
    # ln 1.5 - 1/3 = .072132; the other way: 6 p (1 - p) from 2 p:
    # int 6 p (1 - p) ln(3 (1 - p)) = ln 3 - 5/6 = .265279
    paid = reward.compute(moves([(0, 1, 1), (0, 1, 0), (0, 0, 1), (1, 1, 1)]))
    expected = [0.072132, 0.265279, 0.193147, 0.193147]
    np.testing.assert_allclose(paid[:, 0], expected, atol=1e-6)


def divergence(new: np.ndarray, old: np.ndarray) -> float:
    """KL of one Dirichlet distribution from another, by the general formula."""
    logs = gammaln(new.sum()) - gammaln(new).sum()
    logs -= gammaln(old.sum()) - gammaln(old).sum()
    return float(logs + (new - old) @ (digamma(new) - digamma(new.sum())))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), alpha=st.sampled_from([0.05, 0.5, 1.0, 3.0]))
def test_dirichlet_is_what_a_dictionary_says(seed, alpha):
    rng = np.random.default_rng(seed)
    reward, counts = counted(4, alpha=alpha), Counter()
    for _ in range(4):
        s, a, after = rng.integers([[[4]], [[2]], [[4]]], size=(3, 15, 2))
        batch = transitions(s, a, after)
        paid = reward.compute(batch)
        for gain, *where in zip(paid.flat, s.flat, a.flat, after.flat, strict=True):
            state, action, came = (int(value) for value in where)
            old = np.array([alpha + counts[state, action, k] for k in range(4)])
            expected = divergence(old + np.eye(4)[came], old)
            assert gain == pytest.approx(expected, rel=1e-4, abs=1e-7)
        reward.update(batch)
        counts.update(zip(s.flat, a.flat, after.flat, strict=True))


def test_dirichlet_is_frozen_while_it_pays():
    rng = np.random.default_rng(0)
    s, a, after = rng.integers([[[4]], [[2]], [[4]]], size=(3, 30, 2))
    batch, reward = transitions(s, a, after), counted(4)
    reward.update(rows(batch, 0, 20))
    whole = reward.compute(batch)
    steps = [reward.compute(rows(batch, t, t + 1)) for t in range(30)]
    np.testing.assert_array_equal(np.concatenate(steps), whole)
    ended = replace(batch, terminated=~batch.terminated)
    np.testing.assert_array_equal(reward.compute(ended), whole)


def test_dirichlet_counts_the_states_it_was_not_told_of():
    reward = Dirichlet()
    reward.setup(spaces.MultiDiscrete([9, 9]), spaces.Discrete(2), 0)
    assert reward.outcomes == 1  # nothing seen: whatever comes was the only outcome
    path = np.array([[0, 0], [0, 1], [1, 1], [0, 1]])[:, None]
    batch = transitions(path[:-1], np.zeros((3, 1), np.int64), path[1:])
    assert not np.any(reward.compute(batch))
    reward.update(batch)
    assert reward.outcomes == 4
    old = np.array([2.0, 1.0, 1.0, 1.0])
    expected = divergence(old + np.eye(4)[0], old)
    assert reward.compute(batch)[0, 0] == pytest.approx(expected, rel=1e-6)
    assert Dirichlet(states=7).outcomes == 7
    assert counted(5).outcomes == 5
    assert counted(5, key=lambda obs: obs // 2).outcomes == 1


def test_dirichlet_with_a_key():
    obs = np.random.default_rng(1).normal(size=(9, 1, 3))
    action = np.zeros((8, 1), np.int64)
    keyed = Dirichlet(states=2, key=lambda obs: obs[..., 0] > 0)
    keyed.setup(spaces.Box(-9, 9, (3,)), spaces.Discrete(1), 0)
    plain = counted(2)
    batch = transitions(obs[:-1], action, obs[1:])
    bits = (obs[..., 0] > 0).astype(np.int64)
    same = transitions(bits[:-1], action, bits[1:])
    for _ in range(2):
        np.testing.assert_array_equal(keyed.compute(batch), plain.compute(same))
        keyed.update(batch)
        plain.update(same)


def test_dirichlet_in_worlds_of_several_parts():
    space = spaces.Dict({"room": spaces.Discrete(3), "keys": spaces.MultiBinary(2)})
    reward = Dirichlet()
    reward.setup(space, spaces.MultiDiscrete([2, 2]), 0)
    room, keys = np.array([[0], [1], [2]]), np.eye(3, 2, dtype=np.int8)[:, None]
    obs = {"room": room[:-1], "keys": keys[:-1]}
    after = {"room": room[1:], "keys": keys[1:]}
    batch = transitions(obs, np.array([[[0, 1]], [[1, 0]]]), room[1:])
    batch = replace(batch, next_obs=after)
    reward.update(batch)
    assert reward.seen.size == 3
    assert reward.led.size == 2
    assert np.all(reward.compute(batch) > 0)


def test_dirichlet_goes_on_as_if_never_stopped(tmp_path):
    rng = np.random.default_rng(2)
    s, a, after = rng.integers([[[4]], [[2]], [[4]]], size=(3, 30, 2))
    batch, reward, resumed = transitions(s, a, after), counted(4), counted(4)
    reward.update(rows(batch, 0, 9))
    save(tmp_path / "state", reward.state_dict())
    resumed.load_state_dict(load(tmp_path / "state"))
    for one in (reward, resumed):
        one.update(rows(batch, 9, 20))
    np.testing.assert_array_equal(resumed.compute(batch), reward.compute(batch))
    assert np.any(resumed.compute(batch) != counted(4).compute(batch))


def test_batches_of_no_transition_pass():
    # a step in which every lane only restarts
    none = np.zeros((1, 0), np.int64)
    counts, linear = counted(4), linear_reward()
    real = np.zeros((1, 0, 4), np.float32)
    for reward, batch in (
        (counts, transitions(none, none, none)),
        (linear, transitions(real, none, real)),
    ):
        assert reward.compute(batch).shape == (1, 0)
        log = reward.update(batch)
        log.pop("posterior_entropy", None)  # the prior's
        assert set(log.values()) == {0.0}


def test_dirichlet_says_what_it_cannot_count():
    assert not isinstance(make_reward("dirichlet"), Scaled)  # nats mean something
    whole, real = np.zeros((2, 1), np.int64), np.zeros((2, 1, 3), np.float32)
    reward = Dirichlet()
    reward.setup(spaces.Box(-1, 1, (3,)), spaces.Discrete(2), 0)
    with pytest.raises(
        ValueError, match=r"must be discrete.*give key=.*'bayes-linear'"
    ):
        reward.compute(transitions(real, whole, real))
    reward.setup(spaces.Discrete(2), spaces.Box(-1, 1, (3,)), 0)
    with pytest.raises(ValueError, match="actions must be discrete"):
        reward.update(transitions(whole, real, whole))
    with pytest.raises(ValueError, match="alpha is 0; it must be positive"):
        Dirichlet(alpha=0)
    with pytest.raises(ValueError, match="states is 0; it must be at least 1"):
        Dirichlet(states=0)
    with pytest.raises(ValueError, match="key is 'room'; it must be a function"):
        Dirichlet(key="room")  # type: ignore[arg-type]
