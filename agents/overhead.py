"""What a bonus costs, against the PPO that it is added to, in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from curiosity_rl.adapters.paying import set_up
from curiosity_rl.adapters.transitions import TransitionRecorder
from curiosity_rl.agents.ppo import IntrinsicPPO
from curiosity_rl.protocols import IntrinsicReward, Transitions
from curiosity_rl.rewards import make_reward

LANES, STEPS, NUMBERS, EPISODE = 8, 2048, 147, 256
"""The setting of all figures: 8 lanes x 2,048 steps, observations of 147 numbers."""
SETTINGS: dict[str, Any] = {
    "n_steps": STEPS,
    "batch_size": 256,
    "n_epochs": 4,
    "device": "cpu",
    "seed": 0,
}


@dataclass(frozen=True)
class Case:
    """A bonus with its settings, and what it may cost.

    Attributes:
        label: How the table calls it.
        name: Short name of the reward.
        settings: Its settings.
        limit: Largest (PPO + bonus) / PPO; None where there is no target.
    """

    label: str
    name: str
    settings: dict[str, Any]
    limit: float | None = None


CASES = (
    Case("count", "count", {}, 1.01),
    Case("e3b, random encoder", "e3b", {"encoder": "random"}, 1.02),
    Case("episodic-knn, random encoder", "episodic-knn", {"encoder": "random"}, 1.03),
    Case("rnd, a quarter of the rows", "rnd", {"proportion": 0.25}, 1.05),
    Case("rnd", "rnd", {}, 1.10),
    Case("icm", "icm", {}, 1.12),
    Case("disagreement", "disagreement", {}, 1.12),
    Case("region-progress", "region-progress", {}, 1.15),
    Case("gamma-progress", "gamma-progress", {}, 1.15),
    Case("prediction-gain", "prediction-gain", {}, 1.15),
    Case("e3b", "e3b", {}),
    Case("episodic-knn", "episodic-knn", {}),
    Case("forward-error", "forward-error", {}),
    Case("bayes-linear", "bayes-linear", {}),
    Case("jensen-renyi", "jensen-renyi", {}),
    Case("re3", "re3", {}),
    Case("knn-entropy", "knn-entropy", {}),
    Case("pseudo-count", "pseudo-count", {}),
    Case("episodic-count", "episodic-count", {}),
    Case("noveld", "noveld", {}),
    Case("recurring-novelty", "recurring-novelty", {}),
    Case("ngu", "ngu", {}),
    Case("ride", "ride", {}),
    Case("deir", "deir", {}),
)
"""All bonuses that any world can have. The first ten have limits; those of E3B and
k-NN leave out the training of an encoder."""


@dataclass(frozen=True)
class Cost:
    """What one bonus was measured to cost.

    Attributes:
        case: The bonus.
        compute: Milliseconds of `compute` per rollout.
        update: Milliseconds of `update` per rollout.
        ratio: (PPO + bonus) / PPO by these times.
        whole: Time of `IntrinsicPPO` over that of PPO, end to end; None: not measured.
    """

    case: Case
    compute: float
    update: float
    ratio: float
    whole: float | None


class FreeLanes(VecEnv):
    """Lanes that cost next to nothing: observations drawn beforehand."""

    def __init__(self) -> None:
        box = spaces.Box(-np.inf, np.inf, (NUMBERS,), np.float32)
        super().__init__(LANES, box, spaces.Discrete(7))
        rng = np.random.default_rng(0)
        self._drawn = rng.standard_normal((512, LANES, NUMBERS), dtype=np.float32)
        self._rewards = np.zeros(LANES, np.float32)
        self._infos: list[dict[str, Any]] = [{} for _ in range(LANES)]
        self._step = 0

    def reset(self) -> np.ndarray:
        """Return the first observations."""
        self._step = 0
        return self._drawn[0]

    def step_async(self, actions: np.ndarray) -> None:
        """Take no notice of the actions."""

    def step_wait(self) -> VecEnvStepReturn:
        """Return the next observations; all lanes end at once."""
        self._step += 1
        obs, over = self._drawn[self._step % 512], self._step % EPISODE == 0
        infos = self._infos
        if over:
            infos = [{"terminal_observation": last} for last in obs]
        return obs, self._rewards, np.full(LANES, over), infos

    def close(self) -> None:
        """Close nothing."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute, once per lane."""
        return [getattr(self, attr_name)] * LANES

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute."""
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *args: Any, **kwargs: Any) -> list[Any]:
        """There are no methods to call."""
        raise AttributeError(method_name)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Nothing is wrapped."""
        return [False] * LANES


def measure(
    cases: Sequence[Case] = CASES,
    rounds: int = 5,
    whole: bool = True,
    tick: Callable[[str, float], None] | None = None,
) -> tuple[float, list[Cost]]:
    """Measure CPU time, everything once per round, one torch thread.

    Args:
        cases: The bonuses.
        rounds: Rounds, after one that warms up.
        whole: Also train end to end with each bonus that has a limit.
        tick: Called with what was just measured and the share of the work done.

    Returns:
        Milliseconds of one rollout and its training by PPO, and the costs; medians.
    """
    threads = th.get_num_threads()
    th.set_num_threads(1)
    try:
        return _measure(cases, rounds, whole, tick or (lambda label, share: None))
    finally:
        th.set_num_threads(threads)


def _measure(
    cases: Sequence[Case],
    rounds: int,
    whole: bool,
    tick: Callable[[str, float], None],
) -> tuple[float, list[Cost]]:
    plain = PPO("MlpPolicy", FreeLanes(), **SETTINGS)
    batch = _rollout()
    rewards = [_build(case) for case in cases]
    models = {
        case.label: IntrinsicPPO(
            "MlpPolicy", FreeLanes(), intrinsic=_build(case), **SETTINGS
        )
        for case in cases
        if whole and case.limit is not None
    }
    base: list[float] = []
    parts: dict[str, list[tuple[float, float]]] = {case.label: [] for case in cases}
    ends: dict[str, list[float]] = {label: [] for label in models}
    work, done = (rounds + 1) * (1 + len(cases) + len(models)), 0

    def note(label: str) -> None:
        nonlocal done
        done += 1
        tick(label, done / work)

    for _ in range(rounds + 1):
        base.append(_seconds(lambda: _learn(plain)))
        note("ppo")
        for case, reward in zip(cases, rewards, strict=True):
            pair = (
                _seconds(lambda reward=reward: reward.compute(batch)),
                _seconds(lambda reward=reward: reward.update(batch)),
            )
            parts[case.label].append(pair)
            note(case.label)
        for label, model in models.items():
            ends[label].append(_seconds(lambda model=model: _learn(model)) / base[-1])
            note(f"ppo + {label}")
    ppo = statistics.median(base[1:])
    costs = []
    for case in cases:
        pays, learns = zip(*parts[case.label][1:], strict=True)
        compute, update = statistics.median(pays), statistics.median(learns)
        end = statistics.median(ends[case.label][1:]) if case.label in ends else None
        ratio = 1 + (compute + update) / ppo
        costs.append(Cost(case, 1e3 * compute, 1e3 * update, ratio, end))
    return 1e3 * ppo, costs


def _build(case: Case) -> IntrinsicReward:
    reward = make_reward(case.name, **case.settings)
    lanes = FreeLanes()
    set_up(reward, lanes.observation_space, lanes.action_space, 0)
    return reward


def _rollout() -> Transitions:
    """Play one rollout at random."""
    lanes = TransitionRecorder(FreeLanes())
    lanes.reset()
    rng = np.random.default_rng(1)
    for _ in range(STEPS):
        lanes.step(rng.integers(7, size=LANES))
    return lanes.drain()


def _learn(model: PPO) -> None:
    model.learn(STEPS * LANES, reset_num_timesteps=False)


def _seconds(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
