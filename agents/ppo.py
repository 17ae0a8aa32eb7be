"""PPO with two reward streams: one value head each, one policy."""

from __future__ import annotations

from stable_baselines3 import PPO

from curiosity_rl.agents.on_policy import IntrinsicOnPolicy


class IntrinsicPPO(IntrinsicOnPolicy, PPO):
    """PPO for an extrinsic and an intrinsic reward; see `IntrinsicOnPolicy`."""
