"""Prediction error of a network as a bonus: RND, a forward model, ICM."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards.dynamics import ForwardModel
from curiosity_rl.rewards.encoders import Encoder, Kind
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
        state: dict[str, Any] = {"inputs": self.inputs.state_dict()}
        if self._built:
            state["predictor"] = pack(self.predictor)
            state["target"] = pack(self.target)
            state["trainer"] = self.trainer.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.inputs.load_state_dict(state["inputs"])
        self._built = False
        if "predictor" in state:
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


class ForwardError:
    """How badly a forward model predicts the features of the next observation.

    Formula: `mean_j (f_j(phi(s), a) - phi_j(s'))^2`, phi the encoder, f a network of
    one hidden layer of ReLU. s' is the true next observation, also where the episode
    ends, and exactly that is trained on. `update` moves the encoder first, as far as it
    moves at all, then trains f on its new features, as fixed targets.

    It never tires of what cannot be predicted, such as a noisy screen: progress and
    information (`region-progress`, `bayes-linear`) do.

    Shapes: observations `(T, N, ...)` and actions `(T, N, ...)` of any space, see
    `observations.flatten`; bonus `(T, N)`. Memory: the weights.

    Args:
        encoder: See `encoders.Encoder`. "random" copes with every space, images among
            them, at F numbers to predict; "identity" predicts the observation itself,
            of which nothing is lost, and suits short vectors.
        features: F; of "identity" the length of the observation instead.
        hidden: Width of the hidden layers.
        **training: See `networks.TrainingOptions`.

    Source: Schmidhuber 1991, "A possibility for implementing curiosity and boredom in
    model-building neural controllers" (the idea); Burda et al. 2019, "Large-scale study
    of curiosity-driven learning", section 2 (on random features).
    """

    scaled_by_default = True
    per_transition = True

    def __init__(
        self,
        encoder: Kind = "random",
        features: int = 32,
        hidden: int = 128,
        **training: Unpack[TrainingOptions],
    ) -> None:
        phi = Encoder(kind=encoder, features=features, hidden=hidden, **training)
        self.model = ForwardModel(phi, hidden=hidden, training=phi.training)

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the spaces, and the seed of weights and minibatches."""
        self.model.setup(observation_space, action_space, seed)

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the mean squared error, `(T, N)` float32."""
        return self.model.errors(batch).cpu().numpy().reshape(batch.shape)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Train the encoder, then the forward model; return their mean losses."""
        return self.model.update(batch)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of encoder and forward model."""
        return self.model.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.model.load_state_dict(state)


class ICM(ForwardError):  # noqa: N818, it is no exception
    """Intrinsic curiosity module: forward error in features of inverse dynamics.

    Formula: `1/2 ||f(phi(s), a) - phi(s')||^2`, with phi trained so that the action can
    be told from `phi(s), phi(s')`: what the agent cannot influence leaves little trace
    in phi, and so pays little. The paper's eta is no part of it: a factor belongs to
    the agent.

    One thing differs from the paper, which trains phi by `(1 - beta)` times the inverse
    loss and beta times the forward loss: here phi learns from the inverse loss alone,
    as in Burda et al. 2019. The forward loss is least where phi is constant, so that
    its gradient presses phi to drop what is hard to predict, which is what the bonus
    is to point at; and without it, phi and f can be trained one after the other, by
    parts that other rewards share.

    Shapes: observations `(T, N, ...)` of any space and actions `(T, N, ...)`, Box,
    Discrete, MultiDiscrete or MultiBinary; bonus `(T, N)`. Memory: the weights.

    Args:
        features: F, length of phi.
        hidden: Width of the hidden layers.
        **training: See `networks.TrainingOptions`.

    Source: Pathak et al. 2017, "Curiosity-driven exploration by self-supervised
    prediction", section 2.2, equations 2 to 6; Burda et al. 2019, "Large-scale study of
    curiosity-driven learning", section 2.1 (inverse dynamics features).
    """

    def __init__(
        self,
        features: int = 32,
        hidden: int = 128,
        **training: Unpack[TrainingOptions],
    ) -> None:
        super().__init__("inverse", features, hidden, **training)

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return half the squared norm of the error, `(T, N)` float32."""
        return super().compute(batch) * np.float32(self.model.encoder.size / 2)
