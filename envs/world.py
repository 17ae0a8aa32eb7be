"""What a world must offer, so that the faces can show it."""

from __future__ import annotations

from typing import Any, Protocol

import gymnasium as gym
import numpy as np


class World(Protocol):
    """The rules of a world, batched over lanes; a lane is one episode in progress.

    `State` is a NamedTuple of arrays whose first axis is the lane. It has a field
    `rng`, `(n,)` uint64: the faces seed it, and the world advances it when it resets a
    lane, so that a lane never depends on its neighbours or their number.

    Attributes:
        observation_space: Space of one observation: a Box, or a Dict of them; what
            is written into `out` is then a dict of arrays with the same keys.
        action_space: Space of one action.
        reward_range: Smallest and largest reward of a step.
        coverage_shape: Shape of the table of cells that exploration can visit.
        coverage_axes: What its axes are called in pictures; empty: rows and columns. Of
            three axes the first is a tuple, the names of its tables.
        region_names: What the numbers are called that `step_info` reports as `region`;
            empty where it reports none.
        landmarks: Names of what exploration finds on its way, in order, such as a key,
            a door and a goal; letters, digits, `-` and `_`. By default none. Nothing
            that learns sees them: they are for curves.
    """

    observation_space: gym.Space[Any]
    action_space: gym.Space[Any]
    reward_range: tuple[float, float]
    coverage_shape: tuple[int, ...]
    coverage_axes: tuple[Any, ...] = ()
    region_names: tuple[str, ...] = ()
    landmarks: tuple[str, ...] = ()

    def allocate(self, lanes: int) -> Any:
        """Return an empty state of so many lanes."""
        ...

    def reset(self, state: Any, lanes: np.ndarray) -> None:
        """Draw new episodes into the lanes with these indices, `(m,)` int64."""
        ...

    def step(
        self, state: Any, actions: np.ndarray, out: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Advance all lanes and write their observations into `out`.

        Args:
            state: The lanes.
            actions: Int64 `(n,)`, or float32 `(n, ...)` within the bounds.
            out: Room for the observations, `(n, ...)`.

        Returns:
            Rewards `(n,)` float64 and terminated `(n,)` bool, fresh arrays.
        """
        ...

    def truncated(self, state: Any) -> np.ndarray:
        """Tell which episodes the world's own time limit ends, `(n,)` bool.

        A fresh array. For limits that follow from settings; by default there is none,
        and the id's `max_episode_steps` alone counts.
        """
        return np.zeros(len(state.rng), dtype=np.bool_)

    def single_truncated(self, state: Any) -> bool:
        """Tell whether the time limit ends the episode of the only lane.

        What `truncated` says, as a plain bool: worlds may say it faster.
        """
        if type(self).truncated is World.truncated:
            return False
        return self.truncated(state).item()

    def observe(self, state: Any, lanes: np.ndarray, out: Any) -> None:
        """Write the observations of these lanes into the same rows of `out`."""
        ...

    def step_info(self, state: Any) -> dict[str, Any]:
        """Report the step just made: fresh arrays `(n, ...)`, dicts of them nested.

        What only evaluation may know stands under `"truth"`. By default nothing.
        """
        return {}

    def single_info(self, state: Any) -> dict[str, Any]:
        """Report the step just made in the only lane.

        What `step_info` says, less the axis of lanes: worlds may say it faster.
        """
        return only_lane(self.step_info(state))

    def reset_info(self, state: Any, lanes: np.ndarray) -> dict[str, Any]:
        """Report new episodes: fresh arrays `(m, ...)`. By default nothing."""
        return {}

    def coverage(self, state: Any) -> np.ndarray:
        """Return the visited cell of each lane, `(n,)` int64, flat index."""
        ...

    def at_landmarks(self, state: Any) -> np.ndarray:
        """Tell which landmarks the last step of each lane led to, `(n, L)` bool.

        A fresh array, a column for each of `landmarks`. Called after every step until
        all landmarks were reached once, and also for what an episode ends with.
        """
        return np.zeros((len(state.rng), len(self.landmarks)), dtype=np.bool_)

    def render(self, state: Any, lane: int) -> np.ndarray:
        """Draw one lane, `(height, width, 3)` uint8."""
        ...


def only_lane(info: dict[str, Any]) -> dict[str, Any]:
    """Take the only lane out of a batched info.

    Truth values become plain ones: Gymnasium's vector environments would collect those
    of NumPy as objects.
    """
    found = {}
    for key, value in info.items():
        one = only_lane(value) if type(value) is dict else value[0]
        found[key] = bool(one) if type(one) is np.bool_ else one
    return found
