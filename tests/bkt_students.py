"""Students who answer by the rules of Bayesian knowledge tracing, for tests."""

from __future__ import annotations

import numpy as np


def play(
    theta: tuple[float, ...], students: int, answers: int, seed: int
) -> np.ndarray:
    """Let students answer by the rules of the model, `(students, answers)`."""
    prior, learn, guess, slip, forget = theta
    rng = np.random.default_rng(seed)
    known = rng.random(students) < prior
    rows = []
    for _ in range(answers):
        rows.append(rng.random(students) < np.where(known, 1 - slip, guess))
        draw = rng.random(students)
        known = np.where(known, draw >= forget, draw < learn)
    return np.stack(rows, axis=1)
