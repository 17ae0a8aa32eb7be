"""Rates, scores and differences with intervals, of students taught by several tutors.

All tutors teach the same students, so students are resampled whole: one resample gives
every tutor's mean, hence every score and every difference (paired bootstrap; Efron &
Tibshirani 1993, "An Introduction to the Bootstrap", chapters 8 and 13).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
ROOM = 0.05
"""Least distance of omniscient and random for a score between them to mean anything."""
NUMBERS_AT_ONCE = 4_000_000
NOTHING = (float("nan"), float("nan"))
Interval = tuple[float, float]


def wilson(flags: int, n: int) -> Interval:
    """Return the 95 % interval of a share of `flags` in `n` (Wilson 1927)."""
    from scipy.stats import binomtest

    interval = binomtest(flags, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


@dataclass(frozen=True)
class Resampled:
    """Means of several tutors over the same students, and over resamples of them.

    Attributes:
        names: The tutors.
        means: Mean of each, `(T,)`.
        drawn: Mean of each in every resample, `(T, R)`; R is 0 below two students.
    """

    names: tuple[str, ...]
    means: np.ndarray
    drawn: np.ndarray

    def mean(self, name: str) -> tuple[float, Interval]:
        """Return a tutor's mean with its 95 % interval."""
        i = self.names.index(name)
        return float(self.means[i]), quantiles(self.drawn[i])

    def difference(self, name: str, other: str) -> tuple[float, Interval]:
        """Return by how much a tutor's mean is above another's, with its interval."""
        i, j = self.names.index(name), self.names.index(other)
        return (
            float(self.means[i] - self.means[j]),
            quantiles(self.drawn[i] - self.drawn[j]),
        )

    def score_draws(self, name: str) -> tuple[float, np.ndarray]:
        """Return a tutor's score, and that of every resample, `(R,)`.

            score = (tutor - random) / (omniscient - random)

        0 is what random exercises reach, 1 what a tutor reaches who sees what the
        student knows. There is none (NaN) where the 95 % interval of the denominator
        does not lie above `ROOM`: then these students tell no tutor from another.
        """
        i, random, bound = map(self.names.index, (name, "random", "omniscient"))
        room = self.means[bound] - self.means[random]
        rooms = self.drawn[bound] - self.drawn[random]
        if not rooms.size or quantiles(rooms)[0] <= ROOM:
            return float("nan"), np.full(rooms.shape, np.nan)
        above = self.drawn[i] - self.drawn[random]
        scores = np.divide(
            above, rooms, out=np.full(rooms.shape, np.nan), where=rooms > 0
        )
        return float((self.means[i] - self.means[random]) / room), scores

    def score(self, name: str) -> tuple[float, Interval]:
        """Return a tutor's score with its 95 % interval; see `score_draws`."""
        score, draws = self.score_draws(name)
        return score, quantiles(draws)


def resample(
    values: dict[str, np.ndarray], students: np.ndarray, seed: int
) -> Resampled:
    """Resample students, or bags of them, for all tutors at once.

    Args:
        values: What each tutor's students came to, summed over each bag, `(m,)`.
        students: Students in each bag, `(m,)`.
        seed: Seed of the resamples.
    """
    from scipy.stats import bootstrap

    sums = np.stack([*values.values(), students]).astype(np.float64)
    if sums.shape[1] < 2:
        drawn = np.empty((len(sums), 0))
    else:
        drawn = bootstrap(
            (sums,),
            lambda x, axis: x.sum(axis=axis),
            n_resamples=RESAMPLES,
            batch=max(1, NUMBERS_AT_ONCE // sums.size),
            vectorized=True,
            axis=-1,
            paired=True,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).bootstrap_distribution
    whole = sums.sum(axis=1)
    return Resampled(tuple(values), whole[:-1] / whole[-1], drawn[:-1] / drawn[-1])


def quantiles(draws: np.ndarray) -> Interval:
    """Return the 95 % percentile interval of what resamples gave, `(R,)`.

    None (NaN) where more than one resample in twenty gave nothing.
    """
    told = draws[np.isfinite(draws)]
    if len(told) < max(0.95 * len(draws), 1):
        return NOTHING
    low, high = np.quantile(told, [0.025, 0.975])
    return float(low), float(high)
