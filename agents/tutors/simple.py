"""The lower bound: any activity, whatever the student answered."""

from __future__ import annotations

import numpy as np

from curiosity_rl.agents.tutors.reading import Reading, ReadingTutor


class RandomTutor(ReadingTutor):
    """Propose each activity with equal probability."""

    name = "random"

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Draw `(n,)` activities."""
        return self.rng.integers(0, self.layout.activities, len(reading))
