"""Equity: who is served how well, by learner quarter, by named group, and one by one.

A policy that is good on average may leave slow learners behind. Sources: Doroudi &
Brunskill 2019, "Fairer but Not Fair Enough" (LAK); Tschiatschek, Knobelsdorf & Singla
2022, "Equity and Fairness of Bayesian Knowledge Tracing" (EDM).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from curiosity_rl.agents.bench.compare import (
    MEASURES,
    Comparison,
    compare_tutors,
    resampled,
)
from curiosity_rl.agents.bench.scores import Resampled, quantiles, wilson
from curiosity_rl.agents.bench.shards import Outcomes
from curiosity_rl.agents.bench.students import QUARTERS, Roll, called, group_names
from curiosity_rl.agents.outcomes import written

KINDS = ("quarter", "group")
LEAST = 20
"""A group of fewer students is left out: its rates would mean nothing."""


@dataclass(frozen=True)
class GroupRow:
    """What one tutor reached with one group of students.

    Attributes:
        students: Name of the population.
        tutor: Name of the tutor.
        kind: `quarter` of the true learn rate, or named `group`.
        group: Name of the group.
        n: Number of its students.
        pass_rate: Share that passed, with a Wilson interval.
        gain: Mean normalised gain, with an interval.
        score: (tutor - random) / (omniscient - random) within the group.
    """

    students: str
    tutor: str
    kind: str
    group: str
    n: int = written("")
    pass_rate: float = written(".4f")
    pass_low: float = written(".4f")
    pass_high: float = written(".4f")
    gain: float = written(".4f")
    gain_low: float = written(".4f")
    gain_high: float = written(".4f")
    score: float = written(".4f")
    score_low: float = written(".4f")
    score_high: float = written(".4f")


@dataclass(frozen=True)
class EquityRow:
    """How evenly one tutor serves the groups of one kind.

    Attributes:
        students: Name of the population.
        tutor: Name of the tutor.
        kind: `quarter` of the true learn rate, or named `group`.
        worst_group: The group with the least mean of the measure.
        best_group: The group with the greatest mean.
        worst: The least mean.
        best: The greatest mean.
        gap: best - worst, with an interval for these two groups.
        ratio: worst / best; 1 is even.
        worst_score: Least score of a group: what the tutor does of what could be done
            for the group that it serves least.
        score_gap: Greatest minus least score of a group.
        score_ratio: Least score over greatest; none (NaN) where the least is below 0.
    """

    students: str
    tutor: str
    kind: str
    worst_group: str
    best_group: str
    worst: float = written(".4f")
    best: float = written(".4f")
    gap: float = written(".4f")
    gap_low: float = written(".4f")
    gap_high: float = written(".4f")
    ratio: float = written(".4f")
    worst_score: float = written(".4f")
    score_gap: float = written(".4f")
    score_ratio: float = written(".4f")


@dataclass(frozen=True)
class FairnessRow:
    """Whether one tutor brings similar students to similar outcomes.

    Individual fairness asks that similar individuals are treated similarly (Dwork,
    Hardt, Pitassi, Reingold & Zemel 2012). Here: each student beside the one who is
    nearest in the true parameters. Answers are chance, so that even equal students
    differ; what random pairs differ by says how much of it that is.

    Attributes:
        students: Name of the population.
        tutor: Name of the tutor.
        similar: Mean |difference of normalised gain| between nearest neighbours.
        any_two: The same between two students drawn at random, the exact mean.
        ratio: similar / any_two; 1 where being similar tells nothing.
    """

    students: str
    tutor: str
    similar: float = written(".4f")
    any_two: float = written(".4f")
    ratio: float = written(".4f")


@dataclass(frozen=True)
class Equity:
    """All about equity that one comparison tells.

    Attributes:
        comparison: The rows over all students.
        groups: One row per population, tutor and group.
        summary: One row per population, tutor and kind of groups.
        individuals: One row per population and tutor.
        curves: Mean share of needed skills known over time, by population, tutor and
            quarter of the true learn rate, `(P,)`.
    """

    comparison: Comparison
    groups: list[GroupRow]
    summary: list[EquityRow]
    individuals: list[FairnessRow]
    curves: dict[str, dict[str, dict[str, np.ndarray]]] = field(repr=False)


def equity(
    tutors: Sequence[str] = ("all",),
    students: Sequence[str] = (),
    world: str = "tutor-v0",
    **settings: Any,
) -> Equity:
    """Let tutors teach the same students and tell how evenly they serve them.

    Learner quarters are those of the mean true learn rate over the skills that a
    student needs (`info["truth"]["learn"]` at the start): what the student brings, not
    what a tutor made of it. Named groups are those of the population, where it has any.

    Args:
        tutors: As for `compare_tutors`.
        students: As for `compare_tutors`.
        world: A tutor world.
        settings: As for `compare_tutors`. Every student is kept apart: some 700 bytes
            each for every tutor.
    """
    check_students(settings.get("n", 2000))
    return divided(compare_tutors(tutors, students, world, **settings, each=True))


def divided(found: Comparison) -> Equity:
    """Tell how evenly the tutors of a comparison serve; it kept students apart.

    Raises:
        ValueError: If there are too few students, or they were not kept apart.
    """
    check_students(found.n)
    groups: list[GroupRow] = []
    summary: list[EquityRow] = []
    individuals: list[FairnessRow] = []
    curves: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for students, outcomes in found.played.items():
        roll = _roll(found, students)
        members = _members(roll)
        for kind in KINDS:
            if members[kind]:
                rows, short = _by_group(found, students, kind, members[kind])
                groups += rows
                summary += short
        individuals += _one_by_one(students, outcomes, roll)
        curves[students] = _curves(outcomes, members["quarter"])
    return Equity(found, groups, summary, individuals, curves)


def check_students(n: int) -> None:
    """Raise a ValueError if quarters of so many students would mean nothing."""
    if n < 4 * LEAST:
        raise ValueError(
            f"n is {n}; equity needs at least {4 * LEAST} students, {LEAST} in each "
            "quarter of learners"
        )


def _roll(found: Comparison, students: str) -> Roll:
    lessons = [outcomes.lessons for outcomes in found.played[students].values()]
    if not all(lessons):
        raise ValueError(
            "equity needs every student kept apart: compare with each=True"
        )
    for other in lessons[1:]:
        for mine, theirs in zip(lessons[0], other, strict=True):
            if not np.array_equal(mine.truth["mastery"], theirs.truth["mastery"]):
                raise RuntimeError("two tutors did not meet the same students")
    return called(lessons[0], group_names(found.world, found.settings[students]))


def _members(roll: Roll) -> dict[str, dict[str, np.ndarray]]:
    """Return the places of each group's students, by kind and name."""
    quarter = roll.quarter()
    found = {
        "quarter": {
            name: np.flatnonzero(quarter == i) for i, name in enumerate(QUARTERS)
        },
        "group": {
            name: np.flatnonzero(roll.group == i)
            for i, name in enumerate(roll.groups)
            if len(roll.groups) > 1
        },
    }
    return {
        kind: {name: who for name, who in groups.items() if len(who) >= LEAST}
        for kind, groups in found.items()
    }


def _by_group(
    found: Comparison, students: str, kind: str, members: dict[str, np.ndarray]
) -> tuple[list[GroupRow], list[EquityRow]]:
    outcomes = found.played[students]
    about = {
        (measure, name): resampled(outcomes, measure, found.seed, who)
        for measure in ("passed", "gain")
        for name, who in members.items()
    }
    rows, summary = [], []
    for tutor in outcomes:
        mine = []
        for name, who in members.items():
            passed = outcomes[tutor].passed[who]
            gain, gain_interval = about["gain", name].mean(tutor)
            score, interval = about[MEASURES[found.measure], name].score(tutor)
            mine.append(
                GroupRow(
                    students,
                    tutor,
                    kind,
                    name,
                    len(who),
                    float(passed.mean()),
                    *wilson(int(passed.sum()), len(who)),
                    gain,
                    *gain_interval,
                    score,
                    *interval,
                )
            )
        rows += mine
        measured = {name: about[MEASURES[found.measure], name] for name in members}
        summary.append(_evenness(mine, measured))
    return rows, summary


def _evenness(rows: list[GroupRow], about: dict[str, Resampled]) -> EquityRow:
    """Compare the groups of one tutor."""
    tutor = rows[0].tutor
    means = {name: found.mean(tutor)[0] for name, found in about.items()}
    worst, best = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    draws = [about[x].drawn[about[x].names.index(tutor)] for x in (best, worst)]
    scores = [row.score for row in rows if np.isfinite(row.score)] or [np.nan]
    low, high = min(scores), max(scores)
    return EquityRow(
        rows[0].students,
        tutor,
        rows[0].kind,
        worst,
        best,
        means[worst],
        means[best],
        means[best] - means[worst],
        *quantiles(draws[0] - draws[1]),
        ratio=_ratio(means[worst], means[best]),
        worst_score=low,
        score_gap=high - low,
        score_ratio=_ratio(low, high),
    )


def _ratio(low: float, high: float) -> float:
    return low / high if high > 0 and low >= 0 else float("nan")


def _one_by_one(
    students: str, outcomes: dict[str, Outcomes], roll: Roll
) -> list[FairnessRow]:
    from scipy.spatial import KDTree

    if len(roll.features) < 2:
        return []
    near = np.asarray(KDTree(roll.features).query(roll.features, k=2)[1])
    own = np.arange(len(near))
    # Where students are equal, the nearest may be named first.
    neighbour = np.where(near[:, 0] == own, near[:, 1], near[:, 0])
    rows = []
    for tutor, found in outcomes.items():
        gain = found.gain
        similar = float(np.abs(gain - gain[neighbour]).mean())
        any_two = mean_difference(gain)
        ratio = _ratio(similar, any_two)
        rows.append(FairnessRow(students, tutor, similar, any_two, ratio))
    return rows


def mean_difference(values: np.ndarray) -> float:
    """Return the mean |x_i - x_j| over all pairs i < j (Gini's mean difference).

    With sorted values, `2 / (n (n - 1)) * sum of (2 i - n + 1) x_i`, i from 0.
    """
    n = len(values)
    weights = 2.0 * np.arange(n) - n + 1
    return float(2.0 * (weights * np.sort(values)).sum() / (n * (n - 1)))


def _curves(
    outcomes: dict[str, Outcomes], members: dict[str, np.ndarray]
) -> dict[str, dict[str, np.ndarray]]:
    """Return mastery over time of each tutor's quarters, `(P,)` each."""
    curves = {}
    for tutor, found in outcomes.items():
        known = np.concatenate([block.known for block in found.lessons])
        needed = np.concatenate([block.needed for block in found.lessons])
        share = known / needed[:, None]
        curves[tutor] = {name: share[who].mean(axis=0) for name, who in members.items()}
    return curves
