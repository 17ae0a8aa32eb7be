from __future__ import annotations

import itertools

import numpy as np
import pytest

from curiosity_rl.seeding import STREAMS, evaluation_seeds, lane_seeds, stream_seed


def test_seeds_are_the_seed_sequence_of_seed_and_stream() -> None:
    words = np.random.SeedSequence((7, STREAMS["training"])).generate_state(3, "u8")
    assert lane_seeds(7, "training", 3) == [int(w >> np.uint64(1)) for w in words]
    assert all(0 <= s < 2**63 for s in lane_seeds(7, "training", 100))


def test_a_longer_list_starts_like_a_shorter_one() -> None:
    assert lane_seeds(3, "training", 500)[:20] == lane_seeds(3, "training", 20)


def test_runs_and_streams_share_no_seed() -> None:
    drawn = [
        set(lane_seeds(seed, stream, 1000))
        for seed, stream in itertools.product(range(4), STREAMS)
    ]
    assert len(set().union(*drawn)) == 1000 * len(drawn)


def test_evaluation_students_do_not_depend_on_the_run() -> None:
    held_out = set(evaluation_seeds(2000))
    assert len(held_out) == 2000
    for seed in range(10):
        assert not held_out & set(lane_seeds(seed, "training", 512))


def test_stream_seed_fits_32_bits_and_differs_by_stream() -> None:
    seeds = [stream_seed(0, stream) for stream in STREAMS]
    assert len(set(seeds)) == len(STREAMS)
    assert all(0 <= seed < 2**32 for seed in seeds)


@pytest.mark.parametrize(("seed", "stream"), [(-1, "training"), (0, "traning")])
def test_wrong_input_is_named(seed: int, stream: str) -> None:
    with pytest.raises(ValueError, match=stream if seed == 0 else "-1"):
        lane_seeds(seed, stream, 1)
