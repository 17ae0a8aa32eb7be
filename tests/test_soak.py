"""Memory stays flat, whatever is played and for how long."""

from __future__ import annotations

import numpy as np
import pytest
from promises import long_form
from soak import MOST, growth, in_world, of_bonus
from world_play import EVERY_WORLD

from curiosity_rl.registry import REWARDS


@pytest.mark.promise("Memory is flat")
@EVERY_WORLD
def test_worlds_keep_their_size(name: str) -> None:
    assert in_world(name, long_form(100_000, 10_000_000)) < MOST


@pytest.mark.promise("Memory is flat")
@pytest.mark.parametrize("name", REWARDS)
def test_bonuses_keep_their_size(name: str) -> None:
    assert of_bonus(name, long_form(25, 200)) < MOST


def test_what_grows_is_seen() -> None:
    freed = [np.ones(1_250) for _ in range(10_000)]
    del freed  # 100 MB that the allocator may keep for later
    kept: list[np.ndarray] = []
    assert growth(lambda: kept.append(np.ones(125_000)), 100) > MOST
