"""A Stable-Baselines3 `VecEnvWrapper` that adds an intrinsic reward at every step."""

from __future__ import annotations

from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import (
    VecEnv,
    VecEnvWrapper,
    VecNormalize,
    unwrap_vec_normalize,
)
from stable_baselines3.common.vec_env.base_vec_env import (
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

from curiosity_rl.adapters.paying import (
    Payer,
    check_coef,
    check_recomputed,
    mixed,
    pay,
    set_up,
)
from curiosity_rl.adapters.transitions import TransitionRecorder
from curiosity_rl.protocols import IntrinsicReward, Transitions

__all__ = ["IntrinsicVecEnv", "pay", "set_up"]


class IntrinsicVecEnv(VecEnvWrapper):
    """Pays `extrinsic * reward + coef * bonus`, for all SB3 and sb3-contrib algorithms.

    The bonus of a lane stands in `info["intrinsic_reward"]`, without its weight;
    `metrics` holds what the reward's `update` returned last. Put `VecMonitor` (or
    `Monitor`) inside, so that episode returns stay extrinsic. A reset of the lanes
    tells the reward to begin new episodes (its optional `forget`).

    With `VecNormalize`: inside of it the sum of both rewards is normalised, and every
    algorithm works; that is the order to use. Outside of it the bonus sees normalised
    observations and stays unscaled, which is right for on-policy algorithms. Off-policy
    ones store the reward from before `VecNormalize` (`get_original_reward`) and would
    lose the bonus; that call raises an error that says what to do. Outside of it a NaN
    of one lane is seen in all of them, since the statistics are shared: the lane that
    the error names is then the first, not the broken one.

    To evaluate, build the same wrappers around the evaluation's lanes, with None in
    place of the reward; SB3 copies the statistics of `VecNormalize` layer by layer:

        train = VecNormalize(IntrinsicVecEnv(venv, reward))
        test = VecNormalize(IntrinsicVecEnv(other, None))
        test.training = test.norm_reward = False
        PPO("MlpPolicy", train).learn(10_000, EvalCallback(test))
    """

    def __init__(
        self,
        venv: VecEnv,
        reward: IntrinsicReward | None,
        coef: float = 1.0,
        extrinsic: bool = True,
        seed: int = 0,
        update_every: int = 16,
    ) -> None:
        """Wrap `venv`.

        Args:
            venv: Environment to wrap.
            reward: The bonus; its `setup` is called if it has one. None pays nothing,
                whatever `coef` is: for evaluation.
            coef: Weight of the bonus.
            extrinsic: False turns the reward of the world off; may be set at any time.
            seed: Seed for the reward's networks, passed to `setup`.
            update_every: The reward learns after every so many steps, from all of them.

        Raises:
            ValueError: If `coef` is not finite, or `update_every` is below 1.
        """
        super().__init__(venv)
        check_coef(coef)
        # Beside the chain of wrappers: SB3 expects those of an evaluation to match it.
        self.recorder = TransitionRecorder(venv)
        if reward is None:
            reward, coef = _Nothing(), 0.0
        self.coef, self.extrinsic = coef, extrinsic
        self._payer = Payer(reward, update_every)
        inside = unwrap_vec_normalize(venv)
        if inside is not None:
            refusal: Any = _OriginalReward(self, inside)  # on this one object only
            inside.get_original_reward = refusal
        set_up(reward, self.observation_space, self.action_space, seed)

    @property
    def reward(self) -> IntrinsicReward:
        """The reward that pays the bonus."""
        return self._payer.reward

    @property
    def payer(self) -> Payer:
        """Who pays: what was paid last, and how long that took so far."""
        return self._payer

    @property
    def metrics(self) -> dict[str, float]:
        """What the reward's `update` returned last."""
        return self._payer.metrics

    def reset(self) -> VecEnvObs:
        """Reset every lane and begin new episodes of the bonus."""
        obs = self.recorder.reset()
        self._payer.forget()
        return obs

    def step_async(self, actions: np.ndarray) -> None:
        """Begin a step."""
        self.recorder.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Step, pay the bonus, and now and then let the reward learn.

        Raises:
            ValueError: If an observation, a reward or a bonus is not finite.
        """
        obs, rewards, dones, infos = self.recorder.step_wait()
        bonus = self._payer.pay(self.recorder.drain())
        infos = [
            {**info, "intrinsic_reward": paid}
            for info, paid in zip(infos, bonus.tolist(), strict=True)
        ]
        paid = mixed(rewards, bonus, self.coef, self.extrinsic, np.float32)
        return obs, paid, dones, infos

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Call a method of the lanes; see `paying.check_recomputed`."""
        check_recomputed(method_name, self.coef, self.extrinsic)
        return super().env_method(
            method_name, *method_args, indices=indices, **method_kwargs
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the reward's state, what it has yet to learn from, and where we are.

        The environment's own state is no part of it.
        """
        return {**self._payer.state_dict(), "obs": self.recorder.obs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; the episodes go on without a reset."""
        self._payer.load_state_dict(state)
        self.recorder.clear(state["obs"])
        self.recorder.steps = self._payer.steps


class _Nothing:
    """Pays nothing and learns nothing."""

    def compute(self, batch: Transitions) -> np.ndarray:
        return np.zeros(batch.shape, np.float32)

    def update(self, batch: Transitions) -> dict[str, float]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class _OriginalReward:
    """Stands for `get_original_reward` of a `VecNormalize` inside the bonus.

    Only off-policy algorithms call it, on the object itself, to store what it returns:
    the one place where the lost bonus is noticed for certain. It is no part of what
    `VecNormalize.save` writes: a loaded one has its own method again.
    """

    def __init__(self, door: IntrinsicVecEnv, normalize: VecNormalize) -> None:
        self.door, self.normalize = door, normalize

    def __call__(self) -> np.ndarray:
        if self.door.coef == 0 and self.door.extrinsic:  # nothing is lost
            return type(self.normalize).get_original_reward(self.normalize)
        raise ValueError(
            "IntrinsicVecEnv stands outside VecNormalize, and an off-policy algorithm "
            "stores the reward from before VecNormalize: the bonus would be lost. "
            "Build VecNormalize(IntrinsicVecEnv(venv, reward)) instead; only to look "
            "at the reward of the world, read VecNormalize.old_reward"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.normalize, "get_original_reward")
