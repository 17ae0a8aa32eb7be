"""Rewards whose size changes with what has been seen: anneal, standardise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

from curiosity_rl.protocols import IntrinsicReward, Transitions
from curiosity_rl.rewards.combinators import TINY, Composite
from curiosity_rl.rewards.statistics import RunningMoments

Fall = Literal["linear", "exponential"]


class Anneal(Composite):
    """A bonus that fades as the reward learns.

    Formula: `factor * bonus`, with n the transitions that `update` has seen (steps
    times lanes; calls of `compute` or `score` do not count) and the factor

    * `linear`: `max(1 - n / over, floor)`;
    * `exponential`: `max(2 ** (-n / over), floor)`: `over` is the half-life.

    Around `Scaled`, not within it, where the scale would sink with the bonus.

    Shapes: in and out `(T, N)`.

    Args:
        reward: What fades.
        over: See above, a number of transitions.
        fall: `linear` or `exponential`.
        floor: What the factor never falls below.
    """

    def __init__(
        self,
        reward: IntrinsicReward,
        over: int,
        fall: Fall = "linear",
        floor: float = 0.0,
    ) -> None:
        if over < 1:
            raise ValueError(f"over is {over}; it must be 1 or more transitions")
        if fall not in get_args(Fall):
            raise ValueError(f"fall is {fall!r}; allowed: {', '.join(get_args(Fall))}")
        if not 0 <= floor <= 1:
            raise ValueError(f"floor is {floor}; it must lie in [0, 1]")
        super().__init__(reward)
        self.over, self.floor = over, floor
        self.fall: Fall = fall
        self.seen = 0

    @property
    def factor(self) -> float:
        """What the bonus is multiplied by now."""
        share = self.seen / self.over
        factor = 1 - share if self.fall == "linear" else 2.0**-share
        return max(factor, self.floor)

    def combine(self, bonuses: Sequence[np.ndarray]) -> np.ndarray:
        """Return the faded bonus, `(T, N)` float32."""
        return bonuses[0].astype(np.float32) * np.float32(self.factor)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Let the reward learn, and count the transitions of the batch."""
        log = super().update(batch)
        self.seen += batch.shape[0] * batch.shape[1]
        return {**log, "bonus_factor": self.factor}

    def own_state(self) -> dict[str, Any]:
        """Return how many transitions were seen."""
        return {"seen": self.seen}

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Restore what `own_state` returned."""
        self.seen = int(state["seen"])


class Standardised(Composite):
    """A bonus by its own running moments: how far above the usual it is.

    Formula: `offset + (bonus - mean) / deviation`, over all bonuses that were computed
    up to the last `update`. Where nothing is known yet, or the bonus has not varied
    (deviation below 1e-8), `offset`.

    Shapes: in and out `(T, N)`.

    Source: Badia et al. 2020, "Never give up", section 2: with `offset=1` it is the
    modulator alpha_t.
    """

    def __init__(self, reward: IntrinsicReward, offset: float = 0.0) -> None:
        super().__init__(reward)
        self.offset = np.float32(offset)
        self.moments = RunningMoments()
        self._computed = RunningMoments()  # what `update` makes the moments

    def combine(self, bonuses: Sequence[np.ndarray]) -> np.ndarray:
        """Return the standardised bonus, `(T, N)` float32."""
        deviation = float(np.sqrt(self.moments.var))
        if deviation < TINY:
            return np.full_like(bonuses[0], self.offset, np.float32)
        above = bonuses[0].astype(np.float32) - np.float32(self.moments.mean)
        return self.offset + above / np.float32(deviation)

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the standardised bonus, `(T, N)` float32, and measure it."""
        bonus = self.parts[0].compute(batch)
        self._computed.update(bonus.ravel())
        return self.combine([bonus])

    def update(self, batch: Transitions) -> dict[str, float]:
        """Let the reward learn and move the moments by the bonuses computed since."""
        self.moments.load_state_dict(self._computed.state_dict())
        return super().update(batch)

    def own_state(self) -> dict[str, Any]:
        """Return the moments in use and those to come."""
        return {
            "moments": self.moments.state_dict(),
            "computed": self._computed.state_dict(),
        }

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Restore what `own_state` returned."""
        self.moments.load_state_dict(state["moments"])
        self._computed.load_state_dict(state["computed"])
