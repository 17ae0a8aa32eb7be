"""The random numbers that a Stable-Baselines3 algorithm draws, as plain values."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.distributions import StateDependentNoiseDistribution
from stable_baselines3.common.noise import (
    ActionNoise,
    OrnsteinUhlenbeckActionNoise,
    VectorizedActionNoise,
)

_MATRICES = ("exploration_mat", "exploration_matrices")


def random_state(model: BaseAlgorithm) -> dict[str, Any]:
    """Return every generator that training draws from, and the noise it has drawn.

    Those of Python, NumPy and torch are global; the action space has its own, with
    which replay algorithms warm up. State-dependent noise (gSDE) and correlated action
    noise last from step to step.
    """
    version, words, gauss = random.getstate()
    cuda = model.device.type == "cuda"
    return {
        "python": {"version": version, "words": list(words), "gauss": gauss},
        "numpy": np.random.get_state(legacy=False),  # noqa: NPY002  # SB3 draws there
        "torch": th.get_rng_state(),
        "cuda": th.cuda.get_rng_state_all() if cuda else [],
        "actions": model.action_space.np_random.bit_generator.state,
        "matrices": {
            name: getattr(noise, name).detach().clone()
            for noise in _lasting(model)
            for name in _MATRICES
            if hasattr(noise, name)
        },
        "action_noise": [np.array(n.noise_prev) for n in _correlated(model)],
    }


def load_random_state(model: BaseAlgorithm, state: Mapping[str, Any]) -> None:
    """Restore what `random_state` returned."""
    python = state["python"]
    random.setstate((python["version"], tuple(python["words"]), python["gauss"]))
    np.random.set_state(state["numpy"])  # noqa: NPY002
    th.set_rng_state(state["torch"])
    if state["cuda"]:
        th.cuda.set_rng_state_all(state["cuda"])
    model.action_space.np_random.bit_generator.state = state["actions"]
    for noise in _lasting(model):
        for name, value in state["matrices"].items():
            if name not in _MATRICES:
                raise KeyError(name)
            setattr(noise, name, value.to(model.device))
    kept = zip(_correlated(model), state["action_noise"], strict=True)
    for noise, previous in kept:
        noise.noise_prev = np.array(previous)


@contextmanager
def kept_noise(model: BaseAlgorithm) -> Iterator[None]:
    """Keep the state-dependent noise of a rollout while the model acts elsewhere."""
    before = [(noise, dict(vars(noise))) for noise in _lasting(model)]
    try:
        yield
    finally:
        for noise, attributes in before:
            vars(noise).update(attributes)


def _lasting(model: BaseAlgorithm) -> list[StateDependentNoiseDistribution]:
    """State-dependent noise of the policy or of its actor, one or none."""
    actor: Any = getattr(model.policy, "actor", None) or model.policy
    noise = getattr(actor, "action_dist", None)
    return [noise] if isinstance(noise, StateDependentNoiseDistribution) else []


def _correlated(model: BaseAlgorithm) -> list[OrnsteinUhlenbeckActionNoise]:
    """Action noise that remembers its last draw, one for each lane."""
    noise: ActionNoise | None = getattr(model, "action_noise", None)
    parts = noise.noises if isinstance(noise, VectorizedActionNoise) else [noise]
    return [n for n in parts if isinstance(n, OrnsteinUhlenbeckActionNoise)]
