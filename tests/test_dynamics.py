"""Forward models: golden numbers, members on their own, likelihood, state."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import moving_point
import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from reward_batches import reaching, rows

from curiosity_rl import checkpoint
from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards.dynamics import ForwardModel, Members, split
from curiosity_rl.rewards.encoders import Encoder, Kind
from curiosity_rl.rewards.networks import Training, generator, pack

FAST = Training(learning_rate=3e-3, updates=4, batch_size=64)


def model(
    kind: Kind = "identity", seed: int = 0, training: Training = FAST, **settings: Any
) -> ForwardModel:
    """A forward model of the moving point."""
    options: dict[str, Any] = vars(training)
    encoder = Encoder(kind, features=8, hidden=32, **options)
    built = ForwardModel(encoder, hidden=32, training=training, **settings)
    built.setup(moving_point.SPACE, moving_point.ACTION, seed)
    return built


def point(seed: int = 0, **settings: Any) -> Transitions:
    return moving_point.play(np.random.default_rng(seed), **settings)


def by_hand(members: Members, x: np.ndarray) -> np.ndarray:
    """What members tell, number by number."""
    w1, b1, w2, b2 = (value.detach().numpy() for value in members.parameters())
    out = np.zeros((len(w1), len(x), w2.shape[2]))
    for m in range(len(w1)):
        for i, row in enumerate(x):
            hidden = [max(0.0, row @ w1[m][:, j] + b1[m][0, j]) for j in range(4)]
            for k in range(w2.shape[2]):
                out[m, i, k] = np.array(hidden) @ w2[m][:, k] + b2[m][0, k]
    return out


def test_members_are_networks_side_by_side():
    members = Members(3, 5, 4, 2, generator(0))
    with th.no_grad():
        for value in (members.bias_1, members.bias_2):
            value.normal_(generator=generator(1))
    x = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    told = members(th.from_numpy(x))
    assert told.shape == (3, 7, 2)
    np.testing.assert_allclose(told.detach(), by_hand(members, x), rtol=1e-5, atol=1e-5)


def test_members_differ_from_the_start_and_are_orthogonal():
    before = th.random.get_rng_state()
    members = Members(3, 8, 4, 8, generator(0))
    assert th.equal(th.random.get_rng_state(), before)
    for weight in (members.weight_1, members.weight_2):
        for one in weight:
            square = one.T @ one if one.shape[0] > one.shape[1] else one @ one.T
            th.testing.assert_close(square, 2 * th.eye(4), atol=1e-5, rtol=0)
        assert not th.equal(weight[0], weight[1])
    assert not members.bias_1.any()
    assert not members.bias_2.any()


def test_members_do_not_touch_each_other():
    # three at once learn what each would learn alone, from the same minibatches
    x, batch = model(members=3), point()
    inputs, after = x.inputs(batch)
    start = pack(x.networks)
    together = x.fit(inputs, after)
    alone = []
    for m in range(3):
        one = model(members=1)
        one.inputs(batch)
        with th.no_grad():
            for name, value in one.networks.named_parameters():
                value.copy_(start[name][m : m + 1])
        one.trainer.generator.set_state(_before_training(members=3))
        alone.append(one.fit(inputs, after))
        for name, value in one.networks.named_parameters():
            th.testing.assert_close(
                value[0], dict(x.networks.named_parameters())[name][m]
            )
    assert together == pytest.approx(np.mean(alone), rel=1e-5)


def _before_training(**settings: Any) -> th.Tensor:
    """Return the generator's state after the weights are drawn."""
    fresh = model(**settings)
    fresh.inputs(point())
    return fresh.trainer.generator.get_state()


def test_inputs_and_errors_golden():
    encoder = Encoder("identity")
    forward = ForwardModel(encoder, members=2, hidden=1)
    forward.setup(spaces.Box(-9, 9, (2,)), spaces.Discrete(3, start=1), 0)
    batch = replace(
        reaching(np.array([[[4, 5]]], np.float32)),
        obs=np.array([[[1, 9]]], np.float32),
        action=np.array([[3]]),
    )
    inputs, after = forward.inputs(batch)
    assert inputs.tolist() == [[1, 5, 0, 0, 1]]  # clipped at 5; the last of three
    assert after.tolist() == [[4, 5]]
    with th.no_grad():
        forward.networks.weight_1.fill_(1.0)
        forward.networks.weight_2.copy_(th.tensor([[[1.0, 0.5]], [[0.0, 0.0]]]))
    # hidden: 1 + 5 + 1 = 7; the first tells 7 and 3.5, the second 0 and 0
    assert forward.predict(inputs).tolist() == [[[7, 3.5]], [[0, 0]]]
    assert forward.errors(batch).tolist() == [(3**2 + 1.5**2) / 2]
    losses = forward.losses(forward.predict(inputs), after)
    assert losses.tolist() == [[5.625], [20.5]]
    assert not forward.errors(batch).requires_grad


def test_likelihood_is_that_of_a_normal_distribution():
    forward = model(probabilistic=True, members=2)
    rng = np.random.default_rng(0)
    told = th.from_numpy(rng.normal(size=(2, 5, 6)))
    aim = th.from_numpy(rng.normal(size=(5, 3)))
    mean, log_variance = split(told)
    assert mean.shape == log_variance.shape == (2, 5, 3)
    losses = forward.losses(told, aim)
    for m in range(2):
        for i in range(5):
            total = 0.0
            for k in range(3):
                mu, v = mean[m, i, k].item(), math.exp(log_variance[m, i, k])
                density = math.exp(-((aim[i, k].item() - mu) ** 2) / (2 * v))
                total -= math.log(density / math.sqrt(2 * math.pi * v))
            # up to the constant log sqrt(2 pi)
            expected = total / 3 - 0.5 * math.log(2 * math.pi)
            assert losses[m, i].item() == pytest.approx(expected, rel=1e-9)


def test_variance_is_bent_into_its_bounds():
    raw = th.tensor([-1e4, -12.0, -4.0, 0.0, 1e4], requires_grad=True)
    mean, log_variance = split(th.cat([raw.detach() * 0, raw]))
    assert mean.tolist() == [0] * 5
    low, under, middle, zero, high = log_variance.tolist()
    assert (low, high) == (pytest.approx(-10), pytest.approx(2, abs=1e-3))
    assert -10 < under < -9.8  # log(1 + exp(-2)) above the bound
    assert middle == pytest.approx(-4, abs=0.01)
    assert zero == pytest.approx(2 - math.log1p(math.exp(2)), abs=1e-4)
    log_variance[1:4].sum().backward()
    assert (raw.grad[1:4] > 0).all()  # type: ignore[index]


def test_share_golden():
    # one minibatch: whom each member sees is drawn by the generator of ours, and the
    # loss of a member is the mean over what it saw
    training = Training(batch_size=10_000)
    forward, batch = model(training=training, members=3, share=0.4), point()
    inputs, after = forward.inputs(batch)
    losses = forward.losses(forward.predict(inputs), after).detach().numpy()
    draw = th.Generator()
    draw.set_state(forward.trainer.generator.get_state())
    order = th.randperm(256, generator=draw).numpy()
    seen = th.rand(3, 256, generator=draw).numpy() < np.float32(0.4)
    assert not np.array_equal(seen[0], seen[1])
    expected = [losses[m][order][seen[m]].mean() for m in range(3)]
    assert forward.fit(inputs, after) == pytest.approx(np.mean(expected), rel=1e-5)


def test_a_member_that_sees_nothing_stays_as_it_is():
    forward = model(training=Training(batch_size=1), members=4, share=1e-6)
    inputs, after = forward.inputs(point())
    before = pack(forward.networks)
    assert forward.fit(inputs[:3], after[:3]) == 0.0
    after_fit = pack(forward.networks)
    assert all(th.equal(before[name], after_fit[name]) for name in before)


def test_members_that_share_less_agree_later():
    spread = []
    for share in (1.0, 0.1):
        forward = model(members=5, share=share)
        for seed in range(10):
            forward.update(point(seed, screen=0.0))
        inputs, _ = forward.inputs(point(99, screen=0.0))
        spread.append(forward.predict(inputs).var(0, correction=0).mean().item())
    assert 0 < spread[0] < 0.7 * spread[1]


@pytest.mark.parametrize("probabilistic", [False, True])
@pytest.mark.parametrize("kind", ["identity", "random", "inverse"])
def test_learns_the_world(kind: Kind, probabilistic):
    forward = model(kind, probabilistic=probabilistic, members=2)
    untaught = forward.errors(point(99, screen=0.0)).mean()
    for seed in range(20):
        log = forward.update(point(seed, screen=0.0))
        assert math.isfinite(log["forward_loss"])
        assert ("inverse_loss" in log) == (kind == "inverse")
    batch = point(99, screen=0.0)
    inputs, after = forward.inputs(batch)
    assert forward.errors(batch).mean() < 0.3 * untaught
    told = forward.predict(inputs)
    assert told.shape == (2, 256, 16 if probabilistic else 8)
    means = split(told)[0] if probabilistic else told
    assert (means - after).square().mean() < 0.3 * untaught  # both members


def test_a_likelihood_tells_noise_from_what_can_be_known():
    forward = model(probabilistic=True)
    for seed in range(40):
        forward.update(point(seed))
    inputs, _ = forward.inputs(point(99))
    variance = split(forward.predict(inputs))[1].exp().mean((0, 1))
    # the moves of the point are certain; each number of the screen has variance 1
    assert variance[:2].max() < 0.3
    assert variance[2:].min() > 0.6


def test_update_trains_on_the_encoder_of_this_update():
    forward, batch = model("inverse"), point()
    forward.inputs(batch)
    other = model("inverse")
    other.inputs(batch)
    log = forward.update(batch)
    assert other.encoder.update(batch)["inverse_loss"] == log["inverse_loss"]
    assert other.fit(*other.inputs(batch)) == log["forward_loss"]


@pytest.mark.parametrize("kind", ["identity", "random", "inverse"])
def test_errors_move_nothing(kind: Kind):
    forward, batch = model(kind), point()
    forward.update(batch)
    before = forward.state_dict()
    whole = forward.errors(point(1)).numpy()
    steps = [forward.errors(rows(point(1), t, t + 1)).numpy() for t in range(32)]
    np.testing.assert_allclose(np.concatenate(steps), whole, rtol=1e-4, atol=1e-6)
    assert_equal(forward.state_dict(), before)


@pytest.mark.parametrize("kind", ["identity", "random", "inverse"])
@pytest.mark.parametrize("learnt", [0, 2])
def test_goes_on_as_if_never_stopped(kind: Kind, learnt: int, tmp_path: Path):
    half = replace(FAST, proportion=0.5)
    settings: dict[str, Any] = {
        "training": half,
        "members": 3,
        "share": 0.5,
        "probabilistic": True,
    }
    straight = model(kind, 3, **settings)
    for seed in range(learnt):
        straight.update(point(seed))
    path = checkpoint.save(tmp_path / "state", straight.state_dict())
    resumed = model(kind, 4 if learnt else 3, **settings)
    if learnt:
        resumed.update(point(9))  # and forgets it
    resumed.load_state_dict(checkpoint.load(path))
    for seed in (2, 3):
        assert th.equal(resumed.errors(point(seed)), straight.errors(point(seed)))
        assert resumed.update(point(seed)) == straight.update(point(seed))
    assert_equal(resumed.state_dict(), straight.state_dict())


def test_own_random_numbers_only():
    before = th.random.get_rng_state(), np.random.get_state(legacy=False)  # noqa: NPY002
    states = []
    for seed in (3, 3, 4):
        forward = model("random", seed, share=0.5)
        forward.update(point())
        states.append(forward.state_dict())
    assert th.equal(th.random.get_rng_state(), before[0])
    np.testing.assert_equal(np.random.get_state(legacy=False), before[1])  # noqa: NPY002
    assert_equal(states[0], states[1])
    first, other = states[0]["networks"], states[2]["networks"]
    assert not th.equal(first["weight_1"], other["weight_1"])
    # the encoder's weights are no copy of the members'
    hidden = states[0]["encoder"]["network"]["head.0.weight"]
    assert not th.equal(hidden[:, :8].T, first["weight_1"][0, :8])


@pytest.mark.parametrize(
    ("space", "action", "width"),
    [
        (spaces.Discrete(3, start=5), [[6]], 3),
        (spaces.MultiDiscrete([2, 3]), [[[1, 2]]], 5),
        (spaces.MultiBinary(4), [[[1, 0, 0, 1]]], 4),
        (spaces.Box(-1, 1, (2, 2)), [[[[0.0, 1.0], [0.5, -1.0]]]], 4),
    ],
)
def test_every_action_space(space, action, width):
    batch = replace(reaching(np.ones((1, 1, 2), np.float32)), action=np.array(action))
    forward = ForwardModel(Encoder("identity"))
    forward.setup(spaces.Box(-1, 1, (2,)), space, 0)
    inputs, _ = forward.inputs(batch)
    assert inputs.shape == (1, 2 + width)
    assert math.isfinite(forward.update(batch)["forward_loss"])


def test_refuses():
    for name in ("members", "hidden"):
        with pytest.raises(ValueError, match=f"{name} is 0; it must be at least 1"):
            ForwardModel(Encoder(), **{name: 0})  # type: ignore[arg-type]
    for share in (0.0, 1.5):
        with pytest.raises(ValueError, match=rf"share is {share}; it must lie in \(0"):
            ForwardModel(Encoder(), share=share)


def assert_equal(a: Any, b: Any) -> None:
    """Nested dicts of tensors, arrays and primitives are equal, bit for bit."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_equal(a[key], b[key])
    else:
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
