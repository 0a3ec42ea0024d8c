"""Chooses which weights of an operator go, and gives others values, so that what it makes of samples changes least."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

STEPS = 20  # in which more and more go, and the choice settles
GROWTH = 0.5  # of them, until as many go as are to
SOLVING = 10  # steps of conjugate gradients for what stays

# gone(how much weights matter, which share of what is to go) -> True for what goes
Gone = Callable[[np.ndarray, float], np.ndarray]


def compensated(rows: np.ndarray, matrix: np.ndarray, gone: Gone, steps: int = STEPS) -> np.ndarray:
    """Weights near `rows` of which the chosen ones are 0, with the least squared error of the outputs that is found.

    rows: (groups, outputs, K). matrix: (groups, K, K), how the inputs vary together, regular.

    Alternating directions (ADMM, Boyd 2011; of pruned networks Boža 2024): weights of least error, drawn to the pruned
    ones, and pruned ones near these, in units in which each input varies as much. What stays is then solved for.
    """
    unit = np.sqrt(np.diagonal(matrix, axis1=1, axis2=2))[:, None]
    scaled = (matrix / unit / unit.transpose(0, 2, 1)).astype(np.float32)
    wanted = (rows * unit).astype(np.float32)
    pull = np.linalg.inv(scaled + np.eye(scaled.shape[1], dtype=np.float32))
    products, free, dual = wanted @ scaled, wanted, np.zeros_like(wanted)
    for step in range(1, steps + 1):
        share = 1 - (1 - min(step / (GROWTH * steps), 1)) ** 3
        drawn = free + dual
        out = gone(np.abs(drawn), share)
        pruned = np.where(out, 0, drawn)
        dual = drawn - pruned
        free = (products + pruned - dual) @ pull
    return np.asarray(solved(wanted, scaled, ~out, pruned) / unit, np.float64)


def solved(wanted: np.ndarray, matrix: np.ndarray, stays: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The weights, 0 but where `stays`, that come nearest to what the wanted ones make: conjugate gradients.

    Shapes as in `compensated`; the diagonal of the matrix is 1.
    """
    found = start * stays
    rest = ((wanted - found) @ matrix) * stays
    along, square = rest, np.square(rest).sum(axis=2, keepdims=True)
    for _ in range(SOLVING):
        change = (along @ matrix) * stays
        step = square / np.maximum((along * change).sum(axis=2, keepdims=True), 1e-30)
        found, rest = found + step * along, rest - step * change
        before, square = square, np.square(rest).sum(axis=2, keepdims=True)
        along = rest + square / np.maximum(before, 1e-30) * along
    return np.asarray(found)
