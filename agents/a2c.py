"""A2C with two reward streams: one value head each, one policy."""

from __future__ import annotations

from stable_baselines3 import A2C

from curiosity_rl.agents.on_policy import IntrinsicOnPolicy


class IntrinsicA2C(IntrinsicOnPolicy, A2C):
    """A2C for an extrinsic and an intrinsic reward; see `IntrinsicOnPolicy`.

    A2C's rollouts are short (5 steps unless `n_steps` says more), and the reward learns
    once per rollout: it takes more, smaller steps than under `IntrinsicPPO`.
    """
