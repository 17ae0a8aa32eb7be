"""What a replay buffer of Stable-Baselines3 holds, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.buffers import ReplayBuffer

from curiosity_rl.adapters.replay import RelabelledReplay

_COLUMNS = (
    "observations",
    "next_observations",
    "actions",
    "rewards",
    "dones",
    "timeouts",
    "ep_start",
    "ep_length",
)
"""Tables with one row a step; the last two are those of hindsight replay."""


def replay_state(buffer: ReplayBuffer) -> dict[str, Any]:
    """Return all transitions of a buffer, and what its bonus has yet to learn from.

    Raises:
        ValueError: If the buffer keeps infos, which may hold anything.
    """
    if getattr(buffer, "copy_info_dict", False):
        raise ValueError(
            "the replay buffer keeps infos (copy_info_dict), which a checkpoint cannot "
            "hold; build it without"
        )
    # One row more: with `optimize_memory_usage` the next observation stands there.
    rows = min(buffer.size() + 1, buffer.buffer_size)
    state: dict[str, Any] = {
        "pos": buffer.pos,
        "full": buffer.full,
        "columns": {
            name: _first(getattr(buffer, name), rows)
            for name in _COLUMNS
            if hasattr(buffer, name)
        },
    }
    if isinstance(buffer, HerReplayBuffer):
        state["current_ep_start"] = buffer._current_ep_start.copy()
    if isinstance(buffer, RelabelledReplay):
        state["bonus"] = buffer.state_dict()
    return state


def load_replay_state(buffer: ReplayBuffer, state: Mapping[str, Any]) -> None:
    """Restore what `replay_state` returned into a buffer of the same settings.

    Raises:
        ValueError: If it comes from another kind of buffer or a larger one.
    """
    names = [name for name in _COLUMNS if hasattr(buffer, name)]
    pos, columns = int(state["pos"]), state["columns"]
    if sorted(columns) != sorted(names) or not 0 <= pos < buffer.buffer_size:
        raise ValueError(
            f"the replay buffer saved has the columns {', '.join(columns)} and stands "
            f"at row {pos}; this one has {', '.join(names)} and {buffer.buffer_size} "
            "rows: build it with the same settings"
        )
    for name in names:
        _fill(getattr(buffer, name), columns[name], name)
    buffer.pos, buffer.full = pos, bool(state["full"])
    if isinstance(buffer, HerReplayBuffer):
        buffer._current_ep_start = np.array(state["current_ep_start"])
    if isinstance(buffer, RelabelledReplay):
        buffer.load_state_dict(state["bonus"])


def break_episodes(buffer: ReplayBuffer) -> None:
    """Have what comes next follow no stored step: a time limit cut these episodes."""
    if not buffer.size():
        return
    if isinstance(buffer, HerReplayBuffer):
        if (buffer._current_ep_start != buffer.pos).any():
            buffer.truncate_last_trajectory()
        return
    last = (buffer.pos - 1) % buffer.buffer_size
    # SB3 knows time limits only where it keeps them apart from ends.
    if buffer.handle_timeout_termination:
        buffer.timeouts[last] = np.maximum(
            buffer.timeouts[last], 1 - buffer.dones[last]
        )
    buffer.dones[last] = 1


def _first(column: Any, rows: int) -> Any:
    if isinstance(column, dict):
        return {key: value[:rows].copy() for key, value in column.items()}
    return column[:rows].copy()


def _fill(column: Any, rows: Any, name: str) -> None:
    if isinstance(column, dict):
        if not isinstance(rows, dict) or sorted(rows) != sorted(column):
            raise ValueError(
                f"the replay buffer saved has no keys like those of {name}"
            )
        for key, value in column.items():
            _fill(value, rows[key], f"{name}[{key!r}]")
        return
    fits = isinstance(rows, np.ndarray) and rows.dtype == column.dtype
    if not fits or len(rows) > len(column) or rows.shape[1:] != column.shape[1:]:
        raise ValueError(
            f"{name} of the replay buffer saved is {np.shape(rows)}, this one has room "
            f"for {column.shape} of {column.dtype}: build it with the same settings"
        )
    column[: len(rows)] = rows
