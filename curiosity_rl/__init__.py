"""Sparse-reward worlds and intrinsic rewards for Stable-Baselines3.

Importing this package registers its worlds with Gymnasium; it imports neither torch,
numba nor Stable-Baselines3.
"""

from __future__ import annotations

from typing import Any

from curiosity_rl.protocols import ActivityLayout, IntrinsicReward, Transitions
from curiosity_rl.registry import register_worlds

__version__ = "0.1.0"
__all__ = ["ActivityLayout", "IntrinsicReward", "Transitions", "make_reward"]


def make_reward(name: str, **kwargs: Any) -> IntrinsicReward:
    """Build an intrinsic reward by its short name; see `curiosity_rl.rewards`."""
    from curiosity_rl.rewards import make_reward as make

    return make(name, **kwargs)


register_worlds()
