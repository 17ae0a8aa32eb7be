"""Intrinsic rewards: what each pays, and `make_reward` to build one by its name.

| module | names | pays for |
|---|---|---|
| `progress` | `belief-progress`, `skill-progress` | progress of a pupil |
| `model_progress` | `region-`, `gamma-progress`, `prediction-gain` | of a model |
| `information` | `bayes-linear`, `dirichlet`, `belief-gain` | information, in nats |
| `ensembles` | `disagreement`, `jensen-renyi` | what models disagree about |
| `prediction` | `rnd`, `icm`, `forward-error` | what a network predicts badly |
| `novelty` | `count` | states seen seldom |
| `neighbours` | `pseudo-count`, `re3`, `knn-entropy` | states unlike those seen |
| `episodic` | `episodic-count`, `episodic-knn`, `e3b` | the same in an episode |
| `compositions`, `deir` | `noveld`, `ngu`, `ride`; `deir` | both |
| `recurring` | `recurring-novelty` | both, of states that come again |

They are made of shared parts: `encoders` (features), `networks` (training), `dynamics`
(forward models), `statistics`; and combined by `combinators`, `modulators`, `gates`.

All follow `curiosity_rl.protocols.IntrinsicReward`. What an adapter may also call, once
and before the first `compute`, is `setup(observation_space, action_space, seed)`: it is
there where a reward needs the spaces or draws random numbers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

from curiosity_rl.protocols import IntrinsicReward
from curiosity_rl.registry import REWARDS, load, unknown_name
from curiosity_rl.rewards.combinators import Scaled

__all__ = ["RewardNames", "Scaled", "make_reward"]

RewardNames: tuple[str, ...] = tuple(sorted(REWARDS))
"""The names that `make_reward` knows."""


def make_reward(
    name: str,
    *,
    scale: bool | None = None,
    scale_gamma: float = 0.99,
    **kwargs: Any,
) -> IntrinsicReward:
    """Build an intrinsic reward by its short name.

    Args:
        name: One of `RewardNames`.
        scale: Divide the bonus by the running deviation of its discounted return, see
            `combinators.Scaled`. By default what the class says: off where its unit
            means something (progress of a pupil, `belief-gain`, `dirichlet`).
        scale_gamma: Discount of that return.
        **kwargs: Settings of the reward's class.

    Returns:
        The reward. A coefficient is no part of it: that belongs to the agent.

    Raises:
        ValueError: For an unknown name or setting, with the nearest known ones, and
            for a setting that the class refuses.
    """
    if name not in REWARDS:
        raise ValueError(unknown_name("intrinsic reward", name, REWARDS))
    if scale is not None and not isinstance(scale, bool):
        raise ValueError(f"scale is {scale!r}; it must be true or false")
    build = load(REWARDS[name])
    settings = settings_of(build)
    for given in kwargs:
        if given not in settings:
            allowed = (*settings, "scale", "scale_gamma")
            raise ValueError(unknown_name(f"setting of {name!r}", given, allowed))
    reward: IntrinsicReward = build(**kwargs)
    if getattr(build, "scaled_by_default", False) if scale is None else scale:
        return Scaled(reward, gamma=scale_gamma)
    return reward


def settings_of(build: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of all keyword arguments, those of `**training` among them."""
    names: list[str] = []
    for name, parameter in inspect.signature(build).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            of = build.__init__ if inspect.isclass(build) else build
            (options,) = get_args(get_type_hints(of)[name])
            names += options.__annotations__
        else:
            names.append(name)
    return tuple(names)
