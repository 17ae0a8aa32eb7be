"""Realism: do simulated students leave a log like the one they were made of?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from curiosity_rl.agents import bkt
from curiosity_rl.agents.answer_log import AnswerLog, from_codes
from curiosity_rl.agents.answer_models import ability_deviation

IN_A_ROW = 3
LATE = 30
"""Attempts from here on share one chance to stop."""
LONGEST = 2000
SPINNING = 10
"""Answers without three right in a row that make a wheel-spinner (Beck & Gong 2013)."""


def streaks(log: AnswerLog) -> np.ndarray:
    """Return the right answers in a row, up to and with each answer, at most 3."""
    attempt = np.arange(len(log.right)) - np.repeat(log.starts[:-1], log.lengths)
    streak = np.zeros(len(log.right), dtype=np.int64)
    for back in range(IN_A_ROW):
        right = np.zeros(len(log.right), dtype=np.bool_)
        right[back:] = log.right[: len(log.right) - back]
        streak += (streak == back) & right & (attempt >= back)
    return streak


def stopping(log: AnswerLog) -> np.ndarray:
    """Return the chance that a sequence ends, by attempts so far and streak.

    `(LATE, 4)`. Whether a student goes on depends on the answers: without it, those who
    are left at the tenth attempt would be a fair sample, and in real logs they are not.
    """
    attempt = np.arange(len(log.right)) - np.repeat(log.starts[:-1], log.lengths)
    cell = np.minimum(attempt, LATE - 1) * (IN_A_ROW + 1) + streaks(log)
    size = LATE * (IN_A_ROW + 1)
    ends = np.bincount(cell[log.starts[1:] - 1], minlength=size)
    chances = (ends + 0.5) / (np.bincount(cell, minlength=size) + 1.0)
    return chances.reshape(LATE, IN_A_ROW + 1)


def simulate(
    log: AnswerLog,
    thetas: np.ndarray,
    ability_sd: float,
    ability_on_learn: float,
    seed: int,
) -> AnswerLog:
    """Let simulated students answer on the skills that those of a log practised.

    As in the tutor's worlds, a student's ability shifts logit(prior), and by
    `ability_on_learn` logit(learn). They stop as those of the log do.

    Args:
        log: The log: who practised what, and when they stopped.
        thetas: Parameters of its skills, `(skills, 5)`.
        ability_sd: Standard deviation of the ability [logit].
        ability_on_learn: Weight of the ability on learning.
        seed: Seed of all draws.
    """
    rng = np.random.default_rng(seed)
    stop = stopping(log)
    ability = ability_sd * rng.standard_normal(len(log.users))[log.user]
    theta = thetas[log.skill]
    learn = expit(logit(theta[:, bkt.LEARN]) + ability_on_learn * ability)
    known = rng.random(len(theta)) < expit(logit(theta[:, bkt.PRIOR]) + ability)
    at = np.arange(len(theta))
    streak = np.zeros(len(theta), dtype=np.int64)
    who, how = [], []
    for attempt in range(LONGEST):
        if not len(at):
            break
        chance = np.where(known[at], 1 - theta[at, bkt.SLIP], theta[at, bkt.GUESS])
        right = rng.random(len(at)) < chance
        who.append(at)
        how.append(right)
        draw = rng.random(len(at))
        forgot = known[at] & (draw < theta[at, bkt.FORGET])
        known[at] = (known[at] & ~forgot) | (~known[at] & (draw < learn[at]))
        streak[at] = np.where(right, np.minimum(streak[at] + 1, IN_A_ROW), 0)
        ends = stop[min(attempt, LATE - 1), streak[at]]
        at = at[rng.random(len(at)) >= ends]
    sequence = np.concatenate(who)
    return from_codes(
        log.users,
        log.skills,
        log.user[sequence],
        log.skill[sequence],
        np.concatenate(how),
    )


class Portrait(NamedTuple):
    """What a log looks like.

    Attributes:
        success: Share of right answers at attempts 1 to 10, `(10,)`.
        in_a_row: Share of sequences with three right in a row within 3, 5 and 10
            answers, `(3,)`; those that end before without it do not count.
        spinning: Share of wheel-spinners among sequences of 10 or more answers, or
            three in a row before.
        deviation: Between students: standard deviation of ability [logit].
    """

    success: np.ndarray
    in_a_row: np.ndarray
    spinning: float
    deviation: float


def portrait(log: AnswerLog) -> Portrait:
    """Describe a log."""
    lengths = log.lengths
    attempt = np.arange(len(log.right)) - np.repeat(log.starts[:-1], lengths)
    success = np.array([log.right[attempt == a].mean() for a in range(10)])
    when = np.where(streaks(log) == IN_A_ROW, attempt + 1, LONGEST * 10)
    reached = np.minimum.reduceat(when, log.starts[:-1])
    shares = []
    for limit in (3, 5, SPINNING):
        told = (reached <= limit) | (lengths >= limit)
        shares.append(float((reached[told] <= limit).mean()))
    return Portrait(success, np.array(shares), 1 - shares[-1], ability_deviation(log))
