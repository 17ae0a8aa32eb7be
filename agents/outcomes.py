"""Outcomes of many runs: played in processes of their own, kept in a CSV file."""

from __future__ import annotations

import csv
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, field, fields
from pathlib import Path
from typing import Any, TypeVar

Outcome = TypeVar("Outcome")


def written(pattern: str) -> Any:
    """Declare a field of an outcome that a file holds in this format, e.g. `.4f`."""
    return field(metadata={"pattern": pattern})


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
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as process:
        try:
            return process.submit(play, *run).result()
        except BrokenProcessPool as error:
            raise RuntimeError("its process died") from error


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


def append(file: Path, outcome: Any) -> None:
    """Append one outcome, in the formats that its fields are declared with."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = not file.exists()
    row = asdict(outcome)
    for f in fields(outcome):
        row[f.name] = format(row[f.name], f.metadata.get("pattern", ""))
    with file.open("a", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, list(row), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)
