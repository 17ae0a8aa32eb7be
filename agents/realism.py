"""Realism: do simulated students leave a log like the one they were made of?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from curiosity_rl.agents import bkt
from curiosity_rl.agents.answer_log import AnswerLog, from_codes
from curiosity_rl.agents.answer_models import ability_deviation

IN_A_ROW = 3
LATE = 30
"""Attempts from here on share one chance to stop."""
LONGEST = 2000
MOST_WEIGHT = 2.0
SPINNING = 10
"""Answers without three right in a row that make a wheel-spinner (Beck & Gong 2013)."""
LIMITS = (3, 5, SPINNING)
ATTEMPTS = 10
SHARE_TOLERANCE = 0.08
DEVIATION_TOLERANCE = 0.15
"""[logit]"""


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


class Ability(NamedTuple):
    """What sets students apart on all skills alike.

    Attributes:
        sd: Standard deviation of the ability [logit]; it shifts logit(prior).
        on_learn: Its weight on logit(learn).
        on_answers: Its weight on logit(guess), and on logit(slip) downwards.
    """

    sd: float
    on_learn: float
    on_answers: float


def simulate(
    log: AnswerLog, thetas: np.ndarray, ability: Ability, seed: int
) -> AnswerLog:
    """Let simulated students answer on the skills that those of a log practised.

    They are drawn as in the tutor's worlds, without jitter, and stop as those of the
    log do.

    Args:
        log: The log: who practised what, and when they stopped.
        thetas: Parameters of its skills, means over students, `(skills, 5)`.
        ability: What sets students apart.
        seed: Seed of all draws.
    """
    rng = np.random.default_rng(seed)
    stop = stopping(log)
    own = rng.standard_normal(len(log.users))[log.user] * ability.sd

    def drawn(parameter: int, weight: float) -> np.ndarray:
        # The mean over students stays that of the fit: MacKay's (1992) approximation.
        wider = np.sqrt(1 + np.pi / 8 * (weight * ability.sd) ** 2)
        mean = np.clip(thetas[log.skill, parameter], bkt.LOWEST, 1 - bkt.LOWEST)
        return expit(wider * logit(mean) + weight * own)

    learn = drawn(bkt.LEARN, ability.on_learn)
    guess = drawn(bkt.GUESS, ability.on_answers)
    slip = drawn(bkt.SLIP, -ability.on_answers)
    forget = thetas[log.skill, bkt.FORGET]
    known = rng.random(len(own)) < drawn(bkt.PRIOR, 1.0)
    at = np.arange(len(own))
    streak = np.zeros(len(own), dtype=np.int64)
    who, how = [], []
    for attempt in range(LONGEST):
        if not len(at):
            break
        right = rng.random(len(at)) < np.where(known[at], 1 - slip[at], guess[at])
        who.append(at)
        how.append(right)
        draw = rng.random(len(at))
        known[at] = np.where(known[at], draw >= forget[at], draw < learn[at])
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


def match_ability(log: AnswerLog, thetas: np.ndarray, on_learn: float) -> Ability:
    """Find the ability with which simulated students differ as those of a log do.

    Its deviation is that of the log; its weight on the answers is such that the
    simulated log shows the same deviation.
    """
    deviation = ability_deviation(log)

    def missing(weight: float) -> float:
        ability = Ability(deviation, on_learn, weight)
        return ability_deviation(simulate(log, thetas, ability, 0)) - deviation

    if missing(0.0) >= 0:
        return Ability(deviation, on_learn, 0.0)
    if missing(MOST_WEIGHT) <= 0:
        return Ability(deviation, on_learn, MOST_WEIGHT)
    weight: Any = brentq(missing, 0.0, MOST_WEIGHT, xtol=0.02)
    return Ability(deviation, on_learn, round(weight, 2))


class Portrait(NamedTuple):
    """What a log looks like.

    Attributes:
        success: Share of right answers at attempts 1 to 10, `(10,)`.
        in_a_row: Share of sequences with three right in a row within 3, 5 and 10
            answers, `(3,)`; those that end before without it do not count.
            Shares of nothing are NaN.
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
    success = np.array([_mean(log.right[attempt == a]) for a in range(ATTEMPTS)])
    when = np.where(streaks(log) == IN_A_ROW, attempt + 1, LONGEST * 10)
    reached = np.minimum.reduceat(when, log.starts[:-1])
    shares = []
    for limit in LIMITS:
        told = (reached <= limit) | (lengths >= limit)
        shares.append(_mean(reached[told] <= limit))
    return Portrait(success, np.array(shares), 1 - shares[-1], ability_deviation(log))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


class Likeness(NamedTuple):
    """One feature of a real log beside that of a simulated one.

    Attributes:
        what: Name of the feature.
        real: Its value in the real log.
        simulated: Its value in the simulated one.
        tolerance: How far they may be apart.
    """

    what: str
    real: float
    simulated: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether they are close enough."""
        return abs(self.real - self.simulated) <= self.tolerance


def likeness(real: Portrait, simulated: Portrait) -> list[Likeness]:
    """Hold two portraits against each other, by the features that both have."""
    pairs = [
        (f"success at attempt {a + 1}", real.success[a], simulated.success[a])
        for a in range(ATTEMPTS)
    ]
    pairs += [
        (f"three in a row within {limit}", real.in_a_row[n], simulated.in_a_row[n])
        for n, limit in enumerate(LIMITS)
    ]
    pairs.append(("wheel-spinners", real.spinning, simulated.spinning))
    rows = [Likeness(what, float(a), float(b), SHARE_TOLERANCE) for what, a, b in pairs]
    what = "deviation between students"
    ends = (real.deviation, simulated.deviation, DEVIATION_TOLERANCE)
    rows.append(Likeness(what, *ends))
    return [row for row in rows if np.isfinite(row.real + row.simulated)]
