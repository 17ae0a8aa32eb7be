"""Play and learn for long, and see whether memory grows.

python tests/soak.py worlds 10_000_000      # steps of each world
python tests/soak.py bonuses 200            # rollouts of each bonus
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from curiosity_rl.protocols import Transitions
from curiosity_rl.registry import REWARDS, WORLDS
from curiosity_rl.rewards import make_reward

LANES = 256
STEPS, FEW = 32, 8
"""Steps and lanes of a rollout that a bonus is shown."""
KINDS = 8
"""Different rollouts that a bonus sees again and again: what it counts stays finite."""
MOST = 4.0
"""Megabytes by which memory may grow, as the allocator sees fit."""


def resident() -> float:
    """Megabytes of memory that this process occupies, less what was freed before.

    The allocator keeps freed memory; handed back, it cannot hide what grows.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def growth(turn: Callable[[], None], turns: int) -> float:
    """Megabytes gained in the last four fifths of so many turns."""
    for _ in range(max(turns // 5, 1)):
        turn()
    before = resident()
    for _ in range(turns - turns // 5):
        turn()
    return resident() - before


def in_world(name: str, steps: int) -> float:
    """Play a world at random for so many steps, over all lanes."""
    env = gym.make_vec(name, LANES)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(16)]
    moves = itertools.cycle(actions)

    def turn() -> None:
        env.step(next(moves))

    found = growth(turn, steps // LANES)
    env.close()
    return found


def rollout(seed: int) -> Transitions:
    """Play at random, discretely, where the world reports what a tutor reports."""
    rng = np.random.default_rng(seed)
    shape, skills = (STEPS, FEW), (STEPS, FEW, 3)
    belief = rng.uniform(0.1, 0.9, (STEPS + 1, FEW, 3)).astype(np.float32)
    goal = np.broadcast_to(np.arange(3) < 2, skills)
    obs = rng.integers(0, 4, (STEPS + 1, FEW))
    done = rng.random(shape) < 0.1
    return Transitions(
        obs=obs[:-1],
        action=rng.integers(0, 3, shape),
        reward=rng.random(shape).astype(np.float32),
        next_obs=obs[1:],
        terminated=done,
        truncated=np.zeros(shape, bool),
        info={
            "activity": rng.integers(0, 3, shape),
            "outcome": rng.integers(0, 2, shape).astype(np.int8),
            "belief": belief[1:],
            "belief_before": belief[:-1],
            "goal": goal,
            "needed": goal,
        },
    )


def of_bonus(name: str, rollouts: int) -> float:
    """Let a bonus pay for and learn from so many rollouts."""
    reward: Any = make_reward(name)
    if hasattr(reward, "setup"):
        reward.setup(spaces.Discrete(4), spaces.Discrete(3), 0)
    kept = itertools.cycle([rollout(seed) for seed in range(KINDS)])

    def turn() -> None:
        batch = next(kept)
        reward.compute(batch)
        reward.update(batch)

    return growth(turn, rollouts)


def soak(kind: str, amount: int) -> Iterator[tuple[str, float]]:
    """Return by name how much memory each world or bonus gained."""
    names = WORLDS if kind == "worlds" else REWARDS
    measure = in_world if kind == "worlds" else of_bonus
    for name in names:
        yield name, measure(name, amount)


if __name__ == "__main__":
    asked, amount = sys.argv[1], int(sys.argv[2])
    start, worst = time.monotonic(), 0.0
    for name, megabytes in soak(asked, amount):
        worst = max(worst, megabytes)
        print(f"{megabytes:+8.2f} MB  {name}", flush=True)
    print(f"at most {worst:+.2f} MB, {time.monotonic() - start:.0f} s")
    sys.exit(worst > MOST)
