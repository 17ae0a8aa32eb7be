"""A callback for any Stable-Baselines3 algorithm: curves of what goes on in a run.

The tutor world's truth is read here for the curves only; nothing that learns sees it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from curiosity_rl.tracking.bonus import BonusMeter
from curiosity_rl.tracking.coverage import Coverage, Landmarks
from curiosity_rl.tracking.layout import write_page
from curiosity_rl.tracking.sources import Sources
from curiosity_rl.tracking.timing import Stopwatch, TimeSplit

EPISODES = 500
"""Training episodes over which success is averaged."""
MOST_CELLS = 10_000_000
"""Largest coverage table that is counted."""
LEAST_STEPS, LEAST_REPLAY_STEPS = 10, 256
"""Steps of all lanes between two reports, at least: where rollouts are short, as those
of A2C and replay algorithms are, a report at the end of each would cost too much."""


class TrackingCallback(BaseCallback):
    """Logs exploration, bonus, success and speed of any Stable-Baselines3 algorithm.

    At the end of every `every`-th rollout, at least `LEAST_STEPS` steps apart
    (`LEAST_REPLAY_STEPS` for replay algorithms). docs/tensorboard.md tells what every
    tag means:

    * `coverage/...` where the world says what "visited" means: `cells`, `share`,
      `entropy`, `cells_this_period`; `landmark/NAME` where it names landmarks: the
      frame of the first visit;
    * `rollout/intrinsic_reward_...` (see `bonus.bonus_metrics`) and `intrinsic/...`,
      what the bonus itself tells, at every door;
    * `tutor/pass_rate`, `tutor/goals_known`, `tutor/skills_known`: at the exam, over
      the last `EPISODES` training episodes, without those that were cut short;
    * `time/steps_per_second`, and `time/share_...`, see `timing.TimeSplit`.

    Episodes whose world does not report `is_success` count as a success if they are
    terminated with an extrinsic reward above 0: they are put into the algorithm's
    `ep_success_buffer`, of which Stable-Baselines3 makes `rollout/success_rate`.

    At the first report it writes TensorBoard's page of charts, and the settings.

    Attributes:
        aside: Time to leave out of the shares: `with tracking.aside: evaluate()`.
    """

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        expected: Iterable[str] = (),
        every: int = 1,
    ) -> None:
        """Build the callback.

        Args:
            settings: What TensorBoard's table of settings shows of this run; None: what
                the algorithm tells.
            expected: Tags that something else will log, for the page of charts.
            every: Rollouts between two reports, as many as between two dumps of the
                algorithm: what is reported between them is never seen.
        """
        super().__init__()
        self.aside = Stopwatch()
        self._settings, self._expected = settings, tuple(expected)
        self._every, self._rollouts = every, 0
        self._coverage: Coverage | None = None
        self._landmarks, self._bonus = Landmarks(), BonusMeter()
        self._exams: deque[tuple[bool, float, int]] = deque(maxlen=EPISODES)
        self._described = False
        self._waiting = 0
        self._steps, self._clock = 0, 0.0

    @property
    def visits(self) -> np.ndarray | None:
        """Visits of every cell up to the last report; None without a coverage."""
        return None if self._coverage is None else self._coverage.visits

    @property
    def world(self) -> Any:
        """The world, where it says what "visited" means; else None."""
        return self._sources.world

    def _on_training_start(self) -> None:
        self._sources = Sources(self.model, MOST_CELLS)
        if self.world is not None and self._coverage is None:
            self._coverage = Coverage(int(np.prod(self.world.coverage_shape)))
        replay = isinstance(self.model, OffPolicyAlgorithm)
        self._least = LEAST_REPLAY_STEPS if replay else LEAST_STEPS
        sources = self._sources
        self._split = TimeSplit(
            sources.world_seconds, sources.bonus_seconds, lambda: self.aside.seconds
        )
        self._steps, self._clock = self.num_timesteps, time.monotonic()

    def _on_rollout_start(self) -> None:
        self._split.rollout_starts()

    def _on_step(self) -> bool:
        self._waiting += 1
        sources, dones = self._sources, self.locals["dones"]
        if self._coverage is not None:
            self._coverage.note(sources.visited(dones))
        if sources.landmarks is not None:
            self._landmarks.look(sources.landmarks, self.num_timesteps)
        if dones.any():
            self._note_ends(np.flatnonzero(dones).tolist(), self.locals["infos"])
        if sources.payer is not None:
            self._bonus.look(sources.payer)
        return True

    def _note_ends(self, lanes: list[int], infos: list[dict[str, Any]]) -> None:
        """Note how episodes have ended."""
        rewards = self._sources.rewards(self.locals["rewards"])
        successes = self.model.ep_success_buffer
        for lane in lanes:
            info = infos[lane]
            over = not info.get("TimeLimit.truncated", False)
            if successes is not None and "is_success" not in info:
                successes.append(bool(over and rewards[lane] > 0))
            if over:
                self._examine(info)

    def _examine(self, info: dict[str, Any]) -> None:
        """Note the result of a finished episode of a tutor world."""
        truth, goal = info.get("truth"), info.get("goal")
        if truth is None or goal is None:
            return
        mastery = np.asarray(truth["mastery"])
        known = mastery[goal]
        self._exams.append((bool(known.all()), float(known.mean()), int(mastery.sum())))

    def _on_rollout_end(self) -> None:
        if self._sources.payer is not None:
            self._bonus.look(self._sources.payer)
        self._rollouts += 1
        if self._rollouts % self._every == 0 and self._waiting >= self._least:
            self._report()
        self._split.rollout_ends()

    def _report(self) -> None:
        """Record what has happened since the last report."""
        record = self.logger.record
        self._waiting = 0
        if self._exams:
            passed, goals, skills = np.mean(self._exams, axis=0).tolist()
            record("tutor/pass_rate", passed)
            record("tutor/goals_known", goals)
            record("tutor/skills_known", skills)
        if self._coverage is not None:
            for key, value in self._coverage.report().items():
                record(f"coverage/{key}", value)
        for name, frame in self._landmarks.frames.items():
            record(f"landmark/{name}", frame)
        door = self._sources.door
        if door is not None:
            metrics = self._bonus.drain(door.coef, float(door.extrinsic))
            for key, value in metrics.items():
                record(f"rollout/{key}", value)
            for key, value in door.metrics.items():
                record(f"intrinsic/{key}", value)
        now = time.monotonic()
        if now > self._clock:
            speed = (self.num_timesteps - self._steps) / (now - self._clock)
            record("time/steps_per_second", speed)
        for key, value in self._split.report().items():
            record(f"time/share_{key}", value)
        self._steps, self._clock = self.num_timesteps, now
        if not self._described:
            self._described = True
            tags = {*self.logger.name_to_value, *self._sources.tags(), *self._expected}
            settings = self._settings or self._sources.settings()
            write_page(self.logger, sorted(tags), settings)

    def _on_training_end(self) -> None:
        if self._waiting:
            self._report()

    def state_dict(self) -> dict[str, Any]:
        """Return what was counted so far, for a run that goes on from here."""
        coverage = self._coverage
        return {
            "coverage": None if coverage is None else coverage.state_dict(),
            "landmarks": dict(self._landmarks.frames),
            "exams": [list(exam) for exam in self._exams],
            "bonus": self._bonus.state_dict(),
            "waiting": self._waiting,
            "rollouts": self._rollouts,
            "described": self._described,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned, before training starts."""
        self._coverage = None
        if state["coverage"] is not None:
            self._coverage = Coverage(0)
            self._coverage.load_state_dict(state["coverage"])
        self._landmarks.frames = {k: int(v) for k, v in state["landmarks"].items()}
        self._exams.clear()
        self._exams.extend((bool(p), float(g), int(k)) for p, g, k in state["exams"])
        self._bonus.load_state_dict(state["bonus"])
        self._waiting = int(state["waiting"])
        self._rollouts = int(state["rollouts"])
        self._described = bool(state["described"])

    @property
    def pass_rate(self) -> float | None:
        """Share of the latest exams that were passed; None before the first."""
        return float(np.mean([e[0] for e in self._exams])) if self._exams else None
