"""EDM 2016 reproduced, in short; the long form is a command.

python scripts/evaluate.py --experiment edm2016-a
python scripts/evaluate.py --experiment edm2016-b
"""

from __future__ import annotations

from typing import Any

import pytest

from curiosity_rl.agents import edm2016
from curiosity_rl.agents.cli import evaluate_main
from curiosity_rl.agents.edm2016 import CrossRow, CurveRow, Strategy, experiment_b
from curiosity_rl.agents.edm2016_report import (
    EARLIER_A,
    markdown_a,
    markdown_b,
    print_experiment,
)

SLOW = ("POMDP, Perseus",)  # ten seconds of planning per graph


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> tuple[Strategy, ...]:
    few = tuple(s for s in edm2016.STRATEGIES if s.label not in SLOW)
    monkeypatch.setattr(edm2016, "STRATEGIES", few)
    return few


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("model", [0, 4])
def test_experiment_a_is_within_three_hundredths(model: int) -> None:
    """Of a prototype on 500 students; here 1,500, standard error at most .008."""
    rows = edm2016.experiment_a(1500, models=(model,))
    found = {row.tutor: row for row in rows}
    assert set(EARLIER_A) <= set(found)
    for label, (*levels, complete) in EARLIER_A.items():
        if label == "ZPDES*" and model:
            continue  # other constants for other models: the table has those of 0
        assert found[label].levels == pytest.approx(levels, abs=0.03)
        # the share of all six is no bar; random's .15 was a draw of 500
        assert found[label].complete == pytest.approx(complete, abs=0.05)


@pytest.mark.usefixtures("quick")
def test_a_wrong_graph_ruins_the_planner_and_not_zpdes() -> None:
    """Configured for model 2, taught model 0: planner < .45, eager ZPDES > .72.

    The form that reproduces experiment A (.40) is stuck nearly as often as the planner.
    """
    rows = experiment_b(150, groups=((0, 2),))
    level = {(row.tutor, row.assumed, row.model): row.level for row in rows}
    assert level["QMDP", 2, 0] < 0.45
    assert level["expert order, 3 in a row", 2, 0] < 0.3
    assert level["ZPDES^H, eager", 2, 0] > 0.72  # .78, standard error .02
    assert level["ZPDES^H, stall rule", 2, 0] > level["ZPDES^H", 2, 0] + 0.2
    for tutor in ("QMDP", "ZPDES^H", "expert order, 3 in a row"):
        for own in (0, 2):
            assert level[tutor, own, own] > 0.88
    assert level["omniscient greedy", None, 0] > 0.9


def test_skills_of_one_model_are_found_in_the_slots_of_another() -> None:
    """Model 2 needs 1 -> 2 -> 4 -> 6 and 3 -> 5; model 0 has its skills in order."""
    assert edm2016._graph(2, 0) == ((), (0,), (), (1,), (2,), (3,))
    assert edm2016._graph(0, 0) == ((), (0,), (1,), (2,), (3,), (4,))
    names, course = edm2016._course(2)
    told = edm2016._graph(0, 2)
    for skill in range(6):
        wanted = [f"KC{skill}"] if skill else []
        slot = names.index(f"KC{skill + 1}")
        assert [names[p] for p in told[slot]] == wanted
    assert course["KC5"] == ["KC3"]


def test_tables_show_what_was_found_beside_the_earlier_figures() -> None:
    curve = CurveRow(0, "QMDP", (0.5, 0.8, 0.9), (0.01, 0.02, 0.01), 0.95)
    text = markdown_a([curve])
    row = "| QMDP | 0.500 (0.549) | 0.800 (0.849) | 0.900 (0.988) | 0.950 (0.980) |"
    assert row in text
    assert "at most 0.020" in text
    cross: list[Any] = [
        CrossRow((0, 1, 2), "QMDP", 2, model, 0.1 * model, 0.01) for model in range(3)
    ]
    cross.append(CrossRow((0, 1, 2), "random", None, 0, 0.6, 0.02))
    text = markdown_b(cross[:3])
    assert "| QMDP | 2 | 0.00 (0.39) | 0.10 (0.57) | 0.20 (0.95) | 0.10 |" in text


@pytest.mark.usefixtures("quick")
def test_the_command_prints_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    args = ["--experiment", "edm2016-a", "--n", "20", "--progress", "false"]
    assert evaluate_main(args) == 0
    printed = capsys.readouterr().out
    assert "Published claim" in printed
    assert printed.count("| omniscient greedy | 0.") == 3
    assert evaluate_main(["--experiment", "edm2016-c"]) == 2
    assert "known: edm2016-a, edm2016-b" in capsys.readouterr().err


def test_an_unknown_experiment_is_refused() -> None:
    with pytest.raises(ValueError, match="known: edm2016-a, edm2016-b"):
        print_experiment("edm2016-c")
