"""Parts that rewards share: inputs by their moments, Adam, networks, state."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from torch import nn

from curiosity_rl import checkpoint
from curiosity_rl.rewards.networks import (
    CHUNK,
    Inputs,
    Trainer,
    Training,
    Trunk,
    check_sizes,
    generator,
    in_chunks,
    mlp,
    pack,
    unpack,
)
from curiosity_rl.rewards.observations import Block, flatten, layout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "batch_size is 0; it must be at least 1"),
        ({"updates": -1}, "updates is -1; it must be 0 or more passes"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; it must be positive"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"proportion": 0.0}, r"proportion is 0.0; it must lie in \(0, 1\]"),
        ({"proportion": 1.1}, "proportion is 1.1"),
    ],
)
def test_refused_training(options, words):
    with pytest.raises(ValueError, match=words):
        Training(**options)


def test_refused_sizes():
    check_sizes(hidden=1, features=7)
    with pytest.raises(ValueError, match="features is 0; it must be at least 1"):
        check_sizes(hidden=1, features=0)


def test_inputs_golden():
    inputs = Inputs()
    rows = inputs.rows(np.array([[[1.0, 9.0]], [[5.0, 9.0]]], np.float32))
    assert rows.shape == (2, 2)
    assert rows.dtype == np.float32
    # nothing learnt yet: as they are, clipped
    assert inputs.normalised(rows).tolist() == [[1, 5], [5, 5]]
    inputs.learn(rows)
    # mean 3, deviation 2; a column that never varied has deviation 1e-4, and no NaN
    assert inputs.normalised(rows).tolist() == [[-1, 0], [1, 0]]
    far = np.array([[4.0, 9.0002], [-99.0, 10.0]], np.float32)
    np.testing.assert_allclose(inputs.normalised(far), [[0.5, 2], [-5, 5]], rtol=1e-2)


def test_inputs_move_in_learn_only_and_touch_no_batch():
    inputs, rng = Inputs(), np.random.default_rng(0)
    batches = rng.normal(3, 2, (2, 50, 2, 4)).astype(np.float32)
    batches.flags.writeable = False
    inputs.learn(inputs.rows(batches[0]))
    before = inputs.state_dict()
    kept = batches.copy()
    inputs.normalised(inputs.rows(batches[1]))
    np.testing.assert_array_equal(batches, kept)
    np.testing.assert_equal(inputs.state_dict(), before)
    inputs.learn(inputs.rows(batches[1]))
    seen = batches.reshape(-1, 4)
    np.testing.assert_allclose(inputs.moments.mean, seen.mean(0), rtol=1e-6)
    np.testing.assert_allclose(inputs.moments.var, seen.var(0), rtol=1e-5)
    other = Inputs()
    other.load_state_dict(inputs.state_dict())
    rows = other.rows(batches[0])
    assert th.equal(other.normalised(rows), inputs.normalised(rows))


def test_inputs_keep_their_width():
    inputs = Inputs()
    inputs.rows(np.zeros((1, 1, 3), np.float32))
    with pytest.raises(ValueError, match=r"have 2 numbers, but .* built for 3; build"):
        inputs.rows(np.zeros((1, 1, 2), np.float32))
    inputs.load_state_dict(Inputs().state_dict())  # that of one that saw nothing
    assert inputs.rows(np.zeros((1, 1, 2), np.float32)).shape == (1, 2)


def slope(value: float = 0.0) -> nn.Linear:
    """A network of one weight."""
    layer = nn.Linear(1, 1, bias=False)
    with th.no_grad():
        layer.weight.fill_(value)
    return layer


def trainer(module: nn.Module, seed: int = 0, **options: Any) -> Trainer:
    return Trainer(module, generator(seed), Training(**options))


def test_first_step_of_adam_golden():
    # Adam's first step is learning_rate * sign(gradient), whatever its size
    module = slope(2.0)
    adam = trainer(module, learning_rate=0.25, batch_size=4)
    loss = adam.fit(4, lambda part: (module(th.ones(len(part), 1)) - 5).square().mean())
    assert loss == 9.0  # before the step: (2 - 5)^2
    assert module.weight.item() == pytest.approx(2.25, rel=1e-6)


def drawn(**options: Any) -> tuple[list[list[int]], float]:
    """Return which of 10 rows came in which minibatch, and what `fit` returned."""
    parts: list[list[int]] = []
    module = slope()

    def loss(part: th.Tensor) -> th.Tensor:
        parts.append(part.tolist())
        return module.weight.sum() * 0 + float(len(parts))

    return parts, trainer(module, **options).fit(10, loss)


def test_minibatches_are_drawn_without_replacement():
    parts, mean = drawn(batch_size=4, updates=3)
    assert [len(part) for part in parts] == [4, 3, 3] * 3
    assert mean == 5.0  # of 1, 2, ..., 9
    passes = [[*chain(*parts[i : i + 3])] for i in (0, 3, 6)]
    assert all(sorted(rows) == list(range(10)) for rows in passes)
    assert passes[0] != passes[1]
    assert passes[0] != list(range(10))


def test_proportion_draws_anew_for_each_pass():
    parts, _ = drawn(batch_size=4, updates=20, proportion=0.3)
    assert [len(part) for part in parts] == [3] * 20
    assert all(len(set(part)) == 3 for part in parts)
    assert set(chain(*parts)) == set(range(10))
    assert [len(p) for p in drawn(proportion=0.01)[0]] == [1]  # never none


def test_nothing_to_train():
    assert drawn(updates=0) == ([], 0.0)
    module = slope(2.0)
    mean = trainer(module).fit(0, lambda part: module(part[:, None].float()).mean())
    assert mean == 0.0
    assert module.weight.item() == 2.0


def test_trainer_goes_on_as_if_never_stopped(tmp_path: Path):
    rows = th.linspace(-1, 1, 40)[:, None]

    def made(seed: int) -> tuple[nn.Module, Trainer]:
        module = mlp((1, 8, 1), generator(seed))
        return module, trainer(module, seed, batch_size=7, proportion=0.5, updates=2)

    def fit(module: nn.Module, adam: Trainer) -> float:
        def loss(part: th.Tensor) -> th.Tensor:
            return (module(rows[part]) - rows[part].sin()).square().mean()

        return adam.fit(len(rows), loss)

    straight, resumed = made(1), made(2)
    fit(*straight)
    state = {"net": pack(straight[0]), "adam": straight[1].state_dict()}
    back = checkpoint.load(checkpoint.save(tmp_path / "state", state))
    unpack(resumed[0], back["net"])
    resumed[1].load_state_dict(back["adam"])
    assert [fit(*resumed) for _ in range(3)] == [fit(*straight) for _ in range(3)]
    for a, b in zip(*(net.parameters() for net, _ in (straight, resumed)), strict=True):
        assert th.equal(a, b)


def weights(net: nn.Module) -> list[nn.Parameter]:
    """Return the matrices of a network, from its first layer on."""
    return [value for value in net.parameters() if value.ndim == 2]


def test_weights_are_orthogonal_and_draw_from_their_generator_only():
    before = th.random.get_rng_state()
    net = mlp((6, 4, 9), generator(3), gain=2.0)
    image = Trunk((Block(0, 256, (1, 16, 16)),), (4,), 2, generator(3))
    assert th.equal(th.random.get_rng_state(), before)
    first, last = weights(net)
    four = 4 * th.eye(4)  # the gain squared
    th.testing.assert_close(first @ first.T, four, atol=1e-5, rtol=0)
    th.testing.assert_close(last.T @ last, four, atol=1e-5, rtol=0)
    assert all(not p.any() for p in net.parameters() if p.ndim == 1)
    assert [type(layer) for layer in net] == [nn.Linear, nn.ReLU, nn.Linear]
    again = mlp((6, 4, 9), generator(3), gain=2.0)
    assert th.equal(weights(again)[0], first)
    assert not th.equal(weights(mlp((6, 4, 9), generator(4), gain=2.0))[0], first)
    assert all(p.isfinite().all() for p in image.parameters())


def eighths(trunk: Trunk) -> None:
    """Make the CNN keep every eighth pixel of channel 0; the head sums its inputs."""
    with th.no_grad():
        for name, value in trunk.named_parameters():
            value.fill_(1.0 if name == "head.0.weight" else 0.0)
            if value.ndim == 4:
                value[0, 0, 1, 1] = 1.0  # from the middle of a 3 x 3 kernel


def test_images_pass_the_cnn_golden():
    # stride 2 three times: pixels 0 and 8 of each axis are left
    pixels = np.zeros((1, 2, 16, 24, 3), np.uint8)
    pixels[0, 0, 8, 16, 0] = 51  # 0.2
    pixels[0, 0, 0, 0, 0] = 255
    pixels[0, 1, 8, 16, 1] = 255  # channel 1
    pixels[0, 1, 8, 9, 0] = 255  # between the eighths
    for last in (True, False):
        image = pixels if last else np.moveaxis(pixels, 4, 2)
        space = spaces.Box(0, 255, image.shape[2:], np.uint8)
        trunk = Trunk(layout(space, 0), (), 1, generator(0))
        assert weights(trunk.head)[0].shape[1] == 32 * 2 * 3
        eighths(trunk)
        rows = th.from_numpy(flatten(image, space))
        np.testing.assert_allclose(trunk(rows).detach(), [[1.2], [0]], rtol=1e-6)


def test_an_image_is_one_however_it_is_stored():
    rng = np.random.default_rng(0)
    first = rng.integers(256, size=(3, 2, 3, 17, 30), dtype=np.uint8)
    out = []
    for image in (first, np.moveaxis(first, 2, 4)):
        space = spaces.Box(0, 255, image.shape[2:], np.uint8)
        trunk = Trunk(layout(space, 0), (8,), 5, generator(0))
        out.append(trunk(th.from_numpy(flatten(image, space))))
    assert out[0].shape == (6, 5)
    th.testing.assert_close(out[0], out[1])


def test_images_and_vectors_side_by_side():
    space = spaces.Dict(
        {
            "a": spaces.Box(-9, 9, (2,), np.float32),
            "eye": spaces.Box(0, 255, (16, 16, 1), np.uint8),
            "z": spaces.Discrete(3),
        }
    )
    eye = np.zeros((1, 1, 16, 16, 1), np.uint8)
    eye[0, 0, 8, 8] = 255
    obs = {"z": np.array([[2]]), "eye": eye, "a": np.array([[[3.0, 4.0]]], np.float32)}
    trunk = Trunk(layout(space, 0), (), 1, generator(0))
    assert weights(trunk.head)[0].shape[1] == 2 + 32 * 2 * 2 + 3
    eighths(trunk)
    # columns in the order of the keys: 2 of a, 4 pixels of 32 channels, 3 of z
    with th.no_grad():
        weights(trunk.head)[0][0, [0, 1, -1]] = th.tensor([10.0, 100.0, 1000.0])
    rows = th.from_numpy(flatten(obs, space))
    assert trunk(rows).item() == pytest.approx(30 + 400 + 1 + 1000)


def test_small_images_are_laid_flat():
    space = spaces.Box(0, 255, (7, 7, 3), np.uint8)
    trunk = Trunk(layout(space, 0), (4,), 2, generator(0))
    assert len(trunk.convolutions) == 0
    assert weights(trunk.head)[0].shape[1] == 147


def test_in_chunks_is_the_whole():
    sizes: list[int] = []
    weight = th.ones(1, requires_grad=True)

    def add(a: th.Tensor, b: th.Tensor) -> th.Tensor:
        sizes.append(len(a))
        return (a + b) * weight

    a = th.arange(CHUNK + 3.0)
    out = in_chunks(add, a, 2 * a)
    assert sizes == [CHUNK, 3]
    assert th.equal(out, 3 * a)
    assert not out.requires_grad
    assert in_chunks(add, a[:0], a[:0]).shape == (0,)


def test_packed_weights_are_copies():
    module = slope(1.0)
    state = pack(module)
    with th.no_grad():
        module.weight.fill_(2.0)
    assert state["weight"].item() == 1.0
    unpack(module, {"weight": state["weight"].numpy()})  # arrays serve as well
    with th.no_grad():
        module.weight.fill_(3.0)
    assert state["weight"].item() == 1.0
