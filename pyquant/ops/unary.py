"""Functions of one number: ABS, EXP, GELU, ... on floats, and on codes by tables of the real function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from pyquant.errors import RangeError
from pyquant.fixed import multiply, quantize_multiplier
from pyquant.native import libm
from pyquant.ops.activation import RESCALED, elements, same_shape, through_float
from pyquant.ops.clamp import saturate
from pyquant.ops.gemmlowp import inverse_square_root
from pyquant.ops.lut import int16_table, lookup, lut_kernels
from pyquant.ops.operator import Call, Fill, Floor, Kernel, Launch, Operator, Reference, SameAs, Slot
from pyquant.ops.registry import register
from pyquant.ops.ties import elementwise_ties

Real = Callable[[np.ndarray], np.ndarray]  # float32 -> float32

F = np.float32


def of_float(function: Real) -> Reference:
    return lambda call, x: function(x)


def table_int16(function: Real, call: Call, x: np.ndarray) -> np.ndarray:
    """int16 codes by a table over the whole input range, computed in float32."""
    source, y = call["x"], call["y"]
    low, high = (source.scale * F(code - source.zero_point) for code in (-32768, 32767))
    steps = F(65536) / (y.scale * F(32767 - y.zero_point) - y.scale * F(-32768 - y.zero_point))
    return lookup(int16_table(function, low, high, steps), x.astype(np.int64)).astype(np.int16)


def gelu(call: Call) -> Real:
    """By the error function, or nearly so by the hyperbolic tangent.

    The first is the C library's, as in tflite-runtime. That of ai-edge-litert is Eigen's own: a third of its results
    are a unit in the last place off, and where a layer quantizes them at run time, some get another code.
    """
    if call.options.approximate:
        return lambda x: F(0.5) * x * (F(1) + libm("tanhf", F(0.7978845608) * (x + F(0.044715) * x * x * x)))
    return lambda x: F(0.5) * x * libm("erfcf", x * F(-0.70710678118654752440))


def gelu_float(call: Call, x: np.ndarray) -> np.ndarray:
    return gelu(call)(x)


def gelu_launch(call: Call) -> Launch | None:
    return elements(call, lo=float(call.options.approximate))


def gelu_codes(call: Call, x: np.ndarray) -> np.ndarray:
    return through_float(gelu(call), call, x)


def gelu_int16(call: Call, x: np.ndarray) -> np.ndarray:
    return table_int16(gelu(call), call, x)


def elu(x: np.ndarray) -> np.ndarray:
    return np.where(x < 0, libm("expm1f", x), x)


def log(call: Call) -> Real:
    """What has no logarithm gets the least output that there is."""
    y = call["y"]
    least = F((np.iinfo(y.dtype.numpy).min - y.zero_point) * y.scale)
    return lambda x: np.where(x > 0, libm("logf", np.where(x > 0, x, F(1))), least).astype(F)


def log_codes(call: Call, x: np.ndarray) -> np.ndarray:
    return through_float(log(call), call, x)


def log_int16(call: Call, x: np.ndarray) -> np.ndarray:
    return table_int16(log(call), call, x)


def sqrt_codes(call: Call, x: np.ndarray) -> np.ndarray:
    """The root by float32, cut off to a whole code. Raises RangeError for a negative number."""
    source, y = call["x"], call["y"]
    real = source.scale * (x.astype(F) - F(source.zero_point))
    if np.any(real < 0):
        raise RangeError(f"{call.label}: the square root of a negative number")
    return saturate(np.trunc(np.sqrt(real) / y.scale) + y.zero_point, y)


def rsqrt_int8(call: Call, x: np.ndarray) -> np.ndarray:
    """1 / sqrt(x) in fixed point; of zero the greatest code. Raises RangeError for a negative number."""
    source, y = call["x"], call["y"]
    value = x.astype(np.int64) - source.zero_point
    if np.any(value < 0):
        raise RangeError(f"{call.label}: the inverse square root of a negative number")
    m, e = quantize_multiplier(1.0 / float(F(np.sqrt(source.scale) * y.scale)))
    root, shift = inverse_square_root(np.maximum(value, 1))
    scaled = multiply(multiply(np.ones_like(value), root, shift + 20), m, e - 20) + y.zero_point
    return saturate(np.where(value == 0, 32767, scaled), y)


def rsqrt_int16(call: Call, x: np.ndarray) -> np.ndarray:
    y = call["y"]
    most = F(np.iinfo(np.int16).max * y.scale)
    return table_int16(lambda v: np.where(v > 0, F(1) / np.sqrt(np.where(v > 0, v, F(1))), most).astype(F), call, x)


def abs_codes(call: Call, x: np.ndarray) -> np.ndarray:
    source, y = call["x"], call["y"]
    if not source.is_quantized:
        return np.asarray(np.abs(x))
    value = np.abs(x.astype(np.int64) - source.zero_point)
    if source.scale != y.scale:
        value = multiply(value, *quantize_multiplier(float(source.scale / y.scale)))
    return saturate(value + y.zero_point, y)


def absolute(call: Call, x: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(x))


def negative(call: Call, x: np.ndarray) -> np.ndarray:
    """Of integers the negative code, whatever their zero point."""
    return np.asarray(np.negative(x))


def sign(call: Call, x: np.ndarray) -> np.ndarray:
    return np.asarray(np.sign(x))


def rounded(x: np.ndarray) -> np.ndarray:
    """To the nearest whole number, ties to the even one."""
    return np.asarray(np.rint(x))


def logical_not(call: Call, x: np.ndarray) -> np.ndarray:
    return np.asarray(~x)


def elements_by(call: Call, table: np.ndarray) -> Launch | None:
    return Launch(call["x"].size, {"table": table}, in_place=True) if call["x"].dtype == call["y"].dtype else None


def codes(function: Real) -> Reference:
    return partial(through_float, function)


def _unary(
    name: str,
    references: Mapping[str, Reference],
    tables: tuple[str, ...] = (),
    kernel: str = "",
    fill: Fill = elements,
    scale: Any = None,
    options: str | None = None,
    role: str = "activation",
    more: Mapping[str, Kernel] | None = None,
    floors: tuple[Floor, ...] = (),
    about_zero: bool = False,
) -> Operator:
    """tables: the kinds whose kernel is a table of what their reference makes of every code."""
    kernels = {kind: lut_kernels(references[kind], (kind,))[kind] for kind in tables}  # type: ignore[arg-type]
    kernels |= more or {}
    if kernel:
        kernels["float32"] = Kernel(f"{kernel}_f32", "pq_activation", fill)
    return register(
        Operator(
            name,
            (Slot("x", role=role),),
            (Slot("y", role=role, scale=scale, floors=floors),),
            same_shape,
            references,
            options,
            kernels,
            about_zero=about_zero,
            ties=elementwise_ties,
        )
    )


def without_negative(reference: Reference) -> Kernel:
    """A table, where the least code is 0: a run must refuse negative numbers."""
    table = lut_kernels(reference, ("int8",))["int8"]  # type: ignore[arg-type]

    def fill(call: Call) -> Launch | None:
        return table.fill(call) if call["x"].zero_point == call["x"].dtype.lo else None

    return replace(table, fill=fill)


EIGHT_BITS = ("int8", "uint8")

ABS = _unary(
    "ABS",
    {"float32": absolute, "int8": abs_codes, "int16": abs_codes, "int32": absolute},
    ("int8", "int16"),
    "abs",
    options="AbsOptions",
    floors=RESCALED.floors,
)
NEG = _unary(
    "NEG",
    dict.fromkeys(("float32", "int32", "int64", "int8", "int16"), negative),
    ("int8", "int16"),
    kernel="neg",
    scale=SameAs("x"),
    options="NegOptions",
    about_zero=True,
)
SQUARE = _unary("SQUARE", {"float32": of_float(np.square)}, kernel="square", options="SquareOptions")
SQRT = _unary(
    "SQRT",
    {"float32": of_float(np.sqrt), "int8": sqrt_codes, "int16": sqrt_codes},
    kernel="sqrt",
    more={"int8": without_negative(sqrt_codes)},
)
RSQRT = _unary(
    "RSQRT",
    {"float32": of_float(lambda x: F(1) / np.sqrt(x)), "int8": rsqrt_int8, "int16": rsqrt_int16},
    ("int16",),
    "rsqrt",
    more={"int8": without_negative(rsqrt_int8)},
)
EXP = _unary(
    "EXP",
    {
        "float32": of_float(partial(libm, "expf")),
        "int8": codes(partial(libm, "expf")),
        "int16": partial(table_int16, partial(libm, "expf")),
    },
    ("int8", "int16"),
    kernel="exp",
    options="ExpOptions",
)
LOG = _unary(
    "LOG", {"float32": of_float(partial(libm, "logf")), "int8": log_codes, "int16": log_int16}, ("int8", "int16"), "log"
)
SIN = _unary("SIN", {"float32": of_float(partial(libm, "sinf"))}, kernel="sin")
COS = _unary("COS", {"float32": of_float(partial(libm, "cosf"))}, kernel="cos", options="CosOptions")
FLOOR = _unary("FLOOR", {"float32": of_float(np.floor)}, kernel="floor")
CEIL = _unary("CEIL", {"float32": of_float(np.ceil)}, kernel="ceil")
ROUND = _unary("ROUND", {"float32": of_float(rounded)}, kernel="round")
SIGN = _unary("SIGN", dict.fromkeys(("float32", "int32"), sign), options="SignOptions")
ELU = _unary("ELU", {"float32": of_float(elu), **dict.fromkeys(EIGHT_BITS, codes(elu))}, EIGHT_BITS, "elu")
GELU = _unary(
    "GELU",
    {"float32": gelu_float, **dict.fromkeys(EIGHT_BITS, gelu_codes), "int16": gelu_int16},
    (*EIGHT_BITS, "int16"),
    "gelu",
    gelu_launch,
    options="GeluOptions",
)
NOT = np.array([1] + [0] * 255, np.uint8)
LOGICAL_NOT = _unary(
    "LOGICAL_NOT",
    {"bool": logical_not},
    options="LogicalNotOptions",
    role="data",
    more={"bool": Kernel("lut_x8", "pq_lut", lambda call: elements_by(call, NOT))},
)
