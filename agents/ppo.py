"""PPO with two reward streams: one value head each, one policy."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import DictRolloutBuffer, RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import GymEnv
from stable_baselines3.common.utils import explained_variance, obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv

from curiosity_rl.adapters.intrinsic import pay, set_up
from curiosity_rl.adapters.transitions import TransitionRecorder
from curiosity_rl.agents.two_streams import (
    TwoHeads,
    TwoStreams,
    gae,
    two_headed,
    two_streamed,
)
from curiosity_rl.protocols import IntrinsicReward, Transitions


class IntrinsicPPO(PPO):
    """PPO that maximises `extrinsic_coef * extrinsic + coef * intrinsic` returns.

    The bonus is computed once per rollout, in one batch, on the true transitions. Each
    stream has its own value head, discount and GAE; the policy follows

        A = extrinsic_coef * A_ext + coef * A_int

    (Burda et al. 2019, "Exploration by Random Network Distillation", section 2.3).
    With `coef=0` or no reward this is stock PPO, bit for bit. The value loss is the sum
    of both heads' losses, each weighted by `vf_coef` as in stock PPO.

    The environment is wrapped in a `TransitionRecorder`, outermost, so the bonus sees
    the observations that the policy sees (under `VecNormalize` the normalised ones).
    Monitors stay inside: `rollout/ep_rew_mean` is extrinsic.

    Logged besides PPO's own: `rollout/intrinsic_reward_mean`, `_std`, `_share` (of the
    total absolute reward), `train/explained_variance` (extrinsic) and
    `train/explained_variance_intrinsic`, and under `intrinsic/` whatever the reward's
    `update` returns.

    `save` leaves the reward out; load with `IntrinsicPPO.load(path, intrinsic=reward)`.
    """

    def __init__(
        self,
        policy: str | type[ActorCriticPolicy],
        env: GymEnv | str,
        *args: Any,
        intrinsic: IntrinsicReward | None = None,
        coef: float = 1.0,
        extrinsic_coef: float = 1.0,
        gamma_int: float = 0.99,
        gae_lambda_int: float | None = None,
        episodic_intrinsic: bool = True,
        normalize_streams: bool = False,
        _init_setup_model: bool = True,
        **kwargs: Any,
    ) -> None:
        """Build the algorithm; all other arguments are those of `PPO`.

        Args:
            policy: As in `PPO`; any `ActorCriticPolicy`.
            env: As in `PPO`.
            *args: As in `PPO`.
            intrinsic: The bonus. Its `setup`, if it has one, is called here.
            coef: Weight of the intrinsic advantage.
            extrinsic_coef: Weight of the extrinsic advantage. 0 hides the extrinsic
                reward from the policy and from its value head.
            gamma_int: Discount of the intrinsic stream.
            gae_lambda_int: GAE lambda of the intrinsic stream; None: `gae_lambda`.
            episodic_intrinsic: True ends the intrinsic return with the episode (and
                bootstraps it at a time limit). False lets it run on across resets.
            normalize_streams: Standardise both advantage streams over each rollout
                before they are weighted. A stream without signal then becomes noise of
                full size: not for rewards that are almost never seen.
            _init_setup_model: As in `PPO`.
            **kwargs: As in `PPO`.

        Raises:
            ValueError: If a weight or a discount is out of range, or if
                `extrinsic_coef` is given without an intrinsic stream.
        """
        super().__init__(policy, env, *args, _init_setup_model=False, **kwargs)
        self.intrinsic = intrinsic
        self.coef, self.extrinsic_coef = coef, extrinsic_coef
        self.gamma_int, self.gae_lambda_int = gamma_int, gae_lambda_int
        self.episodic_intrinsic = episodic_intrinsic
        self.normalize_streams = normalize_streams
        self.two_heads = intrinsic is not None and coef != 0
        for name in ("coef", "extrinsic_coef"):
            if not getattr(self, name) >= 0:
                raise ValueError(
                    f"{name} must be 0 or positive, got {getattr(self, name)}"
                )
        for name in ("gamma_int", "gae_lambda_int"):
            if not 0 <= (getattr(self, name) or 0) <= 1:
                raise ValueError(f"{name} must lie in 0..1, got {getattr(self, name)}")
        if not self.two_heads and extrinsic_coef != 1:
            raise ValueError(
                f"extrinsic_coef={extrinsic_coef} needs a second reward to be weighed "
                "against; pass intrinsic=... and coef > 0, or leave extrinsic_coef at 1"
            )
        if _init_setup_model:
            self._setup_model()

    def _setup_model(self) -> None:
        if not self.two_heads:
            super()._setup_model()
            return
        chosen = self.policy_class, self.rollout_buffer_class
        is_dict = isinstance(self.observation_space, spaces.Dict)
        default = DictRolloutBuffer if is_dict else RolloutBuffer
        self.policy_class = two_headed(self.policy_class)  # type: ignore[arg-type]
        self.rollout_buffer_class = two_streamed(self.rollout_buffer_class or default)
        super()._setup_model()
        # `save` writes the user's classes: those can be imported anywhere.
        self.policy_class, self.rollout_buffer_class = chosen
        assert isinstance(self.rollout_buffer, TwoStreams)
        self.rollout_buffer.hide_extrinsic = self.extrinsic_coef == 0
        self.rollout_buffer.add_stream = self._add_stream
        self._record()
        if self.intrinsic is not None:
            seed = 0 if self.seed is None else self.seed
            set_up(self.intrinsic, self.observation_space, self.action_space, seed)

    def set_env(self, env: GymEnv, force_reset: bool = True) -> None:
        """Use another environment; see `PPO`."""
        super().set_env(env, force_reset)
        if self.two_heads:
            self._record()

    def _record(self) -> None:
        if self.env is not None and not isinstance(self.env, TransitionRecorder):
            self.env = TransitionRecorder(self.env)

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """Collect a rollout as `PPO`; the buffer adds the bonus at its end.

        Raises:
            ValueError: If the model was loaded without its intrinsic reward.
        """
        if self.two_heads:
            if self.intrinsic is None:
                raise ValueError(
                    "this model learns with an intrinsic reward, which its file does "
                    "not hold; load it with IntrinsicPPO.load(path, env, "
                    "intrinsic=reward), or only predict with it"
                )
            assert isinstance(env, TransitionRecorder)
            # A callback may have broken the last rollout off, or a checkpoint may
            # have set the observations.
            env.clear(self._last_obs)
        return super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps)

    def _add_stream(self, buffer: TwoStreams) -> None:
        """Pay the bonus of the rollout and add its advantages to the policy's."""
        assert self.intrinsic is not None
        assert isinstance(self.env, TransitionRecorder)
        batch = self.env.drain()
        bonus = pay(self.intrinsic, batch)
        for key, value in self.intrinsic.update(batch).items():
            self.logger.record(f"intrinsic/{key}", value)
        self._log_bonus(bonus, batch.reward)
        lam = self.gae_lambda if self.gae_lambda_int is None else self.gae_lambda_int
        advantages_int = gae(
            bonus,
            buffer.values_int,
            self._next_values(buffer.values_int, batch),
            ~batch.done if self.episodic_intrinsic else np.ones_like(batch.done),
            self.gamma_int,
            lam,
        )
        extrinsic, intrinsic = buffer.advantages, advantages_int
        if self.normalize_streams:
            extrinsic, intrinsic = _standardise(extrinsic), _standardise(intrinsic)
        mixed = self.extrinsic_coef * extrinsic + self.coef * intrinsic
        buffer.mix(mixed.astype(np.float32), advantages_int)

    def _next_values(self, values: np.ndarray, batch: Transitions) -> np.ndarray:
        """Intrinsic value of what follows each transition, `(T, N)`."""
        last = self._intrinsic_values(self._last_obs)
        following = np.concatenate([values[1:], last[None]])
        if self.episodic_intrinsic:
            following[batch.terminated] = 0.0
            cut = batch.truncated
            if cut.any():
                following[cut] = self._intrinsic_values(_at(batch.next_obs, cut))
        return following

    def _intrinsic_values(self, obs: Any) -> np.ndarray:
        """Predict intrinsic values, `(B,)`."""
        assert isinstance(self.policy, TwoHeads)
        with th.no_grad():
            values = self.policy.predict_both_values(obs_as_tensor(obs, self.device))
        return values[:, 1].cpu().numpy()

    def _log_bonus(self, bonus: np.ndarray, extrinsic: np.ndarray) -> None:
        paid = self.coef * float(np.abs(bonus).sum())
        total = paid + self.extrinsic_coef * float(np.abs(extrinsic).sum())
        self.logger.record("rollout/intrinsic_reward_mean", float(bonus.mean()))
        self.logger.record("rollout/intrinsic_reward_std", float(bonus.std()))
        share = paid / total if total > 0 else 0.0
        self.logger.record("rollout/intrinsic_reward_share", share)

    def train(self) -> None:
        """Update the policy and both value heads from the rollout."""
        if not self.two_heads:
            super().train()
            return
        # PPO averages the squared errors over the values of both heads, which halves
        # each head's; doubled, the extrinsic gradient is that of stock PPO.
        self.vf_coef *= 2
        try:
            super().train()
        finally:
            self.vf_coef /= 2
        values, returns = self.rollout_buffer.values, self.rollout_buffer.returns
        for head, name in enumerate(("", "_intrinsic")):
            explained = explained_variance(values[:, head], returns[:, head])
            self.logger.record(f"train/explained_variance{name}", explained)
        mean_loss = self.logger.name_to_value["train/value_loss"]
        self.logger.record("train/value_loss", 2 * mean_loss)  # sum over the heads

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "intrinsic"]


def _standardise(advantages: np.ndarray) -> np.ndarray:
    """Shift and scale to mean 0 and deviation 1 over the rollout."""
    return (advantages - advantages.mean()) / (advantages.std() + 1e-8)


def _at(obs: Any, pick: np.ndarray) -> Any:
    """Pick observations `(B, ...)` by a mask `(T, N)`."""
    if isinstance(obs, dict):
        return {key: value[pick] for key, value in obs.items()}
    return obs[pick]
