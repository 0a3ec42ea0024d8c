"""The constants of the C kernels of the convolution family: weights, biases, and what `finish` needs of the scales."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pyquant import fixed, native
from pyquant.dtypes import INT16
from pyquant.ops.hybrid import Dynamic
from pyquant.ops.operator import Call
from pyquant.ops.requantize import Requantization, weight_zero_point

# Kind of node -> the weights and biases that its C kernel takes.
_TYPES = {
    kind: (np.dtype(weights), np.dtype(bias))
    for kind, weights, bias in (
        ("float32", "float32", "float32"),
        ("int8", "int8", "int32"),
        ("uint8", "uint8", "int32"),
        ("int16", "int8", "int64"),
        ("hybrid", "int8", "float32"),
    )
}
_NO_RESCALING = {
    **dict.fromkeys(("multiplier", "exponent", "real", "device")),
    **dict.fromkeys(("wide", "once", "output_zero", "lo", "hi"), 0),
}
_NOT_DYNAMIC = {"weight_scales": None, "asymmetric": 0, "litert": 0, "stepwise": 0}


def kernel_constants(
    call: Call, rescaling: Callable[[Call], Requantization], dynamic: Callable[[Call], Dynamic]
) -> dict[str, Any] | None:
    """The fields of pq_conv2d and pq_depthwise_conv2d but for the geometry; by kind, rescaling or dynamic is asked.

    None for what the kernels do not take: weights or biases that are not constant, other types, zero points of
    16-bit activations.
    """
    x, w, y, b = call["x"], call["w"], call["y"], call.get("b")
    kind = call.kind
    weight_type, bias_type = _TYPES[kind]
    weights, bias = call.constant("w"), None if b is None else call.constant("b")
    if weights is None or (b is not None and bias is None):
        return None
    if weights.dtype != weight_type or x.dtype != y.dtype:
        return None
    zeros = (0, 0) if x.dtype.is_float else (x.zero_point, weight_zero_point(w))
    if x.dtype == INT16 and any(zeros):
        return None
    channels = y.shape[-1]
    lo, hi = fixed.activation_bounds(call.options.fused_activation_function)
    return {
        "weights": weights,
        "bias": bias if bias is None or bias.dtype == bias_type else bias.astype(bias_type),
        "input_zero": zeros[0],
        "weight_zero": zeros[1],
        **(_NO_RESCALING if x.dtype.is_float else _rescaling(rescaling(call), channels)),
        **({"once": 1} if call.numerics == "single-rounding" else {}),
        **(_dynamic(dynamic(call), channels) if kind == "hybrid" else _NOT_DYNAMIC),
        "float_lo": float(lo),
        "float_hi": float(hi),
    }


def _rescaling(how: Requantization, channels: int) -> dict[str, Any]:
    multiplier, exponent = native.rescaling(*how.scales, how.single, channels)
    if how.bits == 64 and not how.exact:
        fixed.multiply64(0, multiplier, exponent)  # raises RangeError for what it does not take
    return {
        "multiplier": multiplier,
        "exponent": exponent,
        "real": np.ascontiguousarray(np.broadcast_to(how.real, channels)) if how.exact else None,
        "device": None if how.device is None else np.ascontiguousarray(np.broadcast_to(how.device, channels)),
        "once": 0,
        "wide": int(how.bits == 64),
        "output_zero": how.zero_point,
        "lo": how.lo,
        "hi": how.hi,
    }


def _dynamic(how: Dynamic, channels: int) -> dict[str, Any]:
    return {
        "weight_scales": np.ascontiguousarray(np.broadcast_to(how.scales, channels)),
        "asymmetric": int(how.asymmetric),
        "litert": int(how.numerics == "litert"),
        "stepwise": int(how.stepwise),
    }
