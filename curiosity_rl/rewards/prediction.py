"""Prediction error of a network as a bonus."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards.networks import (
    Inputs,
    Trainer,
    Training,
    TrainingOptions,
    Trunk,
    check_sizes,
    generator,
    in_chunks,
    pack,
    unpack,
)


class RND:
    """Random network distillation: how badly a fixed random network is predicted.

    Formula: `mean_j (f_j(x) - g_j(x))^2` with `x = clip((s' - mean) / deviation, -5,
    5)`, g a random network that never changes, f the predictor. s' is the true next
    observation, also where the episode ends, and exactly that is trained on. The
    moments of s' move in `update` only, before the predictor learns.

    Shapes: observations `(T, N, ...)` of any space, see `observations.flatten`; bonus
    `(T, N)`. Both networks have two hidden layers of ReLU. Memory: the weights.

    Args:
        hidden: Width of the hidden layers.
        outputs: Number of outputs to predict.
        **training: See `networks.TrainingOptions`.

    Source: Burda et al. 2018, "Exploration by random network distillation", section
    2.2 and 2.4; orthogonal weights of gain sqrt(2) as in
    openai/random-network-distillation, `policies/cnn_policy_param_matched.py`.
    """

    scaled_by_default = True
    per_transition = True

    def __init__(
        self, hidden: int = 128, outputs: int = 64, **training: Unpack[TrainingOptions]
    ) -> None:
        check_sizes(hidden=hidden, outputs=outputs)
        self.hidden = hidden
        self.outputs = outputs
        self.training = Training(**training)
        self.inputs = Inputs(self.training.device)
        self._built = False
        self._seed = 0

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the observation space, and the seed of weights and minibatches."""
        self.inputs.setup(observation_space)
        self._seed = seed

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the squared error, `(T, N)` float32."""
        rows = self.inputs.normalised(self._rows(batch))

        def error(part: Any) -> Any:
            return (self.predictor(part) - self.target(part)).square().mean(1)

        return in_chunks(error, rows).cpu().numpy().reshape(batch.shape)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Move the moments, then train the predictor; return the mean loss."""
        flat = self._rows(batch)
        self.inputs.learn(flat)
        rows = self.inputs.normalised(flat)
        aims = in_chunks(self.target, rows)

        def loss(part: Any) -> Any:
            return (self.predictor(rows[part]) - aims[part]).square().mean()

        return {"predictor_loss": self.trainer.fit(len(rows), loss)}

    def state_dict(self) -> dict[str, Any]:
        """Return weights, Adam's moments, statistics and the generator's state."""
        if not self._built:
            return {}
        return {
            "inputs": self.inputs.state_dict(),
            "predictor": pack(self.predictor),
            "target": pack(self.target),
            "trainer": self.trainer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._built = False
        if not state:
            return
        self.inputs.load_state_dict(state["inputs"])
        self._build()
        unpack(self.predictor, state["predictor"])
        unpack(self.target, state["target"])
        self.trainer.load_state_dict(state["trainer"])

    def _rows(self, batch: Transitions) -> np.ndarray:
        """Return the next observations, `(T * N, D)`, and build for them if needed."""
        rows = self.inputs.rows(batch.next_obs)
        if not self._built:
            self._build()
        return rows

    def _build(self) -> None:
        draw = generator(self._seed)
        sizes = (self.inputs.blocks(), (self.hidden, self.hidden), self.outputs, draw)
        device = self.training.device
        self.target = Trunk(*sizes).requires_grad_(False).to(device)
        self.predictor = Trunk(*sizes).to(device)
        self.trainer = Trainer(self.predictor, draw, self.training)
        self._built = True
