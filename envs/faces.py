"""The faces of every world: `gymnasium.Env` and `gymnasium.vector.VectorEnv`.

They know nothing of any world; its rules stand once, in the world's kernel.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from curiosity_rl.adapters.arrays import copy_obs, lane_obs
from curiosity_rl.envs.lanes import Lanes
from curiosity_rl.envs.settings import whole
from curiosity_rl.envs.world import only_lane

LONGEST = 2**62
METADATA: dict[str, Any] = {
    "render_modes": ["rgb_array"],
    "render_fps": 10,
    "autoreset_mode": AutoresetMode.SAME_STEP,
}


class SingleEnv(gym.Env[Any, Any]):
    """One lane of a world as a `gymnasium.Env`.

    Args:
        world: `module:Class` of the world.
        render_mode: `"rgb_array"` or None.
        settings: The world's own keyword arguments.
    """

    metadata = METADATA

    def __init__(
        self, world: str, render_mode: str | None = None, **settings: Any
    ) -> None:
        self._lanes = Lanes(world, 1, settings)
        self.world = self._lanes.world
        self.observation_space = self.world.observation_space
        self.action_space = self.world.action_space
        self.render_mode = render_mode

    @property
    def layout(self) -> Any:
        """The world's observation layout, where it has one."""
        world: Any = self.world
        return world.layout

    @property
    def compute_reward(self) -> Any:
        """The reward of reaching one goal while another was set, where it has goals."""
        world: Any = self.world
        return world.compute_reward

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start a new episode; a seed restarts the lane's stream of episodes."""
        super().reset(seed=seed)
        lanes = self._lanes
        if seed is not None:
            lanes.seed(lanes.all, [seed])
        elif not lanes.seeded:
            lanes.seed(lanes.all, self.np_random.integers(2**63, size=1))
        self.world.reset(lanes.state, lanes.all)
        info = self.world.reset_info(lanes.state, lanes.all)
        return lane_obs(lanes.observe(), 0), only_lane(info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one step; time limits of ids are the business of `gymnasium.make`."""
        lanes, world = self._lanes, self.world
        state = lanes.state
        if not lanes.seeded:
            lanes.check_begun()
        out = lanes.empty()
        reward, over = world.step(state, lanes.actions.one(action), out)
        cut, info = world.single_truncated(state), world.single_info(state)
        obs = lane_obs(out, 0) if lanes.composed else out[0]
        return obs, reward.item(), over.item(), cut, info

    def coverage(self) -> int:
        """Return the flat index of the visited cell in `coverage_shape`."""
        return int(self.world.coverage(self._lanes.state)[0])

    @property
    def coverage_shape(self) -> tuple[int, ...]:
        """Shape of the table of cells that exploration can visit."""
        return self.world.coverage_shape

    def get_state(self) -> dict[str, Any]:
        """Return everything that the next steps depend on: arrays and primitives.

        What wrappers count, such as Gymnasium's `TimeLimit`, is not ours to tell.
        """
        return self._lanes.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned.

        Raises:
            ValueError: If the state belongs to a world with other settings.
        """
        self._lanes.set_state(state)

    def render(self) -> Any:
        """Draw the lane, `(height, width, 3)` uint8; None without a render mode."""
        if self.render_mode is None:
            return None
        self._lanes.check_begun()
        return self.world.render(self._lanes.state, 0)


class BatchEnv(VectorEnv[Any, Any, Any]):
    """Many lanes of a world as a `gymnasium.vector.VectorEnv`, SAME_STEP autoreset.

    Lane i seeded with `s + i` equals the single environment seeded `s + i`, bit for
    bit.

    Args:
        world: `module:Class` of the world.
        num_envs: Number of lanes.
        max_episode_steps: Time limit in steps, beside the world's own; None or -1 for
            none.
        render_mode: `"rgb_array"` or None.
        settings: The world's own keyword arguments.

    Raises:
        ValueError: If there are no lanes or a setting is not allowed.
    """

    metadata = METADATA

    def __init__(
        self,
        world: str,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"got num_envs={num_envs}; at least 1 lane is needed")
        self._lanes = Lanes(world, num_envs, settings)
        self.world = self._lanes.world
        self.num_envs = num_envs
        if max_episode_steps in (None, -1):
            self.max_episode_steps = None
        else:
            self.max_episode_steps = whole(
                "max_episode_steps", max_episode_steps, 1, LONGEST
            )
        self.render_mode = render_mode
        self.single_observation_space = self.world.observation_space
        self.single_action_space = self.world.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._elapsed = np.zeros(num_envs, dtype=np.int64)
        self._ended = np.empty(0, np.int64)
        self._ended_in = np.empty(0, np.int64)
        self._ended_at = np.empty((0, 0), np.bool_)
        self._visited: np.ndarray | None = None

    @property
    def layout(self) -> Any:
        """The world's observation layout, where it has one."""
        world: Any = self.world
        return world.layout

    @property
    def compute_reward(self) -> Any:
        """The reward of reaching one goal while another was set, where it has goals."""
        world: Any = self.world
        return world.compute_reward

    def reset(
        self,
        *,
        seed: Any = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Start new episodes, in all lanes or in those of `options["reset_mask"]`.

        Args:
            seed: An int s (lane i gets s + i), one seed per lane, or None to go on.
            options: `reset_mask`, `(n,)` bool: reset only these lanes.

        Raises:
            ValueError: If seeds or mask do not have one entry per lane, a seed is no
                whole number from 0 to 2**64 - 1, or the first reset leaves out lanes.
        """
        super().reset(seed=seed if isinstance(seed, int) else None)
        lanes = self._lanes
        mask = (options or {}).get("reset_mask")
        given = np.asarray(mask)
        if mask is not None and (given.shape, given.dtype) != ((self.num_envs,), bool):
            raise ValueError(
                f"options['reset_mask'] has shape {given.shape} and type "
                f"{given.dtype}; it needs {(self.num_envs,)}, bool"
            )
        chosen = lanes.all if mask is None else np.flatnonzero(mask)
        if not lanes.seeded and len(chosen) < self.num_envs:
            raise ValueError(
                "options['reset_mask'] leaves out lanes that have no episode yet; "
                "reset all lanes first"
            )
        if seed is not None:
            one = isinstance(seed, int | np.integer)
            seeds = [int(seed) + i for i in range(self.num_envs)] if one else seed
            if len(seeds) != self.num_envs:
                raise ValueError(
                    f"got {len(seeds)} seeds for {self.num_envs} lanes; pass one seed "
                    "per lane or a single int"
                )
            lanes.seed(chosen, [seeds[lane] for lane in chosen])
        elif not lanes.seeded:
            drawn = self.np_random.integers(2**63, size=self.num_envs)
            lanes.seed(lanes.all, drawn)
        self._elapsed[chosen] = 0
        self._ended = self._ended[:0]
        self._visited = None
        self.world.reset(lanes.state, chosen)
        info: dict[str, Any] = {}
        _scatter(info, self.world.reset_info(lanes.state, chosen), chosen, lanes.all)
        return lanes.observe(), info

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step all lanes; finished ones restart within the same step."""
        lanes = self._lanes
        lanes.check_begun()
        obs = lanes.empty()
        self._visited = None
        reward, terminated = self.world.step(
            lanes.state, lanes.actions.every(actions), obs
        )
        truncated = self.world.truncated(lanes.state)
        self._elapsed += 1
        if self.max_episode_steps is not None:
            truncated |= self._elapsed >= self.max_episode_steps
        step_info = self.world.step_info(lanes.state)
        done = self._ended = np.flatnonzero(terminated | truncated)
        info: dict[str, Any] = {}
        if done.size == 0:
            _scatter(info, step_info, lanes.all, lanes.all)
            return obs, reward, terminated, truncated, info
        final = np.full(self.num_envs, None, dtype=object)
        for lane in done.tolist():
            final[lane] = copy_obs(lane_obs(obs, lane))
        final_info: dict[str, Any] = {}
        _scatter(final_info, _rows(step_info, done), done, lanes.all)
        self._ended_in = self.world.coverage(lanes.state)[done]
        if self.world.landmarks:
            self._ended_at = self.world.at_landmarks(lanes.state)[done]
        self._elapsed[done] = 0
        self.world.reset(lanes.state, done)
        self.world.observe(lanes.state, done, obs)
        going = np.flatnonzero(~(terminated | truncated))
        _scatter(info, self.world.reset_info(lanes.state, done), done, lanes.all)
        if going.size:
            _scatter(info, _rows(step_info, going), going, lanes.all)
        mask = np.zeros(self.num_envs, dtype=np.bool_)
        mask[done] = True
        info |= {"final_obs": final, "_final_obs": mask}
        info |= {"final_info": final_info, "_final_info": mask.copy()}
        return obs, reward, terminated, truncated, info

    def report(self, lanes: np.ndarray) -> dict[str, Any]:
        """Tell of the episodes in progress in these lanes what a reset tells."""
        return self.world.reset_info(self._lanes.state, lanes)

    def coverage(self) -> np.ndarray:
        """Return the flat index of each lane's visited cell, `(n,)` int64."""
        return self.world.coverage(self._lanes.state)

    def visited(self) -> np.ndarray:
        """Return the cell to which each lane's last step led, `(n,)` int64.

        That is `coverage()`, but for lanes whose episode ended: they begin anew in the
        same step, and this is the last cell of the finished episode.
        """
        if self._visited is None:  # several may ask after one step
            self._visited = self.coverage()
            if self._ended.size:
                self._visited[self._ended] = self._ended_in
        return self._visited

    @property
    def landmarks(self) -> tuple[str, ...]:
        """Names of what exploration finds on its way, in order."""
        return self.world.landmarks

    def at_landmarks(self) -> np.ndarray:
        """Return which landmarks each lane's last step led to, `(n, L)` bool."""
        reached = self.world.at_landmarks(self._lanes.state)
        if self._ended.size:
            reached[self._ended] = self._ended_at
        return reached

    @property
    def coverage_shape(self) -> tuple[int, ...]:
        """Shape of the table of cells that exploration can visit."""
        return self.world.coverage_shape

    def get_state(self) -> dict[str, Any]:
        """Return everything that the next steps depend on: arrays and primitives."""
        return {**self._lanes.get_state(), "elapsed": self._elapsed.copy()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned.

        Raises:
            ValueError: If the state belongs to a world with other settings.
        """
        if np.shape(state.get("elapsed", ())) != (self.num_envs,):
            raise ValueError(
                f"got no state of {self.num_envs} lanes of a vector environment; "
                "restore into as many lanes, with the same settings"
            )
        self._lanes.set_state(state)
        self._elapsed[...] = state["elapsed"]
        self._ended, self._visited = self._ended[:0], None

    def render(self) -> Any:
        """Draw every lane; None without a render mode."""
        if self.render_mode is None:
            return None
        self._lanes.check_begun()
        return tuple(
            self.world.render(self._lanes.state, lane) for lane in range(self.num_envs)
        )


def _rows(info: dict[str, Any], lanes: np.ndarray) -> dict[str, Any]:
    """Keep the given lanes of a batched info."""
    return {
        k: _rows(v, lanes) if isinstance(v, dict) else v[lanes] for k, v in info.items()
    }


def _scatter(
    info: dict[str, Any], rows: dict[str, Any], lanes: np.ndarray, every: np.ndarray
) -> None:
    """Put rows of some lanes into a vector info, with Gymnasium's `_key` masks."""
    for key, value in rows.items():
        if isinstance(value, dict):
            _scatter(info.setdefault(key, {}), value, lanes, every)
        elif lanes is every:
            info[key] = value
        else:
            if key not in info:
                info[key] = np.zeros((len(every), *value.shape[1:]), value.dtype)
            info[key][lanes] = value
        mask = info.setdefault(f"_{key}", np.zeros(len(every), dtype=np.bool_))
        mask[lanes] = True
