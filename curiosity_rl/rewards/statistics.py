"""Running statistics: moments of a stream, and the running scale of a bonus."""

from __future__ import annotations

from typing import Any

import numpy as np

from curiosity_rl.protocols import IntrinsicReward, Transitions

TINY = 1e-8
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

    def update(self, rewards: np.ndarray) -> np.ndarray:
        """Filter `(T, N)` rewards on from where the lanes stand; return `(T, N)`."""
        value = np.zeros(rewards.shape[1]) if self.value is None else self.value
        check_lanes(len(value), rewards.shape[1])
        out = rewards.astype(np.float64)
        for row in out:
            row += self.gamma * value
            value = row
        self.value = value.copy()
        return out


class Scaled:
    """A bonus divided by the running deviation of its discounted return.

    Formula: `bonus_t / sigma`, `sigma` the standard deviation, over all lanes and all
    time so far, of `x_t = gamma * x_{t-1} + bonus_t`. The mean is not subtracted, so a
    positive bonus stays positive.

    `compute` divides by the deviation as the last `update` left it; `update` then
    takes the bonuses computed since. Until `warmup` transitions have been measured
    there is no scale to trust and nothing is paid: a first bonus that is a hundred
    times too large would cost more than a late start. A bonus that has not varied yet
    (deviation below 1e-8) is passed on as it is.

    Shapes: in and out `(T, N)`.

    Source: Burda et al. 2018, "Exploration by random network distillation", section
    2.4, and openai/random-network-distillation, `ppo_agent.py` (`rff_int`).
    """

    def __init__(
        self, reward: IntrinsicReward, gamma: float = 0.99, warmup: int = 256
    ) -> None:
        if warmup < 0:
            raise ValueError(f"warmup is {warmup}; it must be 0 or more transitions")
        self.reward = reward
        self.warmup = warmup
        self.moments = RunningMoments()
        self.returns = DiscountedReturn(gamma)
        self._pending: list[np.ndarray] = []

    @property
    def deviation(self) -> float:
        """What `compute` divides by now."""
        sigma = float(np.sqrt(self.moments.var))
        return sigma if sigma > TINY else 1.0

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Pass spaces and seed on to the reward, if it wants them."""
        if hasattr(self.reward, "setup"):
            self.reward.setup(observation_space, action_space, seed)  # type: ignore[attr-defined]

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the scaled bonus, `(T, N)` float32."""
        bonus = self.reward.compute(batch)
        self._pending.append(np.array(bonus, dtype=np.float32))
        if self.moments.count < self.warmup:
            return np.zeros_like(bonus)
        return (bonus / np.float32(self.deviation)).astype(np.float32)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Let the reward learn and move the scale by the bonuses computed since."""
        log = self.reward.update(batch)
        if self._pending:
            bonus = np.concatenate(self._pending)
            self._pending = []
            self.moments.update(self.returns.update(bonus).ravel())
            log = {**log, "unscaled_bonus": float(bonus.mean())}
        return {**log, "bonus_deviation": self.deviation}

    def state_dict(self) -> dict[str, Any]:
        """Return the reward's state, the moments, the filters and what is pending."""
        state: dict[str, Any] = {
            "reward": self.reward.state_dict(),
            "moments": self.moments.state_dict(),
        }
        if self.returns.value is not None:
            state["returns"] = self.returns.value.copy()
        if self._pending:
            state["pending"] = np.concatenate(self._pending)
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.reward.load_state_dict(state["reward"])
        self.moments.load_state_dict(state["moments"])
        value = state.get("returns")
        self.returns.value = None if value is None else np.array(value)
        pending = state.get("pending")
        self._pending = [] if pending is None else [np.array(pending)]


def check_lanes(known: int, given: int) -> None:
    """Raise `ValueError` if a reward with per-lane memory meets other lanes."""
    if known != given:
        raise ValueError(
            f"this reward remembers {known} lanes and was given {given}; build a new "
            "one for another number of lanes"
        )
