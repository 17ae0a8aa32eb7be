"""Novelty of what comes again: a state met once may be noise, one met twice is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from curiosity_rl.protocols import Observation, Transitions
from curiosity_rl.rewards.gates import FirstVisit
from curiosity_rl.rewards.novelty import Count, Mode


class RecurringDifference:
    """Difference of count novelties, paid only for states that are known to come again.

    Formula: `max(nov(s') - alpha * nov(s), 0) * [N(s') > 0]`, with
    `nov(s) = 1 / sqrt(max(N(s), 1))` and N the visits counted BEFORE this batch. A
    state never met yet is as novel as can be where it is left, and pays nothing where
    it is reached. The next batch pays it in full, if it comes.

    A table that is full forgets the states that were met once only: noise fills it with
    such. Where none of it can be forgotten, further states pay nothing.

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`. Memory: that of
    `novelty.Count`.

    Args:
        alpha: Weight of the state left.
        mode: See `novelty.Count`.
        key: Function of observations, see `novelty.Count`.
        bits: See `novelty.Count`.
        capacity: States that are counted one by one.

    Raises:
        ValueError: If alpha is negative, or if the key is one of info, which the state
            left does not have.

    Source: see `RecurringNovelty`.
    """

    scaled_by_default = True
    per_transition = True

    def __init__(
        self,
        alpha: float = 0.5,
        mode: Mode = "auto",
        key: Callable[[Observation], np.ndarray] | None = None,
        bits: int = 32,
        capacity: int = 1 << 20,
    ) -> None:
        if not alpha >= 0:
            raise ValueError(f"alpha is {alpha}; it must be 0 or more")
        if isinstance(key, str):
            raise ValueError(
                f"key is {key!r}; a key of info tells the state reached, and this "
                "reward asks for the state left too; give a function of observations"
            )
        self.alpha = alpha
        self.states = Count(mode, key, bits, capacity)

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the spaces, and the seed of the codes."""
        self.states.setup(observation_space, action_space, seed)

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the bonus, `(T, N)` float32."""
        left = self._visits(replace(batch, next_obs=batch.obs))
        reached = self._visits(batch)
        gain = _novelty(reached) - self.alpha * _novelty(left)
        paid = np.where(reached > 0, np.maximum(gain, 0), 0)
        return paid.astype(np.float32).reshape(batch.shape)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Count the states of the batch; return how many are known, and come again."""
        log = self.states.update(batch)
        table = self.states.table
        if table.size >= table.capacity:
            table.prune(2)
        return {**log, "states_recurring": float(table.at_least(2))}

    def state_dict(self) -> dict[str, Any]:
        """Return the counts and the code."""
        return self.states.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.states.load_state_dict(state)

    def _visits(self, batch: Transitions) -> np.ndarray:
        return self.states.table.look_up(self.states.hashes(batch))


class RecurringNovelty(FirstVisit):
    """NovelD that noise cannot feed: novelty of states that are known to come again.

    Formula: `max(nov(s') - alpha * nov(s), 0) * [N(s') > 0] * [n(s') = 1]`, with
    `nov(s) = 1 / sqrt(max(N(s), 1))`, N the visits to s in all batches before this one,
    over all lanes, and n the visits to s' in this episode. `[N(s') > 0]` is what is
    added to NovelD. Written as `FirstVisit(RecurringDifference())`.

    Why: a count, a random network or a distance pays for a state by how unlike the past
    it is, and a screen of noise is unlike anything, for ever. But a place can be found
    again, and a draw of noise cannot. By Good and Turing's estimate a state met r times
    is to be expected as often again as `(r + 1) N_{r+1} / N_r` says, N_r the number of
    states met r times: screens of a television that were met once are many, those met
    twice none. So a first meeting is no evidence of a place to explore, and is not
    paid; the price is that a place pays one batch later.

    What it does not solve: few screens (they come again; they are then counted like
    places, and pay until each was seen often), and noise that is in view all the time
    (no state comes again, and nothing is paid; count a part without it, by `key`). See
    docs/noisy_tv.md.

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`. Memory: 64 bytes
    per state that is counted, and the states of each lane's episode, see
    `episodic.EpisodicCount`.

    Args:
        alpha: Weight of the state left.
        mode: How states are told apart, see `novelty.Count`.
        key: Function of observations, see `novelty.Count`.
        bits: See `novelty.Count`. In a continuous world they say how alike two states
            must be to be the same that came again.
        capacity: States that are counted one by one.

    Source: ours; over Zhang et al. 2021, "NovelD: a simple yet effective exploration
    criterion"; Good 1953, "The population frequencies of species and the estimation of
    population parameters", equation 2.
    """

    scaled_by_default = True

    def __init__(
        self,
        alpha: float = 0.5,
        mode: Mode = "auto",
        key: Callable[[Observation], np.ndarray] | None = None,
        bits: int = 32,
        capacity: int = 1 << 20,
    ) -> None:
        gain = RecurringDifference(alpha, mode, key, bits, capacity)
        super().__init__(gain, mode, key, bits)


def _novelty(visits: np.ndarray) -> np.ndarray:
    """Return `1 / sqrt(visits)`, 1 where there were none."""
    return 1 / np.sqrt(np.maximum(visits, 1))
