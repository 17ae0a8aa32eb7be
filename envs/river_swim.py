"""River swim: swim against the current for a reward that idleness hardly hints at."""

from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from curiosity_rl.canvas import GOLD, INK, Canvas, ramp
from curiosity_rl.envs.rng import STEP, uniform
from curiosity_rl.envs.settings import whole
from curiosity_rl.envs.world import World
from curiosity_rl.jit import kernel

BANK_REWARD, GOAL_REWARD = 0.005, 1.0
ADVANCE, STAY, LEAVE_BANK, HOLD_GOAL = 0.35, 0.60, 0.60, 0.60


class State(NamedTuple):
    """Swimmers of n lanes."""

    rng: np.ndarray  # (n,) uint64
    place: np.ndarray  # (n,) int64, 0 is the left bank


@kernel
def act(i, action, goal, state):
    """Move swimmer i, `goal` being the last place; return its reward."""
    state.rng[i] += STEP
    place, luck = state.place[i], uniform(state.rng[i])
    if action == 0:
        state.place[i] = max(place - 1, 0)
        return BANK_REWARD if place == 0 else 0.0
    if place == goal:
        state.place[i] = goal if luck < HOLD_GOAL else goal - 1
        return GOAL_REWARD
    if luck < (LEAVE_BANK if place == 0 else ADVANCE):
        state.place[i] = place + 1
    elif place > 0 and luck >= ADVANCE + STAY:
        state.place[i] = place - 1
    return 0.0


@kernel
def observe(i, state, out):
    """Write where swimmer i is."""
    for place in range(out.shape[1]):
        out[i, place] = 0.0
    out[i, state.place[i]] = 1.0


@kernel
def move_all(actions, state, goal, rewards, terminated):
    """Move every swimmer; no episode ends by itself."""
    for i in range(actions.shape[0]):
        rewards[i] = act(i, actions[i], goal, state)
        terminated[i] = False


@kernel
def step_all(actions, state, goal, rewards, terminated, out):
    """Move every swimmer and write where it then is."""
    for i in range(actions.shape[0]):
        rewards[i] = act(i, actions[i], goal, state)
        terminated[i] = False
        observe(i, state, out)


@kernel
def observe_lanes(lanes, state, out):
    """Write where the swimmers of these lanes are into the same rows of `out`."""
    for i in lanes:
        observe(i, state, out)


class RiverSwim(World):
    """Swim up a river of a few places.

    ## Description
    Going left always works. Going right advances with .35, stays with .60, else drifts
    back; it leaves the first place with .60 and holds the last with .60, else drifts
    back. Only who swims right again and again finds the large reward.
    ## Action
    `Discrete(2)`: 0 left, 1 right.
    ## Observation
    Flat float32 `(size,)`: 1 at the swimmer's place, else 0.
    ## Reward
    .005 for going left in the first place, 1 for going right in the last, else 0.
    ## End
    Truncated after 200 steps (`max_episode_steps`); never terminated.
    ## Registered ids
    `river-swim-v0`.
    ## Source
    Strehl & Littman (2008); numbers of Osband, Russo & Van Roy (2013).

    Args:
        size: Places, 2 to 1000. Raises a ValueError if it is anything else.
    """

    reward_range = (0.0, GOAL_REWARD)
    landmarks = ("far-bank",)

    coverage_axes = ("place",)

    def __init__(self, size: int = 6) -> None:
        self.goal = whole("size", size, 2, 1000) - 1
        self.action_space = Discrete(2)
        self.observation_space = Box(0.0, 1.0, (size,), np.float32)
        self.coverage_shape = (size,)

    def allocate(self, lanes: int) -> State:
        return State(np.zeros(lanes, dtype=np.uint64), np.zeros(lanes, dtype=np.int64))

    def reset(self, state: State, lanes: np.ndarray) -> None:
        state.place[lanes] = 0

    def step(self, state: State, actions: np.ndarray, out: np.ndarray) -> Any:
        rewards = np.empty(len(actions))
        terminated = np.empty(len(actions), dtype=np.bool_)
        step_all(actions, state, self.goal, rewards, terminated, out)
        return rewards, terminated

    def observe(self, state: State, lanes: np.ndarray, out: np.ndarray) -> None:
        observe_lanes(lanes, state, out)

    def coverage(self, state: State) -> np.ndarray:
        return state.place.copy()

    def at_landmarks(self, state: State) -> np.ndarray:
        return (state.place == self.goal)[:, None]

    def render(self, state: State, lane: int) -> np.ndarray:
        canvas = Canvas(64, 64 * self.coverage_shape[0])
        for place in range(self.coverage_shape[0]):
            canvas.disc(64 * place + 32, 32, 24, ramp(place / self.coverage_shape[0]))
        canvas.ring(64 * self.coverage_shape[0] - 32, 32, 27, 4, GOLD)
        canvas.disc(64 * int(state.place[lane]) + 32, 32, 12, INK)
        return canvas.image()
