from __future__ import annotations

import numpy as np
import pytest

from curiosity_rl.agents.bench.scores import quantiles, resample


def _values(n: int = 4000) -> dict[str, np.ndarray]:
    """Passes of one draw per student: who passes with less passes with more, too."""
    luck = np.random.default_rng(1).random(n)
    shares = {"random": 0.1, "rule": 0.6, "omniscient": 0.9}
    return {name: (luck < share).astype(float) for name, share in shares.items()}


def test_scores_lie_between_random_and_omniscient() -> None:
    values = {
        "random": np.array([0.0, 0, 0, 1]),
        "rule": np.array([0.0, 1, 1, 1]),
        "omniscient": np.array([1.0, 1, 1, 1]),
    }
    found = resample({k: np.tile(v, 25) for k, v in values.items()}, np.ones(100), 0)
    assert found.score("random") == (0.0, (0.0, 0.0))
    assert found.score("omniscient") == (1.0, (1.0, 1.0))
    # (.75 - .25) / (1 - .25)
    assert found.score("rule")[0] == pytest.approx(2 / 3)
    assert found.mean("rule")[0] == 0.75
    assert found.difference("rule", "omniscient")[0] == -0.25


def test_intervals_are_those_of_theory() -> None:
    """Normal theory: means by the binomial; score and differences by linearisation."""
    values, n = _values(), 4000
    found = resample(values, np.ones(n), 3)
    p = {name: x.mean() for name, x in values.items()}

    def half(interval: tuple[float, float]) -> float:
        return (interval[1] - interval[0]) / 2

    expected = 1.96 * np.sqrt(p["rule"] * (1 - p["rule"]) / n)
    assert half(found.mean("rule")[1]) == pytest.approx(expected, rel=0.1)
    apart = values["rule"] - values["random"]
    expected = 1.96 * apart.std() / np.sqrt(n)
    assert half(found.difference("rule", "random")[1]) == pytest.approx(
        expected, rel=0.1
    )
    room = p["omniscient"] - p["random"]
    score = (p["rule"] - p["random"]) / room
    # d score = (dP - dR - score (dO - dR)) / room
    slope = apart - score * (values["omniscient"] - values["random"])
    expected = 1.96 * slope.std() / np.sqrt(n) / room
    assert half(found.score("rule")[1]) == pytest.approx(expected, rel=0.1)


def test_students_are_resampled_whole() -> None:
    values = _values()
    values["twin"] = values["rule"]
    found = resample(values, np.ones(4000), 0)
    assert found.difference("rule", "twin") == (0.0, (0.0, 0.0))
    shuffled = np.random.default_rng(0).permutation(values["rule"])
    found = resample({"a": values["rule"], "b": shuffled}, np.ones(4000), 0)
    low, high = found.difference("a", "b")[1]
    assert low < 0 < high


def test_bags_give_the_intervals_of_students() -> None:
    values = _values()
    bags = {name: x.reshape(-1, 4).sum(axis=1) for name, x in values.items()}
    bags = {name: np.append(x, [1.0]) for name, x in bags.items()}  # the last is small
    sizes = np.append(np.full(1000, 4), 1)
    found = resample(bags, sizes, 0)
    assert found.mean("rule")[0] == (values["rule"].sum() + 1) / 4001
    single = resample(values, np.ones(4000), 0)
    for mine, theirs in zip(
        found.score("rule")[1], single.score("rule")[1], strict=True
    ):
        assert mine == pytest.approx(theirs, abs=0.004)


def test_the_same_seed_gives_the_same_interval() -> None:
    a, b, c = (resample(_values(200), np.ones(200), seed) for seed in (0, 0, 1))
    assert a.score("rule") == b.score("rule")
    assert a.score("rule")[1] != c.score("rule")[1]


def test_no_score_where_no_tutor_makes_a_difference() -> None:
    same = np.tile([0.0, 1.0], 50)
    other = np.random.default_rng(0).permutation(same)
    values = {"random": same, "rule": other, "omniscient": other}
    score, interval = resample(values, np.ones(100), 0).score("rule")
    assert np.isnan([score, *interval]).all()


def test_intervals_of_too_little() -> None:
    found = resample({"random": np.ones(1), "omniscient": np.ones(1)}, np.ones(1), 0)
    assert found.mean("random")[0] == 1.0
    assert np.isnan(found.mean("random")[1]).all()
    assert np.isnan(found.score("omniscient")[0])
    draws = np.arange(101.0)
    assert quantiles(draws) == (2.5, 97.5)
    draws[:3] = np.nan
    assert quantiles(draws)[1] == pytest.approx(97.575)  # 3 to 100
    draws[:9] = np.nan
    assert np.isnan(quantiles(draws)).all()
