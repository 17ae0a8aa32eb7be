"""ZPDES over a graph of concepts, with reviews of what may be forgotten.

Source: Mu, Goel and Brunskill 2017, "Program2Tutor: Combining Automatic Curriculum
Generation with Multi-Armed Bandits for Intelligent Tutoring Systems" (NeurIPS workshop
on teaching machines, robots and humans), and the constants of the code released with
it; progress as reward is that of Clement, Roy, Oudeyer and Lopes 2015, JEDM 7(2).
"""

from __future__ import annotations

import numpy as np

from curiosity_rl.agents.tutors.graph import all_parents, syllabus
from curiosity_rl.agents.tutors.reading import GRAPH, Reading, ReadingTutor
from curiosity_rl.agents.tutors.zpdes import draw_from_zone
from curiosity_rl.protocols import ActivityLayout

EXPLORE = 0.1  # share of choices drawn evenly from the zone
START, FRESH = 0.5, 4.0  # first weight of a root, and times that of a later skill
FLOOR = 0.001  # smallest weight
HOPELESS = 0.35  # share right at most, for the stall rule
KEPT = 32  # practices that memory looks back on; what is older adds next to nothing


class ZpdesDag(ReadingTutor):
    """ZPDES in its form for graphs, weights being mean progress.

    With h = `history`: a skill is mastered while at least `mastery` of its last 2h
    answers are right, and enters the zone, for good, once all its parents are mastered.
    From its answer number 2h on, each answer pays signed progress

        r = share right of the last h - share right of the h before,

    and the weight is the mean of all r so far, at least .001; before that it is .5 for
    roots and 2 for skills that their parents let in. The choice is drawn from
    `.9 w / sum(w) + .1 / size of the zone` over needed skills that are in the zone and
    not mastered; where there are none, evenly from all needed skills.

    Review: the memory of a skill practised at times `t_1 .. t_m` is
    `mean over i of e^((t_i - now) / i)`; if that of a parent of the chosen skill is
    below `e^-forget`, the parent of least memory is given instead. Times are days where
    the world has them, else exercises.

    Stall rule: if every skill of the zone had 4h answers and at most 35 % of its last
    2h right, the next skill of the syllabus that was never tried enters the zone, too,
    with weight .5.

    Args:
        layout: How the observation is laid out.
        seed: Seed of the draws.
        history: Half the number of answers that are looked back on, 1 to 8.
        mastery: Share of right answers that counts as mastery, in (0, 1].
        forget: Minus the logarithm of the memory below which a parent is reviewed;
            None for no reviews.
        stall: Whether a hopeless zone may be left, by the rule above. It is ours, for
            graphs that are wrong.

    Raises:
        ValueError: If a setting is out of range or no graph is shown.
    """

    name = "zpdes-dag"
    reads = ("attempts", "last_1", *GRAPH)

    def __init__(
        self,
        layout: ActivityLayout,
        seed: int = 0,
        history: int = 2,
        mastery: float = 0.74,
        forget: float | None = 18.0,
        stall: bool = False,
    ):
        super().__init__(layout, seed)
        if not 1 <= history <= 8:
            raise ValueError(f"history is {history}: give a number from 1 to 8")
        if not 0.0 < mastery <= 1.0:
            raise ValueError(f"mastery is {mastery}: give a share in (0, 1]")
        if forget is not None and forget <= 0.0:
            raise ValueError(f"forget is {forget}: give a number above 0, or None")
        self.history, self.mastery = history, mastery
        self.forget, self.stall = forget, stall
        self.by_days = "days" in layout.features

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """Graph, zone, weights, answers as bits (newest lowest), times of practice."""
        attempts, parents = reading.attempts, reading.parents
        shape = attempts.shape
        return {
            "parents": parents,
            "rank": syllabus(parents),
            "entered": all_parents(np.zeros(shape, bool), parents),
            "weight": np.where((parents < 0).all(axis=2), START, FRESH * START),
            "paid": np.zeros(shape),
            "attempts": attempts,
            "answers": np.zeros(shape, np.int64),
            "when": np.zeros((*shape, KEPT)),
            "now": np.zeros(len(reading)),
        }

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Draw a skill of the zone, or a parent of it that is forgotten, `(n,)`."""
        self._enter(reading, notes)
        needed, attempts = reading.needed, notes["attempts"]
        window = 2 * self.history
        right = _share(notes["answers"], window)
        mastered = (attempts >= window) & (right >= self.mastery)
        notes["entered"] |= all_parents(mastered, notes["parents"])
        if self.stall:
            hopeless = (attempts >= 2 * window) & (right <= HOPELESS)
            self._leave(needed & notes["entered"] & ~mastered, hopeless, needed, notes)
        zone = needed & notes["entered"] & ~mastered
        chosen = draw_from_zone(zone, needed, notes["weight"], self.rng, EXPLORE)
        if self.forget is None:
            return chosen
        return self._review(chosen, notes, self.forget)

    def _enter(self, reading: Reading, notes: dict[str, np.ndarray]) -> None:
        """Note the newest answers: their bits, times and progress."""
        attempts, h = reading.attempts, self.history
        new = np.nonzero(attempts > notes["attempts"])
        times = attempts[new]
        lane, skill = new
        notes["when"][lane, skill, (times - 1) % KEPT] = notes["now"][lane]
        notes["now"][lane] += reading.days_since[new] if self.by_days else 1.0
        notes["answers"][new] = (notes["answers"][new] << 1) | reading.right[new]
        notes["attempts"] = attempts
        paying = times >= 2 * h
        lane, skill = lane[paying], skill[paying]
        answers = notes["answers"][lane, skill]
        progress = _share(answers, h) - _share(answers >> h, h)
        notes["paid"][lane, skill] += progress
        mean = notes["paid"][lane, skill] / (times[paying] - 2 * h + 1)
        notes["weight"][lane, skill] = np.maximum(mean, FLOOR)

    def _leave(
        self,
        zone: np.ndarray,
        hopeless: np.ndarray,
        needed: np.ndarray,
        notes: dict[str, np.ndarray],
    ) -> None:
        """Let one more skill into zones that are hopeless altogether."""
        stuck = zone.any(axis=1) & ~np.any(zone & ~hopeless, axis=1)
        untried = needed & ~notes["entered"] & (notes["attempts"] == 0)
        lane = np.flatnonzero(stuck & untried.any(axis=1))
        rank = np.where(untried, notes["rank"], zone.shape[1])
        skill = rank[lane].argmin(axis=1)
        notes["entered"][lane, skill] = True
        notes["weight"][lane, skill] = START

    def _review(
        self, chosen: np.ndarray, notes: dict[str, np.ndarray], forget: float
    ) -> np.ndarray:
        """Return the most forgotten parent of each chosen skill, or that skill."""
        lanes = np.arange(len(chosen))
        given, least = chosen, np.full(len(chosen), np.exp(-forget))
        for column in range(notes["parents"].shape[2]):
            parent = notes["parents"][lanes, chosen, column]
            practised = (parent >= 0) & (notes["attempts"][lanes, parent] > 0)
            memory = np.full(len(chosen), np.inf)
            lane, skill = lanes[practised], parent[practised]
            memory[lane] = remembered(
                notes["when"][lane, skill],
                notes["attempts"][lane, skill],
                notes["now"][lane],
            )
            given = np.where(memory < least, parent, given)
            least = np.minimum(memory, least)
        return given


def remembered(when: np.ndarray, times: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return `mean over i of e^((t_i - now) / i)`: how much practice is remembered.

    Practice number i fades with a time constant of i, so more practice lasts longer.

    Args:
        when: Times of practice `(p, KEPT)`; number i stands in column (i - 1) % KEPT.
        times: How many there were, `(p,)`, at least 1.
        now: The time, `(p,)`.
    """
    column = np.arange(when.shape[1])
    number = times[:, None] - (times[:, None] - 1 - column) % when.shape[1]
    faded = np.exp((when - now[:, None]) / np.maximum(number, 1))
    return np.where(number > 0, faded, 0.0).sum(axis=1) / times


def _share(answers: np.ndarray, last: int) -> np.ndarray:
    """Return the share of ones in the lowest bits."""
    return np.bitwise_count(answers & ((1 << last) - 1)) / last
