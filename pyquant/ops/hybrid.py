"""Float activations with int8 weights: activations are quantized at run time, here and in csrc/core/dynamic.h."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyquant.errors import UnsupportedOp
from pyquant.fixed import Integers, round_half_away
from pyquant.ops.operator import Call
from pyquant.ops.requantize import weight_scales


@dataclass(frozen=True)
class Dynamic:
    """How a hybrid node quantizes each row, or image, and what its sums stand for.

    stepwise: a sum is multiplied by the weight's scale, then by the row's; else by the product of both.
    """

    scales: np.ndarray  # of the weights, (1,) or (C,) float32
    asymmetric: bool
    numerics: str
    stepwise: bool = False

    def terms(self, rows: np.ndarray) -> tuple[Integers, np.ndarray]:
        """rows: (n, size) float32 -> their codes less the zero point, (n, size) int64, and scales, (n,) float32."""
        if not self.asymmetric:
            return quantize_symmetric(rows)
        q, scale, zero = quantize_asymmetric(rows, self.numerics)
        terms: Integers = q - zero[:, None]
        return terms, scale

    def real(self, sums: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """sums: (n, ..., C) int64, scale: (n,) -> float32"""
        scale = scale.reshape(-1, *(1,) * (sums.ndim - 1))
        values = sums.astype(np.float32)
        y: np.ndarray = values * self.scales * scale if self.stepwise else values * (self.scales * scale)
        return y


def dynamic(call: Call, asymmetric: bool, stepwise: bool = False) -> Dynamic:
    """Raises UnsupportedOp for weights that are not int8."""
    w = call["w"].dtype
    if w.numpy != np.int8:
        raise UnsupportedOp(f"{call.label}: float activations go with int8 weights, found {w}")
    return Dynamic(weight_scales(call), asymmetric, call.numerics, stepwise)


def quantize_symmetric(x: np.ndarray) -> tuple[Integers, np.ndarray]:
    """Quantize each row to -127..127 about zero. x: (rows, n) float32 -> (rows, n) int64, (rows,) float32 scales.

    A row without a number other than 0 has codes of 0.
    """
    peak = np.fmax.reduce(np.abs(x), axis=1, initial=0.0)  # as in C, what is not a number does not count here
    empty = peak == 0
    divisor = np.where(empty, np.float32(1), peak)
    scale = np.where(empty, np.float32(1), divisor / np.float32(127))
    q = round_half_away(x * (np.float32(127) / divisor)[:, None])
    return np.where(empty[:, None], 0, _codes(q, -127)), scale


def quantize_asymmetric(x: np.ndarray, numerics: str) -> tuple[Integers, np.ndarray, Integers]:
    """Quantize each row to -128..127. x: (rows, n) float32 -> (rows, n) int64, (rows,) float32 scales, zero points.

    TFLite 2.14 takes the range in double, LiteRT 2.3 in float32; 2.14 rounds after it has added the zero point, 2.3
    before.
    """
    lo, hi = np.fmin.reduce(x, axis=1, initial=0.0), np.fmax.reduce(x, axis=1, initial=0.0)
    empty = lo == hi
    low, high = lo.astype(np.float64), np.where(empty, np.float32(1), hi).astype(np.float64)
    span = high - low
    step = (span.astype(np.float32).astype(np.float64) if numerics == "litert" else span) / 255
    from_low, from_high = -128 - low / step, 127 - high / step
    nearer_low = 128 + np.abs(low / step) < 127 + np.abs(high / step)
    zero = _codes(round_half_away(np.where(nearer_low, from_low, from_high)), -128)
    scale = np.where(empty, np.float32(1), step.astype(np.float32))
    zero = np.where(empty, 0, zero)
    steps, shift = x * (np.float32(1) / scale)[:, None], zero.astype(np.float32)[:, None]
    q = round_half_away(steps) + shift if numerics == "litert" else round_half_away(shift + steps)
    return np.where(empty[:, None], 0, _codes(q, -128)), scale, zero


def _codes(q: np.ndarray, lo: int) -> Integers:
    """Whole numbers brought into lo..127, what is not a number to lo. -> int64"""
    codes: Integers = np.fmin(np.fmax(q, lo), 127).astype(np.int64)
    return codes
