"""Train one configuration: build, learn, keep, evaluate."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch as th
from gymnasium.vector import VectorEnv
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from curiosity_rl.adapters.algorithm_state import load_weights
from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.randomness import kept_noise
from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.agents.building import as_sentence, make_bonus, make_model
from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.evaluation import Row, TutorRow, as_data, evaluate
from curiosity_rl.agents.runs import (
    RunFolder,
    begin,
    check_writable,
    folder_name,
)
from curiosity_rl.agents.syncing import check_track, synced
from curiosity_rl.agents.training import learn
from curiosity_rl.agents.worlds import make_lanes
from curiosity_rl.checkpoint import weights_sha256
from curiosity_rl.protocols import IntrinsicReward
from curiosity_rl.tracking.progress import Progress

__all__ = [
    "Experiment",
    "ExperimentConfig",
    "Result",
    "build",
    "prepare",
    "run",
    "train",
]


@dataclass(frozen=True)
class Result:
    """What a finished run found.

    Attributes:
        config: Its settings.
        folder: Where it is kept.
        rows: The evaluation, as `agents.evaluation.evaluate` returns it.
        model: The trained algorithm.
        data: What `result.json` holds; equal for equal settings.
        timing: Seconds and steps per second of the parts.
    """

    config: ExperimentConfig
    folder: RunFolder
    rows: list[Row]
    model: BaseAlgorithm
    data: dict[str, Any]
    timing: dict[str, float]


@dataclass(frozen=True)
class Experiment:
    """A configuration, built and checked, not yet trained."""

    config: ExperimentConfig
    model: BaseAlgorithm
    reward: IntrinsicReward | None

    @property
    def label(self) -> str:
        """Name of the trained agent in tables."""
        bonus = self.config.intrinsic
        return f"trained, {'no bonus' if bonus == 'none' else bonus}"

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what was learnt, of a checkpoint of the same configuration."""
        load_weights(self.model, state["model"])

    def evaluate(
        self, episodes: int, baselines: bool = True, show: bool = False
    ) -> list[Row]:
        """Evaluate the model on held-out episodes, see `agents.evaluation.evaluate`."""
        config = self.config
        threads = torch_threads(config.num_threads)
        with threads, Progress("evaluating", 100, "%", show) as progress:
            return evaluate(
                config.env,
                config.env_kwargs,
                self.model,
                self.label,
                episodes,
                baselines,
                lambda label, share: progress.update(int(100 * share), now=label),
            )


def build(config: ExperimentConfig, lanes: VectorEnv | None = None) -> Experiment:
    """Build worlds, bonus and algorithm.

    Args:
        config: The settings.
        lanes: Lanes to train on instead of those that the settings name.

    Raises:
        ValueError: If anything in the configuration is not possible.
    """
    model, reward = make_model(config, lanes)
    return Experiment(config, model, reward)


def train(config: ExperimentConfig) -> Result:
    """Train and evaluate; everything is kept in a new run folder.

    Raises:
        ValueError: If the configuration is not possible; nothing is written then.
    """
    return run(prepare(config))


def prepare(config: ExperimentConfig) -> Experiment:
    """Build a configuration and try it for one step, so that training can start.

    Raises:
        ValueError: If anything in the configuration is not possible.
    """
    check_track(config)
    check_writable(Path(config.log_folder) / folder_name(config.env))
    experiment = build(config)
    lanes: VecEnv = VectorEnvAdapter(make_lanes(config.env, config.env_kwargs, 1), [0])
    if config.intrinsic != "none":
        lanes = IntrinsicVecEnv(lanes, make_bonus(config), update_every=1)
    with as_sentence(f"cannot train on {config.env}"):
        lanes.reset()
        lanes.step(np.array([lanes.action_space.sample()]))
    lanes.close()
    return experiment


def run(experiment: Experiment, baselines: bool = True) -> Result:
    """Train and evaluate what `prepare` returned, in a new run folder.

    Args:
        experiment: What to train.
        baselines: Evaluate what to compare with too.
    """
    return finish(experiment, begin(experiment.config), baselines=baselines)


def finish(
    experiment: Experiment,
    folder: RunFolder,
    before: Mapping[str, Any] | None = None,
    baselines: bool = True,
) -> Result:
    """Train to the end of the plan, evaluate and keep the result.

    Args:
        experiment: What to train.
        folder: The run's folder.
        before: The checkpoint that the experiment goes on from; None begins anew.
        baselines: Evaluate what to compare with too.

    Raises:
        Stopped: If the run was asked to stop while it learnt; it is saved then.
    """
    config, model = experiment.config, experiment.model

    def test(steps: int) -> None:
        with kept_noise(model):
            row = experiment.evaluate(config.eval_students, baselines=False)[0]
        name = "pass_rate" if isinstance(row, TutorRow) else "mean_return"
        model.logger.record(f"eval/{name}", getattr(row, name))

    with folder.locked(), torch_threads(config.num_threads):
        with synced(config, folder):
            learnt = learn(config, model, folder, test, before)
        start = time.monotonic()
        rows = experiment.evaluate(config.eval_students, baselines, config.progress)
        seconds = time.monotonic() - start
        data = {
            "env": config.env,
            "env_kwargs": config.env_kwargs,
            "algo": config.algo,
            "intrinsic": config.intrinsic,
            "coef": config.coef,
            "seed": config.seed,
            "steps": model.num_timesteps,
            "weights_sha256": weights_sha256(model),
            "evaluation": as_data(rows),
        }
        timing = {
            "training_seconds": learnt,
            "evaluation_seconds": seconds,
            "steps_per_second": model.num_timesteps / learnt,
        }
        folder.write_result(data, timing)
    return Result(config, folder, rows, model, data, timing)


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Compute with as many torch threads as settings say: sums depend on it."""
    before = th.get_num_threads()
    th.set_num_threads(number)
    try:
        yield
    finally:
        th.set_num_threads(before)
