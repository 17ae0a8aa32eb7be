"""Train an algorithm in a run folder, so that it can stop and go on at any time."""

from __future__ import annotations

import dataclasses
import inspect
import platform
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from curiosity_rl.adapters.algorithm_state import GoOn, algorithm_state
from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.interrupts import StopRequest, StopWhenAsked
from curiosity_rl.agents.runs import RunFolder
from curiosity_rl.tracking.callback import TrackingCallback
from curiosity_rl.tracking.gallery import GalleryCallback
from curiosity_rl.tracking.log_files import RunLogger, told_once
from curiosity_rl.tracking.pacing import Every, ProgressCallback

PACKAGES = ("curiosity-rl", "gymnasium", "numpy", "numba", "stable-baselines3", "torch")
"""What the numbers of a run depend on, besides its settings."""
LEAST_FRAMES, DUMPS = 2048, 20
"""Frames between two dumps of an on-policy algorithm, at least: the rollout of Stable-
Baselines3's PPO, or of runs too short for so many dumps a fraction of the run. Dumps
after each of many short rollouts would take a good part of the time."""
SHOWN = ("algo", "coef", "env", "intrinsic", "n_envs", "n_timesteps", "seed")
"""Settings in TensorBoard's table of runs, which shows the first five of the alphabet
unless it is told otherwise."""


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that training depends on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # run from its sources
            found[name] = "sources"
    return found


def learn(
    config: ExperimentConfig,
    model: BaseAlgorithm,
    folder: RunFolder,
    test: Callable[[int], None],
    before: Mapping[str, Any] | None = None,
) -> float:
    """Train to the end of the plan, with logs and checkpoints.

    Args:
        config: The settings.
        model: The algorithm; for a run that goes on, with the checkpoint's state.
        folder: Where to log and save.
        test: Called with the number of steps when an evaluation is due.
        before: The checkpoint to go on from; None begins anew.

    Returns:
        Seconds of training, over all processes that had a part in it.

    Raises:
        Stopped: If the run was asked to stop; it is saved then.
    """
    start = time.monotonic() - (0.0 if before is None else float(before["seconds"]))
    request = StopRequest()
    options, every = log_interval(model, config.n_timesteps)
    gallery = GalleryCallback(every=every)
    tracking = TrackingCallback(
        {name: getattr(config, name) for name in SHOWN},
        ["eval/"] if config.eval_freq else (),
        every,
    )
    logger = RunLogger(folder.path, None if before is None else before["log"], every)
    model.set_logger(logger)

    def aside(action: Callable[[int], None]) -> Callable[[int], None]:
        def timed(steps: int) -> None:
            with tracking.aside:
                action(steps)

        return timed

    def save(steps: int) -> None:
        state = {
            "config": dataclasses.asdict(config),
            "versions": versions(),
            "model": algorithm_state(model),
            "tracking": tracking.state_dict(),
            "gallery": gallery.state_dict(),
            "last": {name: timer.last for name, timer in timers.items()},
            "log": logger.state(),
            "seconds": time.monotonic() - start,
        }
        folder.save_checkpoint(steps, state)

    timers = {
        "save": Every(config.save_freq, aside(save)),
        "test": Every(config.eval_freq, aside(test)),
    }
    if before is not None:
        tracking.load_state_dict(before["tracking"])
        gallery.load_state_dict(before["gallery"])
        for name, timer in timers.items():
            timer.last = before["last"][name]
    progress = ProgressCallback(config.n_timesteps, tracking)
    callbacks = [
        None if before is None else GoOn(before["model"]),
        tracking,
        gallery,
        progress if config.progress else None,
        timers["save"] if config.save_freq else None,
        # What is due after the stop is done after the run has gone on.
        StopWhenAsked(request, save),
        timers["test"] if config.eval_freq else None,
    ]
    try:
        with request.noted(), told_once():
            rest = config.n_timesteps - model.num_timesteps
            if rest > 0:
                chosen = [callback for callback in callbacks if callback is not None]
                model.learn(rest, chosen, reset_num_timesteps=before is None, **options)
            logger.write_all(model.num_timesteps)
            save(model.num_timesteps)
        return time.monotonic() - start
    finally:
        progress.close()
        logger.close()


def log_interval(model: BaseAlgorithm, n_timesteps: int) -> tuple[dict[str, Any], int]:
    """Have an on-policy algorithm offer all its iterations to the logger.

    Args:
        model: The algorithm.
        n_timesteps: Frames of the whole run.

    Returns:
        What to pass to `learn`, and after how many iterations to log: as many as the
        algorithm would by itself, or more, see `LEAST_FRAMES`.
    """
    if not isinstance(model, OnPolicyAlgorithm):
        return {}, 1
    own = inspect.signature(model.learn).parameters["log_interval"].default
    least = min(LEAST_FRAMES, n_timesteps // DUMPS)
    iterations = -(-least // (model.n_steps * model.n_envs))
    return {"log_interval": 1}, max(int(own), iterations)
