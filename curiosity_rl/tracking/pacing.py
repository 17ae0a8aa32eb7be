"""Callbacks for what happens now and then in a run: progress shown, things done."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from curiosity_rl.tracking.callback import TrackingCallback
from curiosity_rl.tracking.progress import Progress


class ProgressCallback(BaseCallback):
    """Shows training progress with the latest return, pass rate and bonus."""

    def __init__(self, total: int, tracking: TrackingCallback) -> None:
        super().__init__()
        self.total, self.tracking = total, tracking
        self._progress: Progress | None = None
        self._bonus: float | None = None

    def _on_training_start(self) -> None:
        self._progress = Progress("training", self.total)

    def _on_rollout_start(self) -> None:
        # What was recorded in the last rollout is gone at the next rollout's end.
        self._show()

    def _on_rollout_end(self) -> None:
        value = self.logger.name_to_value.get("rollout/intrinsic_reward_mean")
        self._bonus = self._bonus if value is None else float(value)

    def _on_training_end(self) -> None:
        self._show()
        self.close()

    def close(self) -> None:
        """Remove the bar, also after an error."""
        if self._progress is not None:
            self._progress.close()

    def _show(self) -> None:
        if self._progress is None:
            return
        notes: dict[str, str] = {}
        returns = [e["r"] for e in self.model.ep_info_buffer or ()]
        if self.tracking.pass_rate is not None:
            notes["pass rate"] = f"{self.tracking.pass_rate:.3f}"
        elif returns:
            notes["return"] = f"{np.mean(returns):.3g}"
        if self._bonus is not None:
            notes["bonus"] = f"{self._bonus:.3g}"
        self._progress.update(self.num_timesteps, **notes)

    def _on_step(self) -> bool:
        return True


class Every(BaseCallback):
    """Calls `action(num_timesteps)` between rollouts, at least `steps` steps apart.

    Between rollouts no transition is half stored, so it is a good time to save.

    Attributes:
        last: Steps at the last call; set it before training to go on from there.
    """

    def __init__(self, steps: int, action: Callable[[int], None]) -> None:
        super().__init__()
        self.steps, self.action = steps, action
        self.last: int | None = None

    def _on_training_start(self) -> None:
        if self.last is None:
            self.last = self.num_timesteps

    def _on_rollout_start(self) -> None:
        assert self.last is not None
        if self.num_timesteps - self.last >= self.steps:
            self.last = self.num_timesteps
            self.action(self.num_timesteps)

    def _on_step(self) -> bool:
        return True
