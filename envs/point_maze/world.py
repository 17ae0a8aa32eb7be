"""Point maze: push a mass through a maze to a goal that alone is rewarded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from curiosity_rl.envs.point_maze import maps
from curiosity_rl.envs.point_maze.picture import draw_maze
from curiosity_rl.envs.point_maze.rules import (
    SUCCESS,
    Params,
    State,
    begin_lanes,
    observe_lanes,
    step_all,
)
from curiosity_rl.envs.settings import choice, flag, whole
from curiosity_rl.envs.world import World

BINS = 4
"""Bins of coverage along each side of a cell."""
LONGEST = 1_000_000
GOAL_CELLS = ("marked", "free")
Judge = Callable[..., np.ndarray]
_NOWHERE = np.empty((0, 2), dtype=np.float32)


class PointMaze(World):
    """Push a mass through a maze, to a goal that alone is rewarded.

    ## Description
    A cell of the maze is 1 m wide; x counts columns and grows to the right, y counts
    rows and grows downwards. The mass is a square body, .25 m wide, so it slides along
    walls and never enters one. A step lasts .1 s; with force a on an axis,

        v <- clip(v + .1 * (5 * a - 2 * v), -2, 2)    m/s
        p <- p + .1 * v                               m

    on both axes for v, then for p on x, then on y. Where a wall is in the way on an
    axis, the body stops at it and v on that axis becomes 0. It begins at rest up to
    .25 m from the middle of a start cell, on each axis.
    ## Action
    `Box(-1, 1, (2,))`: force on x and y.
    ## Observation
    Flat float32 `(4,)` in [-1, 1]: x, y, and velocity on x and y over 2 m/s. Places
    are measured from the middle of the maze, in halves of its longer side. The goals
    stay where they are and are not shown.

    With `goal_conditioned=True` a Dict: `observation` as above, `achieved_goal` (x, y)
    and `desired_goal` on the same scale.
    ## Reward
    1 within .45 m of the middle of a goal cell, else 0. With `goal_conditioned=True`, 1
    in every step that ends within .45 m of the desired goal, else 0: what
    `compute_reward` says of the two goals, so that hindsight relabelling agrees.
    `info["is_success"]` tells the same.
    ## End
    Flat: terminated at the goal. With `goal_conditioned=True` the task is continuing:
    never terminated, the goal stays for the episode, and a relabelled reward can
    contradict no end. Truncated after `max_steps`.
    ## Registered ids
    `point-maze-v0`, `point-maze-goal-v0` (`goal_conditioned=True`).
    ## Source
    Fu et al. (2020), D4RL, maze2d; the terms, maze layouts, time limits and success
    radius are those of Gymnasium-Robotics' PointMaze. The dynamics are simpler: no
    simulator.

    Args:
        maze: `"u"`, `"medium"`, `"large"`, `"spiral"`, or a map as text: rows of `#`
            wall, `.` or space free, `S` start, `G` goal. Starts are drawn with equal
            odds.
        goal_conditioned: Draw a desired goal for each episode and show it: up to .25 m
            from the middle of a cell that is not the start's, on each axis.
        goal_cells: Cells of desired goals: `"marked"` the map's, `"free"` all free
            cells that can be reached.
        max_steps: Time limit; None for 300, 600 and 800 steps in `u`, `medium` and
            `large`, and elsewhere 50 per cell of the longest of the shortest ways from
            a start to a goal.

    Raises:
        ValueError: If a setting is not allowed or the map has a fault.
    """

    reward_range = (0.0, 1.0)
    landmarks = ("goal",)

    def __init__(
        self,
        maze: str = "medium",
        goal_conditioned: bool = False,
        goal_cells: Literal["marked", "free"] = "marked",
        max_steps: int | None = None,
    ) -> None:
        found = maps.parse(maze)
        height, width = found.walls.shape
        targets = np.zeros(0, dtype=np.int64)
        shown: spaces.Space[Any] = _box(4)
        if flag("goal_conditioned", goal_conditioned):
            free = choice("goal_cells", goal_cells, GOAL_CELLS) == "free"
            targets = found.reachable if free else found.goals
            shown = spaces.Dict(
                observation=shown, achieved_goal=_box(2), desired_goal=_box(2)
            )
        elif choice("goal_cells", goal_cells, GOAL_CELLS) != "marked":
            raise ValueError(
                f"got goal_cells={goal_cells!r} without goal_conditioned=True; only "
                "then are goals drawn"
            )
        ends = np.zeros(height * width, dtype=np.bool_)
        ends[found.goals] = not goal_conditioned
        rank = np.full(height * width, -1)
        rank[targets] = np.arange(len(targets))
        self.goal_conditioned = bool(goal_conditioned)
        self.params = Params(
            width=width,
            height=height,
            side=max(width, height),
            walls=found.walls.ravel(),
            ends=ends,
            starts=found.starts,
            targets=targets,
            rank=rank,
        )
        limit = found.steps if max_steps is None else max_steps
        self.max_steps = whole("max_steps", limit, 1, LONGEST)
        self.observation_space = shown
        self.action_space = _box(2)
        self.coverage_shape = (BINS * height, BINS * width)
        self.coverage_axes = "y, quarters of a metre", "x, quarters of a metre"

    def allocate(self, lanes: int) -> State:
        return State(
            rng=np.zeros(lanes, dtype=np.uint64),
            position=np.zeros((lanes, 2)),
            velocity=np.zeros((lanes, 2)),
            goal=np.zeros((lanes, 2)),
            reached=np.zeros(lanes, dtype=np.bool_),
            elapsed=np.zeros(lanes, dtype=np.int64),
        )

    def reset(self, state: State, lanes: np.ndarray) -> None:
        begin_lanes(lanes, state, self.params)

    def step(self, state: State, actions: np.ndarray, out: Any) -> Any:
        rewards = np.empty(len(actions))
        terminated = np.empty(len(actions), dtype=np.bool_)
        shown = self._parts(out)
        step_all(actions, state, self.params, rewards, terminated, *shown)
        return rewards, terminated

    def truncated(self, state: State) -> np.ndarray:
        return state.elapsed >= self.max_steps

    def observe(self, state: State, lanes: np.ndarray, out: Any) -> None:
        observe_lanes(lanes, state, self.params, *self._parts(out))

    def _parts(self, out: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if self.goal_conditioned:
            return out["observation"], out["achieved_goal"], out["desired_goal"]
        return out, _NOWHERE, _NOWHERE

    @property
    def compute_reward(self) -> Judge:
        """The reward of goals: `judge`, where goals are shown.

        Raises:
            AttributeError: In the flat form: who has this is taken for a world of
                goals.
        """
        if not self.goal_conditioned:
            raise AttributeError("compute_reward needs goal_conditioned=True")
        return self.judge

    def judge(
        self, achieved_goal: np.ndarray, desired_goal: np.ndarray, info: Any = None
    ) -> np.ndarray:
        """Return the reward of having reached one place when another was desired.

        Args:
            achieved_goal: Places as observed, `(..., 2)`.
            desired_goal: Places as observed, `(..., 2)`.
            info: Not used.

        Returns:
            1 where they lie within .45 m, else 0, `(...)` float64.
        """
        apart = np.asarray(achieved_goal, float) - np.asarray(desired_goal, float)
        metres = 0.5 * self.params.side * apart
        near = metres[..., 0] ** 2 + metres[..., 1] ** 2 <= SUCCESS * SUCCESS
        return np.asarray(near, dtype=np.float64)

    def step_info(self, state: State) -> dict[str, Any]:
        return {"is_success": state.reached.copy()}

    def coverage(self, state: State) -> np.ndarray:
        """Return the bin `y * 4 * width + x` of each mass, .25 m wide, `(n,)`."""
        x, y = (BINS * state.position).astype(np.int64).T
        return y * self.coverage_shape[1] + x

    def at_landmarks(self, state: State) -> np.ndarray:
        return state.reached[:, None].copy()

    def render(self, state: State, lane: int) -> np.ndarray:
        return draw_maze(state, lane, self.params)


def _box(numbers: int) -> spaces.Box:
    return spaces.Box(-1.0, 1.0, (numbers,), np.float32)
