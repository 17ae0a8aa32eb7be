"""Two reward streams: a second value head and a second return.

The `train` methods of Stable-Baselines3's on-policy algorithms flatten values and
returns before they compare them. A policy whose values are `(B, 2)` and a buffer whose
returns are `(B, 2)` therefore train both heads without a copied line.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import nn


class ValueHeads(nn.Module):
    """The policy's own value head beside a fresh copy of it: `(B, 2)`."""

    def __init__(self, extrinsic: nn.Module, intrinsic: nn.Module) -> None:
        super().__init__()
        self.extrinsic, self.intrinsic = extrinsic, intrinsic

    def forward(self, latent: th.Tensor) -> th.Tensor:
        """Return both values, extrinsic first."""
        return th.cat([self.extrinsic(latent), self.intrinsic(latent)], dim=-1)


class TwoHeads(ActorCriticPolicy):
    """Mixin: the policy's value net predicts an extrinsic and an intrinsic value.

    `forward` and `evaluate_actions` return both, `(B, 2)`; `predict_values`, with which
    SB3 bootstraps the extrinsic return, only the extrinsic one, `(B, 1)`.
    """

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        intrinsic = copy.deepcopy(self.value_net)
        # Forked, so that everything drawn after this is as without a second head.
        with th.random.fork_rng(devices=[]):
            intrinsic.apply(self._draw_anew)
        heads: Any = ValueHeads(self.value_net, intrinsic)  # SB3 declares a Linear
        self.value_net = heads
        optimizer: Any = self.optimizer_class  # torch's base class knows of no lr
        self.optimizer = optimizer(
            self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs
        )

    def _draw_anew(self, module: nn.Module) -> None:
        if self.ortho_init and isinstance(module, nn.Linear | nn.Conv2d):
            self.init_weights(module, gain=1)
        else:
            reset: Any = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()

    def predict_values(self, obs: PyTorchObs, *memory: Any) -> th.Tensor:
        """Return the extrinsic values, `(B, 1)`."""
        return self.predict_both_values(obs, *memory)[:, :1]

    def predict_both_values(self, obs: PyTorchObs, *memory: Any) -> th.Tensor:
        """Return extrinsic and intrinsic values, `(B, 2)`.

        Args:
            obs: Observations.
            *memory: What the critic takes besides: nothing, unless it is recurrent.
        """
        return super().predict_values(obs, *memory)


class TwoStreams(RolloutBuffer):
    """Mixin: a rollout buffer that also holds the values of the intrinsic stream.

    Attributes:
        values_int: Intrinsic values, `(T, N)`.
        hide_extrinsic: Store 0 in place of every extrinsic reward.
        add_stream: Called with the buffer once its extrinsic returns and advantages
            are there; expected to call `mix`.
    """

    values_int: np.ndarray
    hide_extrinsic: bool = False
    add_stream: Callable[[TwoStreams], None] | None = None

    def reset(self) -> None:
        """Empty both streams."""
        super().reset()
        self.values_int = np.zeros_like(self.values)

    def add(
        self,
        obs: Any,
        action: np.ndarray,
        reward: np.ndarray,
        episode_start: np.ndarray,
        value: th.Tensor,
        log_prob: th.Tensor,
        **memory: Any,
    ) -> None:
        """Add one step; `value` holds both heads, `(N, 2)`."""
        self.values_int[self.pos] = value[:, 1].cpu().numpy()
        if self.hide_extrinsic:
            reward = np.zeros_like(reward)
        super().add(
            obs, action, reward, episode_start, value[:, :1], log_prob, **memory
        )

    def compute_returns_and_advantage(
        self, last_values: th.Tensor, dones: np.ndarray
    ) -> None:
        """Compute the extrinsic stream as SB3 does, then add the intrinsic one."""
        with np.errstate(invalid="ignore"):  # `add_stream` names what is not finite
            super().compute_returns_and_advantage(last_values, dones)
        if self.add_stream is not None:
            self.add_stream(self)

    def mix(self, advantages: np.ndarray, advantages_int: np.ndarray) -> None:
        """Set the policy's advantages, and both heads' values and returns `(T, N, 2)`.

        Args:
            advantages: What the policy follows, `(T, N)`.
            advantages_int: Advantages of the intrinsic stream alone, `(T, N)`.
        """
        self.advantages = advantages
        returns_int = advantages_int + self.values_int
        self.values = np.stack([self.values, self.values_int], axis=-1)
        self.returns = np.stack([self.returns, returns_int], axis=-1)


@cache
def two_headed(
    policy: type[ActorCriticPolicy], heads: type[TwoHeads] = TwoHeads
) -> type[TwoHeads]:
    """Return the variant of a policy class with two value heads."""
    if issubclass(policy, heads):
        return policy
    return type(
        f"TwoHeaded{policy.__name__}", (heads, policy), {"__module__": __name__}
    )


@cache
def two_streamed(
    buffer: type[RolloutBuffer], streams: type[TwoStreams] = TwoStreams
) -> type[TwoStreams]:
    """Return the variant of a rollout buffer class with two streams."""
    if issubclass(buffer, streams):
        return buffer
    return type(
        f"TwoStream{buffer.__name__}", (streams, buffer), {"__module__": __name__}
    )


def gae(
    rewards: np.ndarray,
    values: np.ndarray,
    next_values: np.ndarray,
    goes_on: np.ndarray,
    gamma: float,
    lam: float,
) -> np.ndarray:
    """Generalised advantage estimation (Schulman et al. 2016, equation 16).

    `A_t = d_t + gamma lam goes_on_t A_{t+1}`, `d_t = r_t + gamma v'_t - v_t`.

    Args:
        rewards: `(T, N)`.
        values: Value of each transition's first observation, `(T, N)`.
        next_values: Value of what follows it, `(T, N)`; 0 where nothing does.
        goes_on: Whether the return runs on into the next row, `(T, N)`.
        gamma: Discount.
        lam: Lambda.

    Returns:
        Advantages, `(T, N)`.
    """
    deltas = rewards + gamma * next_values - values
    decay = np.asarray(gamma * lam * goes_on, deltas.dtype)
    advantages = np.empty_like(deltas)
    running = np.zeros_like(deltas[0])
    for step in reversed(range(len(deltas))):
        running = deltas[step] + decay[step] * running
        advantages[step] = running
    return advantages
