"""Made-up transitions, bonuses and buffers for the tests of relabelled replay."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3 import DQN
from stable_baselines3.common.buffers import (
    DictReplayBuffer,
    NStepReplayBuffer,
    ReplayBuffer,
)
from stable_baselines3.common.envs import BitFlippingEnv
from stable_baselines3.common.vec_env import DummyVecEnv

from curiosity_rl.adapters.replay import (
    RelabelledHerReplayBuffer,
    RelabelledReplayBuffer,
    relabelled,
)
from curiosity_rl.protocols import Transitions

BOX = spaces.Box(-1e6, 1e6, (2,), np.float32)
BOTH = spaces.Dict({"a": BOX, "n": spaces.Discrete(1000)})
MOVES = spaces.Discrete(5)
BASES: dict[str, tuple[type[ReplayBuffer], spaces.Space]] = {
    "plain": (ReplayBuffer, BOX),
    "dict": (DictReplayBuffer, BOTH),
    "n-step": (NStepReplayBuffer, BOX),
}


def total(value: Any, lead: int) -> np.ndarray:
    """Sum an observation or action over all but its first axes."""
    if isinstance(value, dict):
        return np.sum([total(value[key], lead) for key in sorted(value)], axis=0)
    array = np.asarray(value, np.float64)
    return array.reshape(*array.shape[:lead], -1).sum(-1)


def worth(obs: Any, action: Any, next_obs: Any, lead: int) -> np.ndarray:
    return total(obs, lead) + 2 * total(next_obs, lead) + 3 * total(action, lead)


class Model:
    """Pays `weight * worth`; each update makes the weight grow by 1."""

    per_transition = True

    def __init__(self) -> None:
        self.weight = 1.0
        self.computed: list[Transitions] = []
        self.scored: list[Transitions] = []
        self.learnt: list[Transitions] = []
        self.seeds: list[int] = []

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        self.seeds.append(seed)

    def compute(self, batch: Transitions) -> np.ndarray:
        self.computed.append(batch)
        return self._worth(batch)

    def score(self, batch: Transitions) -> np.ndarray:
        self.scored.append(batch)
        return self._worth(batch)

    def _worth(self, batch: Transitions) -> np.ndarray:
        value = worth(batch.obs, batch.action, batch.next_obs, 2)
        return (self.weight * value).astype(np.float32)

    def update(self, batch: Transitions) -> dict[str, float]:
        self.learnt.append(batch)
        self.weight += 1
        return {"weight": self.weight}

    def state_dict(self) -> dict[str, Any]:
        return {"weight": self.weight}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.weight = state["weight"]


class Age:
    """Pays how many steps a lane's episode has lasted: a memory per lane."""

    def __init__(self) -> None:
        self.age: np.ndarray | None = None
        self.forgotten = 0

    def compute(self, batch: Transitions) -> np.ndarray:
        paid = np.zeros(batch.shape, np.float32)
        age = np.zeros(batch.shape[1]) if self.age is None else self.age
        assert len(age) == batch.shape[1]
        for step, done in enumerate(batch.done):
            age = age + 1
            paid[step] = age
            age = np.where(done, 0, age)
        self.age = age
        return paid

    def update(self, batch: Transitions) -> dict[str, float]:
        return {}

    def forget(self) -> None:
        self.forgotten += 1
        self.age = None

    def state_dict(self) -> dict[str, Any]:
        return {"age": None if self.age is None else self.age.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.age = None if state["age"] is None else np.array(state["age"])


class Tape:
    """Made-up transitions of some lanes; no two observations are alike."""

    def __init__(self, lanes: int, space: spaces.Space, seed: int = 0) -> None:
        self.lanes, self.space = lanes, space
        self.rng = np.random.default_rng(seed)
        self.now = [self._fresh() for _ in range(lanes)]
        self.steps: list[dict[str, np.ndarray]] = []

    def _fresh(self) -> Any:
        box = self.rng.uniform(0, 90, 2).astype(np.float32)
        return {"a": box, "n": self.rng.integers(900)} if self.space is BOTH else box

    def _stack(self, rows: list[Any]) -> Any:
        if self.space is BOTH:
            return {key: np.stack([row[key] for row in rows]) for key in ("a", "n")}
        return np.stack(rows)

    def step(self) -> dict[str, Any]:
        obs, following = self.now, [self._fresh() for _ in range(self.lanes)]
        ended = self.rng.random(self.lanes) < 0.25
        cut = ended & (self.rng.random(self.lanes) < 0.5)
        made = {
            "obs": self._stack(obs),
            "next_obs": self._stack(following),
            "action": self.rng.integers(0, 5, self.lanes),
            "reward": self.rng.normal(size=self.lanes).astype(np.float32),
            "done": ended,
        }
        first = [self._fresh() for _ in range(self.lanes)]
        self.now = [first[i] if ended[i] else following[i] for i in range(self.lanes)]
        self.steps.append({**made, "cut": cut})
        return {**made, "infos": [{"TimeLimit.truncated": bool(c)} for c in cut]}


def build(kind: str, lanes: int, rows: int = 40, **kwargs: Any) -> Any:
    """A relabelled buffer, empty."""
    base, space = BASES[kind]
    if kind == "n-step":
        kwargs = {"n_steps": 4, "gamma": 0.9, **kwargs}
    size = rows * lanes
    return relabelled(base)(size, space, MOVES, device="cpu", n_envs=lanes, **kwargs)


def record(buffer: Any, count: int, seed: int = 0) -> Tape:
    tape = Tape(buffer.n_envs, buffer.observation_space, seed)
    for _ in range(count):
        buffer.add(**tape.step())
    return tape


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: part.numpy() for key, part in value.items()}
    return value.numpy()


def both(buffer: Any, size: int = 64, env: Any = None) -> tuple[Any, Any]:
    """Return a sample with the bonus, and the same one of SB3 without it."""
    samples = []
    for coef in (buffer.coef, 0.0):
        np.random.seed(7)  # noqa: NPY002
        kept, buffer.coef = buffer.coef, coef
        samples.append(buffer.sample(size, env))
        samples.append(np.random.random())  # noqa: NPY002
        buffer.coef = kept
    paid, after_paid, stock, after_stock = samples
    assert after_paid == after_stock  # the generator has not moved by more
    for name in ("observations", "actions", "next_observations", "dones"):
        np.testing.assert_equal(
            plain(getattr(paid, name)), plain(getattr(stock, name)), name
        )
    return paid, stock


def goal_buffer(lanes: int, **kwargs: Any) -> tuple[Any, Any]:
    """Play a world of goals at random for 40 steps with a HER buffer."""
    venv = DummyVecEnv([lambda: BitFlippingEnv(n_bits=4, max_steps=5)] * lanes)
    buffer = RelabelledHerReplayBuffer(
        40 * lanes,
        venv.observation_space,
        venv.action_space,
        env=venv,
        device="cpu",
        n_envs=lanes,
        **kwargs,
    )
    rng = np.random.default_rng(0)
    obs: Any = venv.reset()
    for _ in range(43):
        action = rng.integers(0, 4, lanes)
        made: Any = venv.step(action)
        new, reward, done, infos = made
        last = {key: np.array(value) for key, value in new.items()}
        for lane in np.flatnonzero(done):
            for key, value in infos[lane]["terminal_observation"].items():
                last[key][lane] = value
        buffer.add(obs, last, action, reward, done, infos)
        obs = {key: np.array(value) for key, value in new.items()}
    return buffer, venv


def dqn(env: Any, reward: Any, **kwargs: Any) -> DQN:
    """A small DQN with relabelled replay."""
    kwargs["replay_buffer_class"] = RelabelledReplayBuffer
    kwargs["replay_buffer_kwargs"] = {
        "intrinsic": reward,
        **kwargs.pop("buffer_kwargs", {}),
    }
    settings: dict[str, Any] = {
        "learning_starts": 20,
        "buffer_size": 500,
        "batch_size": 16,
        "seed": 3,
        "device": "cpu",
        "policy_kwargs": {"net_arch": [16]},
    }
    return DQN("MlpPolicy", env, **{**settings, **kwargs})


def weights(model: Any) -> list[th.Tensor]:
    return [value.clone() for value in model.policy.state_dict().values()]


def equal(left: Any, right: Any) -> bool:
    return all(map(th.equal, weights(left), weights(right)))
