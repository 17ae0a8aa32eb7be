"""The table of the arm: its measures, and one step, scalar, one lane at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from curiosity_rl.envs.rng import STEP, mix, uniform
from curiosity_rl.jit import kernel

UPPER_ARM, FOREARM, PALM = 0.5, 0.3, 0.2
STICK = 0.5
SPEED = 0.15
LIMITS = ((0.0, np.pi), (-2.5, 2.5), (-2.0, 2.0))
REST = (np.pi / 2, 0.0, 0.0)
GRASP = 0.15
MAGNET = 0.15
ZONE = 0.2
TABLE = 2.0
REACH = UPPER_ARM + FOREARM + PALM

# Regions as (distance, its half width, angle, its half width), seen from the shoulder.
STICK_AT = (0.7, 0.1, 0.9, 0.3)
TOY_AT = (1.25, 0.1, 2.2, 0.3)
WALKER_AT = (1.2, 0.3, -0.8, 0.4)
FAR_AT = (1.85, 0.1, 1.5, 0.3)
ZONE_AT = (1.0, 0.0, 0.7, 0.0)
GOALS_AT = (1.0, 0.35, 1.5, 1.2)

HAND, HANDLE, TIP, TOY, WALKER, FAR = range(6)
MOVED = ("stick", "toy", "walker", "far toy")
SIZE = 8 + 2 * 6
"""Numbers of an observation."""
REDRAWS = 100
"""Goals drawn at most, until one is not where the toy lies already."""
CELLS = 20
"""Cells of a side of the coverage tables."""


class State(NamedTuple):
    """Arms and tables of n lanes; places are in arm lengths, from the shoulder."""

    rng: np.ndarray  # (n,) uint64, stream of episodes
    noise: np.ndarray  # (n,) uint64, stream of the walker's steps
    joints: np.ndarray  # (n, 3) float64, angles of shoulder, elbow and wrist
    heading: np.ndarray  # (n, 2) float64, direction of the palm
    places: np.ndarray  # (n, 6, 2) float64: hand, handle, tip, toy, walker, far toy
    goal: np.ndarray  # (n, 2) float32, where the toy is wanted, in units of `TABLE`
    closed: np.ndarray  # (n,) bool, the gripper
    held: np.ndarray  # (n,) bool, the stick is in the gripper
    caught: np.ndarray  # (n,) bool, the toy hangs on the tip
    moved: np.ndarray  # (n, 4) float64, path of what the arm moved, as in `MOVED`
    elapsed: np.ndarray  # (n,) int64, steps of this episode


class Params(NamedTuple):
    """Settings of the arm's world, as the kernels read them."""

    spread: float
    walk: float
    paid: bool  # whether there is a reward
    goals: bool  # whether the goal is drawn, and episodes go on when it is reached


def allocate(n: int) -> State:
    """Return the arrays of so many lanes, all zero."""
    return State(
        rng=np.zeros(n, dtype=np.uint64),
        noise=np.zeros(n, dtype=np.uint64),
        joints=np.zeros((n, 3)),
        heading=np.zeros((n, 2)),
        places=np.zeros((n, 6, 2)),
        goal=np.zeros((n, 2), dtype=np.float32),
        closed=np.zeros(n, dtype=np.bool_),
        held=np.zeros(n, dtype=np.bool_),
        caught=np.zeros(n, dtype=np.bool_),
        moved=np.zeros((n, 4)),
        elapsed=np.zeros(n, dtype=np.int64),
    )


@kernel
def follow(i, state):
    """Put the hand of lane i where its joints lead."""
    first = state.joints[i, 0]
    second = first + state.joints[i, 1]
    third = second + state.joints[i, 2]
    ahead, aside = np.cos(third), np.sin(third)
    state.heading[i, 0], state.heading[i, 1] = ahead, aside
    state.places[i, HAND, 0] = (
        UPPER_ARM * np.cos(first) + FOREARM * np.cos(second) + PALM * ahead
    )
    state.places[i, HAND, 1] = (
        UPPER_ARM * np.sin(first) + FOREARM * np.sin(second) + PALM * aside
    )


@kernel
def spot(word, region, spread):
    """Draw a point of a region; it uses the words `word` and `word + STEP`."""
    distance = region[0] + region[1] * spread * (2.0 * uniform(word) - 1.0)
    angle = region[2] + region[3] * spread * (2.0 * uniform(word + STEP) - 1.0)
    return distance * np.cos(angle), distance * np.sin(angle), angle


@kernel
def reset(i, state, params):
    """Lay the table of lane i anew."""
    word = state.rng[i] + STEP
    x, y, angle = spot(word, STICK_AT, params.spread)
    state.places[i, HANDLE, 0], state.places[i, HANDLE, 1] = x, y
    state.places[i, TIP, 0] = x + STICK * np.cos(angle)
    state.places[i, TIP, 1] = y + STICK * np.sin(angle)
    word += STEP + STEP
    x, y, angle = spot(word, TOY_AT, params.spread)
    state.places[i, TOY, 0], state.places[i, TOY, 1] = x, y
    word += STEP + STEP
    x, y, angle = spot(word, WALKER_AT, params.spread)
    state.places[i, WALKER, 0], state.places[i, WALKER, 1] = x, y
    word += STEP + STEP
    x, y, angle = spot(word, FAR_AT, params.spread)
    state.places[i, FAR, 0], state.places[i, FAR, 1] = x, y
    word += STEP + STEP
    for _ in range(REDRAWS):
        if params.goals:
            x, y, angle = spot(word, GOALS_AT, 1.0)
        else:
            x, y, angle = spot(word, ZONE_AT, 1.0)
        state.goal[i, 0], state.goal[i, 1] = x / TABLE, y / TABLE
        word += STEP + STEP
        if not arrived(i, state):
            break
    state.elapsed[i] = 0
    state.noise[i] = mix(word)
    state.rng[i] = word
    state.closed[i] = state.held[i] = state.caught[i] = False
    for k in range(4):
        state.moved[i, k] = 0.0
    for k in range(3):
        state.joints[i, k] = REST[k]
    follow(i, state)


@kernel
def near(i, state, a, b, radius):
    """Tell whether two places of lane i are within a radius of each other."""
    x = state.places[i, a, 0] - state.places[i, b, 0]
    y = state.places[i, a, 1] - state.places[i, b, 1]
    return x * x + y * y <= radius * radius


@kernel
def arrived(i, state):
    """Tell whether the toy is in the goal zone, as seen at float32 precision."""
    x = float(np.float32(state.places[i, TOY, 0] / TABLE)) - float(state.goal[i, 0])
    y = float(np.float32(state.places[i, TOY, 1] / TABLE)) - float(state.goal[i, 1])
    return x * x + y * y <= (ZONE / TABLE) * (ZONE / TABLE)


@kernel
def act(i, actions, state, params):
    """Move joints, gripper and what hangs on them; then the walker."""
    for k in range(3):
        angle = state.joints[i, k] + SPEED * float(actions[i, k])
        state.joints[i, k] = min(max(angle, LIMITS[k][0]), LIMITS[k][1])
    follow(i, state)
    closed = actions[i, 3] > 0.0
    held = closed and (state.held[i] or near(i, state, HAND, HANDLE, GRASP))
    caught = held and state.caught[i]
    if held:
        hand_x, hand_y = state.places[i, HAND, 0], state.places[i, HAND, 1]
        tip_x = hand_x + STICK * state.heading[i, 0]
        tip_y = hand_y + STICK * state.heading[i, 1]
        x = hand_x + tip_x - state.places[i, HANDLE, 0] - state.places[i, TIP, 0]
        y = hand_y + tip_y - state.places[i, HANDLE, 1] - state.places[i, TIP, 1]
        state.moved[i, 0] += 0.5 * np.sqrt(x * x + y * y)
        state.places[i, HANDLE, 0], state.places[i, HANDLE, 1] = hand_x, hand_y
        state.places[i, TIP, 0], state.places[i, TIP, 1] = tip_x, tip_y
        caught = caught or near(i, state, TIP, TOY, MAGNET)
        if caught:
            x = tip_x - state.places[i, TOY, 0]
            y = tip_y - state.places[i, TOY, 1]
            state.moved[i, 1] += np.sqrt(x * x + y * y)
            state.places[i, TOY, 0], state.places[i, TOY, 1] = tip_x, tip_y
    state.closed[i], state.held[i], state.caught[i] = closed, held, caught
    for k in range(2):
        state.noise[i] += STEP
        stride = params.walk * (2.0 * uniform(state.noise[i]) - 1.0)
        place = state.places[i, WALKER, k] + stride
        state.places[i, WALKER, k] = min(max(place, -TABLE), TABLE)


@kernel
def observe(i, state, out):
    """Write the 20 numbers that lane i sees into its row."""
    for k in range(3):
        low, high = LIMITS[k]
        out[i, k] = (2.0 * state.joints[i, k] - low - high) / (high - low)
    out[i, 3], out[i, 4] = state.heading[i, 0], state.heading[i, 1]
    out[i, 5], out[i, 6] = state.closed[i], state.held[i]
    out[i, 7] = state.caught[i]
    for k in range(6):
        out[i, 8 + 2 * k] = state.places[i, k, 0] / TABLE
        out[i, 9 + 2 * k] = state.places[i, k, 1] / TABLE


@kernel
def tell_goal(i, state, achieved, desired):
    """Write where the toy of lane i is and where it is wanted."""
    for k in range(2):
        achieved[i, k] = state.places[i, TOY, k] / TABLE
        desired[i, k] = state.goal[i, k]


@kernel
def step_all(actions, state, params, rewards, terminated, out, achieved, desired):
    """Move every arm and write what it then sees; goals where they are wanted."""
    for i in range(actions.shape[0]):
        act(i, actions, state, params)
        state.elapsed[i] += 1
        success = params.paid and arrived(i, state)
        rewards[i] = success
        terminated[i] = success and not params.goals
        observe(i, state, out)
        if params.goals:
            tell_goal(i, state, achieved, desired)


@kernel
def reset_lanes(lanes, state, params):
    """Lay the tables of these lanes anew."""
    for i in lanes:
        reset(i, state, params)


@kernel
def observe_lanes(lanes, state, params, out, achieved, desired):
    """Write what these lanes see into the same rows."""
    for i in lanes:
        observe(i, state, out)
        if params.goals:
            tell_goal(i, state, achieved, desired)


@kernel
def succeeded(state, found):
    """Write which toys are in their goal zones."""
    for i in range(found.shape[0]):
        found[i] = arrived(i, state)


@kernel
def find_cells(state, found):
    """Write the cells (map, y, x) of what the arms have in their power, flat."""
    for i in range(found.shape[0]):
        power = int(state.held[i]) + int(state.caught[i])
        what = TOY if power == 2 else TIP if power == 1 else HAND
        x = int((state.places[i, what, 0] + TABLE) * (CELLS / (2.0 * TABLE)))
        y = int((TABLE - state.places[i, what, 1]) * (CELLS / (2.0 * TABLE)))
        found[i] = (power * CELLS + y) * CELLS + x
