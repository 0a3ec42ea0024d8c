"""Activations: RELU and its bounded forms, LOGISTIC, TANH. One input, one output, element by element."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from pyquant.errors import RangeError
from pyquant.fixed import multiply, quantize_multiplier, round_half_away
from pyquant.native import libm
from pyquant.ops.clamp import saturate
from pyquant.ops.lut import lut_kernels
from pyquant.ops.operator import Call, Fixed, Floor, Kernel, Launch, Operator, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.ties import elementwise_ties

INFINITY = float("inf")


def same_shape(call: Call, x: Shape) -> list[Shape]:
    return [x]


def elements(call: Call, lo: float = -INFINITY, hi: float = INFINITY) -> Launch | None:
    """One unit is one element."""
    params = {"lo": lo, "hi": hi, "fused": int(call.fused)}
    return Launch(call["x"].size, params, in_place=True) if call["x"].dtype == call["y"].dtype else None


def relu(lo: float, hi: float, call: Call, x: np.ndarray) -> np.ndarray:
    bounded: np.ndarray = np.clip(x, np.float32(lo), np.float32(hi))
    return bounded


def relu_codes(lo: float, hi: float, call: Call, x: np.ndarray) -> np.ndarray:
    """Rescale, then clamp to the codes of the bounds."""
    source, y = call["x"], call["y"]
    m, e = quantize_multiplier(float(source.scale / y.scale))  # in float32
    scaled = multiply(x.astype(np.int64) - source.zero_point, m, e) + y.zero_point
    with np.errstate(over="ignore", invalid="ignore"):  # a bound may be infinite
        low, high = (y.zero_point + float(round_half_away(np.float32(bound) / y.scale)) for bound in (lo, hi))
    return saturate(np.clip(scaled, low, high), y)


def through_float(function: Callable[[np.ndarray], np.ndarray], call: Call, x: np.ndarray) -> np.ndarray:
    """8-bit codes by way of the real function, in float32. TFLite multiplies by the reciprocal of the output scale.

    What int32 does not hold is its least number in TFLite; LiteRT saturates.
    """
    source, y = call["x"], call["y"]
    real = function(source.scale * (x.astype(np.float32) - np.float32(source.zero_point)))
    codes = round_half_away(real * (np.float32(1) / y.scale)) + np.float32(y.zero_point)
    held = (np.abs(codes) < 2.0**31) | (call.numerics == "litert")
    return saturate(np.where(held, codes, -(2.0**31)), y)


def logistic(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), the way of the 8-bit tables."""
    y: np.ndarray = np.float32(1) / (np.float32(1) + libm("expf", -x))
    return y


def logistic_float(call: Call, x: np.ndarray) -> np.ndarray:
    """The float kernel takes shorter ways at both ends: 1 above, exp(x) below."""
    return np.where(x > np.float32(16.619047164916992), np.float32(1), np.where(x < -9, libm("expf", x), logistic(x)))


def tanh(x: np.ndarray) -> np.ndarray:
    return libm("tanhf", x)


def tanh_float(call: Call, x: np.ndarray) -> np.ndarray:
    return tanh(x)


def logistic_int16(call: Call, x: np.ndarray) -> np.ndarray:
    argument = _table_argument(call, x, powers=(-12,))
    above = _sigmoid(argument, bits=9, largest=0x7FFF << 10)
    result: np.ndarray = np.where(argument >= 0, above + 512, (1 << 25) - above + 511) >> 10
    return result.astype(np.int16)


def tanh_int16(call: Call, x: np.ndarray) -> np.ndarray:
    """2 sigmoid(2x) - 1"""
    argument = _table_argument(call, x, powers=(-12, -11))
    above = _sigmoid(argument, bits=8, largest=0xFFFF << 8) - (1 << 23)
    result: np.ndarray = np.where(argument >= 0, above + 128, 127 - above) >> 8
    return result.astype(np.int16)


def _table_argument(call: Call, x: np.ndarray, powers: tuple[int, ...]) -> np.ndarray:
    """x in units of 1 / (3 * 4096), those of the sigmoid table; exact if the scale is 2 to one of `powers`. -> int64"""
    scale = call["x"].scale
    log = float(np.log2(scale))
    if round(log) in powers and abs(log - round(log)) < 1e-3:
        return x.astype(np.int64) * (3 << (round(log) + 12))
    multiplier, shift = float(scale) * 4096 * 3, 0
    if scale >= TABLE["int16"]:
        raise RangeError(f"{call.label}: input scale {scale} must be below {TABLE['int16']}")
    while multiplier <= 32767 / 2 and shift <= 30:
        multiplier, shift = multiplier * 2, shift + 1
    return (x.astype(np.int64) * int(multiplier) + ((1 << shift) >> 1)) >> shift


def _sigmoid(argument: np.ndarray, bits: int, largest: int) -> np.ndarray:
    """sigmoid(|argument|) in units of 2**-(16 + bits), linear between the nodes of the table, 2**bits units apart."""
    position = np.abs(argument)
    i = np.minimum(position >> bits, 254)
    between = SIGMOID[i] * (1 << bits) + (position & ((1 << bits) - 1)) * (SIGMOID[i + 1] - SIGMOID[i])
    return np.where(position >> bits >= 255, largest, between)


def _sigmoid_table() -> np.ndarray:
    """65536 / (1 + exp(-t)) at 256 nodes t, 1/24 apart, lifted by half of the bend between nodes. -> (256,) int64"""
    at = 65536 / (1 + libm("exp", -np.arange(513) / 48))
    node, middle, following = at[0:511:2], at[1:512:2], at[2:513:2]
    table = np.floor(node + (middle - (node + following) / 2) / 2 + 0.5).astype(np.int64)
    table[255] = 65535
    return table


SIGMOID = _sigmoid_table()

# A RELU rescales, which leaves room for the left shift of a multiplier above 1.
RESCALED = Slot("y", floors=(Floor(("x",), {"int8": 2.0**-22, "int16": 2.0**-14}),))


def _relu(name: str, lo: float, hi: float, kinds: tuple[str, ...], activation: int | None = None) -> Operator:
    codes = partial(relu_codes, lo, hi)
    references: dict[str, Any] = {"float32": partial(relu, lo, hi), **dict.fromkeys(kinds, codes)}
    kernels = {
        "float32": Kernel("clamp_f32", "pq_activation", partial(elements, lo=lo, hi=hi)),
        **lut_kernels(codes, kinds),
    }
    return register(
        Operator(
            name,
            (Slot("x"),),
            (RESCALED,),
            same_shape,
            references,
            kernels=kernels,
            activation=activation,
            ties=elementwise_ties,
            homogeneous=(("x",),) if hi == INFINITY else (),
        )
    )


RELU = _relu("RELU", 0, INFINITY, ("int8", "uint8", "int16"), activation=1)
RELU_N1_TO_1 = _relu("RELU_N1_TO_1", -1, 1, ("int8", "uint8"), activation=2)
RELU6 = _relu("RELU6", 0, 6, ("int8", "uint8", "int16"), activation=3)
RELU_0_TO_1 = _relu("RELU_0_TO_1", 0, 1, ("int8", "uint8"))

# Of int16 a step of the input fits int32, in the units of the sigmoid table; that of int8 is looked up.
TABLE = {"int8": float("inf"), "int16": 2.0**31 / (4096 * 3)}

LOGISTIC = register(
    Operator(
        "LOGISTIC",
        inputs=(Slot("x", below=TABLE),),
        # TFLite quantization specification; uint8 as its kernel demands
        outputs=(Slot("y", scale=Fixed({"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)})),),
        shape=same_shape,
        ties=elementwise_ties,
        reference={
            "float32": logistic_float,
            "int8": partial(through_float, logistic),
            "uint8": partial(through_float, logistic),
            "int16": logistic_int16,
        },
        kernels={
            "float32": Kernel("logistic_f32", "pq_activation", elements),
            **lut_kernels(partial(through_float, logistic), ("int8", "uint8")),
            **lut_kernels(logistic_int16, ("int16",)),
        },
    )
)

TANH = register(
    Operator(
        "TANH",
        inputs=(Slot("x", below=TABLE),),
        # TFLite quantization specification
        outputs=(Slot("y", scale=Fixed({"int8": (1 / 128, 0), "uint8": (1 / 128, 128), "int16": (1 / 32768, 0)})),),
        shape=same_shape,
        ties=elementwise_ties,
        reference={
            "float32": tanh_float,
            "int8": partial(through_float, tanh),
            "uint8": partial(through_float, tanh),
            "int16": tanh_int16,
        },
        kernels={
            "float32": Kernel("tanh_f32", "pq_activation", elements),
            **lut_kernels(partial(through_float, tanh), ("int8", "uint8")),
            **lut_kernels(tanh_int16, ("int16",)),
        },
    )
)
