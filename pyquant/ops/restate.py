"""How shapes that a node states follow those of its input: what the `restate` hooks of operators share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from pyquant.errors import ShapeError
from pyquant.ops.operator import Call, Restated, Shape


def refuse_mixing(call: Call, mixes: bool) -> Restated:
    """Nothing to state anew. Raises ShapeError for a node that computes across the samples of a batch."""
    if mixes:
        raise ShapeError(f"{call.label}: it computes across the first dimension, and so would mix samples")
    return Restated()


def more_samples(call: Call, before: Shape, now: Shape, y: Shape) -> Shape:
    """The shape that was y for another number of samples: that number is a factor of the first dimension."""
    factor, divisor = math.prod(now), math.prod(before)
    if not y or not divisor or y[0] * factor % divisor:
        raise ShapeError(f"{call.label}: shape {y} of {before} has no first dimension that could follow {now}")
    return (y[0] * factor // divisor, *y[1:])


def regrouped(call: Call, before: Shape, now: Shape, y: Shape, wanted: Sequence[int]) -> Shape:
    """The shape that was y before: a dimension follows the dimensions of the input that it is made of.

    wanted: y as the node states it, perhaps with a -1. Raises ShapeError where several dimensions could follow.
    """
    made = list(y)
    for sources, targets in dimension_groups(before, y) if math.prod(y) else []:
        old, new = (math.prod(shape[i] for i in sources) for shape in (before, now))
        if [before[i] for i in sources] == [now[i] for i in sources]:
            continue
        free = [j for j in targets if wanted[j] == -1] or [j for j in targets if y[j] > 1] or list(targets[:1])
        if len(free) != 1 or y[free[0]] * new % old:
            raise ShapeError(f"{call.label}: shape {before} became {y}; what becomes of {now} is not clear")
        made[free[0]] = y[free[0]] * new // old
    return tuple(made)


def dimension_groups(x: Shape, y: Shape) -> list[tuple[range, range]]:
    """The dimensions of two shapes of one size, without zeros, in the shortest runs of equal products."""
    ends = [(0, 0)]
    i = j = 0
    while i < len(x) and j < len(y):
        left, right, i, j = x[i], y[j], i + 1, j + 1
        while left != right:
            if left < right:
                left, i = left * x[i], i + 1
            else:
                right, j = right * y[j], j + 1
        ends.append((i, j))
    ends[max(len(ends) - 1, 1) :] = [(len(x), len(y))]  # ones at the end belong to the run before them
    return [(range(m, i), range(n, j)) for (m, n), (i, j) in pairwise(ends)]
