"""Statistics of the evidence: by hand, and against rliable 1.2.0."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from curiosity_rl.agents.evidence.statistics import (
    bootstrap,
    efficiency_curve,
    estimate,
    interquartile_mean,
    median_of_censored,
    optimality_gap,
    over_time,
    performance_profile,
    probability_of_improvement,
)

# The figures below are those of rliable 1.2.0 (arch 7.2.0, numpy 2.4.6), in a virtual
# environment of its own: pip install "pandas<3" "arch<8" rliable==1.2.0; then, with
# a, b = np.array(A) / 1000, np.array(B) / 1000 of shape (10 runs, 4 tasks):
#   aggregate = lambda x: np.array([metrics.aggregate_iqm(x),
#                                   metrics.aggregate_optimality_gap(x, 1.0)])
#   library.get_interval_estimates({"a": a, "b": b}, aggregate, reps=20000)
#   library.get_interval_estimates({"b,a": (b, a)},
#                                  metrics.probability_of_improvement, reps=5000)
#   library.create_performance_profile({"a": a, "b": b}, np.linspace(0, 1, 6),
#                                      reps=5000)
A = [
    [249, 77, 346, 578], [269, 514, 466, 29], [545, 358, 85, 629], [719, 543, 614, 135],
    [212, 328, 224, 551], [221, 650, 231, 116], [307, 285, 868, 290],
    [121, 452, 417, 305], [710, 674, 354, 80], [315, 494, 252, 197],
]  # fmt: skip
B = [
    [594, 348, 467, 494], [908, 233, 138, 504], [384, 267, 344, 692],
    [854, 334, 721, 792], [147, 626, 420, 559], [555, 314, 761, 415],
    [738, 853, 312, 595], [666, 432, 956, 891], [216, 87, 125, 738],
    [349, 394, 349, 361],
]  # fmt: skip
GOLDEN = {
    "A": {
        "iqm": (0.34995, 0.27924875, 0.43215125),
        "gap": (0.62975, 0.56725, 0.69007562),
        "profile": [1.0, 0.8, 0.4, 0.175, 0.025, 0.0],
        "low": [1.0, 0.675, 0.25, 0.075, 0.0, 0.0],
        "high": [1.0, 0.9, 0.55, 0.3, 0.075, 0.0],
    },
    "B": {
        "iqm": (0.4774, 0.4014, 0.57315),
        "gap": (0.501675, 0.43214938, 0.56787625),
        "profile": [1.0, 0.9, 0.575, 0.325, 0.125, 0.0],
        "low": [1.0, 0.8, 0.45, 0.2, 0.025, 0.0],
        "high": [1.0, 0.975, 0.725, 0.475, 0.225, 0.0],
    },
}
BETTER = (0.6275, 0.51, 0.74)
"""P(a run of B beats one of A)."""


def strata(scores: list[list[int]]) -> list[np.ndarray]:
    return list(np.array(scores).T / 1000)


@pytest.mark.parametrize("name", ["A", "B"])
def test_against_rliable(name: str) -> None:
    golden, scores = GOLDEN[name], strata({"A": A, "B": B}[name])
    for key, statistic in (("iqm", interquartile_mean), ("gap", optimality_gap)):
        found = estimate(scores, statistic, draws=20_000)
        assert found.value == pytest.approx(golden[key][0], abs=1e-12)
        # Ends are quantiles of draws: two bootstraps differ by a few thousandths.
        assert [found.low, found.high] == pytest.approx(golden[key][1:], abs=0.005)
        assert found.seeds == 10
    levels = np.linspace(0, 1, 6)
    value, low, high = performance_profile(scores, levels, draws=20_000)
    assert value == pytest.approx(golden["profile"], abs=1e-12)
    assert low == pytest.approx(golden["low"], abs=0.026)  # a run is .025
    assert high == pytest.approx(golden["high"], abs=0.026)


def test_improvement_against_rliable() -> None:
    found = probability_of_improvement(strata(B), strata(A), draws=10_000)
    assert found.value == pytest.approx(BETTER[0], abs=1e-12)
    assert [found.low, found.high] == pytest.approx(BETTER[1:], abs=0.01)
    back = probability_of_improvement(strata(A), strata(B), draws=100)
    assert back.value == pytest.approx(1 - BETTER[0], abs=1e-12)


def test_aggregates_by_hand() -> None:
    # Eight runs: the two least and the two most are left out.
    assert interquartile_mean(np.array([9.0, 0, 1, 2, 3, 4, 50, -7])) == 2.5
    assert interquartile_mean(np.array([1.0, 2, 6])) == 3.0  # too few to leave out any
    rows = np.array([[0.0, 1, 2, 3], [4, 4, 4, 4]])
    assert interquartile_mean(rows).tolist() == [1.5, 4.0]
    # No run makes up for another: 1.5 counts as 1.
    assert optimality_gap(np.array([1.5, 0.5, 1.0, 0.0])) == 0.375


def test_improvement_by_hand() -> None:
    # First task: 3 beats both, 1 beats one and ties one: (1 + 1 + 1 + .5) / 4 = .875.
    # Second: the only run loses: 0.
    mine = [np.array([3.0, 1.0]), np.array([0.0])]
    theirs = [np.array([0.0, 1.0]), np.array([5.0, 6.0])]
    found = probability_of_improvement(mine, theirs)
    assert found.value == 0.4375
    assert 0.25 <= found.low < found.value < found.high == 0.5
    assert found.seeds == 1
    with pytest.raises(ValueError, match="2 tasks against 1"):
        probability_of_improvement(mine, theirs[:1])
    with pytest.raises(ValueError, match="a task without runs"):
        estimate([np.array([])])


def test_draws_stay_within_their_task() -> None:
    first, second = np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0])
    drawn = bootstrap([first, second], draws=200)
    assert drawn.shape == (200, 5)
    assert set(drawn[:, :3].ravel()) == {1, 2, 3}
    assert set(drawn[:, 3:].ravel()) == {10, 20}
    assert np.array_equal(drawn, bootstrap([first, second], draws=200))


def test_interval_against_all_draws_there_are() -> None:
    """With three runs there are 27 draws: their quantiles, reckoned one by one."""
    runs = np.array([0.0, 0.4, 1.0])
    means = np.sort([np.mean(draw) for draw in product(runs, repeat=3)])
    low, high = means[int(0.025 * 27)], means[math.ceil(0.975 * 27) - 1]
    found = estimate([runs], draws=50_000)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)
    assert found.value == pytest.approx(1.4 / 3)


def test_intervals_hold_what_they_promise() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for number in range(200):
        scores = [rng.normal(size=10) for _ in range(4)]
        found = estimate(scores, draws=300, seed=number)
        held += found.low <= 0 <= found.high
    assert 0.88 <= held / 200 <= 0.99  # .94 at 10 seeds, facts; binomial error .015


def test_profiles_give_every_task_the_same_weight() -> None:
    scores = [np.array([1.0, 1.0, 1.0, 1.0]), np.array([0.0])]
    value, low, high = performance_profile(scores, np.array([0.5]))
    assert value == low == high == [0.5]


def test_curves_by_hand() -> None:
    curves = np.array([[0.0, 1.0], [0.0, 3.0], [0.0, 5.0]])
    value, low, high = efficiency_curve([curves], draws=500)
    assert value.tolist() == [0.0, 3.0]
    assert low[0] == high[0] == 0.0
    assert low[1] == pytest.approx(1.0, abs=0.7)
    assert high[1] == pytest.approx(5.0, abs=0.7)
    assert low[1] < 3 < high[1]


def test_values_over_time_by_hand() -> None:
    times = np.array([0, 5, 10, 15, 20, 99])
    # From 0 up to the first, straight to the second, then for ever the last.
    found = over_time([20, 10], [1.0, 0.2], times)
    assert found == pytest.approx([0.0, 0.1, 0.2, 0.6, 1.0, 1.0])


def test_medians_of_what_was_given_up() -> None:
    assert median_of_censored([5, 9, 7], [True, False, True]) == 7
    assert median_of_censored([1, 9, 9], [True, False, False]) == math.inf
    assert median_of_censored([4, 2], [True, True]) == 3
    assert median_of_censored([4, 2], [False, True]) == math.inf
