"""Pay late: for steps whose bonus nobody asks for before the reward has learnt."""

from __future__ import annotations

from typing import Any

import numpy as np

from curiosity_rl.adapters.arrays import join_obs
from curiosity_rl.adapters.paying import Payer, pay
from curiosity_rl.protocols import Transitions

_FIELDS = ("obs", "action", "reward", "next_obs", "terminated", "truncated")


class LatePayer(Payer):
    """Computes the bonus of `update_every` steps at once, right before it learns them.

    By the contract of rewards that gives the numbers of paying step by step, at the
    price of one call. `pay` returns zeros, but refuses at once what is not finite. For
    rewards that are functions of the transition alone: they are shown no info.

    Attributes:
        bonus_mean: Mean bonus of the steps that were learnt last.
    """

    bonus_mean = 0.0

    def pay(self, step: Transitions) -> np.ndarray:
        """Take one step of all lanes; now and then, pay and learn.

        Raises:
            ValueError: See `paying.pay`.
        """
        nothing = pay(_Nothing(), step, self.steps)[0]
        self.steps += 1
        self._collected.append(step)
        if len(self._collected) >= self.update_every:
            steps, self._collected = self._collected, []
            parts: dict[str, Any] = {
                name: join_obs([getattr(step, name) for step in steps])
                for name in _FIELDS
            }
            batch = Transitions(**parts)
            bonus = pay(self.reward, batch, self.steps - len(steps))
            self.bonus_mean = float(bonus.mean())
            self.metrics = {**self.metrics, **self.reward.update(batch)}
        return nothing


class _Nothing:
    """Pays nothing, so that only what it is shown is checked."""

    def compute(self, batch: Transitions) -> np.ndarray:
        return np.zeros(batch.shape, np.float32)

    def update(self, batch: Transitions) -> dict[str, float]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
