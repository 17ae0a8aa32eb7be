"""Features of observations: golden numbers, what the inverse ones learn, state."""

from __future__ import annotations

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
from curiosity_rl.rewards.encoders import Encoder, Kind

KINDS: tuple[Kind, ...] = ("identity", "random", "inverse")
FAST: dict[str, Any] = {"learning_rate": 3e-3, "updates": 4, "batch_size": 64}


def encoder(kind: Kind, seed: int = 0, **settings: Any) -> Encoder:
    """An encoder for the moving point."""
    settings = {"features": 8, "hidden": 64, **FAST, **settings}
    built = Encoder(kind, **settings)
    built.setup(moving_point.SPACE, moving_point.ACTION, seed)
    return built


def point(seed: int = 0, **settings: Any) -> Transitions:
    return moving_point.play(np.random.default_rng(seed), **settings)


def seen(*numbers: float) -> Transitions:
    """One lane that saw these numbers, and went nowhere."""
    batch = reaching(np.array(numbers, np.float32)[:, None, None])
    return replace(batch, obs=batch.next_obs)


def test_identity_golden():
    known = Encoder("identity")
    np.testing.assert_array_equal(known.encode(seen(1, 9).obs), [[[1]], [[5]]])
    assert known.size == 1
    assert known.update(seen(1, 5)) == {}
    # mean 3, deviation 2
    np.testing.assert_array_equal(known.encode(seen(7, 99).obs), [[[2]], [[5]]])


def test_random_golden():
    fixed = Encoder("random", features=2, hidden=1)
    fixed.encode(seen(0).obs)
    with th.no_grad():  # phi(x) = (2, 3) * relu(x)
        for name, value in fixed.network.named_parameters():
            value.fill_(0.0 if "bias" in name else 1.0)
        list(fixed.network.parameters())[-2].copy_(th.tensor([[2.0], [3.0]]))
    features = fixed.encode(seen(4, -1).obs)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features, [[[8, 12]], [[0, 0]]])
    fixed.update(seen(1, 5))
    np.testing.assert_array_equal(fixed.encode(seen(7).obs), [[[4, 6]]])


def test_random_weights_never_change_and_inverse_ones_do():
    batch = point()
    for kind in ("random", "inverse"):
        built = encoder(kind)
        built.encode(batch.obs)
        before = built.state_dict()["network"]
        log = built.update(batch)
        after = built.state_dict()["network"]
        same = [th.equal(before[name], after[name]) for name in before]
        assert all(same) if kind == "random" else not any(same)
        assert list(log) == ([] if kind == "random" else ["inverse_loss"])


@pytest.mark.parametrize("kind", KINDS)
def test_encode_moves_nothing(kind: Kind):
    batch, built = point(), encoder(kind)
    built.update(batch)
    before = built.state_dict()
    features = built.encode(batch.next_obs)
    assert features.shape == (32, 8, 8)
    assert features.shape[2] == built.size
    flat = built.encode_rows(built.rows(batch.next_obs))
    assert not flat.requires_grad
    np.testing.assert_array_equal(flat.reshape(32, 8, 8), features)
    one = [built.encode(rows(batch, t, t + 1).next_obs) for t in range(32)]
    np.testing.assert_allclose(np.concatenate(one), features, rtol=1e-4, atol=1e-5)
    assert_equal(built.state_dict(), before)


@pytest.mark.parametrize("kind", ["identity", "random"])
def test_moments_settle(kind: Kind):
    built = encoder(kind, settle=600)
    versions, counts = [built.version], [0]
    for seed in range(5):
        before = built.encode(point().obs)
        built.update(point(seed))
        counts.append(built.inputs.moments.count)
        versions.append(built.version)
        moved = not np.array_equal(built.encode(point().obs), before)
        # the version tells whether the features of an observation are others now
        assert (versions[-1] != versions[-2]) == moved
    assert counts == [0, 256, 512, 768, 768, 768]  # 600 are passed by a whole batch
    assert versions == [0, 1, 2, 3, 3, 3]


def test_inverse_features_never_settle():
    built = encoder("inverse", settle=1)
    for seed in range(3):
        before = built.version, built.encode(point().obs)
        built.update(point(seed))
        assert built.version != before[0]
        assert not np.array_equal(built.encode(point().obs), before[1])
    assert built.inputs.moments.count == 3 * 256


def noise_share(built: Encoder) -> float:
    """How far new noise on the screen moves the features, by how far a move does."""
    rng = np.random.default_rng(5)
    batch = moving_point.play(rng)
    noisy, moved = batch.obs.copy(), batch.obs.copy()
    noisy[..., 2:] = rng.normal(size=noisy[..., 2:].shape)
    moved[..., :2] = batch.next_obs[..., :2]
    here, noise, move = (built.encode(obs) for obs in (batch.obs, noisy, moved))
    return float(np.square(noise - here).mean() / np.square(move - here).mean())


@pytest.mark.parametrize("seed", range(3))
def test_inverse_features_tell_actions_and_ignore_noise(seed):
    rng = np.random.default_rng(seed)
    learnt, fixed = encoder("inverse", seed), encoder("random", seed)
    losses = []
    for _ in range(12):
        batch = moving_point.play(rng)
        losses.append(learnt.update(batch)["inverse_loss"])
        fixed.update(batch)
    assert losses[0] == pytest.approx(np.log(4), abs=0.3)  # knows nothing yet
    assert losses[-1] < 0.05 * np.log(4)
    # measured over 8 seeds: at most 0.39 learnt, at least 18 at random
    assert noise_share(learnt) < 0.6
    assert noise_share(fixed) > 8


def telling(space: Any, kind: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Return actions, the moves that they make, and the loss of knowing nothing."""
    rng = np.random.default_rng(1)
    shape = (32, 8)
    if kind == "discrete":
        n = rng.integers(3, size=shape)
        return n + 5, np.eye(3)[n], np.log(3)
    if kind == "multidiscrete":
        n = rng.integers([2, 3], size=(*shape, 2))
        return n + np.array([1, 0]), 2.0 * n, (np.log(2) + np.log(3)) / 2
    if kind == "multibinary":
        n = rng.integers(2, size=(*shape, 2)).astype(np.int8)
        return n, 2.0 * n, np.log(2)
    n = rng.uniform(-1, 1, (*shape, 2))
    return (5 * n).astype(np.float32), n, 1 / 3  # of the variance of [-1, 1]


@pytest.mark.parametrize(
    ("kind", "space"),
    [
        ("discrete", spaces.Discrete(3, start=5)),
        ("multidiscrete", spaces.MultiDiscrete([2, 3], start=[1, 0])),
        ("multibinary", spaces.MultiBinary(2)),
        ("box", spaces.Box(-5, 5, (2,))),
    ],
)
def test_every_action_can_be_told(kind, space):
    action, move, ignorance = telling(space, kind)
    rng = np.random.default_rng(2)
    before = rng.normal(size=move.shape).astype(np.float32)
    batch = replace(
        reaching(before + move.astype(np.float32)), obs=before, action=action
    )
    settings = {**FAST, "updates": 15}
    built = Encoder("inverse", features=8, hidden=64, **settings)
    built.setup(spaces.Box(-9, 9, before.shape[2:]), space, 0)
    built.update(batch)
    assert built.update(batch)["inverse_loss"] < 0.3 * ignorance
    # told from s AND s': shuffled in time, there is nothing left to tell
    mixed = replace(batch, next_obs=batch.next_obs[::-1].copy())
    other = Encoder("inverse", features=8, hidden=64, batch_size=64, learning_rate=1e-9)
    other.setup(spaces.Box(-9, 9, before.shape[2:]), space, 0)
    other.load_state_dict(built.state_dict())
    assert other.update(mixed)["inverse_loss"] > ignorance


def test_inverse_loss_golden():
    # all weights 0: every action has the same chance, every number is told as 0
    for space, action, loss in (
        (spaces.Discrete(4), [[2]], np.log(4)),
        (spaces.MultiDiscrete([2, 8]), [[[1, 7]]], (np.log(2) + np.log(8)) / 2),
        (spaces.MultiBinary(3), [[[1, 0, 1]]], np.log(2)),
        (spaces.Box(-2, 2, (2,)), [[[2.0, -1.0]]], (1 + 0.25) / 2),  # by 2: 1, -0.5
        (spaces.Box(-np.inf, np.inf, (1,)), [[[3.0]]], 9.0),
    ):
        built = Encoder("inverse", features=2, hidden=2)
        built.setup(None, space, 0)
        batch = replace(seen(1), action=np.array(action))
        built.encode(batch.obs)
        with th.no_grad():
            for value in built.head.parameters():
                value.zero_()
        assert built.update(batch)["inverse_loss"] == pytest.approx(loss, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("learnt", [0, 2])
def test_goes_on_as_if_never_stopped(kind: Kind, learnt: int, tmp_path: Path):
    straight = encoder(kind, seed=3, proportion=0.5, settle=700)
    for seed in range(learnt):
        straight.update(point(seed))
    path = checkpoint.save(tmp_path / "state", straight.state_dict())
    resumed = encoder(kind, seed=3 if learnt == 0 else 4, proportion=0.5, settle=700)
    if learnt:
        resumed.update(point(9))  # and forgets it
    resumed.load_state_dict(checkpoint.load(path))
    assert resumed.version == straight.version
    for seed in (2, 3):
        np.testing.assert_array_equal(
            resumed.encode(point(seed).obs), straight.encode(point(seed).obs)
        )
        assert resumed.update(point(seed)) == straight.update(point(seed))
    assert_equal(resumed.state_dict(), straight.state_dict())


@pytest.mark.parametrize("kind", KINDS)
def test_own_random_numbers_only(kind: Kind):
    before = th.random.get_rng_state(), np.random.get_state(legacy=False)  # noqa: NPY002
    states = []
    for seed in (3, 3, 4):
        built = encoder(kind, seed)
        built.update(point())
        built.encode(point().obs)
        states.append(built.state_dict())
    assert th.equal(th.random.get_rng_state(), before[0])
    np.testing.assert_equal(np.random.get_state(legacy=False), before[1])  # noqa: NPY002
    assert_equal(states[0], states[1])
    if kind != "identity":
        first, other = states[0]["network"], states[2]["network"]
        assert not th.equal(first["head.0.weight"], other["head.0.weight"])


def test_images_and_dicts():
    rng = np.random.default_rng(0)
    eye = rng.integers(256, size=(3, 2, 16, 16, 3), dtype=np.uint8)
    small = rng.integers(9, size=(3, 2, 7, 7, 3), dtype=np.uint8)
    obs = {"eye": eye, "small": small, "way": rng.integers(4, size=(3, 2))}
    space = spaces.Dict(
        {
            "eye": spaces.Box(0, 255, (16, 16, 3), np.uint8),
            "small": spaces.Box(0, 255, (7, 7, 3), np.uint8),
            "way": spaces.Discrete(4),
        }
    )
    no = np.zeros((3, 2), bool)
    batch = Transitions(obs, rng.integers(4, size=(3, 2)), 0.0 * no, obs, no, no)
    for kind in KINDS:
        built = Encoder(kind, features=5)
        built.setup(space, spaces.Discrete(4), 0)
        width = 16 * 16 * 3 + 7 * 7 * 3 + 4 if kind == "identity" else 5
        for _ in range(2):
            assert built.encode(obs).shape == (3, 2, width)
            built.update(batch)
        if kind != "identity":
            assert len(built.network.convolutions) == 1  # the small one is laid flat
            first = next(iter(built.network.head.parameters()))
            assert first.shape[1] == 32 * 2 * 2 + 147 + 4


def test_one_constant_observation():
    for kind in KINDS:
        built = Encoder(kind, features=3)
        built.setup(spaces.Box(0, 9, (1,)), spaces.Discrete(2), 0)
        batch = replace(seen(7), action=np.array([[1]]))
        for _ in range(3):
            built.update(batch)
            assert np.isfinite(built.encode(batch.obs)).all()


def test_no_transitions_teach_nothing():
    empty = rows(point(), 0, 0)
    for kind in KINDS:
        built = encoder(kind)
        built.update(point())
        before = built.encode(point().obs)
        built.update(empty)
        assert built.encode(empty.obs).shape == (0, 8, 8)
        np.testing.assert_array_equal(built.encode(point().obs), before)


def test_refuses():
    with pytest.raises(ValueError, match="encoder is 'cnn'; allowed are identity, ran"):
        Encoder("cnn")  # type: ignore[arg-type]
    for name in ("features", "hidden", "settle"):
        with pytest.raises(ValueError, match=f"{name} is 0; it must be at least 1"):
            Encoder("random", **{name: 0})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs the action space, and was given None"):
        Encoder("inverse").encode(seen(1).obs)
    with pytest.raises(ValueError, match="use encoder='random'"):
        Encoder("inverse").setup(None, spaces.Text(3), 0)
    Encoder("random").setup(None, None, 0)


def assert_equal(a: Any, b: Any) -> None:
    """Nested dicts of tensors, arrays and primitives are equal, bit for bit."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_equal(a[key], b[key])
    else:
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
