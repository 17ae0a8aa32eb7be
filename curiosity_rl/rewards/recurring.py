"""Novelty of what comes again: a state met once may be noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np

from curiosity_rl.protocols import Observation, Transitions
from curiosity_rl.rewards.gates import FirstVisit
from curiosity_rl.rewards.hashing import CountTable, hash_batch, hash_rows
from curiosity_rl.rewards.novelty import Count, Mode
from curiosity_rl.rewards.observations import is_discrete

Repeat = Literal["state", "transition"]


class RecurringDifference:
    """Difference of count novelties, as far as it is known to come again.

    Formula: `p * max(nov(s') - alpha * nov(s), 0)`, with `nov(s) = 1 / sqrt(max(N(s),
    1))`; p is `[N(s') > 0]`, or with `repeat="transition"` it is `n(s, a, s') /
    n(s, a)`, 0 where (s, a) was never tried. All counts are those BEFORE this batch.

    Where one of the tables is full, all that was met once only is forgotten: noise
    fills them with such. Where nothing can be forgotten, what is new pays nothing.

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`. Memory: three
    tables as of `novelty.Count`.

    Args:
        alpha: Weight of the state left.
        repeat: What must have come before, see `RecurringNovelty`.
        mode: See `novelty.Count`.
        key: Function of observations, see `novelty.Count`.
        bits: See `novelty.Count`.
        capacity: States, and transitions, that are counted one by one.

    Raises:
        ValueError: If alpha is negative, if `repeat` is unknown, or if the key is one
            of info, which the state left does not have.

    Source: see `RecurringNovelty`.
    """

    scaled_by_default = True
    per_transition = True

    def __init__(
        self,
        alpha: float = 0.5,
        repeat: Repeat = "state",
        mode: Mode = "auto",
        key: Callable[[Observation], np.ndarray] | None = None,
        bits: int = 32,
        capacity: int = 1 << 20,
    ) -> None:
        if not alpha >= 0:
            raise ValueError(f"alpha is {alpha}; it must be 0 or more")
        if repeat not in get_args(Repeat):
            raise ValueError(
                f"repeat is {repeat!r}; allowed are {', '.join(get_args(Repeat))}"
            )
        if isinstance(key, str):
            raise ValueError(
                f"key is {key!r}; a key of info tells the state reached, and this "
                "reward asks for the state left too; give a function of observations"
            )
        self.alpha = alpha
        self.repeat: Repeat = repeat
        self.states = Count(mode, key, bits, capacity)
        self.tried = CountTable(capacity)  # (s, a)
        self.led = CountTable(capacity)  # (s, a, s')
        self._action_space: Any = None

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the spaces, and the seed of the codes."""
        self.states.setup(observation_space, action_space, seed)
        self._action_space = action_space

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the bonus, `(T, N)` float32."""
        left, reached = self._states(batch)
        visits = self.states.table.look_up(reached)
        gain = _novelty(visits) - self.alpha * _novelty(self.states.table.look_up(left))
        if self.repeat == "state":
            share = (visits > 0).astype(np.float64)
        else:
            tried, led = self._transitions(batch, left, reached)
            share = self.led.look_up(led) / np.maximum(self.tried.look_up(tried), 1)
        paid = share * np.maximum(gain, 0)
        return paid.astype(np.float32).reshape(batch.shape)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Count the batch; return how many states are known, and come again."""
        log = self.states.update(batch)
        tables = [self.states.table]
        if self.repeat == "transition":
            tried, led = self._transitions(batch, *self._states(batch))
            self.tried.add(tried)
            self.led.add(led)
            tables += [self.tried, self.led]
        if any(table.size >= table.capacity for table in tables):
            for table in tables:  # all of them, so that no part exceeds its whole
                table.prune(2)
        recurring = float(self.states.table.at_least(2))
        return {**log, "states_recurring": recurring}

    def state_dict(self) -> dict[str, Any]:
        """Return the counts and the code."""
        return {
            "states": self.states.state_dict(),
            "tried": self.tried.state_dict(),
            "led": self.led.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.states.load_state_dict(state["states"])
        self.tried.load_state_dict(state["tried"])
        self.led.load_state_dict(state["led"])

    def _states(self, batch: Transitions) -> tuple[np.ndarray, np.ndarray]:
        """Return hashes of s and s', each `(T * N,)`."""
        left = self.states.hashes(replace(batch, next_obs=batch.obs))
        return left, self.states.hashes(batch)

    def _transitions(
        self, batch: Transitions, left: np.ndarray, reached: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return hashes of (s, a) and (s, a, s'), each `(T * N,)`, given `_states`."""
        tried = left
        if is_discrete(batch.action, self._action_space):
            tried = hash_rows(np.stack([left, hash_batch(batch.action)], 1))
        return tried, hash_rows(np.stack([tried, reached], 1))


class RecurringNovelty(FirstVisit):
    """NovelD that noise cannot feed: novelty of what is known to come again.

    Formula: `p * max(nov(s') - alpha * nov(s), 0) * [n(s') = 1]`, with `nov(s) =
    1 / sqrt(max(N(s), 1))`, N the visits to s in all batches before this one, over all
    lanes, and n the visits to s' in this episode. p is what is added to NovelD, of the
    same batches before:

    * `state`: `[N(s') > 0]`, whether s' was ever met.
    * `transition`: `n(s, a, s') / n(s, a)`, how often the action led there from here; 0
      where it was never tried. Actions that are not discrete are left out of it.

    Written as `FirstVisit(RecurringDifference())`.

    Why: counts, random networks and distances pay for a state by how unlike the past
    it is, and a screen of noise is unlike anything, for ever. But a way to a place can
    be gone again, and a draw of noise cannot be had again. By Good and Turing's
    estimate what was met r times is to be expected `(r + 1) N_{r+1} / N_r` times in as
    long a time again, N_r the number of things met r times: of the screens of a
    television many were met once, none twice. So a first meeting is no evidence of
    anything to explore, and is not paid. The price is that a place pays one batch late.

    Of few screens (thousands) many come again, and `state` takes them for places;
    `transition` goes on to ask whether watching leads to this screen, which it does one
    time in as many as there are. For the same reason `transition` pays little where
    maps are drawn anew each episode and a door may open on anything.

    What neither solves: noise that is in view all the time. No state comes again, and
    nothing is paid; count a part without it, by `key`. See docs/noisy_tv.md.

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`. Memory: 64 bytes
    per state and per transition that is counted, twice, and the states of each lane's
    episode, see `episodic.EpisodicCount`.

    Args:
        alpha: Weight of the state left.
        repeat: What p is, see above.
        mode: How states are told apart, see `novelty.Count`.
        key: Function of observations, see `novelty.Count`.
        bits: See `novelty.Count`. In a continuous world they say how alike two states
            must be to be the same that came again.
        capacity: States, and transitions, that are counted one by one.

    Source: ours; over Zhang et al. 2021, "NovelD: a simple yet effective exploration
    criterion"; Good 1953, "The population frequencies of species and the estimation of
    population parameters", equation 2.
    """

    scaled_by_default = True

    def __init__(
        self,
        alpha: float = 0.5,
        repeat: Repeat = "state",
        mode: Mode = "auto",
        key: Callable[[Observation], np.ndarray] | None = None,
        bits: int = 32,
        capacity: int = 1 << 20,
    ) -> None:
        gain = RecurringDifference(alpha, repeat, mode, key, bits, capacity)
        super().__init__(gain, mode, key, bits)


def _novelty(visits: np.ndarray) -> np.ndarray:
    """Return `1 / sqrt(visits)`, 1 where there were none."""
    return 1 / np.sqrt(np.maximum(visits, 1))
