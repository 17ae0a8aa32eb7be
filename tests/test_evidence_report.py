"""The report: what it says of rows made by hand, and which pictures it draws."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curiosity_rl.agents.evidence import manifest
from curiosity_rl.agents.evidence.pictures import apart, lines_of
from curiosity_rl.agents.evidence.record import Measurement
from curiosity_rl.agents.evidence.report import write_report
from curiosity_rl.agents.evidence.summary import budget_scores, limit, summarised
from curiosity_rl.agents.exploring import Finding
from curiosity_rl.agents.outcomes import append

pytest.importorskip("matplotlib")


def run(
    task: str, arm: str, seed: int, levels: list[float], solved: bool, key: str = "b"
) -> list[Measurement]:
    """A run that measures its level every 1,000 frames."""

    def row(frames: int, measure: str, value: float) -> Measurement:
        return Measurement(key, task, arm, seed, "0" * 8, frames, measure, value)

    end = 1000 * len(levels)
    return [
        *(row(1000 * n, "level", level) for n, level in enumerate(levels, 1)),
        row(end, "solved", float(solved)),
        row(end, "held-out success", levels[-1]),
        row(end, "CPU seconds", 1.5),
    ]


def solved_and_not(key: str = "b") -> list[Measurement]:
    rows: list[Measurement] = []
    for task in ("near", "far"):
        for seed in range(4):
            rows += run(task, "none", seed, [0.0, 0.0, 0.0, 0.1], False, key)
            steps = [0.5, 1.0] if seed else [0.0, 0.5, 1.0]
            rows += run(task, "count", seed, steps, True, key)
    return rows


def exam(
    task: str, arm: str, seed: int, rates: list[float], key: str = "a"
) -> list[Measurement]:
    """A tutor's examinations, the last of which counts."""

    def row(frames: int, measure: str, value: float) -> Measurement:
        return Measurement(key, task, arm, seed, "1" * 8, frames, measure, value)

    end = 1000 * (len(rates) - 1)
    return [
        *(row(1000 * n, "pass rate", rate) for n, rate in enumerate(rates[:-1])),
        row(end, "final pass rate", rates[-1]),
        row(end, "final mastered", 0.5),
        row(end, "final distractors", 0.25),
    ]


def found(bonus: str, seed: int, watching: float, cells: float) -> list[Finding]:
    def row(measure: str, value: float) -> Finding:
        return Finding("tv", bonus, seed, "2" * 8, 100, 1.0, measure, value)

    return [row("watching, last quarter", watching), row("cells", cells)]


def test_scores_of_the_budget_by_hand() -> None:
    tasks, _ = summarised(solved_and_not())
    arms = tasks["near"]
    assert limit(arms.values()) == 4000
    # 0 to .5 to 1 in 2,000 frames of 4,000, then 1: a half of .5, a half of 1. Seed 0
    # is 1,000 frames later: it waits a quarter, rises in a half, is 1 in the last.
    expected = [0.5, 0.75, 0.75, 0.75]
    assert budget_scores(arms["count"], 4000, 4000) == pytest.approx(expected, abs=1e-3)
    assert arms["count"].median_frames() == 2000
    assert arms["none"].median_frames() == np.inf


def test_the_page_of_worlds_says_what_the_rows_say(tmp_path: Path) -> None:
    append(manifest.file_of(tmp_path, "b"), *solved_and_not())
    page = write_report(tmp_path)
    text = page.read_text("utf-8")
    assert "## b. Which bonus solves what?" in text
    assert "Runs: `b_solving.csv`, 16 of them; most frames: near 4,000, far" in text
    assert "Only 4 seeds in a row, fewer than 10" in text
    count = "| count | 4 | 4 of 4 | 2,000 (2,000 to 3,000) | 0.7"
    assert text.count(count) == 2
    assert "| none | 4 | 0 of 4 | more than 4,000 | 0.01" in text
    assert "| 1.000 |\n" in text  # count always beats none
    assert "### 2 tasks together" in text
    assert "| count | 2 x 4 | 0.7" in text
    # Versions and the command; pictures that are there.
    assert "python scripts/benchmark.py report" in text
    assert "stable-baselines3 2." in text
    names = {"b_solving.png", "b_solving_frames.png", "b_solving_profile.png"}
    assert {file.name for file in tmp_path.glob("*.png")} == names
    for name in names:
        assert f"({name})" in text
        with Image.open(tmp_path / name) as picture:
            assert picture.width > 500
    before = text, {name: (tmp_path / name).read_bytes() for name in names}
    write_report(tmp_path)  # the same rows, the same page, to the last bit
    after = page.read_text("utf-8"), {n: (tmp_path / n).read_bytes() for n in names}
    assert after == before


def test_the_page_of_tutors_and_of_the_television(tmp_path: Path) -> None:
    rows: list[Measurement] = []
    for seed in range(10):
        rate = 0.5 + seed / 100
        rows += exam("tutor-v0", "none", seed, [0.0, 0.1, 0.2])
        rows += exam("tutor-v0", "curiosity", seed, [0.0, 0.3, rate])
    rows += exam("tutor-v0", "tutor: omniscient", 0, [0.9])
    append(manifest.file_of(tmp_path, "a"), *rows)
    for level, good in ((0, 0.8), (50, 0.4), (100, 0.1)):
        rows = []
        for seed in range(2):
            rows += exam(f"{level} % wrong", "curiosity", seed, [0.0, good], "g")
        rows += exam(f"{level} % wrong", "tutor: zpdes", 0, [good / 2], "g")
        append(manifest.file_of(tmp_path, "g"), *rows)
    noise = tmp_path / "noise.csv"
    for seed in range(10):
        append(noise, *found("none", seed, 0.12, 20.0))
        append(noise, *found("good", seed, 0.05, 30.0))
        append(noise, *found("lazy", seed, 0.05, 25.0))
        elsewhere = found("lazy", seed, 0.0, 60.0)[1]  # without a television
        append(noise, replace(elsewhere, task="quiet"))
    text = write_report(tmp_path, noise).read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    # The middle half of .50 to .59 lies around .545; the best stand first.
    assert lines[2].startswith("| tutor: omniscient | 1 | 0.900 |")
    assert lines[3].startswith("| curiosity | 10 | 0.545 (0.5")
    assert lines[4].startswith("| none | 10 | 0.200 | 0.200 to 0.200 |")
    assert "| good | 10 | 0.050 | 1.500 | met |" in lines
    assert "| lazy | 10 | 0.050 | 1.250 | missed |" in lines
    assert "| arm | seeds | 0 % wrong | 50 % wrong | 100 % wrong |" in lines
    assert "| tutor: zpdes | 1 | 0.400 | 0.200 | 0.050 |" in lines
    order = [text.index(f"## {key}.") for key in "acg"]
    assert order == sorted(order)
    assert text.count("Only 2 seeds in a row, fewer than 10") == 1  # of g
    pictures = {file.name for file in tmp_path.glob("*.png")}
    assert pictures == {
        "a_teaching.png", "a_teaching_runs.png", "c_noisy_tv.png", "g_noise.png"
    }  # fmt: skip


def test_other_settings_are_left_out_and_told(tmp_path: Path) -> None:
    rows = run("near", "none", 0, [0.9], True)
    older = [
        Measurement(r.question, r.task, r.arm, 1, "old", r.frames, r.measure, r.value)
        for r in rows
    ]
    tasks, left_out = summarised([*older, *rows])
    assert list(tasks["near"]["none"].runs) == [0]
    assert left_out == 1
    append(manifest.file_of(tmp_path, "b"), *older, *rows)
    text = write_report(tmp_path).read_text("utf-8")
    assert "1 runs of the file have other settings" in text


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no rows; run python scripts"):
        write_report(tmp_path)


def test_names_at_the_right_stand_apart() -> None:
    moved = apart([0.5, 0.5, 0.1, 0.52], 0.05)
    assert np.diff(sorted(moved)).min() >= 0.05 - 1e-6
    assert moved[2] == 0.1  # far from all others: it stays
    assert np.argsort(moved, kind="stable").tolist() == [2, 0, 1, 3]


def test_arms_differ_in_colour() -> None:
    arms = ["none", "a", "b", "c", "d", "e", "f", "tutor: x"]
    lines = lines_of(arms)
    colours = [lines[arm].colour for arm in arms[:7]]
    assert len(set(colours)) == 7
