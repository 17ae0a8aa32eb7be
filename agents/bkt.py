"""Bayesian knowledge tracing: likelihood, prediction and maximum-likelihood fits.

A student knows a skill at the first answer with chance `prior`. A known skill is
answered right with chance 1 - `slip`, an unknown one with chance `guess`; after each
answer an unknown skill becomes known with chance `learn`, a known one is forgotten with
chance `forget` (Corbett & Anderson 1995). Fits climb by expectation maximisation with
the forward-backward recursions of Baum et al. (1970); every parameter stays in its
bounds, which keeps the likelihood from falling: each is the chance of a coin of its own
in the complete data.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from curiosity_rl.jit import kernel

NAMES: tuple[str, ...] = ("prior", "learn", "guess", "slip", "forget")
PRIOR, LEARN, GUESS, SLIP, FORGET = range(5)
LOWEST = 1e-4
BOUNDS = ((LOWEST, 1 - LOWEST), (LOWEST, 1 - LOWEST), (LOWEST, 0.5), (LOWEST, 0.5))
"""Least and largest prior, learn, guess and slip; beyond .5 of guess or slip, knowing
and not knowing change places."""
FORGET_BOUNDS = (0.0, 0.5)
STARTS = (
    (0.30, 0.10, 0.20, 0.10, 0.01),
    (0.70, 0.10, 0.20, 0.20, 0.02),
    (0.50, 0.30, 0.10, 0.30, 0.05),
    (0.20, 0.05, 0.40, 0.10, 0.02),
    (0.85, 0.03, 0.10, 0.30, 0.01),
)
"""Where the climbs of a fit begin."""
MOST_STEPS = 5000
TOLERANCE = 1e-10
"""A climb ends when a step gains less log likelihood than this per answer."""
_TINY = 1e-200


class Fit(NamedTuple):
    """Parameters of one skill, in the order of `NAMES`, and how well they fit.

    Attributes:
        theta: The five parameters.
        log_likelihood: Natural logarithm, over all answers.
        steps: Steps of the climb that won.
        converged: Whether that climb ended by itself.
    """

    theta: np.ndarray
    log_likelihood: float
    steps: int
    converged: bool


@kernel
def likelihood(right, starts, first, last, theta, known, counts):
    """Return the log likelihood of sequences, and count what happened in expectation.

    Args:
        right: Answers of all sequences, one after the other.
        starts: Where each sequence starts; one more entry than sequences.
        first: First sequence to read.
        last: The one after the last.
        theta: The five parameters.
        known: Scratch, `(longest sequence, 2)`: P(unknown), P(known) after each answer.
        counts: Written, `(5, 2)`: how often each parameter's event had its chance, and
            how often it came.
    """
    prior, learn, guess, slip, forget = theta[0], theta[1], theta[2], theta[3], theta[4]
    for p in range(5):
        counts[p, 0] = 0.0
        counts[p, 1] = 0.0
    total = 0.0
    for s in range(first, last):
        start, end = starts[s], starts[s + 1]
        no, yes, scale = 1.0 - prior, prior, 1.0
        for t in range(start, end):
            if right[t]:
                no, yes = no * guess, yes * (1.0 - slip)
            else:
                no, yes = no * (1.0 - guess), yes * slip
            sure = no + yes
            no, yes = no / sure, yes / sure
            known[t - start, 0], known[t - start, 1] = no, yes
            scale *= sure
            if scale < _TINY:
                total += np.log(scale)
                scale = 1.0
            no, yes = (
                no * (1.0 - learn) + yes * forget,
                no * learn + yes * (1.0 - forget),
            )
        total += np.log(scale)
        # From the last answer back: what all answers together say about each moment.
        for t in range(end - 1, start - 1, -1):
            before, after = known[t - start, 0], known[t - start, 1]
            if t == end - 1:
                no, yes = before, after
            else:
                to_no = before * (1.0 - learn) + after * forget
                to_yes = before * learn + after * (1.0 - forget)
                from_no = no / to_no if to_no > 0.0 else 0.0
                from_yes = yes / to_yes if to_yes > 0.0 else 0.0
                learnt = before * learn * from_yes
                lost = after * forget * from_no
                no = before * (1.0 - learn) * from_no + learnt
                yes = after * (1.0 - forget) * from_yes + lost
                counts[1, 0] += no
                counts[1, 1] += learnt
                counts[4, 0] += yes
                counts[4, 1] += lost
            counts[2, 0] += no
            counts[3, 0] += yes
            if right[t]:
                counts[2, 1] += no
            else:
                counts[3, 1] += yes
        counts[0, 0] += 1.0
        counts[0, 1] += yes
    return total


@kernel
def climb(right, starts, first, last, theta, bounds, most, least, known, counts):
    """Improve `theta` in place; return the log likelihood and the steps taken.

    Ends after `most` steps, or after one that gains less than `least`.
    """
    before = likelihood(right, starts, first, last, theta, known, counts)
    for step in range(most):
        for p in range(5):
            if counts[p, 0] > 0.0:
                value = counts[p, 1] / counts[p, 0]
                theta[p] = min(max(value, bounds[p, 0]), bounds[p, 1])
        now = likelihood(right, starts, first, last, theta, known, counts)
        if now - before < least:
            return now, step + 1
        before = now
    return before, most


@kernel
def predict(right, starts, skill, thetas, out):
    """Write the chance of a right answer before each answer, given those before it."""
    for s in range(starts.shape[0] - 1):
        k = skill[s]
        yes = thetas[k, 0]
        for t in range(starts[s], starts[s + 1]):
            guess, slip = thetas[k, 2], thetas[k, 3]
            chance = yes * (1.0 - slip) + (1.0 - yes) * guess
            out[t] = chance
            yes = yes * (1.0 - slip) / chance if right[t] else yes * slip / (1 - chance)
            yes = yes * (1.0 - thetas[k, 4]) + (1.0 - yes) * thetas[k, 1]


def bounds(forgetting: bool) -> np.ndarray:
    """Return least and largest value of each parameter, `(5, 2)`."""
    return np.array([*BOUNDS, FORGET_BOUNDS if forgetting else (0.0, 0.0)])


def fit(
    right: np.ndarray,
    starts: np.ndarray,
    first: int,
    last: int,
    forgetting: bool = False,
) -> Fit:
    """Fit one skill to the sequences `first` to `last`, from several starts.

    Equal answers give equal parameters, bit for bit.

    Args:
        right: Answers of all sequences, bool.
        starts: Where each sequence starts, int64; one more entry than sequences.
        first: First sequence of the skill.
        last: The one after its last.
        forgetting: Whether a known skill can be forgotten.
    """
    limits = bounds(forgetting)
    longest = int(np.diff(starts[first : last + 1]).max(initial=1))
    known, counts = np.empty((longest, 2)), np.empty((5, 2))
    least = TOLERANCE * max(int(starts[last] - starts[first]), 1)
    best: Fit | None = None
    for start in STARTS:
        theta = np.clip(np.array(start), limits[:, 0], limits[:, 1])
        total, steps = climb(
            right, starts, first, last, theta, limits, MOST_STEPS, least, known, counts
        )
        if best is None or total > best.log_likelihood:
            best = Fit(theta, float(total), int(steps), steps < MOST_STEPS)
    assert best is not None
    return best
