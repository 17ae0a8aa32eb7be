"""Tables of the evidence, in markdown: the seed count stands beside every number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from curiosity_rl.agents.evidence.statistics import (
    Estimate,
    estimate,
    optimality_gap,
    probability_of_improvement,
)
from curiosity_rl.agents.evidence.summary import Arm, budget_scores, limit

TOO_NARROW = (
    "intervals are too narrow, and arms that lie close together are not ranked."
)
"""What follows from few seeds."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def interval(found: Estimate) -> str:
    """Write an estimate with its interval."""
    if found.low == found.high:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def teaching_table(arms: Mapping[str, Arm], reference: str) -> str:
    """Return what tutors reached on the held-out students, the best first."""
    base = arms.get(reference)
    rows = []
    for name, arm in arms.items():
        rate = arm.last("final pass rate")
        better = ""
        if base is not None and name != reference and arm.seeds > 1:
            others = [base.last("final pass rate")]
            better = interval(probability_of_improvement([rate], others))
        found = estimate([rate])
        row = [
            name,
            str(arm.seeds),
            interval(found),
            f"{rate.min():.3f} to {rate.max():.3f}" if arm.seeds > 1 else "",
            f"{np.median(arm.last('final mastered')):.3f}",
            f"{np.median(arm.last('final distractors')):.3f}",
            better,
        ]
        rows.append((found.value, row))
    rows.sort(key=lambda pair: -pair[0])
    head = (
        "arm",
        "seeds",
        "pass rate: IQM (95 %)",
        "range",
        "mastered, median",
        "distractors, median",
        f"P(better than {reference})",
    )
    return table(head, [row for _, row in rows])


def solving_table(arms: Mapping[str, Arm], reference: str) -> str:
    """Return how runs of one task ended, in the order of the arms."""
    most = limit(arms.values())
    base = arms.get(reference)
    rows = []
    for name, arm in arms.items():
        solved = arm.last("solved") > 0
        scores = budget_scores(arm, most)
        better = ""
        if base is not None and name != reference:
            others = [budget_scores(base, most)]
            better = interval(probability_of_improvement([scores], others))
        rows.append(
            [
                name,
                str(arm.seeds),
                f"{int(solved.sum())} of {len(solved)}",
                _frames(arm, most),
                interval(estimate([scores])),
                interval(estimate([arm.last("held-out success")])),
                better,
            ]
        )
    head = (
        "arm",
        "seeds",
        "solved",
        "frames to solve: median (range)",
        "score: IQM (95 %)",
        "held-out success: IQM (95 %)",
        f"P(better than {reference})",
    )
    return table(head, rows)


def across_table(scores: Mapping[str, Sequence[np.ndarray]], reference: str) -> str:
    """Return the arms over all tasks, the best first.

    Args:
        scores: Of each arm, one array `(seeds,)` per task.
        reference: Arm that the others are compared with.
    """
    rows = []
    for name, strata in scores.items():
        middle, gap = estimate(strata), estimate(strata, optimality_gap)
        better = ""
        if name != reference and reference in scores:
            found = probability_of_improvement(strata, scores[reference])
            better = interval(found)
        row = [
            name,
            f"{len(strata)} x {middle.seeds}",
            interval(middle),
            interval(gap),
            better,
        ]
        rows.append((middle.value, row))
    rows.sort(key=lambda pair: -pair[0])
    head = (
        "arm",
        "tasks x seeds",
        "score: IQM (95 %)",
        "optimality gap",
        f"P(better than {reference})",
    )
    return table(head, [row for _, row in rows])


def level_table(
    arms: Mapping[str, Mapping[int, Estimate]], seeds: Mapping[str, int], unit: str
) -> str:
    """Return a column for each amount, a row for each arm.

    Args:
        arms: Estimates by amount, by arm.
        seeds: Fewest runs of each arm.
        unit: What the amounts are of.
    """
    amounts = sorted({amount for values in arms.values() for amount in values})
    rows = [
        [
            name,
            str(seeds[name]),
            *(interval(found[a]) if a in found else "" for a in amounts),
        ]
        for name, found in arms.items()
    ]
    return table(["arm", "seeds", *(f"{amount} {unit}" for amount in amounts)], rows)


def noise_table(
    arms: Mapping[str, tuple[Estimate, Estimate]], passes: Callable[[str], bool]
) -> str:
    """Return the time before the television, and the cells, of each bonus.

    Args:
        arms: Share of the steps, and cells as a multiple of those without a bonus.
        passes: Whether an arm meets both aims.
    """
    rows = [
        [name, str(share.seeds), interval(share), interval(cells), _yes(passes(name))]
        for name, (share, cells) in arms.items()
    ]
    head = (
        "bonus",
        "seeds",
        "share of steps at the TV: IQM (95 %)",
        "cells, times those of none: IQM (95 %)",
        "both aims",
    )
    return table(head, rows)


def _yes(met: bool) -> str:
    return "met" if met else "missed"


def _frames(arm: Arm, most: int) -> str:
    """Write the median and the range of the frames to solve; open above the limit."""
    solved, frames = arm.last("solved") > 0, arm.frames()
    longest = f"more than {most:,}"
    if not solved.any():
        return longest
    middle = arm.median_frames()
    ends = [f"{frames[solved].min():,}", f"{frames.max():,}"]
    if not solved.all():
        ends[1] = longest
    told = longest if math.isinf(middle) else f"{middle:,.0f}"
    return f"{told} ({ends[0]} to {ends[1]})"
