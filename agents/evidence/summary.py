"""What the rows of a file say, arm by arm: last values, curves, times to solve."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from curiosity_rl.agents.evidence.record import Identity, Measurement
from curiosity_rl.agents.evidence.statistics import median_of_censored, over_time

Series = list[tuple[int, float]]
"""Frames and values of one measure in one run."""


@dataclass
class Arm:
    """All runs of one arm of a task.

    Attributes:
        runs: By seed, the series of every measure.
    """

    runs: dict[int, dict[str, Series]] = field(default_factory=dict)

    @property
    def seeds(self) -> int:
        """Number of runs."""
        return len(self.runs)

    def last(self, measure: str) -> np.ndarray:
        """Return the last value of every run, `(seeds,)`, in the order of the seeds."""
        runs = [self.runs[seed] for seed in sorted(self.runs)]
        return np.array([run[measure][-1][1] for run in runs if measure in run])

    def frames(self) -> np.ndarray:
        """Return how long every run went on, `(seeds,)`."""
        runs = [self.runs[seed] for seed in sorted(self.runs)]
        return np.array([max(s[-1][0] for s in run.values()) for run in runs])

    def curves(self, measure: str, times: np.ndarray) -> np.ndarray:
        """Return the values of every run at given times, `(seeds, times)`.

        See `statistics.over_time`: a run that has ended keeps its last value.
        """
        runs = [self.runs[seed][measure] for seed in sorted(self.runs)]
        return np.stack(
            [over_time([f for f, _ in s], [v for _, v in s], times) for s in runs]
        )

    def median_frames(self) -> float:
        """Return the median time to solve; infinite where the median run did not."""
        return median_of_censored(self.frames().tolist(), list(self.last("solved") > 0))


Tasks = dict[str, dict[str, Arm]]
"""Arms by label, by task."""


def summarised(rows: Iterable[Measurement]) -> tuple[Tasks, int]:
    """Group rows by task and arm.

    Where an arm was run with several settings, those of its last row count.

    Returns:
        The arms, and the number of runs with other settings that are left out.
    """
    rows = list(rows)
    settings = {(row.task, row.arm): row.settings for row in rows}
    tasks: Tasks = {}
    left_out: set[tuple[str, Identity]] = set()
    for row in rows:
        if row.settings != settings[row.task, row.arm]:
            left_out.add((row.arm, (row.task, row.seed, row.settings)))
            continue
        arm = tasks.setdefault(row.task, {}).setdefault(row.arm, Arm())
        series = arm.runs.setdefault(row.seed, {}).setdefault(row.measure, [])
        series.append((row.frames, row.value))
    return tasks, len(left_out)


def limit(arms: Iterable[Arm]) -> int:
    """Return the frames of the longest run."""
    return int(max(arm.frames().max() for arm in arms))


def budget_scores(arm: Arm, most: int, points: int = 200) -> np.ndarray:
    """Return the mean level of every run over the whole budget, `(seeds,)`.

    A run that was solved keeps its level to the end: 1 would be solved at once, 0
    never. It tells early from late where final levels are all alike.
    """
    times = np.linspace(0, most, points + 1)[1:]
    return arm.curves("level", times).mean(axis=1)


def fewest(tasks: Tasks) -> int:
    """Return the least number of runs of an arm.

    A single run of a tutor made by hand does not count: one that draws nothing has no
    other.
    """
    return min(
        arm.seeds
        for arms in tasks.values()
        for name, arm in arms.items()
        if arm.seeds > 1 or not name.startswith("tutor: ")
    )
