"""Two reward streams in Stable-Baselines3's on-policy algorithms: one mixin for all."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
import torch as th
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import GymEnv
from stable_baselines3.common.utils import explained_variance, obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv

from curiosity_rl.adapters.arrays import map_obs
from curiosity_rl.adapters.paying import (
    NotFinite,
    check_finite,
    check_first,
    pay,
    set_up,
)
from curiosity_rl.adapters.transitions import TransitionRecorder
from curiosity_rl.agents.two_streams import (
    TwoHeads,
    TwoStreams,
    gae,
    two_headed,
    two_streamed,
)
from curiosity_rl.protocols import IntrinsicReward, Transitions
from curiosity_rl.tracking.bonus import bonus_metrics


class IntrinsicOnPolicy(OnPolicyAlgorithm):
    """Mixin: maximises `extrinsic_coef * extrinsic + coef * intrinsic` returns.

    The bonus is computed once per rollout, in one batch, on the true transitions; then
    the reward learns from that batch once. Each stream has its own value head, discount
    and GAE; the policy follows

        A = extrinsic_coef * A_ext + coef * A_int

    (Burda et al. 2018, "Exploration by random network distillation", section 2.3).
    With `coef=0` or no reward this is the stock algorithm, bit for bit. The value loss
    is the sum of both heads' losses, each weighted by `vf_coef` as in the stock one.

    The bonus sees the observations that the policy sees (under `VecNormalize` the
    normalised ones), through a `TransitionRecorder` that stands outside of the
    environment while a rollout is collected, and only then: `get_env` returns what was
    given, so evaluation by `EvalCallback` takes the wrappers of the stock algorithm.
    `rollout/ep_rew_mean` is extrinsic. The reward's seed is the model's `seed` (0 if it
    has none), not one of its own as at the other doors. When `learn` resets the
    environment in the middle of episodes, or goes on after a rollout that a callback
    broke off, the reward's `forget` is called: its memory of these episodes is void.

    Logged besides SB3's own: `rollout/intrinsic_reward_mean` and the others of
    `tracking.bonus.bonus_metrics`, `train/explained_variance` (extrinsic) and
    `train/explained_variance_intrinsic`, and under `intrinsic/` whatever the reward's
    `update` returns.

    Attributes:
        bonus_seconds: Time spent on the bonus so far: paying it, and learning.

    Pretraining without a reward from the world: `extrinsic=False`. The extrinsic head
    then learns that there is none. To fine-tune, set `model.extrinsic = True` and call
    `learn` again, or `load(path, env, intrinsic=reward, extrinsic=True)`; with
    `coef=0.0` in place of the reward it goes on for the extrinsic reward alone.

    `save` writes an SB3 model and leaves the reward out. The reward's state goes beside
    it, and is given back after `load`, which sets the reward up anew:

        checkpoint.save(folder, {"reward": reward.state_dict()})
        model = IntrinsicPPO.load(path, env, intrinsic=reward)
        reward.load_state_dict(checkpoint.load(folder)["reward"])
    """

    heads: ClassVar[type[TwoHeads]] = TwoHeads
    streams: ClassVar[type[TwoStreams]] = TwoStreams

    def __init__(
        self,
        policy: str | type[ActorCriticPolicy],
        env: GymEnv | str,
        *args: Any,
        intrinsic: IntrinsicReward | None = None,
        coef: float = 1.0,
        extrinsic: bool = True,
        extrinsic_coef: float = 1.0,
        gamma_int: float = 0.99,
        gae_lambda_int: float | None = None,
        episodic_intrinsic: bool = True,
        normalize_streams: bool = False,
        _init_setup_model: bool = True,
        **kwargs: Any,
    ) -> None:
        """Build the algorithm; all other arguments are those of the stock one.

        Args:
            policy: As in the stock algorithm; any policy that it takes.
            env: As in the stock algorithm.
            *args: As in the stock algorithm.
            intrinsic: The bonus. Its `setup`, if it has one, is called here.
            coef: Weight of the intrinsic advantage.
            extrinsic: False hides the extrinsic reward from the policy and from its
                value head, as `extrinsic_coef=0` does; for reward-free pretraining.
            extrinsic_coef: Weight of the extrinsic advantage.
            gamma_int: Discount of the intrinsic stream.
            gae_lambda_int: GAE lambda of the intrinsic stream; None: `gae_lambda`.
            episodic_intrinsic: True ends the intrinsic return with the episode (and
                bootstraps it at a time limit). False lets it run on across resets, as
                openai/random-network-distillation does: the agent then does not avoid
                what ends an episode. Its artefact: whatever a restart brings is worth
                going for. A bonus that starts afresh with every episode (first visits,
                `e3b`) then pays for finishing early, and so does a start that is still
                new. Leave it True for episodic bonuses, and where ending an episode
                early is bad.
            normalize_streams: Standardise both advantage streams over each rollout
                before they are weighted. A stream without signal then becomes noise of
                full size: not for rewards that are almost never seen.
            _init_setup_model: As in the stock algorithm.
            **kwargs: As in the stock algorithm.

        Raises:
            ValueError: If a weight or a discount is out of range, or if the extrinsic
                stream is weighed or hidden without an intrinsic one.
        """
        super().__init__(policy, env, *args, _init_setup_model=False, **kwargs)
        self.intrinsic = intrinsic
        self.coef, self.extrinsic_coef = coef, extrinsic_coef
        self.extrinsic = extrinsic
        self.gamma_int, self.gae_lambda_int = gamma_int, gae_lambda_int
        self.episodic_intrinsic = episodic_intrinsic
        self.normalize_streams = normalize_streams
        self.two_heads = intrinsic is not None and coef != 0
        self.rollout_bonus: np.ndarray | None = None
        self._recorder: TransitionRecorder | None = None
        self._broken_off = False
        self.bonus_seconds = 0.0
        self._check()
        if _init_setup_model:
            self._setup_model()

    def _check(self) -> None:
        """Raise a ValueError if the settings are not possible."""
        for name in ("coef", "extrinsic_coef"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(
                    f"{name} must be 0 or positive and finite, got "
                    f"{getattr(self, name)}"
                )
        for name in ("gamma_int", "gae_lambda_int"):
            if not 0 <= (getattr(self, name) or 0) <= 1:
                raise ValueError(f"{name} must lie in 0..1, got {getattr(self, name)}")
        if self.two_heads:
            return
        if self.extrinsic_coef != 1 or not self.extrinsic:
            raise ValueError(
                f"extrinsic_coef={self.extrinsic_coef}, extrinsic={self.extrinsic} "
                "needs a second reward to be weighed against; pass intrinsic=... and "
                "coef > 0, or leave both as they are"
            )
        if self.intrinsic is not None and self.coef != 0:
            raise ValueError(
                "this model was built without a second value head, so it cannot take "
                f"an intrinsic reward now; build {type(self).__name__}(..., "
                "intrinsic=reward) anew"
            )

    def _setup_model(self) -> None:
        self._check()  # again: `load` sets attributes without the constructor
        if not self.two_heads:
            super()._setup_model()
            return
        chosen = self.policy_class, self.rollout_buffer_class
        policy: Any = self.policy_class  # a name has become a class by now
        self.policy_class = two_headed(policy, self.heads)
        super()._setup_model()
        # `save` writes the user's classes: those can be imported anywhere.
        self.policy_class, self.rollout_buffer_class = chosen
        buffer: Any = self.rollout_buffer
        # Not through `rollout_buffer_class`: RecurrentPPO chooses its buffer itself.
        buffer.__class__ = two_streamed(type(buffer), self.streams)
        buffer.reset()
        buffer.add_stream = self._add_stream
        if self.intrinsic is not None:
            seed = 0 if self.seed is None else self.seed
            set_up(self.intrinsic, self.observation_space, self.action_space, seed)

    def _setup_learn(self, *args: Any, **kwargs: Any) -> tuple[int, BaseCallback]:
        before = self._last_obs
        found = super()._setup_learn(*args, **kwargs)
        if self.two_heads:
            forget = getattr(self.intrinsic, "forget", None)
            unseen = self._broken_off or self._last_obs is not before
            if forget is not None and unseen:
                forget()
            self._broken_off = False
        return found

    @property
    def _extrinsic_weight(self) -> float:
        return self.extrinsic_coef if self.extrinsic else 0.0

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """Collect a rollout as SB3 does; the buffer adds the bonus at its end.

        Raises:
            ValueError: If the model was loaded without its intrinsic reward.
            NotFinite: If an observation, a reward or the bonus is not finite; nothing
                has learnt from this rollout then. Under `VecNormalize`, whose
                statistics the lanes share, the lane named may not be the broken one.
        """
        if not self.two_heads:
            return super().collect_rollouts(
                env, callback, rollout_buffer, n_rollout_steps
            )
        if self.intrinsic is None and self.coef != 0:
            raise ValueError(
                "this model learns with an intrinsic reward, which its file does not "
                f"hold; load it with {type(self).__name__}.load(path, env, "
                "intrinsic=reward), go on without one by coef=0.0, or only predict "
                "with it"
            )
        assert isinstance(rollout_buffer, TwoStreams)
        rollout_buffer.hide_extrinsic = self._extrinsic_weight == 0
        recorder = self._recorder_of(env)
        starts = np.flatnonzero(np.asarray(self._last_episode_starts))
        self._broken_off = True
        try:
            check_first(self._last_obs, starts, self._steps)
            whole = super().collect_rollouts(
                recorder, callback, rollout_buffer, n_rollout_steps
            )
            self._broken_off = not whole
            return whole
        except Exception as error:
            try:
                # Networks and worlds stumble over what the recorder holds, unchecked.
                _check_recorded(recorder)
                if not isinstance(error, NotFinite):
                    present = map_obs(lambda array: array[None], recorder.obs)
                    check_finite("obs", present, recorder.steps)
                raise
            except NotFinite as found:
                if self._vec_normalize_env is None:
                    raise
                raise NotFinite(
                    f"{found}. VecNormalize shares its statistics between the lanes, "
                    "so a NaN of one lane is seen in all of them: look for the broken "
                    "one inside of it"
                ) from found

    def _recorder_of(self, env: VecEnv) -> TransitionRecorder:
        """Return an empty recorder around the environment."""
        if self._recorder is None or self._recorder.venv is not env:
            self._recorder = TransitionRecorder(env)
        # A callback may have broken the last rollout off, or a checkpoint may have set
        # the observations.
        self._recorder.clear(self._last_obs)
        self._recorder.steps = self._steps
        return self._recorder

    @property
    def _steps(self) -> int:
        return self.num_timesteps // self.n_envs

    def _add_stream(self, buffer: TwoStreams) -> None:
        """Pay the bonus of the rollout and add its advantages to the policy's."""
        assert self._recorder is not None
        start = time.perf_counter()
        batch = self._recorder.drain()
        bonus = self._pay(batch)
        self.bonus_seconds += time.perf_counter() - start
        weight = self._extrinsic_weight
        metrics = bonus_metrics(bonus, batch.reward, self.coef, weight)
        for key, value in metrics.items():
            self.logger.record(f"rollout/{key}", value)
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
        mixed = self._extrinsic_weight * extrinsic + self.coef * intrinsic
        buffer.mix(mixed.astype(np.float32), advantages_int)

    def _pay(self, batch: Transitions) -> np.ndarray:
        """Pay the bonus, `(T, N)`, and let the reward learn."""
        if self.intrinsic is None:
            return np.zeros(batch.shape, np.float32)
        bonus = pay(self.intrinsic, batch, self._steps - len(batch.reward))
        self.rollout_bonus = bonus
        for key, value in self.intrinsic.update(batch).items():
            self.logger.record(f"intrinsic/{key}", value)
        return bonus

    def _next_values(self, values: np.ndarray, batch: Transitions) -> np.ndarray:
        """Intrinsic value of what follows each transition, `(T, N)`."""
        last = self._intrinsic_values(self._last_obs, *self._memory())
        following = np.concatenate([values[1:], last[None]])
        if self.episodic_intrinsic:
            following[batch.terminated] = 0.0
            cut = batch.truncated
            if cut.any():
                final = _at(batch.next_obs, cut)
                following[cut] = self._intrinsic_values(final, *self._memory(cut))
        return following

    def _memory(self, cut: np.ndarray | None = None) -> tuple[Any, ...]:
        """Return what the critic takes besides observations.

        Args:
            cut: After which transitions of the rollout, `(T, N)` bool; None: at the
                lanes' present observations.
        """
        return ()

    def _intrinsic_values(self, obs: Any, *memory: Any) -> np.ndarray:
        """Predict intrinsic values, `(B,)`."""
        assert isinstance(self.policy, TwoHeads)
        tensors = obs_as_tensor(obs, self.device)
        with th.no_grad():
            values = self.policy.predict_both_values(tensors, *memory)
        return values[:, 1].cpu().numpy()

    def train(self) -> None:
        """Update the policy and both value heads from the rollout."""
        if not self.two_heads:
            super().train()
            return
        # SB3 averages the squared errors over the values of both heads, which halves
        # each head's; doubled, the extrinsic gradient is that of the stock algorithm.
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
        own = ["intrinsic", "_recorder", "bonus_seconds", "rollout_bonus"]
        return [*super()._excluded_save_params(), *own]


def _standardise(advantages: np.ndarray) -> np.ndarray:
    """Shift and scale to mean 0 and deviation 1 over the rollout."""
    return (advantages - advantages.mean()) / (advantages.std() + 1e-8)


def _at(obs: Any, pick: np.ndarray) -> Any:
    """Pick observations `(B, ...)` by a mask `(T, N)`."""
    if isinstance(obs, dict):
        return {key: value[pick] for key, value in obs.items()}
    return obs[pick]


def _check_recorded(recorder: TransitionRecorder) -> None:
    """Raise `NotFinite`, if there is a reason, for the steps since the last drain."""
    if not len(recorder):
        return
    first_step = recorder.steps - len(recorder)
    batch = recorder.drain()
    for field in ("obs", "next_obs", "reward"):
        check_finite(field, getattr(batch, field), first_step)
