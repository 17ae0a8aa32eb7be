"""Outcomes of many runs: each played in a process of its own, kept in a CSV file."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, field, fields
from pathlib import Path
from typing import Any, TypeVar

from curiosity_rl.registry import unknown_name

Outcome = TypeVar("Outcome")
Backend = Callable[..., Iterator[tuple[tuple[Any, ...], Any]]]
"""Plays runs, as `play_all` does."""
BACKENDS = ("processes", "ray")
SLOW_TO_IMPORT = ("scipy.stats", "torch._dynamo")
"""What most runs import while they play: tables with intervals, any optimiser."""
FEW_SEEDS = 10
UNIMPORTANT = ("seed", "name", "log_folder", "progress", "save_freq", "track")
"""Settings that do not tell a row of runs from others."""


def written(pattern: str) -> Any:
    """Declare a field of an outcome that a file holds in this format, e.g. `.4f`."""
    return field(metadata={"pattern": pattern})


def digest(config: Any, **more: Any) -> str:
    """Return a short name of a configuration, a dataclass, but for its seed.

    Args:
        config: The settings.
        more: What else a run depends on; plain values.
    """
    settings = asdict(config)
    for name in UNIMPORTANT:
        del settings[name]
    text = json.dumps(settings | more, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def warning(seeds: int, remark: str) -> str:
    """Return a sentence if there are too few seeds, or nothing.

    Args:
        seeds: Fewest seeds of any row.
        remark: What follows from so few.
    """
    if seeds >= FEW_SEEDS:
        return ""
    counted = f"{seeds} seed{'' if seeds == 1 else 's'}"
    return f"Only {counted} in a row, fewer than {FEW_SEEDS}: {remark}"


def play_and_keep(
    play: Callable[..., Outcome],
    runs: Sequence[tuple[Any, ...]],
    jobs: int,
    label: Callable[..., str],
    keep: Callable[[Outcome], str],
    backend: str = "processes",
) -> None:
    """Call `play(*run)` for all runs; tell of each as it ends, and of the time left.

    Runs that fail, or whose process dies, are tried once more after all others.

    Args:
        play: See `play_all`.
        runs: Arguments of each call.
        jobs: Processes at a time.
        label: Returns a run's name, of its arguments.
        keep: Called with each result; returns what to tell of it.
        backend: One of `BACKENDS`.

    Raises:
        ValueError: If the backend is unknown or not installed.
        RuntimeError: If runs failed twice; names them, after all others have ended.
    """
    play_on = chosen_backend(backend)
    start = time.monotonic()
    repeated: list[str] = []
    failed: list[str] = []

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def tried() -> Iterator[tuple[tuple[Any, ...], Outcome | Exception]]:
        broken = []
        for run, outcome in play_on(play, runs, jobs):
            if isinstance(outcome, Exception):
                broken.append(run)
                repeated.append(label(*run))
                tell(f"{label(*run)}: {_told(outcome)}; it is tried again at the end")
            else:
                yield run, outcome
        if broken:
            yield from play_on(play, broken, jobs)

    for ended, (run, outcome) in enumerate(tried(), 1):
        if isinstance(outcome, Exception):
            failed.append(label(*run))
            told = _told(outcome)
        else:
            told = keep(outcome)
        rest = (time.monotonic() - start) / ended * (len(runs) - ended)
        left = f"; {_duration(rest)} left" if ended < len(runs) else ""
        tell(f"[{ended}/{len(runs)}] {label(*run)}: {told}{left}")
    if repeated:
        tell(f"run twice, as the first try failed: {'; '.join(repeated)}")
    if failed:
        raise RuntimeError(
            f"{len(failed)} of {len(runs)} runs failed twice: {'; '.join(failed)}; the "
            "outcomes of the others are kept, the same command repeats these"
        )


def chosen_backend(name: str) -> Backend:
    """Return what plays runs: in processes of this machine, or on a Ray cluster.

    Raises:
        ValueError: If the backend is unknown or not installed.
    """
    if name not in BACKENDS:
        raise ValueError(unknown_name("backend", name, BACKENDS))
    if name == "processes":
        return play_all
    from curiosity_rl.agents.cluster import play_on_cluster, require

    require()
    return play_on_cluster


def _told(error: Exception) -> str:
    return f"failed: {type(error).__name__}: {error}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def play_all(
    play: Callable[..., Outcome], runs: Sequence[tuple[Any, ...]], jobs: int
) -> Iterator[tuple[tuple[Any, ...], Outcome | Exception]]:
    """Call `play(*run)` for all runs, each in a fresh process.

    Args:
        play: A function of a module; its result can be pickled.
        runs: Arguments of each call.
        jobs: Processes at a time.

    Yields:
        Each run with its result, or with the error that ended it, in the order in which
        they end. A process that dies takes no other run with it.
    """
    pool = ThreadPoolExecutor(jobs)
    waiting = {pool.submit(_in_process, play, run): run for run in runs}
    try:
        for future in as_completed(waiting):
            error = future.exception()
            if error is not None and not isinstance(error, Exception):
                raise error
            yield waiting[future], error or future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _in_process(play: Callable[..., Outcome], run: tuple[Any, ...]) -> Outcome:
    with ProcessPoolExecutor(1, _fresh_context(play)) as process:
        try:
            return process.submit(play, *run).result()
        except BrokenProcessPool as error:
            raise RuntimeError("its process died") from error


def _fresh_context(play: Callable[..., Any]) -> Any:
    """Return how a process begins in which nothing has run yet.

    Where there is a fork server, it has imported what runs need once for all of them:
    each would else spend seven seconds on that.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([play.__module__, *SLOW_TO_IMPORT])
    return context


def read(file: Path, kind: type[Outcome]) -> list[Outcome]:
    """Read outcomes, of a dataclass; none if the file does not exist.

    Raises:
        ValueError: If the file holds something else.
    """
    if not file.exists():
        return []
    known: Any = kind
    names = [f.name for f in fields(known)]
    with file.open(newline="", encoding="utf-8") as lines:
        rows = csv.DictReader(lines)
        if list(rows.fieldnames or []) != names:
            raise ValueError(
                f"{file} has the columns {', '.join(rows.fieldnames or [])}; outcomes "
                f"have {', '.join(names)}: give another file"
            )
        return [
            kind(**{f.name: _parsed(str(f.type), row[f.name]) for f in fields(known)})
            for row in rows
        ]


def _parsed(kind: str, text: str) -> str | int | bool | float:
    if kind == "bool":
        return text == "True"
    parsers: dict[str, Any] = {"str": str, "int": int}
    return parsers.get(kind, float)(text)


def append(file: Path, *outcomes: Any) -> None:
    """Append outcomes of one kind, in the formats that their fields are declared with.

    All of them in one piece: a process that dies leaves all or none in the file.
    """
    rows = [
        {
            f.name: format(getattr(outcome, f.name), f.metadata.get("pattern", ""))
            for f in fields(outcome)
        }
        for outcome in outcomes
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    if not file.exists():
        writer.writeheader()
    writer.writerows(rows)
    with file.open("ab") as lines:
        lines.write(text.getvalue().encode())
