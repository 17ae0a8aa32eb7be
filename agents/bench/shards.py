"""Play every tutor on the same students, in shards: blocks of students, in processes.

A shard is a range of blocks, for one tutor and one population. What a student comes to
depends on the student alone, so rows are the same for any number of shards, processes
and lanes. What a shard returns is as large as its bags, not as its students.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from curiosity_rl.agents.bench.candidates import label_of, layout_of, opened
from curiosity_rl.agents.bench.teach import (
    BLOCK,
    Lessons,
    Watch,
    block_count,
    teach_blocks,
)

BAGS = 10_000
"""Students are summed in bags as soon as there would be more rows than this."""
SHARD = 32
"""Most blocks of a shard: then its process reports."""
MEASURES = ("passed", "gain", "mastered", "exercises", "reached", "distractors")
Ticker = Callable[[str, float], None]


@dataclass(frozen=True)
class Plan:
    """Who teaches whom.

    Attributes:
        world: A tutor world.
        tutors: Names of tutors, or folders of runs.
        settings: Settings of the world for each population, by its name.
        n: Number of students of each population.
        seed: Which held-out students; 0 are those of every table.
        each: Keep every student apart, whatever their number.
        lanes: Most students at the same time.
    """

    world: str
    tutors: tuple[str, ...]
    settings: Mapping[str, Mapping[str, Any]]
    n: int = 2000
    seed: int = 0
    each: bool = False
    lanes: int = BLOCK

    @property
    def bag(self) -> int:
        """Students in a bag: a power of two, so that blocks hold whole bags."""
        bag = 1
        while not self.each and self.n > BAGS * bag and bag < BLOCK:
            bag *= 2
        return bag

    def label(self, tutor: str) -> str:
        """Return how tables call a tutor."""
        return label_of(tutor, self.tutors)


@dataclass(frozen=True)
class Outcomes:
    """What the students of one tutor came to, summed over bags of students.

    Attributes:
        students: Number in each bag, `(m,)`.
        passed: See `Lessons`, as are the next five: sums over each bag, `(m,)`.
        gain: Normalised gain.
        mastered: Share of the needed skills known at the end.
        exercises: Exercises until all goals were known first.
        reached: Students who got there.
        distractors: Share of exercises on distractors.
        curve: Share of the needed skills known after `times` exercises, summed over
            each block of students, `(blocks, P)`.
        times: Numbers of exercises, `(1, P)`.
        lessons: All of it for each student, where every student is kept apart.
    """

    students: np.ndarray
    passed: np.ndarray
    gain: np.ndarray
    mastered: np.ndarray
    exercises: np.ndarray
    reached: np.ndarray
    distractors: np.ndarray
    curve: np.ndarray
    times: np.ndarray
    lessons: tuple[Lessons, ...] = field(default=(), repr=False)

    @property
    def n(self) -> int:
        """Number of students."""
        return int(self.students.sum())

    def mean(self, measure: str) -> float:
        """Return a mean over all students."""
        return float(getattr(self, measure).sum() / self.n)

    def mastery(self) -> np.ndarray:
        """Return the mean share of needed skills known after `times` exercises."""
        return self.curve.sum(axis=0) / self.n


Played = dict[str, dict[str, Outcomes]]
"""Outcomes by population, then by the tutor's label."""


def play(
    plan: Plan, jobs: int = 1, tick: Ticker | None = None, shard: int = SHARD
) -> Played:
    """Let every tutor teach the same students of every population.

    Args:
        plan: Who teaches whom.
        jobs: Processes; 1 plays in this one.
        tick: Told a label and the share of all work that is done.
        shard: Most blocks of a shard; changes no outcome.
    """
    blocks = block_count(plan.n)
    ranges = [range(b, min(b + shard, blocks)) for b in range(0, blocks, shard)]
    keys = [
        (population, tutor, part)
        for population in plan.settings
        for tutor in plan.tutors
        for part in ranges
    ]
    done: dict[int, Outcomes] = {}
    here = _alone if jobs == 1 else _together
    for number, outcomes in here(plan, keys, jobs, tick):
        done[number] = outcomes
    played: Played = {}
    for population in plan.settings:
        played[population] = {}
        for tutor in plan.tutors:
            parts = [
                done[i] for i, key in enumerate(keys) if key[:2] == (population, tutor)
            ]
            played[population][plan.label(tutor)] = _merged(parts)
    return played


Key = tuple[str, str, range]


def _alone(
    plan: Plan, keys: list[Key], jobs: int, tick: Ticker | None
) -> Iterator[tuple[int, Outcomes]]:
    """Play shards one after the other in this process."""
    for number, key in enumerate(keys):

        def watch(share: float, number: int = number, tutor: str = key[1]) -> None:
            if tick is not None:
                tick(plan.label(tutor), (number + share) / len(keys))

        yield number, play_shard(plan, *key, watch=watch)


def _together(
    plan: Plan, keys: list[Key], jobs: int, tick: Ticker | None
) -> Iterator[tuple[int, Outcomes]]:
    """Play shards in processes, in whatever order they end."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context) as pool:
        waiting: dict[Future[Outcomes], int] = {
            pool.submit(play_shard, plan, *key): i for i, key in enumerate(keys)
        }
        try:
            for number, future in enumerate(as_completed(waiting), 1):
                i = waiting[future]
                yield i, future.result()
                if tick is not None:
                    tick(plan.label(keys[i][1]), number / len(keys))
        finally:
            pool.shutdown(cancel_futures=True)


def play_shard(
    plan: Plan,
    population: str,
    tutor: str,
    blocks: range,
    watch: Watch | None = None,
) -> Outcomes:
    """Let one tutor teach some blocks of one population."""
    settings = plan.settings[population]
    with opened(tutor, layout_of(plan.world, settings)) as teacher:
        lessons = teach_blocks(
            plan.world,
            settings,
            teacher,
            plan.n,
            plan.seed,
            blocks,
            plan.lanes,
            watch,
        )
        return _merged([_summed(block, plan) for block in lessons])


def _summed(lessons: Lessons, plan: Plan) -> Outcomes:
    """Sum the lessons of one block over its bags."""
    starts = np.arange(0, len(lessons.passed), plan.bag)
    sums = {
        name: np.add.reduceat(getattr(lessons, name).astype(np.float64), starts)
        for name in MEASURES
    }
    share = lessons.known / lessons.needed[:, None]
    return Outcomes(
        students=np.diff(starts, append=len(lessons.passed)),
        **sums,
        curve=share.sum(axis=0, keepdims=True),
        times=lessons.times[None],
        lessons=(lessons,) if plan.each else (),
    )


def _merged(parts: list[Outcomes]) -> Outcomes:
    """Put shards of one tutor and population in a row."""
    values: dict[str, Any] = {
        f.name: np.concatenate([getattr(part, f.name) for part in parts])
        for f in fields(Outcomes)
        if f.name not in ("times", "lessons")
    }
    lessons = tuple(block for part in parts for block in part.lessons)
    return Outcomes(**values, times=parts[0].times, lessons=lessons)
