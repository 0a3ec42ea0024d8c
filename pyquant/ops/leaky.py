"""Activations with a slope below zero: LEAKY_RELU, PRELU; and HARD_SWISH in its own fixed point."""

from __future__ import annotations

import numpy as np

from pyquant.errors import RangeError, ShapeError
from pyquant.fixed import multiply, quantize_multiplier, rounding_shift_right
from pyquant.ops.activation import elements, same_shape
from pyquant.ops.binary import binary_launch, multipliers
from pyquant.ops.clamp import saturate
from pyquant.ops.kinds import QUANTIZED, typed_kernels
from pyquant.ops.lut import lut_kernels
from pyquant.ops.operator import Call, Floor, Kernel, Launch, Operator, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.ties import elementwise_ties

F = np.float32
ABOVE = Slot("y", floors=(Floor(("x",), {"int8": 2.0**-22, "int16": 2.0**-14}),))


def leaky_float(call: Call, x: np.ndarray) -> np.ndarray:
    y: np.ndarray = np.where(x > 0, x, x * F(call.options.alpha))
    return y


def leaky_codes(call: Call, x: np.ndarray) -> np.ndarray:
    source, y = call["x"], call["y"]
    value = x.astype(np.int64) - source.zero_point
    above = multiply(value, *quantize_multiplier(float(source.scale / y.scale)))
    slope = float(source.scale * F(call.options.alpha) / y.scale)
    m, e = quantize_multiplier(abs(slope))
    below = multiply(value, m, e) * (-1 if slope < 0 else 1)
    return saturate(np.where(value >= 0, above, below) + y.zero_point, y)


def leaky_launch(call: Call) -> Launch | None:
    return elements(call, lo=call.options.alpha)


def prelu_shape(call: Call, x: Shape, alpha: Shape) -> list[Shape]:
    try:
        if np.broadcast_shapes(x, alpha) == x:
            return [x]
    except ValueError:
        pass
    raise ShapeError(f"{call.label}: slopes {alpha} do not broadcast to {x}")


def prelu_float(call: Call, x: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    y: np.ndarray = np.where(x >= 0, x, x * alpha)
    return y


def prelu_codes(call: Call, x: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    p = prelu_scaling(call)
    value = x.astype(np.int64) - p["a_zero"]
    above = multiply(value, p["a_multiplier"], p["a_exponent"])
    below = multiply(value * (alpha.astype(np.int64) - p["b_zero"]), p["multiplier"], p["exponent"])
    return saturate(np.where(value >= 0, above, below) + p["zero_point"], call["y"])


def prelu_scaling(call: Call) -> dict[str, int]:
    x, alpha, y = call["x"], call["alpha"], call["y"]
    zeros = {"a_zero": x.zero_point, "b_zero": alpha.zero_point, "zero_point": y.zero_point}
    return {**zeros, **multipliers(float(x.scale / y.scale), 0, float(x.scale * alpha.scale / y.scale))}


def prelu_params(call: Call) -> Launch | None:
    return binary_launch(call, {} if call["x"].dtype.is_float else prelu_scaling(call))


def hard_swish(call: Call, x: np.ndarray) -> np.ndarray:
    y: np.ndarray = x * np.clip(x + F(3), F(0), F(6)) / F(6)
    return y


def hard_swish_codes(call: Call, x: np.ndarray) -> np.ndarray:
    """x times a ramp from -3 to 3, both as int16: the ramp by saturation, the product without rounding."""
    source, y = call["x"], call["y"]
    fine = source.scale / F(128)
    (m_out, e_out), (m_ramp, e_ramp) = (_half(d) for d in (fine / y.scale, fine / F(3 / 32768)))
    if e_out > 0:
        raise RangeError(f"{call.label}: output scale {y.scale} must be above {fine}")
    high = ((x.astype(np.int64) - source.zero_point) * 128 + 32768) % 65536 - 32768
    ramp = high
    if e_ramp > 0:
        ramp = _saturate16(ramp << (e_ramp - 1))
    ramp = _high16(ramp, m_ramp)
    if e_ramp > 0:
        ramp = _saturate16(ramp << 1)
    if e_ramp < 0:
        ramp = rounding_shift_right(ramp, -e_ramp)
    ramp = (ramp + (1 << 15)) >> 1
    product = ramp * _high16(high, m_out)
    product = np.where(product < 0, -(-product >> 15), product >> 15)
    return saturate(rounding_shift_right(product, -e_out) + y.zero_point, y)


def _half(real: np.float32) -> tuple[int, int]:
    """A multiplier of 16 bits and its exponent."""
    m, e = (int(v) for v in quantize_multiplier(float(real)))
    return (32767 if m >= 2**31 - 1 - 2**15 else (m + 2**15) >> 16), e


def _high16(a: np.ndarray, b: int) -> np.ndarray:
    """The high word of 2ab in 16 bits, to nearest, ties toward +infinity."""
    return _saturate16((a * b + (1 << 14)) >> 15)


def _saturate16(x: np.ndarray) -> np.ndarray:
    saturated: np.ndarray = np.clip(x, -32768, 32767)
    return saturated


LEAKY_RELU = register(
    Operator(
        "LEAKY_RELU",
        options="LeakyReluOptions",
        inputs=(Slot("x"),),
        outputs=(ABOVE,),
        shape=same_shape,
        ties=elementwise_ties,
        reference={"float32": leaky_float, **dict.fromkeys(QUANTIZED, leaky_codes)},
        homogeneous=(("x",),),
        kernels={"float32": Kernel("leaky_relu_f32", "pq_activation", leaky_launch), **lut_kernels(leaky_codes)},
    )
)

PRELU = register(
    Operator(
        "PRELU",
        inputs=(Slot("x"), Slot("alpha")),
        outputs=(Slot("y", floors=(*ABOVE.floors, Floor(("x", "alpha"), {"int8": 2.0**-14, "int16": 1.0}))),),
        shape=prelu_shape,
        ties=elementwise_ties,
        reference={"float32": prelu_float, **dict.fromkeys(QUANTIZED, prelu_codes)},
        kernels=typed_kernels("prelu", "pq_binary", prelu_params, doubly=True),
        homogeneous=(("x",),),
        unserved=("int16",),  # whose one kernel misplaces slopes that broadcast
    )
)

HARD_SWISH = register(
    Operator(
        "HARD_SWISH",
        options="HardSwishOptions",
        # the ramp, which starts from s_x * 85, is shifted left within int16
        inputs=(Slot("x", below={"int8": 2.0**8}),),
        outputs=(Slot("y", floors=(Floor(("x",), {"int8": 2.0**-6}),)),),
        shape=same_shape,
        ties=elementwise_ties,
        reference={"float32": hard_swish, "int8": hard_swish_codes, "uint8": hard_swish_codes},
        kernels={
            "float32": Kernel("hard_swish_f32", "pq_activation", elements),
            **lut_kernels(hard_swish_codes, ("int8", "uint8")),
        },
    )
)
