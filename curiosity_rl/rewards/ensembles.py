"""Information gain by an ensemble: how much forward models disagree."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, Unpack

import numpy as np
import torch as th

from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards.dynamics import ForwardModel, split
from curiosity_rl.rewards.encoders import Encoder, Kind
from curiosity_rl.rewards.networks import Training, TrainingOptions, in_chunks
from curiosity_rl.rewards.statistics import mean


class _Ensemble(ABC):
    """What both rewards share: an ensemble of forward models, and its state."""

    scaled_by_default = True
    per_transition = True
    probabilistic = False

    def __init__(
        self,
        members: int = 5,
        share: float = 0.5,
        encoder: Kind = "random",
        features: int = 32,
        hidden: int = 128,
        **training: Unpack[TrainingOptions],
    ) -> None:
        if members < 2:
            raise ValueError(
                f"members is {members}; it must be at least 2, for one has nobody to "
                "disagree with"
            )
        self.model = ForwardModel(
            Encoder(kind=encoder, features=features, hidden=hidden, **training),
            members=members,
            hidden=hidden,
            probabilistic=self.probabilistic,
            share=share,
            training=Training(**training),
        )

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the spaces, and the seed of weights and minibatches."""
        self.model.setup(observation_space, action_space, seed)

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return how much the members disagree, `(T, N)` float32."""
        inputs, _ = self.model.inputs(batch)
        paid = in_chunks(lambda part: self.spread(self.model.predict(part)), inputs)
        return paid.cpu().numpy().reshape(batch.shape)

    @abstractmethod
    def spread(self, told: th.Tensor) -> th.Tensor:
        """Return the bonus, `(B,)`, from what the members tell, `(M, B, ...)`."""

    def update(self, batch: Transitions) -> dict[str, float]:
        """Train the encoder, then the members; return mean losses and spread."""
        log = self.model.update(batch)
        inputs, _ = self.model.inputs(batch.latest(256))
        with th.no_grad():
            spread = self.spread(self.model.predict(inputs))
        return {**log, "spread": mean(spread)}

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the models."""
        return self.model.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.model.load_state_dict(state)


class Disagreement(_Ensemble):
    """Disagreement of forward models about the features that come next.

    Formula: `mean_j (1/M) sum_m (f_mj(s, a) - mean_m f_mj(s, a))^2`, the variance over
    M forward models, averaged over features j. What s' turned out to be does not
    matter: noise is paid only until all members have learnt its mean.

    Members differ in their first weights and in the data: each sees its own random
    `share` of every minibatch.

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`. Memory: the weights
    of encoder and members, and Adam's moments.

    Args:
        members: M, at least 2.
        share: Chance that a member sees a transition in a minibatch.
        encoder: Features of observations, see `encoders.Encoder`.
        features: Their number.
        hidden: Width of the hidden layers of encoder and members.
        **training: See `networks.TrainingOptions`.

    Source: Pathak, Gandhi, Gupta 2019, "Self-supervised exploration via disagreement",
    equation 1; bootstrap by masks as Osband et al. 2016, "Deep exploration via
    bootstrapped DQN", section 3.
    """

    def spread(self, told: th.Tensor) -> th.Tensor:
        """Return the variance over members `(M, B, F)`, averaged, `(B,)`."""
        # centred squares: E[x^2] - E[x]^2 cancels in float32, and var(0) is slow
        return (told - told.mean(0)).square_().mean((0, 2))


class JensenRenyi(_Ensemble):
    """Jensen-Renyi divergence of forward models that predict mean and variance.

    Formula: `H(sum_m N_m / M) - sum_m H(N_m) / M`, in nats, with the quadratic Renyi
    entropy `H(p) = -ln int p^2` and `N_m = N(mu_m(s, a), diag sigma_m^2(s, a))`. Closed
    form, for `int N_i N_j = N(mu_i; mu_j, sigma_i^2 + sigma_j^2)`. It is 0 where
    members agree, and about ln M where they have nothing in common. Noise that they
    have learnt is part of their variances, so it makes them agree.

    It is taken feature by feature and averaged. `joint` takes all features at once, as
    the paper does for few dimensions. With many, that says ln M of all that is new;
    and, as the quadratic entropy is not concave, it turns negative where the members'
    volumes differ much, which they do far from all data: what is newest is then paid
    least. One feature can turn negative only where widths differ about sixfold; what
    is negative is paid as 0.

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`. Memory: the weights
    of encoder and members, and Adam's moments.

    Args:
        members: M, at least 2.
        share: Chance that a member sees a transition in a minibatch.
        joint: See above.
        encoder: Features of observations, see `encoders.Encoder`.
        features: Their number.
        hidden: Width of the hidden layers of encoder and members.
        **training: See `networks.TrainingOptions`.

    Source: Shyam, Jaskowski, Gomez 2019, "Model-based active exploration" (MAX), the
    utility for continuous worlds; closed form: Wang et al. 2009, "Closed-form
    Jensen-Renyi divergence for mixture of Gaussians".
    """

    probabilistic = True

    def __init__(
        self,
        members: int = 5,
        share: float = 0.5,
        joint: bool = False,
        encoder: Kind = "random",
        features: int = 32,
        hidden: int = 128,
        **training: Unpack[TrainingOptions],
    ) -> None:
        super().__init__(members, share, encoder, features, hidden, **training)
        self.joint = joint

    def spread(self, told: th.Tensor) -> th.Tensor:
        """Return the divergence, `(B,)`, of what members tell, `(M, B, 2 F)`."""
        mean, log_variance = split(told)
        variance = log_variance.exp()
        # H(N_m) and -ln int N_i N_j, both without the ln(4 pi) / 2 that they share
        own = self._gather(log_variance)
        overlaps = [-own]
        members = len(mean)
        for i in range(members - 1):
            pooled = (variance[i] + variance[i + 1 :]) / 2
            apart = (mean[i] - mean[i + 1 :]).square() / (2 * pooled)
            # both of a pair overlap alike: each counts twice
            overlaps.append(math.log(2) - self._gather(apart + pooled.log()))
        mixture = 2 * math.log(members) - th.cat(overlaps).logsumexp(0)
        return (mixture - own.mean(0)).clamp_min(0).mean(-1)

    def _gather(self, terms: th.Tensor) -> th.Tensor:
        """Return half of the terms `(..., F)`, of all features together if joint."""
        return 0.5 * (terms.sum(-1, keepdim=True) if self.joint else terms)
