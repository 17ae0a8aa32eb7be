"""The report: what the CSV files say, as a markdown page with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from curiosity_rl.agents.bench.pictures import require
from curiosity_rl.agents.evidence.manifest import file_of
from curiosity_rl.agents.evidence.noise_part import noise_part
from curiosity_rl.agents.evidence.plan import Question
from curiosity_rl.agents.evidence.questions import QUESTIONS
from curiosity_rl.agents.evidence.record import Measurement
from curiosity_rl.agents.evidence.solving_part import solving_part
from curiosity_rl.agents.evidence.summary import fewest, limit, summarised
from curiosity_rl.agents.evidence.tables import TOO_NARROW
from curiosity_rl.agents.evidence.teaching_part import teaching_part
from curiosity_rl.agents.outcomes import read, warning
from curiosity_rl.agents.training import versions

HEAD = """# Evidence: tables and pictures

Made by `python scripts/benchmark.py report`, from the CSV files beside this page (and
`docs/noisy_tv.csv` for question c) and nothing else; the runs by
`python scripts/benchmark.py evidence`. What they say in words: [README.md](README.md).

This page was made with {versions}.

IQM is the interquartile mean: the mean of the middle half of the runs. Intervals are
95 % percentile intervals of a stratified bootstrap over seeds. P(better than x) is the
chance that a run of the arm beats a run of x, ties half. Nothing was tuned for an arm:
all have the settings of the world's preset, which were chosen for the preset's own
bonus; another bonus might do better with settings of its own.
"""


def write_report(folder: Path, noise: Path | None = None) -> Path:
    """Write `report.md` and its pictures from the CSV files of a folder.

    Args:
        folder: Where the files are.
        noise: CSV file of question c, of `agents.exploring`; None to leave it out.

    Returns:
        The page.

    Raises:
        ValueError: If there are no rows, or matplotlib is not installed.
    """
    require()
    parts: dict[str, str] = {}
    for key, question in QUESTIONS.items():
        rows = read(file_of(folder, key), Measurement)
        if rows:
            parts[key] = section(key, question, rows, folder)
    if noise is not None and noise.exists():
        parts["c"] = noise_part(noise, folder)
    if not parts:
        raise ValueError(
            f"{folder} holds no rows; run python scripts/benchmark.py evidence first"
        )
    told = ", ".join(f"{name} {number}" for name, number in installed().items())
    page = folder / "report.md"
    text = [HEAD.format(versions=told), *(parts[key] for key in sorted(parts))]
    page.write_text("\n".join(text), "utf-8")
    return page


def installed() -> dict[str, str]:
    """Return the versions that the figures depend on."""
    return {**versions(), "scipy": metadata.version("scipy")}


def section(
    key: str, question: Question, rows: Sequence[Measurement], folder: Path
) -> str:
    """Return the part of the page that answers a question; draw its pictures."""
    tasks, left_out = summarised(rows)
    teaches = any(row.measure == "final pass rate" for row in rows)
    told = teaching_part if teaches else solving_part
    notes = [warning(fewest(tasks), TOO_NARROW)]
    if left_out:
        notes.append(
            f"{left_out} runs of the file have other settings than the last ones of "
            "their arm, and are left out."
        )
    frames = ", ".join(
        f"{name} {limit(by_name.values()):,}" for name, by_name in tasks.items()
    )
    text = [
        f"## {key}. {question.title}",
        "",
        question.text,
        "",
        f"Runs: `{question.name}.csv`, {len({(r.task, r.arm, r.seed) for r in rows})} "
        f"of them; most frames: {frames}.",
        *(f"\n{note}" for note in notes if note),
        "",
        told(question, tasks, folder),
    ]
    return "\n".join(text)
