"""Random numbers of kernels."""

from __future__ import annotations

import numpy as np
from scipy import stats
from tutor_reference import GOLDEN, WORD, splitmix64

from curiosity_rl.envs.rng import STEP, lane_words, mix, normal, uniform

# First outputs of SplitMix64 from seed 1234567 (Vigna's splitmix64.c).
SEED = 1234567
OUTPUTS = (
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
)


def words(count: int, seed: int = SEED) -> np.ndarray:
    return np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * STEP


def test_golden_outputs_compiled_and_reference():
    assert int(STEP) == GOLDEN
    for n, output in enumerate(OUTPUTS, start=1):
        word = (SEED + n * GOLDEN) & WORD
        assert splitmix64(word) == output
        assert int(mix(np.uint64(word))) == output
        # the best 53 bits, exactly representable
        assert uniform(np.uint64(word)) == (output >> 11) / 2**53


def test_uniform_is_uniform():
    numbers = np.array([uniform(w) for w in words(20_000)])
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert stats.kstest(numbers, "uniform").pvalue > 1e-3
    assert abs(numbers.mean() - 0.5) < 4 / np.sqrt(12 * 20_000)
    # neighbours in the stream are independent: a 10 x 10 table of pairs
    pairs, _, _ = np.histogram2d(numbers[::2], numbers[1::2], bins=10)
    assert stats.chisquare(pairs.ravel()).pvalue > 1e-3


def test_uniform_reaches_both_ends_and_never_one():
    # mix is a bijection with mix(0) = 0; its largest output maps below 1
    assert uniform(np.uint64(0)) == 0.0
    assert (WORD >> 11) / 2**53 < 1.0
    assert np.isfinite(normal(np.uint64(0)))


def test_normal_is_normal():
    numbers = np.array([normal(w) for w in words(40_000)[::2]])
    assert stats.kstest(numbers, "norm").pvalue > 1e-3
    assert abs(numbers.mean()) < 4 / np.sqrt(20_000)
    assert abs(numbers.var() - 1) < 4 * np.sqrt(2 / 20_000)
    assert abs(stats.kurtosis(numbers)) < 4 * np.sqrt(24 / 20_000)
    lag = np.corrcoef(numbers[:-1], numbers[1:])[0, 1]
    assert abs(lag) < 4 / np.sqrt(20_000)


def test_lane_words_are_outputs_of_seed_times_step():
    seeds = [0, 1, 2, 12345, 2**63, WORD]
    given = lane_words(np.array(seeds, dtype=np.uint64))
    assert given.dtype == np.uint64
    assert [int(w) for w in given] == [
        splitmix64((seed * GOLDEN + GOLDEN) & WORD) for seed in seeds
    ]


def test_lanes_are_distinct_and_do_not_depend_on_their_number():
    many = lane_words(np.arange(100_000, dtype=np.uint64))
    assert len(np.unique(many)) == len(many)
    for n in (1, 7, 1000):
        np.testing.assert_array_equal(
            lane_words(np.arange(n, dtype=np.uint64)), many[:n]
        )
    shifted = lane_words(np.arange(5, 105, dtype=np.uint64))
    np.testing.assert_array_equal(shifted, many[5:105])
    # neighbouring seeds start unrelated streams
    starts = np.array([uniform(w) for w in many[:20_000]])
    assert stats.kstest(starts, "uniform").pvalue > 1e-3
