"""What logging costs: training with all that a run logs, against training with none.

Two equal runs take turns, rollout by rollout, in two threads of one process, so that
whatever else the machine does falls on both alike.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger

from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.experiment import build, torch_threads
from curiosity_rl.tracking.callback import TrackingCallback
from curiosity_rl.tracking.gallery import GalleryCallback
from curiosity_rl.tracking.log_files import RunLogger


@dataclass(frozen=True)
class LoggingCost:
    """CPU time of training, with and without logs.

    Attributes:
        plain: Milliseconds of a rollout and its update without logs, median.
        ratio: Median of `with logs / without` over rollouts taken in turn.
        parts: Milliseconds of a rollout that curves, pictures, logger and writing
            thread take: means, since pictures are drawn now and then.
        share: What the parts add to training without logs, means of the whole run.
    """

    plain: float
    ratio: float
    parts: dict[str, float]
    share: float


class Turns:
    """Lets two threads run in turn, and notes the CPU time of every turn.

    Attributes:
        seconds: CPU time of every turn of each side: its thread's own.
    """

    def __init__(self) -> None:
        self.seconds: tuple[list[float], list[float]] = ([], [])
        self._done = [False, False]
        self._turn, self._start = 0, 0.0
        self._changed = threading.Condition()

    def begin(self, side: int) -> None:
        """Wait for the first turn of a side."""
        self._wait(side)

    def pass_on(self, side: int) -> None:
        """End a turn, and wait for the next one."""
        self._end(side)
        self._wait(side)

    def finish(self, side: int) -> None:
        """End the last turn."""
        self._end(side)
        with self._changed:
            self._done[side] = True
            self._changed.notify_all()

    def _end(self, side: int) -> None:
        self.seconds[side].append(time.thread_time() - self._start)
        with self._changed:
            self._turn = 1 - side
            self._changed.notify_all()

    def _wait(self, side: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._turn == side or self._done[1 - side])
        self._start = time.thread_time()


class PassOn(BaseCallback):
    """Ends a turn before every rollout but the first."""

    def __init__(self, turns: Turns, side: int) -> None:
        super().__init__()
        self.turns, self.side, self.rollouts = turns, side, 0

    def _on_rollout_start(self) -> None:
        self.rollouts += 1
        if self.rollouts > 1:
            self.turns.pass_on(self.side)

    def _on_step(self) -> bool:
        return True


class Timed(BaseCallback):
    """Adds up the CPU time that other callbacks take."""

    def __init__(self, inner: BaseCallback) -> None:
        super().__init__()
        self.inner, self.seconds = inner, 0.0

    def _init_callback(self) -> None:
        self.inner.init_callback(self.model)

    def _on_training_start(self) -> None:
        self._timed(lambda: self.inner.on_training_start(self.locals, self.globals))

    def _on_rollout_start(self) -> None:
        self._timed(self.inner.on_rollout_start)

    def _on_step(self) -> bool:
        start = time.thread_time()
        goes_on = self.inner.on_step()
        self.seconds += time.thread_time() - start
        return goes_on

    def _on_rollout_end(self) -> None:
        self._timed(self.inner.on_rollout_end)

    def _on_training_end(self) -> None:
        self._timed(self.inner.on_training_end)

    def update_child_locals(self, locals_: dict[str, Any]) -> None:
        """Hand on the variables of the training."""
        self.inner.update_locals(locals_)

    def _timed(self, hook: Callable[[], Any]) -> None:
        start = time.thread_time()
        hook()
        self.seconds += time.thread_time() - start


class TimedLogger(RunLogger):
    """Adds up the CPU time that writing takes on the thread that trains."""

    seconds = 0.0

    def dump(self, step: int = 0) -> None:
        """Write what was recorded since the last dump."""
        start = time.thread_time()
        super().dump(step)
        self.seconds += time.thread_time() - start


def logging_cost(config: ExperimentConfig) -> LoggingCost:
    """Train twice, in turn, with and without logs; measure CPU time.

    What the parts add is the figure to trust: between two rollouts a shared machine
    differs by more than logs cost.

    Args:
        config: What to train.
    """
    turns = Turns()
    models = [build(config).model, build(config).model]
    models[0].set_logger(Logger(None, []))
    with torch_threads(config.num_threads), tempfile.TemporaryDirectory() as folder:
        logger = TimedLogger(Path(folder))
        models[1].set_logger(logger)
        curves, pictures = Timed(TrackingCallback()), Timed(GalleryCallback())
        watchers: list[list[BaseCallback]] = [[], [curves, pictures]]
        start = time.process_time()
        threads = [
            threading.Thread(
                target=_train, args=(models[side], watchers[side], turns, side, config)
            )
            for side in (0, 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        whole = time.process_time() - start
        logger.close()
    plain, logged = turns.seconds
    rollouts = len(logged)
    spent = {
        "curves": curves.seconds,
        "pictures": pictures.seconds,
        "logger": logger.seconds,
        "writing thread": max(whole - sum(plain) - sum(logged), 0.0),
    }
    own = curves.seconds + pictures.seconds + logger.seconds
    rest = sum(logged) - own
    pairs = list(zip(plain, logged, strict=True))[1:]  # the first may compile
    return LoggingCost(
        plain=1e3 * statistics.median(a for a, _ in pairs),
        ratio=statistics.median(b / a for a, b in pairs),
        parts={name: 1e3 * seconds / rollouts for name, seconds in spent.items()},
        share=sum(spent.values()) / rest,
    )


def _train(
    model: BaseAlgorithm,
    watchers: list[BaseCallback],
    turns: Turns,
    side: int,
    config: ExperimentConfig,
) -> None:
    turns.begin(side)
    try:
        model.learn(config.n_timesteps, [*watchers, PassOn(turns, side)])
    finally:
        turns.finish(side)
