"""Learning progress of the AGENT's own model of the world.

Progress of the pupil of a tutor world is another thing: see `rewards.progress`.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any, Unpack

import numpy as np
import torch as th

from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards.cuts import Split
from curiosity_rl.rewards.dynamics import ForwardModel, Members
from curiosity_rl.rewards.encoders import Encoder
from curiosity_rl.rewards.encoders import Kind as Features
from curiosity_rl.rewards.networks import (
    Training,
    TrainingOptions,
    in_chunks,
    pack,
    unpack,
)
from curiosity_rl.rewards.regions import Kind, Regions
from curiosity_rl.rewards.statistics import mean

LOGGED = 256
"""Rows of a batch over which progress is averaged for the log."""


class ModelReward(ABC):
    """What these rewards share: one forward model, and features encoded once a batch.

    A subclass says in `pay` what to pay, and in `learn` how to learn.
    """

    scaled_by_default = True
    per_transition = True

    def __init__(
        self, encoder: Features, features: int, hidden: int, training: TrainingOptions
    ) -> None:
        self.model = ForwardModel(
            Encoder(encoder, features, hidden, **training),
            hidden=hidden,
            training=Training(**training),
        )
        self._last: tuple[Transitions, int, th.Tensor, th.Tensor] | None = None

    @abstractmethod
    def pay(self, inputs: th.Tensor, after: th.Tensor) -> th.Tensor:
        """Return the bonus, `(B,)`, from what `ForwardModel.inputs` returns."""

    @abstractmethod
    def learn(self, batch: Transitions) -> dict[str, float]:
        """Learn from the batch; return what should be logged."""

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the spaces, and the seed of weights and minibatches."""
        self.model.setup(observation_space, action_space, seed)

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the bonus, `(T, N)` float32."""
        return self._paid(batch, *self.inputs(batch))

    def score(self, batch: Transitions) -> np.ndarray:
        """Return the bonus of replayed transitions, `(T, N)` float32."""
        return self._paid(batch, *self.model.inputs(batch))

    def update(self, batch: Transitions) -> dict[str, float]:
        """Learn from the batch once; return the mean losses."""
        log = self.learn(batch)
        self._last = None
        return log

    def inputs(self, batch: Transitions) -> tuple[th.Tensor, th.Tensor]:
        """Return what the model sees and what it is to tell, encoded once a batch."""
        last, version = self._last, self.model.encoder.version
        if last is None or last[0] is not batch or last[1] != version:
            last = (batch, version, *self.model.inputs(batch))
            self._last = last
        return last[2], last[3]

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the model and its encoder."""
        return {"model": self.model.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._last = None
        self.model.load_state_dict(state["model"])

    def _paid(
        self, batch: Transitions, inputs: th.Tensor, after: th.Tensor
    ) -> np.ndarray:
        bonus = self.pay(inputs, after).to("cpu", th.float32)
        return bonus.numpy().reshape(batch.shape)


class RegionProgress(ModelReward):
    """Learning progress per region of the sensorimotor space (IAC, R-IAC).

    Formula: the progress of the region of (features of s, action), as the last update
    left it: the mean error of a forward model in an older window minus that in a
    recent one; see `regions.Regions` for windows, noise and cuts. 0 in the first batch,
    and in every region without two entries yet.

    `update` files the errors of the batch before the model has learnt from it, in time
    order and over all lanes, then trains. With `encoder="inverse"` features move, and
    regions with them; cuts stay where they are.

    Shapes: observations `(T, N, ...)` of any space, see `encoders.Encoder`; bonus
    `(T, N)`. Memory: the weights, and what `Regions` states: by default 16,384 rows of
    2 F + A numbers.

    Args:
        kind: `positive`, `absolute` or `signed` progress.
        window: Entries in a window: updates, or more where a region gets few errors.
        smoothing: Errors that an entry holds at least.
        z: How many standard errors of progress are taken for noise. 0 is the papers'
            rule, which with `positive` and `absolute` goes on paying for noise.
        split: Cut by `variance` (IAC), by `progress` (R-IAC), or `none`.
        capacity: Rows from which on a region is cut.
        max_regions: Number of regions that are made.
        encoder: Kind of features, see `encoders.Encoder`.
        features: F, number of features.
        hidden: Width of the hidden layers.
        **training: See `networks.TrainingOptions`.

    Source: Oudeyer, Kaplan, Hafner 2007, "Intrinsic motivation systems for autonomous
    mental development"; Baranes and Oudeyer 2009, "R-IAC: robust intrinsically
    motivated exploration and active learning".
    """

    def __init__(
        self,
        kind: Kind = "positive",
        window: int = 5,
        smoothing: int = 16,
        z: float = 2.0,
        split: Split = "variance",
        capacity: int = 250,
        max_regions: int = 256,
        encoder: Features = "random",
        features: int = 32,
        hidden: int = 128,
        **training: Unpack[TrainingOptions],
    ) -> None:
        super().__init__(encoder, features, hidden, training)
        self.regions = Regions(window, smoothing, z, kind, split, capacity, max_regions)
        self.paid_progress = np.zeros(0, np.float32)
        """Progress of the regions of what was paid last, `(B,)`; for pictures."""

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the spaces, and the seed of weights, minibatches and remembered rows."""
        super().setup(observation_space, action_space, seed)
        self.regions.seed(seed)

    def pay(self, inputs: th.Tensor, after: th.Tensor) -> th.Tensor:
        """Return the progress of the regions, `(B,)`."""
        region = self.regions.find(inputs.cpu().numpy())
        self.paid_progress = self.regions.progress[region]
        return th.from_numpy(self.paid_progress)

    def learn(self, batch: Transitions) -> dict[str, float]:
        """File the errors, then train; return mean losses and progress of regions."""
        encoder = self.model.encoder
        # the first features have no moments yet: their errors compare with no others
        first = encoder.version == 0
        log = encoder.update(batch) if first else {}
        inputs, after = self.inputs(batch)
        errors = _errors(self.model.networks, inputs, after)
        rows = (x.cpu().numpy() for x in (inputs, after, errors))
        self.regions.file(*rows)
        if not first:
            log = encoder.update(batch)
        loss = self.model.fit(*self.inputs(batch))
        progress = self.regions.progress
        return {
            **log,
            "forward_loss": loss,
            "regions": float(self.regions.size),
            "regions_progressing": float(np.count_nonzero(progress > 0)),
            "progress_mean": float(progress.mean()),
            "progress_most": float(progress.max()),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the model, its encoder and the regions."""
        return {**super().state_dict(), "regions": self.regions.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        super().load_state_dict(state)
        self.regions.load_state_dict(state["regions"])


class GammaProgress(ModelReward):
    """Progress of the model over an old one: the old model's error minus the new one's.

    Formula: `e(old) - e(new)`, e the mean squared error of a forward model on the
    features of s'; `old <- gamma old + (1 - gamma) new` on the weights, before every
    step of Adam. Age is thus counted in steps of learning, however long a rollout is:
    `1 / (1 - gamma)` of them, 200 by default, are 6 updates of 16,384 transitions in
    minibatches of 512. Signed: what is forgotten costs, and noise pays nothing (less,
    if anything, since mean weights average it out). 0 before the first update.

    Both models see today's features: with `encoder="inverse"` the old one is also worse
    for knowing older features only.

    Shapes: observations `(T, N, ...)` of any space, see `encoders.Encoder`; bonus
    `(T, N)`. Memory: the weights, twice for the forward model.

    Args:
        gamma: Share of the old weights that stays, in [0, 1).
        positive: Pay no negative progress.
        encoder: Kind of features, see `encoders.Encoder`.
        features: F, number of features.
        hidden: Width of the hidden layers.
        **training: See `networks.TrainingOptions`.

    Source: Kim, Sano, De Freitas, Haber, Yamins 2020, "Active world model learning with
    progress curiosity" (gamma-progress).
    """

    def __init__(
        self,
        gamma: float = 0.995,
        positive: bool = False,
        encoder: Features = "random",
        features: int = 32,
        hidden: int = 128,
        **training: Unpack[TrainingOptions],
    ) -> None:
        if not 0 <= gamma < 1:
            raise ValueError(f"gamma is {gamma}; it must lie in [0, 1)")
        super().__init__(encoder, features, hidden, training)
        self.gamma = gamma
        self.positive = positive
        self._old: Members | None = None

    @property
    def old(self) -> Members:
        """The old forward model; as young as the new one if nothing was learnt yet."""
        if self._old is None:
            self._old = copy.deepcopy(self.model.networks).requires_grad_(False)
        return self._old

    def pay(self, inputs: th.Tensor, after: th.Tensor) -> th.Tensor:
        """Return the difference of errors, `(B,)`."""
        new = _errors(self.model.networks, inputs, after)
        gain = _errors(self.old, inputs, after) - new
        return gain.clamp_min(0) if self.positive else gain

    def learn(self, batch: Transitions) -> dict[str, float]:
        """Train the new model, the old one following; return losses and progress."""
        log = self.model.encoder.update(batch)
        inputs, after = self.inputs(batch)
        new, old = self.model.networks, self.old
        pairs = list(zip(old.parameters(), new.parameters(), strict=True))

        def loss(part: th.Tensor) -> th.Tensor:
            for mine, its in pairs:
                mine.lerp_(its.detach(), 1 - self.gamma)
            return self.model.losses(new(inputs[part]), after[part]).mean()

        log["forward_loss"] = self.model.trainer.fit(len(inputs), loss)
        some = slice(-LOGGED, None)
        gain = _errors(old, inputs[some], after[some])
        gain -= _errors(new, inputs[some], after[some])
        return {**log, "progress": mean(gain)}

    def state_dict(self) -> dict[str, Any]:
        """Return the state of both models and their encoder."""
        state = super().state_dict()
        return state if self._old is None else {**state, "old": pack(self._old)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        super().load_state_dict(state)
        self._old = None
        if "old" in state:
            unpack(self.old, state["old"])


class PredictionGain(ModelReward):
    """What one step of learning on a transition, and on it alone, takes off its loss.

    Formula: `L(w) - L(w - step * dL/dw)`, w all weights of the forward model and L its
    squared error on this transition, averaged over features. Exact, without touching
    the model, so it depends on no other transition: see `prediction_gain`. To first
    order it is `step * |dL/dw|^2`, the gradient prediction gain.

    A step on noise helps on that very draw of it, so this goes on paying for noise, as
    prediction errors do, weighted by how much the weights matter there; where noise is
    about, use `RegionProgress` or `GammaProgress`.

    Shapes: observations `(T, N, ...)` of any space, see `encoders.Encoder`; bonus
    `(T, N)`. Memory: the weights.

    Args:
        step: Learning rate of that one step of gradient descent. So large a step that
            it overshoots makes the gain negative.
        encoder: Kind of features, see `encoders.Encoder`.
        features: F, number of features.
        hidden: Width of the hidden layers.
        **training: How the model itself learns, in `update`; see
            `networks.TrainingOptions`.

    Source: Bellemare et al. 2016, "Unifying count-based exploration and intrinsic
    motivation" (prediction gain, there of a density model); Graves et al. 2017,
    "Automated curriculum learning for neural networks" (prediction gain and gradient
    prediction gain of a loss).
    """

    def __init__(
        self,
        step: float = 0.01,
        encoder: Features = "random",
        features: int = 32,
        hidden: int = 128,
        **training: Unpack[TrainingOptions],
    ) -> None:
        if not step > 0:
            raise ValueError(f"step is {step}; it must be positive")
        super().__init__(encoder, features, hidden, training)
        self.step = step

    def pay(self, inputs: th.Tensor, after: th.Tensor) -> th.Tensor:
        """Return the gain, `(B,)`."""

        def gain(x: th.Tensor, aim: th.Tensor) -> th.Tensor:
            return prediction_gain(self.model.networks, x, aim, self.step)

        return in_chunks(gain, inputs, after)

    def learn(self, batch: Transitions) -> dict[str, float]:
        """Train the model; return the mean losses."""
        log = self.model.encoder.update(batch)
        return {**log, "forward_loss": self.model.fit(*self.inputs(batch))}


def prediction_gain(
    networks: Members, x: th.Tensor, aim: th.Tensor, step: float
) -> th.Tensor:
    """Return what a step of gradient descent on each row alone takes off its loss.

    With `z = W1 x + b1`, `h = max(z, 0)`, `y = W2 h + b2`, `L = |y - aim|^2 / F`, the
    gradients of one row are outer products: `g = 2 (y - aim) / F` of b2, `g h'` of W2,
    `d = (W2' g) * [z > 0]` of b1, `d x'` of W1. After the step the same row gives

        z_new = z - step (1 + |x|^2) d,  h_new = max(z_new, 0),
        y_new = W2 h_new + b2 - step (1 + h . h_new) g,

    whether or not a unit switches off. The difference of the losses is taken as
    `(y - y_new) . (2 (y - aim) - (y - y_new)) / F`, in which no large numbers cancel.

    Args:
        networks: A forward model; its first member counts.
        x: Inputs, `(B, inputs)`.
        aim: What was to be told, `(B, F)`.
        step: Learning rate.

    Returns:
        The gains, `(B,)`.
    """
    weight_1, weight_2 = networks.weight_1[0], networks.weight_2[0]  # as x @ weight
    z = th.addmm(networks.bias_1[0], x, weight_1)
    h = z.relu()
    error = th.addmm(networks.bias_2[0], h, weight_2) - aim
    g = error * (2 / aim.shape[1])
    d = (g @ weight_2.T).mul_(z > 0)
    h_new = z.addcmul_(d, 1 + x.square().sum(1, keepdim=True), value=-step).relu_()
    inner = 1 + (h * h_new).sum(1, keepdim=True)
    less = (h - h_new) @ weight_2 + step * inner * g
    return (less * (2 * error - less)).mean(1)


def _errors(networks: Members, inputs: th.Tensor, after: th.Tensor) -> th.Tensor:
    """Return the mean squared errors of the first member, `(B,)`; no gradient."""

    def error(x: th.Tensor, aim: th.Tensor) -> th.Tensor:
        return (networks(x)[0] - aim).square().mean(1)

    return in_chunks(error, inputs, after)
