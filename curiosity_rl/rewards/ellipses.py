"""Ellipses of features: `phi^T C^-1 phi` and the inverse of C, step by step."""

from __future__ import annotations

from curiosity_rl.jit import kernel


@kernel
def _absorb(features, i, inverse, lane, direction):
    """Add features to C (Sherman and Morrison 1950); return their bonus before."""
    size = features.shape[1]
    for row in range(size):
        direction[row] = 0
    for column in range(size):  # C is symmetric: this runs along the memory
        value = features[i, column]
        for row in range(size):
            direction[row] += inverse[lane, column, row] * value
    bonus = 0.0
    for row in range(size):
        bonus += features[i, row] * direction[row]
    bonus = max(bonus, 0.0)
    for column in range(size):
        value = direction[column] / (1 + bonus)
        for row in range(size):
            inverse[lane, column, row] -= value * direction[row]
    return bonus


@kernel
def absorb_all(lanes, features, inverse, direction):
    """Add features `(M, F)` to C of lanes `(M,)`."""
    for i in range(len(lanes)):
        _absorb(features, i, inverse, lanes[i], direction)


@kernel
def walk_ellipses(
    lanes, begin, done, features, begun, count, inverse, diagonal, paid, direction
):
    """Walk lanes through time, see `episodes.Walk`: pay, then add to C."""
    columns = len(lanes)
    for column in range(columns):
        lane = lanes[column]
        for t in range(len(done)):
            if begin[t, column] >= 0:
                _absorb(begun, begin[t, column], inverse, lane, direction)
                count[lane] = 1
            i = t * columns + column
            paid[i] = _absorb(features, i, inverse, lane, direction)
            count[lane] += 1
            if done[t, column]:
                count[lane] = 0
                for a in range(features.shape[1]):
                    for b in range(features.shape[1]):
                        inverse[lane, a, b] = 0.0
                    inverse[lane, a, a] = diagonal
