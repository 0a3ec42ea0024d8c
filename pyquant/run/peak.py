"""How many multiply-accumulates a second one thread of this processor does at most: the physical limit of kernels."""

from __future__ import annotations

import time
from functools import cache

import numpy as np

from pyquant import native

REPEATS, UNITS, RUNS = 1024, 1000, 30  # a run takes about 0.3 ms with AVX-512, a few ms in plain C
# what Operator.kind tells -> a loop in csrc/kernels/peak, and the type of what it multiplies
_LOOPS = {
    "float32": ("peak_f32", np.float32),
    "hybrid": ("peak_s8", np.int8),
    "int8": ("peak_s8", np.int8),
    "uint8": ("peak_s8", np.int8),
    "int16": ("peak_s16", np.int16),
}


def peak(kind: str) -> float | None:
    """Of numbers of a kind of operator, by a loop in registers with the best instruction set; None for other kinds.

    Measured when asked for the first time, in some 30 ms: the best of 30 runs.
    """
    return _measured(*_LOOPS[kind]) if kind in _LOOPS else None


@cache
def _measured(operation: str, element: type[np.generic]) -> float:
    row = next(row for row in native.rows() if row.operation == operation and row.available)
    ones = np.ones(64 // np.dtype(element).itemsize, element)
    params = native.Params("pq_peak", {"repeats": REPEATS})
    step = native.PlannedStep(row.index, params, (1, 1), (0,), UNITS, UNITS)
    session = native.Session(native.Plan([native.Piece(0, 4), ones], [step], 64))
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        session.run(0, 1, 1)
        seconds.append(time.perf_counter() - start)
    return ones.size * REPEATS * UNITS / min(seconds)
