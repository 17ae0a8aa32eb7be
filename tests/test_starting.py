"""The measure of starting: compiling costs, the cache saves it."""

from __future__ import annotations

import pytest

from curiosity_rl.agents.starting import start_seconds


def test_the_cache_saves_compiling():
    first, later = start_seconds(["river-swim-v0"])
    assert list(later) == ["river-swim-v0"]
    assert 0 < later["river-swim-v0"] < first


def test_a_world_that_does_not_start_is_named():
    with pytest.raises(RuntimeError, match="no-such-world"):
        start_seconds(["no-such-world-v0"])
