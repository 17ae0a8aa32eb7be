"""What the rooms of the package agree on: transitions, rewards, activity layouts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

Observation = Any
"""A batched observation: an array, or a mapping from key to array (Dict spaces)."""


@dataclass(frozen=True)
class Transitions:
    """A batch of transitions, time-major: every array starts with `(T, N)`.

    Attributes:
        obs: Observations, `(T, N, ...)`; a mapping of such arrays for Dict spaces.
        action: Actions, `(T, N, ...)`.
        reward: Extrinsic rewards, `(T, N)`.
        next_obs: The TRUE next observations, `(T, N, ...)`: at the end of an episode
            the last observation of that episode, never the first of the next.
        terminated: The world ended the episode, `(T, N)` bool.
        truncated: A time limit cut the episode, `(T, N)` bool.
        info: What the world reports per step, each `(T, N, ...)`. It never holds
            `"truth"`: adapters strip what only evaluation may know.
        lanes: Which lanes the columns are, `(N,)` integers, where a batch of one step
            leaves lanes out (Gymnasium's NEXT_STEP autoreset makes steps that are no
            transitions); None where it holds all lanes, which the first batch must.
    """

    obs: Observation
    action: np.ndarray
    reward: np.ndarray
    next_obs: Observation
    terminated: np.ndarray
    truncated: np.ndarray
    info: Mapping[str, np.ndarray] = field(default_factory=dict)
    lanes: np.ndarray | None = None

    @property
    def done(self) -> np.ndarray:
        """Whether the episode ended with this transition, `(T, N)` bool."""
        return self.terminated | self.truncated

    @property
    def shape(self) -> tuple[int, int]:
        """`(T, N)`: steps and lanes."""
        return self.reward.shape[0], self.reward.shape[1]

    def latest(self, rows: int = 1) -> Transitions:
        """Return the last steps, as few as hold so many transitions: for a log."""
        steps = slice(-max(-(-rows // max(self.shape[1], 1)), 1), None)
        return Transitions(
            obs=_steps(self.obs, steps),
            action=self.action[steps],
            reward=self.reward[steps],
            next_obs=_steps(self.next_obs, steps),
            terminated=self.terminated[steps],
            truncated=self.truncated[steps],
            info={key: value[steps] for key, value in self.info.items()},
            lanes=self.lanes,
        )


def _steps(obs: Observation, steps: slice) -> Observation:
    if isinstance(obs, Mapping):
        return {key: value[steps] for key, value in obs.items()}
    return obs[steps]


@runtime_checkable
class IntrinsicReward(Protocol):
    """A bonus for transitions.

    `compute` is called once per transition, in time order. It pays and never learns:
    all it may move is per-lane episode memory. `update` moves everything else (models,
    counts, running statistics). An adapter calls `compute`, then `update`, once per
    rollout or step. Between two updates, `T = 1` and `T = n_steps` give equal numbers.

    What a reward may have besides, and adapters use where it is there:

    * `setup(observation_space, action_space, seed)`: called once, before the first
      `compute`, where spaces or random numbers are needed;
    * `forget()`: all lanes begin a new episode, though none ended the last one;
    * `score(batch)`: the bonus of transitions drawn from a replay buffer, in any order;
      moves nothing at all. Where there is none, `compute` serves;
    * `per_transition`: True if the bonus is a function of `obs`, `action` and
      `next_obs`, so that it can be computed anew for a replayed transition; False, and
      so taken where it is absent, if it needs the episode or what the world reports;
    * `scaled_by_default`: True if its unit means nothing, see `combinators.Scaled`.
    """

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the bonus of every transition, `(T, N)` float32."""
        ...

    def update(self, batch: Transitions) -> dict[str, float]:
        """Learn from the batch once; return what should be logged."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that resuming needs: tensors, arrays and primitives."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...


@dataclass(frozen=True)
class StudentModel:
    """The average student of a tutor world, as its author tells every tutor.

    Bayesian knowledge tracing with prerequisites: an exercise makes an unknown skill
    known with chance `learn` if all its prerequisites are known; otherwise with

        hard: leak * learn
        soft, additive: (leak + (1 - leak) * share of prerequisites known) * learn

    Attributes:
        learn: Chance to learn a skill whose prerequisites are known.
        guess: Chance of a right answer without the skill, in (0, 1).
        slip: Chance of a wrong answer in spite of the skill, in (0, 1).
        prior: Chance that a skill is known at the start if its prerequisites are.
        leak: Share of `learn` that is left without prerequisites.
        gating: `hard`, `soft`, or `additive`: soft on average, but every student has
            their own chances without prerequisites and for each of them.
        forgetting: Chance to forget a known skill when it is practised.
        learn_first: Whether a student learns before answering, or after.
        skills: Most skills that a student's goals can need.
        exact: Whether all students follow these rules, each with chances of their own;
            False where some follow another model, and this one is a likeness.
    """

    learn: float
    guess: float
    slip: float
    prior: float
    leak: float
    gating: str
    forgetting: float
    learn_first: bool
    skills: int
    exact: bool = False

    def __post_init__(self) -> None:
        for name in ("learn", "prior", "leak", "forgetting"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(
                    f"{name} of the student model is {getattr(self, name)}: give a "
                    "chance from 0 to 1"
                )
        for name in ("guess", "slip"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(
                    f"{name} of the student model is {getattr(self, name)}: give a "
                    "chance between 0 and 1, so that no answer is impossible"
                )
        if self.gating not in ("hard", "soft", "additive"):
            raise ValueError(
                f"gating of the student model is {self.gating!r}: give 'hard', 'soft' "
                "or 'additive'"
            )


@dataclass(frozen=True)
class ActivityLayout:
    """How a tutor world's flat observation is laid out.

    The observation holds one block of features per activity, activity after activity,
    then the fraction of the budget that is left.

    Attributes:
        activities: Number of activities A.
        features: Names of the F features of an activity, in order.
        budget: Exercises of an episode; None where the world does not tell.
        student: The average student; None where the world does not tell.
    """

    activities: int
    features: tuple[str, ...]
    budget: int | None = None
    student: StudentModel | None = None

    @property
    def size(self) -> int:
        """Length of the flat observation, `A * F + 1`."""
        return self.activities * len(self.features) + 1

    def split(self, obs: Any) -> tuple[Any, Any]:
        """Reshape `(..., A * F + 1)` to features `(..., A, F)` and time left `(...)`.

        Works on NumPy arrays and torch tensors, without a copy.
        """
        shape = (*obs.shape[:-1], self.activities, len(self.features))
        return obs[..., :-1].reshape(shape), obs[..., -1]

    def column(self, obs: np.ndarray, feature: str) -> np.ndarray:
        """Return one feature of all activities, `(..., A)`.

        Raises:
            KeyError: If the observation does not hold this feature.
        """
        if feature not in self.features:
            raise KeyError(
                f"this observation has no feature {feature!r}; it has "
                f"{', '.join(self.features)}"
            )
        return self.split(obs)[0][..., self.features.index(feature)]
