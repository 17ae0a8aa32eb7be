"""Information gain: how much an answer has taught the tutor about the pupil."""

from __future__ import annotations

from typing import Any

import numpy as np

from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards.world_info import Mask, check_mask, keep, read

FLOOR = 1e-3


class BeliefGain:
    """Information gain about the pupil: KL of the new belief from the old, in nats.

    Formula: `sum_k m_k KL(Bernoulli(b'_k) || Bernoulli(b_k))` with
    `KL = b' ln(b'/b) + (1 - b') ln((1 - b')/(1 - b))`, both beliefs clipped to
    [.001, .999]. It is never negative, so it goes on paying for slips on mastered
    skills and, less, for coin flips.

    Shapes: `info["belief_before"]` and `info["belief"]` `(T, N, A)`; the mask
    `info["needed"]` or `info["goal"]` `(T, N, A)`; bonus `(T, N)`. Stateless.

    Source: Houthooft et al. 2016, "VIME", equation 2, on a Bernoulli belief; Lindley
    1956, "On a measure of the information provided by an experiment".
    """

    scaled_by_default = False

    def __init__(self, mask: Mask = "none") -> None:
        check_mask(mask)
        self.mask: Mask = mask

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the gain, `(T, N)` float32.

        Raises:
            ValueError: If the world reports no belief or not the mask.
        """
        old = np.clip(read(batch, "belief_before"), FLOOR, 1 - FLOOR)
        new = np.clip(read(batch, "belief"), FLOOR, 1 - FLOOR)
        changed = old != new  # an answer moves few skills: save the logarithms
        kept = keep(batch, self.mask)
        if kept is not None:
            changed &= kept
        # float64: the two terms cancel where the belief moves little
        p, q = new[changed].astype(np.float64), old[changed].astype(np.float64)
        gain = np.zeros(old.shape, np.float32)
        divergence = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
        gain[changed] = np.maximum(divergence, 0)  # rounding may dip below
        return gain.sum(-1)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Learn nothing: the belief is the world's."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: there is no state."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore nothing."""
