"""An arm that must find out that a stick reaches what the hand does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict

from curiosity_rl.envs.arm import rules
from curiosity_rl.envs.arm.picture import draw_table
from curiosity_rl.envs.arm.rules import (
    CELLS,
    MOVED,
    TABLE,
    ZONE,
    Params,
    State,
)
from curiosity_rl.envs.settings import choice, flag, real, whole
from curiosity_rl.envs.world import World

REWARDS = ("sparse", "none")
LONGEST = 1_000_000
_NOWHERE = np.empty((0, 2), dtype=np.float32)


class Arm(World):
    """A planar arm of three joints, a stick, and a toy that only the stick reaches.

    ## Description
    Lengths are in arm lengths, angles in radians. The shoulder stands in the middle of
    a table that runs from -2 to 2 both ways. Upper arm, forearm and palm are .5, .3 and
    .2 long; with the joints `q` the hand is at
    `.5 e(q0) + .3 e(q0 + q1) + .2 e(q0 + q1 + q2)`, `e(a) = (cos a, sin a)`, and the
    palm points along `e(q0 + q1 + q2)`. An episode begins with `q = (pi / 2, 0, 0)`,
    gripper open. Four things lie at a distance and an angle from the shoulder, each
    drawn uniformly, `spread` times as far from the middle as said here:

    | thing | distance | angle | |
    |---|---|---|---|
    | stick | .7 +- .1 | .9 +- .3 | its handle; the tip is .5 further out |
    | toy | 1.25 +- .1 | 2.2 +- .3 | out of the hand's reach, within the stick's |
    | walker | 1.2 +- .3 | -.8 +- .4 | walks at random; nothing holds it |
    | far toy | 1.85 +- .1 | 1.5 +- .3 | out of the reach of arm and stick |

    In a step, first each joint turns by .15 times its action and stops at its limits:
    [0, pi], [-2.5, 2.5], [-2, 2]. Then the gripper closes or opens. Closed, with the
    hand within .15 of the handle, it takes the stick, which then goes on from the hand
    in the palm's direction, until the gripper opens and leaves it where it is. If the
    tip of the held stick is then within .15 of the toy, the toy snaps to the tip and
    hangs on it until the gripper opens. The walker moves by a uniform number from
    `-walk` to `walk` along each axis, and stops at the table's edge.

    Random play hardly finds any of this. Of 4,000 episodes of 100 uniform actions 14 %
    moved the stick, .05 % the toy, and none brought it home.

    ## Action
    `Box(-1, 1, (4,))`: speeds of shoulder, elbow and wrist; gripper, closed if above 0.

    ## Observation
    Flat float32 `(20,)` in [-1, 1]: three joints, their limits as -1 and 1; the palm's
    direction (cos, sin); gripper closed, stick held, toy on the tip (0 or 1); then
    `(x, y) / 2` of hand, handle, tip, toy, walker and far toy.

    With `goal_conditioned` a Dict: `observation` as before; `achieved_goal`, the toy's
    `(x, y) / 2`; `desired_goal`, such a point, drawn for each episode at a distance of
    1 +- .35 and an angle of 1.5 +- 1.2, which the stick's tip reaches everywhere, until
    the toy does not lie there already.

    ## Reward
    1 when the toy is in the goal zone, within .2 of its middle, else 0. The middle is
    at distance 1, angle .7, or, goal-conditioned, at `desired_goal`: `compute_reward`
    is the same rule, batched, and equal to the bit. With `reward="none"` always 0.

    ## End
    Terminated when the reward is 1. Goal-conditioned or with `reward="none"` never: the
    episode goes on, and it is paid in each step in which the toy is in the zone.
    Truncated after `max_steps`.

    ## Info
    `moved`, float32 `(4,)`: how far the arm has moved stick, toy, walker and far toy in
    this episode (`rules.MOVED`), as lengths of their paths; the stick's is that of its
    middle. The walker's own walk is not the arm's doing and does not count, so that its
    entry is 0 as the far toy's. `cell`: the cell of coverage, so that a count can take
    it for its key. `is_success`: the toy is in the goal zone.

    ## Coverage
    Three maps of 20 by 20 cells over the table, by what the arm has in its power: the
    hand's place while it is empty, the tip's while the stick is held, the toy's while
    it hangs on the tip. Each map opens only to those who found the one before.

    ## Registered ids
    `arm-v0`, `arm-goal-v0` (`goal_conditioned=True`).

    ## Source
    The tool-use set-up of Forestier & Oudeyer (2016) and Forestier, Portelas, Mollard &
    Oudeyer (2017): lengths of arm and stick, a magnetic stick, toys that walk at random
    or cannot be moved. Control by joint speeds, one stick, and all else are ours.

    Args:
        reward: `"sparse"` or `"none"`.
        goal_conditioned: Draw a goal for each episode and show it, for hindsight
            replay.
        spread: How far things lie from the middle of their regions, 0 (always there) to
            1. Goals do not depend on it.
        walk: Longest step of the walker along an axis, 0 to 1.
        max_steps: Time limit, 1 to 1,000,000.

    Raises:
        ValueError: If a setting is not allowed.
    """

    reward_range = (0.0, 1.0)
    coverage_shape = (3, CELLS, CELLS)
    coverage_axes = (("empty hand", "tip of the stick", "toy"), "y, from the top", "x")
    landmarks = ("stick-moved", "toy-moved", "goal")

    def __init__(
        self,
        reward: str = "sparse",
        goal_conditioned: bool = False,
        spread: float = 1.0,
        walk: float = 0.05,
        max_steps: int = 100,
    ) -> None:
        self.max_steps = whole("max_steps", max_steps, 1, LONGEST)
        self.params = Params(
            spread=real("spread", spread, 0.0, 1.0),
            walk=real("walk", walk, 0.0, 1.0),
            paid=choice("reward", reward, REWARDS) == "sparse",
            goals=flag("goal_conditioned", goal_conditioned),
        )
        self.action_space = Box(-1.0, 1.0, (4,), np.float32)
        seen = Box(-1.0, 1.0, (rules.SIZE,), np.float32)
        self.observation_space = seen
        if self.params.goals:
            self.observation_space = Dict(
                {
                    "observation": seen,
                    "achieved_goal": Box(-1.0, 1.0, (2,), np.float32),
                    "desired_goal": Box(-1.0, 1.0, (2,), np.float32),
                }
            )

    def allocate(self, lanes: int) -> State:
        return rules.allocate(lanes)

    def reset(self, state: State, lanes: np.ndarray) -> None:
        rules.reset_lanes(lanes, state, self.params)

    def step(self, state: State, actions: np.ndarray, out: Any) -> Any:
        rewards = np.empty(len(actions))
        terminated = np.empty(len(actions), dtype=np.bool_)
        rows = self._rows(out)
        rules.step_all(actions, state, self.params, rewards, terminated, *rows)
        return rewards, terminated

    def truncated(self, state: State) -> np.ndarray:
        return state.elapsed >= self.max_steps

    def observe(self, state: State, lanes: np.ndarray, out: Any) -> None:
        rules.observe_lanes(lanes, state, self.params, *self._rows(out))

    @property
    def compute_reward(self) -> Callable[[Any, Any, Any], np.ndarray]:
        """The rewards of toys here that are wanted there, see `_judge`.

        Raises:
            AttributeError: In the flat form: what has it passes for a world of goals.
        """
        if not self.params.goals:
            raise AttributeError("compute_reward needs goal_conditioned=True")
        return self._judge

    def _judge(
        self, achieved_goal: np.ndarray, desired_goal: np.ndarray, info: Any = None
    ) -> np.ndarray:
        """Return the rewards, `(...)` float64, of goals `(..., 2)` as observed."""
        away = np.asarray(achieved_goal, float) - np.asarray(desired_goal, float)
        arrived = np.square(away).sum(-1) <= (ZONE / TABLE) ** 2
        return np.where(arrived, float(self.params.paid), 0.0)

    def step_info(self, state: State) -> dict[str, Any]:
        success = np.empty(len(state.rng), dtype=np.bool_)
        rules.succeeded(state, success)
        return {
            "moved": state.moved.astype(np.float32),
            "cell": self.coverage(state),
            "is_success": success,
        }

    def reset_info(self, state: State, lanes: np.ndarray) -> dict[str, Any]:
        return {
            "moved": np.zeros((len(lanes), len(MOVED)), dtype=np.float32),
            "cell": self.coverage(state)[lanes],
        }

    def coverage(self, state: State) -> np.ndarray:
        """Return the flat cell (map, y, x) of each lane, `(n,)` int64."""
        cells = np.empty(len(state.rng), dtype=np.int64)
        rules.find_cells(state, cells)
        return cells

    def at_landmarks(self, state: State) -> np.ndarray:
        reached = np.empty((len(state.rng), 3), dtype=np.bool_)
        reached[:, :2] = state.moved[:, :2] > 0
        rules.succeeded(state, reached[:, 2])
        return reached

    def render(self, state: State, lane: int) -> np.ndarray:
        return draw_table(state, lane)

    def _rows(self, out: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if self.params.goals:
            return out["observation"], out["achieved_goal"], out["desired_goal"]
        return out, _NOWHERE, _NOWHERE
