"""Ask a run to stop: when its rollout ends it saves itself."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

_ASKED = b"\nstopping when this rollout ends; once more to stop at once\n"


class Stopped(KeyboardInterrupt):
    """A run was asked to stop, and has saved a checkpoint.

    Attributes:
        steps: Training steps that are saved.
        exit_code: What a process that was stopped by this signal returns.
    """

    def __init__(self, number: int, steps: int) -> None:
        super().__init__(f"stopped by signal {number} after {steps} steps")
        self.steps, self.exit_code = steps, 128 + number


class StopRequest:
    """Notes Ctrl-C and SIGTERM instead of breaking a rollout off half-way.

    Attributes:
        number: The signal that was noted; None as long as there was none.
    """

    def __init__(self) -> None:
        self.number: int | None = None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note signals here, where that is possible: in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._note) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler or signal.SIG_DFL)

    def _note(self, number: int, frame: Any) -> None:
        if self.number is not None:
            raise KeyboardInterrupt
        self.number = number
        os.write(2, _ASKED)  # `print` may be interrupted in the middle of itself


class StopWhenAsked(BaseCallback):
    """Saves and stops before the next rollout, once a stop was asked for."""

    def __init__(self, request: StopRequest, save: Callable[[int], None]) -> None:
        super().__init__()
        self.request, self.save = request, save

    def _on_rollout_start(self) -> None:
        if self.request.number is not None:
            self.save(self.num_timesteps)
            raise Stopped(self.request.number, self.num_timesteps)

    def _on_step(self) -> bool:
        return True
