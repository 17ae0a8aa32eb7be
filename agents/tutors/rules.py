"""Rules that walk through the shown graph: N in a row, and mastery by belief."""

from __future__ import annotations

import numpy as np

from curiosity_rl.agents.tutors.graph import all_parents, lowest, syllabus
from curiosity_rl.agents.tutors.reading import GRAPH, Reading, ReadingTutor
from curiosity_rl.protocols import ActivityLayout


class InARow(ReadingTutor):
    """The syllabus: needed skills in topological order, each until N right in a row.

    A skill once done stays done. When all are, the one that looks weakest is practised
    (lowest belief, or lowest slow success average where no belief is shown).

    Args:
        layout: How the observation is laid out.
        seed: Not used; every tutor takes one.
        n: Right answers in a row after which a skill counts as known.

    Raises:
        ValueError: If `n` is below 1 or no graph is shown.

    Source: the usual mastery rule of tutoring systems (N consecutive correct
    responses, N-CCR); Kelly, Wang, Thompson and Heffernan 2015, EDM.
    """

    name = "n-in-a-row"
    reads = ("attempts", "last_1", "success_slow", *GRAPH)

    def __init__(self, layout: ActivityLayout, seed: int = 0, n: int = 3):
        super().__init__(layout, seed)
        if n < 1:
            raise ValueError(f"n is {n}: give the number of right answers, 1 or more")
        self.n = n
        self.weakness = "belief" if "belief" in layout.features else "success_slow"

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """Order of the skills, attempts seen, current run of right answers, done."""
        attempts = reading.attempts
        parents = reading.parents
        return {
            "parents": parents,
            "rank": syllabus(parents),
            "attempts": attempts,
            "run": np.zeros_like(attempts),
            "done": np.zeros(attempts.shape, bool),
        }

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Return the lowest needed skill that is not done, `(n,)`."""
        self.mark(reading, notes)
        needed = reading.needed
        weakest = np.where(needed, reading[self.weakness], np.inf)
        return lowest(notes["rank"], needed & ~notes["done"], weakest)

    def mark(self, reading: Reading, notes: dict[str, np.ndarray]) -> None:
        """Count the newest answers into the runs; a long enough run is done."""
        attempts = reading.attempts
        answered = attempts > notes["attempts"]
        longer = np.where(reading["last_1"] > 0, notes["run"] + 1, 0)
        notes["run"] = np.where(answered, longer, notes["run"])
        notes["attempts"] = attempts
        notes["done"] |= notes["run"] >= self.n


class InARowBacktrack(InARow):
    """N in a row that doubts: a skill that will not come re-opens its parents.

    After `patience` exercises without N right in a row, the parents were probably
    passed by lucky guesses: they must show N in a row again, and patience starts anew.

    Args:
        layout: How the observation is laid out.
        seed: Not used; every tutor takes one.
        n: Right answers in a row after which a skill counts as known.
        patience: Exercises that a skill gets before its parents are re-opened.

    Raises:
        ValueError: If `n` or `patience` is below 1 or no graph is shown.
    """

    name = "n-in-a-row-backtrack"

    def __init__(
        self, layout: ActivityLayout, seed: int = 0, n: int = 3, patience: int = 15
    ):
        super().__init__(layout, seed, n)
        if patience < 1:
            raise ValueError(f"patience is {patience}: give 1 exercise or more")
        self.patience = patience

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """The notes of `InARow`, and the attempts at which patience began."""
        notes = super().notes(reading)
        return {**notes, "since": notes["attempts"].copy()}

    def mark(self, reading: Reading, notes: dict[str, np.ndarray]) -> None:
        """Mark as `InARow`, then re-open the parents of skills out of patience."""
        super().mark(reading, notes)
        tries = notes["attempts"] - notes["since"]
        lane, skill = np.nonzero((tries >= self.patience) & ~notes["done"])
        notes["since"][lane, skill] = notes["attempts"][lane, skill]
        for parent in notes["parents"][lane, skill].T:
            shown = parent >= 0
            again = lane[shown], parent[shown]
            notes["done"][again] = False
            notes["run"][again] = 0
            notes["since"][again] = notes["attempts"][again]


class BKTMastery(ReadingTutor):
    """Teach by belief: the lowest skill not yet mastered whose parents all are.

    A skill counts as mastered while `belief >= threshold`. Where no skill is open in
    this sense (all are mastered), the needed skill with the lowest belief is practised.

    Args:
        layout: How the observation is laid out.
        seed: Not used; every tutor takes one.
        threshold: Belief that counts as mastery, in (0, 1).

    Raises:
        ValueError: If the threshold is outside (0, 1), or graph or belief not shown.

    Source: Corbett and Anderson 1995, User Modeling and User-Adapted Interaction 4
    (knowledge tracing, mastery at .95).
    """

    name = "bkt-mastery"
    belief = "belief"
    reads = ("belief", *GRAPH)

    def __init__(self, layout: ActivityLayout, seed: int = 0, threshold: float = 0.95):
        super().__init__(layout, seed)
        if not 0.0 < threshold < 1.0:
            raise ValueError(f"threshold is {threshold}: give a belief between 0 and 1")
        self.threshold = threshold

    def notes(self, reading: Reading) -> dict[str, np.ndarray]:
        """Parents and order of the skills."""
        parents = reading.parents
        return {"parents": parents, "rank": syllabus(parents)}

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Return the lowest open skill, `(n,)`."""
        belief, needed = reading[self.belief], reading.needed
        mastered = belief >= self.threshold
        ready = needed & ~mastered & all_parents(mastered, notes["parents"])
        return lowest(notes["rank"], ready, np.where(needed, belief, np.inf))


class LowestMastery(ReadingTutor):
    """Practise what the student seems to know least, whatever it rests on.

    `argmin of belief` over the needed skills (over all activities, where no graph is
    shown). It knows no prerequisites, so it stays with a skill that the student is not
    ready for: each wrong answer makes that skill look weaker still.

    Args:
        layout: How the observation is laid out.
        seed: Not used; every tutor takes one.

    Raises:
        ValueError: If no belief is shown.

    Source: Pardos, Tang, Anastasopoulos, Sheel and Zhang 2023, "OATutor: An Open-source
    Adaptive Tutoring System", CHI. There a lesson ends when all skills are above .95;
    here the exam does not come earlier.
    """

    name = "lowest-mastery"
    reads = ("belief",)

    def choose(self, reading: Reading, notes: dict[str, np.ndarray]) -> np.ndarray:
        """Return the skill of lowest belief, `(n,)`."""
        return np.where(reading.course, reading["belief"], np.inf).argmin(axis=1)


class ParentInference(BKTMastery):
    """`BKTMastery` on the belief that also learns about parents from their children.

    A right answer is evidence that the parents are known, too; a row of wrong ones,
    that a parent is not, which sends this tutor back. Best rule known for `tutor-v0`.
    """

    name = "parent-inference"
    belief = "joint_belief"
    reads = ("joint_belief", *GRAPH)
