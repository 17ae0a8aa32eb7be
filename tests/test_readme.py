"""What a reader would run is run here: the README's blocks, and those of docs/."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from bkt_students import play
from pages import BY_NAME, DOCS, README, ROOT, Page, blocks
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from curiosity_rl.agents import cli
from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.experiment import prepare
from curiosity_rl.agents.flags import parse

CURIOSITY = README.section("Add curiosity to your agent")
OWN = "Register a world of your own"
MANY = "A world of many lanes"
REGISTERS = re.compile(r"^(gym\.register|register_world)\(", re.M)
"""In a module of the reader's own, which `test_own_worlds_train` trains on."""
PAYS = ("model.intrinsic", "bonus['intrinsic']", "curious.reward")
"""The rewards of the snippets on curiosity, so that they can be asked if they paid."""
PAID = "\nr = {}; assert r.moments.count > 1500 and r.moments.mean > 0"
SMALLER = {"n=500": "n=80"}
"""What is changed to save time."""


def runs(sources: list[str], folder: Path) -> None:
    """Run pieces of Python one after another, each by itself, warnings being errors."""
    code = "\n".join(f"exec({source!r}, {{}})" for source in sources)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def snippets(page: Page) -> list[str]:
    found = [code for code in page.blocks("python") if not REGISTERS.search(code)]
    for long, short in SMALLER.items():
        found = [code.replace(long, short) for code in found]
    return found


def test_curiosity_pays(tmp_path: Path) -> None:
    shown = blocks(CURIOSITY, "python")
    assert all(len(code.splitlines()) <= 8 for code in shown)
    paying = zip(shown, PAYS, strict=True)
    runs([code + PAID.format(reward) for code, reward in paying], tmp_path)


def test_all_other_python_runs(tmp_path: Path) -> None:
    shown = blocks(CURIOSITY, "python")
    pages = [README, *DOCS]
    sources = [code for page in pages for code in snippets(page) if code not in shown]
    assert len(sources) >= 6
    runs(sources, tmp_path)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the reader's own, forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    known = set(gym.registry)
    yield tmp_path
    sys.modules.pop("mine", None)
    for name in set(gym.registry) - known:
        del gym.registry[name]


def commands(section: str) -> list[list[str]]:
    lines = "".join(blocks(section, "")).splitlines()
    return [shlex.split(line) for line in lines]


def command(words: list[str], *more: str) -> None:
    """Run `curiosity-rl ...` or `python scripts/....py ...`, with flags added."""
    python = words[0] == "python"
    name = Path(words[1]).stem if python else words[1]
    assert cli.main([name, *words[2:], *more]) == 0, words


@pytest.mark.parametrize(
    ("page", "title"),
    [(README, OWN), (BY_NAME["docs/worlds.md"], MANY)],
    ids=["gymnasium", "many lanes"],
)
def test_own_worlds_train(page: Page, title: str, here: Path) -> None:
    section = page.section(title)
    (code,) = blocks(section, "python")
    (here / "mine.py").write_text(code)
    told = commands(section)
    for words in told:
        assert words[0] == "curiosity-rl"
        less = ("-n", "2048", "--eval-students", "4", "--progress", "false")
        command(words, *less)
    runs_of = sorted((here / "runs").rglob("events.*"))
    assert len(runs_of) == len(told)
    for events in runs_of:
        found = EventAccumulator(str(events.parent)).Reload()
        cells = found.Scalars("coverage/cells")[-1].value
        assert 1 < cells < 11
        assert found.Images("coverage/visits")
    env = gym.make("lock-v0")
    env.reset(seed=0)
    for press in range(10):
        _, paid, opened, _, _ = env.step(np.int64(press**2 % 4))
        assert (paid, opened) == (press == 9, press == 9)


def test_own_world_is_short() -> None:
    (code,) = blocks(README.section(OWN), "python")
    assert len([line for line in code.splitlines() if line]) <= 22


def answers(file: Path) -> None:
    """Write a log of answers such as a school has."""
    lines = ["user,skill,correct"]
    for skill, prior in (("add", 0.3), ("divide", 0.5), ("read", 0.1)):
        rows = play((prior, 0.15, 0.2, 0.1, 0.0), 150, 8, seed=len(lines))
        lines += [f"u{n},{skill},{int(x)}" for n, row in enumerate(rows) for x in row]
    file.write_text("\n".join(lines) + "\n")


def test_tutors_meet_students_of_a_log(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = commands(README.section("Compare tutors on your students"))
    pip, calibrate, *evaluate, train = told
    assert pip[0] == "pip"
    answers(here / "answers.csv")
    command(calibrate, "--progress", "false")
    quick = ("--env-kwargs.budget", "12", "--progress", "false")
    small = ("--policy", "auto", "-n", "256", "--n-envs", "8", "--eval-students", "8")
    steps = ("--algo-kwargs.n_steps", "8", "--algo-kwargs.batch_size", "32")
    command(train, *quick, *small, *steps)
    (run,) = (here / "runs/tutor-v0").iterdir()
    for words in evaluate:
        many = ["--tutors", "all", "--students", "population.yaml,irt,fsrs"]
        if words[3:7] == many:  # who can teach all of these: test_bench_tables.py
            words[4] = "zpdes,leitner"
        words = [word.replace("NAME", run.name) for word in words]
        command(words, "--n", "80" if "--equity" in words else "8", *quick)
    out = capsys.readouterr().out
    assert "students population" in out
    kept = {path.name for path in (here / "runs/bench/tutor-v0").iterdir()}
    assert kept >= {"comparison.csv", "matrix.png", "equity.md", "curves.png"}


@pytest.mark.parametrize(
    "words",
    [
        *commands(CURIOSITY)[:-1],
        *commands(BY_NAME["docs/worlds.md"].section("A course of yours"))[:1],
    ],
    ids=lambda words: words[3],
)
def test_runs_of_the_command_line_can_start(words: list[str], here: Path) -> None:
    (course,) = BY_NAME["docs/worlds.md"].blocks("yaml")
    (here / "course.yaml").write_text(course)
    assert words[:2] == ["python", "scripts/train.py"]
    given = parse(cli._train_parser(), words[2:])
    prepare(ExperimentConfig.load(**vars(given)))


def test_the_two_commands_stand_where_they_are_looked_for() -> None:
    lines = README.path.read_text("utf-8").splitlines()
    tests = [x for x in lines if re.match(r"^\. \.venv/bin/activate && .*pytest$", x)]
    assert len(tests) == 1
    assert (ROOT / ".ci/run").is_file()
