"""Pay late: for steps whose bonus nobody asks for before the reward has learnt."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from curiosity_rl.adapters.paying import Payer, check_given, join, pay
from curiosity_rl.protocols import Transitions


class LatePayer(Payer):
    """Computes the bonus of `update_every` steps at once, right before it learns them.

    By the contract of rewards that gives the numbers of paying step by step, at the
    price of one call. `pay` returns zeros, but refuses at once what is not finite. For
    rewards that are functions of the transition alone: they are shown no info.
    """

    def pay(self, step: Transitions) -> np.ndarray:
        """Take one step of all lanes; now and then, pay and learn.

        Raises:
            ValueError: See `paying.pay`.
        """
        check_given(step, self.steps)
        self.steps += 1
        self._collected.append(step)
        if len(self._collected) >= self.update_every:
            steps, self._collected = self._collected, []
            batch = replace(join(steps), info={})
            start = time.perf_counter()
            bonus = pay(self.reward, batch, self.steps - len(steps))
            self.paid = bonus, batch.reward
            self.metrics = {**self.metrics, **self.reward.update(batch)}
            self.seconds += time.perf_counter() - start
        return np.zeros(step.shape[1], np.float32)
