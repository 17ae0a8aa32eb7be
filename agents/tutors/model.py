"""A trained Stable-Baselines3 model as a tutor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.distributions import CategoricalDistribution

from curiosity_rl.agents.tutors.reading import sample


class ModelTutor:
    """Let a model propose the exercises.

    Sampling uses the tutor's own random numbers, so that an evaluation in the middle of
    training neither disturbs nor depends on torch's global stream.

    Args:
        model: Any SB3 algorithm with a discrete action space. If it was trained behind
            `VecNormalize`, its statistics are applied to the observations.
        deterministic: Take the most probable activity instead of sampling. A model
            without action probabilities (DQN) is always deterministic.
        seed: Seed of the sampling.
    """

    name = "model"
    privileged = False

    def __init__(
        self, model: BaseAlgorithm, deterministic: bool = False, seed: int = 0
    ):
        self.model = model
        self.deterministic = deterministic
        self.rng = np.random.default_rng(seed)
        self._memory: Any = None  # of a recurrent policy

    def reset(self, obs: np.ndarray, info: Mapping[str, Any]) -> None:
        """Forget the last students."""
        self._memory = None

    def act(self, obs: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
        """Propose one activity per lane, `(n,)` int64."""
        # Only the first observation of an episode shows the whole budget.
        begun = np.asarray(obs)[:, -1] >= 1.0
        scaler = self.model.get_vec_normalize_env()
        if scaler is not None:
            obs = np.asarray(scaler.normalize_obs(obs))
        policy: Any = self.model.policy
        if self.deterministic or not hasattr(policy, "get_distribution"):
            action, self._memory = self.model.predict(
                obs, state=self._memory, episode_start=begun, deterministic=True
            )
            return np.asarray(action, np.int64)
        policy.set_training_mode(False)
        with torch.no_grad():
            seen = policy.obs_to_tensor(obs)[0]
            distribution = self._distribution(policy, seen, begun)
        if not isinstance(distribution, CategoricalDistribution):
            raise ValueError(
                f"the model's actions follow a {type(distribution).__name__}; a tutor "
                "proposes one of A activities: train on a Discrete action space"
            )
        chances = distribution.distribution.probs.double().cpu().numpy()
        return sample(chances, self.rng).astype(np.int64)

    def _distribution(self, policy: Any, seen: torch.Tensor, begun: np.ndarray) -> Any:
        if not hasattr(policy, "lstm_actor"):
            return policy.get_distribution(seen)
        if self._memory is None:
            layers, _, size = policy.lstm_hidden_state_shape
            nothing = torch.zeros(layers, len(seen), size, device=seen.device)
            self._memory = (nothing, nothing)
        starts = torch.as_tensor(begun, dtype=torch.float32, device=seen.device)
        found, self._memory = policy.get_distribution(seen, self._memory, starts)
        return found
