"""The bench: compare tutoring policies on the same simulated students.

    from curiosity_rl.agents.bench import compare_tutors, equity, robustness_matrix

    found = compare_tutors(["zpdes", "bkt-mastery"], ["assistments"], n=1000)
    print(report.markdown(found))

`teach` plays, `shards` spreads that over processes, `scores` makes intervals;
`compare`, `matrix` and `equity` make tables; `report` and `pictures` show them.
"""

from __future__ import annotations

from curiosity_rl.agents.bench import report
from curiosity_rl.agents.bench.compare import Comparison, compare_tutors
from curiosity_rl.agents.bench.equity import Equity, equity
from curiosity_rl.agents.bench.matrix import Matrix, robustness_matrix

__all__ = [
    "Comparison",
    "Equity",
    "Matrix",
    "compare_tutors",
    "equity",
    "report",
    "robustness_matrix",
]
