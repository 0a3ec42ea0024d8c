"""Operators that only move elements, to places that are known before a run, or pad: one kernel for all of them."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from pyquant.errors import PyQuantError
from pyquant.ops.operator import Call, Kernel, Launch

MOST_PLACES = 1 << 22  # elements of x and y that are numbered while compiling
FIRST = 1 << 40  # the number of the first; what is below is a code to pad with


def take_kernels(kinds: Collection[str]) -> dict[str, Kernel]:
    """For operators whose first input is what moves; what the others say must be constant."""
    return dict.fromkeys(kinds, Kernel("take_x8", "pq_take", take_params))


def take_params(call: Call) -> Launch | None:
    """One unit is the longest run that keeps together everywhere; where runs come from is asked of the reference."""
    x, y = call.node.inputs[0], call.node.outputs[0]
    others = [None if t is None else t.data for t in call.node.inputs[1:]]
    known = all(t is None or a is not None for t, a in zip(call.node.inputs[1:], others, strict=True))
    if x is None or not known or x.dtype != y.dtype or x.dtype.bits % 8:
        return None
    if not x.size or not y.size or max(x.size, y.size) > MOST_PLACES:
        return None
    reference = call.operator.reference[call.kind]
    try:
        numbered = np.arange(FIRST, FIRST + x.size).reshape(x.shape)
        places = np.asarray(reference(call, numbered, *others)).ravel() - FIRST
    except PyQuantError:  # of a length that is too long, which a run is to tell
        return None
    padded = places < 0
    code = int(places[padded][0]) + FIRST if padded.any() else 0
    places[padded] = np.arange(-2 * places.size, -places.size)[padded]  # neighbours make a run
    run = math.gcd(places.size, *(np.flatnonzero(np.diff(places) != 1) + 1).tolist())
    size, first = x.dtype.bits // 8, places[::run]
    params = {
        "bytes": run * size,
        "from": np.where(first < 0, -1, first * size),
        "fill": np.full(run if padded.any() else 0, code, x.dtype.numpy),
    }
    return Launch(places.size // run, params, cost=1 + run * size // 16)
