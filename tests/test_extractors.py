"""Layers that actor and critic share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch as th
from gymnasium.spaces import Box

from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.experiment import build
from curiosity_rl.agents.extractors import SharedLayers

SETTINGS: dict[str, Any] = {
    "env": "river-swim-v0",
    "policy_kwargs": {"shared_arch": [5, 3], "net_arch": [4], "activation_fn": "relu"},
    "n_envs": 8,
    "progress": False,
}


def test_layers_compute_what_they_say() -> None:
    layers = SharedLayers(Box(0, 1, (2, 3), np.float32), [4, 2], th.nn.ReLU)
    first, second = (m for m in layers.layers if isinstance(m, th.nn.Linear))
    obs = th.linspace(-1, 1, 12).reshape(2, 2, 3)
    hidden = (obs.reshape(2, 6) @ first.weight.T + first.bias).clamp(min=0)
    expected = (hidden @ second.weight.T + second.bias).clamp(min=0)
    th.testing.assert_close(layers(obs), expected)
    assert layers.features_dim == 2


def test_actor_and_critic_stand_on_the_same_layers() -> None:
    model: Any = build(ExperimentConfig.load(**SETTINGS)).model
    policy = model.policy
    shapes = {name: tuple(p.shape) for name, p in policy.named_parameters()}
    assert shapes["features_extractor.layers.1.weight"] == (5, 6)
    assert shapes["features_extractor.layers.3.weight"] == (3, 5)
    assert shapes["mlp_extractor.policy_net.0.weight"] == (4, 3)
    assert shapes["mlp_extractor.value_net.0.weight"] == (4, 3)
    assert policy.pi_features_extractor is policy.vf_features_extractor
    before = {name: p.detach().clone() for name, p in policy.named_parameters()}
    model.learn(512)
    moved = {n for n, p in policy.named_parameters() if not th.equal(p, before[n])}
    assert {n for n in shapes if n.startswith("features_extractor")} <= moved


@pytest.mark.parametrize("sizes", [[], [0], [2.5], "128", 128, [True, None]])
def test_other_sizes_are_refused(sizes: Any) -> None:
    settings = {**SETTINGS, "policy_kwargs": {"shared_arch": sizes}}
    with pytest.raises(ValueError, match="shared_arch is"):
        build(ExperimentConfig.load(**settings))
