"""Relabelled replay: off-policy algorithms learn from the bonus of today's model."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.buffers import (
    DictReplayBuffer,
    NStepReplayBuffer,
    ReplayBuffer,
)
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecNormalize

from curiosity_rl.adapters.infos import collect_infos
from curiosity_rl.adapters.late import LatePayer
from curiosity_rl.adapters.paying import NotFinite, Payer, check_coef, set_up
from curiosity_rl.adapters.storage import Watched, as_stored, gather, unscaled
from curiosity_rl.protocols import IntrinsicReward, Transitions
from curiosity_rl.rewards.combinators import is_per_transition, score


class RelabelledReplay(ReplayBuffer):
    """Mixin: samples `extrinsic + coef * bonus`, while stored rewards stay extrinsic.

        DQN("MlpPolicy", env, replay_buffer_class=RelabelledReplayBuffer,
            replay_buffer_kwargs={"intrinsic": make_reward("rnd"), "coef": 0.1})

    A bonus that is a function of the transition (`per_transition`) is scored anew at
    every sample, with the model as it is then, in one batch `(1, B)`: each transition a
    lane of its own, so that none follows another in time. Any other bonus (episodic, or
    of what the world reports) is the one computed when the transition came in, kept as
    one float32 beside each.

    Every `update_every` steps the reward pays for those that came in since, in order of
    time, and learns from them (a bonus that is stored is paid at once). Observations
    and rewards are those of the world: under `VecNormalize` the bonus is added,
    unscaled, to the normalised reward. Box actions, which SB3 stores scaled to [-1, 1],
    have the units of the action space. Where a reset cuts episodes short, the reward
    is told to begin new ones (its optional `forget`); a reset that shows just the
    observation expected next goes unnoticed.

    With `coef=0` samples are stock SB3's, bit for bit; the reward learns all the same.

    Attributes:
        coef: Weight of the bonus; may be changed at any time.
        extrinsic: Whether sampled rewards hold the world's; may be changed too.
        bonuses: Bonus of each stored transition, `(rows, N)`; None where it is scored.
    """

    _reporter: Any = None

    def __init__(
        self,
        *args: Any,
        intrinsic: IntrinsicReward,
        coef: float = 1.0,
        extrinsic: bool = True,
        update_every: int = 64,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        """Build the buffer; all other arguments are those of the buffer it varies.

        Args:
            *args: See the base class.
            intrinsic: The bonus; its `setup` is called if it has one.
            coef: Weight of the bonus.
            extrinsic: False samples `coef * bonus` alone.
            update_every: Steps of all lanes between two updates of the reward.
            seed: Seed for the reward's networks, passed to `setup`.
            **kwargs: See the base class.

        Raises:
            ValueError: If a setting is out of range, `intrinsic` is no reward, the
                observations are of another kind, or with `optimize_memory_usage`.
        """
        check_coef(coef)
        if kwargs.get("optimize_memory_usage"):
            raise ValueError(
                "optimize_memory_usage=True does not keep the last observation of an "
                "episode, for which the bonus is paid; leave it False"
            )
        space = args[1] if len(args) > 1 else kwargs.get("observation_space")
        if isinstance(space, spaces.Dict) and not isinstance(self, DictReplayBuffer):
            raise ValueError(
                f"{type(self).__name__} holds no Dict observations; use "
                "RelabelledDictReplayBuffer"
            )
        super().__init__(*args, **kwargs)
        self.coef, self.extrinsic = coef, extrinsic
        self.bonuses: np.ndarray | None = None
        if is_per_transition(intrinsic):
            self._payer: Payer = LatePayer(intrinsic, update_every)
        else:
            self.bonuses = np.zeros((self.buffer_size, self.n_envs), np.float32)
            self._payer = Payer(intrinsic, update_every)
        self._ended = np.ones(self.n_envs, bool)
        set_up(intrinsic, self.observation_space, self.action_space, seed)

    @property
    def intrinsic(self) -> IntrinsicReward:
        """The reward that pays the bonus."""
        return self._payer.reward

    @property
    def metrics(self) -> dict[str, float]:
        """What the reward's `update` returned last."""
        return self._payer.metrics

    @property
    def payer(self) -> Payer:
        """Who pays: what was paid last, and how long that took so far."""
        return self._payer

    def report_from(self, venv: VecEnv) -> None:
        """Take what the world reports from `venv` where the infos of `add` are empty.

        `VectorEnvAdapter` keeps them empty; a reward that reads what the world reports
        needs this call then. The link is not pickled.
        """
        while isinstance(venv, VecEnvWrapper):
            venv = venv.venv
        self._reporter = venv if hasattr(venv, "transition_info") else None

    # SB3's own buffers disagree on the types of obs: arrays, or dicts of them.
    def add(  # type: ignore[override]
        self,
        obs: Any,
        next_obs: Any,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        """Store one step of every lane, and pay for it; now and then the reward learns.

        Raises:
            ValueError: If an observation, a reward or the bonus is not finite. The
                step is not stored then.
        """
        space, ended = self.observation_space, np.array(done, bool)
        seen = as_stored(obs, self.observations, space)
        if self.bonuses is not None and (self._jumped(seen) & ~self._ended).any():
            self._payer.forget()
        cut = np.array([bool(info.get("TimeLimit.truncated")) for info in infos])
        scaled = as_stored(action, self.actions, self.action_space)
        bonus = self._payer.pay(
            Transitions(
                obs=seen,
                action=unscaled(scaled, self.action_space),
                reward=np.array(reward)[None],
                next_obs=as_stored(next_obs, self.next_observations, space),
                terminated=(ended & ~cut)[None],
                truncated=(ended & cut)[None],
                info={} if self.bonuses is None else self._reported(infos),
            )
        )
        if self.bonuses is not None:
            self.bonuses[self.pos] = bonus
        super().add(obs, next_obs, action, reward, done, infos)
        self._ended = ended

    def _reported(self, infos: list[dict[str, Any]]) -> dict[str, np.ndarray]:
        """Return what the world reported on a step, `(1, N, ...)` each."""
        known = self._reporter
        info = collect_infos(infos) if known is None else known.transition_info
        return {key: np.array(value)[None] for key, value in info.items()}

    def _jumped(self, seen: Any) -> np.ndarray:
        """Whether a lane does not go on from where the last step left it, `(N,)`."""
        if not self.size():
            return np.zeros(self.n_envs, bool)
        at = np.full((1, self.n_envs), self.pos - 1), np.arange(self.n_envs)[None]
        left: Any = gather(self.next_observations, at, self.observation_space)
        pairs = [(left, seen)]
        if isinstance(seen, dict):
            pairs = [(left[key], seen[key]) for key in seen]
        differs = [(a != b).reshape(self.n_envs, -1).any(axis=1) for a, b in pairs]
        return np.any(differs, axis=0)

    def _transitions(self, rows: np.ndarray, lanes: np.ndarray) -> Transitions:
        """Gather stored transitions by row and lane, both `(B,)`, as `(1, B)`."""
        at, space = (rows[None], lanes[None]), self.observation_space
        cut = self.timeouts[at] > 0
        scaled = gather(self.actions, at, self.action_space)
        return Transitions(
            obs=gather(self.observations, at, space),
            action=unscaled(scaled, self.action_space),
            reward=self.rewards[at],
            next_obs=gather(self.next_observations, at, space),
            terminated=(self.dones[at] > 0) & ~cut,
            truncated=cut,
        )

    def _get_samples(
        self, batch_inds: np.ndarray, env: VecNormalize | None = None
    ) -> Any:
        """Return SB3's sample of these rows, with the bonus in its rewards."""
        if self.coef == 0:
            return self._paid(super()._get_samples(batch_inds, env=env), None)
        kept, watched = self.actions, Watched(self.actions)
        stand_in: Any = watched  # not an array, but read like one
        self.actions = stand_in
        try:
            samples = super()._get_samples(batch_inds, env=env)
        finally:
            self.actions = kept
        if watched.drawn is None:
            raise RuntimeError(
                f"{type(self).__name__} cannot tell what was sampled: its base class "
                "builds samples in another way than the buffers of Stable-Baselines3"
            )
        return self._paid(samples, self._sampled_bonus(*watched.drawn))

    def _sampled_bonus(self, rows: np.ndarray, lanes: np.ndarray) -> np.ndarray:
        """Return the bonus of what was sampled, `(B,)`."""
        return self._bonus(rows, lanes)

    def _bonus(
        self, rows: np.ndarray, lanes: np.ndarray, goals: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the bonus of stored transitions, `(B,)`, the last ones with `goals`.

        Raises:
            ValueError: If it has another shape, or is not finite.
        """
        if self.bonuses is not None:
            return self.bonuses[rows, lanes]
        batch = self._transitions(rows, lanes)
        if goals is not None and len(goals):
            for obs in (batch.obs, batch.next_obs):
                obs["desired_goal"][0, -len(goals) :] = goals
        start, name = time.perf_counter(), type(self.intrinsic).__name__
        bonus = score(self.intrinsic, batch)
        self._payer.seconds += time.perf_counter() - start
        if bonus.shape != batch.shape:
            raise ValueError(
                f"{name} scored {batch.shape[1]} transitions with shape {bonus.shape}; "
                f"it must be {batch.shape}"
            )
        bad = np.flatnonzero(~np.isfinite(bonus))
        if len(bad):
            lane, age = lanes[bad[0]], (self.pos - 1 - rows[bad[0]]) % self.buffer_size
            raise NotFinite(
                f"lane {lane}, step {self._payer.steps - 1 - age}: bonus of {name} is "
                f"{bonus[0, bad[0]]}, and {len(bad) - 1} more values of this sample "
                "are not finite; no weight has changed. Look for a bonus of too large "
                "a scale"
            )
        return bonus[0]

    def _paid(self, samples: Any, bonus: np.ndarray | None) -> Any:
        """Put the bonus `(B,)` into a sample's rewards; None stands for no weight."""
        rewards = samples.rewards
        if bonus is None:
            paid = rewards if self.extrinsic else th.zeros_like(rewards)
        else:
            paid = self.to_torch(np.float32(self.coef) * bonus[:, None])
            paid = rewards + paid if self.extrinsic else paid
        return samples._replace(rewards=paid)

    def state_dict(self) -> dict[str, Any]:
        """Return the reward's state, what it has yet to learn from, stored bonuses.

        The transitions are no part of it: they are the base class's.
        """
        bonuses = self.bonuses
        return {
            **self._payer.state_dict(),
            "ended": self._ended.copy(),
            "bonuses": None if bonuses is None else bonuses[: self.size()].copy(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            ValueError: If it comes from a buffer of other lanes, of more rows, or whose
                reward is of the other kind.
        """
        ended, bonuses = np.array(state["ended"]), state["bonuses"]
        if len(ended) != self.n_envs:
            raise ValueError(
                f"the state is of {len(ended)} lanes, and this buffer has "
                f"{self.n_envs}; build it with the same n_envs"
            )
        if (bonuses is None) != (self.bonuses is None):
            raise ValueError(
                f"the state is of a bonus that was {_kept(bonuses)}, and "
                f"{type(self.intrinsic).__name__} is {_kept(self.bonuses)}; use the "
                "intrinsic reward that it was saved with"
            )
        if self.bonuses is not None:
            if len(bonuses) > self.buffer_size:
                raise ValueError(
                    f"the state holds {len(bonuses)} rows, and this buffer has room "
                    f"for {self.buffer_size}; build it with the same buffer_size"
                )
            self.bonuses[: len(bonuses)] = bonuses
        self._payer.load_state_dict(state)
        self._ended = ended

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {key: value for key, value in state.items() if key != "_reporter"}


class RelabelledNStep(RelabelledReplay, NStepReplayBuffer):
    """Mixin for n-step returns: n bonuses are summed as SB3 sums the n rewards."""

    def _sampled_bonus(self, rows: np.ndarray, lanes: np.ndarray) -> np.ndarray:
        """Return `sum_k gamma^k bonus_{t+k}` up to the end of the episode, `(B,)`."""
        window = (rows[:, None] + np.arange(self.n_steps)) % self.buffer_size
        lane = np.broadcast_to(lanes[:, None], window.shape)
        ends = (self.dones[window, lane] > 0) | (self.timeouts[window, lane] > 0)
        ends |= window == (self.pos - 1) % self.buffer_size  # nothing follows it yet
        counts = np.cumsum(ends, axis=1) - ends == 0
        bonus = np.zeros(window.shape, np.float32)
        bonus[counts] = self._bonus(window[counts], lane[counts])
        discounts = self.gamma ** np.arange(self.n_steps, dtype=np.float32)
        return (bonus * discounts).sum(axis=1)


class RelabelledHer(RelabelledReplay, HerReplayBuffer):
    """Mixin for HER: a virtual transition is scored with the goal it was given.

    The reward learns from the goals that were pursued, not from virtual ones.
    """

    _drawn: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    _goals: np.ndarray | None = None

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> Any:
        """Return SB3's real and virtual transitions, with the bonus in the rewards."""
        self._drawn, self._goals = (), None
        samples = super().sample(batch_size, env)
        bonus = None
        if self.coef != 0:
            rows, lanes = (np.concatenate(x) for x in zip(*self._drawn, strict=True))
            bonus = self._bonus(rows, lanes, self._goals)
        return self._paid(samples, bonus)

    def _get_real_samples(
        self,
        batch_indices: np.ndarray,
        env_indices: np.ndarray,
        env: VecNormalize | None = None,
    ) -> Any:
        self._drawn += ((batch_indices, env_indices),)
        return super()._get_real_samples(batch_indices, env_indices, env)

    def _get_virtual_samples(
        self,
        batch_indices: np.ndarray,
        env_indices: np.ndarray,
        env: VecNormalize | None = None,
    ) -> Any:
        self._drawn += ((batch_indices, env_indices),)
        return super()._get_virtual_samples(batch_indices, env_indices, env)

    def _sample_goals(
        self, batch_indices: np.ndarray, env_indices: np.ndarray
    ) -> np.ndarray:
        self._goals = super()._sample_goals(batch_indices, env_indices)
        return self._goals


@cache
def relabelled(base: type[ReplayBuffer]) -> type[RelabelledReplay]:
    """Return the variant of a replay buffer class that relabels what it samples.

    To pickle a variant of your own class, give it a name in your module:
    `class Mine(relabelled(MyBuffer)): ...`.
    """
    if issubclass(base, RelabelledReplay):
        return base
    mixin = RelabelledReplay
    if issubclass(base, HerReplayBuffer):
        mixin = RelabelledHer
    elif issubclass(base, NStepReplayBuffer):
        mixin = RelabelledNStep
    name = f"Relabelled{base.__name__}"
    made: Any = type(name, (mixin, base), {"__module__": __name__})
    return made


RelabelledReplayBuffer = relabelled(ReplayBuffer)
RelabelledDictReplayBuffer = relabelled(DictReplayBuffer)
RelabelledNStepReplayBuffer = relabelled(NStepReplayBuffer)
RelabelledHerReplayBuffer = relabelled(HerReplayBuffer)


def _kept(bonuses: Any) -> str:
    return "scored at every sample" if bonuses is None else "stored with the transition"
