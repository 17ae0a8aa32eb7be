"""How one run of the evidence is played, and what is measured on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.randomness import kept_noise
from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.evaluation import ReturnRow, TutorRow, evaluate_tutors
from curiosity_rl.agents.evidence.record import Point
from curiosity_rl.agents.experiment import Experiment, build, torch_threads
from curiosity_rl.agents.on_policy import IntrinsicOnPolicy
from curiosity_rl.agents.stopping import EpisodeLog, StopWhenSolved
from curiosity_rl.agents.tutors import make_tutor
from curiosity_rl.agents.worlds import make_lanes


class Playable(Protocol):
    """A dataclass of plain values that says how a configuration is played."""

    def play(self, config: ExperimentConfig) -> list[Point]:
        """Play it; return what was measured."""
        ...


@dataclass(frozen=True)
class Solving:
    """Train until the world is solved, and note how training episodes go.

    Measures: `level`, the mean return or success of the last training episodes, at
    `points` times (0 before the first has ended); at the end `solved` (1 or 0), its
    `frames` the first at which it was, or where the run was given up; `held-out
    success`; and `CPU seconds` of the training.

    Attributes:
        kind: What is averaged.
        level: The mean that counts as solved.
        window: Training episodes that are averaged.
        points: Times at which the level is noted.
        pretraining: Frames without the world's reward before; they are not counted.
        bonus_after: Whether the bonus goes on after the pretraining.
        update_every: Steps after which a bonus added by the wrapper learns; 0: as
            the wrapper does.
    """

    kind: Literal["return", "success"] = "success"
    level: float = 0.9
    window: int = 200
    points: int = 20
    pretraining: int = 0
    bonus_after: bool = True
    update_every: int = 0

    def play(self, config: ExperimentConfig) -> list[Point]:
        """Train and evaluate."""
        with torch_threads(config.num_threads):
            log = EpisodeLog(
                make_lanes(config.env, config.env_kwargs, config.n_envs), self.window
            )
            experiment = build(config, log)
            model = experiment.model
            assert isinstance(model, OnPolicyAlgorithm)
            if self.update_every:
                _door(model.get_env()).payer.update_every = self.update_every
            rollout = model.n_steps * config.n_envs
            if self.pretraining:
                self._pretrain(model, log, rollout)
            found: list[Point] = []

            def note() -> None:
                value = log.recent(self.kind)
                found.append(Point(model.num_timesteps, "level", value))

            every = config.n_timesteps / self.points
            times = [round(every * number) for number in range(1, self.points + 1)]
            stop = StopWhenSolved(log, self.kind, self.level, model.n_steps)
            start = time.process_time()
            most = max(config.n_timesteps // rollout, 1) * rollout
            model.learn(most, callback=[stop, AtFrames(times, note)])
            seconds = time.process_time() - start
        if not found or found[-1].frames < model.num_timesteps:
            note()
        (row,) = experiment.evaluate(config.eval_students, baselines=False)
        assert isinstance(row, ReturnRow)
        frames = model.num_timesteps
        return [
            *found,
            Point(frames, "solved", float(stop.solved)),
            Point(frames, "held-out success", row.success),
            Point(frames, "CPU seconds", seconds),
        ]

    def _pretrain(self, model: Any, log: EpisodeLog, rollout: int) -> None:
        """Learn from the bonus alone, then show the world's reward."""
        assert isinstance(model, IntrinsicOnPolicy)
        model.extrinsic = False
        model.learn(max(self.pretraining // rollout, 1) * rollout)
        log.forget()
        model.extrinsic = True
        if not self.bonus_after:
            model.coef = 0.0


@dataclass(frozen=True)
class Teaching:
    """Train a tutor; let it teach held-out students on the way and at the end.

    Measures: `pass rate` and `mastered` with the first `students` at the times `at`;
    `final pass rate`, `final mastered` and `final distractors` with `final` students.
    They are the same students in every run.

    Attributes:
        at: Frames after which the tutor is examined; between two rollouts, the first
            not below.
        students: Students of these examinations.
        final: Students of the last one.
    """

    at: tuple[int, ...]
    students: int = 500
    final: int = 2000

    def play(self, config: ExperimentConfig) -> list[Point]:
        """Train and examine."""
        found: list[Point] = []
        experiment = build(config)
        model = experiment.model

        def examine() -> None:
            with kept_noise(model):
                row = _examined(experiment, self.students)
            found.append(Point(model.num_timesteps, "pass rate", row.pass_rate))
            found.append(Point(model.num_timesteps, "mastered", row.mastered))

        with torch_threads(config.num_threads):
            model.learn(config.n_timesteps, callback=AtFrames(self.at, examine))
        row = _examined(experiment, self.final)
        return [*found, *_final(model.num_timesteps, row)]


@dataclass(frozen=True)
class Tutoring:
    """Let a tutor that does not learn from other students teach the same ones.

    Measures: the final ones of `Teaching`, after 0 frames.

    Attributes:
        tutor: Name of the tutor.
        students: Students.
    """

    tutor: str
    students: int = 2000

    def play(self, config: ExperimentConfig) -> list[Point]:
        """Teach; the seed is the tutor's own."""
        probe: Any = make_lanes(config.env, config.env_kwargs, 1)
        layout = probe.unwrapped.layout
        probe.close()
        tutor = make_tutor(self.tutor, layout, config.seed)
        (row,) = evaluate_tutors(
            config.env, config.env_kwargs, {self.tutor: tutor}, self.students
        )
        return _final(0, row)


class AtFrames(BaseCallback):
    """Calls a function at the first rollout that begins, or end, at given frames.

    Args:
        times: Frames, ascending.
        act: What to call.
    """

    def __init__(self, times: Iterable[int], act: Callable[[], None]) -> None:
        super().__init__()
        self.times, self.act = list(times), act

    def _on_rollout_start(self) -> None:
        self._look()

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        self._look()

    def _look(self) -> None:
        due = [frames for frames in self.times if frames <= self.num_timesteps]
        if due:
            self.times = self.times[len(due) :]
            self.act()


def _examined(experiment: Experiment, students: int) -> TutorRow:
    (row,) = experiment.evaluate(students, baselines=False)
    assert isinstance(row, TutorRow)
    return row


def _final(frames: int, row: TutorRow) -> list[Point]:
    return [
        Point(frames, "final pass rate", row.pass_rate),
        Point(frames, "final mastered", row.mastered),
        Point(frames, "final distractors", row.distractors),
    ]


def _door(venv: Any) -> IntrinsicVecEnv:
    while not isinstance(venv, IntrinsicVecEnv):
        venv = venv.venv
    return venv
