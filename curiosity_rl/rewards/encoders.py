"""Features of observations: as they are, through random weights, or learnt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Unpack, get_args

import numpy as np
import torch as th
from gymnasium import spaces
from torch import nn

from curiosity_rl.protocols import Observation, Transitions
from curiosity_rl.rewards.networks import (
    Inputs,
    Trainer,
    Training,
    TrainingOptions,
    Trunk,
    check_sizes,
    generator,
    in_chunks,
    mlp,
    pack,
    unpack,
)
from curiosity_rl.rewards.observations import flatten_actions

Kind = Literal["identity", "random", "inverse"]


class Encoder:
    """Features of an observation, shared by all rewards that need some.

    * `identity`: the observation laid flat, by its moments (`networks.Inputs`).
    * `random`: a network of one hidden layer whose orthogonal weights never change.
    * `inverse`: the same network, trained so that the action can be told from the
      features of s and s': what cannot be influenced leaves no trace. The loss is the
      cross-entropy of a discrete action, the squared error of a continuous one.

    Images among the observations pass a CNN first, except with `identity`. Moments
    (and weights, with `inverse`) move in `update` only. `identity` and `random` settle:
    their moments stop after `settle` observations, since every move changes what all
    memories of features mean.

    Shapes: observations `(T, N, ...)` to features `(T, N, F)`.

    Args:
        kind: See above.
        features: F; of `identity` the length of the observation instead.
        hidden: Width of the hidden layer.
        settle: See above.
        **training: See `networks.TrainingOptions`.

    Source: Pathak et al. 2017, "Curiosity-driven exploration by self-supervised
    prediction", section 2.2 (inverse); Burda et al. 2019, "Large-scale study of
    curiosity-driven learning", section 2.1 (random, inverse, pixels).
    """

    def __init__(
        self,
        kind: Kind = "random",
        features: int = 32,
        hidden: int = 128,
        settle: int = 10_000,
        **training: Unpack[TrainingOptions],
    ) -> None:
        if kind not in get_args(Kind):
            raise ValueError(
                f"encoder is {kind!r}; allowed are {', '.join(get_args(Kind))}"
            )
        check_sizes(features=features, hidden=hidden, settle=settle)
        self.kind: Kind = kind
        self.features = features
        self.hidden = hidden
        self.settle = settle
        self.training = Training(**training)
        self.inputs = Inputs(self.training.device)
        self.version = 0
        """A number that changes whenever the features of an observation do."""
        self._action_space: Any = None
        self._built = False
        self._seed = 0

    @property
    def size(self) -> int:
        """Number of features; known once an observation was seen."""
        return self.inputs.width if self.kind == "identity" else self.features

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the spaces, and the seed of weights and minibatches.

        Raises:
            ValueError: If an inverse model does not know this action space.
        """
        if self.kind == "inverse":
            _parts(action_space)
        self.inputs.setup(observation_space)
        self._action_space = action_space
        self._seed = seed

    def rows(self, obs: Observation) -> np.ndarray:
        """Return observations as flat rows, `(T * N, D)` float32; see `encode_rows`."""
        rows = self.inputs.rows(obs)
        self._build()
        return rows

    def encode(self, obs: Observation) -> np.ndarray:
        """Return the features, `(T, N, F)` float32."""
        first = next(iter(obs.values())) if isinstance(obs, Mapping) else obs
        features = self.encode_rows(self.rows(obs)).cpu().numpy()
        return features.reshape(*np.shape(first)[:2], self.size)

    def encode_rows(self, rows: np.ndarray) -> th.Tensor:
        """Return the features of flat rows, `(B, F)`; no gradient."""
        inputs = self.inputs.normalised(rows)
        if self.kind == "identity":
            return inputs
        return in_chunks(self.network, inputs)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Move the moments, then train if there is something to train."""
        rows = self.rows(batch.obs)
        if self.kind != "inverse":
            if self.inputs.moments.count < self.settle:
                self.inputs.learn(rows)
                self.version += 1
            return {}
        self.inputs.learn(rows)
        self.version += 1
        before = self.inputs.normalised(rows)
        after = self.inputs.normalised(self.rows(batch.next_obs))
        actions = self._targets(batch.action)

        def loss(part: th.Tensor) -> th.Tensor:
            pair = th.cat([before[part], after[part]])
            features = self.network(pair)
            told = self.head(th.cat(features.chunk(2), 1).relu())
            return self._action_loss(told, actions[part])

        return {"inverse_loss": self.trainer.fit(len(rows), loss)}

    def state_dict(self) -> dict[str, Any]:
        """Return moments, weights, Adam's moments and the generator's state."""
        state: dict[str, Any] = {
            "version": self.version,
            "inputs": self.inputs.state_dict(),
        }
        if self._built:
            state["network"] = pack(self.network)
        if self._built and self.kind == "inverse":
            state["head"] = pack(self.head)
            state["trainer"] = self.trainer.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.version = int(state["version"])
        self.inputs.load_state_dict(state["inputs"])
        self._built = False
        if "network" in state:
            self._build()
            unpack(self.network, state["network"])
        if "head" in state:
            unpack(self.head, state["head"])
            self.trainer.load_state_dict(state["trainer"])

    def _build(self) -> None:
        if self._built or self.kind == "identity":
            return
        draw = generator(self._seed)
        device = self.training.device
        sizes = (self.inputs.blocks(), (self.hidden,), self.features, draw)
        self.network = Trunk(*sizes).to(device)
        if self.kind == "inverse":
            outputs = sum(_parts(self._action_space))
            shape = (2 * self.features, self.hidden, outputs)
            self.head = mlp(shape, draw).to(device)
            both = nn.ModuleList([self.network, self.head])
            self.trainer = Trainer(both, draw, self.training)
        self._built = True

    def _targets(self, action: np.ndarray) -> th.Tensor:
        """Return what the inverse model is to tell, `(B, A)`, discrete as integers."""
        space = self._action_space
        if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
            start = np.asarray(space.start).ravel()
            whole = np.asarray(action).reshape(-1, len(start)) - start
            return th.as_tensor(whole, dtype=th.int64, device=self.training.device)
        rows = flatten_actions(action, space)
        return th.tensor(rows, device=self.training.device)

    def _action_loss(self, told: th.Tensor, actions: th.Tensor) -> th.Tensor:
        """Return the mean loss of predicted actions `(b, sum of parts)`."""
        space = self._action_space
        if isinstance(space, spaces.MultiBinary):
            return nn.functional.binary_cross_entropy_with_logits(told, actions)
        if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
            parts = told.split(_parts(space), 1)
            losses = [
                nn.functional.cross_entropy(part, actions[:, i])
                for i, part in enumerate(parts)
            ]
            return th.stack(losses).mean()
        return (told - actions).square().mean()


def _parts(space: Any) -> list[int]:
    """Return the numbers of outputs that tell an action.

    Raises:
        ValueError: If the inverse model does not know this space.
    """
    if isinstance(space, spaces.Discrete):
        return [int(space.n)]
    if isinstance(space, spaces.MultiDiscrete):
        return [int(n) for n in space.nvec.ravel()]
    if isinstance(space, spaces.Box | spaces.MultiBinary):
        return [spaces.flatdim(space)]
    raise ValueError(
        f"an inverse model needs the action space, and was given {space!r}; call "
        "setup(observation_space, action_space, seed) with a Box, Discrete, "
        "MultiDiscrete or MultiBinary action space, or use encoder='random'"
    )
