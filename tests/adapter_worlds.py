"""Small worlds for the tests of the adapters."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

LANES = 4


class Walk(gym.Env):
    """A walk that ends at random and is cut after 7 steps; counts its own episodes."""

    def __init__(self, as_dict: bool = False, size: int = 3) -> None:
        box = spaces.Box(-100, 100, (size,), np.float32)
        self.as_dict = as_dict
        both = spaces.Dict({"seen": box, "clock": spaces.Discrete(50)})
        self.observation_space = both if as_dict else box
        self.action_space = spaces.Discrete(5)
        self.render_mode, self.colour, self.episode = None, "red", 0

    def _obs(self) -> Any:
        seen = np.array([self.t, self.place, self.episode], np.float32)
        return {"seen": seen, "clock": np.int64(self.t)} if self.as_dict else seen

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> Any:
        super().reset(seed=seed)
        self.t, self.place = 0, float(self.np_random.integers(9))
        self.episode += 1
        return self._obs(), {"place": self.place, "truth": {"secret": 1.0}}

    def step(self, action: Any) -> Any:
        self.t += 1
        self.place += float(action) - 2.0
        info = {
            "place": self.place,
            "answer": int(action),
            "pair": np.array([self.t, 1.0]),
            "truth": {"secret": 1.0},
            "word": "no number",
        }
        ended = bool(self.np_random.random() < 0.15)
        return self._obs(), self.place, ended, self.t >= 7, info

    def double(self, x: int) -> int:
        return 2 * x


def sync(mode: AutoresetMode = AutoresetMode.SAME_STEP, **kwargs: Any) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: Walk(**kwargs)] * LANES, autoreset_mode=mode)


def same(left: Any, right: Any) -> None:
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            same(left[key], right[key])
        return
    np.testing.assert_array_equal(left, right)
    assert np.asarray(left).dtype == np.asarray(right).dtype


class Clock(VectorEnv):
    """A minimal vector world in the manner of EnvPool: counts steps, lasts 6 of them.

    Its info has masks, as Gymnasium's; at an end the top level is the next reset's.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012
    layout = "a layout"

    def __init__(self, lanes: int) -> None:
        self.num_envs = lanes
        self.single_observation_space = spaces.Box(0, 9, (1,), np.float32)
        self.single_action_space = spaces.Discrete(2)
        self.observation_space = spaces.Box(0, 9, (lanes, 1), np.float32)
        self.action_space = spaces.MultiDiscrete([2] * lanes)
        self.t = np.zeros(lanes, np.int64)
        self.seeds: Any = None

    def _obs(self) -> np.ndarray:
        return self.t[:, None].astype(np.float32)

    def reset(self, *, seed: Any = None, options: dict | None = None) -> Any:
        if options is not None and "reset_mask" in options:
            self.t[options["reset_mask"]] = 0
        else:
            self.t[:], self.seeds = 0, seed
        return self._obs(), {}

    def step(self, actions: np.ndarray) -> Any:
        self.t += 1
        ended = self.t >= 6
        all_lanes = np.ones(self.num_envs, bool)
        info: dict[str, Any] = {"goal": self.t.copy(), "_goal": all_lanes}
        info |= {"answer": np.where(ended, 0, actions), "_answer": ~ended}
        info |= {"truth": {"secret": self.t.copy()}, "_truth": all_lanes}
        if ended.any():
            info["final_obs"] = np.full(self.num_envs, None, object)
            for lane in np.flatnonzero(ended):
                info["final_obs"][lane] = self._obs()[lane]
            answers = {"answer": np.where(ended, actions, 0), "_answer": ended}
            info |= {"final_info": answers, "_final_info": ended, "_final_obs": ended}
            self.t[ended] = 0
        still = np.zeros(self.num_envs, bool)
        return self._obs(), np.ones(self.num_envs), ended, still, info

    def coverage(self) -> np.ndarray:
        return self.t.copy()
