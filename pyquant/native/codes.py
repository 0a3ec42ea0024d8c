"""Real numbers to the integers that a file holds, in one pass."""

from __future__ import annotations

import math

import numpy as np

from pyquant.native._pq import ffi, lib


def round_codes(values: np.ndarray, scale: np.ndarray, axis: int, zero: int, lo: int, hi: int) -> np.ndarray:
    """round(value / scale) + zero within lo..hi, ties away from zero.

    values: float32 without NaN; scale: float32, (1,) or one for each index of `axis`. -> int8, or int16 for wider codes
    """
    x, scales = np.ascontiguousarray(values, np.float32), np.ascontiguousarray(scale, np.float32)
    sizes = (
        (math.prod(x.shape[:axis]), scales.size, math.prod(x.shape[axis + 1 :])) if scales.size > 1 else (1, 1, x.size)
    )
    codes = np.empty(values.shape, np.int16 if hi > 127 else np.int8)
    order = ffi.new("pq_codes *", [*sizes, ffi.from_buffer("float[]", scales), zero, lo, hi])
    lib.pq_codes_round(order, ffi.from_buffer("float[]", x), ffi.from_buffer(codes))
    return codes
