"""Novelty: pay for states that were seen seldom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np

from curiosity_rl.protocols import Observation, Transitions
from curiosity_rl.rewards.hashing import CountTable, hash_batch, hash_rows
from curiosity_rl.rewards.observations import flatten, is_discrete
from curiosity_rl.rewards.simhash import SimHash
from curiosity_rl.rewards.world_info import read

Mode = Literal["auto", "exact", "simhash"]


class Count:
    """Count-based novelty of the state reached.

    Formula: `1 / sqrt(n(s') + 1)`, `n` the visits to s' counted BEFORE this batch: a
    first visit pays 1, and so does every visit of a batch to a state that is new to it
    (`compute` never learns). `update` then counts the batch. s' is the true next
    observation, also where the episode ends. Counts are lifelong, over all lanes.

    What is counted:

    * `exact`: the observation itself, or `key`.
    * `simhash`: a code of `bits` random signs, drawn by the seed of `setup` (0 without
      it), which similar observations share; see `simhash.SimHash`.
    * `auto`: `exact` for discrete observations or a key, else `simhash`.

    With `actions`, n(s, a) takes the place of n(s'): how often this action was taken in
    this state. Then even where all actions lead on to states that are known, or to one
    and the same, each must be tried.

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`.

    Args:
        mode: See above.
        key: Count this instead of the observation: a key of info, `(T, N, ...)`, or a
            function from next observations `(T, N, ...)` to whatever counts as the
            same state, `(T, N, ...)`.
        bits: Length of the code of `simhash`, 1 to 64.
        capacity: States that are counted one by one; later ones share counts, see
            `hashing.CountTable`. Memory: at most 64 bytes each.
        actions: Count discrete actions in the state left; the key is then a function.

    Source: Tang et al. 2017, "#Exploration", equation 1 and algorithm 1, with
    beta = 1 and counts frozen during a batch; Strehl and Littman 2008, "An analysis of
    model-based interval estimation" (MBIE-EB), which counts n(s, a).
    """

    scaled_by_default = True

    def __init__(
        self,
        mode: Mode = "auto",
        key: str | Callable[[Observation], np.ndarray] | None = None,
        bits: int = 32,
        capacity: int = 1 << 20,
        actions: bool = False,
    ) -> None:
        if mode not in get_args(Mode):
            raise ValueError(f"mode is {mode!r}; allowed: {', '.join(get_args(Mode))}")
        if not 1 <= bits <= 64:
            raise ValueError(f"bits is {bits}; it must lie in 1..64")
        if key is not None and mode == "simhash":
            raise ValueError("mode='simhash' and a key: a key is counted exactly")
        if actions and isinstance(key, str):
            raise ValueError(
                f"key={key!r} and actions: a key of info tells the state reached, and "
                "actions are taken in the state left; give a function for a key"
            )
        self.mode: Mode = mode
        self.key = key
        self.actions = actions
        self.code = SimHash(bits)
        self.table = CountTable(capacity)
        self._space: Any = None
        self._action_space: Any = None
        self._last: tuple[Transitions, np.ndarray] | None = None

    @property
    def per_transition(self) -> bool:
        """Whether no key of info is needed."""
        return not isinstance(self.key, str)

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the spaces, and the seed of the codes."""
        self._space, self._action_space = observation_space, action_space
        self.code.setup(observation_space, seed)

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the novelty, `(T, N)` float32.

        Raises:
            ValueError: If the world does not report the key.
        """
        hashes = self.hashes(batch)
        self._last = (batch, hashes)  # update wants the same again
        visits = self.table.look_up(hashes)
        return (1 / np.sqrt(visits + 1)).astype(np.float32).reshape(batch.shape)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Count the states of the batch; return how many are known."""
        if self.measure(batch):
            self._last = None
        last, self._last = self._last, None
        if last is not None and last[0] is batch:
            self.table.add(last[1])
        else:
            self.table.add(self.hashes(batch))
        return {"states_counted": float(self.table.size)}

    def state_dict(self) -> dict[str, Any]:
        """Return the counts and the code."""
        return {"table": self.table.state_dict(), "code": self.code.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.table.load_state_dict(state["table"])
        self.code.load_state_dict(state["code"])
        self._last = None

    def hashes(self, batch: Transitions) -> np.ndarray:
        """Return a hash of what is counted, `(T * N,)` uint64.

        Without `actions` it needs next_obs only.

        Raises:
            ValueError: If the world does not report the key, or if actions that are no
                whole numbers are to be counted.
        """
        if isinstance(self.key, str):
            return hash_batch(read(batch, self.key))
        counted = self._counted(batch)
        if self.key is not None:
            states = hash_batch(self.key(counted))
        elif self._exact(batch):
            states = hash_batch(counted)
        else:
            states = self.code.hashes(flatten(counted, self._space))
        if not self.actions:
            return states
        if not is_discrete(batch.action, self._action_space):
            raise ValueError(
                "actions=True counts actions, so they must be discrete, and these are "
                "a Box; leave it out to count states alone"
            )
        return hash_rows(np.stack([states, hash_batch(batch.action)], 1))

    def measure(self, batch: Transitions) -> bool:
        """Let the code measure its first observations; return if hashes changed."""
        if self.key is not None or self.code.measured or self._exact(batch):
            return False
        return self.code.measure(flatten(self._counted(batch), self._space))

    def _counted(self, batch: Transitions) -> Observation:
        return batch.obs if self.actions else batch.next_obs

    def _exact(self, batch: Transitions) -> bool:
        discrete = self.mode == "auto" and is_discrete(batch.next_obs, self._space)
        return self.mode == "exact" or discrete
