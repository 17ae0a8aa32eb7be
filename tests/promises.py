"""The long form of promises: `python -m pytest -m promise --promise-full`."""

from __future__ import annotations

import os

FULL = bool(os.environ.get("CURIOSITY_RL_PROMISE_FULL"))


def long_form(short: int, full: int) -> int:
    """Return how often to try: `full` times in the long form, else `short` times."""
    return full if FULL else short
