"""A point that actions move, beside a screen that nothing moves."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces

from curiosity_rl.protocols import Transitions

ACTION = spaces.Discrete(4)
SCREEN = 6
SPACE = spaces.Box(-9, 9, (2 + SCREEN,), np.float32)
MOVES = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], np.float32)


def play(
    rng: np.random.Generator, steps: int = 32, lanes: int = 8, screen: float = 1.0
) -> Transitions:
    """Move the point from anywhere, at random; the screen shows noise or is dark."""
    shape = (steps, lanes)
    point = rng.uniform(-3, 3, (*shape, 2)).astype(np.float32)
    action = rng.integers(4, size=shape)
    noise = screen * rng.normal(size=(2, *shape, SCREEN)).astype(np.float32)
    no = np.zeros(shape, bool)
    return Transitions(
        obs=np.concatenate([point, noise[0]], 2, dtype=np.float32),
        action=action,
        reward=np.zeros(shape, np.float32),
        next_obs=np.concatenate([point + MOVES[action], noise[1]], 2, dtype=np.float32),
        terminated=no,
        truncated=no,
    )
