"""Stable-Baselines3 callbacks: exploration curves, progress, things done now and then.

The tutor world's truth is read here for the curves only; nothing that learns sees it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Image
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.replay import RelabelledReplay
from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.adapters.visited import cells_of
from curiosity_rl.tracking.pictures import visit_map
from curiosity_rl.tracking.progress import Progress

EPISODES = 500
"""Training episodes over which success is averaged."""
MOST_CELLS = 10_000_000
"""Largest coverage table that is counted."""
MAPS = 20
"""Maps of visits that are drawn in a run."""


class TrackingCallback(BaseCallback):
    """Logs success, coverage and speed after every rollout.

    Tags: `tutor/pass_rate`, `tutor/goals_known`, `tutor/skills_known` (at the exam,
    over the last `EPISODES` training episodes; an episode that was cut short does not
    count); `coverage/cells` (cells that a step has led to),
    `coverage/share` (of the table),
    `coverage/entropy` (of the visits so far, in bits), `coverage/visits` (a map of
    them, `MAPS` times in a run and at its end); `time/steps_per_second` since
    the last rollout; and where the bonus is added by a wrapper or a replay buffer
    `rollout/intrinsic_reward_mean` and `intrinsic/...`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.visits: np.ndarray | None = None
        self._world: Any = None
        self._door: IntrinsicVecEnv | RelabelledReplay | None = None
        self._exams: deque[tuple[bool, float, int]] = deque(maxlen=EPISODES)
        self._bonus: list[float] = []
        self._steps, self._clock = 0, 0.0
        self._next_map, self._last_map = 0, -1

    def _on_training_start(self) -> None:
        adapter, self._door = _find(self.training_env)
        buffer = getattr(self.model, "replay_buffer", None)
        if isinstance(buffer, RelabelledReplay):
            self._door = buffer
        world: Any = None if adapter is None else cells_of(adapter.venv)
        if world is not None:
            cells = int(np.prod(world.coverage_shape))
            if cells <= MOST_CELLS:
                self._world = world
                if self.visits is None:
                    self.visits = np.zeros(cells, np.int64)
                    self._next_map = self.num_timesteps
        self._steps, self._clock = self.num_timesteps, time.monotonic()

    def _on_step(self) -> bool:
        if self.visits is not None:
            np.add.at(self.visits, self._reached(), 1)
        infos = self.locals["infos"]
        for lane in np.flatnonzero(self.locals["dones"]).tolist():
            self._examine(infos[lane])
        if isinstance(self._door, IntrinsicVecEnv):
            self._bonus.extend(info["intrinsic_reward"] for info in infos)
        elif self._door is not None:  # the step before: this one is not stored yet
            self._bonus.append(self._door.bonus_mean)
        return True

    def _reached(self) -> np.ndarray:
        """Return the cells that the last step led to."""
        if hasattr(self._world, "visited"):
            return self._world.visited()
        # A lane that has just ended already shows the start of its next episode.
        return self._world.coverage()[~self.locals["dones"]]

    def _examine(self, info: dict[str, Any]) -> None:
        """Note the result of a finished episode of a tutor world."""
        truth, goal = info.get("truth"), info.get("goal")
        if truth is None or goal is None or info.get("TimeLimit.truncated"):
            return
        mastery = np.asarray(truth["mastery"])
        known = mastery[goal]
        self._exams.append((bool(known.all()), float(known.mean()), int(mastery.sum())))

    def _on_rollout_end(self) -> None:
        record = self.logger.record
        if self._exams:
            passed, goals, skills = np.mean(self._exams, axis=0).tolist()
            record("tutor/pass_rate", passed)
            record("tutor/goals_known", goals)
            record("tutor/skills_known", skills)
        if self.visits is not None and self.visits.any():
            seen = self.visits[self.visits > 0]
            share = seen / seen.sum()
            record("coverage/cells", len(seen))
            record("coverage/share", len(seen) / len(self.visits))
            record("coverage/entropy", float(-(share * np.log2(share)).sum()))
            if self.num_timesteps >= self._next_map:
                self._next_map += max(self.locals["total_timesteps"] // MAPS, 1)
                self._draw()
        if self._door is not None and self._bonus:
            record("rollout/intrinsic_reward_mean", float(np.mean(self._bonus)))
            self._bonus.clear()
            for key, value in self._door.metrics.items():
                record(f"intrinsic/{key}", value)
        now = time.monotonic()
        if now > self._clock:
            speed = (self.num_timesteps - self._steps) / (now - self._clock)
            record("time/steps_per_second", speed)
        self._steps, self._clock = self.num_timesteps, now

    def _on_training_end(self) -> None:
        visited = self.visits is not None and self.visits.any()
        if visited and self._last_map < self.num_timesteps:
            self._draw()

    def _draw(self) -> None:
        """Log the map of visits; formats other than TensorBoard have no pictures."""
        assert self.visits is not None
        self._last_map = self.num_timesteps
        picture = visit_map(self.visits.reshape(self._world.coverage_shape))
        others = ("stdout", "log", "json", "csv")
        self.logger.record("coverage/visits", Image(picture, "HWC"), exclude=others)

    def state_dict(self) -> dict[str, Any]:
        """Return what was counted so far, for a run that goes on from here."""
        return {
            "visits": None if self.visits is None else self.visits.copy(),
            "exams": [list(exam) for exam in self._exams],
            "bonus": list(self._bonus),
            "maps": [self._next_map, self._last_map],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned, before training starts."""
        self.visits = None if state["visits"] is None else np.array(state["visits"])
        self._exams.clear()
        self._exams.extend((bool(p), float(g), int(k)) for p, g, k in state["exams"])
        self._bonus = list(state["bonus"])
        self._next_map, self._last_map = state["maps"]

    @property
    def pass_rate(self) -> float | None:
        """Share of the latest exams that were passed; None before the first."""
        return float(np.mean([e[0] for e in self._exams])) if self._exams else None


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


def _find(venv: VecEnv) -> tuple[VectorEnvAdapter | None, IntrinsicVecEnv | None]:
    """Look through wrappers for the adapter and the wrapper door."""
    door = None
    while isinstance(venv, VecEnvWrapper):
        if isinstance(venv, IntrinsicVecEnv):
            door = venv
        venv = venv.venv
    return venv if isinstance(venv, VectorEnvAdapter) else None, door
