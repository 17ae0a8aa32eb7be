"""What a step's info tells a reward: numbers that every lane has, never the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

NOT_INFO = frozenset(
    {
        "TimeLimit.truncated",
        "episode",
        "final_info",
        "final_obs",
        "intrinsic_reward",
        "terminal_observation",
        "truth",
    }
)
"""Info entries that are bookkeeping, or hidden from rewards (`truth`)."""


def is_numeric(value: Any) -> bool:
    """Whether an info entry is a number or an array of numbers or booleans."""
    if isinstance(value, str | dict):
        return False
    return np.asarray(value).dtype.kind in "biuf"


def collect_infos(infos: Sequence[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Stack the numeric entries that every lane's info has, `(N, ...)` each."""
    collected: dict[str, np.ndarray] = {}
    for key in infos[0].keys() - NOT_INFO:
        if not is_numeric(infos[0][key]):
            continue
        if all(key in info for info in infos):
            collected[key] = np.stack([np.asarray(info[key]) for info in infos])
    return collected


def merge_info(
    info: dict[str, Any],
    final: dict[str, Any],
    ended: np.ndarray,
    lanes: int,
    only: np.ndarray | slice = slice(None),
) -> dict[str, np.ndarray]:
    """Join a vector info with its `final_info`: what the transition reported.

    Lanes that ended report from `final`, the others from `info`. An entry counts when
    every lane has it (Gymnasium's masks `_key`), is numeric and is not `truth`.

    Args:
        info: Info of the vector environment.
        final: Its `final_info`; `info` itself where lanes do not reset in the step.
        ended: Lanes that ended, `(lanes,)` bool.
        lanes: Number of lanes.
        only: The lanes that count; their rows are returned.
    """
    merged: dict[str, np.ndarray] = {}
    any_end = bool(ended.any())
    everyone = np.ones(lanes, bool)
    for key in (final if ended.all() else info).keys() - NOT_INFO:
        if key.startswith("_"):
            continue
        if not any_end or final is info:
            value, has = info[key], info.get(f"_{key}", everyone)
        else:
            value, has = final.get(key), final.get(f"_{key}", everyone)
            if value is None:
                continue
            if not ended.all() and is_numeric(value) and is_numeric(info[key]):
                pick = ended.reshape(-1, *[1] * (np.ndim(value) - 1))
                value = np.where(pick, value, info[key])
                has = np.where(ended, has, info.get(f"_{key}", everyone))
        if is_numeric(value) and np.shape(value)[:1] == (lanes,) and has[only].all():
            merged[key] = np.asarray(value)[only]
    return merged
