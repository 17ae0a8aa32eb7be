"""Flattening of every space that Stable-Baselines3 knows, and where images stand."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces

from curiosity_rl.rewards.observations import (
    Block,
    flatten,
    flatten_actions,
    is_discrete,
    layout,
)


def test_discrete_golden():
    obs = np.array([[2, 4], [3, 2]])  # starts at 2
    rows = flatten(obs, spaces.Discrete(3, start=2))
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, [[1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]])
    boxed = flatten(obs[..., None], spaces.Discrete(3, start=2))  # as SB3's buffers
    np.testing.assert_array_equal(boxed, rows)


def test_multi_golden():
    rows = flatten(np.array([[[1, 0], [0, 2]]]), spaces.MultiDiscrete([2, 3]))
    np.testing.assert_array_equal(rows, [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]])
    bits = np.array([[[1, 0, 1]]], np.int8)
    np.testing.assert_array_equal(flatten(bits, spaces.MultiBinary(3)), [[1, 0, 1]])


def test_boxes():
    space = spaces.Box(0, 255, (2, 2), np.uint8)
    image = np.array([[[[0, 255], [51, 102]]]], np.uint8)
    np.testing.assert_allclose(flatten(image, space), [[0, 1, 0.2, 0.4]])
    np.testing.assert_allclose(flatten(image), [[0, 1, 0.2, 0.4]])
    vector = np.arange(12.0).reshape(2, 3, 2)
    rows = flatten(vector, spaces.Box(-1, 1, (2,)))
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, vector.reshape(6, 2))


def test_dict_goes_key_by_key():
    space = spaces.Dict({"z": spaces.Discrete(2), "a": spaces.Box(-1, 1, (1,))})
    obs = {"z": np.array([[1]]), "a": np.array([[[0.5]]], np.float32)}
    np.testing.assert_array_equal(flatten(obs, space), [[0.5, 0, 1]])
    np.testing.assert_array_equal(flatten({"a": obs["a"]}), [[0.5]])


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(5, start=3),
        spaces.MultiDiscrete([3, 4]),
        spaces.MultiBinary(4),
        spaces.Box(-2, 2, (3,)),
        spaces.Dict({"x": spaces.Box(-2, 2, (2,)), "n": spaces.Discrete(4)}),
    ],
)
def test_agrees_with_gymnasium(space):
    space.seed(0)
    samples = [space.sample() for _ in range(6)]
    if isinstance(space, spaces.Dict):
        obs = {k: np.stack([s[k] for s in samples])[:, None] for k in samples[0]}
    else:
        obs = np.stack(samples)[:, None]
    expected = [np.asarray(spaces.flatten(space, s)) for s in samples]
    np.testing.assert_allclose(flatten(obs, space), expected, rtol=1e-6)


def test_what_can_be_counted_as_it_is():
    counter, box = spaces.Discrete(3), spaces.Box(0, 9, (1,), np.int64)
    n = np.zeros((1, 1), np.int64)
    assert is_discrete(n, counter)
    assert is_discrete(n)
    assert is_discrete(n, box)
    assert not is_discrete(n, spaces.Box(0, 9, (1,), np.float32))
    assert is_discrete(n, spaces.Box(0, 255, (7, 7, 3), np.uint8))
    assert not is_discrete(n, spaces.Box(0, 255, (16, 16, 3), np.uint8))
    assert not is_discrete(np.zeros((1, 1)))
    assert is_discrete({"a": n}, spaces.Dict({"a": counter}))
    mixed = spaces.Dict({"a": counter, "b": spaces.Box(0, 9, (1,), np.float32)})
    assert not is_discrete({"a": n, "b": n}, mixed)
    assert not is_discrete({"a": n, "b": np.zeros((1, 1))})


def pixels(*shape: int) -> spaces.Box:
    return spaces.Box(0, 255, shape, np.uint8)


@pytest.mark.parametrize(
    ("space", "image", "last"),
    [
        (pixels(84, 84, 3), (3, 84, 84), True),
        (pixels(3, 84, 84), (3, 84, 84), False),
        (pixels(16, 20, 1), (1, 16, 20), True),
        (pixels(4, 20, 16), (4, 20, 16), False),
    ],
)
def test_layout_of_images(space, image, last):
    size = image[0] * image[1] * image[2]
    (block,) = layout(space, size)
    assert block == Block(0, size, image, last)
    assert block.stored == space.shape


@pytest.mark.parametrize(
    "space",
    [
        pixels(7, 7, 3),  # a grid, no picture
        pixels(15, 84, 3),
        pixels(84, 84),  # no channels
        pixels(84, 3, 84),  # channels in the middle
        spaces.Box(0, 1, (84, 84, 3), np.float32),
        spaces.MultiBinary((16, 16, 3)),
        spaces.Discrete(5),
        None,
    ],
)
def test_layout_of_what_is_no_image(space):
    width = 9 if space is None else spaces.flatdim(space)
    assert layout(space, width) == (Block(0, width),)
    assert Block(0, width).stored == (width,)


def test_layout_of_dicts():
    space = spaces.Dict(
        {
            "z": spaces.Discrete(3),
            "eye": pixels(16, 16, 2),
            "b": spaces.Box(-1, 1, (2,)),
            "a": spaces.MultiDiscrete([2, 2]),
            "far": pixels(1, 20, 20),
        }
    )
    blocks = layout(space, 921)
    assert blocks == (
        Block(0, 6),  # a and b
        Block(6, 518, (2, 16, 16), True),
        Block(518, 918, (1, 20, 20), False),
        Block(918, 921),  # z
    )
    # the columns of `flatten` are those that the layout names
    obs: dict[str, np.ndarray] = {
        key: np.zeros((1, 1, *(part.shape or ()))) for key, part in space.items()
    }
    obs["eye"] = np.full((1, 1, 16, 16, 2), 255, np.uint8)
    obs["far"] = np.full((1, 1, 1, 20, 20), 51, np.uint8)
    (row,) = flatten(obs, space)
    assert row.shape == (921,)
    assert (row[6:518] == 1).all()
    np.testing.assert_allclose(row[518:918], 0.2)
    np.testing.assert_array_equal(row[918:], [1, 0, 0])


def test_actions_golden():
    box = spaces.Box(np.array([-2, 0], np.float32), np.array([2, 10], np.float32))
    rows = flatten_actions(np.array([[[1, 10]], [[-2, 2.5]]]), box)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, [[0.5, 1], [-1, -0.5]])
    free = spaces.Box(-np.inf, np.inf, (2,))
    np.testing.assert_array_equal(
        flatten_actions(np.array([[[7, -7]]]), free), [[7, -7]]
    )
    half = spaces.Box(0, np.inf, (1,))
    np.testing.assert_array_equal(flatten_actions(np.array([[[7.0]]]), half), [[7]])
    n = flatten_actions(np.array([[2, 1]]), spaces.Discrete(2, start=1))
    np.testing.assert_array_equal(n, [[0, 1], [1, 0]])
    bits = flatten_actions(np.array([[[1, 0]]], np.int8), spaces.MultiBinary(2))
    np.testing.assert_array_equal(bits, [[1, 0]])
    both = flatten_actions(np.array([[[1, 0]]]), spaces.MultiDiscrete([2, 2]))
    np.testing.assert_array_equal(both, [[0, 1, 1, 0]])


def test_every_bounded_box_of_actions_is_scaled():
    whole = flatten_actions(np.array([[[0, 255]]], np.uint8), pixels(2))
    np.testing.assert_array_equal(whole, [[-1, 1]])
    steps = spaces.Box(-4, 4, (1, 2), np.int64)
    rows = flatten_actions(np.array([[[[-4, 2]]]]), steps)
    np.testing.assert_array_equal(rows, [[-1, 0.5]])
    largest = float(np.finfo(np.float32).max)
    huge = spaces.Box(-largest, largest, (1,))
    np.testing.assert_allclose(
        flatten_actions(np.array([[[largest]]], np.float32), huge), [[1]]
    )
    point = spaces.Box(3, 3, (1,))  # nothing to choose
    np.testing.assert_array_equal(flatten_actions(np.array([[[3.0]]]), point), [[0]])
    assert flatten_actions(np.zeros((0, 3, 1)), huge).shape == (0, 1)


def test_refuses():
    with pytest.raises(ValueError, match="no space tells their range; call setup"):
        flatten(np.zeros((1, 1), np.int64))
    with pytest.raises(ValueError, match="actions are int64 and no space tells"):
        flatten_actions(np.zeros((1, 1), np.int64))
    with pytest.raises(ValueError, match="action lies outside of its space"):
        flatten(np.array([[3]]), spaces.Discrete(3))
    with pytest.raises(ValueError, match="Text observations are not supported"):
        flatten(np.zeros((1, 1)), spaces.Text(3))
