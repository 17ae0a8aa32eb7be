"""Published bonuses, written as compositions of the parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack

import numpy as np

from curiosity_rl.protocols import IntrinsicReward, Observation, Transitions
from curiosity_rl.registry import REWARDS, load
from curiosity_rl.rewards import make_reward, settings_of
from curiosity_rl.rewards.combinators import Clip, Product
from curiosity_rl.rewards.encoders import Encoder, Kind
from curiosity_rl.rewards.episodic import EpisodicCount, EpisodicKNN
from curiosity_rl.rewards.gates import Difference, FirstVisit
from curiosity_rl.rewards.modulators import Standardised
from curiosity_rl.rewards.networks import TrainingOptions
from curiosity_rl.rewards.novelty import Mode
from curiosity_rl.rewards.prediction import RND

NOVELTIES = ("count", "rnd", "re3", "knn-entropy", "pseudo-count")
"""Rewards that look at the state reached and at nothing else."""


class NovelD(FirstVisit):
    """Difference of novelties: pays at the border of what is known.

    Formula: `max(nov(s') - alpha * nov(s), 0) * [n(s') = 1]`, n the visits to s' in
    this episode. Written as `FirstVisit(Difference(nov))`. Over counts by default:
    where observations repeat, as in grids, they are faster than networks and no worse;
    over `rnd` where they do not.

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`. Memory: that of the
    novelty, and `capacity` states per lane, see `episodic.EpisodicCount`.

    Args:
        novelty: nov, one of `NOVELTIES`.
        alpha: Weight of the state left.
        mode: How states are told apart, by the gate and by `count` (with codes of its
            own each), see `novelty.Count`.
        key: See `novelty.Count`; for the gate alone if it is a key of info, which the
            state left does not have.
        bits: See `novelty.Count`.
        capacity: Most states of an episode that a lane remembers.
        **training: See `networks.TrainingOptions`; of no use to a novelty that has no
            networks.

    Raises:
        ValueError: If the novelty is none of `NOVELTIES`.

    Source: Zhang et al. 2021, "NovelD: a simple yet effective exploration criterion"
    (over RND, alpha = .5).
    """

    scaled_by_default = True

    def __init__(
        self,
        novelty: str = "count",
        alpha: float = 0.5,
        mode: Mode = "auto",
        key: str | Callable[[Observation], np.ndarray] | None = None,
        bits: int = 32,
        capacity: int = 65_536,
        **training: Unpack[TrainingOptions],
    ) -> None:
        states = {
            "mode": mode,
            "key": None if isinstance(key, str) else key,
            "bits": bits,
        }
        nov = _novelty(novelty, {**states, **training})
        super().__init__(Difference(nov, alpha), mode, key, bits, capacity)


class NGU(Product):
    """Never give up: episodic novelty, more of it where lifelong novelty is high.

    Formula: `knn(s') * min(max(1 + (e - mean) / deviation, 1), limit)`, knn the
    episodic kernel count (`episodic.EpisodicKNN`), e the error of `rnd` at s', mean and
    deviation those of all e so far. Written as
    `Product(EpisodicKNN(), Clip(Standardised(RND(), offset=1), 1, limit))`. There is no
    factor beta, in either part: a coefficient belongs to the agent.

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`. Memory: that of
    `episodic.EpisodicKNN` and of `prediction.RND`.

    Args:
        limit: Largest modulator, the paper's L.
        k: How many neighbours.
        encoder: Of the episodic part, see `encoders.Encoder`.
        features: Number of its features.
        hidden: Width of the hidden layers.
        outputs: Number of outputs that `rnd` predicts.
        capacity: How many states of an episode are remembered.
        **training: Of encoder and predictor, see `networks.TrainingOptions`.

    Source: Badia et al. 2020, "Never give up: learning directed exploration
    strategies", equation 1 and section 2.
    """

    scaled_by_default = True

    def __init__(
        self,
        limit: float = 5.0,
        k: int = 10,
        encoder: Kind = "inverse",
        features: int = 32,
        hidden: int = 128,
        outputs: int = 64,
        capacity: int = 1024,
        **training: Unpack[TrainingOptions],
    ) -> None:
        if not limit > 1:
            raise ValueError(f"limit is {limit}; it must be more than 1")
        episodic = EpisodicKNN(
            k=k,
            encoder=encoder,
            features=features,
            hidden=hidden,
            capacity=capacity,
            **training,
        )
        lifelong = RND(hidden=hidden, outputs=outputs, **training)
        modulator = Clip(Standardised(lifelong, offset=1.0), 1.0, limit)
        super().__init__(episodic, modulator)


class Impact:
    """How far an action moves the features.

    Formula: `||phi(s') - phi(s)||_2`, phi the encoder; s' is the true next observation,
    also at an end.

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`. Memory: weights.

    Args:
        encoder: See `encoders.Encoder`.
        features: Number of features.
        hidden: Width of the encoder.
        **training: See `networks.TrainingOptions`.

    Source: Raileanu and Rocktaschel 2020, "RIDE: rewarding impact-driven exploration
    for procedurally-generated environments".
    """

    scaled_by_default = True
    per_transition = True

    def __init__(
        self,
        encoder: Kind = "inverse",
        features: int = 32,
        hidden: int = 128,
        **training: Unpack[TrainingOptions],
    ) -> None:
        self.encoder = Encoder(encoder, features, hidden, **training)

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the spaces, and the seed of the encoder."""
        self.encoder.setup(observation_space, action_space, seed)

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the distance moved, `(T, N)` float32."""
        before = self.encoder.encode_rows(self.encoder.rows(batch.obs))
        after = self.encoder.encode_rows(self.encoder.rows(batch.next_obs))
        return (after - before).norm(dim=1).cpu().numpy().reshape(batch.shape)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Train the encoder."""
        return self.encoder.update(batch)

    def state_dict(self) -> dict[str, Any]:
        """Return the encoder."""
        return {"encoder": self.encoder.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.encoder.load_state_dict(state["encoder"])


class RIDE(Product):
    """Rewarding impact-driven exploration: moves that matter, fewer times over.

    Formula: `||phi(s') - phi(s)||_2 / sqrt(n(s'))`, phi an encoder trained by inverse
    dynamics, n the visits to s' in this episode, this one included. Written as
    `Product(Impact(), EpisodicCount())`.

    The paper's encoder learns from the forward model's loss too; see `prediction.ICM`
    for why this one does not.

    Shapes: observations `(T, N, ...)` of any space; bonus `(T, N)`. Memory: weights,
    and `capacity` states per lane, see `episodic.EpisodicCount`.

    Args:
        mode: How states are told apart, see `novelty.Count`.
        key: See `novelty.Count`.
        bits: See `novelty.Count`.
        capacity: Most states of an episode that a lane remembers.
        encoder: See `encoders.Encoder`.
        features: Number of features.
        hidden: Width of the encoder.
        **training: See `networks.TrainingOptions`.

    Source: Raileanu and Rocktaschel 2020, "RIDE: rewarding impact-driven exploration
    for procedurally-generated environments".
    """

    scaled_by_default = True

    def __init__(
        self,
        mode: Mode = "auto",
        key: str | Callable[[Observation], np.ndarray] | None = None,
        bits: int = 32,
        capacity: int = 65_536,
        encoder: Kind = "inverse",
        features: int = 32,
        hidden: int = 128,
        **training: Unpack[TrainingOptions],
    ) -> None:
        impact = Impact(encoder, features, hidden, **training)
        super().__init__(impact, EpisodicCount(mode, key, bits, capacity))


def _novelty(name: str, settings: dict[str, Any]) -> IntrinsicReward:
    """Return a novelty of states, built with those of the settings that it has."""
    if name not in NOVELTIES:
        raise ValueError(
            f"novelty is {name!r}; allowed are {', '.join(NOVELTIES)}. For another one "
            "that looks at the state reached only, build FirstVisit(Difference(...)) "
            "from curiosity_rl.rewards.gates"
        )
    known = settings_of(load(REWARDS[name]))
    mine = {key: value for key, value in settings.items() if key in known}
    return make_reward(name, scale=False, **mine)
