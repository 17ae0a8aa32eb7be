"""Batches of transitions for the tests of rewards."""

from __future__ import annotations

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
    cut = slice(start, stop)
    return Transitions(
        obs=batch.obs[cut],
        action=batch.action[cut],
        reward=batch.reward[cut],
        next_obs=batch.next_obs[cut],
        terminated=batch.terminated[cut],
        truncated=batch.truncated[cut],
        info={key: value[cut] for key, value in batch.info.items()},
    )


def column(*values: float) -> np.ndarray:
    """One lane through time."""
    return np.array(values)[:, None]
