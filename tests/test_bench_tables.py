from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curiosity_rl.agents.bench import compare_tutors, equity, report, robustness_matrix
from curiosity_rl.agents.bench.compare import Comparison, is_privileged, planned
from curiosity_rl.agents.bench.equity import divided, mean_difference
from curiosity_rl.agents.bench.matrix import as_matrix
from curiosity_rl.agents.bench.shards import Outcomes
from curiosity_rl.agents.bench.students import called
from curiosity_rl.agents.bench.teach import Lessons
from curiosity_rl.agents.evaluation import evaluate_tutors
from curiosity_rl.agents.tutors import make_tutor
from curiosity_rl.agents.worlds import make_lanes

SMALL: dict[str, Any] = {
    "curriculum": "chain-4",
    "budget": 30,
    "goals": 1,
    "distractors": 1,
}
TUTORS = ["zpdes", "n-in-a-row"]


@pytest.fixture(scope="module")
def found() -> Comparison:
    students = ["assistments", "textbook"]
    return compare_tutors(TUTORS, students, n=200, env_kwargs=SMALL, each=True)


def test_all_are_those_who_can_teach_every_population() -> None:
    bayesian = planned(["all"], ["textbook"], "tutor-v0", 2, 0, SMALL).tutors
    both = planned(["all"], ["textbook", "irt"], "tutor-v0", 2, 0, SMALL).tutors
    # Exact planning takes Bayesian students only; nobody else is left out.
    assert set(bayesian) - set(both) == {"dynamic"}
    assert set(both) <= set(bayesian)


def test_rows_are_those_of_an_evaluation(found: Comparison) -> None:
    assert found.tutors == ["random", *TUTORS, "omniscient"]
    assert found.populations == ["assistments", "textbook"]
    layout = make_lanes("tutor-v0", SMALL, 1).unwrapped.layout  # type: ignore[attr-defined]
    for students in found.populations:
        kwargs = {**SMALL, "population": students}
        tutors = {name: make_tutor(name, layout) for name in found.tutors}
        for other in evaluate_tutors("tutor-v0", kwargs, tutors, 200):
            row = found.row(students, other.name)
            assert (row.n, row.pass_rate) == (other.students, other.pass_rate)
            assert (row.pass_low, row.pass_high) == (other.pass_low, other.pass_high)
            assert row.mastered == pytest.approx(other.mastered, abs=1e-12)
            assert row.exercises == other.exercises
            assert row.distractors == pytest.approx(other.distractors, abs=1e-12)


def test_scores_and_differences_are_of_the_rows(found: Comparison) -> None:
    for students in found.populations:
        rates = {t: found.row(students, t).pass_rate for t in found.tutors}
        best = max(TUTORS, key=rates.__getitem__)
        for tutor in found.tutors:
            row = found.row(students, tutor)
            room = rates["omniscient"] - rates["random"]
            expected = (rates[tutor] - rates["random"]) / room
            assert row.score == pytest.approx(expected, abs=1e-12)
            assert row.against == best
            assert row.difference == pytest.approx(rates[tutor] - rates[best], abs=1e-9)
            assert row.score_low <= row.score <= row.score_high
            assert row.privileged == (tutor == "omniscient") == is_privileged(tutor)
        curve = found.curves[students]["omniscient"]
        assert curve[-1] == pytest.approx(found.row(students, "omniscient").mastered)
        assert len(curve) == len(found.times[students]) == 31


def test_gain_can_be_the_measure_and_anyone_the_reference() -> None:
    found = compare_tutors(
        ["zpdes"], n=50, measure="gain", against="random", env_kwargs=SMALL
    )
    row = found.row("assistments", "zpdes")
    gains = {t: found.row("assistments", t).gain for t in found.tutors}
    room = gains["omniscient"] - gains["random"]
    assert row.score == pytest.approx((gains["zpdes"] - gains["random"]) / room)
    assert row.difference == pytest.approx(gains["zpdes"] - gains["random"])
    assert row.against == "random"


def test_the_matrix_holds_every_score_and_the_worst(found: Comparison) -> None:
    matrix = as_matrix(found)
    assert matrix.scores.shape == (4, 2)
    for i, tutor in enumerate(matrix.tutors):
        for j, students in enumerate(matrix.students):
            assert matrix.scores[i, j] == found.row(students, tutor).score
    np.testing.assert_array_equal(matrix.worst, matrix.scores.min(axis=1))
    holes = np.array([[np.nan, 0.2], [np.nan, np.nan]])
    worst = type(matrix)(found, ["a", "b"], ["x", "y"], holes).worst
    np.testing.assert_array_equal(worst, [0.2, np.nan])


def test_without_names_the_matrix_takes_all_populations() -> None:
    matrix = robustness_matrix(["random"], n=2, env_kwargs={**SMALL, "budget": 2})
    assert {"assistments", "textbook"} <= set(matrix.students)


def _lessons(rates: np.ndarray, gain: np.ndarray) -> Lessons:
    n = len(rates)
    needed = np.ones((n, 2), bool)
    return Lessons(
        passed=gain > 0.5,
        mastered=gain,
        gain=gain,
        exercises=np.ones(n, np.int64),
        reached=gain > 0.5,
        distractors=np.zeros(n),
        known=np.zeros((n, 2), np.uint8),
        needed=np.full(n, 2),
        truth={
            "learn": np.repeat(rates[:, None], 2, axis=1),
            "needed": needed,
            "mastery": ~needed,
        },
        times=np.array([0, 1]),
    )


def _made(gains: dict[str, np.ndarray], rates: np.ndarray) -> Comparison:
    played = {}
    times = np.array([0, 1])
    for tutor, gain in gains.items():
        lessons = _lessons(rates, gain)
        played[tutor] = Outcomes(
            students=np.ones(len(rates)),
            passed=lessons.passed.astype(float),
            gain=gain,
            mastered=gain,
            exercises=np.ones(len(rates)),
            reached=lessons.reached.astype(float),
            distractors=np.zeros(len(rates)),
            curve=np.zeros((1, 2)),
            times=times[None],
            lessons=(lessons,),
        )
    return Comparison(
        "tutor-v0", len(rates), 0, "pass", [], {}, {"x": times}, {"x": {}},
        {"x": played},
    )  # fmt: skip


def test_equity_of_students_made_by_hand() -> None:
    """Quarters pass with 1/4, 1/2, 3/4 and 4/4; random with none, omniscient all."""
    n, turn = 400, np.zeros(400, np.int64)
    rates = np.linspace(0.1, 0.5, n)[np.random.default_rng(0).permutation(n)]
    quarter = np.argsort(np.argsort(rates)) // 100
    for q in range(4):
        turn[quarter == q] = np.arange(100)
    passes = (turn % 4 <= quarter).astype(float)
    gains = {"random": np.zeros(n), "rule": passes, "omniscient": np.ones(n)}
    found = divided(_made(gains, rates))
    rows = [row for row in found.groups if row.tutor == "rule"]
    assert [row.n for row in rows] == [100] * 4
    assert [row.pass_rate for row in rows] == [0.25, 0.5, 0.75, 1.0]
    assert [row.score for row in rows] == [0.25, 0.5, 0.75, 1.0]
    (even,) = [row for row in found.summary if row.tutor == "rule"]
    assert (even.worst_group, even.best_group) == ("slowest quarter", "fastest quarter")
    assert (even.worst, even.best, even.gap, even.ratio) == (0.25, 1.0, 0.75, 0.25)
    assert (even.worst_score, even.score_gap, even.score_ratio) == (0.25, 0.75, 0.25)
    # The fastest all pass, so the gap varies as the slowest quarter's rate does.
    half = 1.96 * (0.25 * 0.75 / 100) ** 0.5
    assert even.gap_high - even.gap_low == pytest.approx(2 * half, rel=0.15)
    (bound,) = [row for row in found.summary if row.tutor == "omniscient"]
    assert (bound.gap, bound.ratio, bound.score_gap) == (0.0, 1.0, 0.0)


def test_similar_students_served_alike_or_not() -> None:
    n = 300
    rates = np.linspace(0.1, 0.5, n)
    smooth = np.linspace(0, 1, n)  # outcome follows the student
    chance = np.random.default_rng(0).permutation(smooth)  # or nothing at all
    gains = {"random": chance, "rule": smooth, "omniscient": np.ones(n)}
    rows = {row.tutor: row for row in divided(_made(gains, rates)).individuals}
    assert rows["rule"].similar == pytest.approx(1 / (n - 1))
    # mean |i - j| over pairs of 0 .. n - 1 is (n + 1) / 3
    assert rows["rule"].any_two == pytest.approx((n + 1) / 3 / (n - 1))
    assert rows["rule"].ratio < 0.02
    assert rows["random"].any_two == pytest.approx(rows["rule"].any_two)
    assert rows["random"].ratio == pytest.approx(1.0, abs=0.15)
    assert np.isnan(rows["omniscient"].ratio)


def test_mean_difference_equals_all_pairs() -> None:
    values = np.random.default_rng(0).normal(size=50).round(1)
    pairs = [abs(x - y) for i, x in enumerate(values) for y in values[:i]]
    assert mean_difference(values) == pytest.approx(np.mean(pairs))


def test_named_groups_are_told_apart() -> None:
    lessons = _lessons(np.linspace(0.1, 0.5, 60), np.ones(60))
    group = np.arange(60) % 2
    truth = {**lessons.truth, "group": group}
    roll = called([Lessons(**{**vars(lessons), "truth": truth})], ("slow", "other"))
    np.testing.assert_array_equal(roll.group, group)
    assert roll.quarter().tolist() == np.repeat(range(4), 15).tolist()
    assert called([lessons], ("all",)).group.tolist() == [0] * 60


def test_equity_of_a_world(found: Comparison) -> None:
    whole = equity(["zpdes"], ["textbook"], n=200, env_kwargs=SMALL)
    rows = [row for row in whole.groups if row.tutor == "zpdes"]
    assert [row.n for row in rows] == [50] * 4
    mean = np.mean([row.pass_rate for row in rows])
    assert mean == pytest.approx(found.row("textbook", "zpdes").pass_rate)
    curves = whole.curves["textbook"]["zpdes"]
    np.testing.assert_allclose(
        np.mean(list(curves.values()), axis=0), found.curves["textbook"]["zpdes"]
    )
    slow, *_, fast = whole.curves["textbook"]["omniscient"].values()
    assert fast.mean() > slow.mean()
    alone = compare_tutors(["zpdes"], n=80, env_kwargs={**SMALL, "budget": 2})
    with pytest.raises(ValueError, match="each=True"):
        divided(alone)


def test_named_groups_of_a_population_get_rows_and_a_picture(tmp_path: Path) -> None:
    found = equity(["zpdes"], ["subgroups"], n=300, env_kwargs=SMALL)
    rows = [x for x in found.groups if (x.kind, x.tutor) == ("group", "zpdes")]
    assert [row.group for row in rows][:2] == ["average", "slow learners"]
    assert sum(row.n for row in rows) == 300
    files = report.save(found, tmp_path)
    assert "equity_groups_subgroups.png" in {file.name for file in files}
    assert "by group" in (tmp_path / "equity.md").read_text()


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_what_was_found_is_written(found: Comparison, tmp_path: Path) -> None:
    whole = divided(found)
    report.save(found, tmp_path, pictures=False)
    for part in (found, as_matrix(found), whole):  # files are replaced
        files = report.save(part, tmp_path)
        assert all(file.is_file() and file.stat().st_size for file in files)
    written = _rows(tmp_path / "comparison.csv")
    assert len(written) == len(found.rows)
    for line, row in zip(written, found.rows, strict=True):
        assert (line["students"], line["tutor"]) == (row.students, row.tutor)
        assert float(line["score_low"]) == pytest.approx(row.score_low, abs=1e-4)
    curves = _rows(tmp_path / "curves.csv")
    assert len(curves) == 2 * 4 * 31
    assert len(_rows(tmp_path / "equity_groups.csv")) == len(whole.groups)
    assert len(_rows(tmp_path / "equity_individuals.csv")) == 8
    text = (tmp_path / "comparison.md").read_text()
    row = found.row("textbook", "zpdes")
    assert f"| zpdes | {row.pass_rate:.3f} |" in text
    assert "Simulated students only" in text
    assert "| omniscient * |" in text
    for name in ("comparison", "curves", "matrix", "equity_quarters"):
        content = (tmp_path / f"{name}.png").read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) < 80_000


def test_without_matplotlib_it_says_how_to_install(
    found: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ValueError, match=r"pip install 'curiosity-rl\[plots\]'"):
        report.save(found, tmp_path)
    files = report.save(found, tmp_path, pictures=False)
    assert {file.suffix for file in files} == {".md", ".csv"}
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="give another folder with --out"):
        report.save(found, tmp_path / "file", pictures=False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tutors": ["zpdess"]}, "unknown tutor 'zpdess': did you mean zpdes"),
        ({"tutors": ["tests"]}, "'tests' is no run"),
        ({"students": ["nobody"]}, "nobody"),
        ({"world": "river-swim-v0"}, "is no tutor world"),
        ({"n": 1}, "at least 2 students"),
        ({"jobs": 0}, "jobs is 0"),
        ({"measure": "speed"}, "unknown measure 'speed': known: gain, pass"),
        ({"against": "zpdes"}, "unknown tutor to compare with 'zpdes'"),
        (
            {"students": ["textbook"], "env_kwargs": {"population": "textbook"}},
            "populations are given twice",
        ),
        ({"env_kwargs": {"graph_shown": "none"}, "tutors": ["zpdes"]}, "graph"),
    ],
)
def test_what_is_wrong_gets_a_sentence(given: dict[str, Any], message: str) -> None:
    settings: dict[str, Any] = {"tutors": ["random"], "n": 4, **given}
    with pytest.raises(ValueError, match=message):
        compare_tutors(**settings)
