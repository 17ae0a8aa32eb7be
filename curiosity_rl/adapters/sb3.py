"""Gymnasium vector environments as Stable-Baselines3 `VecEnv`s."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from stable_baselines3.common.env_util import is_wrapped
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv
from stable_baselines3.common.vec_env.base_vec_env import (
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

from curiosity_rl.adapters.arrays import copy_obs, lane_obs, map_obs, with_rows
from curiosity_rl.adapters.infos import merge_info
from curiosity_rl.adapters.paying import check_finite, check_first


class VectorEnvAdapter(VecEnv):
    """An SB3 `VecEnv` over a Gymnasium `VectorEnv`.

    Observations, rewards, dones, `terminal_observation` and `TimeLimit.truncated` equal
    those of `DummyVecEnv` over the same environments and seeds. There is no loop over
    lanes except over those that end: the info of all other lanes is `{}`, and what the
    world reported stands in `transition_info`.

    The vector environment must reset in the same step (`AutoresetMode.SAME_STEP`).
    Gymnasium's own `SyncVectorEnv` and `AsyncVectorEnv` work in every mode, because
    they can reset chosen lanes.

    Attributes:
        transition_info: What the world reported on the transition just made, arrays
            `(N, ...)`; at an end the info of the finished episode, not of the next.
            Holds numeric entries that every lane has, and never `"truth"`.
        reset_info: Vector info of the last full reset, as Gymnasium returns it.
        step_info: Vector info of the last step, as Gymnasium returns it, `"truth"` and
            all: for pictures and evaluation, never for what learns.
        seconds: Time spent in steps of the vector environment so far.
    """

    def __init__(
        self,
        venv: VectorEnv,
        seed: int | Sequence[int] | None = None,
        stagger: int = 0,
        stagger_seed: int = 0,
        refuse_nan: bool = False,
    ) -> None:
        """Wrap `venv`.

        Args:
            venv: The vector environment.
            seed: Lane seeds of the first reset: a list, or `s` for `s + i`. When it is
                given, `VecEnv.seed` leaves it alone (every SB3 algorithm calls that
                with its own seed, which would give neighbouring runs the same lanes).
            stagger: With `stagger=H` the first episode of each lane is truncated after
                a number of steps drawn from `1..H`, so that the lanes do not all end at
                once. Needs a world that can reset chosen lanes (`reset_mask`).
            stagger_seed: Seed of these draws.
            refuse_nan: Raise `NotFinite`, with the lane, the step and the place, where
                the world shows or pays what is NaN or infinite.

        Raises:
            ValueError: If the autoreset mode is not supported, if `seed` is a list of
                the wrong length, or if `stagger` is negative.
        """
        mode = venv.metadata.get("autoreset_mode")
        own = isinstance(venv, SyncVectorEnv | AsyncVectorEnv)
        if mode != AutoresetMode.SAME_STEP and not own:
            raise ValueError(
                f"the vector environment resets in mode {mode}; SB3 needs the first "
                "observation of the next episode in the step that ends an episode. "
                "Build it with autoreset_mode=AutoresetMode.SAME_STEP, for example "
                "gymnasium.make_vec(id, n, vectorization_mode='sync', "
                "vector_kwargs={'autoreset_mode': 'SameStep'})"
            )
        if stagger < 0:
            raise ValueError(f"stagger must be 0 (off) or positive, got {stagger}")
        self.venv = venv
        self.spec = venv.spec
        self.transition_info: dict[str, np.ndarray] = {}
        self.reset_info: dict[str, Any] = {}
        self.step_info: dict[str, Any] = {}
        self.seconds = 0.0
        self._resets_itself = mode == AutoresetMode.SAME_STEP
        self._stagger, self._stagger_rng = stagger, np.random.default_rng(stagger_seed)
        self._age = np.zeros(venv.num_envs, np.int64)
        self._cut = np.zeros(venv.num_envs, np.int64)  # 0: not to be cut any more
        self._refuse_nan, self._steps = refuse_nan, 0
        super().__init__(
            venv.num_envs, venv.single_observation_space, venv.single_action_space
        )
        self._own_seeds = seed is not None
        if isinstance(seed, int | np.integer):
            self._seeds = [int(seed) + i for i in range(self.num_envs)]
        elif seed is not None:
            self._seeds = [int(s) for s in seed]
            if len(self._seeds) != self.num_envs:
                raise ValueError(
                    f"got {len(self._seeds)} seeds for {self.num_envs} lanes; "
                    "pass one seed per lane, or one integer"
                )

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Set the lane seeds `seed + i` of the next reset; see `__init__`."""
        return self._seeds if self._own_seeds else super().seed(seed)

    def reset(self) -> VecEnvObs:
        """Reset every lane; seeds and options are used once, as in SB3."""
        options = self._options[0]
        if any(other != options for other in self._options[1:]):
            raise ValueError(
                "a vector environment takes one dict of reset options, but the lanes "
                "were given different ones; pass a single dict to set_options"
            )
        seed: Any = _compact(self._seeds)
        obs, self.reset_info = self.venv.reset(seed=seed, options=dict(options) or None)
        self._reset_seeds()
        self._reset_options()
        if self._refuse_nan:
            check_first(obs, np.arange(self.num_envs), self._steps)
        self.transition_info = {}
        if self._stagger:
            self._age[:] = 0
            self._cut = self._stagger_rng.integers(1, self._stagger + 1, self.num_envs)
        return obs

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Step every lane; build info dicts for the lanes that end."""
        start = time.perf_counter()
        obs, rewards, terminated, truncated, info = self.venv.step(self._actions)
        self.seconds += time.perf_counter() - start
        ended = terminated | truncated
        final_obs, final_info = info.get("final_obs"), info.get("final_info", {})
        if not self._resets_itself:
            final_obs, final_info = obs, info
        self.step_info = info
        self.transition_info = merge_info(info, final_info, ended, self.num_envs)
        cut = self._due(ended)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for lane in np.flatnonzero(ended).tolist():
            infos[lane] = lane_info(final_info, lane)
            infos[lane]["terminal_observation"] = lane_obs(final_obs, lane)
        for lane in np.flatnonzero(cut).tolist():
            infos[lane] = lane_info(info, lane)
            infos[lane]["terminal_observation"] = copy_obs(lane_obs(obs, lane))
        dones = ended | cut
        for lane in np.flatnonzero(dones).tolist():
            infos[lane]["TimeLimit.truncated"] = bool(not terminated[lane])
        anew = cut if self._resets_itself else dones
        if anew.any():
            fresh = self.venv.reset(options={"reset_mask": anew})[0]
            lanes = np.flatnonzero(anew).tolist()
            obs = with_rows(obs, lanes, [lane_obs(fresh, lane) for lane in lanes])
        if self._refuse_nan:
            self._check(obs, rewards, dones, infos)
        self._steps += 1
        return obs, np.asarray(rewards).astype(np.float32), dones, infos

    def _check(
        self,
        obs: Any,
        rewards: np.ndarray,
        dones: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        check_finite("reward", rewards[None], self._steps)
        for lane in np.flatnonzero(dones).tolist():
            last = map_obs(
                lambda a: np.asarray(a)[None, None], infos[lane]["terminal_observation"]
            )
            check_finite("last observation", last, self._steps, np.array([lane]))
        check_finite("obs", map_obs(lambda a: np.asarray(a)[None], obs), self._steps)

    def _due(self, ended: np.ndarray) -> np.ndarray:
        """Lanes whose staggered first episode is cut now, `(N,)` bool."""
        if not self._cut.any():
            return np.zeros(self.num_envs, bool)
        self._age += 1
        cut = (self._age == self._cut) & ~ended
        self._cut[ended | cut] = 0
        return cut

    def reseed(self, seeds: Sequence[int]) -> None:
        """Set the lane seeds of the next reset, one for each lane."""
        if len(seeds) != self.num_envs:
            raise ValueError(f"got {len(seeds)} seeds for {self.num_envs} lanes")
        self._seeds = [int(seed) for seed in seeds]

    @property
    def tells_state(self) -> bool:
        """Whether the world can tell its state, so that it can be resumed exactly."""
        return hasattr(self.venv.unwrapped, "get_state")

    def get_state(self) -> dict[str, Any]:
        """Return what going on exactly from here needs: the world and the stagger.

        Raises:
            ValueError: If the world cannot report its state.
        """
        return {
            "world": self._world("get_state")(),
            "age": self._age.copy(),
            "cut": self._cut.copy(),
            "steps": self._steps,
            "stagger": self._stagger_rng.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned; the lanes are then not reset.

        Raises:
            ValueError: If the world cannot be set to a state.
        """
        self._world("set_state")(state["world"])
        self._age, self._cut = np.array(state["age"]), np.array(state["cut"])
        self._steps = int(state["steps"])
        self._stagger_rng.bit_generator.state = state["stagger"]

    def _world(self, method: str) -> Any:
        found = getattr(self.venv.unwrapped, method, None)
        if found is None:
            raise ValueError(
                f"{type(self.venv.unwrapped).__name__} has no {method}, so a run in it "
                "cannot be resumed exactly; the worlds of curiosity_rl have one"
            )
        return found

    def close(self) -> None:
        """Close the vector environment."""
        self.venv.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute of the vector environment, once per lane.

        `SyncVectorEnv` and `AsyncVectorEnv` are asked for the attribute of each lane
        where they do not have it themselves.
        """
        lanes = list(self._get_indices(indices))
        if hasattr(self.venv, attr_name):
            return [getattr(self.venv, attr_name)] * len(lanes)
        inner = self.venv.unwrapped
        if isinstance(inner, SyncVectorEnv | AsyncVectorEnv):
            values = inner.get_attr(attr_name)
            return [values[lane] for lane in lanes]
        return [getattr(inner, attr_name)] * len(lanes)

    def set_attr(
        self, attr_name: str, value: Any, indices: VecEnvIndices = None
    ) -> None:
        """Set an attribute of the vector environment, for all its lanes."""
        if indices is not None and len(list(self._get_indices(indices))) < (
            self.num_envs
        ):
            raise ValueError(
                f"attribute {attr_name!r} belongs to the whole vector environment; "
                "set it without indices"
            )
        inner = self.venv.unwrapped
        if isinstance(inner, SyncVectorEnv | AsyncVectorEnv):
            inner.set_attr(attr_name, value)
        else:
            setattr(inner, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Call a method of the vector environment once.

        What is asked without arguments and answered by an array with one row per lane
        is given out by lane; anything else (`compute_reward` of some goals) as it is.
        """
        lanes = list(self._get_indices(indices))
        inner = self.venv.unwrapped
        if hasattr(self.venv, method_name):
            result = getattr(self.venv, method_name)(*method_args, **method_kwargs)
        elif isinstance(inner, SyncVectorEnv | AsyncVectorEnv):
            values = inner.call(method_name, *method_args, **method_kwargs)
            return [values[lane] for lane in lanes]
        else:
            result = getattr(inner, method_name)(*method_args, **method_kwargs)
        asked_alone = not method_args and not method_kwargs
        by_lane = asked_alone and isinstance(result, np.ndarray)
        if by_lane and result.shape[:1] == (self.num_envs,):
            return [result[lane] for lane in lanes]
        return [result] * len(lanes)

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Say per lane whether its environment is wrapped in `wrapper_class`."""
        lanes = list(self._get_indices(indices))
        inner = self.venv.unwrapped
        if isinstance(inner, SyncVectorEnv):
            return [is_wrapped(inner.envs[lane], wrapper_class) for lane in lanes]
        return [False] * len(lanes)

    def get_images(self) -> Sequence[np.ndarray | None]:
        """Return one picture per lane."""
        frames: Any = self.venv.render()
        return [None] * self.num_envs if frames is None else list(frames)


def to_vec_env(env: gym.Env | VectorEnv | VecEnv) -> VecEnv:
    """Return `env` as an SB3 `VecEnv`.

    Raises:
        ValueError: If `env` is no environment.
    """
    if isinstance(env, VecEnv):
        return env
    if isinstance(env, VectorEnv):
        return VectorEnvAdapter(env)
    if isinstance(env, gym.Env):
        return DummyVecEnv([lambda: env])
    raise ValueError(
        f"cannot make a VecEnv of {type(env).__name__}; pass a gymnasium Env, a "
        "gymnasium VectorEnv or an SB3 VecEnv"
    )


def lane_info(info: dict[str, Any], lane: int) -> dict[str, Any]:
    """Cut one lane's entries out of a vector info, as its own dict."""
    found: dict[str, Any] = {}
    for key, value in info.items():
        if key.startswith("_") or key in ("final_obs", "final_info"):
            continue
        mask = info.get(f"_{key}")
        if mask is not None and not mask[lane]:
            continue
        found[key] = lane_info(value, lane) if isinstance(value, dict) else value[lane]
    return found


def _compact(seeds: Sequence[int | None]) -> int | list[int] | None:
    """Write `[s, s + 1, ...]` as `s`, which every vector environment understands."""
    known = [s for s in seeds if s is not None]
    if len(known) < len(seeds):
        return None
    steps_of_one = all(s == known[0] + i for i, s in enumerate(known))
    return known[0] if steps_of_one else known
