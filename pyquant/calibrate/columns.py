"""Gives weights new values in turn, each error taken up by the weights that do not have theirs yet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pyquant.calibrate.products import damped

BLOCK = 64  # columns whose errors reach the columns after them together

# choose(k, values, curvature) -> the values that weights k of each output get. values: (groups, outputs), what would
# be best. curvature: (groups, 1), what a squared error costs when the weights after these have made up for it.
Choose = Callable[[int, np.ndarray, np.ndarray], np.ndarray]


def column_by_column(rows: np.ndarray, matrix: np.ndarray, choose: Choose) -> np.ndarray:
    """Column by column, each error spread over the columns that are not chosen yet (GPTQ, Frantar 2022).

    rows: (groups, outputs, K). matrix: (groups, K, K), of `products`.
    """
    order, upper = _order(matrix)
    rows, size = rows[:, :, order].copy(), rows.shape[2]
    result = np.empty_like(rows)
    for first in range(0, size, BLOCK):
        last = min(first + BLOCK, size)
        errors = np.empty((*rows.shape[:2], last - first))
        for k in range(first, last):
            result[:, :, k] = choose(order[k], rows[:, :, k], upper[:, k, k, None] ** -2)
            errors[:, :, k - first] = (rows[:, :, k] - result[:, :, k]) / upper[:, k, k, None]
            rows[:, :, k + 1 : last] -= errors[:, :, k - first, None] * upper[:, None, k, k + 1 : last]
        rows[:, :, last:] -= errors @ upper[:, first:last, last:]
    back = np.empty_like(result)
    back[:, :, order] = result
    return back


def curvatures(matrix: np.ndarray) -> np.ndarray:
    """What `choose` is told of each weight. -> (groups, K)"""
    order, upper = _order(matrix)
    found = np.empty(matrix.shape[:2])
    found[:, order] = np.diagonal(upper, axis1=1, axis2=2) ** -2
    return found


def _order(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In which columns get their values, and the Cholesky factor of the inverse in that order, (groups, K, K)."""
    order = np.argsort(-np.diagonal(matrix, axis1=1, axis2=2).mean(axis=0))
    return order, np.linalg.cholesky(np.linalg.inv(damped(matrix)[:, order][:, :, order])).transpose(0, 2, 1)
