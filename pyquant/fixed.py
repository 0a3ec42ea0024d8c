"""Fixed-point arithmetic as TensorFlow Lite's reference kernels do it; the twin of csrc/core/fixed.h.

A real multiplier is a pair (m, e): m / 2**31 * 2**e. All is computed in int64 and wraps where the kernels hold int32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pyquant import native
from pyquant.dtypes import DType
from pyquant.errors import GraphError, RangeError

Integers = npt.NDArray[np.int64]

FLOAT32_MAX = float(np.finfo(np.float32).max)
# ActivationFunctionType -> the real bounds it clamps to; any other code leaves the whole type range.
ACTIVATION_BOUNDS: dict[int, tuple[float | None, float | None]] = {1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0)}


def round_half_away(x: npt.ArrayLike) -> Any:
    """The nearest integer, ties away from zero, in the type of x: C's `round`."""
    values = np.asarray(x)
    whole = np.trunc(values)
    return whole + np.copysign(np.abs(values - whole) >= 0.5, values).astype(values.dtype)


def quantize_multiplier(d: npt.ArrayLike) -> tuple[Integers, Integers]:
    """Split real multipliers (doubles, any shape) into (m, e), 2**30 <= |m| < 2**31; below 2**-32 they become (0, 0).

    Raises RangeError for what is not finite or needs a left shift of more than 30 bits.

    >>> m, e = quantize_multiplier(0.75)
    >>> int(m), int(e)
    (1610612736, 0)
    """
    if isinstance(d, float):
        (one,), (shift,) = native.quantize_multipliers(np.array([d])).tolist()
        return one, shift
    real = np.asarray(d, np.float64)
    m, e = native.quantize_multipliers(np.ravel(real)).astype(np.int64).reshape(2, *real.shape)
    return m[()], e[()]


def saturating_doubling_high_mul(a: npt.ArrayLike, b: npt.ArrayLike) -> Integers:
    """The high word of 2*a*b of int32 values, to nearest, ties toward +infinity; only -2**31 squared saturates."""
    high: Integers = (np.asarray(a, np.int64) * np.asarray(b, np.int64) + (1 << 30)) >> 31
    return np.minimum(high, np.int64((1 << 31) - 1))


def rounding_shift_right(x: npt.ArrayLike, n: npt.ArrayLike) -> Integers:
    """x / 2**n for int32 x and 0 <= n <= 31, rounded to nearest with ties away from zero."""
    value, bits = np.asarray(x, np.int64), np.asarray(n, np.int64)
    mask = (np.int64(1) << bits) - 1
    return (value >> bits) + ((value & mask) > (mask >> 1) + (value < 0))


_ONCE: ContextVar[bool] = ContextVar("rounded once", default=False)


@contextmanager
def rounded_once(once: bool = True) -> Iterator[None]:
    """Within it `multiply` rounds once, as TFLite does where it is built with single rounding, and CMSIS-NN."""
    token = _ONCE.set(once)
    try:
        yield
    finally:
        _ONCE.reset(token)


def multiply(x: npt.ArrayLike, m: npt.ArrayLike, e: npt.ArrayLike) -> Integers:
    """int32 x times the real multiplier (m, e), rounded twice; the left shift of a positive e wraps in int32.

    Within `rounded_once`: rounded once, half up, and e at most 30.
    """
    exponent = np.asarray(e, np.int64)
    if _ONCE.get():
        shift = 31 - np.minimum(exponent, 30)
        factor = np.where(exponent > 30, (1 << 31) - 1, np.asarray(m, np.int64))
        return wrap32((np.asarray(x, np.int64) * factor + (np.int64(1) << (shift - 1))) >> shift)
    shifted = wrap32(np.asarray(x, np.int64) << np.maximum(exponent, 0))
    return rounding_shift_right(saturating_doubling_high_mul(shifted, m), np.maximum(-exponent, 0))


def multiply64(x: npt.ArrayLike, m: npt.ArrayLike, e: npt.ArrayLike) -> Integers:
    """int64 x, |x| < 2**47, times (m, e) with m cut to 15 bits; rounded once, half up. RangeError if e >= 15."""
    exponent, multiplier = np.asarray(e, np.int64), np.asarray(m, np.int64)
    if np.any(exponent >= 15):
        raise RangeError(f"a multiplier of a 64-bit sum must be below 2**14, found exponent {exponent.max()}")
    reduced = np.where(multiplier >= 0x7FFF0000, 0x7FFF, (multiplier + (1 << 15)) >> 16)
    shift = 15 - exponent
    return wrap32((np.asarray(x, np.int64) * reduced + (np.int64(1) << (shift - 1))) >> shift)


def wrap32(x: npt.ArrayLike) -> Integers:
    """The low 32 bits as a signed number, in int64."""
    return np.asarray(x, np.int64).astype(np.int32).astype(np.int64)


def activation_range(activation: int, scale: float | np.float32, zero_point: int, dtype: DType) -> tuple[int, int]:
    """The codes that a fused activation clamps a quantized output to. Raises RangeError for a bound past int32."""
    lo, hi = dtype.lo, dtype.hi
    if lo is None or hi is None:
        raise GraphError(f"a quantized output cannot be {dtype}")
    low, high = ACTIVATION_BOUNDS.get(int(activation), (None, None))
    if low is not None:
        lo = max(lo, _code(low, scale, zero_point))
    if high is not None:
        hi = min(hi, _code(high, scale, zero_point))
    return lo, hi


def activation_bounds(activation: int, most: float = FLOAT32_MAX) -> tuple[np.float32, np.float32]:
    """The bounds that a fused activation clamps a float output to; where it has none, -most and most.

    By default no output is infinite, as in TFLite's kernels but those of recurrent operators.
    """
    return _bounds(int(activation), most)


@cache
def _bounds(activation: int, most: float) -> tuple[np.float32, np.float32]:
    low, high = ACTIVATION_BOUNDS.get(activation, (None, None))
    return np.float32(-most if low is None else low), np.float32(most if high is None else high)


def _code(real: float, scale: float | np.float32, zero_point: int) -> int:
    single = float(np.float32(scale))
    if not real and 0.0 < single < math.inf:
        return int(zero_point)
    steps = real / single if single else math.inf
    if abs(steps) < 2.0**31:
        steps = float(np.float32(steps))  # as a division of singles: doubles have more than twice their bits
    if not abs(steps) < 2.0**31:
        raise RangeError(f"activation bound {real} is {steps} steps of scale {scale}, more than int32 holds")
    return int(zero_point) + int(steps + math.copysign(0.5, steps))  # half away from zero
