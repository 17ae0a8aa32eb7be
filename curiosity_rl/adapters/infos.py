"""What a step's info tells a reward: numbers that every lane has, never the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """Whether an info entry is a number or a regular array of numbers or booleans."""
    return _numbers(value) is not None


def _numbers(value: Any) -> np.ndarray | None:
    """Return an info entry as an array; None if it is no regular array of numbers."""
    if isinstance(value, str | dict):
        return None
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):  # rows of unequal length, and others
        return None
    return array if array.dtype.kind in "biuf" else None


def common_info(infos: Sequence[Mapping[str, Any]]) -> dict[str, list[np.ndarray]]:
    """Return, one array per info, the numeric entries that all have in one shape."""
    common: dict[str, list[np.ndarray]] = {}
    for key in infos[0]:
        arrays: list[np.ndarray] = []
        for info in infos:
            array = _numbers(info.get(key))
            if array is None or (arrays and array.shape != arrays[0].shape):
                break
            arrays.append(array)
        else:
            common[key] = arrays
    return common


def collect_infos(infos: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Stack the numeric entries that every lane's info has, `(N, ...)` each.

    An entry whose shape is not the same in all lanes is left out.
    """
    shown = {key: value for key, value in infos[0].items() if key not in NOT_INFO}
    common = common_info([shown, *infos[1:]])
    return {key: np.stack(arrays) for key, arrays in common.items()}


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
    for key in final if ended.all() else info:
        if key.startswith("_") or key in NOT_INFO:
            continue
        if not any_end or final is info:
            value, has = info[key], info.get(f"_{key}", everyone)
        else:
            value, has = final.get(key), final.get(f"_{key}", everyone)
            if value is None:
                continue
            if not ended.all():
                if not (is_numeric(value) and is_numeric(info[key])):
                    continue
                if np.shape(value) != np.shape(info[key]):
                    continue
                pick = ended.reshape(-1, *[1] * (np.ndim(value) - 1))
                value = np.where(pick, value, info[key])
                has = np.where(ended, has, info.get(f"_{key}", everyone))
        if is_numeric(value) and np.shape(value)[:1] == (lanes,) and has[only].all():
            merged[key] = np.asarray(value)[only]
    return merged
