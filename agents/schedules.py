"""Schedules of hyperparameters, written as in rl-baselines3-zoo: `lin_2.5e-4`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stable_baselines3.common.utils import LinearSchedule

SCHEDULED = frozenset({"learning_rate", "clip_range", "clip_range_vf"})
"""Settings of algorithms that may change as training goes on."""


def scheduled(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with texts such as `lin_X` turned into a line from X to 0.

    Raises:
        ValueError: If a text is no schedule.
    """
    return {
        key: _schedule(key, value)
        if key in SCHEDULED and isinstance(value, str)
        else value
        for key, value in settings.items()
    }


def _schedule(name: str, text: str) -> LinearSchedule:
    kind, _, start = text.partition("_")
    try:
        if kind == "lin":
            return LinearSchedule(float(start), 0.0, 1.0)
    except ValueError:
        pass
    raise ValueError(
        f"{name} is {text!r}; give a number, or lin_X for a line from X to 0"
    )
