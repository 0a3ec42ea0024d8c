"""LOG_SOFTMAX, L2_NORMALIZATION and LOCAL_RESPONSE_NORMALIZATION: along the last axis."""

from __future__ import annotations

import math

import numpy as np

from pyquant.fixed import multiply, quantize_multiplier, rounding_shift_right, saturating_doubling_high_mul, wrap32
from pyquant.native import libm
from pyquant.ops.activation import same_shape
from pyquant.ops.clamp import saturate
from pyquant.ops.gemmlowp import exp_negative, inverse_square_root, log_positive
from pyquant.ops.kinds import typed_kernels
from pyquant.ops.operator import Call, Fixed, Floor, Operator, Slot
from pyquant.ops.registry import register
from pyquant.ops.restate import refuse_mixing
from pyquant.ops.softmax import GREATEST, row_launch, softmax_shape
from pyquant.ops.ties import outer_ties

F = np.float32


def log_softmax_float(call: Call, x: np.ndarray) -> np.ndarray:
    below = x - x.max(-1, keepdims=True)
    total = np.cumsum(libm("expf", below), axis=-1)[..., -1:]
    result: np.ndarray = below - libm("logf", total)
    return result


def log_softmax_codes(call: Call, x: np.ndarray) -> np.ndarray:
    """int8 and uint8: the logarithm of the sum of exponentials, in steps of 1/16 from the largest code down."""
    source, y = call["x"], call["y"]
    m, e = (int(v) for v in quantize_multiplier(min(float(source.scale) * 2.0**26, GREATEST)))
    radius = math.floor(31 * 2.0**26 / 2.0**e)
    codes = x.astype(np.int64)
    below = codes - codes.max(-1, keepdims=True)
    inside = np.maximum(below, -radius)
    scaled = saturating_doubling_high_mul(inside << e, m)
    powers = np.where(below >= -radius, rounding_shift_right(exp_negative(scaled, 5), 12), 0)
    log_sum = log_positive(powers.sum(-1, keepdims=True), 12, 5)
    back_m, back_e = (int(v) for v in quantize_multiplier(2.0 ** (31 - e) / m))
    cut = np.maximum(-radius - 1, multiply(wrap32(log_sum - 2**31), back_m, back_e))
    lo, hi = y.dtype.limits
    result = rounding_shift_right(scaled - log_sum, 22) + hi
    return saturate(np.where(below > cut, result, lo), y)


def l2_float(call: Call, x: np.ndarray) -> np.ndarray:
    squares = np.cumsum(x * x, axis=-1, dtype=F)[..., -1:]
    result: np.ndarray = x / np.maximum(np.sqrt(squares), F(1e-6))
    return result


def l2_codes(call: Call, x: np.ndarray) -> np.ndarray:
    """In steps of 1/128: the sum of squares, its inverse root in fixed point. uint8 rounds in one step more."""
    source, y = call["x"], call["y"]
    value = x.astype(np.int64) - source.zero_point
    m, e = inverse_square_root((value * value).sum(-1, keepdims=True))
    if y.dtype.name == "uint8":
        return saturate(128 + rounding_shift_right(saturating_doubling_high_mul(128 * value, m), -e), y)
    return saturate(multiply(value, m, e + 7) + y.zero_point, y)


def local_response(call: Call, x: np.ndarray) -> np.ndarray:
    """x / (bias + alpha * sum of squares of the channels around) ** beta; from -radius to radius - 1."""
    options, channels = call.options, x.shape[-1]
    y = np.empty_like(x)
    for c in range(channels):
        near = x[..., max(c - options.radius, 0) : min(c + options.radius, channels)]
        total = np.cumsum(near * near, axis=-1, dtype=F)[..., -1] if near.shape[-1] else F(0)
        y[..., c] = x[..., c] * np.power(F(options.bias) + F(options.alpha) * total, F(-options.beta))
    return y


LOG_SOFTMAX = register(
    Operator(
        "LOG_SOFTMAX",
        options="LogSoftmaxOptions",
        inputs=(Slot("x", floors=(Floor((), {"int8": 2.0**-25}),)),),
        outputs=(Slot("y", scale=Fixed({"int8": (16 / 256, 127), "uint8": (16 / 256, 255)})),),
        shape=softmax_shape,
        ties=outer_ties,
        restate=lambda call, before, now, samples: refuse_mixing(call, samples and len(now[0] or ()) == 1),
        reference={"float32": log_softmax_float, "int8": log_softmax_codes, "uint8": log_softmax_codes},
        kernels=typed_kernels("log_softmax", "pq_softmax", row_launch, ("float32",)),
    )
)

L2_NORMALIZATION = register(
    Operator(
        "L2_NORMALIZATION",
        options="L2NormOptions",
        inputs=(Slot("x"),),
        outputs=(Slot("y", scale=Fixed({"int8": (1 / 128, 0), "uint8": (1 / 128, 128)})),),
        shape=softmax_shape,
        ties=outer_ties,
        reference={"float32": l2_float, "int8": l2_codes, "uint8": l2_codes},
        kernels=typed_kernels("l2_normalization", "pq_softmax", row_launch, ("float32",)),
    )
)

LOCAL_RESPONSE_NORMALIZATION = register(
    Operator(
        "LOCAL_RESPONSE_NORMALIZATION",
        options="LocalResponseNormalizationOptions",
        inputs=(Slot("x"),),
        outputs=(Slot("y"),),
        shape=same_shape,
        reference={"float32": local_response},
        operations=lambda call: call["x"].size * min(2 * call.options.radius + 1, call["x"].shape[-1]),
    )
)
