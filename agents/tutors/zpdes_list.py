"""ZPDES over an ordered list of activities, as published."""

from __future__ import annotations

import numpy as np

from curiosity_rl.agents.tutors.graph import syllabus
from curiosity_rl.agents.tutors.reading import GRAPH, Reading, ReadingTutor, sample
from curiosity_rl.protocols import ActivityLayout

START = 0.05  # weight of the first activity, and of the only one left
EVEN = 0.1  # share of all weights that each open activity gets in the draw
HOPELESS = 0.35  # share right up to which an activity counts as stalled
STALL_FLOOR = 0.001


class ZpdesList(ReadingTutor):
    """ZPDES over the needed skills in expert order.

    The expert order is that of `n-in-a-row`: topological, by the graph shown. Open at
    the start is its first activity, with weight .05. After an answer to i, with the
    last d answers and h = d // 2, the reward is progress, and moves the weight:

        r = max(0, share right of the last h - share right of the h before),
        w_i = filter1 * w_i + (1 - filter1) * r;

    with fewer answers the halves are shorter, and up to two answers r = w_i. Then the
    next activity never tried opens, with weight promote * smallest open weight, if the
    mean over open activities of their share right of the last h (0 with one answer) is
    above `up`; and the open activity with the highest share right of the last d closes
    for good if that is above `down` and it is not the only one. An activity is drawn
    in proportion to w_i + .1 * sum of w.

    Args:
        layout: How the observation is laid out.
        seed: Seed of the draws.
        filter1: Share of the old weight that is kept, in [0, 1).
        d: Answers that progress looks back on, 2 or more (`stepUpdate`).
        up: Share right above which the next activity opens (`upZPD`).
        down: Share right above which an activity closes (`deactZPD`).
        promote: Weight of a new activity over the smallest open weight, positive.
        eager: Leave open activities with fewer than two answers out of the mean; they
            do not count as 0 then, and more is open at the same time.
        stall: Our addition, to leave hopeless activities: if every open one has 2 d
            answers and at most 35 % of the last d right, the next one opens too, with
            weight .05; open weights stay above .001.

    Raises:
        ValueError: If a setting is out of range or no graph is shown.

    Source: Clement, Roy, Oudeyer and Lopes 2015, JEDM 7(2); constants by default those
    of Clement, Oudeyer and Lopes 2016, EDM (the form not tuned to the students).
    """

    name = "zpdes-list"
    reads = ("attempts", "last_1", *GRAPH)

    def __init__(
        self,
        layout: ActivityLayout,
        seed: int = 0,
        filter1: float = 0.2,
        d: int = 6,
        up: float = 0.5,
        down: float = 0.7,
        promote: float = 1.0,
        stall: bool = False,
        eager: bool = False,
    ):
        super().__init__(layout, seed)
        if not 0.0 <= filter1 < 1.0:
            raise ValueError(f"filter1 is {filter1}: give a share in [0, 1)")
        if d < 2:
            raise ValueError(f"d is {d}: give 2 answers or more")
        for name, share in (("up", up), ("down", down)):
            if not 0.0 <= share <= 1.0:
                raise ValueError(f"{name} is {share}: give a share from 0 to 1")
        if promote <= 0.0:
            raise ValueError(f"promote is {promote}: give a positive number")
        self.filter1, self.d, self.stall, self.eager = filter1, d, stall, eager
        self.up, self.down, self.promote = up, down, promote

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """Order, the last d answers (newest first), weights, what is open or tried."""
        attempts = reading.attempts
        rank = np.where(reading.needed, 0, self.layout.activities)
        rank = rank + syllabus(reading.parents)
        first = rank == rank.min(axis=1, keepdims=True)
        return {
            "rank": rank,
            "attempts": attempts,
            "answers": np.zeros((*attempts.shape, self.d)),
            "count": np.zeros_like(attempts),
            "open": first,
            "entered": first.copy(),
            "weight": np.where(first, START, 0.0),
        }

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Draw an open activity, `(n,)`."""
        attempts = reading.attempts
        answered = attempts > notes["attempts"]
        notes["attempts"] = attempts
        lane, activity = np.nonzero(answered)
        right = reading["last_1"][lane, activity] > 0
        self._pay(lane, activity, right, notes)
        moved = np.asarray(answered.any(axis=1))
        self._open_next(reading.needed, moved, notes)
        self._close_best(moved, notes)
        opened, weight = notes["open"], notes["weight"]
        alone = opened.sum(axis=1, keepdims=True) == 1
        weight[opened & alone] = START
        if self.stall:
            weight[opened] = np.maximum(weight[opened], STALL_FLOOR)
        among = np.where(opened, weight, 0.0)
        even = EVEN * among.sum(axis=1, keepdims=True) + np.finfo(float).tiny
        return sample(np.where(opened, among + even, 0.0), self.rng)

    def _pay(
        self,
        lane: np.ndarray,
        activity: np.ndarray,
        right: np.ndarray,
        notes: dict[str, np.ndarray],
    ) -> None:
        """Note the answers and move the weights of what was answered."""
        at = lane, activity
        answers = notes["answers"][at]
        answers[:, 1:] = answers[:, :-1]
        answers[:, 0] = right
        notes["answers"][at] = answers
        notes["count"][at] += 1
        seen = np.minimum(notes["count"][at], self.d)
        half = seen // 2
        recent = _share_right(answers, half)
        total = _share_right(answers, seen) * seen
        older = (total - recent * half) / np.maximum(seen - half, 1)
        old = notes["weight"][at]
        reward = np.where(seen > 2, np.maximum(recent - older, 0.0), old)
        notes["weight"][at] = self.filter1 * old + (1.0 - self.filter1) * reward

    def _open_next(
        self, needed: np.ndarray, moved: np.ndarray, notes: dict[str, np.ndarray]
    ) -> None:
        """Open the next activity never tried where success or a stall calls for it."""
        opened, count = notes["open"], notes["count"]
        recent = _share_right(notes["answers"], np.minimum(count, self.d // 2))
        told = opened & (count >= 2)
        many = (told if self.eager else opened).sum(axis=1)
        success = np.where(told, recent, 0.0).sum(axis=1) / np.maximum(many, 1)
        fresh = needed & ~notes["entered"]
        rank = np.where(fresh, notes["rank"], np.iinfo(np.int64).max)
        following = np.arange(count.shape[1]) == rank.argmin(axis=1)[:, None]
        possible = moved & fresh.any(axis=1)
        smallest = np.where(opened, notes["weight"], np.inf).min(axis=1)
        weight = self.promote * smallest
        wanted = success > self.up
        if self.stall:
            whole = _share_right(notes["answers"], np.minimum(count, self.d))
            hopeless = (count >= 2 * self.d) & (whole <= HOPELESS)
            stuck = ~wanted & (hopeless | ~opened).all(axis=1)
            weight = np.where(stuck, START, weight)
            wanted = wanted | stuck
        new = following & (possible & wanted)[:, None]
        notes["weight"] = np.where(new, weight[:, None], notes["weight"])
        notes["open"] = opened | new
        notes["entered"] |= new

    def _close_best(self, moved: np.ndarray, notes: dict[str, np.ndarray]) -> None:
        """Close the most successful activity if it is mastered and not alone."""
        opened, count = notes["open"], notes["count"]
        full = _share_right(notes["answers"], np.minimum(count, self.d))
        score = np.where(opened & (count >= self.d), full, -1.0)
        best = np.arange(count.shape[1]) == score.argmax(axis=1)[:, None]
        ripe = moved & (score.max(axis=1) > self.down) & (opened.sum(axis=1) > 1)
        closed = best & ripe[:, None]
        notes["open"] = opened & ~closed
        notes["weight"] = np.where(closed, 0.0, notes["weight"])


def _share_right(answers: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the share right of the newest `last` answers; 0 where there are none."""
    among = np.arange(answers.shape[-1]) < last[..., None]
    return (answers * among).sum(axis=-1) / np.maximum(last, 1)
