"""Progress of the agent's own model: golden numbers, autograd, what noise earns."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from reward_batches import rows

from curiosity_rl.checkpoint import load, save
from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards import make_reward
from curiosity_rl.rewards.combinators import Scaled, score
from curiosity_rl.rewards.dynamics import Members
from curiosity_rl.rewards.model_progress import (
    GammaProgress,
    ModelReward,
    PredictionGain,
    RegionProgress,
    prediction_gain,
)
from curiosity_rl.rewards.networks import generator

SPACE, ACTIONS = spaces.Box(-9, 9, (4,)), spaces.Discrete(3)
SMALL: dict[str, Any] = {"hidden": 16, "features": 8, "batch_size": 32}
REGIONS: dict[str, Any] = {"capacity": 40, "smoothing": 4, "z": 0.5}
ALL: dict[str, Callable[..., ModelReward]] = {
    "region": lambda **s: RegionProgress(**REGIONS, **s),
    "region-by-progress": lambda **s: RegionProgress(split="progress", **REGIONS, **s),
    "gamma": GammaProgress,
    "gamma-positive": lambda **s: GammaProgress(positive=True, **s),
    "gain": PredictionGain,
}
each = pytest.mark.parametrize("name", ALL)


def built(name: str, **settings: Any) -> ModelReward:
    reward = ALL[name](**{**SMALL, **settings})
    reward.setup(SPACE, ACTIONS, 3)
    return reward


def walk(seed: int, steps: int = 40, lanes: int = 3) -> Transitions:
    """Points that halve and turn, with an episode's end now and then."""
    rng = np.random.default_rng(seed)
    obs = rng.normal(size=(steps, lanes, 4)).astype(np.float32)
    done = rng.random((steps, lanes)) < 0.1
    zero = np.zeros((steps, lanes), np.float32)
    action = rng.integers(3, size=(steps, lanes))
    return Transitions(obs, action, zero, obs[..., ::-1] / 2, done, done & False)


def taught(name: str, updates: int = 4, **settings: Any) -> ModelReward:
    reward = built(name, **settings)
    for seed in range(updates):
        reward.compute(walk(seed))
        reward.update(walk(seed))
    return reward


# golden numbers


def errors_of(reward: ModelReward, networks: Members, batch: Transitions) -> Any:
    """The forward error in NumPy, from the weights."""
    inputs, after = (x.double().numpy() for x in reward.model.inputs(batch))
    w1, b1, w2, b2 = (p.detach().double().numpy()[0] for p in networks.parameters())
    told = np.maximum(inputs @ w1 + b1, 0) @ w2 + b2
    return ((told - after) ** 2).mean(1)


def weights(networks: Members) -> list[np.ndarray]:
    return [p.detach().numpy().copy() for p in networks.parameters()]


def test_region_progress_files_errors_before_it_learns_from_them():
    reward = RegionProgress(split="none", z=0.0, kind="signed", **SMALL)
    reward.setup(SPACE, ACTIONS, 3)
    first, second = walk(0), walk(1)
    assert not reward.compute(first).any()
    # the first features have no moments: those of the first batch are moved at once
    untaught = RegionProgress(updates=0, **SMALL)
    untaught.setup(SPACE, ACTIONS, 3)
    untaught.update(first)
    before = errors_of(untaught, untaught.model.networks, first).mean()
    reward.update(first)
    assert not reward.compute(first).any()
    after = errors_of(reward, reward.model.networks, second).mean()
    reward.update(second)
    np.testing.assert_allclose(reward.compute(walk(2)), before - after, rtol=1e-3)
    assert before - after > 0.01


def test_gamma_progress_follows_the_weights_before_each_step():
    # 120 transitions in one minibatch: one step of Adam per update
    settings = {**SMALL, "batch_size": 120, "learning_rate": 0.03}
    reward = GammaProgress(gamma=0.75, **settings)
    reward.setup(SPACE, ACTIONS, 3)
    batch = walk(0)
    assert not reward.compute(batch).any()
    old = weights(reward.model.networks)
    for update in range(4):
        new = weights(reward.model.networks)
        old = [0.75 * a + 0.25 * b for a, b in zip(old, new, strict=True)]
        reward.update(walk(update))
        for mine, its in zip(weights(reward.old), old, strict=True):
            np.testing.assert_allclose(mine, its, atol=1e-6)
    gain = errors_of(reward, reward.old, batch)
    gain -= errors_of(reward, reward.model.networks, batch)
    np.testing.assert_allclose(reward.compute(batch).ravel(), gain, atol=1e-5)
    assert gain.mean() > 0.01
    assert gain.min() < 0
    reward.positive = True
    np.testing.assert_allclose(reward.compute(batch).ravel(), gain.clip(0), atol=1e-5)


def members(inputs: int, hidden: int, outputs: int, seed: int = 0) -> Members:
    return Members(1, inputs, hidden, outputs, generator(seed)).requires_grad_(False)


def test_prediction_gain_golden():
    network = members(1, 1, 1)
    network.weight_1.fill_(1.0)
    network.weight_2.fill_(3.0)
    # x = 2: z = h = 2, y = 6, aim 1: loss 25, dL/dy = 10. Gradients: of W2 and b2 20
    # and 10, of W1 and b1 60 and 30. After a step of .01: W1 = .4, b1 = -.3,
    # W2 = 2.8, b2 = -.1, so h = .5, y = 1.3, loss .09
    gain = prediction_gain(network, th.tensor([[2.0]]), th.tensor([[1.0]]), 0.01)
    assert float(gain) == pytest.approx(25 - 0.09, rel=1e-5)


@pytest.mark.parametrize("step", [1e-3, 0.1, 1.0])
def test_prediction_gain_is_a_step_of_autograd(step):
    network = members(5, 12, 3)
    rng = np.random.default_rng(0)
    for bias in (network.bias_1, network.bias_2):
        bias.copy_(th.from_numpy(rng.normal(size=bias.shape)))
    x = th.from_numpy(rng.normal(size=(30, 5)).astype(np.float32))
    aim = th.from_numpy(rng.normal(size=(30, 3)).astype(np.float32))
    slow, switched = [], 0
    for i in range(30):
        scratch = members(5, 12, 3).double()
        scratch.load_state_dict(network.state_dict())
        scratch.requires_grad_(True)
        row, target = x[i : i + 1].double(), aim[i].double()
        before = (scratch(row)[0, 0] - target).square().mean()
        before.backward()
        z = row @ scratch.weight_1[0] + scratch.bias_1[0]
        with th.no_grad():
            for parameter in scratch.parameters():
                assert parameter.grad is not None
                parameter -= step * parameter.grad
            after = (scratch(row)[0, 0] - target).square().mean()
            moved = row @ scratch.weight_1[0] + scratch.bias_1[0]
            switched += int((moved * z < 0).sum())
        slow.append(float((before - after).detach()))
    gain = prediction_gain(network, x, aim, step).numpy()
    np.testing.assert_allclose(gain, slow, rtol=2e-4, atol=1e-6)
    assert step < 0.1 or switched > 0  # units that go off are part of it
    assert step < 1 or min(slow) < 0  # so is overshooting


def test_prediction_gain_pays_it_for_every_transition():
    reward, batch = taught("gain", learning_rate=0.01), walk(9)
    inputs, after = reward.model.inputs(batch)
    gain = prediction_gain(reward.model.networks, inputs, after, 0.01)
    paid = reward.compute(batch)
    np.testing.assert_allclose(paid.ravel(), gain.detach().numpy(), rtol=1e-5)
    assert paid.min() >= 0


# what all promise


@each
def test_one_step_at_a_time_is_the_rollout(name):
    reward, batch = taught(name), walk(9)
    steps = [reward.compute(rows(batch, t, t + 1)) for t in range(40)]
    whole = reward.compute(batch)
    np.testing.assert_allclose(np.concatenate(steps), whole, rtol=1e-4, atol=1e-6)
    assert whole.dtype == np.float32
    assert whole.any()


@each
def test_compute_and_score_learn_nothing(name):
    reward, twin = taught(name), taught(name)
    paid = reward.compute(walk(9))
    for seed in (8, 9):  # one that update wants next, and one that it does not
        np.testing.assert_array_equal(
            score(reward, walk(seed)), twin.compute(walk(seed))
        )
    np.testing.assert_array_equal(reward.compute(walk(9)), paid)
    assert_equal(reward.state_dict(), twin.state_dict())
    # and update does not depend on what was computed before
    batch = walk(7)
    reward.compute(batch)
    assert reward.update(batch) == twin.update(batch)
    assert_equal(reward.state_dict(), twin.state_dict())


@each
@pytest.mark.parametrize("encoder", ["random", "inverse", "identity"])
@pytest.mark.parametrize("updates", [0, 3])
def test_resumes_bit_for_bit(name, encoder, updates, tmp_path):
    straight = taught(name, updates, encoder=encoder, proportion=0.7)
    resumed = taught(name, 1, encoder=encoder, proportion=0.7)  # all is overwritten
    save(tmp_path / "c", straight.state_dict())
    resumed.load_state_dict(load(tmp_path / "c"))
    for seed in range(5, 8):
        batch = walk(seed)
        np.testing.assert_array_equal(resumed.compute(batch), straight.compute(batch))
        assert resumed.update(batch) == straight.update(batch)
    assert_equal(resumed.state_dict(), straight.state_dict())


@each
def test_constant_observations_of_one_lane(name):
    zero, no = np.zeros((1, 1), np.float32), np.zeros((1, 1), bool)
    seven = np.full((1, 1, 4), 7, np.float32)
    batch = Transitions(seven, zero.astype(int), zero, seven, no, no)
    reward = built(name)
    for _ in range(60):
        assert np.isfinite(reward.compute(batch)).all()
        assert np.isfinite(list(reward.update(batch).values())).all()


@each
def test_own_random_numbers_only(name):
    before, legacy = th.random.get_rng_state(), numpy_state()
    one, two = taught(name), taught(name)
    assert th.equal(th.random.get_rng_state(), before)
    assert_equal(numpy_state(), legacy)
    assert_equal(one.state_dict(), two.state_dict())


def test_by_name():
    for name in ("region-progress", "gamma-progress", "prediction-gain"):
        reward = make_reward(name, hidden=8, learning_rate=0.01)
        assert isinstance(reward, Scaled)
        assert reward.per_transition
    assert isinstance(make_reward("gamma-progress", scale=False), GammaProgress)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: GammaProgress(gamma=1.0), r"gamma is 1.0; it must lie in \[0, 1\)"),
        (lambda: PredictionGain(step=0), "step is 0; it must be positive"),
        (lambda: RegionProgress(window=0), "window is 0"),
        (lambda: GammaProgress(encoder="best"), "encoder is 'best'"),  # type: ignore[arg-type]
        (lambda: GammaProgress(updates=-1), "updates is -1"),
    ],
)
def test_refused_settings(build, words):
    with pytest.raises(ValueError, match=words):
        build()


# what they are for

KNOWN, LEARNABLE, NOISE = range(3)


def three_areas(rng: np.random.Generator, mix: np.ndarray) -> Any:
    """Transitions within areas whose next point is 0, a smooth function, or noise."""
    shape = (64, 8)
    area = rng.integers(3, size=shape)
    point = rng.uniform(-1, 1, size=(*shape, 4))
    coins = rng.choice([-1.0, 1.0], size=point.shape)
    kinds = [area[..., None] == KNOWN, area[..., None] == LEARNABLE]
    after = np.select(kinds, [0 * point, np.tanh(2 * point @ mix)], coins)
    where = np.eye(3)[area]
    zero, no = np.zeros(shape, np.float32), np.zeros(shape, bool)
    obs, next_obs = (
        np.concatenate([where, x], -1).astype(np.float32) for x in (point, after)
    )
    return area, Transitions(obs, zero.astype(int), zero, next_obs, no, no)


def shares(reward: ModelReward, seed: int) -> np.ndarray:
    """Mean bonus per area, early and late, `(2, 3)`.

    Early is the 15th to 40th update, when one area is known and the means of the noise
    are too; late is the 40th to 65th.
    """
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(4, 4)) / 2
    reward.setup(spaces.Box(-2, 2, (7,)), ACTIONS, seed)
    paid = []
    for _ in range(65):
        area, batch = three_areas(rng, mix)
        bonus = reward.compute(batch)
        paid.append([bonus[area == a].mean() for a in (KNOWN, LEARNABLE, NOISE)])
        reward.update(batch)
    return np.array(paid[15:]).reshape(2, 25, 3).mean(1)


LEARNING: dict[str, Any] = {
    "encoder": "identity",
    "hidden": 64,
    "batch_size": 64,
    "learning_rate": 1e-3,
}


@pytest.mark.parametrize("seed", range(3))
def test_regions_pay_what_can_be_learnt(seed):
    early, late = shares(RegionProgress(**LEARNING), seed)
    # measured: known .01, noise .11 to .27 of learnable early, .03 to .17 late
    assert early[LEARNABLE] > 3 * max(early[KNOWN], early[NOISE])
    assert late[NOISE] < 0.25 * late[LEARNABLE]
    assert late[NOISE] / late[LEARNABLE] < 0.75 * early[NOISE] / early[LEARNABLE]


@pytest.mark.parametrize("seed", range(3))
def test_regions_cut_by_progress_tell_noise_off(seed):
    early, late = shares(RegionProgress(split="progress", **LEARNING), seed)
    # measured: noise .02 to .21 of learnable early, .03 to .06 late
    assert early[NOISE] < 0.35 * early[LEARNABLE]
    assert late[NOISE] < 0.15 * late[LEARNABLE]


@pytest.mark.parametrize("seed", range(3))
def test_an_old_model_pays_what_can_be_learnt(seed):
    early, late = shares(GammaProgress(gamma=0.99, **LEARNING), seed)
    # measured: known .20 to .57, noise .16 to .55 of learnable early, noise .14 to .32
    # late, when it is paid .07 to .19 of what it was
    assert early[LEARNABLE] > 1.5 * max(early[KNOWN], early[NOISE])
    assert late[NOISE] < 0.45 * late[LEARNABLE]
    assert late[NOISE] < 0.3 * early[NOISE]


def test_prediction_gain_goes_on_paying_for_noise():
    early, late = shares(PredictionGain(**LEARNING), 0)
    # measured: noise 11 times learnable early, 33 times late
    assert early[NOISE] > 5 * early[LEARNABLE]
    assert late[NOISE] > 15 * late[LEARNABLE]


def numpy_state() -> Any:
    """The state of NumPy's global generator."""
    return copy.deepcopy(np.random.get_state(legacy=False))  # noqa: NPY002


def assert_equal(a: Any, b: Any) -> None:
    """Nested dicts of tensors, arrays and primitives are equal, bit for bit."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_equal(a[key], b[key])
    else:
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
