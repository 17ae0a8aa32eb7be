"""Log files of a run that can go on after a crash: no step twice, none lost.

`progress.csv` and TensorBoard events are written as Stable-Baselines3 does. A
checkpoint remembers how far they had come; a run that goes on from there cuts off what
was logged later, and logs it again.
"""

from __future__ import annotations

import csv
import io
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.logger import (
    Figure,
    FormatUnsupportedError,
    HParam,
    Image,
    KVWriter,
    Logger,
    Video,
    filter_excluded_keys,
)

from curiosity_rl.tracking.events import Events

_BLANK: dict[str, Any] = {
    "events": {},
    "keys": [],
    "rows": 0,
    "iterations": 0,
    "step": -1,
    "curves": [],
    "pending": [],
    "counts": {},
}
EVENTS = "events.out.tfevents.*"
_ITERATIONS = "time/iterations"
_NO_TEXT = {Video: "video", Figure: "figure", Image: "image", HParam: "hparam"}


class ProgressFile(KVWriter):
    """Writes one row a dump to a CSV file, as SB3's format does.

    A new column makes the file be written anew, beside itself, so that a crash leaves
    the old one or the new one.

    Attributes:
        path: The file.
        keys: Its columns.
        rows: Number of its rows.
    """

    def __init__(self, path: Path, keys: Sequence[str] = (), rows: int = 0) -> None:
        """Open the file.

        Args:
            path: The file; made if missing.
            keys: Columns to keep of what it holds.
            rows: Number of rows to keep.
        """
        self.path = path
        path.touch()
        self._file = path.open("a", encoding="utf-8", newline="")
        kept = self._read()[:rows]
        self._rewrite(list(keys), kept)
        self.rows = len(kept)

    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        """Append a row; columns that it leaves out stay empty.

        Raises:
            FormatUnsupportedError: If a value is no text and no number.
        """
        values = filter_excluded_keys(key_values, key_excluded, "csv")
        if not values:
            return
        for value in values.values():
            for kind, name in _NO_TEXT.items():
                if isinstance(value, kind):
                    raise FormatUnsupportedError(["csv"], name)
        new = sorted(values.keys() - set(self.keys))
        if new:
            self._rewrite([*self.keys, *new], self._read())
        row = ["" if values.get(key) is None else str(values[key]) for key in self.keys]
        self._file.write(_line(row))
        self._file.flush()
        self.rows += 1

    def sync(self) -> None:
        """Have the disk remember all rows."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self) -> list[dict[str, str]]:
        with self.path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def _rewrite(self, keys: list[str], rows: list[dict[str, str]]) -> None:
        partial = self.path.with_name(f".{self.path.name}.partial")
        with partial.open("w", encoding="utf-8", newline="") as file:
            if keys:
                file.write(_line(keys))
            for row in rows:
                file.write(_line([row.get(key) or "" for key in keys]))
            file.flush()
            os.fsync(file.fileno())
        self._file.close()
        partial.replace(self.path)
        self._file = self.path.open("a", encoding="utf-8", newline="")
        self.keys = keys


class RunLogger(Logger):
    """Logs a run to `progress.csv` and TensorBoard, and can tell how far it has come.

    Of two values that a curve has at one step only the first is kept: replay algorithms
    dump several times where several lanes end together.

    Args:
        folder: Folder of the run.
        state: What `state` returned when the checkpoint was taken that the run goes on
            from; None for a new run. Everything that was logged later is cut off.
        every: Iterations, counted over the whole run, between two dumps; Stable-
            Baselines3 would count them anew when a run goes on.
    """

    def __init__(
        self, folder: Path, state: Mapping[str, Any] | None = None, every: int = 1
    ) -> None:
        self._path, self._every = folder, every
        before = _BLANK if state is None else state
        self._before = self._iterations = int(before["iterations"])
        _cut_events(folder, before["events"])
        self._table = ProgressFile(
            folder / "progress.csv", before["keys"], before["rows"]
        )
        formats = [self._table, Events(str(folder))]
        super().__init__(str(folder), formats)
        for key, value, excluded in before["pending"]:
            self.name_to_value[key] = _from_plain(value)
            self.name_to_excluded[key] = tuple(excluded)
        self.name_to_count.update(before["counts"])
        self._step, self._curves = int(before["step"]), set(before["curves"])

    def record(
        self, key: str, value: Any, exclude: str | tuple[str, ...] | None = None
    ) -> None:
        """Keep a value for the next dump; iterations are counted over the whole run."""
        if key == _ITERATIONS:
            value = self._iterations = self._before + value
        super().record(key, value, exclude)

    def dump(self, step: int = 0) -> None:
        """Write what was recorded since the last dump, if it is time to."""
        if self._iterations % self._every == 0:
            self.write_all(step)

    def write_all(self, step: int) -> None:
        """Write what was recorded since the last dump."""
        if step != self._step:
            self._step, self._curves = step, set()
        for key in self._curves & set(self.name_to_value):
            del self.name_to_value[key], self.name_to_excluded[key]
        self._curves |= set(self.name_to_value)
        super().dump(step)

    def state(self) -> dict[str, Any]:
        """Return how long the files are, and what waits for the next dump.

        The files are flushed to disk first.
        """
        self._table.sync()
        events = {}
        for file in sorted(self._path.glob(EVENTS)):
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
            events[file.name] = file.stat().st_size
        return {
            "events": events,
            "keys": list(self._table.keys),
            "rows": self._table.rows,
            "iterations": self._iterations,
            "step": self._step,
            "curves": sorted(self._curves),
            "pending": [
                [key, _plain(value), list(self.name_to_excluded[key])]
                for key, value in self.name_to_value.items()
                if _plain(value) is not None
            ],
            "counts": dict(self.name_to_count),
        }


@contextmanager
def told_once() -> Iterator[None]:
    """Have TensorBoard's writing thread fail silently: the next write tells of it."""
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        writer = type(args.thread).__name__ == "_AsyncWriterThread"
        if not (writer and issubclass(args.exc_type, OSError)):
            before(args)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def _line(row: list[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(row)
    return text.getvalue()


def _cut_events(folder: Path, sizes: Mapping[str, int]) -> None:
    """Cut TensorBoard's files, to which is only ever appended, to an earlier length."""
    for file in sorted(folder.glob(EVENTS)):
        if file.name not in sizes:
            file.unlink()
        elif file.stat().st_size > sizes[file.name]:
            os.truncate(file, sizes[file.name])


def _plain(value: Any) -> Any:
    """Write a logged value so that a checkpoint can hold it; None if that cannot be."""
    if isinstance(value, Image):
        return {"image": np.asarray(value.image), "dataformats": value.dataformats}
    kept = (*np.ScalarType, np.ndarray, th.Tensor)
    return value if isinstance(value, kept) else None


def _from_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return Image(value["image"], value["dataformats"])
    return value
