"""Batches of transitions for the tests of rewards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from curiosity_rl.protocols import Transitions


def batch_of(
    info: dict[str, np.ndarray], done: np.ndarray | None = None, cut: bool = False
) -> Transitions:
    shape = next(iter(info.values())).shape[:2]
    over = np.zeros(shape, bool) if done is None else done
    no = np.zeros(shape, bool)
    zero = np.zeros(shape, np.float32)
    return Transitions(
        obs=zero,
        action=zero,
        reward=zero,
        next_obs=zero,
        terminated=no if cut else over,
        truncated=over if cut else no,
        info=info,
    )


def rows(batch: Transitions, start: int, stop: int) -> Transitions:
    """Return the steps from start to stop."""

    def cut(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: part[start:stop] for key, part in value.items()}
        return None if value is None else value[start:stop]

    return Transitions(**{f.name: cut(getattr(batch, f.name)) for f in fields(batch)})


def column(*values: float) -> np.ndarray:
    """One lane through time."""
    return np.array(values)[:, None]


def reaching(next_obs: Any, done: np.ndarray | None = None) -> Transitions:
    """Transitions to these next observations, from observations of zeros."""
    if isinstance(next_obs, dict):
        shape = next(iter(next_obs.values())).shape[:2]
        obs = {key: np.zeros_like(value) for key, value in next_obs.items()}
    else:
        shape = next_obs.shape[:2]
        obs = np.zeros_like(next_obs)
    batch = batch_of({"step": np.zeros(shape)}, done)
    return replace(batch, obs=obs, next_obs=next_obs)
