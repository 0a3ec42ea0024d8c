"""Scales: whether they are sound, and real multipliers as whole numbers, as kernels take them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyquant.errors import RangeError
from pyquant.native._pq import ffi, lib

Number = float | np.float32


def real_multipliers(x: Number, weights: np.ndarray, y: Number, single: bool) -> np.ndarray:
    """x * weights / y in double; where `single`, the product rounded to float32 first. weights: (n,) float32 -> (n,)"""
    scales = np.ascontiguousarray(weights, np.float32)
    real = np.empty(scales.size)
    lib.pq_real_multipliers(x, _pointer(_FLOATS, scales), scales.size, y, single, _pointer(_DOUBLES, real))
    return real


def rescaling(x: Number, weights: np.ndarray, y: Number, single: bool, channels: int) -> np.ndarray:
    """What `quantize_multipliers` makes of them, one weight scale standing for all channels. -> (2, channels)"""
    scales, pairs = np.ascontiguousarray(weights, np.float32), np.empty((2, channels), np.int32)
    to, count = _pointer(_INT32S, pairs), scales.size
    fault = lib.pq_rescaling(x, _pointer(_FLOATS, scales), count, y, single, channels, to, to + channels)
    if fault >= 0:
        raise _no_multiplier(real_multipliers(x, scales, y, single)[fault])
    return pairs


def quantize_multipliers(real: np.ndarray) -> np.ndarray:
    """real: (n,) float64 -> (2, n) int32, the m and the e of each. RangeError for one that cannot be."""
    pairs = np.empty((2, real.size), np.int32)
    out, count = _pointer(_INT32S, pairs), real.size
    fault = lib.pq_quantize_multipliers(_pointer(_DOUBLES, real), count, out, out + count)
    if fault >= 0:
        raise _no_multiplier(real[fault])
    return pairs


def _no_multiplier(real: float) -> RangeError:
    return RangeError(f"a real multiplier must be finite and below 2**30, found {real}")


def scales_fault(scales: np.ndarray, zero_points: np.ndarray, least: float, lo: int, hi: int) -> str:
    """Says "scale" of one below `least` or not finite, "zero point" of one outside lo..hi, "" where all is well.

    scales: (n,) float32; zero_points: (m,) int64.
    """
    s, z = np.ascontiguousarray(scales, np.float32), np.ascontiguousarray(zero_points, np.int64)
    return _FAULTS[lib.pq_scales_fault(_pointer(_FLOATS, s), s.size, least, _pointer(_INTEGERS, z), z.size, lo, hi)]


def scales_are_sound(scales: Sequence[np.ndarray], zero_points: Sequence[np.ndarray], least: float) -> bool:
    """Whether `scales_fault` has nothing to say of any, and all zero points are 0. All: (n,) float32 and (n,) int64."""
    if not all([s.dtype is _FLOAT32 for s in scales]) or not all([z.dtype is _INT64 for z in zero_points]):
        return False  # or of the other byte order
    try:
        floats, integers = [_pointer(_FLOATS, s) for s in scales], [_pointer(_INTEGERS, z) for z in zero_points]
    except ValueError:  # not contiguous
        return False
    counts = list(map(len, floats))
    lists = ffi.new("float *[]", floats), ffi.new("int64_t *[]", integers), ffi.new("int32_t[]", counts)
    return bool(lib.pq_scales_are_sound(*lists, len(counts), least))


_pointer = ffi.from_buffer
_FLOATS, _DOUBLES, _INT32S, _INTEGERS = map(ffi.typeof, ("float[]", "double[]", "int32_t[]", "int64_t[]"))
_FLOAT32, _INT64 = np.dtype(np.float32), np.dtype(np.int64)
_FAULTS = ("", "scale", "zero point")


def exp_table(multiplier: int, exponent: int, radius: int) -> np.ndarray:
    """exp(-i * (multiplier, exponent)) in units of 2**-31, 0 past the radius. -> (256,) int32"""
    table = np.empty(256, np.int32)
    lib.pq_exp_table(multiplier, exponent, radius, _pointer(_INT32S, table))
    return table
