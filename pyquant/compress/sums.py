"""A weight as the sums that its operator makes of it, and the search for the few values that change these least."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pyquant.calibrate import column_by_column, curvatures, damped
from pyquant.compress.kmeans import Points, centers, nearest, priced
from pyquant.compress.layers import DAMPINGS

SWEEPS = 2  # over the columns, each chosen anew
OWN = 0.7  # by which power of its own power an output's error counts less: so probes of loud and faint outputs say
FAINT = 0.01  # of the mean power, that an output is taken to have at least
BLOCK = 64  # columns whose changes reach the others together
ROUNDS = 3  # of steps that suit the codes, then codes that suit the steps
STEPS_TO_DOUBLE = 16  # different steps in an octave: 2 % off at most
TRIED = tuple(damping for damping in DAMPINGS if damping >= 0.3)  # as sweeps fit samples more closely than pruning
TRYING = 64  # outputs by which dampings are compared
PART = 1 << 22  # pairs of an element and a value that are compared at a time


class Search(NamedTuple):
    """start, clusters: as of `centers`. each: for each output its own. price: of a bit, as a share of the power."""

    start: str
    clusters: int
    each: bool
    keep_zero: bool
    price: float
    generator: np.random.Generator


@dataclass(frozen=True, eq=False)
class Sums:
    """rows: (groups, outputs, K), the real weights of each sum. step: (groups, outputs, 1), what they are counted in.

    whole: None, or the most that a whole number of steps may be. matrix: (groups, K, K), how what they meet goes
    together, or None. fitted: "output" or "all", to which steps may suit values anew; "none". damping: by how much more
    each of what they meet is taken to vary than the matrix says, as a share of the mean.
    """

    rows: np.ndarray
    step: np.ndarray
    whole: int | None = None
    matrix: np.ndarray | None = None
    fitted: str = "none"
    damping: float = 0.0

    def suited(self, one: np.ndarray | None, other: np.ndarray | None, search: Search) -> Sums:
        """With the damping by which what some samples tell does best by others. one, other: matrices as of these."""
        if one is None or other is None:
            return self
        few = slice(None, None, max(self.rows.shape[1] // TRYING, 1))
        part = replace(self, rows=self.rows[:, few], step=self.step[:, few], matrix=one)

        def left(damping: float) -> float:
            codes, steps = replace(part, damping=damping).clustered(search._replace(price=0.0))
            change = codes * steps - part.rows
            return float(np.sum((change @ other) * change))

        return replace(self, damping=min(TRIED, key=left))

    def clustered(self, search: Search) -> tuple[np.ndarray, np.ndarray]:
        """What each weight becomes, in steps, (groups, outputs, K), and these steps, (groups, outputs, 1)."""
        if self.matrix is None:
            curvature, power = np.ones((1, 1, 1)), np.square(self.rows).sum()
        else:
            matrix = damped(self.matrix, self.damping)
            curvature = curvatures(matrix)[:, None]
            power = _counted(np.sum((self.rows @ self.matrix) * self.rows, axis=2, keepdims=True))
        steps = self.step
        for left in range(ROUNDS if self.fitted != "none" else 0, -1, -1):
            x, weight = self.rows / steps, np.square(steps) * curvature / power
            table = self._values(x, weight, search)
            if left:
                steps = self._refitted(steps, curvature, self._chosen(x, weight, table, search))
        if self.matrix is None:
            return self._chosen(x, weight, table, search), steps
        scale, shape = (np.square(steps) / power)[:, :, 0], x.shape[:2]

        def choose(k: int, values: np.ndarray, curvature: np.ndarray) -> np.ndarray:
            best = table.choose(values.reshape(-1, 1), (scale * curvature).reshape(-1, 1)).reshape(shape)
            return np.where(self.rows[:, :, k] == 0, 0.0, best) if search.keep_zero else best

        found, own = column_by_column(x, matrix, choose), np.diagonal(matrix, axis1=1, axis2=2)
        for _ in range(SWEEPS):
            found = _swept(found, x, matrix, lambda k, values: choose(k, values, own[:, k, None]))
        return found, steps

    def _values(self, x: np.ndarray, weight: np.ndarray, search: Search) -> _Table:
        """The values that weights may take, each for itself."""
        weight = np.broadcast_to(weight, x.shape)
        parts = [(x, weight)]
        if search.each:
            parts = [*zip(x.reshape(-1, x.shape[2]), weight.reshape(-1, x.shape[2]), strict=True)]
        found = []
        for values, own in parts:
            points, zero = Points.of(values, own), search.keep_zero and not np.all(values)
            start = centers(points, search.clusters, search.start, zero, self.whole, search.generator)
            if search.price:
                start, bits = priced(points, start, search.price, zero, self.whole)
            found.append((start, search.price * bits if search.price else np.zeros(start.size)))
        return _Table.of(found)

    def _chosen(self, x: np.ndarray, weight: np.ndarray, table: _Table, search: Search) -> np.ndarray:
        rows = x.reshape(-1, x.shape[2])
        found = table.choose(rows, np.broadcast_to(weight, x.shape).reshape(rows.shape)).reshape(x.shape)
        return np.where(self.rows == 0, 0.0, found) if search.keep_zero else found

    def _refitted(self, steps: np.ndarray, curvature: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """The steps of least squares for these codes, float32 numbers: few, as files hold them, too."""
        axis = 2 if self.fitted == "output" else None
        across = np.sum(curvature * self.rows * codes, axis=axis, keepdims=True)
        along = np.sum(curvature * codes * codes, axis=axis, keepdims=True)
        fits = across > 0
        found = np.where(fits, across / np.where(fits, along, 1), steps)
        return few_steps(found)


def few_steps(steps: np.ndarray) -> np.ndarray:
    """Those near given ones of which there are few, float32 numbers."""
    found = np.exp2(np.rint(np.log2(steps) * STEPS_TO_DOUBLE) / STEPS_TO_DOUBLE)
    return np.asarray(found, np.float32).astype(np.float64)


def _counted(power: np.ndarray) -> np.ndarray:
    """What squared errors of each output are divided by. power: of the outputs, (groups, outputs, 1)"""
    mean = max(float(power.mean()), 1e-300)
    return np.asarray(power.size * mean * np.maximum(power / mean, FAINT) ** OWN)


def _swept(
    codes: np.ndarray, x: np.ndarray, matrix: np.ndarray, choose: Callable[[int, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Codes with each column in turn chosen anew, as is best by all others (coordinate descent).

    codes, x: what they stand for, both (groups, outputs, K). choose(k, values): of what would be best for column k.
    """
    codes, own = codes.copy(), np.diagonal(matrix, axis1=1, axis2=2)
    slope = (codes - x) @ matrix
    for first in range(0, codes.shape[2], BLOCK):
        block = slice(first, first + BLOCK)
        before = codes[:, :, block].copy()
        for k in range(first, min(first + BLOCK, codes.shape[2])):
            new = choose(k, codes[:, :, k] - slope[:, :, k] / own[:, k, None])
            slope[:, :, block] += (new - codes[:, :, k])[:, :, None] * matrix[:, k, None, block]
            codes[:, :, k] = new
        change = codes[:, :, block] - before
        slope[:, :, :first] += change @ matrix[:, block, :first]
        slope[:, :, first + BLOCK :] += change @ matrix[:, block, first + BLOCK :]
    return codes


class _Table(NamedTuple):
    """values, costs: (1, n) of all outputs, or (outputs, n), with the cost infinity past the last of one."""

    values: np.ndarray
    costs: np.ndarray

    @staticmethod
    def of(found: Sequence[tuple[np.ndarray, np.ndarray]]) -> _Table:
        values = np.zeros((len(found), max(v.size for v, _ in found)))
        costs = np.full(values.shape, np.inf)
        for i, (v, c) in enumerate(found):
            values[i, : v.size], costs[i, : v.size] = v, c
        return _Table(values, costs)

    def choose(self, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The value of least weight times squared error, plus cost. x, weight: (outputs, n) -> (outputs, n)"""
        if len(self.values) == 1 and not self.costs.any():
            return nearest(x, self.values[0])
        found = np.empty(x.shape)
        every = max(PART // (x.shape[1] * self.values.shape[1]), 1)
        for part in (slice(i, i + every) for i in range(0, len(x), every)):
            own = part if len(self.values) > 1 else slice(None)
            total = np.square(x[part, :, None] - self.values[own, None])
            total *= weight[part, :, None]
            total += self.costs[own, None]
            best, rows = total.argmin(axis=2), np.arange(len(total))[:, None]
            found[part] = self.values[own][rows if len(self.values) > 1 else 0, best]
        return found
