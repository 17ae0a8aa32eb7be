"""Many runs in processes of their own: the dead are tried again, files survive."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.outcomes import (
    append,
    digest,
    play_all,
    play_and_keep,
    read,
    warning,
    written,
)


@dataclass(frozen=True)
class Note:
    name: str
    number: int
    flag: bool = written("")
    value: float = written(".3g")


def begin(folder: str, name: str, deaths: int) -> Note:
    """Note that the run begins; die as often as told, then return the tries."""
    with Path(folder, name).open("a", encoding="utf-8") as file:
        file.write("x")
    tries = len(Path(folder, name).read_text("utf-8"))
    if tries <= deaths:
        if name == "error":
            raise ValueError("no such world")
        os.kill(os.getpid(), 9)
    time.sleep(0.01)
    return Note(name, tries, True, tries / 3)


def test_dead_runs_are_tried_once_more_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deaths = {"fine": 0, "killed": 1, "error": 1, "lost": 9}
    runs = [(str(tmp_path), name, number) for name, number in deaths.items()]
    found: list[Note] = []

    def keep(note: Note) -> str:
        found.append(note)
        return f"{note.number} tries"

    with pytest.raises(RuntimeError, match="1 of 4 runs failed twice: run lost; the"):
        play_and_keep(begin, runs, 2, lambda _, name, __: f"run {name}", keep)
    assert {note.name: note.number for note in found} == {
        "fine": 1, "killed": 2, "error": 2
    }  # fmt: skip
    assert len((tmp_path / "lost").read_text("utf-8")) == 2
    told = capsys.readouterr().err
    assert "run killed: failed: RuntimeError: its process died; it is tried" in told
    assert "run error: failed: ValueError: no such world; it is tried again" in told
    assert told.startswith(("[1/4] run fine: 1 tries; ", "run killed: failed"))
    assert "left\n" in told
    assert "[4/4] run" in told
    assert "[5/4]" not in told
    again = told.splitlines()[-1].partition(": ")[2].split("; ")
    assert sorted(again) == ["run error", "run killed", "run lost"]


PLAYED: list[int] = []
"""Numbers of the runs that this process has played."""


def play_here(number: int) -> tuple[list[int], int]:
    """Add to what this process has played, as a run may change what it imported."""
    PLAYED.append(number)
    return PLAYED, os.getpid()


def test_no_run_sees_what_another_changed() -> None:
    played, processes = [], {os.getpid()}
    for _, outcome in play_all(play_here, [(n,) for n in range(3)], 1):
        assert not isinstance(outcome, Exception)
        played.append(outcome[0])
        processes.add(outcome[1])
    assert played == [[0], [1], [2]]
    assert len(processes) == 4


def test_nothing_is_told_twice_where_all_goes_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play_and_keep(
        begin, [(str(tmp_path), "a", 0)], 1, lambda _, name, __: name, lambda _: "ok"
    )
    assert capsys.readouterr().err == "[1/1] a: ok\n"


def test_runs_that_files_hold_are_found_again() -> None:
    """A new setting changes every digest, and all runs of docs/ would be played anew.

    If it changes no outcome, add it to `UNIMPORTANT`; else play them, and change this.
    """
    assert digest(ExperimentConfig()) == "d2cdb56a"
    other = ExperimentConfig(seed=7, track=True, log_folder="x")
    assert digest(other) == digest(ExperimentConfig())
    assert digest(ExperimentConfig(coef=0.5)) != digest(ExperimentConfig())


def test_rows_survive_the_file(tmp_path: Path) -> None:
    file = tmp_path / "new" / "notes.csv"
    notes = [Note('a, "b"', 1, True, 0.125), Note("c", -2, False, 1e-9)]
    append(file, notes[0])
    append(file, notes[1])
    assert read(file, Note) == notes
    assert read(tmp_path / "none.csv", Note) == []


def test_few_seeds_are_told() -> None:
    assert warning(9, "so what.") == "Only 9 seeds in a row, fewer than 10: so what."
    assert warning(1, "so what.") == "Only 1 seed in a row, fewer than 10: so what."
    assert warning(10, "so what.") == ""
