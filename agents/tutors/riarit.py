"""RiARiT: the right activity at the right time, by estimated levels of skills.

Source: Clement, Roy, Oudeyer and Lopes 2015, "Multi-Armed Bandits for Intelligent
Tutoring Systems", Journal of Educational Data Mining 7(2), and the constants of the
code released with it. Their table of activities is a table of their lesson; ours is
derived from the shown graph.
"""

from __future__ import annotations

import numpy as np

from curiosity_rl.agents.tutors.graph import all_parents
from curiosity_rl.agents.tutors.reading import GRAPH, Reading, ReadingTutor
from curiosity_rl.agents.tutors.zpdes import START, draw_from_zone
from curiosity_rl.protocols import ActivityLayout

RATE = 0.6  # how far an answer moves the level
KEEP = 0.2  # share of the old weight that stays when a new reward comes in
SHARE = 0.1  # of the sum of the weights, added to each weight for the draw


class Riarit(ReadingTutor):
    """RiARiT over the shown graph.

    The table says which level of skill k activity a works with: `R[a, k] = 1` for its
    own skill, `parent` for a shown prerequisite; of other skills it says nothing.
    Levels c begin at 0. An answer to a moves the skills of its row,

        d_k = R[a, k] - c_k;  r_k = d_k if d_k > 0 and right, or d_k < 0 and wrong,
        else 0;  c_k <- c_k + .6 r_k,

    so right answers raise a skill, and wrong ones lower what the skill rests on. The
    reward is `max(0, mean of r_k over the needed skills)` and the weight of a moves to
    `.2 w + .8 reward`. An activity is in the zone while all its prerequisites have the
    level that it works with and its own skill one of at most `leave`; it comes in with
    the largest weight of the zone (.05 for the first), a zone of one has weight .05.
    Choices are drawn in proportion to `w + sum(w) / 10`; where the zone is empty, from
    all needed skills.

    Args:
        layout: How the observation is laid out.
        seed: Seed of the draws.
        parent: Level of a prerequisite that an exercise works with, in (0, 1).
        leave: Level of its own skill above which it is left, in (0, 1).

    Raises:
        ValueError: If a setting is out of range or no graph is shown.
    """

    name = "riarit"
    reads = ("attempts", "last_1", *GRAPH)

    def __init__(
        self,
        layout: ActivityLayout,
        seed: int = 0,
        parent: float = 0.8,
        leave: float = 0.9,
    ):
        super().__init__(layout, seed)
        for given, value in (("parent", parent), ("leave", leave)):
            if not 0.0 < value < 1.0:
                raise ValueError(f"{given} is {value}: give a level between 0 and 1")
        self.parent, self.leave = parent, leave

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """Graph, levels, weights, zone, attempts seen."""
        attempts = reading.attempts
        return {
            "parents": reading.parents,
            "level": np.zeros(attempts.shape),
            "weight": np.zeros(attempts.shape),
            "zone": np.zeros(attempts.shape, bool),
            "attempts": attempts,
        }

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Draw an activity of the zone, `(n,)`."""
        needed = reading.needed
        self._estimate(reading, needed, notes)
        level = notes["level"]
        # A level that falls towards `parent` from above must not round below it.
        ready = all_parents(level >= self.parent - 1e-9, notes["parents"])
        zone = needed & ready & (level <= self.leave)
        weight = np.where(zone & notes["zone"], notes["weight"], 0.0)
        largest = weight.max(axis=1, keepdims=True)
        come_in = np.where(largest > 0.0, largest, START)
        weight = np.where(zone & ~notes["zone"], come_in, weight)
        size = zone.sum(axis=1, keepdims=True)
        notes["weight"] = np.where(zone & (size == 1), START, weight)
        notes["zone"] = zone
        explore = SHARE * size / (1.0 + SHARE * size)
        return draw_from_zone(zone, needed, notes["weight"], self.rng, explore)

    def _estimate(
        self, reading: Reading, needed: np.ndarray, notes: dict[str, np.ndarray]
    ) -> None:
        """Carry the newest answers into levels and weights."""
        attempts, parents = reading.attempts, notes["parents"]
        lane, slot = np.nonzero(attempts > notes["attempts"])
        notes["attempts"] = attempts
        right = reading.right[lane, slot][:, None]
        # One column more, which parents of slot -1 write to.
        row = np.zeros((len(lane), attempts.shape[1] + 1))
        each = np.arange(len(lane))
        row[each[:, None], parents[lane, slot]] = self.parent
        row[each, slot] = 1.0
        row = row[:, :-1]
        off = row - notes["level"][lane]
        move = np.where((row > 0.0) & (np.where(right, off, -off) > 0.0), off, 0.0)
        notes["level"][lane] += RATE * move
        skills = np.maximum(needed[lane].sum(axis=1), 1)
        reward = np.maximum((move * needed[lane]).sum(axis=1) / skills, 0.0)
        moved = KEEP * notes["weight"][lane, slot] + (1.0 - KEEP) * reward
        notes["weight"][lane, slot] = moved
