"""Deep sea: one long way of small costs to a treasure, all other ways cost less."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from curiosity_rl.canvas import GOLD, INK, MUTED, Canvas, ramp
from curiosity_rl.envs.rng import STEP, normal, uniform
from curiosity_rl.envs.settings import flag, real, whole
from curiosity_rl.envs.world import World
from curiosity_rl.jit import kernel

TREASURE = 1.0


class State(NamedTuple):
    """Divers of n lanes."""

    rng: np.ndarray  # (n,) uint64
    row: np.ndarray  # (n,) int64, as many as the sea has rows once the episode is over
    column: np.ndarray  # (n,) int64; that of the last row once the episode is over
    bad: np.ndarray  # (n,) bool, whether it chose to leave the diagonal
    found: np.ndarray  # (n,) bool, whether it found the treasure


class Params(NamedTuple):
    """Settings of a deep sea, as the kernels read them."""

    right: np.ndarray  # (size, size) int64, the action that goes right in each cell
    cost: float  # of one move to the right
    slip: float  # chance that such a move goes straight down
    stochastic: bool


@kernel
def act(i, action, state, params):
    """Let diver i sink one row; return its reward and whether it is at the bottom."""
    row, column = state.row[i], state.column[i]
    last = params.right.shape[0] - 1
    if row > last:
        return 0.0, True
    right = action == params.right[row, column]
    reward = 0.0
    if right and column == last:
        reward = TREASURE
        state.found[i] = True
    holds = True
    if params.stochastic:
        state.rng[i] += STEP
        holds = uniform(state.rng[i]) >= params.slip
        if row == last and (column == 0 or column == last):
            state.rng[i] += STEP
            reward += normal(state.rng[i])
            state.rng[i] += STEP  # the second word that `normal` has used
    if right:
        reward -= params.cost
        target = min(column + 1, last) if holds else column
    else:
        state.bad[i] |= row == column
        target = max(column - 1, 0)
    state.row[i] = row + 1
    if row < last:  # whoever leaves the sea is nowhere; coverage wants its last cell
        state.column[i] = target
    return reward, row == last


@kernel
def observe(i, state, params, out):
    """Write where diver i is: nowhere once its episode is over."""
    for cell in range(out.shape[1]):
        out[i, cell] = 0.0
    size = params.right.shape[0]
    if state.row[i] < size:
        out[i, state.row[i] * size + state.column[i]] = 1.0


@kernel
def move_all(actions, state, params, rewards, terminated):
    """Let every diver sink one row."""
    for i in range(actions.shape[0]):
        rewards[i], terminated[i] = act(i, actions[i], state, params)


@kernel
def step_all(actions, state, params, rewards, terminated, out):
    """Let every diver sink one row and write where it then is."""
    for i in range(actions.shape[0]):
        rewards[i], terminated[i] = act(i, actions[i], state, params)
        observe(i, state, params, out)


@kernel
def observe_lanes(lanes, state, params, out):
    """Write where the divers of these lanes are into the same rows of `out`."""
    for i in lanes:
        observe(i, state, params, out)


class DeepSea(World):
    """Dive to a treasure that only one way in `2 ** size` of choices leads to.

    ## Description
    A square grid. A diver starts in the corner at the top left, sinks one row per step
    and chooses between left and right; walls at both sides hold it. Which action goes
    right is drawn for every cell, once per world. Each move to the right costs a
    little, so that an agent that follows what it is paid learns to go left; only the
    diagonal, right in every row, ends at the treasure in the corner at the bottom
    right.

    With `stochastic=True`, going right fails with 1/size (the diver sinks straight
    down and pays all the same), and the last step from either corner of the bottom row
    is paid a standard normal number besides.
    ## Action
    `Discrete(2)`: one goes left, the other right, depending on the cell.
    ## Observation
    Flat float32 `(size * size,)`: 1 at the diver's cell, `row * size + column`, else 0;
    all 0 once it has left the last row. Half of the cells can be reached: those with
    `column <= row`.
    ## Reward
    `-move_cost / size` for going right, also against the wall or where it fails; 1 for
    going right in the corner at the bottom right. The best return is `1 - move_cost`;
    the noise of the stochastic variant has no bounds.
    ## End
    Terminated after `size` steps.
    ## Info
    `bad_episode`: whether the diver has chosen left on the diagonal, which loses the
    treasure. `is_success`: whether it found the treasure.
    ## Registered ids
    `deep-sea-v0`.
    ## Source
    Osband et al. (2020), "Behaviour suite for reinforcement learning"; Osband, Van Roy,
    Russo & Wen (2019), "Deep exploration via randomized value functions".

    Args:
        size: Rows and columns, 2 to 100.
        mapping_seed: Seed of the drawn actions, 0 to 2**32 - 1; 42 is that of the
            suite's own experiments. None: action 1 goes right everywhere, which any
            network generalises; it is no test of exploration.
        stochastic: See above.
        move_cost: What the whole diagonal costs, 0 to 1.

    Raises:
        ValueError: If a setting is not allowed.
    """

    coverage_axes = ("depth", "column")
    landmarks = ("treasure",)

    def __init__(
        self,
        size: int = 20,
        mapping_seed: int | None = 42,
        stochastic: bool = False,
        move_cost: float = 0.01,
    ) -> None:
        size = whole("size", size, 2, 100)
        right = np.ones((size, size), dtype=np.int64)
        if mapping_seed is not None:
            seed = whole("mapping_seed", mapping_seed, 0, 2**32 - 1)
            # The legacy generator, whose stream is frozen: the suite's own maps.
            right[...] = np.random.RandomState(seed).binomial(1, 0.5, (size, size))
        cost = real("move_cost", move_cost, 0.0, 1.0) / size
        self.params = Params(right, cost, 1 / size, flag("stochastic", stochastic))
        self.budget = size
        self.action_space = Discrete(2)
        self.observation_space = Box(0.0, 1.0, (size * size,), np.float32)
        self.coverage_shape = (size, size)
        bound = np.inf if stochastic else TREASURE
        self.reward_range = (-bound if stochastic else -cost, bound)

    def allocate(self, lanes: int) -> State:
        return State(
            rng=np.zeros(lanes, dtype=np.uint64),
            row=np.zeros(lanes, dtype=np.int64),
            column=np.zeros(lanes, dtype=np.int64),
            bad=np.zeros(lanes, dtype=np.bool_),
            found=np.zeros(lanes, dtype=np.bool_),
        )

    def reset(self, state: State, lanes: np.ndarray) -> None:
        for field in (state.row, state.column, state.bad, state.found):
            field[lanes] = 0

    def step(self, state: State, actions: np.ndarray, out: np.ndarray) -> Any:
        rewards = np.empty(len(actions))
        terminated = np.empty(len(actions), dtype=np.bool_)
        step_all(actions, state, self.params, rewards, terminated, out)
        return rewards, terminated

    def observe(self, state: State, lanes: np.ndarray, out: np.ndarray) -> None:
        observe_lanes(lanes, state, self.params, out)

    def step_info(self, state: State) -> dict[str, Any]:
        return {"bad_episode": state.bad.copy(), "is_success": state.found.copy()}

    def reset_info(self, state: State, lanes: np.ndarray) -> dict[str, Any]:
        return {"bad_episode": state.bad[lanes], "is_success": state.found[lanes]}

    def coverage(self, state: State) -> np.ndarray:
        """Return the cell `row * size + column`, the last one where it is over."""
        return np.minimum(state.row, self.budget - 1) * self.budget + state.column

    def at_landmarks(self, state: State) -> np.ndarray:
        return state.found[:, None].copy()

    def render(self, state: State, lane: int) -> np.ndarray:
        side, size = max(320 // self.budget, 4), self.budget
        canvas = Canvas(side * size, side * size)
        for row in range(size):
            for column in range(row + 1):
                x, y = side * column, side * row
                colour = MUTED if column < row else ramp(0.35)
                canvas.box(x + 0.5, y + 0.5, x + side - 0.5, y + side - 0.5, colour)
        end, radius = side * (size - 0.5), 0.36 * side
        canvas.disc(end, end, radius, GOLD)
        row, column = np.divmod(self.coverage(state)[lane], size)
        canvas.disc(side * (column + 0.5), side * (row + 0.5), 0.7 * radius, INK)
        return canvas.image()
