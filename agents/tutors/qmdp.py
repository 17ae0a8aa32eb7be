"""QMDP: act as if all doubt ended after this exercise."""

from __future__ import annotations

import numpy as np

from curiosity_rl.agents.tutors.knowledge import Skills, discounted_loss, most_gain
from curiosity_rl.agents.tutors.planner import BeliefTutor
from curiosity_rl.agents.tutors.reading import Reading


class Qmdp(BeliefTutor):
    """Take the activity whose value for seen students is largest on average.

    `argmax_k sum_s b(s) Q(s, k)`: b is the exact belief, Q the value of the problem in
    which the student's state is seen, with reward = number of needed skills known and
    discount .99. It never asks for the sake of knowing: the value of information is
    zero to it.

    Args:
        layout: How the observation is laid out.
        seed: Not used; every tutor takes one.
        assumed: The student to assume, see `assumed_student`; None for the world's
            average student.
        discount: Discount of the value, in (0, 1).

    Raises:
        ValueError: As `BeliefTutor`, or if the discount is outside (0, 1).

    Source: Littman, Cassandra and Kaelbling 1995, ICML (Q-MDP).
    """

    name = "qmdp"

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """The belief, and the loss of every state against knowing all."""
        notes = super().notes(reading)
        skills = Skills(**{name: notes[name] for name in Skills._fields})
        loss = np.zeros(notes["belief"].shape, np.float32)
        discounted_loss(skills, self.discount, loss)
        return {**notes, "loss": loss}

    def plan(
        self, skills: Skills, reading: Reading, notes: dict[str, np.ndarray]
    ) -> np.ndarray:
        """Return the activity of the largest Q under the belief, `(n,)`."""
        chosen = np.empty(len(reading), np.int64)
        most_gain(skills, notes["belief"], notes["loss"], chosen)
        return chosen
