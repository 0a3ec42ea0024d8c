"""Functions of fixed-point numbers as gemmlowp approximates them for TFLite. In Qk an int32 x means x * 2**(k - 31)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pyquant.fixed import rounding_shift_right, saturating_doubling_high_mul

Integers = npt.NDArray[np.int64]
INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1

# Q0 of exp(-2**j): the factors of exp, one for each bit of its argument
EXP_FACTORS = {j: round(2**31 * float(np.exp(-(2.0**j)))) for j in range(-2, 5)}
EXP_EIGHTH = round(2**31 * float(np.exp(-1 / 8)))
ONE_THIRD = round(2**31 / 3)


def exp_negative(a: Integers, k: int) -> Integers:
    """exp(a) in Q0 for a <= 0 in Qk, k <= 5: a polynomial on the last quarter, a factor for each bit above it."""
    quarter = 1 << (31 - k - 2)
    last = (a & (quarter - 1)) - quarter
    y, rest = _exp_quarter(last << k), last - a
    for j, factor in EXP_FACTORS.items():
        if j < k:
            bit = 1 << (31 - k + j)
            y = np.where(rest & bit, saturating_doubling_high_mul(y, factor), y)
    return np.where(a == 0, INT32_MAX, y)


def _exp_quarter(a: Integers) -> Integers:
    """exp(a) for -1/4 <= a < 0, both Q0: the Taylor polynomial of fourth degree around -1/8."""
    mul = saturating_doubling_high_mul
    x = a + (1 << 28)
    x2 = mul(x, x)
    x3, x4 = mul(x2, x), mul(x2, x2)
    tail = rounding_shift_right(mul(rounding_shift_right(x4, 2) + x3, ONE_THIRD) + x2, 1)
    return EXP_EIGHTH + mul(EXP_EIGHTH, x + tail)


def one_over_one_plus(a: Integers) -> Integers:
    """1 / (1 + a) in Q0 for 0 <= a <= 1 in Q0: from 48/17 - 32/17 (1 + a)/2 by three steps of Newton's method in Q2."""
    mul = saturating_doubling_high_mul
    total = a + INT32_MAX
    half = (total + 1) >> 1  # total is never negative
    x = 1515870810 + mul(half, -1010580540)
    for _ in range(3):
        x = x + _shift_left(mul(x, (1 << 29) - mul(half, x)), 2)
    return _shift_left(x, 1)


def reciprocal(v: Integers, digits: int) -> tuple[Integers, Integers]:
    """1 / v for v > 0 in Q`digits` -> (r in Q0, n): the reciprocal is r / 2**n."""
    zeros = leading_zeros(v)
    return one_over_one_plus((v << zeros) - (1 << 31)), digits - zeros


def leading_zeros(v: Integers) -> Integers:
    """Of v > 0 in 32 bits."""
    return 32 - np.frexp(v.astype(np.float64))[1].astype(np.int64)


def _shift_left(x: Integers, n: int) -> Integers:
    shifted: Integers = np.clip(x << n, INT32_MIN, INT32_MAX)
    return shifted
