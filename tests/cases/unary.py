"""Rows of the functions of one number, and of the normalizations."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from cases.case import OPTIMIZED, Case, Value

RNG = np.random.default_rng(4)
NEWER = ("ai-edge-litert",)
EIGHT = ("int8", "uint8")
LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (0, 0)}

# operator: its types, those that only ai-edge-litert takes, those for which they have no reference kernel
FUNCTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "ABS": (("float32", "int8", "int16", "int32"), (), ()),
    "NEG": (("float32", "int32", "int64", "int8", "int16"), ("int8", "int16"), ()),
    "SQUARE": (("float32",), (), ()),
    "SQRT": (("float32", "int8", "int16"), ("int8", "int16"), ()),
    "RSQRT": (("float32", "int8", "int16"), ("int16",), ()),
    "EXP": (("float32", "int8", "int16"), (), ()),
    "LOG": (("float32", "int8", "int16"), ("int8", "int16"), ()),
    "SIN": (("float32",), (), ()),
    "COS": (("float32",), (), ()),
    "FLOOR": (("float32",), (), ()),
    "CEIL": (("float32",), (), ("float32",)),
    "ROUND": (("float32",), (), ("float32",)),
    "SIGN": (("float32", "int32"), (), ()),
    "ELU": (("float32", *EIGHT), (), ("float32", *EIGHT)),
    "GELU": (("float32", *EIGHT, "int16"), ("int16",), ()),
    "HARD_SWISH": (("float32", *EIGHT), (), ()),
    "LEAKY_RELU": (("float32", *EIGHT, "int16"), (), ()),
    "LOG_SOFTMAX": (("float32", *EIGHT), (), ()),
    "L2_NORMALIZATION": (("float32", *EIGHT), (), ()),
}
POSITIVE = ("SQRT", "RSQRT", "LOG")
FIXED = {
    "LOG_SOFTMAX": {"int8": (16 / 256, 127), "uint8": (16 / 256, 255)},
    "L2_NORMALIZATION": {"int8": (1 / 128, 0), "uint8": (1 / 128, 128)},
}
TOLERANCES = {
    "LOG_SOFTMAX": 5e-7,
    "L2_NORMALIZATION": 5e-7,
    "GELU": 5e-7,
    "SIN": 5e-7,
    "COS": 5e-7,
    "EXP": 5e-7,
    "LOG": 5e-7,
    "RSQRT": 5e-7,
}


def shape(i: int) -> tuple[int, ...]:
    return ((3, 70), (1, 5, 7, 9), (2, 3, 4), (65,), (1, 1))[i % 5]


def options(op: str, i: int) -> dict[str, Any]:
    if op == "LEAKY_RELU":
        return {"alpha": (0.1, 0.3, -0.2, 0.0, 1.5)[i % 5]}
    return {"approximate": bool(i % 2)} if op == "GELU" else {}


def parameters(op: str, dtype: str, i: int) -> tuple[Value, Value]:
    """Input and output: scales over a wide range, zero points inside and at both ends."""
    if dtype in ("float32", "int32", "int64"):
        low, high = (0.01, 9.0) if op in POSITIVE else (-9.0, 9.0)
        return Value(shape(i), dtype, low=low, high=high), Value((), dtype)
    if op == "NEG":
        q = (0.05, 0)
        return Value(shape(i), dtype, *q), Value((), dtype, *q)
    bottom, top = LIMITS[dtype]
    zero, out_zero = (int(RNG.integers(bottom, top + 1)) for _ in range(2))
    if i % 4 == 1:
        zero, out_zero = bottom, top
    if i % 4 == 2:
        zero, out_zero = top, bottom
    if op in POSITIVE:
        zero = bottom
    wide = 1.0 if dtype != "int16" else 1 / 256
    scale = float(np.float32(10.0 ** RNG.uniform(-3, -0.7))) * wide
    out = float(np.float32(scale * 10.0 ** RNG.uniform(-0.5, 0.7)))
    if op in ("EXP", "RSQRT", "LOG", "SQRT"):
        out = float(np.float32(10.0 ** RNG.uniform(-2.5, -0.5))) * wide
    if i == 3 and op == "ABS":
        out = scale
    if op == "HARD_SWISH":
        out = max(out, scale / 60)
    low = 1 if op in POSITIVE and dtype == "int16" else zero if op in POSITIVE else None
    x = Value(shape(i), dtype, scale, zero, low=low)
    return x, Value((), dtype, *FIXED.get(op, {}).get(dtype, (out, out_zero)))


def functions() -> Iterator[Case]:
    for op, (types, newer, none) in FUNCTIONS.items():
        for dtype in types:
            for i in range(20):
                x, y = parameters(op, dtype, i)
                oracles = (
                    (OPTIMIZED if dtype != "uint8" else ())
                    if dtype in none
                    else NEWER
                    if dtype in newer
                    else Case.oracles
                )
                tolerance = TOLERANCES.get(op, 0.0) if dtype == "float32" else 0.0
                yield Case(f"{op.lower()}-{dtype}-{i}", op, (x,), y, options(op, i), tolerance, oracles)


def prelus() -> Iterator[Case]:
    for dtype in ("float32", *EIGHT, "int16"):
        for i in range(20):
            x, y = parameters("PRELU", dtype, i)
            slopes = (x.shape[-1:], x.shape, (*[1] * (len(x.shape) - 1), x.shape[-1]))[i % 3]
            zero = int(RNG.integers(*LIMITS[dtype])) if dtype in EIGHT else 0
            narrow = "int8" if dtype == "int16" else dtype
            alpha = Value(slopes, narrow, None if dtype == "float32" else 0.004, zero, constant=True)
            oracles = NEWER if dtype == "int16" else Case.oracles
            yield Case(f"prelu-{dtype}-{i}", "PRELU", (x, alpha), y, oracles=oracles)


def others() -> Iterator[Case]:
    x = Value((64, 150), low=-9.0, high=9.0)  # bit for bit; the other runtime has an erfc of its own
    yield Case("gelu-float32-bits", "GELU", (x,), Value(), {"approximate": False}, 0.0, ("tflite-runtime",))
    for i in range(20):
        yield Case(f"logical_not-bool-{i}", "LOGICAL_NOT", (Value(shape(i), "bool"),), Value((), "bool"))
        given = {"radius": i % 4, "bias": 1.0 + i / 10, "alpha": 0.1 * (i % 5), "beta": (0.5, 0.75, 1.0)[i % 3]}
        x = Value((1, 2, 3, 1 + i % 7))
        yield Case(
            f"local_response_normalization-float32-{i}", "LOCAL_RESPONSE_NORMALIZATION", (x,), Value(), given, 5e-7
        )


CASES = [*functions(), *prelus(), *others()]
