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

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger

from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.experiment import build, torch_threads
from curiosity_rl.agents.training import log_interval
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
        share: What the parts add to all else that the same run does.
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
    """Ends a turn before every rollout but the first, and calls back once.

    Args:
        turns: The turns.
        side: Whose.
        first: Rollouts up to the first dump.
        warm: Called after it.
    """

    def __init__(
        self, turns: Turns, side: int, first: int, warm: Callable[[], None]
    ) -> None:
        super().__init__()
        self.turns, self.side, self.first, self.warm = turns, side, first, warm
        self.rollouts = 0

    def _on_rollout_start(self) -> None:
        self.rollouts += 1
        if self.rollouts > 1:
            self.turns.pass_on(self.side)
        if self.rollouts == self.first + 1:  # all is compiled and imported
            self.warm()

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
        _, every = log_interval(models[1], config.n_timesteps)
        logger = TimedLogger(Path(folder), every=every)
        models[1].set_logger(logger)
        curves = Timed(TrackingCallback(every=every))
        pictures = Timed(GalleryCallback(every=every))
        watchers: list[list[BaseCallback]] = [[], [curves, pictures]]

        def spent() -> np.ndarray:
            """CPU seconds so far: of three parts, of both threads, of the process."""
            both = sum(map(sum, turns.seconds))
            own = (curves.seconds, pictures.seconds, logger.seconds)
            return np.array([*own, both, time.process_time()])

        warm: list[np.ndarray] = []
        threads = [
            threading.Thread(
                target=_train,
                args=(models[side], config.n_timesteps, watchers[side], turns, side),
                kwargs={"warm": lambda side=side: side and warm.append(spent())},
            )
            for side in (0, 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = spent() - warm[0]
        logger.close()
    pairs = list(zip(*turns.seconds, strict=True))[every:]
    own, (both, whole) = found[:3], found[3:]
    names = ("curves", "pictures", "logger", "writing thread")
    seconds = [*own.tolist(), max(float(whole - both), 0.0)]
    parts = dict(zip(names, seconds, strict=True))
    rest = sum(logged for _, logged in pairs) - own.sum()
    return LoggingCost(
        plain=1e3 * statistics.median(plain for plain, _ in pairs),
        ratio=statistics.median(logged / plain for plain, logged in pairs),
        parts={name: 1e3 * part / len(pairs) for name, part in parts.items()},
        share=sum(parts.values()) / rest,
    )


def _train(
    model: BaseAlgorithm,
    steps: int,
    watchers: list[BaseCallback],
    turns: Turns,
    side: int,
    warm: Callable[[], Any],
) -> None:
    turns.begin(side)
    try:
        options, every = log_interval(model, steps)
        passes = PassOn(turns, side, every, warm)
        model.learn(steps, [*watchers, passes], **options)
    finally:
        turns.finish(side)
