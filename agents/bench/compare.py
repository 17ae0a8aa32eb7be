"""Tables of tutors: what each reaches with the same students, beside the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from curiosity_rl.agents.bench.candidates import chosen, layout_of
from curiosity_rl.agents.bench.scores import Resampled, resample, wilson
from curiosity_rl.agents.bench.shards import Outcomes, Plan, Played, Ticker, play
from curiosity_rl.agents.bench.students import own_population
from curiosity_rl.agents.outcomes import written
from curiosity_rl.registry import TUTORS, load, unknown_name
from curiosity_rl.seeding import stream_seed

MEASURES = {"pass": "passed", "gain": "gain"}
"""What a score may be about, and how outcomes call it."""


@dataclass(frozen=True)
class Row:
    """What one tutor reached with the students of one population.

    Attributes:
        students: Name of the population.
        tutor: Name of the tutor.
        privileged: Whether it reads what no tutor can know.
        n: Number of students.
        pass_rate: Share that knew every goal at the exam, with a Wilson interval.
        gain: Mean normalised gain: needed skills known at the end minus those known at
            the start, over those unknown at the start.
        mastered: Mean share of the needed skills known at the end.
        exercises: Mean number of exercises until all goals were known first; the budget
            for students who never got there.
        reached: Share of students who got there.
        distractors: Share of exercises on distractors.
        score: (tutor - random) / (omniscient - random) of the measure.
        difference: The measure's mean minus that of the tutor `against`.
        against: Whom `difference` compares with.
    """

    students: str
    tutor: str
    privileged: bool = written("")
    n: int = written("")
    pass_rate: float = written(".4f")
    pass_low: float = written(".4f")
    pass_high: float = written(".4f")
    gain: float = written(".4f")
    gain_low: float = written(".4f")
    gain_high: float = written(".4f")
    mastered: float = written(".4f")
    exercises: float = written(".2f")
    reached: float = written(".4f")
    distractors: float = written(".4f")
    score: float = written(".4f")
    score_low: float = written(".4f")
    score_high: float = written(".4f")
    difference: float = written(".4f")
    difference_low: float = written(".4f")
    difference_high: float = written(".4f")
    against: str = ""


@dataclass(frozen=True)
class Comparison:
    """Tutors beside each other, on the same students.

    Attributes:
        world: The world.
        n: Number of students of each population.
        seed: Which held-out students.
        measure: What scores are about: `pass` (the exam) or `gain`.
        rows: One per population and tutor, populations and tutors in their order.
        curves: Mean share of needed skills known after `times` exercises, by
            population and tutor, `(P,)`.
        times: Numbers of exercises by population, `(P,)`.
        settings: Settings of the world for each population.
        played: What the rows were made of.
    """

    world: str
    n: int
    seed: int
    measure: str
    rows: list[Row]
    curves: dict[str, dict[str, np.ndarray]] = field(repr=False)
    times: dict[str, np.ndarray] = field(repr=False)
    settings: Mapping[str, Mapping[str, Any]]
    played: Played = field(repr=False)

    @property
    def populations(self) -> list[str]:
        """Names of the populations."""
        return list(self.played)

    @property
    def tutors(self) -> list[str]:
        """Names of the tutors."""
        return list(next(iter(self.played.values())))

    def row(self, students: str, tutor: str) -> Row:
        """Return the row of one tutor with one population."""
        return next(r for r in self.rows if (r.students, r.tutor) == (students, tutor))


def compare_tutors(
    tutors: Sequence[str] = ("all",),
    students: Sequence[str] = (),
    world: str = "tutor-v0",
    n: int = 2000,
    seed: int = 0,
    jobs: int = 1,
    measure: str = "pass",
    against: str = "",
    env_kwargs: Mapping[str, Any] | None = None,
    each: bool = False,
    tick: Ticker | None = None,
) -> Comparison:
    """Let tutors teach the same simulated students, and compare what they reach.

        from curiosity_rl.agents.bench import compare_tutors
        found = compare_tutors(["zpdes", "parent-inference"], ["assistments"], n=500)
        pandas.DataFrame(found.rows)

    Random and the omniscient bound are always played too: a score lies between them.

    Args:
        tutors: Names out of `registry.TUTORS`, folders of runs, or `all` rules.
        students: Names of populations, or YAML files of them; none for the world's own.
        world: A tutor world.
        n: Students of each population, at least 2.
        seed: Which held-out students; 0 are those of every table. No run trains on any.
        jobs: Processes. A script that asks for more than one needs
            `if __name__ == "__main__":` around its own commands.
        measure: What scores are about: `pass` or `gain`.
        against: Tutor to compare the others with; empty for the best that is not
            privileged, population by population.
        env_kwargs: Other settings of the world.
        each: Keep every student apart; `equity` needs it.
        tick: Told a label and the share of all work that is done.

    Returns:
        Rows with 95 % intervals, and curves of mastery over time.

    Raises:
        ValueError: If a name or setting is not possible.
    """
    if measure not in MEASURES:
        raise ValueError(unknown_name("measure", measure, MEASURES))
    plan = planned(tutors, students, world, n, seed, env_kwargs, each)
    labels = [plan.label(tutor) for tutor in plan.tutors]
    if against and against not in labels:
        raise ValueError(unknown_name("tutor to compare with", against, labels))
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}; it must be at least 1")
    return compared(plan, play(plan, jobs, tick), measure, against)


def planned(
    tutors: Sequence[str],
    students: Sequence[str],
    world: str,
    n: int,
    seed: int,
    env_kwargs: Mapping[str, Any] | None = None,
    each: bool = False,
) -> Plan:
    """Check names and settings before anything is played; see `compare_tutors`."""
    if n < 2:
        raise ValueError(f"n is {n}; give at least 2 students to compare tutors on")
    kwargs = dict(env_kwargs or {})
    if students and "population" in kwargs:
        raise ValueError(
            "populations are given twice: by students and by the world's setting "
            "population; leave one out"
        )
    own = not students
    names = [own_population(world, kwargs)] if own else list(dict.fromkeys(students))
    settings = {
        name: kwargs if own else {**kwargs, "population": name} for name in names
    }
    layouts = [layout_of(world, setting) for setting in settings.values()]
    return Plan(world, tuple(chosen(tutors, layouts)), settings, n, seed, each)


def compared(plan: Plan, played: Played, measure: str, against: str) -> Comparison:
    """Make the tables of what was played."""
    rows = []
    for students, outcomes in played.items():
        rows += _rows(plan, students, outcomes, measure, against)
    first = {name: next(iter(tutors.values())) for name, tutors in played.items()}
    return Comparison(
        world=plan.world,
        n=plan.n,
        seed=plan.seed,
        measure=measure,
        rows=rows,
        curves={
            name: {tutor: found.mastery() for tutor, found in tutors.items()}
            for name, tutors in played.items()
        },
        times={name: found.times[0] for name, found in first.items()},
        settings=plan.settings,
        played=played,
    )


def resampled(
    outcomes: Mapping[str, Outcomes],
    measure: str,
    seed: int,
    some: np.ndarray | slice = slice(None),
) -> Resampled:
    """Resample the students of all tutors together.

    Args:
        outcomes: Outcomes by tutor.
        measure: A measure of `Outcomes`.
        seed: Seed of the comparison.
        some: Which rows of the outcomes.
    """
    values = {tutor: getattr(x, measure)[some] for tutor, x in outcomes.items()}
    students = next(iter(outcomes.values())).students[some]
    return resample(values, students, stream_seed(seed, "bootstrap"))


def is_privileged(tutor: str) -> bool:
    """Tell whether a tutor reads what only evaluation may know."""
    return tutor in TUTORS and bool(load(TUTORS[tutor]).privileged)


def _rows(
    plan: Plan,
    students: str,
    outcomes: Mapping[str, Outcomes],
    measure: str,
    against: str,
) -> list[Row]:
    gains = resampled(outcomes, "gain", plan.seed)
    field_name = MEASURES[measure]
    about = gains if measure == "gain" else resampled(outcomes, field_name, plan.seed)
    honest = [name for name in outcomes if not is_privileged(name)]
    other = against or max(honest, key=lambda name: about.mean(name)[0])
    rows = []
    for tutor, found in outcomes.items():
        low, high = wilson(int(found.passed.sum()), found.n)
        gain, gain_interval = gains.mean(tutor)
        score, score_interval = about.score(tutor)
        difference, difference_interval = about.difference(tutor, other)
        rows.append(
            Row(
                students,
                tutor,
                is_privileged(tutor),
                found.n,
                found.mean("passed"),
                low,
                high,
                gain,
                *gain_interval,
                found.mean("mastered"),
                found.mean("exercises"),
                found.mean("reached"),
                found.mean("distractors"),
                score,
                *score_interval,
                difference,
                *difference_interval,
                against=other,
            )
        )
    return rows
