"""The shown prerequisite graph: depth, order, what is open; all lanes at once."""

from __future__ import annotations

import numpy as np

from curiosity_rl.agents.tutors.reading import GRAPH, Reading


def depths(parents: np.ndarray) -> np.ndarray:
    """Return the longest way from a root to each activity.

    `depth = 0` without parents, else `1 + max(depth of the parents)`.

    Args:
        parents: Slots of the parents, `(n, A, P)` int, -1 for none.

    Returns:
        `(n, A)` int64. In a cycle, which a noisy graph may have, it stops at A.
    """
    n, activities = parents.shape[:2]
    depth = np.zeros((n, activities), np.int64)
    for _ in range(activities):
        deeper = 1 + np.maximum.reduce(_of_parents(depth, parents, none=-1))
        if np.array_equal(deeper, depth):
            break
        depth = deeper
    return depth


def syllabus(parents: np.ndarray) -> np.ndarray:
    """Return each activity's place in a topological order: by depth, ties by slot.

    Args:
        parents: Slots of the parents, `(n, A, P)` int, -1 for none.

    Returns:
        `(n, A)` int64, a permutation of `0..A-1` per lane.
    """
    order = np.argsort(depths(parents), axis=1, kind="stable")
    return np.argsort(order, axis=1, kind="stable")


def teaching_order(reading: Reading) -> np.ndarray:
    """Return each activity's place: the syllabus of the shown graph, or its slot.

    Returns:
        `(n, A)` int64, a permutation of `0..A-1` per lane.
    """
    if set(GRAPH) <= set(reading.layout.features):
        return syllabus(reading.parents)
    activities = reading.layout.activities
    return np.broadcast_to(np.arange(activities), (len(reading), activities)).copy()


def all_parents(have: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """Say for which activities every parent is in `have`; roots always are.

    Args:
        have: `(n, A)` bool.
        parents: Slots of the parents, `(n, A, P)` int, -1 for none.
    """
    return np.logical_and.reduce(_of_parents(have, parents, none=True))


def lowest(rank: np.ndarray, among: np.ndarray, fallback: np.ndarray) -> np.ndarray:
    """Pick the activity of lowest rank among some; where there are none, the fallback.

    Args:
        rank: `(n, A)`, smaller first.
        among: The candidates, `(n, A)` bool.
        fallback: Scores `(n, A)` whose smallest is taken in lanes with no candidate.

    Returns:
        `(n,)` int64.
    """
    pick = np.where(among, rank, rank.shape[1]).argmin(axis=1)
    return np.where(among.any(axis=1), pick, fallback.argmin(axis=1))


def _of_parents(value: np.ndarray, parents: np.ndarray, none: int | bool) -> np.ndarray:
    """Gather a value `(n, A)` of the parents, `(P, n, A)`; `none` for no parent."""
    n, activities = value.shape
    # One column before the others, which slot -1 reads.
    padded = np.empty((n, activities + 1), value.dtype)
    padded[:, 0], padded[:, 1:] = none, value
    first = 1 + (activities + 1) * np.arange(n)[:, None]
    return padded.take(np.moveaxis(parents, 2, 0) + first)
