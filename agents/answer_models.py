"""Simple models of answers to compare with, their scores, and students' ability."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import expit, logit, logsumexp
from scipy.stats import rankdata

from curiosity_rl.agents.answer_log import AnswerLog

ATTEMPTS = 10
"""Attempts with a mean of their own; later ones share the last."""
RIDGE = 1.0
NODES = 21
ROUNDS = 200
CLOSE = 1e-4


class Score(NamedTuple):
    """How well chances foretell answers.

    Attributes:
        log_loss: Mean negative log likelihood [nats per answer].
        auc: Chance that a right answer was given a higher chance than a wrong one;
            NaN where all answers are alike.
    """

    log_loss: float
    auc: float


def score(chances: np.ndarray, right: np.ndarray) -> Score:
    """Compare chances of a right answer with answers."""
    p = np.clip(chances, 1e-9, 1 - 1e-9)
    loss = -float(np.mean(np.where(right, np.log(p), np.log1p(-p))))
    n, hits = len(right), int(right.sum())
    if hits in (0, n):
        return Score(loss, float("nan"))
    ranks = float(rankdata(p)[right].sum())
    return Score(loss, (ranks - hits * (hits + 1) / 2) / (hits * (n - hits)))


def history(log: AnswerLog) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return skill, right and wrong answers so far in the sequence, of each answer."""
    skill = np.repeat(log.skill, log.lengths)
    start = np.repeat(log.starts[:-1], log.lengths)
    before = np.concatenate(([0], np.cumsum(log.right)))
    wins = before[:-1] - before[start]
    return skill, wins, np.arange(len(skill)) - start - wins


def overall_mean(train: AnswerLog, test: AnswerLog) -> np.ndarray:
    """Foretell every answer by the share of right ones."""
    return np.full(len(test.right), train.right.mean())


def skill_mean(train: AnswerLog, test: AnswerLog) -> np.ndarray:
    """Foretell by the share of right answers on the skill."""
    return _table_mean(train, test, 1)


def attempt_mean(train: AnswerLog, test: AnswerLog) -> np.ndarray:
    """Foretell by the share of right answers on the skill at that attempt."""
    return _table_mean(train, test, ATTEMPTS)


def _table_mean(train: AnswerLog, test: AnswerLog, attempts: int) -> np.ndarray:
    """Mean by skill and attempt, drawn towards the overall one as by one answer."""

    def cells(log: AnswerLog) -> np.ndarray:
        skill, wins, fails = history(log)
        return skill * attempts + np.minimum(wins + fails, attempts - 1)

    size = len(train.skills) * attempts
    count = np.bincount(cells(train), minlength=size)
    hits = np.bincount(cells(train), weights=train.right, minlength=size)
    return ((hits + train.right.mean()) / (count + 1))[cells(test)]


def performance_factors(train: AnswerLog, test: AnswerLog) -> np.ndarray:
    """Foretell by performance factors analysis (Pavlik, Cen & Koedinger 2009).

    A logistic regression with an easiness for each skill and weights for the student's
    right and wrong answers on it so far, here as ln(1 + count), with a small ridge.
    """
    skills = len(train.skills)
    skill, wins, fails = history(train)
    x = np.log1p(np.stack([wins, fails]))
    y = train.right.astype(float)

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = flat.reshape(3, skills)
        z = w[0, skill] + w[1, skill] * x[0] + w[2, skill] * x[1]
        off = expit(z) - y
        grad = [np.bincount(skill, off, skills)]
        grad += [np.bincount(skill, off * c, skills) for c in x]
        loss = np.logaddexp(0, z).sum() - z[train.right].sum()
        value = loss + RIDGE / 2 * (flat @ flat)
        return float(value), np.concatenate(grad) + RIDGE * flat

    found = minimize(
        cost, np.zeros(3 * skills), jac=True, method="L-BFGS-B", options={"maxiter": 60}
    )
    w = found.x.reshape(3, skills)
    skill, wins, fails = history(test)
    return expit(
        w[0, skill] + w[1, skill] * np.log1p(wins) + w[2, skill] * np.log1p(fails)
    )


def ability_deviation(log: AnswerLog) -> float:
    """Return the standard deviation of the students' ability [logit].

    Marginal maximum likelihood of the one-parameter logistic model (Bock & Aitkin
    1981): P(right) = sigmoid(ability + easiness of the skill), ability ~ N(0, sd), by
    expectation maximisation over Gauss-Hermite nodes.
    """
    users, skills = len(log.users), len(log.skills)
    hits = np.add.reduceat(log.right, log.starts[:-1], dtype=np.float64)

    def by_user(values: np.ndarray) -> csr_array:
        return csr_array((values, (log.user, log.skill)), shape=(users, skills))

    right, answers = by_user(hits), by_user(log.lengths.astype(float))
    skill_hits = np.bincount(log.skill, hits, skills)
    share = (skill_hits + 0.5) / (np.bincount(log.skill, log.lengths, skills) + 1)
    easiness, deviation = logit(share), 1.0
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    seen = np.bincount(log.user, minlength=users) > 0
    for _ in range(ROUNDS):
        z = easiness[:, None] + deviation * nodes
        total = right @ z - answers @ np.logaddexp(0, z) + np.log(weights)
        posterior = np.exp(total - logsumexp(total, axis=1, keepdims=True))
        posterior[~seen] = 0.0
        p, expected = expit(z), answers.T @ posterior
        slope = skill_hits - (expected * p).sum(1)
        bend = (expected * p * (1 - p)).sum(1)
        easiness = easiness + np.clip(slope / (bend + 1e-3), -1, 1)
        after = deviation * float(np.sqrt((posterior @ nodes**2).sum() / seen.sum()))
        if abs(after - deviation) < CLOSE:
            return after
        deviation = after
    return deviation
