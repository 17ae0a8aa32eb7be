"""A Stable-Baselines3 `VecEnvWrapper` that adds an intrinsic reward at every step."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import (
    VecEnv,
    VecEnvWrapper,
    VecNormalize,
    is_vecenv_wrapped,
)
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from curiosity_rl.adapters.transitions import TransitionRecorder
from curiosity_rl.protocols import IntrinsicReward, Transitions


class IntrinsicVecEnv(VecEnvWrapper):
    """Pays `reward + coef * bonus`, for every SB3 and sb3-contrib algorithm.

    Each step is one batch with `T = 1`: `compute`, then `update`. The bonus of a lane
    stands in `info["intrinsic_reward"]`, unscaled; `metrics` holds what `update`
    returned last. Put `VecMonitor` (or `Monitor`) inside, so that episode returns stay
    extrinsic.

    With `VecNormalize`: inside of it the sum of both rewards is normalised, and every
    algorithm works; that is the order to use. Outside of it the bonus sees normalised
    observations and stays unscaled, which is right for on-policy algorithms; off-policy
    ones store the reward from before `VecNormalize` and so lose the bonus (a warning
    says so).
    """

    def __init__(
        self,
        venv: VecEnv,
        reward: IntrinsicReward,
        coef: float = 1.0,
        extrinsic: bool = True,
        seed: int = 0,
    ) -> None:
        """Wrap `venv`.

        Args:
            venv: Environment to wrap.
            reward: The bonus; its `setup` is called if it has one.
            coef: Weight of the bonus.
            extrinsic: False turns the reward of the world off.
            seed: Seed for the reward's networks, passed to `setup`.
        """
        if is_vecenv_wrapped(venv, VecNormalize):
            warnings.warn(
                "IntrinsicVecEnv stands outside VecNormalize: an off-policy algorithm "
                "would drop the bonus; use VecNormalize(IntrinsicVecEnv(...)) for it",
                stacklevel=2,
            )
        self.recorder = TransitionRecorder(venv)
        super().__init__(self.recorder)
        self.reward, self.coef, self.extrinsic = reward, coef, extrinsic
        self.metrics: dict[str, float] = {}
        set_up(reward, self.observation_space, self.action_space, seed)

    def reset(self) -> VecEnvObs:
        """Reset every lane."""
        return self.venv.reset()

    def step_wait(self) -> VecEnvStepReturn:
        """Step, pay the bonus, then let the reward learn."""
        obs, rewards, dones, infos = self.venv.step_wait()
        batch = self.recorder.drain()
        bonus = pay(self.reward, batch)[0]
        self.metrics = self.reward.update(batch)
        infos = [
            {**info, "intrinsic_reward": paid}
            for info, paid in zip(infos, bonus.tolist(), strict=True)
        ]
        extrinsic = rewards if self.extrinsic else np.zeros_like(rewards)
        return obs, extrinsic + np.float32(self.coef) * bonus, dones, infos

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the reward, and the lanes' present observations."""
        return {"reward": self.reward.state_dict(), "obs": self.recorder.obs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.reward.load_state_dict(state["reward"])
        self.recorder.clear(state["obs"])


def set_up(
    reward: IntrinsicReward, observation_space: Any, action_space: Any, seed: int
) -> None:
    """Tell a reward the spaces and its seed, if it has a `setup`."""
    setup = getattr(reward, "setup", None)
    if setup is not None:
        setup(observation_space, action_space, seed)


def pay(reward: IntrinsicReward, batch: Transitions) -> np.ndarray:
    """Compute the bonus of a batch, `(T, N)` float32.

    Raises:
        ValueError: If the reward returns another shape, or values that are not finite.
    """
    bonus = np.asarray(reward.compute(batch), np.float32)
    name = type(reward).__name__
    if bonus.shape != batch.shape:
        raise ValueError(
            f"{name}.compute returned shape {bonus.shape} for a batch of "
            f"{batch.shape[0]} steps x {batch.shape[1]} lanes; it must be "
            f"{batch.shape}"
        )
    if not np.isfinite(bonus).all():
        raise ValueError(
            f"{name}.compute returned {np.count_nonzero(~np.isfinite(bonus))} values "
            "that are not finite; check the scale of its inputs"
        )
    return bonus
