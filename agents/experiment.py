"""Train one configuration: build, learn, keep, evaluate."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch as th
from gymnasium.vector import VectorEnv
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import VecEnv, unwrap_vec_wrapper

from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.agents.building import as_sentence, make_bonus, make_model
from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.evaluation import Row, TutorRow, as_data, evaluate
from curiosity_rl.agents.runs import (
    RunFolder,
    check_writable,
    create_run,
    folder_name,
)
from curiosity_rl.agents.worlds import make_lanes
from curiosity_rl.checkpoint import load_model_state, model_state, weights_sha256
from curiosity_rl.protocols import IntrinsicReward
from curiosity_rl.tracking.callback import Every, ProgressCallback, TrackingCallback
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

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {
            "config": dataclasses.asdict(self.config),
            "model": model_state(self.model),
            "reward": None if self._payer is None else self._payer.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over weights and bonus of a checkpoint of the same configuration."""
        load_model_state(self.model, state["model"])
        if self._payer is not None and state["reward"] is not None:
            self._payer.load_state_dict(state["reward"])

    @property
    def _payer(self) -> Any:
        """Whose state a checkpoint holds: the door that pays, or the reward alone."""
        venv = self.model.env
        door = None if venv is None else unwrap_vec_wrapper(venv, IntrinsicVecEnv)
        return self.reward if door is None else door

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
    config, model = experiment.config, experiment.model
    folder = create_run(config.log_folder, config.env, config.name)
    folder.write_config(config)
    start = time.monotonic()
    with torch_threads(config.num_threads):
        _learn(experiment, folder)
    learnt = time.monotonic()
    rows = experiment.evaluate(config.eval_students, baselines, config.progress)
    end = time.monotonic()
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
        "training_seconds": learnt - start,
        "evaluation_seconds": end - learnt,
        "steps_per_second": model.num_timesteps / (learnt - start),
    }
    folder.write_result(data, timing)
    return Result(config, folder, rows, model, data, timing)


def _learn(experiment: Experiment, folder: RunFolder) -> None:
    """Train, with logs and checkpoints; a run that is stopped keeps its last state."""
    config, model = experiment.config, experiment.model

    def save(steps: int) -> None:
        folder.save_checkpoint(steps, experiment.state())

    def test(steps: int) -> None:
        row = experiment.evaluate(config.eval_students, baselines=False)[0]
        name = "pass_rate" if isinstance(row, TutorRow) else "mean_return"
        model.logger.record(f"eval/{name}", getattr(row, name))

    tracking = TrackingCallback()
    callbacks: list[BaseCallback] = [tracking]
    progress = ProgressCallback(config.n_timesteps, tracking)
    if config.progress:
        callbacks.append(progress)
    if config.save_freq:
        callbacks.append(Every(config.save_freq, save))
    if config.eval_freq:
        callbacks.append(Every(config.eval_freq, test))
    model.set_logger(configure(str(folder.path), ["csv", "tensorboard"]))
    try:
        model.learn(config.n_timesteps, callback=callbacks)
        save(model.num_timesteps)
        model.logger.dump(model.num_timesteps)
    except KeyboardInterrupt:
        save(model.num_timesteps)
        raise
    finally:
        progress.close()
        model.logger.close()


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Compute with as many torch threads as settings say: sums depend on it."""
    before = th.get_num_threads()
    th.set_num_threads(number)
    try:
        yield
    finally:
        th.set_num_threads(before)
