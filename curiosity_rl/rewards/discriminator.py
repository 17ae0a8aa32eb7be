"""A model that tells true next observations from fake ones, and what it learns from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch as th
from torch import nn

from curiosity_rl.jit import kernel
from curiosity_rl.rewards.networks import Trunk, mlp
from curiosity_rl.rewards.observations import Block

ONE = np.float32(1)
SHARE = 8
"""A batch replaces at most one part in so many of the queue."""


class Discriminator(nn.Module):
    """Whether `o'` follows on `(o, a)`, given the trajectory up to o.

    Formula: `e = trunk(o)`, `h_t = GRU(h_{t-1}, e_t)`, and the logit is
    `head(h_t, GRU(h_t, e'), a)`.

    Shapes: rows of observations `(B, D)`, of actions `(B, A)`; embeddings of
    observations and of trajectories `(B, F)`; logits `(B,)`.

    Source: Wan et al. 2023, "DEIR: efficient and robust exploration through
    discriminative-model-based episodic intrinsic rewards".
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        hidden: int,
        features: int,
        actions: int,
        generator: th.Generator,
    ) -> None:
        super().__init__()
        self.trunk = Trunk(blocks, (hidden,), features, generator)
        # skip_init: the constructor would draw from the global generator
        cell = nn.utils.skip_init(nn.GRUCell, features, features)
        self.cell = cast(nn.GRUCell, cell)
        bound = features**-0.5
        with th.no_grad():
            for weight in (self.cell.weight_ih, self.cell.weight_hh):
                for gate in weight.chunk(3):
                    nn.init.orthogonal_(gate, generator=generator)
            # not zero: else an observation of zeros would leave no trace
            for bias in (self.cell.bias_ih, self.cell.bias_hh):
                bias.uniform_(-bound, bound, generator=generator)
        self.head = mlp((2 * features + actions, hidden, 1), generator)

    def embed(self, rows: th.Tensor) -> th.Tensor:
        """Return embeddings and their part of the gates, `(B, F + 3F)`."""
        features = self.trunk(rows)
        gates = nn.functional.linear(features, self.cell.weight_ih, self.cell.bias_ih)
        return th.cat([features, gates], 1)

    def recurrent(self) -> tuple[np.ndarray, np.ndarray]:
        """Return weight `(F, 3F)` and bias `(3F,)` of what `remember` does."""
        weight = self.cell.weight_hh.detach().cpu().numpy().T
        return np.ascontiguousarray(weight), self.cell.bias_hh.detach().cpu().numpy()

    def loss(
        self,
        memory: th.Tensor,
        obs: th.Tensor,
        action: th.Tensor,
        true: th.Tensor,
        fake: th.Tensor,
    ) -> th.Tensor:
        """Return the mean cross-entropy of telling true from fake.

        Both halves weigh the same; a fake that happens to be the truth is left out.

        Args:
            memory: Trajectories before the observation, `(B, F)`; no gradient.
            obs: Observations, `(B, D)`.
            action: Actions, `(B, A)`.
            true: Next observations, `(B, D)`.
            fake: What is shown instead of them, `(B, D)`.
        """
        here = self.cell(self.trunk(obs), memory).repeat(2, 1)
        there = self.cell(self.trunk(th.cat([true, fake])), here)
        logits = self.head(th.cat([here, there, action.repeat(2, 1)], 1)).squeeze(1)
        yes, no = logits.chunk(2)
        counts = (true != fake).any(1).float()
        missed = (nn.functional.softplus(no) * counts).sum() / counts.sum().clamp(min=1)
        return (nn.functional.softplus(-yes).mean() + missed) / 2


class Queue:
    """The last `size` of the observations put into it: what fakes are drawn from."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.seen = 0
        self.rows = np.zeros((0, 0), np.float32)

    def put(self, rows: np.ndarray, generator: th.Generator) -> None:
        """Put some of the rows `(B, D)`, drawn at random, in the place of the oldest.

        At most an eighth of the queue, so that it holds several batches.
        """
        count = min(len(rows), max(1, self.size // SHARE))
        chosen = th.randperm(len(rows), generator=generator)[:count].numpy()
        if not len(self.rows):
            self.rows = np.zeros((self.size, rows.shape[1]), np.float32)
        self.rows[(self.seen + np.arange(count)) % self.size] = rows[chosen]
        self.seen += count

    def filled(self) -> np.ndarray:
        """Return the rows put into it, `(B, D)`."""
        return self.rows[: self.seen]

    def state_dict(self) -> dict[str, Any]:
        """Return the rows, and how many were ever put in."""
        return {"rows": self.filled().copy(), "seen": self.seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        kept = np.array(state["rows"], np.float32)
        self.seen = int(state["seen"])
        self.rows = np.zeros((self.size if self.seen else 0, kept.shape[1]), np.float32)
        self.rows[: len(kept)] = kept


@kernel
def remember(lanes, begin, done, gates, begun, weight, bias, memory, scratch, out):
    """Walk the lanes through time; write the trajectory's embeddings.

    Args:
        lanes: See `episodes.Walk`.
        begin: See `episodes.Walk`.
        done: See `episodes.Walk`.
        gates: The next observations' part of the gates, `(T * N, 3F)`.
        begun: That of the observations in which episodes begin, `(S, 3F)`.
        weight: Of the recurrent part, `(F, 3F)`.
        bias: Of the recurrent part, `(3F,)`.
        memory: Before the last observation and after it, `(lanes, 2, F)`; moves on.
        scratch: `(3F,)`.
        out: Before the observation of each step and after it, `(T, N, 2, F)`.
    """
    columns, size = len(lanes), len(bias) // 3
    for column in range(columns):
        lane = lanes[column]
        for t in range(len(done)):
            i = begin[t, column]
            if i >= 0:
                memory[lane, :, :] = 0
                _recur(begun, i, weight, bias, memory, lane, scratch)
            for k in range(size):
                out[t, column, 0, k] = memory[lane, 0, k]
                out[t, column, 1, k] = memory[lane, 1, k]
                memory[lane, 0, k] = memory[lane, 1, k]
            _recur(gates, t * columns + column, weight, bias, memory, lane, scratch)
            if done[t, column]:
                memory[lane, :, :] = 0


@kernel
def _recur(gates, row, weight, bias, memory, lane, scratch):
    """Move the last memory of a lane on by one step of a GRU (Cho et al. 2014)."""
    size = len(bias) // 3
    for k in range(3 * size):
        scratch[k] = bias[k]
    for j in range(size):
        past = memory[lane, 1, j]
        for k in range(3 * size):
            scratch[k] += past * weight[j, k]
    for k in range(size):
        reset = ONE / (ONE + np.exp(-(gates[row, k] + scratch[k])))
        keep = ONE / (ONE + np.exp(-(gates[row, size + k] + scratch[size + k])))
        new = np.tanh(gates[row, 2 * size + k] + reset * scratch[2 * size + k])
        memory[lane, 1, k] = (ONE - keep) * new + keep * memory[lane, 1, k]
