"""Logs of answers: who practised which skill, in which order, and how it went."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

RIGHT = {"1": True, "1.0": True, "0": False, "0.0": False}


@dataclass(frozen=True)
class Columns:
    """Names of a log's columns.

    Attributes:
        user: Who answered.
        skill: What was practised.
        correct: 1 for a right answer, 0 for a wrong one.
        time: When; None where the lines of a student stand in order of time.
    """

    user: str = "user"
    skill: str = "skill"
    correct: str = "correct"
    time: str | None = None


@dataclass(frozen=True)
class AnswerLog:
    """Answers by sequence: what one student answered on one skill, in order.

    Sequences are sorted by skill, then by student.

    Attributes:
        users: Names of the students, sorted.
        skills: Names of the skills, sorted.
        right: All answers, `(M,)` bool.
        starts: Where each sequence starts, `(S + 1,)` int64; ends with M.
        user: Student of each sequence, `(S,)` int64.
        skill: Skill of each sequence, `(S,)` int64.
    """

    users: tuple[str, ...]
    skills: tuple[str, ...]
    right: np.ndarray
    starts: np.ndarray
    user: np.ndarray
    skill: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Answers of each sequence, `(S,)`."""
        return np.diff(self.starts)

    def sequences_of(self, skill: int) -> tuple[int, int]:
        """Return the first sequence of a skill and the one after its last."""
        first, last = np.searchsorted(self.skill, [skill, skill + 1])
        return int(first), int(last)

    def part(self, keep: np.ndarray) -> AnswerLog:
        """Return the log of some sequences, `(S,)` bool; names stay as they are."""
        lengths = self.lengths
        return AnswerLog(
            self.users,
            self.skills,
            self.right[np.repeat(keep, lengths)],
            np.concatenate(([0], np.cumsum(lengths[keep]))),
            self.user[keep],
            self.skill[keep],
        )


def from_answers(
    users: Sequence[str],
    skills: Sequence[str],
    right: Sequence[bool] | np.ndarray,
    times: Sequence[float] | None = None,
) -> AnswerLog:
    """Make a log of answers that stand in order of time, or are ordered by `times`.

    Answers of equal time stay in the order given.
    """
    user_names, user = _number(users)
    skill_names, skill = _number(skills)
    order = np.arange(len(user))
    if times is not None:
        order = np.argsort(np.array(times), kind="stable")
    answers = np.asarray(right, dtype=np.bool_)[order]
    return from_codes(user_names, skill_names, user[order], skill[order], answers)


def from_codes(
    users: tuple[str, ...],
    skills: tuple[str, ...],
    user: np.ndarray,
    skill: np.ndarray,
    right: np.ndarray,
) -> AnswerLog:
    """Make a log of answers in order of time, by numbers of students and skills."""
    order = np.lexsort((user, skill))
    user, skill = user[order], skill[order]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (np.diff(user) != 0) | (np.diff(skill) != 0)
    first = np.flatnonzero(new)
    return AnswerLog(
        users,
        skills,
        right[order],
        np.append(first, len(order)),
        user[first],
        skill[first],
    )


def _number(names: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names that occur, sorted, and the number of each one given."""
    known = tuple(sorted(set(names)))
    numbers = {name: number for number, name in enumerate(known)}
    return known, np.array([numbers[name] for name in names], dtype=np.int64)


def read_log(path: Path, columns: Columns | None = None) -> AnswerLog:
    """Read a CSV file of answers; columns that are not named are ignored.

    Times are numbers, or dates as ISO 8601 writes them (without a zone: UTC).

    Raises:
        ValueError: If the file cannot be read or a line is wrong; says which.
    """
    columns = columns or Columns()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(csv.reader(file, strict=True), path, columns)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: save it as CSV UTF-8") from error
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV file: {error}") from error


def _read(reader: Any, path: Path, columns: Columns) -> AnswerLog:
    head = [name.strip() for name in next(reader, [])]
    if not head:
        raise ValueError(f"{path} is empty; its first line names the columns")
    wanted = [columns.user, columns.skill, columns.correct]
    wanted += [] if columns.time is None else [columns.time]
    for name in wanted:
        if head.count(name) != 1:
            many = "no column" if name not in head else "more than one column"
            raise ValueError(
                f"{path} has {many} {name!r}; it has {', '.join(head)}. Name those to "
                "read with --user, --skill, --correct and --time"
            )
    places = [head.index(name) for name in wanted]
    users: list[str] = []
    skills: list[str] = []
    right: list[bool] = []
    times: list[float] = []
    for row in reader:
        if not row:
            continue
        where = f"{path}, line {reader.line_num}"
        if len(row) != len(head):
            raise ValueError(
                f"{where} has {len(row)} values; the first line names {len(head)}"
            )
        user, skill, correct, *time = [row[place].strip() for place in places]
        if not user or not skill:
            empty = columns.skill if user else columns.user
            raise ValueError(f"{where}: {empty} is empty")
        if correct not in RIGHT:
            raise ValueError(
                f"{where}: {columns.correct} is {correct!r}; it is 1 for a right "
                "answer and 0 for a wrong one"
            )
        users.append(user)
        skills.append(skill)
        right.append(RIGHT[correct])
        times += [_time(t, f"{where}: {columns.time}") for t in time]
    if not users:
        raise ValueError(f"{path} has no answers: no line follows the first")
    return from_answers(users, skills, right, times if columns.time else None)


def _time(text: str, what: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = datetime.fromisoformat(text)
        except ValueError:
            seconds = math.nan
        else:
            zoned = date if date.tzinfo else date.replace(tzinfo=UTC)
            seconds = zoned.timestamp()
    if not math.isfinite(seconds):
        raise ValueError(
            f"{what} is {text!r}; it is a number, or a date such as 2026-05-31T09:30"
        )
    return seconds
