"""Partitions of points on a line into clusters, of the least sum of squares there is."""

from __future__ import annotations

import numpy as np

from pyquant import native

GROUPS = 1 << 14  # of neighbours, by which is told where borders can be; of fewer points, each is one
FEW = 64  # clusters, for which so many groups tell enough
TABLE = 1 << 24  # places for borders that are tried; where there are more, several points in turn stay together
SLACK = 1e-10  # of all squares: what rounding may do to sums of them


class Partitions:
    """Of points into 1, 2, ... `most` clusters. sums: (3, n + 1), of w > 0, w x and w x x over the points before each.

    anchored: the first cluster is around 0, and the points are all on one side of it. least: for each number of
    clusters, what no partition falls below.

    The best borders between groups of points make a partition that is nearly the best. If the points of groups that
    borders fall into count nothing, the program bounds from below what comes before a border in a group, and what
    behind: where these come to more than that partition, the best one has no border. It is among the few places left.
    For more than FEW clusters that tells little: they have all places that fit TABLE at once.
    """

    def __init__(self, sums: np.ndarray, most: int, anchored: bool = False) -> None:
        n = sums.shape[1] - 1
        weight, total, square = sums
        middle = 0.0 if anchored else total[-1] / weight[-1]  # around which less is lost to rounding
        moved = total - middle * weight
        self._sums, self._anchored = np.stack((weight, moved, square - middle * (total + moved))), anchored
        groups = min(n, GROUPS if most <= FEW else max(TABLE // most, 1))
        self._done = groups == n or most > FEW
        most, self._ends = min(most, groups), np.linspace(0, n, groups + 1).astype(np.int64)
        ends = self._sums[:, self._ends]
        self._grouped = _Program(ends, ends, np.zeros(most, int), np.full(most, groups), anchored)
        self.least = np.array([cost[-1] for cost in self._grouped.costs])
        if not self._done:
            every = np.zeros(most, int), np.full(most, groups - 1)
            self._before = _Program(ends[:, 1:], ends[:, :-1], *every, anchored).costs
            turned = ends[:, -1:] - ends[:, ::-1]
            self._behind = [c[::-1] for c in _Program(turned[:, 1:], turned[:, :-1], *every, False).costs]
            self.least[1:] = [(cost + self._behind[0]).min() for cost in self._before[:-1]]

    def best(self, count: int) -> tuple[float, np.ndarray]:
        """The least sum of squares of `count` clusters, and their borders: (count + 1,), some of which may be equal."""
        n, program, places = self._sums.shape[1] - 1, self._grouped, self._ends
        if not self._done and count > 1:
            first, last = self._windows(count)
            every = -(-int((last - first + 1).sum()) // TABLE)
            places = np.append(np.arange(0, n, every), n)
            sums = self._sums if every == 1 else self._sums[:, places]
            program = _Program(sums, sums, first // every, -(-last // every), self._anchored)
        return float(program.costs[count - 1][-1]), places[program.borders(count)]

    def _windows(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The first and the last place that borders 1 to `count` can have."""
        limit = self._grouped.costs[count - 1][-1] + SLACK * self._sums[2, -1]
        found = [np.flatnonzero(self._before[k] + self._behind[count - 2 - k] <= limit) for k in range(count - 1)]
        n = self._ends[-1]
        first = np.maximum.accumulate([*(self._ends[groups[0]] for groups in found), n])
        last = np.minimum.accumulate([n, *(self._ends[groups[-1] + 1] for groups in found[::-1])])[::-1]
        return first, last


class _Program:
    """The least sums of squares before each place of borders 1, 2, ...; of the first cluster about 0 where anchored."""

    def __init__(
        self, before: np.ndarray, behind: np.ndarray, first: np.ndarray, last: np.ndarray, anchored: bool
    ) -> None:
        self._first = first
        weight, total, square = behind[:, first[0] : last[0] + 1]
        spread = square if anchored else square - total * total / np.where(weight > 0, weight, 1)
        start = np.maximum(spread, 0)
        self.costs, self._starts = native.partitions(start, before, behind, first, last)

    def borders(self, count: int) -> np.ndarray:
        """Of `count` clusters, the last of which ends at the last place of its border."""
        found = [self._first[count - 1] + self.costs[count - 1].size - 1]
        for k in range(count - 1, 0, -1):
            found.append(self._starts[k - 1][found[-1] - self._first[k]])
        return np.array([0, *found[::-1]])
