"""Rewards made of rewards: scale, sum, mix, product, clip.

Those whose size changes with what has been seen (`Anneal`, `Standardised`) stand in
`modulators`; those that ask whence, and for the first time (`Difference`,
`FirstVisit`), in `gates`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from curiosity_rl.protocols import IntrinsicReward, Transitions
from curiosity_rl.rewards.statistics import DiscountedReturn, RunningMoments

TINY = 1e-8


def is_per_transition(reward: IntrinsicReward) -> bool:
    """Whether the bonus is a function of obs, action and next_obs alone."""
    return bool(getattr(reward, "per_transition", False))


def score(reward: IntrinsicReward, batch: Transitions) -> np.ndarray:
    """Return the bonus of replayed transitions, `(T, N)`; moves nothing.

    Raises:
        ValueError: If the reward needs the episode and has no `score`.
    """
    episodic = hasattr(reward, "forget") and not is_per_transition(reward)
    if episodic and not hasattr(reward, "score"):
        raise ValueError(
            f"{type(reward).__name__} pays for what an episode has met, so a replayed "
            "transition has no bonus; keep the one that compute paid for it"
        )
    method = getattr(reward, "score", reward.compute)
    return np.asarray(method(batch), np.float32)


class Composite(ABC):
    """A reward over other rewards: passes everything on, combines what they pay.

    A subclass says in `combine` how; what it remembers itself goes into `own_state`
    and `load_own_state`.
    """

    scaled_by_default = False

    def __init__(self, *parts: IntrinsicReward) -> None:
        self.parts = parts

    @property
    def per_transition(self) -> bool:
        """Whether all parts are functions of the transition alone."""
        return all(is_per_transition(part) for part in self.parts)

    @abstractmethod
    def combine(self, bonuses: Sequence[np.ndarray]) -> np.ndarray:
        """Return the bonus from what the parts pay, all `(T, N)` float32."""

    def own_state(self) -> dict[str, Any]:
        """Return what this reward remembers besides its parts."""
        return {}

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Restore what `own_state` returned.

        Raises:
            ValueError: If there is something that this reward does not remember.
        """
        if state:
            name = type(self).__name__
            raise ValueError(f"{name} keeps nothing of its own; got {sorted(state)}")

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Pass the spaces on, and to each part a seed of its own."""
        seeds = [seed]
        if len(self.parts) > 1:  # the first too: it may be composed in its turn
            drawn = np.random.SeedSequence(seed).generate_state(len(self.parts))
            seeds = [int(own) for own in drawn]
        for part, own in zip(self.parts, seeds, strict=True):
            setup = getattr(part, "setup", None)
            if setup is not None:
                setup(observation_space, action_space, own)

    def forget(self) -> None:
        """Begin new episodes in all parts."""
        for part in self.parts:
            forget = getattr(part, "forget", None)
            if forget is not None:
                forget()

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the combined bonus, `(T, N)` float32."""
        return self.combine([part.compute(batch) for part in self.parts])

    def score(self, batch: Transitions) -> np.ndarray:
        """Return the combined bonus of replayed transitions, `(T, N)` float32."""
        return self.combine([score(part, batch) for part in self.parts])

    def update(self, batch: Transitions) -> dict[str, float]:
        """Let all parts learn; a name that two of them log gets a number."""
        log: dict[str, float] = {}
        for i, part in enumerate(self.parts):
            for name, value in part.update(batch).items():
                log[f"{name}_{i + 1}" if name in log else name] = value
        return log

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the parts, and what stands between them."""
        parts = [part.state_dict() for part in self.parts]
        return {"parts": parts, "own": self.own_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for part, kept in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(kept)
        self.load_own_state(state["own"])


class Scaled(Composite):
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
        super().__init__(reward)
        self.warmup = warmup
        self.moments = RunningMoments()
        self.returns = DiscountedReturn(gamma)
        self._pending: list[np.ndarray] = []
        self._lanes: list[np.ndarray | None] = []

    @property
    def reward(self) -> IntrinsicReward:
        """What is scaled."""
        return self.parts[0]

    @property
    def deviation(self) -> float:
        """What `compute` divides by now."""
        sigma = float(np.sqrt(self.moments.var))
        return sigma if sigma > TINY else 1.0

    def combine(self, bonuses: Sequence[np.ndarray]) -> np.ndarray:
        """Return the scaled bonus; 0 before the scale can be trusted."""
        if self.moments.count < self.warmup:
            return np.zeros_like(bonuses[0], np.float32)
        return (bonuses[0] / np.float32(self.deviation)).astype(np.float32)

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the scaled bonus, `(T, N)` float32, and keep it for `update`."""
        bonus = self.reward.compute(batch)
        self._pending.append(np.array(bonus, dtype=np.float32))
        self._lanes.append(batch.lanes)
        return self.combine([bonus])

    def update(self, batch: Transitions) -> dict[str, float]:
        """Let the reward learn and move the scale by the bonuses computed since."""
        log = self.reward.update(batch)
        if self._pending:
            bonuses = [bonus.ravel() for bonus in self._pending]
            for bonus, lanes in zip(self._pending, self._lanes, strict=True):
                self.moments.update(self.returns.update(bonus, lanes).ravel())
            self._pending, self._lanes = [], []
            mean = float(np.concatenate(bonuses).mean())
            log = {**log, "unscaled_bonus": mean}
        return {**log, "bonus_deviation": self.deviation}

    def own_state(self) -> dict[str, Any]:
        """Return the moments, the filters and what is pending."""
        state: dict[str, Any] = {
            "moments": self.moments.state_dict(),
            "pending": [bonus.copy() for bonus in self._pending],
            "lanes": list(self._lanes),
        }
        if self.returns.value is not None:
            state["returns"] = self.returns.value.copy()
        return state

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Restore what `own_state` returned."""
        self.moments.load_state_dict(state["moments"])
        value = state.get("returns")
        self.returns.value = None if value is None else np.array(value)
        self._pending = [np.array(bonus) for bonus in state["pending"]]
        self._lanes = [None if x is None else np.array(x) for x in state["lanes"]]


class Mix(Composite):
    """A weighted sum of rewards.

    Formula: `sum_i w_i bonus_i`. Weigh what is commensurable: put `Scaled` around each
    reward whose unit means nothing.

    Shapes: in and out `(T, N)`.

    Raises:
        ValueError: If there is no reward, or not one finite weight for each.
    """

    def __init__(
        self, rewards: Sequence[IntrinsicReward], weights: Sequence[float]
    ) -> None:
        _check_some(rewards)
        if len(weights) != len(rewards):
            raise ValueError(
                f"{len(rewards)} rewards and {len(weights)} weights; give one weight "
                "for each reward"
            )
        if not np.all(np.isfinite(weights)):
            raise ValueError(f"weights are {list(weights)}; they must be finite")
        super().__init__(*rewards)
        self.weights = tuple(float(weight) for weight in weights)

    def combine(self, bonuses: Sequence[np.ndarray]) -> np.ndarray:
        """Return the weighted sum, `(T, N)` float32."""
        total = np.zeros_like(bonuses[0], np.float32)
        for weight, bonus in zip(self.weights, bonuses, strict=True):
            total += np.float32(weight) * bonus.astype(np.float32, copy=False)
        return total


class Sum(Mix):
    """The sum of rewards: a `Mix` whose weights are all 1."""

    def __init__(self, *rewards: IntrinsicReward) -> None:
        super().__init__(rewards, [1.0] * len(rewards))


class Product(Composite):
    """The product of rewards, such as a lifelong novelty times an episodic one.

    Formula: `prod_i bonus_i`. Its scale is the product of all scales, so `Scaled` goes
    around it, not into it.

    Shapes: in and out `(T, N)`.

    Raises:
        ValueError: If there is no reward.

    Source: Badia et al. 2020, "Never give up", equation 1, for the idea.
    """

    def __init__(self, *rewards: IntrinsicReward) -> None:
        _check_some(rewards)
        super().__init__(*rewards)

    def combine(self, bonuses: Sequence[np.ndarray]) -> np.ndarray:
        """Return the product, `(T, N)` float32."""
        total = bonuses[0].astype(np.float32)
        for bonus in bonuses[1:]:
            total *= bonus
        return total


class Clip(Composite):
    """A bonus kept between two bounds; None for no bound on that side.

    Formula: `min(max(bonus, low), high)`. Shapes: in and out `(T, N)`.

    Raises:
        ValueError: If no bound is given, or they leave no room.
    """

    def __init__(
        self,
        reward: IntrinsicReward,
        low: float | None = None,
        high: float | None = None,
    ) -> None:
        lowest = -np.inf if low is None else low
        highest = np.inf if high is None else high
        if not lowest < highest or (low is None and high is None):
            raise ValueError(
                f"low is {low} and high is {high}; give one bound, or two with low < "
                "high"
            )
        super().__init__(reward)
        self.low, self.high = np.float32(lowest), np.float32(highest)

    def combine(self, bonuses: Sequence[np.ndarray]) -> np.ndarray:
        """Return the clipped bonus, `(T, N)` float32."""
        return bonuses[0].astype(np.float32).clip(self.low, self.high)


def _check_some(rewards: Sequence[IntrinsicReward]) -> None:
    if not rewards:
        raise ValueError("no reward is given; give one or more to combine")
