from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from curiosity_rl.agents.cli import evaluate_main, train_main

SMALL = ["--env-kwargs.budget", "12", "--progress", "false"]
TRAIN = [
    *("--env", "tutor-v0", "--env-kwargs.budget", "10", "--n-envs", "8", "-n", "64"),
    *("--algo-kwargs.n_steps", "8", "--algo-kwargs.batch_size", "32"),
    *("--eval-students", "40", "--progress", "false"),
]


def _refused(args: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert evaluate_main(args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def test_tables_and_files_of_one_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    args = ["tutor-v0", "--tutors", "zpdes, bkt-mastery", "--students", "textbook"]
    args += ["--n", "80", "--matrix", "--measure", "gain", *SMALL]
    assert evaluate_main([*args, "--out", "mine"]) == 0
    assert evaluate_main([*args, "--equity", "--pictures", "false"]) == 0
    out = capsys.readouterr().out
    assert "80 held-out students, the same for all (seed 0); score of gain; diff" in out
    assert "bkt-mastery" in out
    assert "half the 95 % interval" in out
    assert "normalised gain by quarter" in out
    kept = {path.name for path in (tmp_path / "mine").iterdir()}
    assert kept >= {"comparison.csv", "matrix.png", "matrix.md", "curves.png"}
    assert all(name in out for name in kept)
    assert (tmp_path / "runs/bench/tutor-v0/equity.md").is_file()
    with (tmp_path / "mine/matrix.csv").open(newline="") as lines:
        assert [r["tutor"] for r in csv.DictReader(lines)] == [
            "random", "zpdes", "bkt-mastery", "omniscient"
        ]  # fmt: skip


def test_a_run_is_compared_with_rules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_main([*TRAIN, "-f", str(tmp_path), "--name", "mine"]) == 0
    run = tmp_path / "tutor-v0" / "mine_1"
    out = tmp_path / "out"
    args = ["--n", "40", "--out", str(out), "--progress", "false"]
    args += ["--pictures", "false"]
    assert evaluate_main([str(run), "--tutors", "rotate", *args]) == 0
    result = json.loads((run / "result.json").read_text())["evaluation"]
    (trained,) = [r for r in result if r["name"].startswith("trained")]
    with (out / "comparison.csv").open(newline="") as lines:
        rows = {row["tutor"]: row for row in csv.DictReader(lines)}
    assert list(rows) == ["random", "rotate", "mine_1", "omniscient"]
    for mine, theirs in (("pass_rate", "pass_rate"), ("mastered", "mastered")):
        assert float(rows["mine_1"][mine]) == pytest.approx(trained[theirs], abs=1e-4)
    assert {path.suffix for path in out.iterdir()} == {".csv", ".md"}
    capsys.readouterr()
    refused = _refused([str(run), "--students", "x", "--checkpoint", "y"], capsys)
    assert "newest checkpoint" in refused
    assert "a run has its own" in _refused([str(run), "--matrix", *SMALL], capsys)


def test_a_run_teaches_courses_of_another_size_with_the_same_features(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = [*TRAIN, "-f", str(tmp_path)]
    assert train_main([*train, "--name", "alike"]) == 0
    kwargs = ["--policy", "MlpPolicy", "--policy-kwargs", "{}"]
    assert train_main([*train, *kwargs, "--name", "fixed"]) == 0
    alike, fixed = (tmp_path / "tutor-v0" / f"{name}_1" for name in ("alike", "fixed"))
    args = ["tutor-v0", *SMALL, "--n", "40", "--pictures", "false"]
    args += ["--out", str(tmp_path / "out"), "--env-kwargs.distractors", "2"]
    assert evaluate_main([*args, "--tutors", str(alike)]) == 0
    assert "alike_1" in capsys.readouterr().out
    refused = _refused([*args, "--tutors", str(fixed)], capsys)
    assert "with as many activities" in refused
    args += ["--env-kwargs.belief", "false", "--tutors", str(alike)]
    refused = _refused(args, capsys)
    assert "missing are belief" in refused
    assert "unknown to it are none" in refused


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("--students 20", "for how many students give --n 20"),
        ("tutor-v0 --students 20", "for how many students give --n 20"),
        ("--tutors zpdess", "did you mean zpdes"),
        ("--students nobody", "nobody"),
        ("--equity --n 79", "n is 79; equity needs at least 80 students"),
        ("--matrix --n 1", "at least 2"),
        ("--matrix --n x", "must be a whole number"),
        ("tutor-v1 --matrix", "is no run folder, and unknown world"),
        ("CartPole-v1 --equity", "is no tutor world"),
        ("--tutors all --seed -1", "seed is -1"),
        ("--equty", "did you mean --equity"),
    ],
)
def test_wrong_flags_get_a_sentence(
    args: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in _refused(args.split(), capsys)
