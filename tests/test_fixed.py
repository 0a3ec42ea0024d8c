"""Fixed-point arithmetic at its edges: ties, zero, the ends of int32, exponents from -31 to 30."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyquant import fixed
from pyquant.dtypes import INT8, INT16, UINT8
from pyquant.errors import RangeError

INT_MIN, INT_MAX = -(1 << 31), (1 << 31) - 1
int32 = st.integers(INT_MIN, INT_MAX)
multiplier = st.integers(1 << 30, INT_MAX)


def truncated(numerator: int, denominator: int) -> int:
    """C's integer division."""
    return abs(numerator) // abs(denominator) * (1 if (numerator < 0) == (denominator < 0) else -1)


@given(int32, int32)
def test_high_mul_is_the_nudged_truncating_division(a: int, b: int) -> None:
    product = a * b
    expected = truncated(product + (1 << 30 if product >= 0 else 1 - (1 << 30)), 1 << 31)
    assert fixed.saturating_doubling_high_mul(a, b) == min(expected, INT_MAX)


@given(int32, st.integers(0, 31))
def test_rounding_shift_is_half_away_from_zero(x: int, n: int) -> None:
    exact = Fraction(x, 1 << n)
    nearest = int(abs(exact) + Fraction(1, 2)) * (1 if x >= 0 else -1)
    assert fixed.rounding_shift_right(x, n) == nearest


@pytest.mark.parametrize(
    ("x", "n", "expected"),
    [
        (1, 1, 1),
        (-1, 1, -1),
        (3, 1, 2),
        (-3, 1, -2),
        (-2, 2, -1),
        (0, 31, 0),
        (INT_MIN, 31, -1),
        (INT_MAX, 31, 1),
        (INT_MIN, 0, INT_MIN),
    ],
)
def test_rounding_shift_ties_and_ends(x: int, n: int, expected: int) -> None:
    assert fixed.rounding_shift_right(x, n) == expected


@pytest.mark.parametrize(
    ("x", "d", "expected"),
    [
        (0, 0.7, 0),
        (5, 0.0, 0),
        (7, 1.0, 7),
        (INT_MIN, 1.0, 0),  # 1.0 is (2**30, 1), and the left shift wraps
        (INT_MAX, 0.5, 1 << 30),
        (INT_MIN, 0.5, -(1 << 30)),
        (-3, 0.5, -1),  # the doubled product ties upward, so the shift that follows has nothing to round
        (3, 0.5, 2),
        (-3, 0.25, -1),
        (100, 8.0, 800),
        (INT_MAX, 2.0**-32, 1),
    ],
)
def test_multiply(x: int, d: float, expected: int) -> None:
    assert fixed.multiply(x, *fixed.quantize_multiplier(d)) == expected


@given(int32, multiplier, st.integers(-31, 0))
def test_multiply_is_within_one_of_the_real_product(x: int, m: int, e: int) -> None:
    assert abs(int(fixed.multiply(x, m, e)) - Fraction(x * m, 1 << (31 - e))) <= 1


@given(st.integers(-(1 << 47) + 1, (1 << 47) - 1), multiplier, st.integers(-31, 7))
def test_multiply64_rounds_once_with_a_15_bit_multiplier(x: int, m: int, e: int) -> None:
    reduced = 0x7FFF if m >= 0x7FFF0000 else (m + (1 << 15)) // (1 << 16)
    expected = (2 * x * reduced + (1 << (15 - e))) // (1 << (16 - e))
    assert fixed.multiply64(x, m, e) == (expected + (1 << 31)) % (1 << 32) - (1 << 31)


def test_multiply64_differs_from_multiply() -> None:
    m, e = fixed.quantize_multiplier(0.0937)
    sums = np.arange(-300_000, 300_000)
    assert 0.001 < np.mean(fixed.multiply(sums, m, e) != fixed.multiply64(sums, m, e)) < 0.2


@given(st.floats(2.0**-31, 2.0**29))
def test_multiplier_is_the_nearest_with_31_bits(d: float) -> None:
    m, e = (int(v) for v in fixed.quantize_multiplier(d))
    assert 1 << 30 <= m <= INT_MAX
    assert abs(Fraction(m, 1 << 31) * Fraction(2) ** e - Fraction(d)) <= Fraction(d) / (1 << 30)


@pytest.mark.parametrize(
    ("d", "expected"),
    [
        (0.0, (0, 0)),
        (1.0, (1 << 30, 1)),
        (1 - 2.0**-40, (1 << 30, 1)),  # rounds up to 2**31, which is renormalized
        (2.0**-32, (1 << 30, -31)),
        (2.0**-33, (0, 0)),
        (-0.75, (-1610612736, 0)),
    ],
)
def test_multiplier_edges(d: float, expected: tuple[int, int]) -> None:
    assert tuple(int(v) for v in fixed.quantize_multiplier(d)) == expected


@pytest.mark.parametrize("d", [np.nan, np.inf, 2.0**30])
def test_multiplier_out_of_range(d: float) -> None:
    with pytest.raises(RangeError):
        fixed.quantize_multiplier(d)


def test_arrays_and_scalars_agree() -> None:
    reals = np.array([0.0, 1e-12, 0.3, 1.0, 77.0])
    m, e = fixed.quantize_multiplier(reals)
    assert [(int(a), int(b)) for a, b in zip(m, e, strict=True)] == [
        tuple(int(v) for v in fixed.quantize_multiplier(d)) for d in reals
    ]


@pytest.mark.parametrize(
    ("x", "expected"),
    [(0.5, 1), (-0.5, -1), (1.5, 2), (2.5, 3), (-2.5, -3), (0.49999999999999994, 0), (2.0**52 + 1, 2**52 + 1)],
)
def test_round_half_away(x: float, expected: float) -> None:
    assert fixed.round_half_away(x) == expected


@pytest.mark.parametrize(
    ("activation", "scale", "zero_point", "dtype", "expected"),
    [
        (0, 0.1, 3, INT8, (-128, 127)),
        (4, 0.1, 3, INT8, (-128, 127)),  # TANH is ignored
        (1, 0.1, -10, INT8, (-10, 127)),
        (1, 0.1, 0, UINT8, (0, 255)),
        (3, 6 / 255, -128, INT8, (-128, 127)),
        (3, 0.1, -100, INT8, (-100, -40)),
        (2, 0.25, 1, INT8, (-3, 5)),
        (3, 6 / 32767, 0, INT16, (0, 32767)),
    ],
)
def test_activation_range(
    activation: int, scale: float, zero_point: int, dtype: object, expected: tuple[int, int]
) -> None:
    assert fixed.activation_range(activation, np.float32(scale), zero_point, dtype) == expected  # type: ignore[arg-type]


def test_activation_bound_past_int32() -> None:
    with pytest.raises(RangeError):
        fixed.activation_range(3, np.float32(1e-12), 0, INT8)
