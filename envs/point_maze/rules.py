"""One step of a mass in a maze, scalar, one lane at a time; see world.py."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from curiosity_rl.envs.rng import STEP, uniform
from curiosity_rl.jit import kernel

DT = 0.1
ACCELERATION = 5.0
DAMPING = 2.0
MAX_SPEED = 2.0
RADIUS = 0.125  # a power of two: a body against a wall touches it exactly
JITTER = 0.25
SUCCESS = 0.45


class State(NamedTuple):
    """Masses of n lanes; x counts columns and y rows, in metres."""

    rng: np.ndarray  # (n,) uint64
    position: np.ndarray  # (n, 2) float64, x and y
    velocity: np.ndarray  # (n, 2) float64, per second
    goal: np.ndarray  # (n, 2) float64, the desired place; 0 where there is none
    reached: np.ndarray  # (n,) bool, whether it is at the goal
    elapsed: np.ndarray  # (n,) int64, steps of this episode


class Params(NamedTuple):
    """A maze as the kernels read it; cell (column x, row y) is `y * width + x`."""

    width: int
    height: int
    side: int  # the longer of the two
    walls: np.ndarray  # (height * width,) bool
    ends: np.ndarray  # (height * width,) bool, goals that end an episode
    starts: np.ndarray  # (S,) int64
    targets: np.ndarray  # (G,) int64, cells of desired goals; none in the flat form
    rank: np.ndarray  # (height * width,) int64, place of a cell in targets, or -1


@kernel
def slide(walls, at, beside, step, along, across):
    """Move a body along an axis, up to a wall; return where it is and if it touches.

    A step is shorter than a cell and a body narrower, so that it comes upon at most
    one new line of cells, and there upon two.

    Args:
        walls: The maze, flat.
        at: Middle of the body on this axis.
        beside: Middle of the body on the other axis.
        step: Signed length of the step.
        along: Distance in `walls` of cells that are neighbours on this axis.
        across: The same on the other axis.
    """
    there = at + step
    if step > 0.0:
        line = math.ceil(there + RADIUS) - 1
        stop = line - RADIUS
    else:
        line = math.floor(there - RADIUS)
        stop = line + 1 + RADIUS
    first = math.floor(beside - RADIUS)
    last = math.ceil(beside + RADIUS) - 1
    touch = walls[line * along + first * across] or walls[line * along + last * across]
    return (stop if touch else there), touch


@kernel
def push(speed, force):
    """Return the speed on one axis after a step with this force."""
    speed += DT * (ACCELERATION * force - DAMPING * speed)
    return min(max(speed, -MAX_SPEED), MAX_SPEED)


@kernel
def near(dx, dy):
    """Tell whether a place so far away, in metres, counts as reached."""
    return dx * dx + dy * dy <= SUCCESS * SUCCESS


@kernel
def draw(i, state):
    """Return the next uniform number of lane i."""
    state.rng[i] += STEP
    return uniform(state.rng[i])


@kernel
def begin(i, state, params):
    """Draw a new episode into lane i."""
    start = params.starts[int(draw(i, state) * len(params.starts))]
    row, column = divmod(start, params.width)
    state.position[i, 0] = column + 0.5 + JITTER * (2.0 * draw(i, state) - 1.0)
    state.position[i, 1] = row + 0.5 + JITTER * (2.0 * draw(i, state) - 1.0)
    state.velocity[i, 0] = state.velocity[i, 1] = 0.0
    state.reached[i] = False
    state.elapsed[i] = 0
    if len(params.targets) > 0:
        own = params.rank[start]
        others = len(params.targets) - (1 if own >= 0 else 0)
        choice = int(draw(i, state) * others)
        if own >= 0 and choice >= own:
            choice += 1
        row, column = divmod(params.targets[choice], params.width)
        state.goal[i, 0] = column + 0.5 + JITTER * (2.0 * draw(i, state) - 1.0)
        state.goal[i, 1] = row + 0.5 + JITTER * (2.0 * draw(i, state) - 1.0)


@kernel
def scaled(place, extent, side):
    """Return a place on an axis so that the longer side of the maze is [-1, 1]."""
    return np.float32((2.0 * place - extent) / side)


@kernel
def observe(i, state, params, seen, achieved, desired):
    """Write what lane i sees; `achieved` and `desired` only where goals are drawn."""
    x = scaled(state.position[i, 0], params.width, params.side)
    y = scaled(state.position[i, 1], params.height, params.side)
    seen[i, 0], seen[i, 1] = x, y
    seen[i, 2] = state.velocity[i, 0] / MAX_SPEED
    seen[i, 3] = state.velocity[i, 1] / MAX_SPEED
    if len(params.targets) > 0:
        achieved[i, 0], achieved[i, 1] = x, y
        desired[i, 0] = scaled(state.goal[i, 0], params.width, params.side)
        desired[i, 1] = scaled(state.goal[i, 1], params.height, params.side)


@kernel
def step_all(actions, state, params, rewards, terminated, seen, achieved, desired):
    """Move every mass, write what it then sees, and whether it is at the goal."""
    for i in range(actions.shape[0]):
        x, y = state.position[i, 0], state.position[i, 1]
        vx = push(state.velocity[i, 0], actions[i, 0])
        vy = push(state.velocity[i, 1], actions[i, 1])
        x, touch = slide(params.walls, x, y, DT * vx, 1, params.width)
        vx = 0.0 if touch else vx
        y, touch = slide(params.walls, y, x, DT * vy, params.width, 1)
        vy = 0.0 if touch else vy
        state.position[i, 0], state.position[i, 1] = x, y
        state.velocity[i, 0], state.velocity[i, 1] = vx, vy
        state.elapsed[i] += 1
        observe(i, state, params, seen, achieved, desired)
        if len(params.targets) > 0:
            # Of the numbers that are shown, so that rewards computed from them agree.
            dx = 0.5 * params.side * (float(achieved[i, 0]) - float(desired[i, 0]))
            dy = 0.5 * params.side * (float(achieved[i, 1]) - float(desired[i, 1]))
            state.reached[i] = near(dx, dy)
            terminated[i] = False
        else:
            column, row = int(x), int(y)
            state.reached[i] = params.ends[row * params.width + column] and near(
                x - column - 0.5, y - row - 0.5
            )
            terminated[i] = state.reached[i]
        rewards[i] = 1.0 if state.reached[i] else 0.0


@kernel
def observe_lanes(lanes, state, params, seen, achieved, desired):
    """Write what these lanes see into the same rows."""
    for i in lanes:
        observe(i, state, params, seen, achieved, desired)


@kernel
def begin_lanes(lanes, state, params):
    """Draw new episodes into these lanes."""
    for i in lanes:
        begin(i, state, params)
