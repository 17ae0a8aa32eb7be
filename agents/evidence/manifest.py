"""Play the runs that answer questions; what the files hold is not repeated."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from curiosity_rl.agents.evidence.plan import Run
from curiosity_rl.agents.evidence.questions import QUESTIONS, chosen
from curiosity_rl.agents.evidence.record import (
    Identity,
    Measurement,
    by_run,
    identity,
)
from curiosity_rl.agents.outcomes import append, play_and_keep, read

Kept = dict[Identity, list[Measurement]]


def gather(
    keys: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    jobs: int = 2,
    backend: str = "processes",
    tasks: Sequence[str] = (),
) -> None:
    """Play what the questions ask for; append each run's rows to their CSV files.

    A run that several questions ask for is played once. Seeds come one after the
    other, so that what is there at any time is about as much for every arm.

    Args:
        keys: Keys of `QUESTIONS`; empty for all.
        seeds: Seeds.
        folder: Where the files are.
        jobs: Processes at a time, one run each.
        backend: One of `outcomes.BACKENDS`.
        tasks: Names of tasks; empty for all.

    Raises:
        ValueError: If a key, a task or the backend is unknown.
        RuntimeError: If runs failed twice; names them, after all others have ended.
    """
    questions = chosen(keys)
    runs = [run for seed in seeds for q in questions.values() for run in q.plan(seed)]
    known = list(dict.fromkeys(run.task for run in runs))
    for task in tasks:
        if task not in known:
            raise ValueError(f"task is {task!r}; these questions have {known}")
    play_runs([r for r in runs if not tasks or r.task in tasks], folder, jobs, backend)


def play_runs(
    runs: Sequence[Run], folder: Path, jobs: int = 2, backend: str = "processes"
) -> None:
    """Play runs; what any file of the folder holds is copied, not played again.

    Args:
        runs: See `questions`.
        folder: See `gather`.
        jobs: See `gather`.
        backend: See `gather`.

    Raises:
        RuntimeError: See `gather`.
    """
    kept = {key: by_run(read(file_of(folder, key), Measurement)) for key in QUESTIONS}
    wanted: dict[Identity, list[Run]] = {}
    for run in runs:
        wanted.setdefault(run.identity, []).append(run)
    waiting: list[tuple[Run]] = []
    for name, same in wanted.items():
        found = next((rows[name] for rows in kept.values() if name in rows), None)
        if found is None:
            waiting.append((same[0],))
        else:
            missing = [run for run in same if name not in kept[run.question]]
            keep_rows(found, missing, folder)
    there = len(wanted) - len(waiting)
    print(f"{len(waiting)} runs, {there} are there already", file=sys.stderr)

    def keep(rows: list[Measurement]) -> str:
        keep_rows(rows, wanted[identity(rows[0])], folder)
        last = {row.measure: row for row in rows}
        told = ", ".join(f"{name} {row.value:.4g}" for name, row in last.items())
        return f"{rows[-1].frames:,} frames: {told}"

    play_and_keep(play, waiting, jobs, lambda run: run.label, keep, backend)


def play(run: Run) -> list[Measurement]:
    """Play one run."""
    task, seed, settings = run.identity
    return [
        Measurement(run.question, task, run.arm, seed, settings, *point)
        for point in run.protocol.play(run.config)
    ]


def keep_rows(rows: Sequence[Measurement], runs: Sequence[Run], folder: Path) -> None:
    """Append what a run measured to the files of all questions that ask for it."""
    for run in runs:
        file = file_of(folder, run.question)
        append(file, *(replace(r, question=run.question, arm=run.arm) for r in rows))


def file_of(folder: Path, key: str) -> Path:
    """Return the CSV file of a question."""
    return folder / f"{QUESTIONS[key].name}.csv"
