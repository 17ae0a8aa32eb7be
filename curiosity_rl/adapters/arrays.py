"""Observations of every kind, arrays or dicts of them: copied, stacked, patched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def map_obs(function: Callable[[Any], Any], obs: Any) -> Any:
    """Apply a function to an array, or to every array of a dict."""
    if isinstance(obs, dict):
        return {key: map_obs(function, value) for key, value in obs.items()}
    return function(obs)


def copy_obs(obs: Any) -> Any:
    """Copy an observation, or a dict of them."""
    return map_obs(np.array, obs)


def stack_obs(path: Sequence[Any]) -> Any:
    """Stack observations over a new first axis."""
    if isinstance(path[0], dict):
        return {key: stack_obs([obs[key] for obs in path]) for key in path[0]}
    return np.stack(path)


def join_obs(parts: Sequence[Any]) -> Any:
    """Concatenate observations along their first axis."""
    if isinstance(parts[0], dict):
        return {key: join_obs([part[key] for part in parts]) for key in parts[0]}
    return np.concatenate(parts)


def lane_obs(obs: Any, lane: int) -> Any:
    """One lane of a batched observation: also of an object array of observations."""
    if isinstance(obs, dict):
        return {key: lane_obs(value, lane) for key, value in obs.items()}
    return obs[lane]


def with_rows(obs: Any, lanes: Sequence[int], rows: Sequence[Any]) -> Any:
    """Return a copy of a batched observation with other rows at `lanes`."""
    if isinstance(obs, dict):
        return {
            key: with_rows(value, lanes, [row[key] for row in rows])
            for key, value in obs.items()
        }
    out = np.array(obs)
    for lane, row in zip(lanes, rows, strict=True):
        out[lane] = row
    return out
