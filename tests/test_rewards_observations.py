"""Flattening of every space that Stable-Baselines3 knows."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces

from curiosity_rl.rewards.observations import flatten, is_discrete


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
    assert not is_discrete(n, box)
    assert not is_discrete(np.zeros((1, 1)))
    assert is_discrete({"a": n}, spaces.Dict({"a": counter}))
    mixed = spaces.Dict({"a": counter, "b": box})
    assert not is_discrete({"a": n, "b": n}, mixed)
    assert not is_discrete({"a": n, "b": np.zeros((1, 1))})


def test_refuses():
    with pytest.raises(ValueError, match="no space tells their range; call setup"):
        flatten(np.zeros((1, 1), np.int64))
    with pytest.raises(ValueError, match="action lies outside of its space"):
        flatten(np.array([[3]]), spaces.Discrete(3))
    with pytest.raises(ValueError, match="Text observations are not supported"):
        flatten(np.zeros((1, 1)), spaces.Text(3))
