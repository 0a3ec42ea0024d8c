"""How many elements each weight loses when they lose so many together: those that cost the model's outputs least."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pyquant.compress.compensate import Gone
from pyquant.compress.effects import Effects
from pyquant.compress.layers import Layer
from pyquant.compress.weights import Weight
from pyquant.graph import Model

TRIED = np.array([0.25, 0.5, 0.75, 0.9, 0.97, 1.0])  # shares of a weight at which it is seen what their loss costs
FIRST = 3  # below the least of them, costs grow with this power of the share: weights are as dense about 0 as near it
STEPS = 8  # of the choice at each
SLICES = 100  # of a weight, in which its elements go

# choice(weight, count) -> what goes of it when so many elements or blocks do
Choice = Callable[[Weight, int], Gone]


def shared_out(
    model: Model,
    layers: tuple[Mapping[Weight, Layer], Mapping[Weight, Layer]],
    units: Mapping[Weight, int],
    total: int,
    choice: Choice,
    feeds: Sequence[Sequence[np.ndarray]],
) -> dict[Weight, int]:
    """How many of its `units` each weight loses, `total` together.

    layers: of these weights, as `halves` makes them.
    """
    sizes = np.array(list(units.values()))
    chosen, judge = layers
    effects = Effects(model, feeds)
    costs = np.stack(
        [
            effects.of(judge[w])
            * _curve(np.array([judge[w].error(chosen[w].pruned(choice(w, round(s * n)), STEPS)) for s in TRIED]))
            for w, n in units.items()
        ]
    )
    ends = np.rint(np.outer(sizes, np.arange(SLICES + 1) / SLICES)).astype(np.int64)
    slices = np.diff(ends)
    each = np.maximum.accumulate(np.diff(costs) / np.maximum(slices, 1), axis=1)  # what goes first costs no more
    order = np.argsort(each, axis=None, kind="stable")
    taken = np.diff(np.minimum(np.cumsum(slices.flat[order]), total), prepend=0)
    counts = np.bincount(order // SLICES, taken, len(sizes)).astype(np.int64)
    return dict(zip(units, counts.tolist(), strict=True))


def _curve(errors: np.ndarray) -> np.ndarray:
    """The errors at shares 0, 1 / SLICES, ... 1: a power of the share between those that were tried, and beyond."""
    known = np.log(np.maximum(np.maximum.accumulate(errors), 1e-30))
    tried, shares = np.log(TRIED), np.log(np.arange(1, SLICES + 1) / SLICES)
    last = (known[-1] - known[-2]) / (tried[-1] - tried[-2])
    curve = np.interp(shares, tried, known)
    curve += FIRST * np.minimum(shares - tried[0], 0) + last * np.maximum(shares - tried[-1], 0)
    return np.concatenate([[0.0], np.exp(curve)])
