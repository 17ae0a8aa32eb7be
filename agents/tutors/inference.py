"""A rule on the belief over graph and mastery: do what is useful most probably."""

from __future__ import annotations

import numpy as np

from curiosity_rl.agents.tutors.reading import Reading, ReadingTutor


class GraphInference(ReadingTutor):
    """Give the exercise that most probably teaches what the goals need, now.

    `argmax_k P(k is needed, not known, and all its prerequisites are known)`, under the
    joint belief over graph and mastery that a world with `belief="graph"` keeps. The
    time that a student still needs is the sum of `1 / T` over the needed skills that
    are unknown; a useful exercise takes 1 off its expectation, whatever T is, and any
    other exercise takes off nothing. So this is greedy, one step ahead, in the time to
    go; what an answer teaches the tutor counts for nothing.
    """

    name = "graph-inference"
    reads = ("graph_useful",)

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Return the exercise that is most probably useful, `(n,)`."""
        return reading["graph_useful"].argmax(axis=1)
