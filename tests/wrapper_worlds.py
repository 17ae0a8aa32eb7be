"""A bonus that shows what it was given, and play, for the tests of wrappers."""

from __future__ import annotations

from typing import Any

import numpy as np
from adapter_worlds import LANES

from curiosity_rl.adapters.wrappers import IntrinsicWrapper
from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards.statistics import lane_rows

STEPS = 60


class Age:
    """Pays the age of the episode, 1 at its first step, plus 100 x what it learnt."""

    def __init__(self) -> None:
        self.age: np.ndarray | None = None
        self.learnt, self.forgotten = 0, 0
        self.paid: list[Transitions] = []
        self.updated: list[Transitions] = []

    def compute(self, batch: Transitions) -> np.ndarray:
        self.paid.append(batch)
        age = np.zeros(batch.shape[1]) if self.age is None else self.age
        rows = lane_rows(len(age), batch.shape[1], batch.lanes)
        out = np.zeros(batch.shape, np.float32)
        for t in range(batch.shape[0]):
            age[rows] += 1
            out[t] = age[rows] + 100 * self.learnt
            age[rows] *= ~batch.done[t]
        self.age = age
        return out

    def update(self, batch: Transitions) -> dict[str, float]:
        self.updated.append(batch)
        self.learnt += 1
        return {"learnt": float(self.learnt)}

    def forget(self) -> None:
        self.age, self.forgotten = None, self.forgotten + 1

    def state_dict(self) -> dict[str, Any]:
        age = None if self.age is None else self.age.copy()
        return {"age": age, "learnt": self.learnt}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        age = state["age"]
        self.age, self.learnt = None if age is None else np.array(age), state["learnt"]


def actions(lanes: int = LANES, steps: int = STEPS) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 5, (steps, lanes))


def play(env: IntrinsicWrapper, moves: np.ndarray, seed: int) -> list[tuple]:
    """Play one lane; one row per step, with the true next observation."""
    rows = []
    obs, _ = env.reset(seed=seed)
    for action in moves:
        after, reward, terminated, truncated, info = env.step(int(action))
        bonus = info["intrinsic_reward"]
        rows.append((obs, action, reward, after, terminated, truncated, bonus))
        obs = env.reset()[0] if terminated or truncated else after
    return rows
