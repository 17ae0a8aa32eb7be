"""Gymnasium wrappers that add an intrinsic reward, for any learning library."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

from curiosity_rl.adapters.arrays import copy_obs, lane_obs, map_obs, with_rows
from curiosity_rl.adapters.infos import collect_infos, merge_info
from curiosity_rl.adapters.paying import (
    Payer,
    check_coef,
    check_first,
    check_recomputed,
    mixed,
    set_up,
)
from curiosity_rl.protocols import IntrinsicReward, Transitions
from curiosity_rl.rewards.combinators import is_per_transition


class IntrinsicWrapper(gym.Wrapper, RecordConstructorArgs):
    """Pays `extrinsic * reward + coef * bonus` at every step of one environment.

    The bonus stands in `info["intrinsic_reward"]`, a float without its weight;
    `metrics` holds what the reward's `update` returned last. Put `Monitor` or
    `RecordEpisodeStatistics` inside, so that episode returns stay extrinsic. The reward
    gets batches of one lane, `(T, 1, ...)`.

    A reset tells the reward to begin a new episode (its optional `forget`). What
    Gymnasium makes anew from `spec` has a copy of the reward as it was given.
    """

    def __init__(
        self,
        env: gym.Env,
        reward: IntrinsicReward,
        coef: float = 1.0,
        extrinsic: bool = True,
        seed: int = 0,
        update_every: int = 16,
    ) -> None:
        """Wrap `env`.

        Args:
            env: Environment to wrap.
            reward: The bonus; its `setup` is called if it has one. One reward serves
                one wrapper.
            coef: Weight of the bonus.
            extrinsic: False turns the reward of the world off; may be set at any time.
            seed: Seed for the reward's networks, passed to `setup`.
            update_every: The reward learns after every so many steps, from all of them.

        Raises:
            ValueError: If `reward` is no reward, `coef` is not finite or `update_every`
                is below 1.
        """
        given = reward if isinstance(reward, _Given) else _Given(reward)
        if given is reward:
            reward = given.fresh()
        RecordConstructorArgs.__init__(
            self,
            _disable_deepcopy=True,
            reward=given,
            coef=coef,
            extrinsic=extrinsic,
            seed=seed,
            update_every=update_every,
        )
        super().__init__(env)
        check_coef(coef)
        self.coef, self.extrinsic = coef, extrinsic
        self._payer = Payer(reward, update_every)
        self._obs: Any = None
        set_up(reward, self.observation_space, self.action_space, seed)

    @property
    def reward(self) -> IntrinsicReward:
        """The reward that pays the bonus."""
        return self._payer.reward

    @property
    def metrics(self) -> dict[str, float]:
        """What the reward's `update` returned last."""
        return self._payer.metrics

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and begin a new episode of the bonus.

        Raises:
            NotFinite: If the observation is not finite.
        """
        obs, info = self.env.reset(seed=seed, options=options)
        self._obs = copy_obs(obs)
        self._payer.forget()
        rows = map_obs(lambda array: array[None], self._obs)
        check_first(rows, np.zeros(1, np.intp), self._payer.steps)
        return obs, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step, pay the bonus, and now and then let the reward learn.

        Raises:
            ValueError: If anything is not finite, or before the first reset.
        """
        _check_reset(self._obs)
        obs, reward, terminated, truncated, info = self.env.step(action)
        before, self._obs = self._obs, copy_obs(obs)
        reported = collect_infos([info])
        step = Transitions(
            obs=_one_lane(before),
            action=np.array(action)[None, None],
            reward=np.array([[reward]]),
            next_obs=_one_lane(self._obs),
            terminated=np.array([[terminated]], bool),
            truncated=np.array([[truncated]], bool),
            info={key: value[None] for key, value in reported.items()},
        )
        bonus = float(self._payer.pay(step)[0])
        paid = float(mixed(reward, bonus, self.coef, self.extrinsic))
        return obs, paid, terminated, truncated, {**info, "intrinsic_reward": bonus}

    def get_wrapper_attr(self, name: str) -> Any:
        """Find an attribute of the environment; see `paying.check_recomputed`."""
        check_recomputed(name, self.coef, self.extrinsic)
        return super().get_wrapper_attr(name)

    def state_dict(self) -> dict[str, Any]:
        """Return the reward's state, what it has yet to learn from, and where we are.

        The environment's own state is no part of it.
        """
        return {**self._payer.state_dict(), "obs": self._obs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; the episode goes on without a reset."""
        self._payer.load_state_dict(state)
        self._obs = state["obs"]


class IntrinsicVectorWrapper(VectorWrapper):
    """Pays `extrinsic * reward + coef * bonus` at every step of a vector environment.

    The bonuses stand in `info["intrinsic_reward"]`, `(N,)` float64 without their
    weight, under the mask `info["_intrinsic_reward"]`; `metrics` holds what the
    reward's `update` returned last. Put `RecordEpisodeStatistics` inside, so that
    episode returns stay extrinsic.

    All three autoreset modes work (`metadata["autoreset_mode"]`):

    * SAME_STEP: the true last observation and info are `final_obs` and `final_info`;
    * NEXT_STEP: the step after an end is no transition (it ignores the action and
      returns the first observation). It is not paid, nothing is learnt from it, and
      the mask is False there;
    * DISABLED: reset the lanes that ended with `options={"reset_mask": ...}`.

    A reset of all lanes tells the reward to begin new episodes (its optional `forget`).
    """

    def __init__(
        self,
        env: VectorEnv,
        reward: IntrinsicReward,
        coef: float = 1.0,
        extrinsic: bool = True,
        seed: int = 0,
        update_every: int = 16,
    ) -> None:
        """Wrap `env`; all else as in `IntrinsicWrapper`.

        Args:
            env: Vector environment to wrap.
            reward: The bonus.
            coef: Weight of the bonus.
            extrinsic: False turns the reward of the world off; may be set at any time.
            seed: Seed for the reward's networks.
            update_every: The reward learns after every so many steps, from all of them.

        Raises:
            ValueError: As for `IntrinsicWrapper`, or if the environment does not say
                how it resets.
        """
        super().__init__(env)
        check_coef(coef)
        mode = env.metadata.get("autoreset_mode")
        try:
            self._mode = AutoresetMode(mode)
        except ValueError:
            raise ValueError(
                f"the vector environment's metadata['autoreset_mode'] is {mode!r}; a "
                "bonus needs to know which steps are transitions: set it to one of "
                f"{', '.join(str(known) for known in AutoresetMode)}"
            ) from None
        self.coef, self.extrinsic = coef, extrinsic
        self._payer = Payer(reward, update_every)
        self._obs: Any = None
        self._ended = np.ones(self.num_envs, bool)
        set_up(reward, self.single_observation_space, self.single_action_space, seed)

    @property
    def reward(self) -> IntrinsicReward:
        """The reward that pays the bonus."""
        return self._payer.reward

    @property
    def metrics(self) -> dict[str, float]:
        """What the reward's `update` returned last."""
        return self._payer.metrics

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Reset all lanes, or those in `options["reset_mask"]`.

        Raises:
            ValueError: If some lanes, but not all, are reset in the middle of an
                episode, and the bonus depends on the episode.
            NotFinite: If an observation is not finite.
        """
        mask = (options or {}).get("reset_mask")
        if mask is not None and not np.all(mask):
            self._check_partial(np.asarray(mask, bool))
        given: Any = seed  # Gymnasium's own type leaves out the list that it takes
        obs, info = self.env.reset(seed=given, options=options)
        lanes = list(range(self.num_envs))
        if mask is None or self._obs is None or np.all(mask):
            self._obs, self._ended = copy_obs(obs), np.zeros(self.num_envs, bool)
            self._payer.forget()
        else:
            lanes = np.flatnonzero(mask).tolist()
            fresh = [lane_obs(obs, lane) for lane in lanes]
            self._obs = with_rows(self._obs, lanes, fresh)
            self._ended = self._ended & ~np.asarray(mask, bool)
        check_first(self._obs, np.array(lanes, np.intp), self._payer.steps)
        return obs, info

    def _check_partial(self, mask: np.ndarray) -> None:
        """Refuse to leave an episode that the reward would take for unfinished."""
        running = np.flatnonzero(mask & ~self._ended)
        episodic = not is_per_transition(self.reward)
        if self._obs is not None and episodic and len(running):
            raise ValueError(
                f"reset_mask resets lane {running[0]} in the middle of its episode, "
                f"and {type(self.reward).__name__} would take the next episode for the "
                "same one; reset lanes that ended, or all lanes"
            )

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step, pay the bonus of the lanes that moved, now and then learn.

        Raises:
            ValueError: If anything is not finite, before the first reset, or if a lane
                ends without `final_obs` where it resets in the same step.
        """
        _check_reset(self._obs)
        obs, rewards, terminated, truncated, info = self.env.step(actions)
        before, self._obs = self._obs, copy_obs(obs)
        ended = np.asarray(terminated) | np.asarray(truncated)
        real = np.ones(self.num_envs, bool)
        next_obs, final, fresh = self._obs, info, ~real
        if self._mode == AutoresetMode.NEXT_STEP:
            real, fresh = ~self._ended, self._ended
        elif self._mode == AutoresetMode.SAME_STEP and ended.any():
            fresh = ended
            next_obs, final = self._last_obs(info, ended), info.get("final_info", {})
        self._ended = ended
        if fresh.any():
            moved = self._payer.steps + int(real.any())
            check_first(self._obs, np.flatnonzero(fresh), moved)
        bonus = np.zeros(self.num_envs)
        if real.any():
            only = slice(None) if real.all() else np.flatnonzero(real)
            reported = merge_info(info, final, ended, self.num_envs, only)
            step = Transitions(
                obs=map_obs(lambda a: a[only][None], before),
                action=np.array(actions)[only][None],
                reward=np.array(rewards)[only][None],
                next_obs=map_obs(lambda a: a[only][None], next_obs),
                terminated=np.array(terminated)[only][None],
                truncated=np.array(truncated)[only][None],
                info={key: value[None].copy() for key, value in reported.items()},
                lanes=None if isinstance(only, slice) else only,
            )
            bonus[only] = self._payer.pay(step)
        paid = mixed(rewards, bonus, self.coef, self.extrinsic)
        info = {**info, "intrinsic_reward": bonus, "_intrinsic_reward": real}
        return obs, paid, terminated, truncated, info

    def _last_obs(self, info: dict[str, Any], ended: np.ndarray) -> Any:
        """Observations after the step, with the true last ones where lanes ended."""
        if "final_obs" not in info:
            raise ValueError(
                f"lane {np.flatnonzero(ended)[0]} ended, but info has no 'final_obs', "
                "so its last transition cannot be known; in mode SAME_STEP the vector "
                "environment must report it"
            )
        lanes = np.flatnonzero(ended).tolist()
        last = [lane_obs(info["final_obs"], lane) for lane in lanes]
        return with_rows(self._obs, lanes, last)

    def state_dict(self) -> dict[str, Any]:
        """Return the reward's state, what it has yet to learn from, and where we are.

        The environment's own state is no part of it.
        """
        return {**self._payer.state_dict(), "obs": self._obs, "ended": self._ended}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; the episodes go on without a reset."""
        self._payer.load_state_dict(state)
        self._obs, self._ended = state["obs"], np.array(state["ended"])


class _Given:
    """A reward as it was before `setup`, of which each environment gets a copy.

    Two are equal if they hold rewards of one type: Gymnasium compares the wrappers that
    it made with those of the spec.
    """

    def __init__(self, reward: Any) -> None:
        self._type = type(reward)
        try:
            self._kept = copy.deepcopy(reward)
        except Exception as error:  # a foreign reward may hold anything
            self._kept, self._why = None, f"{type(error).__name__}: {error}"

    def fresh(self) -> Any:
        """Return a copy."""
        if self._kept is None:
            raise ValueError(
                f"{self._type.__name__} cannot be copied ({self._why}), so the "
                "environment cannot be made anew from its spec; wrap the new one by "
                "hand, with a reward of its own"
            )
        return copy.deepcopy(self._kept)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Given) and self._type is other._type

    # Python's own way to say so; the type of `object` knows of hashes only.
    __hash__ = None  # type: ignore[assignment]


def _one_lane(obs: Any) -> Any:
    """Give an observation the axes `(1, 1, ...)`."""
    return map_obs(lambda array: array[None, None], obs)


def _check_reset(obs: Any) -> None:
    """Raise if there was no reset yet."""
    if obs is None:
        raise ValueError("step was called before the first reset; call reset first")
