"""One step of an agent on the map: MiniGrid's actions, scalar, one lane at a time."""

from __future__ import annotations

from curiosity_rl.envs.grid.cells import (
    BOX,
    CLOSED,
    COLOUR_AT,
    CONTENT_AT,
    DOOR,
    DOOR_AT,
    EMPTY,
    GOAL,
    HOLDS_KEY,
    KEY,
    KIND_BITS,
    LOCKED,
    OPAQUE,
    TARGET,
)
from curiosity_rl.envs.grid.state import Params, State
from curiosity_rl.envs.grid.view import PICTURE, observe
from curiosity_rl.jit import kernel

LEFT, RIGHT, FORWARD, PICK_UP, DROP, TOGGLE, DONE, WATCH = range(8)
COLOUR_BITS = 0b111
DOOR_BITS = 0b11 << DOOR_AT
FIELDS = len(State._fields)


@kernel
def toggled(cell, carrying):
    """Return what becomes of a cell that is toggled by somebody who carries that."""
    kind = cell & KIND_BITS
    if kind == DOOR:
        colour = cell >> COLOUR_AT & COLOUR_BITS
        state = cell >> DOOR_AT & 0b11
        if state == LOCKED:
            if carrying & (KIND_BITS | COLOUR_BITS << COLOUR_AT) != (
                KEY | colour << COLOUR_AT
            ):
                return cell
            return cell & ~(DOOR_BITS | OPAQUE)
        if state == CLOSED:
            return cell & ~(DOOR_BITS | OPAQUE)
        return cell | CLOSED << DOOR_AT | OPAQUE
    if kind == BOX:
        if cell & HOLDS_KEY:
            return KEY | (cell >> CONTENT_AT & COLOUR_BITS) << COLOUR_AT
        return EMPTY
    return cell


@kernel
def act(i, action, state, params):
    """Do one action in lane i; return its reward and whether it ends the episode."""
    state.elapsed[i] += 1
    state.watching[i] = False
    front = state.place[i] + params.ahead[state.heading[i]]
    cell = int(state.cells[i, front])
    kind = cell & KIND_BITS
    success = False
    if action == LEFT:
        state.heading[i] = state.heading[i] + 3 & 3
    elif action == RIGHT:
        state.heading[i] = state.heading[i] + 1 & 3
    elif action == FORWARD:
        success = kind == GOAL
        if kind == EMPTY or success or (kind == DOOR and not cell & OPAQUE):
            state.place[i] = front
    elif action == PICK_UP:
        if KEY <= kind <= BOX and state.carrying[i] == 0:
            success = cell & TARGET != 0
            state.carrying[i] = cell
            state.cells[i, front] = EMPTY
    elif action == DROP:
        if kind == EMPTY and state.carrying[i] != 0:
            state.cells[i, front] = state.carrying[i]
            state.carrying[i] = 0
    elif action == TOGGLE:
        state.cells[i, front] = toggled(cell, int(state.carrying[i]))
    elif action == WATCH:
        state.watching[i] = True
        state.noise[i] += PICTURE
    reward = 0.0
    if success:
        reward = 1.0 - 0.9 * (state.elapsed[i] / params.max_steps)
    return reward, success


@kernel
def step_all(actions, rewards, terminated, out, *fields):
    """Move every agent and write what it then sees.

    `fields` are those of the state and the settings: numba takes arrays from Python
    at half the cost of tuples of them, and that is most of what one lane's step costs.
    """
    state, params = State(*fields[:FIELDS]), Params(*fields[FIELDS:])
    for i in range(actions.shape[0]):
        rewards[i], terminated[i] = act(i, actions[i], state, params)
        observe(i, state, params, out)


@kernel
def observe_lanes(lanes, state, params, out):
    """Write what the agents of these lanes see into the same rows of `out`."""
    for i in lanes:
        observe(i, state, params, out)
