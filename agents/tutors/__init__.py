"""Tutors: whatever proposes the next exercise, by rule, by model or by cheating.

`make_tutor(name, layout)` builds one of `registry.TUTORS`; `ModelTutor` wraps a trained
Stable-Baselines3 model. All of them act on a whole batch of lanes at once:

    tutor = make_tutor("parent-inference", envs.unwrapped.layout)
    obs, info = envs.reset(seed=0)
    tutor.reset(obs, info)
    obs, reward, terminated, truncated, info = envs.step(tutor.act(obs, info))
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from curiosity_rl.protocols import ActivityLayout
from curiosity_rl.registry import TUTORS, load, unknown_name

__all__ = ["Tutor", "available_tutors", "make_tutor"]


@runtime_checkable
class Tutor(Protocol):
    """Proposes one activity per lane and step.

    Attributes:
        privileged: Whether it reads `info["truth"]`. Such a tutor is a bound to compare
            with, not something that could teach.
    """

    privileged: bool

    def reset(self, obs: np.ndarray, info: Mapping[str, Any]) -> None:
        """Forget all lanes; `obs` `(n, D)` and `info` are what the reset returned."""
        ...

    def act(self, obs: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
        """Return the activities to propose, `(n,)` int64.

        `obs` `(n, D)` and `info` are the latest that the vector env returned. A lane
        that has just begun a new episode (autoreset) starts with fresh memory.
        """
        ...


def make_tutor(
    name: str, layout: ActivityLayout, seed: int = 0, **settings: Any
) -> Tutor:
    """Build the tutor `name` for worlds with this layout.

    Args:
        name: A short name out of `registry.TUTORS`.
        layout: The world's layout, `env.unwrapped.layout`.
        seed: Seed of the tutor's own random numbers, if it uses any.
        settings: Settings of that tutor, such as `n=2` for `n-in-a-row`.

    Raises:
        ValueError: For an unknown name or setting, a setting out of range, or a layout
            without a feature that the tutor reads.
    """
    if name not in TUTORS:
        raise ValueError(unknown_name("tutor", name, TUTORS))
    tutor = load(TUTORS[name])
    allowed = list(inspect.signature(tutor).parameters)[2:]  # after layout and seed
    for given in settings:
        if given not in allowed:
            kind = f"setting of tutor {name!r}"
            raise ValueError(unknown_name(kind, given, allowed or ["(none)"]))
    return tutor(layout, seed, **settings)


def available_tutors(layout: ActivityLayout) -> list[str]:
    """Return the names of the tutors that can work with this layout.

    They find the features they read, and `takes(layout)`, where a tutor has it, agrees.
    """
    return [name for name, path in TUTORS.items() if _can_work(load(path), layout)]


def _can_work(tutor: Any, layout: ActivityLayout) -> bool:
    takes = getattr(tutor, "takes", None)
    return set(tutor.reads) <= set(layout.features) and (takes is None or takes(layout))
