from __future__ import annotations

import pytest
from promises import long_form
from soak import MOST, in_world, of_bonus
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
    from soak import growth

    kept = []
    assert growth(lambda: kept.append(bytearray(100_000)), 100) > MOST
