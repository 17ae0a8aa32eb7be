"""Simulated logs beside real ones: the features, the simulation and the match."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from curiosity_rl.agents import answer_models, bkt, realism
from curiosity_rl.agents.answer_log import AnswerLog, Columns, from_answers, read_log
from curiosity_rl.agents.calibration import BKT, Calibration, calibrate, compare
from curiosity_rl.agents.calibration_report import print_report
from curiosity_rl.agents.realism import Ability

FILE = "shared/data/students/assist_skillbuilder_long.csv"
REAL = Path(os.environ.get("STUDENT_LOG", Path(__file__).parents[2] / FILE))
THETAS = np.array([[0.3, 0.15, 0.2, 0.1, 0.0], [0.6, 0.1, 0.3, 0.2, 0.0]])


def some_log(users: int = 300, most: int = 14, seed: int = 0) -> AnswerLog:
    """A log of two skills in which lengths and answers are dice."""
    rng = np.random.default_rng(seed)
    names, skills, right = [], [], []
    for user in range(users):
        for skill in "ab":
            length = int(rng.integers(1, most))
            names += [f"u{user:04}"] * length
            skills += [skill] * length
            right += (rng.random(length) < rng.random()).tolist()
    return from_answers(names, skills, right)


def rows_of(log: AnswerLog) -> list[list[bool]]:
    pairs = zip(log.starts[:-1], log.starts[1:], strict=True)
    return [log.right[start:end].tolist() for start, end in pairs]


def test_portrait_by_hand():
    log = some_log()
    found, rows = realism.portrait(log), rows_of(log)
    for a in range(10):
        answers = [row[a] for row in rows if len(row) > a]
        assert found.success[a] == pytest.approx(np.mean(answers))
    for n, limit in enumerate((3, 5, 10)):
        reached, told = 0, 0
        for row in rows:
            ends = [t for t in range(3, len(row) + 1) if all(row[t - 3 : t])]
            when = min(ends, default=10**9)
            if when <= limit or len(row) >= limit:
                told += 1
                reached += when <= limit
        assert found.in_a_row[n] == pytest.approx(reached / told)
    assert found.spinning == pytest.approx(1 - found.in_a_row[2])
    assert found.deviation == answer_models.ability_deviation(log)


def test_chances_to_stop_by_hand():
    log = some_log(most=40)
    rows, found = rows_of(log), realism.stopping(log)
    assert found.shape == (30, 4)
    for attempt, streak in ((0, 0), (0, 1), (2, 3), (5, 2), (8, 0), (29, 0)):
        met, ended = 0, 0
        for row in rows:
            for t in range(len(row)):
                if min(t, 29) != attempt:
                    continue
                run = 0
                while run < min(3, t + 1) and row[t - run]:
                    run += 1
                if run == streak:
                    met += 1
                    ended += t + 1 == len(row)
        assert found[attempt, streak] == pytest.approx((ended + 0.5) / (met + 1))


def test_deviation_of_ability_is_found():
    rng = np.random.default_rng(1)
    for deviation in (0.4, 1.2):
        ability = deviation * rng.standard_normal(1500)
        easiness = rng.standard_normal(8)
        chance = 1 / (1 + np.exp(-(ability[:, None] + easiness)))
        names, skills, right = [], [], []
        for _ in range(3):
            hits = rng.random(chance.shape) < chance
            names += [f"{n}" for n in range(1500) for _ in range(8)]
            skills += list("abcdefgh") * 1500
            right += hits.ravel().tolist()
        found = answer_models.ability_deviation(from_answers(names, skills, right))
        assert found == pytest.approx(deviation, abs=0.08)


def test_factors_find_what_made_the_answers():
    # chances that depend on wins and fails alone, as the model says
    rng = np.random.default_rng(2)
    rows = []
    for _ in range(3000):
        wins = fails = 0
        row = []
        for _ in range(8):
            z = -0.5 + 0.8 * np.log1p(wins) - 0.3 * np.log1p(fails)
            row.append(bool(rng.random() < 1 / (1 + np.exp(-z))))
            wins, fails = wins + row[-1], fails + (not row[-1])
        rows.append(row)
    users = [f"{n:04}" for n in range(3000) for _ in range(8)]
    log = from_answers(users, ["a"] * 24_000, [x for row in rows for x in row])
    found = answer_models.performance_factors(log, log).reshape(3000, 8)
    for n in range(0, 3000, 300):
        for t in range(8):
            wins = sum(rows[n][:t])
            z = -0.5 + 0.8 * np.log1p(wins) - 0.3 * np.log1p(t - wins)
            assert found[n, t] == pytest.approx(1 / (1 + np.exp(-z)), abs=0.03)


def test_simulated_students_follow_the_model():
    log = some_log(users=4000, most=6)
    played = realism.simulate(log, THETAS, Ability(0.0, 0.5, 0.5), 3)
    np.testing.assert_array_equal(played.user, log.user)
    np.testing.assert_array_equal(played.skill, log.skill)
    for k in range(2):
        first, last = played.sequences_of(k)
        prior, learn, guess, slip, _ = THETAS[k]
        for t in range(2):
            at = played.starts[first:last] + t
            at = at[played.lengths[first:last] > t]
            expected = prior * (1 - slip) + (1 - prior) * guess
            spread = 4 * np.sqrt(expected * (1 - expected) / len(at))
            # who gives a second answer depends a little on the first: .02
            assert abs(played.right[at].mean() - expected) < spread + 0.02 * t
            prior += (1 - prior) * learn
    lengths = [
        np.bincount(x.lengths, minlength=6)[:6] / len(x.user) for x in (log, played)
    ]
    np.testing.assert_allclose(lengths[1], lengths[0], atol=0.03)
    again = realism.simulate(log, THETAS, Ability(0.0, 0.5, 0.5), 3)
    np.testing.assert_array_equal(again.right, played.right)
    other = realism.simulate(log, THETAS, Ability(0.0, 0.5, 0.5), 4)
    assert other.right.tobytes() != played.right.tobytes()


def test_forgetting_is_simulated():
    log = some_log(users=3000, most=30)
    thetas = np.array([[0.99, 0.0, 0.1, 0.1, 0.5]] * 2)
    played = realism.simulate(log, thetas, Ability(0.0, 0.0, 0.0), 0)
    late = realism.portrait(played).success[[0, 1, 8]]
    # .9 at first; half of them left at the second; then by chance
    np.testing.assert_allclose(late, [0.892, 0.496, 0.1], atol=0.05)


def test_ability_is_matched():
    log = some_log(users=1500, most=16)
    true = Ability(0.9, 0.5, 0.7)
    played = realism.simulate(log, THETAS, true, 5)
    found = realism.match_ability(played, THETAS, 0.5)
    assert found.on_learn == 0.5
    again = realism.simulate(played, THETAS, found, 0)
    wanted = answer_models.ability_deviation(played)
    assert found.sd == wanted
    assert answer_models.ability_deviation(again) == pytest.approx(wanted, abs=0.03)
    # equal students need no ability on the answers, and get next to none
    equal = realism.simulate(log, THETAS, Ability(0.0, 0.0, 0.0), 5)
    assert realism.match_ability(equal, THETAS, 0.5).on_answers < 0.2


def test_likeness_says_what_holds():
    log = some_log()
    one = realism.portrait(log)
    assert all(row.holds for row in realism.likeness(one, one))
    other = one._replace(spinning=one.spinning + 0.1, deviation=one.deviation + 0.1)
    missed = [row.what for row in realism.likeness(one, other) if not row.holds]
    assert missed == ["wheel-spinners"]


def test_a_calibrated_simulation_is_like_its_own_log(
    capsys: pytest.CaptureFixture[str],
):
    log = realism.simulate(some_log(2000, 20), THETAS, Ability(0.8, 0.5, 0.5), 1)
    found = calibrate(log)
    rows = compare(log, found)
    assert [row.what for row in rows if not row.holds] == []
    assert rows[-2].what == f"AUC, {BKT}"
    print_report(found, rows)
    said = capsys.readouterr().out
    assert "wheel-spinners" in said
    assert "MISSED" not in said


def test_a_log_of_short_sequences_has_fewer_features():
    log = some_log(600, 5)
    rows = compare(log, calibrate(log))
    told = [row.what for row in rows]
    assert "success at attempt 4" in told
    assert "success at attempt 10" not in told
    assert "three in a row within 3" in told


@pytest.fixture(scope="module")
def real() -> tuple[AnswerLog, Calibration]:
    if not REAL.is_file():
        pytest.skip(f"no log of real students: {REAL.name}")
    log = read_log(REAL, Columns("user_id", "skill_name"))
    return log, calibrate(log)


@pytest.mark.xdist_group("real-log")
def test_real_log_gives_sensible_fits(real: tuple[AnswerLog, Calibration]):
    log, found = real
    assert (len(log.right), len(log.users), len(log.skills)) == (407_967, 3_361, 123)
    assert len(found.kept) >= 70
    median = np.median(found.table(), axis=0)
    # the published fits' medians: prior .68, learn .11, guess .18, slip .20
    np.testing.assert_allclose(median[:4], [0.68, 0.11, 0.18, 0.20], atol=0.05)
    # one skill against another library's fit, as its authors' facts give it
    first = found.table()[[skill.name for skill in found.kept].index("0")]
    np.testing.assert_allclose(first[:4], [0.77, 0.08, 0.39, 0.16], atol=0.01)
    loss = {name: score.log_loss for name, score in found.quality.items()}
    assert min(loss, key=lambda name: loss[name]) == BKT
    assert loss[BKT] < loss["mean of skill and attempt"] - 0.05


@pytest.mark.xdist_group("real-log")
def test_realism_holds(real: tuple[AnswerLog, Calibration]):
    rows = compare(*real)
    assert len(rows) == 17
    assert [row for row in rows if not row.holds] == []


def test_bkt_names_are_those_of_the_file():
    assert bkt.NAMES == ("prior", "learn", "guess", "slip", "forget")
