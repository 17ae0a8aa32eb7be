"""What the files of the evidence hold: one row per run, frame and measure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from curiosity_rl.agents.outcomes import written


class Point(NamedTuple):
    """What one run measured at one time.

    Attributes:
        frames: Training frames so far, over all lanes.
        measure: What was measured.
        value: Its value.
    """

    frames: int
    measure: str
    value: float


@dataclass(frozen=True)
class Measurement:
    """A `Point` with the run that it belongs to; a row of a file.

    Attributes:
        question: Key of the question.
        task: Name of the world and what is to be reached there.
        arm: What is compared: a bonus, a tutor, a choice.
        seed: Seed of the run.
        settings: Digest of all other settings; other settings are other runs.
        frames: See `Point`.
        measure: See `Point`.
        value: See `Point`.
    """

    question: str
    task: str
    arm: str
    seed: int
    settings: str
    frames: int
    measure: str = written("")
    value: float = written(".6g")


Identity = tuple[str, int, str]
"""What tells a run from all others, whatever question asks for it."""


def identity(row: Measurement) -> Identity:
    """Return the identity of the run that a row belongs to."""
    return row.task, row.seed, row.settings


def by_run(rows: Iterable[Measurement]) -> dict[Identity, list[Measurement]]:
    """Group rows by their runs, in the order of the file."""
    found: dict[Identity, list[Measurement]] = {}
    for row in rows:
        found.setdefault(identity(row), []).append(row)
    return found
