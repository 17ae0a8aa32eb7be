"""Features extractors: what actor and critic compute in common."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch as th
from gymnasium import spaces
from stable_baselines3.common.preprocessing import get_flattened_obs_dim
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn


class SharedLayers(BaseFeaturesExtractor):
    """Fully connected layers below both actor and critic.

    Where observations are long, the first layer is most of the work, and sharing it
    halves that.

    Args:
        observation_space: Space of flat or flattened observations.
        sizes: Units of each layer, from the bottom.
        activation_fn: What follows each layer.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        sizes: Sequence[int],
        activation_fn: type[nn.Module] = nn.Tanh,
    ) -> None:
        super().__init__(observation_space, sizes[-1])
        widths = [get_flattened_obs_dim(observation_space), *sizes]
        layers: list[nn.Module] = [nn.Flatten()]
        for below, above in pairwise(widths):
            layers += [nn.Linear(below, above), activation_fn()]
        self.layers = nn.Sequential(*layers)

    def forward(self, observations: th.Tensor) -> th.Tensor:
        """Return features `(B, sizes[-1])`."""
        return self.layers(observations)
