"""Information gain: how much a transition teaches, about the world or the pupil."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Unpack

import numpy as np
from gymnasium import spaces
from scipy.linalg import solve_triangular
from scipy.special import digamma

from curiosity_rl.protocols import Observation, Transitions
from curiosity_rl.rewards.encoders import Encoder, Kind
from curiosity_rl.rewards.hashing import CountTable, hash_batch, hash_rows
from curiosity_rl.rewards.networks import (
    TrainingOptions,
    check_sizes,
    generator,
    in_chunks,
    linear,
    pack,
    unpack,
)
from curiosity_rl.rewards.observations import flatten_actions, is_discrete
from curiosity_rl.rewards.statistics import mean
from curiosity_rl.rewards.world_info import (
    Mask,
    belief_entropy,
    check_mask,
    keep,
    read,
)

FLOOR = 1e-3
JITTER = 1e-13
"""Added to the precision, relative to its mean eigenvalue, before it is factored."""


class BayesLinear:
    """Information gain about a Bayesian linear layer on features, in nats.

    The layer predicts the F features of s' from H features of the transition's start,
    `f(s') = W phi(s, a) + e`, with `e ~ N(0, noise^2)` and weights `~ N(0, 1 / prior)`.
    Then the posterior is Gaussian in closed form: every row of W has the precision
    `Lambda = prior I + sum phi phi^T / noise^2`, whatever the observed s' were.

    Formula: `(F / 2) ln(1 + phi^T Lambda^-1 phi / noise^2)`. That is how much the
    entropy of W falls by seeing the transition, and what the KL of new from old
    posterior (which VIME estimates by variational inference) is on average over the
    predicted s'. The KL of the one s' that came would pay for surprise, so for noise;
    its expectation falls like `F H / 2 n`, noise or not.

    `phi(s, a) = v / |v|`, `v = relu(R [g(s), c a, c])`, `c = sqrt(F)`: random weights R
    mix the features g(s) of the encoder with the action, so that a linear layer can
    tell what an action does where. Before anything is known, every transition is worth
    `(F / 2) ln(1 + 1 / (prior noise^2))`.

    `compute` reads the posterior as the last `update` left it; `update` adds the batch.
    Nats they are, but about weights on random features, and F of them at once: scaled
    by default.

    Shapes: observations `(T, N, ...)` and actions of any space; bonus `(T, N)`. Memory:
    the encoder's weights and Lambda, `(H, H)` float64.

    Args:
        noise: Standard deviation of what is taken as noise in a feature of s'.
        prior: Precision of the weights before any transition.
        width: H.
        retain: Share of the evidence that each `update` keeps; below 1 old transitions
            fade (worlds or encoders that change) and the bonus never dies.
        encoder: Features of observations, see `encoders.Encoder`.
        features: F; of `identity` the length of the observation instead.
        hidden: Width of the encoder's hidden layer.
        **training: How the encoder learns, see `networks.TrainingOptions`.

    Source: MacKay 1992, "Information-based objective functions for active data
    selection", section 4 (total information gain); replaces the variational posterior
    of Houthooft et al. 2016, "VIME", equations 2 to 4.
    """

    scaled_by_default = True
    per_transition = True

    def __init__(
        self,
        noise: float = 0.1,
        prior: float = 1.0,
        width: int = 128,
        retain: float = 1.0,
        encoder: Kind = "random",
        features: int = 32,
        hidden: int = 128,
        **training: Unpack[TrainingOptions],
    ) -> None:
        for name, value in (("noise", noise), ("prior", prior)):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; it must be positive and finite")
        if not 0 < retain <= 1:
            raise ValueError(f"retain is {retain}; it must lie in (0, 1]")
        check_sizes(width=width)
        self.noise = noise
        self.prior = prior
        self.width = width
        self.retain = retain
        self.encoder = Encoder(encoder, features, hidden, **training)
        self.evidence = np.zeros((width, width))  # Lambda = prior I + evidence
        self._whiten: np.ndarray | None = None
        self._action_space: Any = None
        self._inputs = 0  # of the mixing layer; 0: not built yet
        self._seed = 0

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the spaces, and the seed of all random weights."""
        own, encoder = np.random.SeedSequence(seed).generate_state(2)
        self.encoder.setup(observation_space, action_space, int(encoder))
        self._action_space = action_space
        self._seed = int(own)

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the information gain, `(T, N)` float32."""
        phi = self._phi(batch)
        if self._whiten is None:
            # |L^-1 phi|^2 with L L^T = Lambda: a sum of squares cannot turn negative
            lower = np.linalg.cholesky(self._precision())
            eye = np.eye(self.width)
            self._whiten = solve_triangular(lower, eye, lower=True).T / self.noise
        ratio = np.square(phi @ self._whiten).sum(1)
        gain = 0.5 * self.encoder.size * np.log1p(ratio)
        return gain.astype(np.float32).reshape(batch.shape)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Train the encoder, then add the batch; return nats gained and left."""
        log = self.encoder.update(batch)
        phi = self._phi(batch) / self.noise
        self.evidence = self.retain * self.evidence + phi.T @ phi
        self._whiten = None
        grown = np.linalg.slogdet(self._precision() / self.prior)[1]
        outputs = self.encoder.size
        entropy = self.width * (1 + math.log(2 * math.pi / self.prior)) - grown
        return {
            **log,
            "information": float(0.5 * outputs * grown),
            "posterior_entropy": float(0.5 * outputs * entropy),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the evidence, the mixing weights and the encoder's state."""
        state: dict[str, Any] = {
            "encoder": self.encoder.state_dict(),
            "evidence": self.evidence.copy(),
        }
        if self._inputs:
            state["inputs"] = self._inputs
            state["mixing"] = pack(self.mixing)
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.encoder.load_state_dict(state["encoder"])
        self.evidence = np.array(state["evidence"], np.float64)
        self._whiten = None
        self._inputs = 0
        if "inputs" in state:
            self._build(int(state["inputs"]))
            unpack(self.mixing, state["mixing"])

    def _precision(self) -> np.ndarray:
        """Return Lambda, `(H, H)`."""
        jitter = JITTER * np.trace(self.evidence) / self.width
        return self.evidence + (self.prior + jitter) * np.eye(self.width)

    def _phi(self, batch: Transitions) -> np.ndarray:
        """Return the features of states and actions, `(T * N, H)` float64."""
        known = self.encoder.encode_rows(self.encoder.rows(batch.obs))
        scale = self.encoder.size**0.5
        actions = flatten_actions(batch.action, self._action_space) * scale
        mixed = known.new_full(
            (len(known), known.shape[1] + actions.shape[1] + 1), scale
        )
        mixed[:, : known.shape[1]] = known
        mixed[:, known.shape[1] : -1] = known.new_tensor(actions)
        if not self._inputs:
            self._build(mixed.shape[1])
        rows = in_chunks(lambda part: self.mixing(part).relu_(), mixed)
        phi = rows.cpu().numpy().astype(np.float64)
        return phi / np.maximum(np.sqrt(np.square(phi).sum(1, keepdims=True)), 1e-12)

    def _build(self, inputs: int) -> None:
        self._inputs = inputs
        layer = linear(inputs, self.width, generator(self._seed))
        self.mixing = layer.requires_grad_(False).to(self.encoder.training.device)


class Dirichlet:
    """Exact information gain about counted transitions of a small world, in nats.

    For every state and action seen, the chances of the K next states have a Dirichlet
    posterior. Formula: `KL(Dir(alpha' + e_s') || Dir(alpha'))`, the alpha' being alpha
    plus the counts n(s, a, .), which is `g(alpha + n(s, a, s')) - g(K alpha + n(s, a))`
    with `g(x) = digamma(x + 1) - ln x`. It falls like 1/n for a coin flip, like 1/n^2
    where s' is certain, and is 0 where K is 1.

    K is `states`, or n of a Discrete observation space (without a key), or else the
    number of different states seen so far, plus one for those that were not; it then
    grows with what is seen, and older counts are read with the new K.

    Counts are those BEFORE the batch: `compute` pays every transition of a batch as if
    it were the first; `update` adds them all. Nats about counts mean something: not
    scaled by default.

    Shapes: discrete observations `(T, N, ...)`, or any with a key; discrete actions;
    bonus `(T, N)`. Memory: one count per different (s, a) and (s, a, s') that was met.

    Args:
        alpha: Pseudo-count of every next state before any transition.
        states: K, see above.
        key: Function from observations `(T, N, ...)` to what counts as the same state,
            `(T, N, ...)`. (A key of info, as `count` takes, tells s' but not s.)

    Source: Sun, Gomez, Schmidhuber 2011, "Planning to be surprised", section 4; Storck,
    Hochreiter, Schmidhuber 1995, "Reinforcement driven information acquisition in
    non-deterministic environments".
    """

    scaled_by_default = False
    per_transition = True

    def __init__(
        self,
        alpha: float = 1.0,
        states: int | None = None,
        key: Callable[[Observation], np.ndarray] | None = None,
    ) -> None:
        if not 0 < alpha < math.inf:
            raise ValueError(f"alpha is {alpha}; it must be positive and finite")
        if states is not None and states < 1:
            raise ValueError(f"states is {states}; it must be at least 1")
        if key is not None and not callable(key):
            raise ValueError(
                f"key is {key!r}; it must be a function from observations (T, N, ...) "
                "to states (T, N, ...)"
            )
        self.alpha = alpha
        self.states = states
        self.key = key
        self.seen = CountTable()  # states
        self.tried = CountTable()  # (s, a)
        self.led = CountTable()  # (s, a, s')
        self._space: Any = None
        self._action_space: Any = None

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the spaces; nothing is drawn."""
        self._space = observation_space
        self._action_space = action_space

    @property
    def outcomes(self) -> int:
        """K, the number of next states that are thought possible."""
        if self.states is not None:
            return self.states
        if self.key is None and isinstance(self._space, spaces.Discrete):
            return int(self._space.n)
        return self.seen.size + 1

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the information gain, `(T, N)` float32.

        Raises:
            ValueError: For observations or actions that cannot be counted.
        """
        _, tried, led = self._hashes(batch)
        one = self.alpha + self.led.look_up(led)
        all_ = self.alpha * self.outcomes + self.tried.look_up(tried)
        gain = np.maximum(_excess(one) - _excess(all_), 0)  # rounding may dip below
        return gain.astype(np.float32).reshape(batch.shape)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Count the transitions; return how many are known, and the model's error.

        `surprise` is the mean of `-ln P(s' | s, a)` before they are counted, in nats.
        """
        states, tried, led = self._hashes(batch)
        told = self.alpha + self.led.look_up(led)
        told = told / (self.alpha * self.outcomes + self.tried.look_up(tried))
        self.seen.add(states)
        self.tried.add(tried)
        self.led.add(led)
        return {
            "transitions_counted": float(self.led.size),
            "surprise": mean(-np.log(np.minimum(told, 1))),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "seen": self.seen.state_dict(),
            "tried": self.tried.state_dict(),
            "led": self.led.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.seen.load_state_dict(state["seen"])
        self.tried.load_state_dict(state["tried"])
        self.led.load_state_dict(state["led"])

    def _hashes(self, batch: Transitions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return hashes of states (both), of (s, a), and of (s, a, s')."""
        obs, after = batch.obs, batch.next_obs
        if self.key is not None:
            obs, after = self.key(obs), self.key(after)
        elif not is_discrete(obs, self._space):
            raise ValueError(
                "dirichlet counts transitions, so observations must be discrete, and "
                "these hold a Box; give key=, a function from observations to states, "
                "or use 'bayes-linear' or 'disagreement', which take any observation"
            )
        if not is_discrete(batch.action, self._action_space):
            raise ValueError(
                "dirichlet counts transitions, so actions must be discrete, and these "
                "are a Box; use 'bayes-linear' or 'disagreement', which take any action"
            )
        before, next_ = hash_batch(obs), hash_batch(after)
        tried = hash_rows(np.stack([before, hash_batch(batch.action)], 1))
        led = hash_rows(np.stack([tried, next_], 1))
        return np.concatenate([before, next_]), tried, led


def _excess(x: np.ndarray) -> np.ndarray:
    """Return `digamma(x + 1) - ln x`, which is about `1 / 2x`."""
    return digamma(x + 1) - np.log(x)


class BeliefGain:
    """Information gain about the pupil: KL of the new belief from the old, in nats.

    Formula: `sum_k m_k KL(Bernoulli(b'_k) || Bernoulli(b_k))` with
    `KL = b' ln(b'/b) + (1 - b') ln((1 - b')/(1 - b))`, both beliefs clipped to
    [.001, .999]. It is never negative, so it goes on paying for slips on mastered
    skills and, less, for coin flips.

    Shapes: `info["belief_before"]` and `info["belief"]` `(T, N, A)`; the mask
    `info["needed"]` or `info["goal"]` `(T, N, A)`; bonus `(T, N)`. Stateless.

    Source: Houthooft et al. 2016, "VIME", equation 2, on a Bernoulli belief; Lindley
    1956, "On a measure of the information provided by an experiment".
    """

    scaled_by_default = False

    def __init__(self, mask: Mask = "none") -> None:
        check_mask(mask)
        self.mask: Mask = mask

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the gain, `(T, N)` float32.

        Raises:
            ValueError: If the world reports no belief or not the mask.
        """
        old = np.clip(read(batch, "belief_before"), FLOOR, 1 - FLOOR)
        new = np.clip(read(batch, "belief"), FLOOR, 1 - FLOOR)
        changed = old != new  # an answer moves few skills: save the logarithms
        kept = keep(batch, self.mask)
        if kept is not None:
            changed &= kept > 0
        # float64: the two terms cancel where the belief moves little
        p, q = new[changed].astype(np.float64), old[changed].astype(np.float64)
        gain = np.zeros(old.shape, np.float32)
        divergence = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
        gain[changed] = np.maximum(divergence, 0)  # rounding may dip below
        if kept is not None:
            gain *= kept
        return gain.sum(-1)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Learn nothing: the belief is the world's; return its entropy."""
        return {"belief_entropy": belief_entropy(batch)}

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: there is no state."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore nothing."""
