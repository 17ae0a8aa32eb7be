"""Read what a world reports per step, with errors that say what is missing."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards.statistics import mean

Mask = Literal["none", "needed", "goal"]
"""Which skills count: all, the goals and their ancestors, or the goals alone."""


def check_mask(mask: str) -> None:
    """Raise `ValueError` if `mask` is no mask."""
    if mask not in get_args(Mask):
        raise ValueError(f"mask is {mask!r}; allowed are {', '.join(get_args(Mask))}")


def read(batch: Transitions, key: str) -> np.ndarray:
    """Return `info[key]`, `(T, N, ...)`.

    Raises:
        ValueError: If the world does not report this key.
    """
    if key in batch.info:
        return np.asarray(batch.info[key])
    known = ", ".join(sorted(batch.info)) or "nothing"
    if key == "needed":
        why = (
            "this world does not show the graph, so which skills the goals need is "
            "unknown; use mask='none' or 'goal', or a world with its graph shown"
        )
    else:
        why = "choose a world that reports it, or another intrinsic reward"
    raise ValueError(f"info has no {key!r} (it has {known}): {why}")


def belief_entropy(batch: Transitions) -> float:
    """Return the entropy of the belief in a skill after the last step, in nats.

    `-b ln b - (1 - b) ln(1 - b)`, averaged over skills and lanes.

    Raises:
        ValueError: If the world reports no belief.
    """
    belief = np.clip(read(batch, "belief")[-1].astype(np.float64), 1e-12, 1 - 1e-12)
    odds_on = belief * np.log(belief) + (1 - belief) * np.log1p(-belief)
    return mean(-odds_on)


def keep(batch: Transitions, mask: Mask) -> np.ndarray | None:
    """Return which skills count, `(T, N, A)` bool; None where all do.

    Where the world reports probabilities, those: how much each skill counts.

    Raises:
        ValueError: If the world does not report the mask.
    """
    if mask == "none":
        return None
    kept = read(batch, mask)
    return kept if kept.dtype.kind == "f" else kept.astype(bool)
