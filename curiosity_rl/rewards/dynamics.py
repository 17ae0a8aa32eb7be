"""Forward models: what features come next, told by one network or by several."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch as th
from torch import nn

from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards.encoders import Encoder
from curiosity_rl.rewards.networks import (
    Trainer,
    Training,
    check_sizes,
    generator,
    in_chunks,
    pack,
    unpack,
)
from curiosity_rl.rewards.observations import flatten_actions


class Members(nn.Module):
    """M networks of one hidden layer on the same input, as batched matrices.

    Weights are orthogonal per member, so that members differ from the start.
    Shapes: `(B, inputs)` to `(M, B, outputs)`.
    """

    def __init__(
        self,
        members: int,
        inputs: int,
        hidden: int,
        outputs: int,
        generator: th.Generator,
    ) -> None:
        super().__init__()
        self.members = members
        self.weight_1 = nn.Parameter(_draw((members, inputs, hidden), generator))
        self.bias_1 = nn.Parameter(th.zeros(members, 1, hidden))
        self.weight_2 = nn.Parameter(_draw((members, hidden, outputs), generator))
        self.bias_2 = nn.Parameter(th.zeros(members, 1, outputs))

    def forward(self, x: th.Tensor) -> th.Tensor:
        """Return the outputs of all members, `(M, B, outputs)`."""
        shared = x.expand(self.members, *x.shape)
        hidden = th.baddbmm(self.bias_1, shared, self.weight_1).relu_()
        return th.baddbmm(self.bias_2, hidden, self.weight_2)


class ForwardModel:
    """Predicts the features of s' from those of s and the action.

    The encoder is part of it: `update` trains the encoder first (if it learns), then
    the members on its new features, as fixed targets. Each member sees its own random
    part of every minibatch, of size `share`: with the same data and the same loss,
    members would agree too soon.

    Args:
        encoder: Features of observations.
        members: M, number of networks.
        hidden: Width of their hidden layer.
        probabilistic: Predict a mean and the logarithm of a variance per feature
            (trained by likelihood), not a mean alone (by squared error).
        share: Chance that a member sees a transition in a minibatch.
        training: How the members learn.
    """

    def __init__(
        self,
        encoder: Encoder,
        members: int = 1,
        hidden: int = 128,
        probabilistic: bool = False,
        share: float = 1.0,
        training: Training | None = None,
    ) -> None:
        check_sizes(members=members, hidden=hidden)
        if not 0 < share <= 1:
            raise ValueError(f"share is {share}; it must lie in (0, 1]")
        self.encoder = encoder
        self.members = members
        self.hidden = hidden
        self.probabilistic = probabilistic
        self.share = share
        self.training = Training() if training is None else training
        self._action_space: Any = None
        self._seed = 0
        self._actions = 0  # numbers in an action; 0: not built yet

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the spaces, and the seed of weights and minibatches."""
        own, encoder = np.random.SeedSequence(seed).generate_state(2)
        self.encoder.setup(observation_space, action_space, int(encoder))
        self._action_space = action_space
        self._seed = int(own)

    def inputs(self, batch: Transitions) -> tuple[th.Tensor, th.Tensor]:
        """Return features of s with the action `(B, F + A)`, and of s' `(B, F)`."""
        encoder = self.encoder
        before = encoder.encode_rows(encoder.rows(batch.obs))
        after = encoder.encode_rows(encoder.rows(batch.next_obs))
        rows = flatten_actions(batch.action, self._action_space)
        actions = th.tensor(rows, device=self.training.device)
        if not self._actions:
            self._build(actions.shape[1])
        return th.cat([before, actions], 1), after

    def predict(self, inputs: th.Tensor) -> th.Tensor:
        """Return predictions of all members, `(M, B, F)`, or `(M, B, 2 F)`."""
        return self.networks(inputs)

    def errors(self, batch: Transitions) -> th.Tensor:
        """Return the mean squared error of the first member, `(B,)`; no gradient."""
        inputs, after = self.inputs(batch)

        def error(x: th.Tensor, aim: th.Tensor) -> th.Tensor:
            told = self.networks(x)[0, :, : aim.shape[1]]
            return (told - aim).square().mean(1)

        return in_chunks(error, inputs, after)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Train the encoder, then the members; return both mean losses."""
        log = self.encoder.update(batch)
        inputs, after = self.inputs(batch)
        return {**log, "forward_loss": self.fit(inputs, after)}

    def fit(self, inputs: th.Tensor, after: th.Tensor) -> float:
        """Train the members on what `inputs` returned; return the mean loss."""

        def loss(part: th.Tensor) -> th.Tensor:
            each = self.losses(self.networks(inputs[part]), after[part])
            if self.share == 1:
                return each.mean(1).sum()
            seen = th.rand(each.shape, generator=self.trainer.generator) < self.share
            weight = seen.to(each.device, each.dtype)
            return ((each * weight).sum(1) / weight.sum(1).clamp_min(1)).sum()

        return self.trainer.fit(len(inputs), loss) / self.members

    def losses(self, told: th.Tensor, aim: th.Tensor) -> th.Tensor:
        """Return the loss of every member on every row, `(M, B)`."""
        if not self.probabilistic:
            return (told - aim).square().mean(-1)
        mean, log_variance = split(told)
        scaled = (mean - aim).square() * (-log_variance).exp()
        return 0.5 * (scaled + log_variance).mean(-1)

    def state_dict(self) -> dict[str, Any]:
        """Return the encoder's state, weights, Adam's moments and the generator's."""
        state: dict[str, Any] = {"encoder": self.encoder.state_dict()}
        if self._actions:
            state["actions"] = self._actions
            state["networks"] = pack(self.networks)
            state["trainer"] = self.trainer.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.encoder.load_state_dict(state["encoder"])
        self._actions = 0
        if "actions" in state:
            self._build(int(state["actions"]))
            unpack(self.networks, state["networks"])
            self.trainer.load_state_dict(state["trainer"])

    def _build(self, actions: int) -> None:
        self._actions = actions
        draw = generator(self._seed)
        size = self.encoder.size
        self.networks = Members(
            self.members,
            size + actions,
            self.hidden,
            2 * size if self.probabilistic else size,
            draw,
        ).to(self.training.device)
        self.trainer = Trainer(self.networks, draw, self.training)


def split(told: th.Tensor) -> tuple[th.Tensor, th.Tensor]:
    """Return means and logarithms of variances, each `(M, B, F)`.

    The logarithm is bent softly into [-10, 2], so that neither a noiseless feature nor
    a surprise makes it run away.
    """
    mean, raw = told.chunk(2, -1)
    high = 2.0 - nn.functional.softplus(2.0 - raw)
    return mean, -10.0 + nn.functional.softplus(high + 10.0)


def _draw(shape: tuple[int, int, int], generator: th.Generator) -> th.Tensor:
    """Return orthogonal matrices of gain sqrt(2), one per member."""
    weights = th.empty(shape)
    for weight in weights:
        nn.init.orthogonal_(weight, 2**0.5, generator=generator)
    return weights
