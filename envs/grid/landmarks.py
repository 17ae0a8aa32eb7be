"""What an agent finds on its way through a grid world, one lane at a time."""

from __future__ import annotations

import numpy as np

from curiosity_rl.envs.grid.cells import (
    DOOR,
    GOAL,
    KEY,
    KIND_BITS,
    NUMBER_AT,
    OPAQUE,
    TARGET,
)
from curiosity_rl.envs.grid.state import Params, State
from curiosity_rl.jit import kernel

COLUMNS = {"key": 0, "door": 1, "goal": 2, "prize": 2}
"""Where `note_all` writes what: a key in hand, an open door ahead, the end of an
episode; then a column for each numbered door that an agent stands in."""
ROOMS_AT = 3
NUMBER_BITS = 0b1111


def column_of(name: str) -> int:
    """Return the column of a landmark; `room-k` lies behind door number `k - 1`."""
    room = name.removeprefix("room-")
    return COLUMNS[name] if room == name else ROOMS_AT + int(room) - 2


@kernel
def note_all(state, params, out):
    """Write which landmarks every agent is at, `(n, columns)` bool."""
    for i in range(out.shape[0]):
        for column in range(out.shape[1]):
            out[i, column] = False
        here = int(state.cells[i, state.place[i]])
        ahead = int(state.cells[i, state.place[i] + params.ahead[state.heading[i]]])
        held = int(state.carrying[i])
        out[i, 0] = held & KIND_BITS == KEY
        out[i, 1] = ahead & KIND_BITS == DOOR and not ahead & OPAQUE
        out[i, 2] = here & KIND_BITS == GOAL or held & TARGET != 0
        number = here >> NUMBER_AT & NUMBER_BITS
        if here & KIND_BITS == DOOR and 0 < number <= out.shape[1] - ROOMS_AT:
            out[i, ROOMS_AT + number - 1] = True


def at_landmarks(state: State, params: Params, columns: np.ndarray) -> np.ndarray:
    """Return these columns of what `note_all` writes, `(n, L)` bool."""
    width = max(ROOMS_AT, int(columns.max(initial=0)) + 1)
    out = np.empty((len(state.place), width), dtype=np.bool_)
    note_all(state, params, out)
    return out[:, columns]
