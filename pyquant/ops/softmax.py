"""SOFTMAX along the last axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyquant import native
from pyquant.errors import GraphError, RangeError, ShapeError
from pyquant.fixed import (
    multiply,
    quantize_multiplier,
    rounding_shift_right,
    saturating_doubling_high_mul,
)
from pyquant.native import libm
from pyquant.ops.clamp import saturate
from pyquant.ops.gemmlowp import exp_negative, leading_zeros, reciprocal
from pyquant.ops.kinds import typed_kernels
from pyquant.ops.lut import int16_table, lookup
from pyquant.ops.operator import Call, Fixed, Floor, Launch, Operator, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.restate import refuse_mixing
from pyquant.ops.ties import outer_ties


def softmax_shape(call: Call, x: Shape) -> list[Shape]:
    if not x:
        raise ShapeError(f"{call.label}: expected at least one dimension, got a scalar")
    return [x]


def softmax_float(call: Call, x: np.ndarray) -> np.ndarray:
    """The sum grows element by element, in float32."""
    powers = libm("expf", (x - x.max(-1, keepdims=True)) * np.float32(call.options.beta))
    shares: np.ndarray = powers / np.cumsum(powers, axis=-1)[..., -1:]
    return shares


def softmax_8bit(call: Call, x: np.ndarray) -> np.ndarray:
    """x: int8 or uint8 -> 8 bits or int16, from the smallest code up."""
    y = call["y"]
    if y.dtype.lo is None:
        raise GraphError(f"{call.label}: output {y.name!r} cannot be {y.dtype}")
    codes = x.astype(np.int64)
    powers = exp_table(call)[codes.max(-1, keepdims=True) - codes]
    total = np.minimum(rounding_shift_right(powers, 12).sum(-1, keepdims=True), 2**32 - 1)
    scale, over = reciprocal(total, 12)
    shares = rounding_shift_right(saturating_doubling_high_mul(scale, powers), over + 31 - y.dtype.bits)
    return saturate(shares + y.dtype.lo, y)


def exp_table(call: Call) -> np.ndarray:
    """exp(-beta * s_x * i) in Q0 for i = 0..255 codes below the row's maximum, 0 where negligible. -> (256,) int64"""
    m, e, radius = _exp_scaling(call)
    below = np.arange(256, dtype=np.int64)
    powers = exp_negative(saturating_doubling_high_mul(-np.minimum(below, radius) << e, m), 5)
    return np.where(below <= radius, powers, 0)


def _exp_scaling(call: Call) -> tuple[int, int, int]:
    """The multiplier of codes, to Q5; and how many codes below the maximum its powers are negligible."""
    real = min(call.options.beta * float(call["x"].scale) * 2.0**26, GREATEST)
    if real <= 1:
        raise RangeError(f"{call.label}: beta {call.options.beta} times input scale {call['x'].scale} is below 2**-26")
    m, e = (int(v) for v in quantize_multiplier(real))
    return m, e, math.floor(31 * 2.0**26 / 2.0**e)  # 31: the argument of exp is Q5


def softmax_int16(call: Call, x: np.ndarray) -> np.ndarray:
    m, e = int16_multiplier(call)
    codes = x.astype(np.int64)
    below = multiply(codes - codes.max(-1, keepdims=True), m, e) + 32767  # exp's table covers -10..0
    powers = lookup(EXP, np.clip(below, -32768, 32767))
    total = np.minimum(powers.sum(-1, keepdims=True), 2**31 - 1)
    zeros = leading_zeros(total)
    fraction = ((total << (zeros - 1)) + (1 << 13)) >> 14  # of 1 + x, 0 <= x <= 1, in units of 2**-16
    scale = lookup(RECIPROCAL, np.clip(fraction - 98304, -32768, 32767))
    shares = (powers * scale + (1 << (30 - zeros))) >> (31 - zeros)
    return saturate(np.maximum(shares, 0), call["y"])


def int16_multiplier(call: Call) -> tuple[int, int]:
    """From steps of the input to steps of the table of exp, 10 / 65535."""
    scaled = call["x"].scale * np.float32(call.options.beta)  # in float32
    m, e = quantize_multiplier(float(scaled) / (10 / 65535))
    return int(m), int(e)


GREATEST = 2.0**30 - 0.5  # multiplier that fits: int32 with a shift of 30
EXP = int16_table(lambda x: libm("exp", x), -10.0, 0.0, 2.0**15)
RECIPROCAL = int16_table(lambda x: 1 / (1 + x), 0.0, 1.0, 2.0**15)


def softmax_params(call: Call) -> Launch | None:
    """One unit is one row."""
    x, y = call["x"], call["y"]
    narrow = x.dtype.name in ("int8", "uint8")
    types = ("int8", "uint8", "int16") if narrow else (x.dtype.name,)
    if y.dtype.name not in types or x.size == 0:
        return None
    m, e = int16_multiplier(call) if x.dtype.name == "int16" else (0, 0)
    powers = native.exp_table(*_exp_scaling(call)) if narrow else None
    tables: dict[str, Any] = {"powers": powers, "exp": EXP, "reciprocal": RECIPROCAL}
    output = {"lo": y.dtype.lo if narrow else 0, "wide": int(y.dtype.bits == 16)}
    return row_launch(call, beta=call.options.beta, multiplier=m, exponent=e, **tables, **output)


def row_launch(call: Call, **fields: Any) -> Launch | None:
    """pq_softmax; one unit is one row."""
    x = call["x"]
    if x.size == 0 or (x.dtype.is_float and call["y"].dtype != x.dtype):
        return None
    params: dict[str, Any] = {
        "depth": x.shape[-1],
        "fused": int(call.fused),
        **dict.fromkeys(("beta", "lo", "wide", "multiplier", "exponent"), 0),
    }
    params |= {**dict.fromkeys(("powers", "exp", "reciprocal")), **fields}
    return Launch(x.size // x.shape[-1], params, cost=20 * x.shape[-1], in_place=True)


SOFTMAX = register(
    Operator(
        "SOFTMAX",
        options="SoftmaxOptions",
        # beta * s_x * 2**26 in the 8-bit kernel must be above 1, beta * s_x * 6554 in the other below 2**30
        inputs=(Slot("x", floors=(Floor((), {"int8": 2.0**-25}),), below={"int16": 2.0**16}),),
        # TFLite quantization specification; uint8 as its kernel demands
        outputs=(Slot("y", scale=Fixed({"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)})),),
        shape=softmax_shape,
        ties=outer_ties,
        restate=lambda call, before, now, samples: refuse_mixing(call, samples and len(now[0] or ()) == 1),
        reference={
            "float32": softmax_float,
            "int8": softmax_8bit,
            "uint8": softmax_8bit,
            "int16": softmax_int16,
        },
        kernels=typed_kernels("softmax", "pq_softmax", softmax_params),
    )
)
