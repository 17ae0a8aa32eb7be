"""What the families of grid worlds have in common: everything but the maps."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete

from curiosity_rl.envs.grid import cells, landmarks
from curiosity_rl.envs.grid.picture import draw_map
from curiosity_rl.envs.grid.rules import observe_lanes, step_all
from curiosity_rl.envs.grid.state import VIEW, State, allocate, geometry
from curiosity_rl.envs.settings import choice, flag, whole
from curiosity_rl.envs.world import World

OBSERVATIONS = ("flat", "image", "onehot")
LONGEST = 1_000_000


class GridWorld(World):
    """A grid world with MiniGrid's rules, seen through the eyes of its agent.

    ## Action
    `Discrete(7)`: 0 turn left, 1 turn right, 2 forward, 3 pick up, 4 drop, 5 toggle (a
    door or a box), 6 done (does nothing). What is acted on is the cell in front.

    ## Observation
    The 7 by 7 cells ahead of the agent; it stands in the middle of the last row, and
    what it carries is shown at its own place. Walls and shut doors hide what is behind.
    `image[column, row]` holds kind, colour and state of a cell with MiniGrid's numbers:

    | kind | | colour | | state of a door | |
    |---|---|---|---|---|---|
    | 0 unseen | 5 key | 0 red | 3 purple | 0 open |
    | 1 empty | 6 ball | 1 green | 4 yellow | 1 closed |
    | 2 wall | 7 box | 2 blue | 5 grey | 2 locked |
    | 4 door | 8 goal | | | |

    Args:
        width: Cells from left to right, with the outer walls.
        height: Cells from top to bottom, with the outer walls.
        max_steps: Steps until an episode is truncated; also the time scale of rewards.
        obs: `"image"`, uint8 `(7, 7, 3)`; `"flat"`, float32 `(147,)`, the image laid
            flat with kinds over 8, colours over 5 and states over 2, so all in [0, 1];
            `"onehot"`, float32 `(735,)`, the 15 features of `cells.ONE_HOT` per cell.
        direction: Add the agent's heading (right, down, left, up) to `flat` or `onehot`
            as 4 numbers, one-hot. MiniGrid tells it beside the image; `info` has it
            always, as `direction`.
        noisy_tv: Add an action 7 that does nothing but fill the next view with random
            objects: the trap of those who seek what they cannot predict.
        see_through: Walls hide nothing.

    Raises:
        ValueError: If a setting is not allowed.
    """

    reward_range = (0.0, 1.0)
    landmarks: tuple[str, ...] = ("goal",)

    def __init__(
        self,
        width: int,
        height: int,
        max_steps: int,
        obs: str = "flat",
        direction: bool = False,
        noisy_tv: bool = False,
        see_through: bool = False,
    ) -> None:
        self.max_steps = whole("max_steps", max_steps, 1, LONGEST)
        heading = 4 if flag("direction", direction) else 0
        if choice("obs", obs, OBSERVATIONS) == "image":
            if heading:
                raise ValueError(
                    "got direction=True with obs='image', which has no room for it; "
                    "use obs='flat' or 'onehot', or read info['direction']"
                )
            looks = cells.triples()
            self.observation_space = Box(0, 255, (VIEW, VIEW, 3), np.uint8)
        else:
            one_hot = obs == "onehot"
            looks = cells.one_hot() if one_hot else cells.triples() / cells.SCALE
            looks = np.minimum(looks, 1.0, dtype=np.float32)
            shape = (VIEW * VIEW * looks.shape[1] + heading,)
            self.observation_space = Box(0.0, 1.0, shape, np.float32)
        self.action_space = Discrete(8 if flag("noisy_tv", noisy_tv) else 7)
        self.params = geometry(width, height, self.max_steps, see_through, looks)
        self.coverage_shape, self.coverage_axes = (height, width), ("y", "x")
        self._limit = np.array(self.max_steps)  # compares faster than an int
        places = np.arange(self.params.origin + height * self.params.stride)
        y, x = np.divmod(places - self.params.origin, self.params.stride)
        self._cells = y * width + x
        self._columns = np.array([landmarks.column_of(n) for n in self.landmarks])

    def allocate(self, lanes: int) -> State:
        return allocate(lanes, self.params)

    def reset(self, state: State, lanes: np.ndarray) -> None:
        self.build(state, lanes)

    @abstractmethod
    def build(self, state: State, lanes: np.ndarray) -> None:
        """Draw new maps and agents into these lanes."""

    def step(self, state: State, actions: np.ndarray, out: np.ndarray) -> Any:
        lanes = len(actions)
        rewards, terminated = np.empty(lanes), np.empty(lanes, np.bool_)
        rows = out if out.ndim == 2 else out.reshape(lanes, -1)
        step_all(actions, rewards, terminated, rows, *state, *self.params)
        return rewards, terminated

    def truncated(self, state: State) -> np.ndarray:
        return state.elapsed >= self._limit

    def single_truncated(self, state: State) -> bool:
        return state.elapsed.item() >= self.max_steps

    def observe(self, state: State, lanes: np.ndarray, out: np.ndarray) -> None:
        observe_lanes(lanes, state, self.params, out.reshape(len(out), -1))

    def step_info(self, state: State) -> dict[str, Any]:
        return {"direction": state.heading.copy()}

    def single_info(self, state: State) -> dict[str, Any]:
        return {"direction": state.heading[0]}

    def reset_info(self, state: State, lanes: np.ndarray) -> dict[str, Any]:
        return {"direction": state.heading[lanes]}

    def coverage(self, state: State) -> np.ndarray:
        """Return the cell `y * width + x` of each agent, `(n,)` int64."""
        return self._cells[state.place]

    def at_landmarks(self, state: State) -> np.ndarray:
        return landmarks.at_landmarks(state, self.params, self._columns)

    def render(self, state: State, lane: int) -> np.ndarray:
        return draw_map(state, lane, self.params)
