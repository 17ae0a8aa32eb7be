"""Calibration: what is kept, what is refused by name, and what comes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from bkt_students import play

from curiosity_rl.agents import bkt
from curiosity_rl.agents.answer_log import AnswerLog, from_answers
from curiosity_rl.agents.calibration import (
    BKT,
    Calibration,
    as_population,
    calibrate,
    degenerate,
    to_yaml,
)
from curiosity_rl.agents.cli import calibrate_main, main

GOOD = {
    "add": (0.3, 0.15, 0.15, 0.10, 0.0),
    "divide": (0.5, 0.10, 0.30, 0.20, 0.0),
    "read, [b]aloud[/b]": (0.1, 0.25, 0.20, 0.05, 0.0),
}
STUDENTS, ANSWERS = 500, 12


def class_of(skills: dict[str, np.ndarray]) -> AnswerLog:
    """Make a log of tables of answers, `(students, answers)`."""
    users, names, right = [], [], []
    for name, rows in skills.items():
        students, answers = rows.shape
        users += [f"u{n:03}" for n in range(students) for _ in range(answers)]
        names += [name] * rows.size
        right += rows.ravel().tolist()
    return from_answers(users, names, right)


def good_rows() -> dict[str, np.ndarray]:
    seeds = {name: n for n, name in enumerate(GOOD)}
    return {
        name: play(theta, STUDENTS, ANSWERS, seeds[name])
        for name, theta in GOOD.items()
    }


@pytest.fixture(scope="module")
def good() -> Calibration:
    return calibrate(class_of(good_rows()))


def write_csv(path: Path, log: AnswerLog) -> Path:
    lines = ["user,skill,correct"]
    for s in range(len(log.user)):
        name = log.skills[log.skill[s]]
        name = f'"{name}"' if "," in name else name
        for right in log.right[log.starts[s] : log.starts[s + 1]]:
            lines.append(f"{log.users[log.user[s]]},{name},{int(right)}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_parameters_come_back(good: Calibration):
    assert [skill.name for skill in good.kept] == sorted(GOOD)
    assert (good.students, good.answers) == (500, 18_000)
    given = np.array([GOOD[skill.name] for skill in good.kept])
    error = np.abs(good.table() - given)[:, :4]
    assert np.all(error.mean(axis=0) < 0.05), error


def test_the_fits_foretell_better_than_simple_models(good: Calibration):
    loss = {name: score.log_loss for name, score in good.quality.items()}
    assert list(loss) == [
        "overall mean",
        "mean of the skill",
        "mean of skill and attempt",
        "performance factors",
        BKT,
    ]
    assert min(loss, key=lambda name: loss[name]) == BKT
    assert loss["mean of skill and attempt"] < loss["mean of the skill"]
    assert loss["mean of the skill"] < loss["overall mean"]
    assert good.quality[BKT].auc > good.quality["mean of skill and attempt"].auc


def test_students_are_foretold_by_fits_to_others():
    rows = good_rows()["add"]
    found = calibrate(class_of({"add": rows})).quality
    order = np.random.default_rng(0).permutation(STUDENTS)
    chances, shares = np.empty(rows.shape), np.empty(rows.shape)
    for fold in range(5):
        held_out = np.argsort(order) % 5 == fold
        assert held_out.sum() == 100
        train = rows[~held_out]
        starts = np.arange(0, train.size + 1, ANSWERS)
        prior, learn, guess, slip, _ = bkt.fit(train.ravel(), starts, 0, 400).theta
        shares[held_out] = train.mean()
        for n in np.flatnonzero(held_out):
            yes = prior
            for t, right in enumerate(rows[n]):
                chances[n, t] = p = yes * (1 - slip) + (1 - yes) * guess
                yes = yes * (1 - slip) / p if right else yes * slip / (1 - p)
                yes += (1 - yes) * learn
    for name, told in ((BKT, chances), ("overall mean", shares)):
        loss = -np.log(np.where(rows, told, 1 - told)).mean()
        assert found[name].log_loss == pytest.approx(loss)
        # by definition: over all pairs of a right and a wrong answer, ties half
        above = told[rows][:, None] - told[~rows]
        auc = (above > 0).mean() + (above == 0).mean() / 2
        assert found[name].auc == pytest.approx(auc)


def test_skills_that_mean_nothing_are_refused_by_name():
    rng = np.random.default_rng(0)
    coin = rng.random((300, 10)) < 0.8
    rows = good_rows() | {
        "few students": play(GOOD["add"], 99, 20, 9),
        "few answers": play(GOOD["add"], 249, 2, 9),
        "once each": play(GOOD["add"], 500, 1, 9),
        "all right": np.ones((200, 5), dtype=np.bool_),
        "all wrong": np.zeros((200, 5), dtype=np.bool_),
        "coin flips": coin,
        "upside down": play((0.5, 0.1, 0.1, 0.7, 0.0), 500, 12, 2),
    }
    found = calibrate(class_of(rows))
    assert [skill.name for skill in found.kept] == sorted(GOOD)
    why = {skill.name: skill.refused for skill in found.refused}
    assert why.pop("few students") == "99 students, fewer than 100"
    assert why.pop("few answers") == "498 answers, fewer than 500"
    assert why.pop("once each").startswith("no student answered twice")
    assert why.pop("all right") == "every answer is right"
    assert why.pop("all wrong") == "every answer is wrong"
    assert set(why) == {"coin flips", "upside down"}
    for reason in why.values():
        assert "stuck at its" in reason


@pytest.mark.parametrize(
    ("theta", "reason"),
    [
        ((0.5, 0.1, 0.2, 0.2, 0.0), ""),
        ((1e-4, 0.1, 1e-4, 1e-4, 0.0), ""),
        ((0.5, 0.1, 0.5, 0.5, 0.0), "guess + slip is 1 or more"),
        ((0.5, 0.1, 0.4995, 0.2, 0.0), "guess is stuck at its upper bound 0.5"),
        ((0.5, 0.1, 0.2, 0.4995, 0.0), "slip is stuck at its upper bound 0.5"),
        ((0.9995, 0.1, 0.2, 0.2, 0.0), "prior is stuck at its upper bound 0.9999"),
        ((0.5, 0.9999, 0.2, 0.2, 0.0), "learn is stuck at its upper bound"),
        ((0.5, 0.0005, 0.2, 0.2, 0.0), "learn is stuck at its lower bound"),
        ((0.5, 0.1, 0.2, 0.2, 0.5), "forget is stuck at its upper bound 0.5"),
        ((0.5, 0.7, 0.2, 0.2, 0.4), "learn + forget is 1 or more"),
    ],
)
def test_degenerate_fits(theta: tuple[float, ...], reason: str):
    fit = bkt.Fit(np.array(theta), -1.0, 3, True)
    forgetting = theta[bkt.FORGET] > 0
    assert degenerate(fit, forgetting).startswith(reason)
    assert bool(degenerate(fit, forgetting)) == bool(reason)
    moving = fit._replace(converged=False)
    assert degenerate(moving, forgetting)


def test_nothing_left_gets_a_sentence():
    log = class_of({"add": play(GOOD["add"], 20, 5, 0)})
    with pytest.raises(ValueError, match=r"none of the 1 skills can be fitted; .* add"):
        calibrate(log)


def test_least_numbers_can_be_lowered():
    log = class_of({"add": play(GOOD["add"], 60, 12, 0)})
    assert len(calibrate(log, least_students=50, least_answers=100).kept) == 1


def test_equal_logs_give_equal_files_whatever_the_order_of_students(
    good: Calibration,
):
    rows = good_rows()
    again = calibrate(class_of(dict(reversed(rows.items()))))
    assert to_yaml(again) == to_yaml(good)


def test_forgetting_is_fitted_where_asked():
    theta = (0.4, 0.2, 0.15, 0.1, 0.08)
    found = calibrate(class_of({"add": play(theta, 500, 20, 4)}), forgetting=True)
    assert np.abs(found.table()[0] - theta).mean() < 0.05
    assert as_population(found)["skills"][0]["forget"] == pytest.approx(0.08, abs=0.04)


def test_progress_is_told(good: Calibration):
    told: list[tuple[str, float]] = []
    log = class_of({"add": good_rows()["add"]})
    calibrate(log, tick=lambda label, share: told.append((label, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 1
    assert told[0][0] == "skill add"


def test_command_writes_a_file_and_says_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], good: Calibration
):
    rows = good_rows() | {"[i]few[/i]": play(GOOD["add"], 30, 5, 0)}
    log, out = write_csv(tmp_path / "log.csv", class_of(rows)), tmp_path / "p.yaml"
    assert calibrate_main([str(log), "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "3 of 4 skills kept" in said.out
    assert "[i]few[/i]: 30 students, fewer than 100" in said.out
    assert "Bayesian knowledge tracing" in said.out
    assert "calibrating: 100 of 100 %" in said.err
    assert max(map(len, said.out.splitlines()[:-2])) <= 80
    data = yaml.safe_load(out.read_text("utf-8"))
    assert data["skills"] == as_population(good)["skills"]
    assert data["refused"] == {"[i]few[/i]": "30 students, fewer than 100"}
    before = out.read_bytes()
    assert main(["calibrate", str(log), "--out", str(out), "--progress", "false"]) == 0
    assert out.read_bytes() == before
    assert capsys.readouterr().err == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.csv", "p.yaml"]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ("none.csv", "cannot read none.csv: No such file or directory"),
        ("log.csv --out p.txt", "--out is 'p.txt'; its name must end in .yaml"),
        ("log.csv --out no/p.yaml", "cannot write 'no/p.yaml': no such folder"),
        ("log.csv --user pupil", "log.csv has no column 'pupil'; it has user, skill"),
        ("log.csv --least-students 3", "--least-students is 3; it must be at least 10"),
        ("log.csv --least-answers x", "--least-answers is 'x'; it must be a whole"),
        ("log.csv --forget true", "did you mean --forgetting"),
        ("log.csv", "none of the 1 skills can be fitted; the first, s: 1 students"),
    ],
)
def test_wrong_input_gets_a_sentence(
    args: str,
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_text("user,skill,correct\na,s,1\na,s,0\n")
    assert calibrate_main(args.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert sentence in err
    assert [p.name for p in tmp_path.iterdir()] == ["log.csv"]


def test_help_says_what_a_log_is(capsys: pytest.CaptureFixture[str]):
    assert calibrate_main(["--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "CSV file, one answer a line" in said
    assert "--least-students" in said
