"""Bayesian knowledge tracing against references that share no code with it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from bkt_students import play
from scipy.optimize import minimize

from curiosity_rl.agents import bkt

THETA = (0.4, 0.15, 0.2, 0.1, 0.05)


def paths_chance(theta: tuple[float, ...], answers: tuple[bool, ...]) -> float:
    """P(answers) as a sum over every way in which knowledge may come and go."""
    prior, learn, guess, slip, forget = theta
    total = 0.0
    for path in product((False, True), repeat=len(answers)):
        chance = prior if path[0] else 1 - prior
        for t, known in enumerate(path):
            right = 1 - slip if known else guess
            chance *= right if answers[t] else 1 - right
            if t + 1 < len(path):
                gone, come = forget, learn
                stays = 1 - gone if known else 1 - come
                chance *= stays if path[t + 1] == known else 1 - stays
        total += chance
    return total


def forward_loss(theta: np.ndarray, rows: list[list[bool]]) -> float:
    """Negative log likelihood by the forward recursion, answer by answer."""
    prior, learn, guess, slip, forget = theta
    loss = 0.0
    for row in rows:
        yes = prior
        for right in row:
            a = yes * (1 - slip if right else slip)
            b = (1 - yes) * (guess if right else 1 - guess)
            loss -= np.log(a + b)
            yes = (a * (1 - forget) + b * learn) / (a + b)
    return loss


def flat(rows: list[list[bool]]) -> tuple[np.ndarray, np.ndarray]:
    starts = np.concatenate(([0], np.cumsum([len(row) for row in rows])))
    return np.array([x for row in rows for x in row], dtype=np.bool_), starts


def of_kernel(theta: tuple[float, ...], rows: list[list[bool]]):
    right, starts = flat(rows)
    known, counts = np.empty((max(map(len, rows)), 2)), np.empty((5, 2))
    total = bkt.likelihood(right, starts, 0, len(rows), np.array(theta), known, counts)
    return total, counts


@pytest.mark.parametrize("theta", [THETA, (0.9, 0.01, 0.45, 0.3, 0.0)])
def test_likelihood_sums_over_all_paths(theta: tuple[float, ...]):
    # all sequences of five answers, and the shorter ones: chances of a length sum to 1
    for length in (1, 2, 5):
        rows = [list(answers) for answers in product((False, True), repeat=length)]
        chances = []
        for row in rows:
            expected = paths_chance(theta, tuple(row))
            assert of_kernel(theta, [row])[0] == pytest.approx(np.log(expected))
            chances.append(expected)
        assert sum(chances) == pytest.approx(1)
        together = of_kernel(theta, rows)[0]
        assert together == pytest.approx(np.log(chances).sum())


def test_expected_counts_sum_over_all_paths():
    prior, learn, guess, slip, forget = THETA
    answers = (True, False, True, True)
    expected, total = np.zeros((5, 2)), paths_chance(THETA, answers)
    for path in product((False, True), repeat=4):
        chance = prior if path[0] else 1 - prior
        seen = np.zeros((5, 2))
        seen[bkt.PRIOR] = 1, path[0]
        for t, known in enumerate(path):
            right = 1 - slip if known else guess
            chance *= right if answers[t] else 1 - right
            event = (bkt.SLIP, not answers[t]) if known else (bkt.GUESS, answers[t])
            seen[event[0]] += 1, event[1]
            if t < 3:
                moved = path[t + 1] != known
                rate = forget if known else learn
                chance *= rate if moved else 1 - rate
                seen[bkt.FORGET if known else bkt.LEARN] += 1, moved
        expected += seen * chance / total
    np.testing.assert_allclose(of_kernel(THETA, [list(answers)])[1], expected)


def test_long_sequences_do_not_underflow():
    rows = [[True] * 5000, [False] * 5000]
    theta = (0.5, 1e-4, 1e-4, 1e-4, 0.0)
    total, counts = of_kernel(theta, rows)
    assert total == pytest.approx(-forward_loss(np.array(theta), rows), rel=1e-9)
    assert np.all(np.isfinite(counts))


@pytest.mark.parametrize("forgetting", [False, True])
def test_fit_reaches_the_best_of_numerical_search(forgetting: bool):
    theta = THETA if forgetting else (*THETA[:4], 0.0)
    rows = [row[: 4 + n % 6].tolist() for n, row in enumerate(play(theta, 60, 9, 3))]
    right, starts = flat(rows)
    found = bkt.fit(right, starts, 0, len(rows), forgetting)
    assert found.converged
    assert found.log_likelihood == pytest.approx(-forward_loss(found.theta, rows))
    bounds = [(1e-4, 1 - 1e-4)] * 2 + [(1e-4, 0.5)] * 2
    bounds.append((0, 0.5) if forgetting else (0, 0))
    best = min(
        minimize(forward_loss, start, (rows,), "L-BFGS-B", bounds=bounds).fun
        for start in ((0.5, 0.2, 0.2, 0.2, 0.0), (0.2, 0.05, 0.3, 0.05, 0.0))
    )
    assert found.log_likelihood == pytest.approx(-best, abs=2e-3)


def test_no_step_of_a_climb_loses_likelihood():
    rows = play(THETA, 40, 8, 1).tolist()
    right, starts = flat(rows)
    known, counts = np.empty((8, 2)), np.empty((5, 2))
    theta, limits = np.array([0.9, 0.4, 0.5, 0.5, 0.3]), bkt.bounds(True)
    before = -np.inf
    for _ in range(30):
        total, _ = bkt.climb(right, starts, 0, 40, theta, limits, 1, 0.0, known, counts)
        assert total >= before - 1e-9
        assert np.all((theta >= limits[:, 0]) & (theta <= limits[:, 1]))
        before = total


def test_a_fit_reads_its_own_sequences_only():
    rows = play(THETA, 50, 6, 0).tolist()
    alone = bkt.fit(*flat(rows), 0, 50)
    other = [[True] * 9] * 3
    among = bkt.fit(*flat([*other, *rows, *other]), 3, 53)
    assert among.log_likelihood == alone.log_likelihood
    np.testing.assert_array_equal(among.theta, alone.theta)


def test_predictions_are_conditional_chances():
    rows = [[True, False, False, True], [False], [True, True]]
    right, starts = flat(rows)
    thetas = np.array([THETA, (0.7, 0.1, 0.3, 0.2, 0.0)])
    out = np.empty(len(right))
    bkt.predict(right, starts, np.array([1, 0, 0]), thetas, out)
    expected = []
    for row, k in zip(rows, (1, 0, 0), strict=True):
        theta = tuple(thetas[k])
        for t in range(len(row)):
            so_far = paths_chance(theta, tuple(row[:t])) if t else 1.0
            expected.append(paths_chance(theta, (*row[:t], True)) / so_far)
    np.testing.assert_allclose(out, expected)


def test_five_hundred_students_give_the_parameters_back():
    rng = np.random.default_rng(7)
    errors = []
    for skill in range(12):
        theta = (*rng.uniform((0.1, 0.08, 0.05, 0.05), (0.6, 0.3, 0.3, 0.25)), 0.0)
        rows = play(theta, 500, 15, 100 + skill)
        found = bkt.fit(rows.ravel(), np.arange(0, 500 * 15 + 1, 15), 0, 500)
        errors.append(np.abs(found.theta - theta)[:4])
    assert np.all(np.mean(errors, axis=0) < 0.05), np.mean(errors, axis=0)


def test_forgetting_comes_back_too():
    theta = (0.3, 0.2, 0.15, 0.1, 0.08)
    rows = play(theta, 500, 20, 5)
    found = bkt.fit(rows.ravel(), np.arange(0, 500 * 20 + 1, 20), 0, 500, True)
    assert np.abs(found.theta - theta).mean() < 0.05


@pytest.mark.parametrize(
    ("theta", "seed", "released"),
    [
        ((0.3, 0.2, 0.15, 0.1, 0.0), 0, (0.25283, 0.21755, 0.14512, 0.10857)),
        ((0.6, 0.1, 0.25, 0.2, 0.0), 1, (0.60821, 0.08726, 0.22502, 0.19463)),
        ((0.1, 0.35, 0.2, 0.05, 0.0), 2, (0.09962, 0.36953, 0.19868, 0.05336)),
    ],
)
def test_fits_are_those_of_pybkt(
    theta: tuple[float, ...], seed: int, released: tuple[float, ...]
):
    """pyBKT 1.4.3 on the same answers, `Model(seed=1, num_fits=5)`; it needs an
    environment of its own (scikit-learn 1.5.2, NumPy 2.2.6, pandas 2.3.3)."""
    right = play(theta, 300, 8, seed).ravel()
    found = bkt.fit(right, np.arange(0, len(right) + 1, 8), 0, 300)
    np.testing.assert_allclose(found.theta[:4], released, atol=0.005)
