"""Where the values are that many numbers are rounded to: k-means on a line, exact or from some start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from pyquant.compress.partition import Partitions
from pyquant.errors import OptionError, RangeError

STEPS = 200  # of Lloyd's, which mostly end long before
LEAST_SHARE = 1e-9  # of an empty cluster's, so that its price is a number


@dataclass(frozen=True, eq=False)
class Points:
    """Different numbers in order, each with a weight. sums: (4, n + 1), of those before each: count, w, w x, w x x."""

    x: np.ndarray
    sums: np.ndarray

    @staticmethod
    def of(values: np.ndarray, weight: np.ndarray | None = None) -> Points:
        """values: any shape; weight: likewise, or (1,) for all. Those of weight 0 do not count.

        Raises RangeError for what is not finite, and for a weight below 0.
        """
        flat = np.asarray(values).reshape(-1)
        w = np.broadcast_to(1.0 if weight is None else weight, np.shape(values)).reshape(-1)
        if not (np.isfinite(flat).all() and np.isfinite(w).all() and (w >= 0).all()):
            raise RangeError("values to cluster, or their weights: found NaN, infinity or a negative weight")
        if w.size and (w == w[0]).all():
            flat, w = np.sort(flat if w[0] > 0 else flat[:0]), w[: flat.size if w[0] > 0 else 0]
        else:
            order = np.argsort(flat, kind="stable")
            order = order[w[order] > 0]
            flat, w = flat[order], w[order]
        flat = flat.astype(np.float64)  # not before: float32 are sorted in half the time
        starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1]))) if flat.size else np.zeros(0, int)
        x, count = flat[starts], np.diff(starts, append=flat.size)
        w = np.add.reduceat(w, starts) if flat.size else w
        sums = np.zeros((4, x.size + 1))
        np.cumsum((count, w, w * x, w * x * x), axis=1, out=sums[:, 1:])
        return Points(x, sums)

    def between(self, borders: np.ndarray) -> np.ndarray:
        """The sums over the points from each border to the next: (4, borders - 1)"""
        return np.asarray(np.diff(self.sums[:, borders], axis=1))

    def share(self, part: float | np.ndarray) -> np.ndarray:
        """The index of the point below which there is that part of all."""
        return np.asarray(np.minimum(np.searchsorted(self.sums[0, 1:], part * self.sums[0, -1]), self.x.size - 1))


# start(points, clusters, generator) -> centers, at most so many
Start = Callable[[Points, int, np.random.Generator], np.ndarray]


def linear(points: Points, clusters: int, generator: np.random.Generator) -> np.ndarray:
    """At equal distances from the least to the greatest."""
    return np.linspace(points.x[0], points.x[-1], clusters)


def density(points: Points, clusters: int, generator: np.random.Generator) -> np.ndarray:
    """With equally many points around each."""
    return np.asarray(points.x[points.share((np.arange(clusters) + 0.5) / clusters)])


def random(points: Points, clusters: int, generator: np.random.Generator) -> np.ndarray:
    """Any of the points."""
    return generator.choice(points.x, min(clusters, points.x.size), replace=False)


def plus_plus(points: Points, clusters: int, generator: np.random.Generator) -> np.ndarray:
    """Points in turn, each as likely as its square distance to those before it is great (Arthur 2007)."""
    weight = np.diff(points.sums[1])
    chosen = [points.x[points.share(generator.random())]]
    distance = np.square(points.x - chosen[0])
    while len(chosen) < clusters and distance.any():
        mass = np.cumsum(weight * distance)
        chosen.append(points.x[np.searchsorted(mass, generator.random() * mass[-1], side="right")])
        np.minimum(distance, np.square(points.x - chosen[-1]), out=distance)
    return np.asarray(chosen)


def optimal(points: Points, clusters: int, generator: np.random.Generator) -> np.ndarray:
    """Those of the least sum of squares there is."""
    found = Partitions(points.sums[1:], clusters)
    return _means(points, found.best(found.least.size)[1])


# Where centers start; Lloyd's steps follow.
STARTS: dict[str, Start] = {
    "linear": linear,
    "density": density,
    "random": random,
    "k-means++": plus_plus,
    "optimal": optimal,
}


def centers(
    points: Points,
    clusters: int,
    start: str = "optimal",
    zero: bool = False,
    whole: int | None = None,
    generator: np.random.Generator | None = None,
) -> np.ndarray:
    """In order, at most `clusters`, for the points to be rounded to the nearest.

    start: one of STARTS. zero: 0 is one of them. whole: they are whole numbers in -whole..whole. "optimal" is exact,
    but for many clusters of very many numbers, of which some in turn then stay together: see `Partitions`.
    Raises OptionError for fewer than one cluster, or another start.
    """
    if clusters < 1:
        raise OptionError(f"clusters: found {clusters}, expected at least 1")
    if start not in STARTS:
        raise OptionError(f"centroids: found {start!r}, expected one of {', '.join(STARTS)}")
    if not points.x.size:
        return np.zeros(1 if zero else 0)
    if start == "optimal" and whole is not None:
        return _exact_whole(points, clusters, zero, whole)
    if start == "optimal" and zero:
        found = _exact_around_zero(points, clusters)
    else:
        found = STARTS[start](points, clusters, generator or np.random.default_rng(0))
    return lloyd(points, found, zero, whole)


def lloyd(points: Points, found: np.ndarray, zero: bool = False, whole: int | None = None) -> np.ndarray:
    """Moves centers to the means of the points next to them until none moves; those that have no points go."""
    if zero:
        found = np.where(np.arange(found.size) == np.abs(found).argmin(), 0.0, found)
    found = _distinct(found, whole)
    for _ in range(STEPS):
        before, found = found, _moved(points, _borders(points, found), found, zero, whole)
        if np.array_equal(before, found):
            break
    return found


def priced(
    points: Points, found: np.ndarray, price: float, zero: bool = False, whole: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Centers moved on until noise and bits cost least together, and the bits of each: -log2 of its share of points.

    price: of a bit, in weight times squared error. Lloyd's steps with this cost, by which rare centers go (Chou 1989);
    borders are set as if all points had the mean weight.
    """
    borders = _borders(points, found)
    price /= max(points.sums[1, -1] / points.sums[0, -1], 1e-300)
    for _ in range(STEPS):
        found = _moved(points, borders, found, zero, whole)
        before = borders
        if borders.size != found.size + 1:  # of which one went
            borders = _borders(points, found)
        cost = price * _bits(points, borders)
        best = _best_somewhere(found, cost)
        found, borders = found[best], _borders(points, found[best], cost[best])
        if np.array_equal(before, borders):
            break
    return found, _bits(points, borders)


def _best_somewhere(found: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Which centers are the nearest to some number, where costs are added to squared distances: their indices."""
    best = np.arange(found.size)
    while True:
        never = np.diff(_middles(found[best], cost[best])) < 0  # it ends before it begins
        if not never.any():
            return best
        never[1:] &= ~never[:-1]  # its neighbours, which are better than it, must stay
        best = np.delete(best, 1 + np.flatnonzero(never))


def _moved(points: Points, borders: np.ndarray, found: np.ndarray, zero: bool, whole: int | None) -> np.ndarray:
    """The means of the points of each center, where it has some; 0 stays."""
    _, weight, total, _ = points.between(borders)
    stays = zero & (found == 0)
    used = (weight > 0) | stays
    return _distinct(np.where(stays, 0.0, total / np.where(weight > 0, weight, 1))[used], whole)


def _distinct(found: np.ndarray, whole: int | None) -> np.ndarray:
    """In order, and whole where they are to be."""
    return np.unique(found if whole is None else np.clip(np.rint(found), -whole, whole)) + 0.0  # no -0


def _bits(points: Points, borders: np.ndarray) -> np.ndarray:
    return np.asarray(-np.log2(np.maximum(points.between(borders)[0] / points.sums[0, -1], LEAST_SHARE)))


def _borders(points: Points, found: np.ndarray, cost: np.ndarray | float = 0.0) -> np.ndarray:
    """Where the points of each center start, and the last end: those to which it is nearest, a cost added for each."""
    return np.concatenate(([0], np.searchsorted(points.x, _middles(found, cost)), [points.x.size]))


def _middles(found: np.ndarray, cost: np.ndarray | float) -> np.ndarray:
    """Where one center and the next are equally far, with their costs."""
    shift = np.diff(np.broadcast_to(cost, found.shape)) / (2 * np.diff(found))
    return np.asarray((found[1:] + found[:-1]) / 2 + shift)


def nearest(values: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Each value's center."""
    return found[np.searchsorted((found[1:] + found[:-1]) / 2, values)]


def inertia(points: Points, found: np.ndarray) -> float:
    """The weighted sum of squares that rounding leaves."""
    _, weight, total, square = points.between(_borders(points, found))
    return float(np.sum(square - 2 * found * total + found * found * weight))


def _means(points: Points, borders: np.ndarray) -> np.ndarray:
    """Of the points between borders, where there are some."""
    _, weight, total, _ = points.between(np.unique(borders))
    return np.asarray(total / weight)


def _exact_around_zero(points: Points, clusters: int) -> np.ndarray:
    """The best centers of which one is 0: those below 0 and those above do not meet."""
    x, w = points.x, np.diff(points.sums[1])
    # a point at 0 costs nothing, and lets the cluster around 0 be one without others
    sides = [Points.of(np.append(sign * x[side], 0), np.append(w[side], 1)) for sign, side in ((-1, x < 0), (1, x > 0))]
    below, above = (Partitions(side.sums[1:], clusters, anchored=True) for side in sides)
    least = np.add.outer(below.least, above.least)
    least[np.add.outer(np.arange(below.least.size), np.arange(above.least.size)) >= clusters] = np.inf
    below_best, above_best = cache(below.best), cache(above.best)
    best, found = np.inf, np.zeros(1)
    for i, j in zip(*np.unravel_index(least.argsort(axis=None), least.shape), strict=True):
        if least[i, j] >= best:
            break
        (cost, under), (more, over) = below_best(i + 1), above_best(j + 1)
        if cost + more < best:
            parts = _means(sides[0], under[1:]), _means(sides[1], over[1:])
            best, found = cost + more, np.concatenate((-parts[0], [0.0], parts[1]))
    return found


def _exact_whole(points: Points, clusters: int, zero: bool, most: int) -> np.ndarray:
    """The best whole centers: a shortest path over them, as what lies between two goes to the nearer one."""
    code = np.arange(-most, most + 1)
    half = np.searchsorted(
        points.x, np.arange(-2 * most, 2 * most + 1) / 2
    )  # index by (a + b) + 2 most: middle of a, b

    def cost(first: np.ndarray, last: np.ndarray, center: np.ndarray) -> np.ndarray:
        """Of points [first, last) around a center"""
        _, weight, total, square = np.take(points.sums, last, 1) - np.take(points.sums, first, 1)
        return np.asarray(square - 2 * center * total + center * center * weight)

    a, b = code[:, None], code[None, :]
    middle = half[np.add.outer(code, code) + 2 * most]
    own = half[2 * (code + most)]
    step = cost(own[:, None], np.maximum(middle, own[:, None]), a)
    step += cost(np.minimum(middle, own), np.broadcast_to(own, middle.shape), b)
    step[a >= b] = np.inf
    total = cost(np.zeros_like(own), own, code)
    end = cost(own, np.full_like(own, points.x.size), code)
    if zero:  # neither passed over nor left out at the ends
        step[(a < 0) & (b > 0)] = np.inf
        total[code > 0] = end[code < 0] = np.inf
    best, back, ends = np.inf, [], (0, 0)
    for k in range(clusters):
        if k:
            paths = total[:, None] + step
            back.append(paths.argmin(axis=0))
            total = paths.min(axis=0)
        last = int((total + end).argmin())
        if total[last] + end[last] < best:
            best, ends = total[last] + end[last], (k, last)
        if not np.isfinite(total).any():
            break
    k, last = ends
    chosen = [last]
    for row in back[:k][::-1]:
        chosen.append(int(row[chosen[-1]]))
    return code[chosen[::-1]].astype(np.float64)
