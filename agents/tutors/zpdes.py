"""ZPDES: follow learning progress within the zone of proximal development.

Source: Clement, Roy, Oudeyer and Lopes 2015, "Multi-Armed Bandits for Intelligent
Tutoring Systems", Journal of Educational Data Mining 7(2) (bandit weights, progress as
reward); the zone over a graph of concepts follows Mu, Goel and Brunskill 2017,
"Program2Tutor" (a concept opens when all its parents are mastered).
"""

from __future__ import annotations

import numpy as np

from curiosity_rl.agents.tutors.graph import all_parents
from curiosity_rl.agents.tutors.reading import (
    GRAPH,
    OUTCOMES,
    Reading,
    ReadingTutor,
    sample,
)
from curiosity_rl.protocols import ActivityLayout

KEEP = 0.2  # share of the old weight that stays when a new reward comes in
START = 0.05  # weight of an activity that has shown no progress yet
EXPLORE = 0.2  # share of choices drawn evenly from the open activities
WINDOW = 4  # answers that progress and mastery look back on


class Zpdes(ReadingTutor):
    """ZPDES over the shown graph.

    The zone holds the needed skills that are open and not mastered. A skill is mastered
    while at least `mastery` of its last four answers are right; it opens, for good,
    once all parents are mastered. From the fourth answer on, an answer pays progress,

        r = max(0, share right of the last two - share right of the two before),

    and the weight moves to `w <- max(floor, .2 w + .8 r)`. The choice within the zone
    is drawn from `.8 w / sum(w) + .2 / size of the zone`; where the zone is empty, from
    all needed skills.

    Args:
        layout: How the observation is laid out.
        seed: Seed of the draws.
        mastery: Share of right answers that counts as mastery, in (0, 1].
        floor: Smallest weight of an open activity, positive.
        stall: Whether to leave a hopeless zone: if each of its skills had eight answers
            and at most 35 % of the last four right, one more needed skill is allowed
            for this exercise. It loses where slips and guesses are common (`tutor-v0`);
            it is meant for wrong graphs.

    Raises:
        ValueError: If a setting is out of range or no graph is shown.
    """

    name = "zpdes"
    reads = ("attempts", *OUTCOMES, *GRAPH)

    def __init__(
        self,
        layout: ActivityLayout,
        seed: int = 0,
        mastery: float = 0.74,
        floor: float = 0.001,
        stall: bool = False,
    ):
        super().__init__(layout, seed)
        if not 0.0 < mastery <= 1.0:
            raise ValueError(f"mastery is {mastery}: give a share in (0, 1]")
        self.mastery, self.floor, self.stall = mastery, _positive(floor), stall

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """Parents, skills opened, weights, attempts seen."""
        attempts = reading.attempts
        return {
            "parents": reading.parents,
            "opened": np.zeros(attempts.shape, bool),
            "weight": np.full(attempts.shape, START),
            "attempts": attempts,
        }

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Draw an activity of the zone, `(n,)`."""
        needed = reading.needed
        reward_answered(reading, notes, self.floor)
        attempts = notes["attempts"]
        answers = np.minimum(attempts, WINDOW)
        marks = reading.recent + reading.older
        right = (marks + answers) / (2 * np.maximum(answers, 1))
        mastered = (attempts >= WINDOW) & (right >= self.mastery)
        notes["opened"] |= all_parents(mastered, notes["parents"])
        zone = needed & notes["opened"] & ~mastered
        if self.stall:
            hopeless = (attempts >= 2 * WINDOW) & (right <= 0.35)
            zone |= self._one_more(needed & ~zone, ~np.any(zone & ~hopeless, axis=1))
        return draw_from_zone(zone, needed, notes["weight"], self.rng)

    def _one_more(self, candidates: np.ndarray, stuck: np.ndarray) -> np.ndarray:
        """Mark one random candidate in each stuck lane, `(n, A)` bool."""
        pick = np.where(candidates, self.rng.random(candidates.shape), -1.0)
        one = np.arange(candidates.shape[1]) == pick.argmax(axis=1)[:, None]
        return one & candidates & stuck[:, None]


class ZpdesBlind(ReadingTutor):
    """ZPDES without a graph: every activity is open until its belief says mastered.

    Weights, progress and draw as in `Zpdes`.

    Args:
        layout: How the observation is laid out.
        seed: Seed of the draws.
        threshold: Belief from which on an activity is left alone, in (0, 1).
        floor: Smallest weight of an activity, positive.

    Raises:
        ValueError: If a setting is out of range or no belief is shown.
    """

    name = "zpdes-blind"
    reads = ("attempts", *OUTCOMES, "belief")

    def __init__(
        self,
        layout: ActivityLayout,
        seed: int = 0,
        threshold: float = 0.95,
        floor: float = 0.01,
    ):
        super().__init__(layout, seed)
        if not 0.0 < threshold < 1.0:
            raise ValueError(f"threshold is {threshold}: give a belief between 0 and 1")
        self.threshold, self.floor = threshold, _positive(floor)

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """Weights and attempts seen."""
        attempts = reading.attempts
        return {"weight": np.full(attempts.shape, START), "attempts": attempts}

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Draw an activity that is not mastered, `(n,)`."""
        reward_answered(reading, notes, self.floor)
        zone = reading["belief"] < self.threshold
        return draw_from_zone(zone, np.ones_like(zone), notes["weight"], self.rng)


def reward_answered(
    reading: Reading, notes: dict[str, np.ndarray], floor: float
) -> None:
    """Move the weight of the activities that were just answered towards their progress.

    Args:
        reading: The observation.
        notes: Holds `weight` and `attempts`, `(n, A)`; both are brought up to date.
        floor: Smallest weight.
    """
    attempts, old = reading.attempts, notes["weight"]
    progress = (reading.recent - reading.older) / WINDOW
    # Too few answers: be optimistic, let the weight pay itself.
    reward = np.where(attempts >= WINDOW, np.maximum(progress, 0.0), old)
    moved = np.maximum(KEEP * old + (1.0 - KEEP) * reward, floor)
    notes["weight"] = np.where(attempts > notes["attempts"], moved, old)
    notes["attempts"] = attempts


def draw_from_zone(
    zone: np.ndarray,
    otherwise: np.ndarray,
    weight: np.ndarray,
    rng: np.random.Generator,
    explore: float | np.ndarray = EXPLORE,
) -> np.ndarray:
    """Draw from `(1 - e) w / sum(w) + e / size` in the zone; where it is empty, evenly.

    Args:
        zone: `(n, A)` bool.
        otherwise: What to draw from where the zone is empty, `(n, A)` bool.
        weight: `(n, A)`, positive.
        rng: Source of the draws.
        explore: Share e that is drawn evenly from the zone; a number, or `(n, 1)`.

    Returns:
        `(n,)` int64.
    """
    open_weight = np.where(zone, weight, 0.0)
    share = open_weight / np.maximum(open_weight.sum(axis=1, keepdims=True), 1e-12)
    even = zone / np.maximum(zone.sum(axis=1, keepdims=True), 1)
    chance = (1.0 - explore) * share + explore * even
    return sample(np.where(zone.any(axis=1, keepdims=True), chance, otherwise), rng)


def _positive(floor: float) -> float:
    if floor <= 0.0:
        raise ValueError(f"floor is {floor}: give a small positive weight")
    return floor
