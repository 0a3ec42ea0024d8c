"""Functions of two numbers beyond sums and products: DIV, MAXIMUM, SQUARED_DIFFERENCE, POW and their like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pyquant.dtypes import INT8
from pyquant.errors import RangeError, ShapeError
from pyquant.fixed import multiply, quantize_multiplier, rounding_shift_right, saturating_doubling_high_mul
from pyquant.ops.binary import binary_launch, broadcast_shape, multipliers, restate
from pyquant.ops.clamp import clamp, saturate
from pyquant.ops.gemmlowp import leading_zeros, reciprocal
from pyquant.ops.kinds import ACTIVATIONS, QUANTIZED, RELUS, WHOLE, typed_kernels
from pyquant.ops.operator import Call, Fill, Floor, Kernel, Launch, Operator, Reference, SameAs, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.ties import elementwise_ties

Pair = Callable[[np.ndarray, np.ndarray], np.ndarray]


def of_arrays(function: Pair) -> Reference:
    return lambda call, a, b: np.asarray(function(a, b))


def divide_float(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return clamp(call, a / b)


def divide_int(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Toward zero, as in C."""
    _refuse_zero(call, b)
    quotient = np.abs(a.astype(np.int64)) // np.abs(b.astype(np.int64))
    return clamp(call, np.where((a < 0) != (b < 0), -quotient, quotient))


def _refuse_zero(call: Call, b: np.ndarray) -> None:
    if np.any(b == 0):
        raise RangeError(f"{call.label}: division by zero")


def divide_codes(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """By the reciprocal in fixed point. Right shifts of 32 and more are what x86 makes of them."""
    x, d, y = call["a"], call["b"], call["y"]
    top, below = np.broadcast_arrays(a.astype(np.int64) - x.zero_point, b.astype(np.int64) - d.zero_point)
    _refuse_zero(call, below)
    top, below = np.where(below < 0, -top, top), np.abs(below)
    m, e = quantize_multiplier(float(x.scale / (d.scale * y.scale)))
    inverse, over = reciprocal(below, 31)
    size = np.where(top < 0, -2 * top - 1, np.maximum(top, 1))  # its leading zeros tell how far it can go left
    room = np.where(top == 0, 31, leading_zeros(size) - (top > 0))
    quotient = saturating_doubling_high_mul(saturating_doubling_high_mul(top << room, inverse), m)
    shift = -(e - over - room)
    near = rounding_shift_right(quotient, np.clip(shift, 0, 31))
    far = (quotient >> np.clip(shift - 32, 0, 31)) + (quotient >= 0)
    return clamp(
        call, np.where(shift >= 32, far, np.where(shift < 0, quotient << np.maximum(-shift, 0), near)) + y.zero_point
    )


def greater(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """b where either is NaN."""
    return np.where(a > b, a, b)


def less(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(a < b, a, b)


def squared_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.square(a - b))


def squared_difference_codes(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Both at twice the larger scale with 7 more bits, as in a sum; the square from there to the output."""
    p = squared_difference_scaling(call)
    first, second = (
        multiply((codes.astype(np.int64) - p[f"{x}_zero"]) << p["left"], p[f"{x}_multiplier"], p[f"{x}_exponent"])
        for codes, x in ((a, "a"), (b, "b"))
    )
    square = (first - second) ** 2
    return saturate(multiply(square, p["multiplier"], p["exponent"]) + p["zero_point"], call["y"])


def squared_difference_scaling(call: Call) -> dict[str, int]:
    a, b, y = call["a"], call["b"], call["y"]
    twice = float(np.float32(2) * max(a.scale, b.scale))
    out = twice * twice / float(np.float32(1 << 14) * y.scale)
    if out >= 1:
        raise RangeError(f"{call.label}: output scale {y.scale} must be above {twice * twice / (1 << 14)}")
    zeros = {"a_zero": a.zero_point, "b_zero": b.zero_point, "zero_point": y.zero_point}
    return {**zeros, "left": 7, **multipliers(float(a.scale) / twice, float(b.scale) / twice, out)}


def squared_difference_params(call: Call) -> Launch | None:
    return binary_launch(call, squared_difference_scaling(call) if call["a"].dtype is INT8 else {})


def power_int(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """In double; the least int32 for what int32 does not hold, as x86 has it. Raises RangeError for b < 0."""
    if np.any(b < 0):
        raise RangeError(f"{call.label}: a negative power of an integer")
    with np.errstate(over="ignore"):
        powers = np.power(a.astype(np.float64), b)
    return np.where(np.abs(powers) < 2.0**31, powers, -(2.0**31)).astype(np.int32)


def power(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.power(a, b))


def floor_divide(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Floats by their quotient in double."""
    _refuse_zero(call, b)
    if a.dtype.kind == "f":
        return np.asarray(np.floor(a.astype(np.float64) / b).astype(a.dtype))
    return np.asarray(a // b)


def floor_modulo(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """With the sign of the divisor. The rest of floats divided by 0 is NaN."""
    if a.dtype.kind != "f":
        _refuse_zero(call, b)
    rest = np.fmod(a, b)
    return np.asarray(np.where((rest != 0) & ((b < 0) != (rest < 0)), rest + b, rest).astype(a.dtype))


def shift_right(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Arithmetic; shifts outside the width of the type are those of its ends."""
    return np.asarray(a >> np.clip(b, 0, a.dtype.itemsize * 8 - 1).astype(b.dtype))


def added_shape(call: Call, *shapes: Shape) -> list[Shape]:
    if any(s != shapes[0] for s in shapes):
        raise ShapeError(f"{call.label}: shapes {', '.join(map(str, shapes))}, expected one")
    return [shapes[0]]


def add_all(call: Call, *arrays: np.ndarray) -> np.ndarray:
    total = arrays[0].copy()
    for a in arrays[1:]:
        total = clamp(call, total + a)
    return total


def plain(call: Call) -> Launch | None:
    return binary_launch(call, {})


def quotient(call: Call) -> Launch | None:
    """The kernel reports a divisor of 0, so that its inputs must outlive it."""
    launch = binary_launch(call, {})
    return launch and launch._replace(in_place=False)


INPUTS, OUTPUT = (Slot("a"), Slot("b")), Slot("y")


def _pairwise(
    name: str,
    reference: Mapping[str, Reference],
    options: str | None = None,
    kernel: str = "",
    kinds: tuple[str, ...] = ("float32",),
    y: Slot = OUTPUT,
    inputs: tuple[Slot, ...] = INPUTS,
    fuses: tuple[int, ...] = (),
    fill: Fill = plain,
    doubly: bool = False,
    **fields: Any,
) -> Operator:
    kernels: dict[str, Kernel] = typed_kernels(kernel, "pq_binary", fill, kinds, doubly) if kernel else {}
    stated: dict[str, Any] = {"restate": restate, "fuses": fuses, "ties": elementwise_ties, **fields}
    return register(Operator(name, inputs, (y,), broadcast_shape, reference, options, kernels, **stated))


DIV = _pairwise(
    "DIV",
    {"float32": divide_float, "int32": divide_int, **dict.fromkeys(QUANTIZED, divide_codes)},
    "DivOptions",
    "divide",
    ("float32", "int32"),
    fuses=RELUS,
    fill=quotient,
    homogeneous=(("a",),),
    unserved=("int8",),  # whose kernels make the greatest code of quotients far below a step
)
SQUARED_DIFFERENCE = _pairwise(
    "SQUARED_DIFFERENCE",
    {
        "float32": of_arrays(squared_difference),
        "int32": of_arrays(squared_difference),
        "int8": squared_difference_codes,
    },
    "SquaredDifferenceOptions",
    "squared_difference",
    ("float32", "int32", "int8"),
    fill=squared_difference_params,
    doubly=True,
    y=Slot("y", floors=tuple(Floor((name, name), {"int8": 2.0**-11}) for name in ("a", "b"))),
)
SHARED = (Slot("a"), Slot("b", scale=SameAs("a")))
MAXIMUM, MINIMUM = (
    _pairwise(
        name,
        dict.fromkeys((*ACTIVATIONS, *WHOLE), of_arrays(function)),
        "MaximumMinimumOptions",
        name.lower(),
        (*ACTIVATIONS, *WHOLE),
        Slot("y", scale=SameAs("a")),
        SHARED,
    )
    for name, function in (("MAXIMUM", greater), ("MINIMUM", less))
)
POW = _pairwise("POW", {"float32": power, "int32": power_int}, "PowOptions")
DIVISIBLE = ("float32", "int32", "int8", "int16")
FLOOR_DIV = _pairwise(
    "FLOOR_DIV",
    dict.fromkeys(DIVISIBLE, floor_divide),
    "FloorDivOptions",
    "floor_divide",
    DIVISIBLE,
    fill=quotient,
    unserved=("int8", "int16"),  # which kernels take for whole numbers
)
FLOOR_MOD = _pairwise(
    "FLOOR_MOD",
    dict.fromkeys((*DIVISIBLE, "int64"), floor_modulo),
    "FloorModOptions",
    "floor_modulo",
    (*DIVISIBLE, "int64"),
    fill=quotient,
    unserved=("int8", "int16"),  # which kernels take for whole numbers
)
ATAN2 = register(
    Operator(
        "ATAN2",
        options="ATan2Options",
        inputs=INPUTS,
        outputs=(Slot("y"),),
        shape=added_shape,
        ties=elementwise_ties,
        reference={"float32": of_arrays(np.arctan2)},
        kernels=typed_kernels("atan2", "pq_binary", plain, ("float32",)),
    )
)
BITS = ("int8", "uint8", "int16", "uint16", "int32", "uint32")
RAW = (Slot("a", role="data"), Slot("b", role="data"))
BITWISE_XOR = _pairwise(
    "BITWISE_XOR",
    dict.fromkeys(BITS, of_arrays(np.bitwise_xor)),
    "BitwiseXorOptions",
    inputs=RAW,
    y=Slot("y", role="data"),
)
RIGHT_SHIFT = _pairwise(
    "RIGHT_SHIFT", dict.fromkeys(BITS, shift_right), "RightShiftOptions", inputs=RAW, y=Slot("y", role="data")
)

ADD_N = register(
    Operator(
        "ADD_N",
        options="AddNOptions",
        inputs=(Slot("x", role="any", variadic=True),),
        outputs=(Slot("y", role="any"),),
        shape=added_shape,
        ties=elementwise_ties,
        reference=dict.fromkeys(("float32", "int32"), add_all),
    )
)
