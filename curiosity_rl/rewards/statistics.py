"""Running statistics: moments of a stream, discounted returns, lanes of a memory."""

from __future__ import annotations

from typing import Any

import numpy as np

CHUNK = 512


class RunningMoments:
    """Mean and variance of everything seen so far, merged batch by batch.

    Batches `(B, *shape)` are pooled exactly (no prior, population variance), so that
    the order and size of batches matter only in the last bits. All in float64.

    Source: Chan, Golub, LeVeque 1983, "Algorithms for computing the sample variance".
    """

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self.count = 0
        self.mean = np.zeros(shape)
        self.var = np.zeros(shape)

    def update(self, values: np.ndarray) -> None:
        """Add a batch `(B, *shape)`; an empty one changes nothing."""
        for start in range(0, len(values), CHUNK):  # float64 copies that fit a cache
            part = values[start : start + CHUNK].astype(np.float64)
            mean = part.mean(0)
            part -= mean
            self._merge(len(part), mean, np.square(part, out=part).mean(0))

    def _merge(self, added: int, mean: np.ndarray, var: np.ndarray) -> None:
        """Pool with the mean and variance of `added` others."""
        self.count += added
        weight = added / self.count
        shift = mean - self.mean
        self.mean = self.mean + shift * weight
        self.var = (
            self.var * (1 - weight) + var * weight + shift**2 * weight * (1 - weight)
        )

    def state_dict(self) -> dict[str, Any]:
        """Return count, mean and variance."""
        return {
            "count": self.count,
            "mean": np.array(self.mean),
            "var": np.array(self.var),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.count = int(state["count"])
        self.mean = np.array(state["mean"], dtype=np.float64)
        self.var = np.array(state["var"], dtype=np.float64)


class DiscountedReturn:
    """The forward-filtered return of each lane: `x_t = gamma * x_{t-1} + r_t`.

    It runs over TIME, one filter per lane, and never restarts at an episode's end.
    """

    def __init__(self, gamma: float) -> None:
        if not 0 <= gamma < 1:
            raise ValueError(f"gamma is {gamma}; it must lie in [0, 1)")
        self.gamma = gamma
        self.value: np.ndarray | None = None

    def update(
        self, rewards: np.ndarray, lanes: np.ndarray | None = None
    ) -> np.ndarray:
        """Filter `(T, N)` rewards on from where the lanes stand; return `(T, N)`.

        Args:
            rewards: Rewards of all lanes, or of those in `lanes`.
            lanes: See `Transitions.lanes`.
        """
        all_lanes = np.zeros(rewards.shape[1]) if self.value is None else self.value
        rows = lane_rows(len(all_lanes), rewards.shape[1], lanes)
        value = all_lanes[rows]
        out = rewards.astype(np.float64)
        for row in out:
            row += self.gamma * value
            value = row
        self.value = all_lanes.copy()
        self.value[rows] = value
        return out


def mean(values: Any) -> float:
    """Return the mean of an array or a tensor, 0 if it is empty: for a log."""
    return float(values.mean()) if len(values) else 0.0


def lane_rows(known: int, given: int, lanes: np.ndarray | None) -> np.ndarray | slice:
    """Return which rows of a memory of `known` lanes a batch of `given` columns means.

    Raises:
        ValueError: If the batch has other lanes than the memory.
    """
    if lanes is None:
        check_lanes(known, given)
        return slice(None)
    check_lanes(known, max(known, int(np.max(lanes, initial=-1)) + 1))
    return lanes


def check_lanes(known: int, given: int) -> None:
    """Raise `ValueError` if a reward with per-lane memory meets other lanes."""
    if known != given:
        raise ValueError(
            f"this reward remembers {known} lanes and was given {given}; build a new "
            "one for another number of lanes"
        )
