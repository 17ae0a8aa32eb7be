"""Where to cut a region in two: by what is to be predicted there, or by progress."""

from __future__ import annotations

from typing import Literal

import numpy as np

from curiosity_rl.jit import kernel

Split = Literal["variance", "progress", "none"]
LEAST_SHARE = 0.1
LEAST_GAIN = 1e-8
GAP = 1e-4
"""Nearer values may be one and the same value, rounded in another batch."""


def best_cut(
    points: np.ndarray,
    targets: np.ndarray,
    errors: np.ndarray,
    times: np.ndarray,
    split: Split,
) -> tuple[int, float] | None:
    """Return the axis and value of the best cut; None if no cut helps.

    The first part is all that is not above the value. Of all cuts between two values of
    an axis that leave a tenth of the n rows on either side, the best one maximises

    * `variance`: what it takes off the variance of the targets, summed over them,
      `n_1 n_2 / n^2 * |mean_1 - mean_2|^2`;
    * `progress`: `n_1 n_2 / n^2 * |progress_1 - progress_2|`, progress being the mean
      error of the older half of the rows minus that of the recent half. The border
      between the halves lies between two updates; there must be two.

    Args:
        points: Where the rows lie, `(B, D)` float32.
        targets: What was to be predicted, `(B, F)`.
        errors: How badly it was, `(B,)`.
        times: In which update, ascending, `(B,)`.
        split: The criterion.
    """
    count = len(points)
    order = np.argsort(points, axis=0, kind="stable")
    least = max(1, int(LEAST_SHARE * count))
    if split == "variance":
        aims = targets.astype(np.float64)
        aims -= aims.mean(0)
        left = np.zeros(aims.shape[1])
        gain, axis, at = _least_variance(order, points, aims, least, left)
    else:
        border = max(times[count // 2], times[0] + 1)
        gain, axis, at = _most_contrast(order, points, errors, times < border, least)
    if not gain > LEAST_GAIN:
        return None
    low, high = points[order[at, axis], axis], points[order[at + 1, axis], axis]
    middle = low + (high - low) / 2
    return int(axis), float(middle if middle < high else low)


@kernel
def _least_variance(order, points, aims, least, left):
    """Sweep all cuts; return the best gain, its axis and the rank of its low side.

    The aims have mean 0, so both sides have the same sum but for the sign, and what a
    cut takes off the variance is the square of that sum over the product of sizes.
    """
    count, axes = order.shape
    best, best_axis, best_at = 0.0, 0, 0
    for a in range(axes):
        left[:] = 0.0
        for i in range(count - least):
            row = order[i, a]
            square = 0.0
            for j in range(len(left)):
                left[j] += aims[row, j]
                square += left[j] * left[j]
            n = i + 1
            if n < least or points[order[n, a], a] - points[row, a] <= GAP:
                continue
            gain = square / (n * (count - n))
            if gain > best:
                best, best_axis, best_at = gain, a, i
    return best, best_axis, best_at


@kernel
def _most_contrast(order, points, errors, older, least):
    """As `_least_variance`, for the weighted difference of progress."""
    count, axes = order.shape
    total_0, total_1, all_0, all_1 = 0.0, 0.0, 0, 0
    for i in range(count):
        if older[i]:
            total_0 += errors[i]
            all_0 += 1
        else:
            total_1 += errors[i]
            all_1 += 1
    best, best_axis, best_at = 0.0, 0, 0
    for a in range(axes):
        sum_0, sum_1, n_0, n_1 = 0.0, 0.0, 0, 0
        for i in range(count - least):
            row = order[i, a]
            if older[row]:
                sum_0 += errors[row]
                n_0 += 1
            else:
                sum_1 += errors[row]
                n_1 += 1
            n = i + 1
            if n < least or points[order[n, a], a] - points[row, a] <= GAP:
                continue
            m_0, m_1 = all_0 - n_0, all_1 - n_1
            if min(n_0, n_1, m_0, m_1) == 0:
                continue
            near = sum_0 / n_0 - sum_1 / n_1
            far = (total_0 - sum_0) / m_0 - (total_1 - sum_1) / m_1
            gain = abs(near - far) * n / count * (count - n) / count
            if gain > best:
                best, best_axis, best_at = gain, a, i
    return best, best_axis, best_at
