"""Speed of training, against the same training on a world that costs nothing."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import torch as th
from gymnasium.vector import VectorEnv

from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.experiment import build
from curiosity_rl.agents.worlds import make_lanes
from curiosity_rl.tracking.callback import TrackingCallback


class IdleLanes(VectorEnv[Any, Any, Any]):
    """Lanes that do nothing: each step returns what the first one returned.

    Args:
        lanes: Lanes whose spaces, first observations and info are shown for ever.
    """

    def __init__(self, lanes: VectorEnv[Any, Any, Any]) -> None:
        self.num_envs = lanes.num_envs
        self.metadata = lanes.metadata
        self.spec = lanes.spec
        self.observation_space = lanes.observation_space
        self.action_space = lanes.action_space
        self.single_observation_space = lanes.single_observation_space
        self.single_action_space = lanes.single_action_space
        self.layout = getattr(lanes.unwrapped, "layout", None)
        self._reset = lanes.reset(seed=0)
        self._step = lanes.step(lanes.action_space.sample())
        lanes.close()

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, Any]:
        """Return the first observations."""
        return self._reset

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Return what the first step returned; no episode ever ends."""
        return self._step


def plain_ppo(env: str, n_envs: int) -> ExperimentConfig:
    """Return Stable-Baselines3's own PPO without a bonus: 4 epochs of 4 batches."""
    n_steps = max(4096 // n_envs, 8)
    return ExperimentConfig(
        env=env,
        algo="ppo",
        algo_kwargs={
            "n_steps": n_steps,
            "batch_size": n_envs * n_steps // 4,
            "n_epochs": 4,
        },
        n_envs=n_envs,
        progress=False,
    )


def training_speed(
    config: ExperimentConfig, rollouts: int, rounds: int
) -> list[tuple[str, float, float]]:
    """Measure CPU time of training, real and idle lanes interleaved.

    Args:
        config: What to train.
        rollouts: Rollouts per round.
        rounds: Rounds of each.

    Returns:
        For the world and for idle lanes: label, steps per CPU second (median), and its
        share of the idle speed (median of the rounds' ratios).
    """
    env, n_envs = config.env, config.n_envs
    real = build(config)
    idle = build(config, IdleLanes(make_lanes(env, config.env_kwargs, n_envs)))
    steps = rollouts * n_envs * int(getattr(real.model, "n_steps", 1))
    threads = th.get_num_threads()
    th.set_num_threads(config.num_threads)
    times: dict[str, list[float]] = {"world": [], "idle": []}
    try:
        for turn in range(rounds + 1):
            for label, experiment in (("world", real), ("idle", idle)):
                start = time.process_time()
                experiment.model.learn(
                    steps, TrackingCallback(), reset_num_timesteps=False
                )
                if turn > 0:  # the first round compiles and allocates
                    times[label].append(time.process_time() - start)
    finally:
        th.set_num_threads(threads)
    ratio = np.array(times["idle"]) / np.array(times["world"])
    median = {label: steps / statistics.median(t) for label, t in times.items()}
    return [
        (env, median["world"], float(np.median(ratio))),
        ("a world that does nothing", median["idle"], 1.0),
    ]
