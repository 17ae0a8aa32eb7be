"""Rewards that ask where a transition came from, and whether it leads somewhere new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from curiosity_rl.protocols import IntrinsicReward, Observation, Transitions
from curiosity_rl.rewards.combinators import Composite, is_per_transition, score
from curiosity_rl.rewards.episodic import EpisodicCount
from curiosity_rl.rewards.novelty import Mode


class Difference(Composite):
    """How much more novel the state reached is than the state left.

    Formula: `max(nov(s') - alpha * nov(s), 0)`. nov is a reward that looks at the state
    reached and at nothing else (`count`, `rnd`, `re3`, ...): nov(s) is what it pays for
    the transition with s in the place of s'.

    Shapes: in and out `(T, N)`.

    Args:
        reward: nov, see above.
        alpha: Weight of the state left.

    Raises:
        ValueError: If the reward is no function of the transition, so that nobody
            knows what it would have paid for s.

    Source: Zhang et al. 2021, "NovelD: a simple yet effective exploration criterion"
    (alpha = .5); Zhang et al. 2020, "BeBold: exploration beyond the boundary of
    explored regions" (alpha = 1).
    """

    def __init__(self, reward: IntrinsicReward, alpha: float = 0.5) -> None:
        if not is_per_transition(reward):
            raise ValueError(
                f"{type(reward).__name__} pays for more than a transition (an episode, "
                "or what the world reports), so the novelty of the state left is "
                "unknown; use a reward whose per_transition is True, such as count or "
                "rnd"
            )
        if not alpha >= 0:
            raise ValueError(f"alpha is {alpha}; it must be 0 or more")
        super().__init__(reward)
        self.alpha = np.float32(alpha)

    def combine(self, bonuses: Sequence[np.ndarray]) -> np.ndarray:
        """Return the difference of novelties before and after, `(T, N)` float32."""
        before, after = bonuses
        return np.maximum(after - self.alpha * before, 0).astype(np.float32)

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the gain in novelty, `(T, N)` float32."""
        before = score(self.parts[0], replace(batch, next_obs=batch.obs))
        return self.combine([before, self.parts[0].compute(batch)])

    def score(self, batch: Transitions) -> np.ndarray:
        """Return the gain in novelty of replayed transitions, `(T, N)` float32."""
        before = score(self.parts[0], replace(batch, next_obs=batch.obs))
        return self.combine([before, score(self.parts[0], batch)])


class FirstVisit(Composite):
    """A bonus paid only where the episode reaches a state for the first time.

    Formula: `bonus * [n(s') = 1]`, n the visits that `episodic.EpisodicCount` counts:
    the state in which an episode begins has been visited, s' is the true next
    observation, and the episode is forgotten with its last transition.

    A replayed transition belongs to no episode: `score` takes it for one of one step,
    in which staying (s' = s) pays nothing.

    Shapes: in and out `(T, N)`. Memory: see `episodic.EpisodicCount`.

    Args:
        reward: What is paid.
        mode: See `novelty.Count`.
        key: See `novelty.Count`.
        bits: See `novelty.Count`.
        capacity: Most states that a lane remembers.

    Source: Zhang et al. 2021, "NovelD: a simple yet effective exploration criterion"
    (its episodic restriction on the bonus).
    """

    def __init__(
        self,
        reward: IntrinsicReward,
        mode: Mode = "auto",
        key: str | Callable[[Observation], np.ndarray] | None = None,
        bits: int = 32,
        capacity: int = 65_536,
    ) -> None:
        self.visits = EpisodicCount(mode, key, bits, capacity)
        super().__init__(reward, self.visits)

    def combine(self, bonuses: Sequence[np.ndarray]) -> np.ndarray:
        """Return the bonus of first visits, 0 elsewhere, `(T, N)` float32."""
        bonus, visits = bonuses
        return np.where(visits == 1, bonus, 0).astype(np.float32)

    def score(self, batch: Transitions) -> np.ndarray:
        """Return the bonus of replayed transitions, `(T, N)` float32."""
        bonus, states = score(self.parts[0], batch), self.visits.states
        if isinstance(states.key, str):
            return bonus
        before = states.hashes(replace(batch, next_obs=batch.obs))
        moved = states.hashes(batch) != before
        return np.where(moved.reshape(batch.shape), bonus, np.float32(0))
