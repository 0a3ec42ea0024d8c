"""From the integer sums of a convolution or matrix product to output codes: multiplier, rounding, clamp."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pyquant import fixed, native
from pyquant.dtypes import INT16, INT32, INT64
from pyquant.errors import GraphError, UnsupportedOp
from pyquant.graph import Tensor
from pyquant.ops.operator import Call


class Requantization(NamedTuple):
    """code = clamp(scaled(sum) + zero_point, lo, hi).

    The sum wraps at `bits` and is scaled by fixed.multiply at 32 bits, by fixed.multiply64 at 64 bits, or, where
    `exact`, by the double itself, rounded half away from zero; where `device`, as an Edge TPU does: in float32, by a
    float32 that is the product of scales times the reciprocal of the output's, rounded half to even.
    """

    scales: tuple[np.float32, np.ndarray, np.float32]  # of the input, the weights, (1,) or (C,), and the output
    single: bool  # the product of the first two is rounded to float32
    zero_point: int
    lo: int
    hi: int
    dtype: np.dtype[Any]
    bits: int = 32
    exact: bool = False
    device: np.ndarray | None = None  # (1,) or (C,) float32

    @property
    def real(self) -> np.ndarray:
        """What sums are multiplied by: (1,) or (C,) float64."""
        return native.real_multipliers(*self.scales, self.single)

    def __call__(self, sums: np.ndarray) -> np.ndarray:
        """sums: (..., C) int64 -> (..., C) codes."""
        if self.bits == 32:
            sums = fixed.wrap32(sums)
        if self.device is not None:
            scaled = np.rint(sums.astype(np.float32) * self.device)
        elif self.exact:
            scaled = fixed.round_half_away(sums.astype(np.float64) * self.real)
        else:
            scaled = (fixed.multiply if self.bits == 32 else fixed.multiply64)(
                sums, *fixed.quantize_multiplier(self.real)
            )
        codes: np.ndarray = np.clip(scaled + self.zero_point, self.lo, self.hi).astype(self.dtype)
        return codes


def requantization(call: Call, single: bool, bits: int = 32, exact: bool = False) -> Requantization:
    """How a node with the slots x, w, y scales its sums. single: the product of scales is rounded to float32 first."""
    y = call["y"]
    scale, zero_point = y.scale, y.zero_point
    lo, hi = fixed.activation_range(call.options.fused_activation_function, scale, zero_point, y.dtype)
    assert y.dtype.numpy is not None
    scales = call["x"].scale, weight_scales(call), scale
    device = device_multipliers(call) if call.numerics == "edgetpu" and bits == 32 else None
    return Requantization(scales, single, zero_point, lo, hi, y.dtype.numpy, bits, exact, device)


def device_multipliers(call: Call) -> np.ndarray:
    """What an Edge TPU multiplies the sums of a node with the slots x, w, y by: (1,) or (C,) float32."""
    multipliers: np.ndarray = (call["x"].scale * weight_scales(call)) * (np.float32(1) / call["y"].scale)
    return multipliers


def sum_bits(call: Call) -> int:
    """The width of the sums of a node with the slots x, w, b: 64 only for int16 activations, where the bias tells.

    TFLite 2.14 goes by the bias tensor, LiteRT 2.3 by the options, which must agree with it there.
    """
    if call["x"].dtype != INT16:
        return 32
    bias, declared = call.get("b"), call.options.quantized_bias_type
    if call.numerics != "litert":
        return 64 if bias is not None and bias.dtype == INT64 else 32
    if bias is not None and bias.dtype == INT32 and declared != INT32.code:
        raise UnsupportedOp(f"{call.label}: LiteRT reads an int32 bias as int64 unless quantized_bias_type says INT32")
    return 32 if declared == INT32.code else 64


def weight_scales(call: Call) -> np.ndarray:
    """The scales of slot w: (1,) or (output channels,) float32. Raises GraphError for another count."""
    w, channels = call["w"], call["y"].shape[-1]
    scales = np.zeros(0, np.float32) if w.quantization is None else w.quantization.scale
    if scales.size not in (1, channels):
        raise GraphError(f"{call.label}: weight {w.name!r} has {scales.size} scales, expected 1 or {channels}")
    return scales


def weight_zero_point(w: Tensor) -> int:
    """The one zero point of a weight; 0 where each channel has a scale, which is symmetric by specification."""
    return 0 if w.quantization is None or w.quantization.per_axis else w.zero_point
