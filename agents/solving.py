"""Train until a task is solved, with and without the bonus, and tabulate outcomes."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from curiosity_rl.agents.config import ExperimentConfig, without_bonus
from curiosity_rl.agents.evaluation import ReturnRow, evaluate_agents
from curiosity_rl.agents.experiment import build, torch_threads
from curiosity_rl.agents.outcomes import (
    append,
    digest,
    play_and_keep,
    read,
    warning,
    written,
)
from curiosity_rl.agents.stopping import EpisodeLog, StopWhenSolved
from curiosity_rl.agents.tasks import TASKS, Task, chosen_tasks
from curiosity_rl.agents.worlds import find_world, make_lanes
from curiosity_rl.tracking.callback import TrackingCallback

OPTIMUM_EPISODES = 2000
"""Episodes over which the return of the best action is measured."""


@dataclass(frozen=True)
class Outcome:
    """What one run came to.

    Attributes:
        task: Name of the task.
        bonus: Short name of the bonus; `none` for none.
        seed: Seed of the run.
        settings: Digest of all other settings; other settings are other runs.
        frames: Training steps, over all lanes.
        episodes: Finished training episodes.
        seconds: Wall time of `learn`.
        cpu_seconds: CPU time of `learn`.
        solved: Whether the level was reached.
        reached: Mean over the last training episodes, of what the level is about.
        success: Share of held-out episodes that ended in success.
        mean_return: Mean extrinsic return of held-out episodes.
    """

    task: str
    bonus: str
    seed: int
    settings: str
    frames: int
    episodes: int
    seconds: float = written(".2f")
    cpu_seconds: float = written(".2f")
    solved: bool = written("")
    reached: float = written(".4f")
    success: float = written(".4f")
    mean_return: float = written(".4f")


def solve(
    names: Sequence[str],
    seeds: Sequence[int],
    file: Path,
    jobs: int = 2,
    without: bool = True,
    tasks: Mapping[str, Task] | None = None,
) -> list[Outcome]:
    """Solve tasks with every seed; append each outcome to a CSV file.

    Runs whose outcome the file already holds are not repeated.

    Args:
        names: Names of tasks; empty for all but the stretch ones.
        seeds: Seeds.
        file: CSV file of outcomes.
        jobs: Processes at a time, one run each.
        without: Train without the bonus too.
        tasks: Tasks by name instead of `TASKS`.

    Returns:
        The outcomes of these runs.

    Raises:
        ValueError: If a task or its world is unknown.
        RuntimeError: If runs failed; names them, after all others have ended.
    """
    if tasks is None:
        tasks = chosen_tasks(names)
    plan = [
        (name, task, config)
        for name, task in tasks.items()
        for seed in seeds
        for config in configurations(task, seed, without)
    ]
    wanted = [_planned(*run) for run in plan]
    done = {_key(outcome) for outcome in read(file, Outcome)}
    runs = [run for run, key in zip(plan, wanted, strict=True) if key not in done]

    def keep(outcome: Outcome) -> str:
        append(file, outcome)
        return _sentence(outcome)

    play_and_keep(play, runs, jobs, _label, keep)
    found = {_key(outcome): outcome for outcome in read(file, Outcome)}
    return [found[key] for key in wanted]


def configurations(
    task: Task, seed: int, without: bool = True
) -> list[ExperimentConfig]:
    """Return the settings of a task's runs: with the bonus of its preset and without.

    Raises:
        ValueError: If the world or a setting is unknown.
    """
    find_world(task.env)
    given = {**task.settings, "n_timesteps": task.most, "seed": seed}
    config = ExperimentConfig.load(
        env=task.env, env_kwargs=dict(task.env_kwargs), progress=False, **given
    )
    if config.intrinsic == "none":
        return [config]
    return [config, without_bonus(config)] if without else [config]


def play(name: str, task: Task, config: ExperimentConfig) -> Outcome:
    """Train until the task is solved or given up; evaluate on held-out episodes."""
    level = task.level
    if task.best_action is not None:
        level *= best_return(task, config)
    with torch_threads(config.num_threads):
        build(config).model.learn(1)  # one rollout: compiles and loads kernels
        lanes = make_lanes(config.env, config.env_kwargs, config.n_envs)
        log = EpisodeLog(lanes, task.window)
        experiment = build(config, log)
        model = experiment.model
        on_policy = isinstance(model, OnPolicyAlgorithm)
        steps = model.n_steps if on_policy else 1
        stop = StopWhenSolved(log, task.kind, level, steps)
        rollout = steps * config.n_envs
        most = max(task.most // rollout, 1) * rollout
        start, cpu = time.perf_counter(), time.process_time()
        model.learn(most, callback=[TrackingCallback(), stop])
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    (row,) = experiment.evaluate(config.eval_students, baselines=False)
    assert isinstance(row, ReturnRow)
    return Outcome(
        *_planned(name, task, config),
        frames=model.num_timesteps,
        episodes=log.count,
        seconds=seconds,
        cpu_seconds=cpu,
        solved=stop.solved,
        reached=log.average(task.kind),
        success=row.success,
        mean_return=row.mean_return,
    )


def best_return(task: Task, config: ExperimentConfig) -> float:
    """Measure the mean return of doing a task's best action always."""

    def best(obs: Any, starts: np.ndarray) -> np.ndarray:
        return np.full(len(starts), task.best_action)

    env, kwargs = config.env, config.env_kwargs
    (row,) = evaluate_agents(env, kwargs, {"best": best}, OPTIMUM_EPISODES)
    return row.mean_return


def _planned(
    name: str, task: Task, config: ExperimentConfig
) -> tuple[str, str, int, str]:
    """Return what tells this run from all others of a file."""
    stop = [task.kind, task.level, task.window, task.best_action]
    return name, config.intrinsic, config.seed, digest(config, stop=stop)


def _label(name: str, _: Task, config: ExperimentConfig) -> str:
    return f"{name}, {config.intrinsic}, seed {config.seed}"


def _key(outcome: Outcome) -> tuple[str, str, int, str]:
    return outcome.task, outcome.bonus, outcome.seed, outcome.settings


def _sentence(o: Outcome) -> str:
    end = "solved" if o.solved else f"given up at {o.reached:.3f}"
    return (
        f"{end} after {o.frames:,} frames, {o.episodes:,} episodes, {o.seconds:.1f} s; "
        f"held out: success {o.success:.3f}, return {o.mean_return:.3f}"
    )


def markdown(
    outcomes: Iterable[Outcome], tasks: Mapping[str, Task] | None = None
) -> str:
    """Return a table of medians over seeds, a row per task and bonus.

    A run that did not solve its task counts as longer than any that did.
    """
    tasks = TASKS if tasks is None else tasks
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.task, outcome.bonus), []).append(outcome)
    lines = [
        "| task | solved when | bonus | solved | frames: median (range) | "
        "CPU seconds | held-out success | held-out return | bar |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (name, bonus), group in groups.items():
        task = tasks[name]
        frames = _times([o.frames for o in group], group)
        seconds = _times([o.cpu_seconds for o in group], group)
        most = max(o.frames for o in group if not o.solved) if _open(group) else 0
        longest = f"more than {most:,}"
        spread = f"{_count(frames[0], longest)} to {_count(frames[-1], longest)}"
        cells = [
            name,
            task.goal,
            bonus,
            f"{sum(o.solved for o in group)} of {len(group)}",
            f"{_count(statistics.median(frames), longest)} ({spread})",
            _seconds(group, statistics.median(seconds)),
            ""
            if task.best_action is not None  # a world of returns knows no success
            else f"{statistics.median(o.success for o in group):.3f}",
            f"{statistics.median(o.mean_return for o in group):.3f}",
            _bar(task, statistics.median(frames), statistics.median(seconds))
            if bonus != "none"
            else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    fewest = min((len(group) for group in groups.values()), default=0)
    few = warning(
        fewest,
        "medians and ranges describe these runs; they do not rank settings that lie "
        "close together.",
    )
    lines += ["", few] * bool(few)
    return "\n".join(lines) + "\n"


def write(file: Path, text: str) -> None:
    """Write a table, with the command that makes it."""
    head = "Made by `python scripts/benchmark.py solving`; runs in `{}`.\n\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(head.format(file.with_suffix(".csv").name) + text, "utf-8")


def _open(group: Sequence[Outcome]) -> bool:
    return not all(o.solved for o in group)


def _times(values: Sequence[float], group: Sequence[Outcome]) -> list[float]:
    """Sort what runs took; those that were given up took longer than all others."""
    solved = [o.solved for o in group]
    pairs = zip(values, solved, strict=True)
    return sorted(value if done else math.inf for value, done in pairs)


def _count(value: float, longest: str) -> str:
    return longest if math.isinf(value) else f"{value:,.0f}"


def _seconds(group: Sequence[Outcome], median: float) -> str:
    if math.isfinite(median):
        return f"{median:.1f}"
    spent = statistics.median(o.cpu_seconds for o in group if not o.solved)
    return f"more than {spent:.1f}"


def _bar(task: Task, frames: float, seconds: float) -> str:
    """Tell a task's bar, and whether the medians meet it."""
    parts, met = [], True
    if task.bar_frames is not None:
        parts.append(f"{task.bar_frames:,} frames")
        met &= frames <= task.bar_frames
    if task.bar_seconds is not None:
        parts.append(f"{task.bar_seconds:g} s")
        met &= seconds <= task.bar_seconds
    return f"{' and '.join(parts)}: {'met' if met else 'missed'}" if parts else ""
