"""Rules for a tutor who is shown no graph: try things, and see what comes."""

from __future__ import annotations

import numpy as np

from curiosity_rl.agents.tutors.reading import OUTCOMES, Reading, ReadingTutor
from curiosity_rl.protocols import ActivityLayout


class Rotate(ReadingTutor):
    """Give each activity that is not mastered a few exercises, in turn.

    Args:
        layout: How the observation is laid out.
        seed: Not used; every tutor takes one.
        tries: Exercises per turn.
        threshold: Belief from which on an activity is left out, in (0, 1).

    Raises:
        ValueError: If a setting is out of range or no belief is shown.
    """

    name = "rotate"
    reads = ("belief",)

    def __init__(
        self,
        layout: ActivityLayout,
        seed: int = 0,
        tries: int = 4,
        threshold: float = 0.95,
    ):
        super().__init__(layout, seed)
        if tries < 1:
            raise ValueError(f"tries is {tries}: give 1 exercise or more")
        self.tries, self.threshold = tries, _belief(threshold)

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """The current activity and the exercises it had in this turn."""
        return _turn(reading)

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Return the activity whose turn it is, `(n,)`."""
        mastered = reading["belief"] >= self.threshold
        return take_turns(mastered, notes["given"] >= self.tries, notes)


class Stay(ReadingTutor):
    """Stay with an activity while the student succeeds on it, else move on.

    A turn ends after three exercises unless two of the last three answers were right;
    it ends in any case after `longest` exercises and at mastery.

    Args:
        layout: How the observation is laid out.
        seed: Not used; every tutor takes one.
        longest: Exercises after which a turn ends whatever the answers.
        threshold: Belief from which on an activity is left out, in (0, 1).

    Raises:
        ValueError: If a setting is out of range or no belief is shown.
    """

    name = "stay"
    reads = ("belief", *OUTCOMES[:3])

    def __init__(
        self,
        layout: ActivityLayout,
        seed: int = 0,
        longest: int = 25,
        threshold: float = 0.95,
    ):
        super().__init__(layout, seed)
        if longest < 1:
            raise ValueError(f"longest is {longest}: give 1 exercise or more")
        self.longest, self.threshold = longest, _belief(threshold)

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """The current activity and the exercises it had in this turn."""
        return _turn(reading)

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Return the activity whose turn it is, `(n,)`."""
        lanes, given = np.arange(len(reading)), notes["given"]
        right = sum(reading[name][lanes, notes["current"]] > 0 for name in OUTCOMES[:3])
        over = ((given >= 3) & (right < 2)) | (given >= self.longest)
        return take_turns(reading["belief"] >= self.threshold, over, notes)


class WrongOrder(ReadingTutor):
    """N in a row along a random order of all activities: the syllabus of another graph.

    Args:
        layout: How the observation is laid out.
        seed: Seed of the orders; each episode has its own.
        n: Right answers in a row after which an activity counts as known.

    Raises:
        ValueError: If `n` is outside 1..5 (the observation counts runs up to five).
    """

    name = "wrong-order"
    reads = ("streak",)

    def __init__(self, layout: ActivityLayout, seed: int = 0, n: int = 3):
        super().__init__(layout, seed)
        if not 1 <= n <= 5:
            raise ValueError(f"n is {n}: give a number of right answers from 1 to 5")
        self.n = n

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """A random order, and what is done."""
        order = self.rng.random((len(reading), self.layout.activities))
        return {"order": order, "done": np.zeros(order.shape, bool)}

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Return the first activity of the order that is not done, `(n,)`."""
        notes["done"] |= np.rint(5 * reading["streak"]) >= self.n
        # Once all are done the order begins again.
        return np.where(notes["done"], 1.0 + notes["order"], notes["order"]).argmin(1)


def take_turns(
    mastered: np.ndarray, over: np.ndarray, notes: dict[str, np.ndarray]
) -> np.ndarray:
    """Move lanes whose turn is over to the next slot that is not mastered.

    Args:
        mastered: Slots to leave out, `(n, A)` bool; a lane with all mastered stays.
        over: Lanes whose turn is over in any case, `(n,)` bool.
        notes: Holds `current` and `given`, `(n,)`; both are brought up to date.

    Returns:
        The slots, `(n,)` int64.
    """
    lanes, activities = np.arange(len(mastered)), mastered.shape[1]
    current = notes["current"]
    move = over | mastered[lanes, current]
    ahead = (np.arange(activities) - current[:, None] - 1) % activities
    ahead = np.where(mastered, activities + ahead, ahead)
    following = np.where(mastered.all(axis=1), current, ahead.argmin(axis=1))
    notes["current"] = np.where(move, following, current)
    notes["given"] = np.where(move, 0, notes["given"]) + 1
    return notes["current"]


def _turn(reading: Reading) -> dict[str, np.ndarray]:
    blank = np.zeros(len(reading), np.int64)
    return {"current": blank, "given": blank.copy()}


def _belief(threshold: float) -> float:
    if not 0.0 < threshold < 1.0:
        raise ValueError(f"threshold is {threshold}: give a belief between 0 and 1")
    return threshold
