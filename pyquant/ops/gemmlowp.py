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

# Q0 of the coefficients of log
FOURTH_ROOT = 2.0**0.25
SQRT_HALF, ROOT, LN_2 = (round(2**31 * c) for c in (2**-0.5, 1 / FOURTH_ROOT, float(np.log(2))))
LOG_N, LOG_D, LOG_I, LOG_F = (
    round(2**31 * c) for c in (11 / 240 * FOURTH_ROOT, FOURTH_ROOT / 20, 2 / FOURTH_ROOT - FOURTH_ROOT, FOURTH_ROOT / 4)
)


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


# The same in 16 bits: Qk of an int16 x is x * 2**(k - 15), and constants are those of 32 bits, rounded to 16.


def logistic16(a: Integers) -> Integers:
    """1 / (1 + exp(-a)) for a in Q3.12, as int16 values -> Q0"""
    size = np.abs(a)
    above = _one_over_one_plus16(_exp_negative16(-size, 3))
    y: Integers = np.where(a > 0, above, 32767 - above)
    return np.where(a == 0, 16384, y)


def tanh16(a: Integers, k: int) -> Integers:
    """tanh(a) for a in Qk -> Q0"""
    power = _exp_negative16(-np.abs(a), k + 1)  # of -2|a|
    above = np.clip((_newton16(power) - (1 << 13)) << 2, -32768, 32767)
    y: Integers = np.where(a > 0, above, -above)
    return np.where(a == 0, 0, y)


def mul16(a: Integers | int, b: Integers | int) -> Integers:
    """The product of Qj and Qk in Q(j + k), rounded half up"""
    high: Integers = np.clip((np.asarray(a, np.int64) * b + (1 << 14)) >> 15, -32768, 32767)
    return high


def _wrap16(a: Integers) -> Integers:
    wrapped: Integers = (a + 32768) % 65536 - 32768
    return wrapped


def _c16(constant: int) -> int:
    return int(rounding_shift_right(constant, 16))


def _exp_negative16(a: Integers, k: int) -> Integers:
    """exp(a) in Q0 for a <= 0 in Qk of 16 bits."""
    shift = 15 - k - 2
    quarter = 1 << shift if shift >= 0 else 0
    last = (a & (quarter - 1)) - quarter
    y, rest = _exp_quarter16(_wrap16(last << k)), last - a
    for j, factor in EXP_FACTORS.items():
        if j < k and 15 - k + j >= 0:
            y = np.where(rest & (1 << (15 - k + j)), mul16(y, _c16(factor)), y)
    if k > 5:
        y = np.where(a < -(32 << (15 - k)), 0, y)
    return np.where(a == 0, 32767, y)


def _exp_quarter16(a: Integers) -> Integers:
    x = _wrap16(a + (1 << 12))
    x2 = mul16(x, x)
    x3, x4 = mul16(x2, x), mul16(x2, x2)
    tail = rounding_shift_right(_wrap16(mul16(_wrap16(rounding_shift_right(x4, 2) + x3), _c16(ONE_THIRD)) + x2), 1)
    eighth = _c16(EXP_EIGHTH)
    y: Integers = np.clip(eighth + mul16(eighth, _wrap16(x + tail)), -32768, 32767)
    return y


def _newton16(a: Integers) -> Integers:
    """1 / (1 + a) in Q2... of half the denominator: as one_over_one_plus, before its last shift."""
    total = a + 32767
    half = np.where(total >= 0, total + 1, total - 1)
    half = np.sign(half) * (np.abs(half) // 2)
    x = _wrap16(_c16(1515870810) + mul16(half, _c16(-1010580540)))
    for _ in range(3):
        rest = _wrap16((1 << 13) - mul16(half, x))
        x = _wrap16(x + np.clip(mul16(x, rest) << 2, -32768, 32767))
    return x


def _one_over_one_plus16(a: Integers) -> Integers:
    y: Integers = np.clip(_newton16(a) << 1, -32768, 32767)
    return y


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


def inverse_square_root(v: Integers) -> tuple[Integers, Integers]:
    """1 / sqrt(v) for v >= 0 -> (m, e) as of fixed.multiply: five steps of Newton's method in Q3; (1, 0) up to 1."""
    mul = saturating_doubling_high_mul
    shift = np.full(v.shape, 11, np.int64)
    value = np.maximum(v, 1)
    while np.any(large := value >= 1 << 29):
        value, shift = np.where(large, value >> 2, value), shift + large
    spare = (leading_zeros(value) - 1) // 2 - 1
    shift = shift - spare
    half_of = rounding_shift_right((value << (2 * spare)) >> 1, 1)
    x = np.full(v.shape, 1 << 28, np.int64)
    for _ in range(5):
        cube = _shift_left(mul(mul(x, x), x), 6)
        x = _shift_left(mul(3 << 27, x) - mul(half_of, cube), 3)
    x = mul(x, 1518500250)  # sqrt(1/2)
    x, shift = np.where(shift < 0, x << np.maximum(-shift, 0), x), np.maximum(shift, 0)
    return np.where(v <= 1, INT32_MAX, x), np.where(v <= 1, 0, -shift)


def log_positive(v: Integers, i: int, o: int) -> Integers:
    """log(v) in Qo for v >= 1 in Qi: the power of two, and a quotient of polynomials for the rest, around 2**(-1/4)."""
    mul = saturating_doubling_high_mul
    bits = o + 1  # of the sum, which has room for a doubling
    quarter = rounding_shift_right(1 << 29, bits)
    zeros = leading_zeros(v)
    rest_a = _shift_left(mul(v << (zeros - 1), SQRT_HALF), 1)
    power_a = _shift_left(i - zeros, 31 - bits) + quarter
    room = leading_zeros(np.maximum(mul(v, SQRT_HALF), 1)) - 1
    rest_b = _shift_left(v, room)
    power_b = _shift_left(i - room, 31 - bits) - quarter
    rest, power = np.minimum(rest_a, rest_b), np.maximum(power_a, power_b)
    total = rest + ROOT
    mean = np.where(total >= 0, total + 1, -((1 - total) // 2 * 2)) // 2
    q = 2 * (rest - ROOT)
    square = mul(q, q)
    numerator = mul(q, rest) + mul(mul(q, square), LOG_N)
    denominator = mul(mean, LOG_I + q + mul(LOG_D, square)) + mul(LOG_F, q)
    fraction = mul(rounding_shift_right(numerator, bits), one_over_one_plus(denominator))
    return _shift_left(mul(power, LN_2) + fraction, 1)


def leading_zeros(v: Integers) -> Integers:
    """Of v > 0 in 32 bits."""
    return 32 - np.frexp(v.astype(np.float64))[1].astype(np.int64)


def _shift_left(x: Integers, n: Integers | int) -> Integers:
    shifted: Integers = np.clip(x << n, INT32_MIN, INT32_MAX)
    return shifted
