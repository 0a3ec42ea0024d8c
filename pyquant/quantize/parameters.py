"""From ranges and weights to scales and stored integers, by the TFLite 8-bit quantization specification."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyquant import native
from pyquant.dtypes import DType
from pyquant.errors import RangeError
from pyquant.fixed import round_half_away
from pyquant.graph import Quantization
from pyquant.ops import PowerOfTwo
from pyquant.wire.file import large_map, release

SMALLEST_SCALE = 2.0**-40  # products of two scales stay normal float32 numbers
LARGEST_SCALE = 2.0**40  # of what a model computes, where no slot says more; its kernels' multipliers stay finite
LARGEST_WEIGHT_SCALE = 2.0**60  # a bias that needs more is beyond any output of LARGEST_SCALE
SUM_LIMIT = 32000  # of weights' codes: times int16, and with a bias of 2**30 and the weights' rounding, below 2**31
PART = 1 << 20  # bytes of a weight that are read at a time
BIAS_LIMIT = {"int32": 2.0**30, "int64": 2.0**38}  # leaves the accumulator a bit; Ethos-U takes biases of 40 bits


def activation(
    low: float,
    high: float,
    dtype: DType,
    floor: float = SMALLEST_SCALE,
    symmetric: bool = False,
    cap: float = LARGEST_SCALE,
) -> Quantization:
    """Scale and zero point of an activation: for int16 and where `symmetric` about 0; zero is always representable.

    The scale is at least `floor`, and where that is not more, at most `cap`.
    """
    assert dtype.lo is not None and dtype.hi is not None
    wanted = activation_scale(low, high, dtype, symmetric)
    scale = float(np.float32(max(min(wanted, cap), floor)))
    if dtype.name == "int16" or symmetric:
        return Quantization.of(scale)
    zero_point = int(round_half_away(np.float64(dtype.lo - min(low, 0.0) / scale)))
    return Quantization.of(scale, min(max(zero_point, dtype.lo), dtype.hi))


def activation_scale(low: float, high: float, dtype: DType, symmetric: bool = False) -> float:
    """The scale whose codes just span a range, whatever kernels make of it."""
    assert dtype.lo is not None and dtype.hi is not None
    low, high = min(low, 0.0), max(high, 0.0)
    if dtype.name == "int16" or symmetric:
        return max(-low, high) / dtype.hi
    return (high - low) / (dtype.hi - dtype.lo)


def power_of_two(low: float, high: float, dtype: DType, bounds: PowerOfTwo) -> Quantization:
    """The least power of two as scale of a value about 0, within bounds."""
    assert dtype.hi is not None
    least = max(-low, high, dtype.hi * bounds.least) / dtype.hi
    # a scale that is one already, and came by way of a range, stays as it is
    return Quantization.of(min(2.0 ** math.ceil(math.log2(least) - 1e-4), bounds.most))


def _min_max(values: np.ndarray, axis: int | None, most: np.ndarray, bits: int) -> np.ndarray:
    return most


def _mse(values: np.ndarray, axis: int | None, most: np.ndarray, bits: int) -> np.ndarray:
    """The range of least squared error, of those that are whole hundredths of the greatest magnitude."""
    rows, levels = _rows(values, axis), 2 ** (bits - 1) - 1
    best, least = most.copy(), np.full(len(rows), np.inf)
    for share in range(100, 19, -1):
        scale = np.maximum(most * (share / 100) / levels, SMALLEST_SCALE)[:, None].astype(np.float32)
        steps = rows / scale
        error = np.square((np.minimum(np.rint(steps), levels) - steps) * scale).sum(axis=1, dtype=np.float64)
        better = error < least
        best[better], least[better] = most[better] * (share / 100), error[better]
    return best


def _octav(values: np.ndarray, axis: int | None, most: np.ndarray, bits: int) -> np.ndarray:
    """The range where the noise of rounding within it balances that of clipping what is beyond (OCTAV, Sakr 2022).

    Newton's steps to the root of E[(|x| - s) [|x| > s]] = s 4**-bits / 3 P(0 < |x| <= s).
    """
    rows = _rows(values, axis)
    count = np.maximum(np.count_nonzero(rows, axis=1), 1)
    bound = rows.sum(axis=1, dtype=np.float64) / count
    for _ in range(20):
        beyond = rows > bound[:, None]
        outside = beyond.sum(axis=1)
        noise = outside + 4.0**-bits / 3 * (count - outside)
        bound = np.where(beyond, rows, 0).sum(axis=1, dtype=np.float64) / noise
    return np.asarray(np.minimum(bound, most))


def _rows(values: np.ndarray, axis: int | None) -> np.ndarray:
    """Magnitudes, (channels, n)."""
    rows = np.abs(values)[None] if axis is None else np.moveaxis(np.abs(values), axis, 0)
    return np.asarray(rows.reshape(len(rows), -1))


# How far a weight's codes reach: method -> function of its values, their axis, the greatest magnitude of each channel,
# (channels,) float64, and the bits of a code -> (channels,)
METHODS = {"min_max": _min_max, "mse": _mse, "octav": _octav}


def weight_scales(
    values: np.ndarray, axis: int | None, bits: int = 8, method: str = "min_max", label: str = "weight"
) -> np.ndarray:
    """Symmetric scales of a weight, one per index of `axis` (one in all for None), float32.

    A channel of zeros, or of less than any scale, takes the largest of its neighbours, which suits their bias.
    Raises RangeError for values that are not finite.
    """
    most = _magnitudes(values, axis).astype(np.float64)
    if not np.all(np.isfinite(most)):
        raise RangeError(f"{label}: holds NaN or infinity, expected finite values")
    scales = METHODS[method](values, axis, most, bits) / (2 ** (bits - 1) - 1)
    scales[scales < SMALLEST_SCALE] = max(scales.max(initial=0.0), SMALLEST_SCALE)
    return np.asarray(np.minimum(scales, LARGEST_WEIGHT_SCALE), np.float32)


def _magnitudes(values: np.ndarray, axis: int | None) -> np.ndarray:
    found = []
    for part in _parts(values):
        found.append(native.magnitudes(values[part], axis))
        release(values[part])
    return np.concatenate(found) if axis == 0 else np.asarray(np.maximum.reduce(found))


def _codes(
    values: np.ndarray, quantization: Quantization, zero: int, lo: int, hi: int, packer: native.Packer | None
) -> np.ndarray:
    scale, axis = quantization.scale, quantization.axis
    codes = np.empty(values.shape, np.int16 if hi > 127 else np.int8)
    packer = packer if large_map(values) is None else None  # which would hold all of the file
    for part in _parts(values):
        scales = scale[part] if quantization.per_axis and axis == 0 else scale
        native.round_codes(values[part], scales, axis, zero, lo, hi, codes[part], packer)
        release(values[part])
    return codes


def _parts(values: np.ndarray) -> list[Any]:
    """Of which only one is in memory at a time, where values lie in a file: all, or rows of the first dimension."""
    if values.nbytes <= PART:
        return [...]
    rows = max(PART // values[:1].nbytes, 1)
    return [slice(i, i + rows) for i in range(0, len(values), rows)]


def store(
    values: np.ndarray,
    quantization: Quantization,
    dtype: DType,
    narrow: bool = False,
    packer: native.Packer | None = None,
) -> np.ndarray:
    """Integers for float values: round(value / scale) + zero point, clipped to the type (or to -hi..hi if narrow).

    packer: they may not be there before it has finished.
    """
    assert dtype.lo is not None and dtype.hi is not None and dtype.numpy is not None
    if quantization.details is not None:
        scales = quantization.tensors["scales"].data
        assert scales is not None
        q = round_half_away(values.reshape(*scales.shape, -1).astype(np.float64) / scales[..., None].astype(np.float64))
        return np.asarray(np.clip(q, -dtype.hi, dtype.hi), dtype.numpy).reshape(values.shape)
    lo = -dtype.hi if narrow else dtype.lo
    zero_points = quantization.zero_point
    if dtype.lo < 0 and not (zero_points != zero_points[0]).any():
        return _codes(values, quantization, int(zero_points[0]), lo, dtype.hi, packer).astype(dtype.numpy, copy=False)
    shape = [1] * values.ndim
    if quantization.per_axis:
        shape[quantization.axis] = -1
    scale, zero = (v.reshape(shape if values.ndim else ()) for v in (quantization.scale, zero_points))
    q = round_half_away(values.astype(np.float64) / scale.astype(np.float64)) + zero
    return np.asarray(np.clip(q, lo, dtype.hi), dtype.numpy)


def bias(values: np.ndarray, quantization: Quantization, dtype: DType, label: str) -> np.ndarray:
    """Integers for a bias. values: (C,), scale: (C,) or (1,). Raises RangeError where one does not fit the type."""
    assert dtype.numpy is not None
    q = round_half_away(values.astype(np.float64) / quantization.scale.astype(np.float64))
    limit = 2.0 ** (dtype.bits - 1)
    if np.any(np.abs(q) >= limit):
        raise RangeError(f"{label}: bias {np.abs(q).max():.3g} in units of its scale, expected below {limit:.3g}")
    return np.asarray(q, dtype.numpy)


def raise_for_bias(scales: np.ndarray, input_scale: float, values: np.ndarray, limit: float) -> np.ndarray:
    """Weight scales, raised where |bias| / (input scale x weight scale) passes `limit`. All (C,), or scales (1,)."""
    least = np.abs(values.astype(np.float64)) / (input_scale * limit)
    least = least if scales.size > 1 else np.atleast_1d(np.max(least, initial=0.0))
    return np.asarray(np.maximum(scales, np.minimum(least, LARGEST_WEIGHT_SCALE)), np.float32)
