"""What an agent sees: 7 by 7 cells ahead of it, less those hidden behind others.

The view is told row by row from the agent's own (the last) to the farthest (row 0);
column 0 is at its left. A set of cells of a row is a word of 7 bits.
"""

from __future__ import annotations

import numpy as np

from curiosity_rl.envs.grid.cells import (
    COLOUR_AT,
    COLOURS,
    DOOR,
    DOOR_AT,
    EMPTY,
    LOOK_BITS,
)
from curiosity_rl.envs.grid.state import VIEW
from curiosity_rl.envs.rng import STEP, mix
from curiosity_rl.jit import kernel

LAST = VIEW - 1
ROW = (1 << VIEW) - 1
AGENT_COLUMN = VIEW // 2
OPAQUE_AT = 15
CELLS = VIEW * VIEW
AGENT = AGENT_COLUMN * VIEW + LAST
with np.errstate(over="ignore"):
    PICTURE = np.uint64(CELLS) * STEP  # the stream's way from one picture to the next
_HIGH = np.uint64(32)
_BYTE = np.uint64(0xFF)


@kernel
def lit_rightwards(seen, clear):
    """Return the clear cells from which light goes right: from seen ones, spreading."""
    lit = seen & clear
    lit |= (lit << 1) & clear
    clear &= clear << 1
    lit |= (lit << 2) & clear
    clear &= clear << 2
    return lit | ((lit << 4) & clear)


@kernel
def lit_leftwards(seen, clear):
    """Return the clear cells from which light goes left: from seen ones, spreading."""
    lit = seen & clear
    lit |= (lit >> 1) & clear
    clear &= clear >> 1
    lit |= (lit >> 2) & clear
    clear &= clear >> 2
    return lit | ((lit >> 4) & clear)


@kernel
def visible(i, state, corner, right, back):
    """Return the cells that lane i sees: bit `7 * row + column` of a word.

    MiniGrid's rule: light goes on from a seen cell that hides nothing to its
    neighbours left and right, and to the three cells ahead of it; each row is swept
    to the right, then to the left, before the next.
    """
    found = 0
    seen = 1 << AGENT_COLUMN
    start = corner + LAST * back
    for row in range(LAST, -1, -1):
        walls, at = 0, start
        for column in range(VIEW):
            cell = int(state.cells[i, np.uint64(at)])
            walls |= (cell >> OPAQUE_AT) << column
            at += right
        start -= back
        clear = ROW & ~walls
        lit = lit_rightwards(seen, clear) & (ROW >> 1)
        beyond = lit | lit << 1
        seen |= beyond
        lit = lit_leftwards(seen, clear) & (ROW - 1)
        seen |= lit >> 1
        beyond |= lit | lit >> 1
        found |= seen << (VIEW * row)
        seen = beyond
    return found


@kernel
def write(look, channels, at, looks, i, out):
    """Write one look, all of its channels, from column `at` of row i."""
    look = np.uint64(look)
    if channels == 3:  # the common case, for the compiler to unroll
        out[i, np.uint64(at)] = looks[look, 0]
        out[i, np.uint64(at + 1)] = looks[look, 1]
        out[i, np.uint64(at + 2)] = looks[look, 2]
    else:
        for c in range(channels):
            out[i, np.uint64(at + c)] = looks[look, c]


@kernel
def observe(i, state, params, out):
    """Write what lane i sees into row i of `out`, column by column of the view."""
    channels = params.looks.shape[1]
    if state.watching[i]:
        watch(i, state, params, out)
    else:
        ahead = params.ahead[state.heading[i]]
        right = params.ahead[state.heading[i] + 1 & 3]
        corner = state.place[i] + LAST * ahead - AGENT_COLUMN * right
        seen = (1 << CELLS) - 1
        if not params.see_through:
            seen = visible(i, state, corner, right, -ahead)
        at = 0
        for column in range(VIEW):
            place = corner + column * right
            lit = seen >> column
            for _ in range(VIEW):
                look = int(state.cells[i, np.uint64(place)]) & -(lit & 1) & LOOK_BITS
                write(look, channels, at, params.looks, i, out)
                place -= ahead
                lit >>= VIEW
                at += channels
        carrying = int(state.carrying[i])
        look = EMPTY if carrying == 0 else carrying & LOOK_BITS
        write(look, channels, AGENT * channels, params.looks, i, out)
    if out.shape[1] > CELLS * channels:
        for heading in range(4):
            out[i, CELLS * channels + heading] = heading == state.heading[i]


@kernel
def watch(i, state, params, out):
    """Fill the view with random objects: kinds, colours, states of doors."""
    channels = params.looks.shape[1]
    word = state.noise[i]
    for cell in range(CELLS):
        word += STEP
        luck = mix(word)
        kind = 1 + int((luck >> _HIGH) * np.uint64(7) >> _HIGH)
        colour = int(luck & _BYTE) * COLOURS >> 8
        look = kind
        if kind != EMPTY:
            look |= colour << COLOUR_AT
        if kind == DOOR:
            look |= (int(luck >> np.uint64(8) & _BYTE) * 3 >> 8) << DOOR_AT
        write(look, channels, cell * channels, params.looks, i, out)
