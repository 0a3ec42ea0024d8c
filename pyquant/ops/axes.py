"""Axes as files state them: perhaps counted from the end, perhaps not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyquant.errors import ShapeError
from pyquant.ops.operator import Call


def axis_of(call: Call, axis: Any, rank: int) -> int:
    """The one axis, counted from the front. Raises ShapeError for one that a tensor of that rank does not have."""
    found = np.asarray(axis)
    if found.size != 1 or not -rank <= found.item() < rank:
        raise ShapeError(f"{call.label}: found axis {found.tolist()}, expected one of a tensor of rank {rank}")
    return int(found.item()) % rank


def whole(call: Call, numbers: np.ndarray, what: str) -> tuple[int, ...]:
    """Sizes as a shape. Raises ShapeError where one is negative, or where they are more than an array can have."""
    sizes = tuple(int(n) for n in numbers.ravel())
    if min(sizes, default=0) < 0 or len(sizes) > 32:  # NumPy's limit
        raise ShapeError(f"{call.label}: {what} {list(sizes)[:40]} cannot be a shape")
    return sizes


def pairs(call: Call, numbers: np.ndarray, rank: int, what: str) -> Sequence[tuple[int, int]]:
    """Two sizes for each axis, before and after. Raises ShapeError for others, and for negative ones."""
    if numbers.shape != (rank, 2) or np.any(numbers < 0):
        raise ShapeError(f"{call.label}: {what} of shape {numbers.shape} must be ({rank}, 2) and not negative")
    return [(int(a), int(b)) for a, b in numbers]
