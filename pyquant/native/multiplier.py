"""Scales: whether they are sound, and real multipliers as whole numbers, as kernels take them."""

from __future__ import annotations

import numpy as np

from pyquant.errors import RangeError
from pyquant.native._pq import ffi, lib


def quantize_multipliers(real: np.ndarray) -> np.ndarray:
    """real: (n,) float64 -> (2, n) int32, the m and the e of each. RangeError for one that cannot be."""
    pairs = np.empty((2, real.size), np.int32)
    out = ffi.from_buffer("int32_t[]", pairs)
    fault = lib.pq_quantize_multipliers(ffi.from_buffer("double[]", real), real.size, out, out + real.size)
    if fault >= 0:
        raise RangeError(f"a real multiplier must be finite and below 2**30, found {real[fault]}")
    return pairs


def scales_fault(scales: np.ndarray, zero_points: np.ndarray, least: float, lo: int, hi: int) -> str:
    """ "scale" for one below `least` or not finite, "zero point" for one outside lo..hi, "" where all is well.

    scales: (n,) float32; zero_points: (m,) int64.
    """
    s, z = np.ascontiguousarray(scales, np.float32), np.ascontiguousarray(zero_points, np.int64)
    return _FAULTS[lib.pq_scales_fault(_pointer(_FLOATS, s), s.size, least, _pointer(_INTEGERS, z), z.size, lo, hi)]


_pointer, _FLOATS, _INTEGERS = ffi.from_buffer, ffi.typeof("float[]"), ffi.typeof("int64_t[]")
_FAULTS = ("", "scale", "zero point")
