"""Progress on a terminal as a bar, elsewhere as a line now and then."""

from __future__ import annotations

import sys
import time
from typing import Any

QUIET = 5.0
"""Least seconds between two lines."""


class Progress:
    """Shows how much of a known amount of work is done, on stderr.

    On a terminal a bar; otherwise at most one line for each tenth of the work, so that
    a log file stays readable. Use as a context manager.

    Args:
        title: What is being done.
        total: Amount of work.
        unit: Unit of the work.
        show: False shows nothing.
    """

    def __init__(
        self, title: str, total: int, unit: str = "steps", show: bool = True
    ) -> None:
        self.title, self.total, self.unit = title, max(total, 1), unit
        self.show = show
        self.done = 0
        self._tenth = 0
        self._start = self._said = time.monotonic()
        self._bar: Any = None
        if show and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=self.total, desc=title, unit=unit, unit_scale=True, leave=False
            )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, done: int, **notes: str) -> None:
        """Show that `done` of the total is done, with notes such as `bonus="0.2"`."""
        advance, self.done = min(done, self.total) - self.done, min(done, self.total)
        if self._bar is not None:
            self._bar.set_postfix(notes, refresh=False)
            self._bar.update(advance)
        elif self.show and 10 * self.done // self.total > self._tenth:
            now = time.monotonic()
            if now - self._said < QUIET and self.done < self.total:
                return
            self._tenth, self._said = 10 * self.done // self.total, now
            parts = [
                f"{self.title}: {self.done:,} of {self.total:,} {self.unit}",
                f"{now - self._start:.0f} s",
                *(f"{name} {note}" for name, note in notes.items()),
            ]
            print(", ".join(parts), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
