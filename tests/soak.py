"""Play and learn for long, and see whether memory grows.

python tests/soak.py worlds 10_000_000      # steps of each world
python tests/soak.py bonuses 200            # rollouts of each bonus
"""

from __future__ import annotations

import gc
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gymnasium as gym
import test_reward_contract as contract

from curiosity_rl.registry import REWARDS, WORLDS

LANES = 256
KINDS = 8
"""Different rollouts that a bonus sees again and again: what it counts stays finite."""
MOST = 4.0
"""Megabytes by which memory may grow, as the allocator sees fit."""


def resident() -> float:
    """Megabytes of memory that this process occupies."""
    gc.collect()
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


def of_bonus(name: str, rollouts: int) -> float:
    """Let a bonus pay for and learn from so many rollouts."""
    reward, batches = contract.made(name)
    kept = itertools.cycle([next(batches) for _ in range(KINDS)])

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
