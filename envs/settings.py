"""Checks of settings: each returns the value, or says what is allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from curiosity_rl.registry import unknown_name


def whole(name: str, value: Any, low: int, high: int) -> int:
    """Return a setting that is a whole number.

    Raises:
        ValueError: If it is none, or out of bounds.
    """
    number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        raise ValueError(
            f"got {name}={value!r}; it is a whole number from {low} to {high}"
        )
    return int(value)


def real(name: str, value: Any, low: float, high: float) -> float:
    """Return a setting that is a finite number.

    Raises:
        ValueError: If it is none, or out of bounds.
    """
    number = isinstance(value, int | float | np.integer | np.floating)
    if not number or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"got {name}={value!r}; it is a number from {low} to {high}")
    if not low <= value <= high:
        raise ValueError(f"got {name}={value!r}; it is a number from {low} to {high}")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """Return a setting that is True or False.

    Raises:
        ValueError: If it is neither.
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"got {name}={value!r}; it is True or False")
    return bool(value)


def choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    """Return a setting that is one of some words.

    Raises:
        ValueError: If it is none of them; names the nearest.
    """
    allowed = tuple(allowed)
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(unknown_name(name, str(value), allowed))
    return value
