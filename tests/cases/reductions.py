"""Rows of SUM, REDUCE_*, ARG_MAX, ARG_MIN, TOPK_V2 and CUMSUM."""

from collections.abc import Iterator

import numpy as np

from cases.case import OPTIMIZED, Case, Value
from cases.movement import NEWER, axis_in, index, small

RNG = np.random.default_rng(6)
Q = {"int8": (0.05, -7), "uint8": (0.05, 120), "int16": (0.0003, 0)}

# operator: its types. The reference kernels are wrong for SUM of int8, LiteRT's for int16 too.
TYPES = {
    "SUM": ("float32", "int32", "int64", "uint8", "int8", "int16"),
    "REDUCE_MAX": ("float32", "int32", "int64", "uint8", "int8", "int16"),
    "REDUCE_MIN": ("float32", "int32", "int64", "uint8", "int8", "int16"),
    "REDUCE_PROD": ("float32", "int32", "int64", "int8", "int16"),
    "REDUCE_ANY": ("bool",),
    "REDUCE_ALL": ("bool",),
}
ORACLES = {("SUM", "int8"): OPTIMIZED, ("SUM", "int16"): ("tflite-runtime", "ai-edge-litert optimized")}


def reductions() -> Iterator[Case]:
    for op, types in TYPES.items():
        for dtype in types:
            for i in range(20):
                shape = small(RNG)
                axes = sorted({axis_in(RNG, len(shape)) % len(shape) for _ in range(int(RNG.integers(1, 4)))})
                named = [a - len(shape) if i % 2 else a for a in axes]
                scale, zero = Q.get(dtype, (None, 0))
                wide = 900 if dtype in ("int32", "int64") else None
                low, high = (
                    (-9, 9)
                    if op == "REDUCE_PROD" and wide
                    else (-50, 50)
                    if dtype == "int16"
                    else (None if wide is None else -wide, wide)
                )
                x = Value(shape, dtype, scale, zero, low=low, high=high)
                y = Value((), dtype, scale, zero)
                if dtype in ("uint8", "int8") and op in ("SUM", "REDUCE_PROD"):
                    y = Value((), dtype, float(np.float32(10.0 ** RNG.uniform(-2, 0.3))), int(RNG.integers(0, 100)))
                if dtype == "int16" and op == "REDUCE_PROD":
                    y = Value((), dtype, float(np.float32(10.0 ** RNG.uniform(-5, -3))), 0)
                options = {"keep_dims": bool(i % 3)}
                tolerance = 5e-7 if dtype == "float32" else 0.0
                oracles = ORACLES.get((op, dtype), Case.oracles)
                yield Case(f"{op.lower()}-{dtype}-{i}", op, (x, index(named)), y, options, tolerance, oracles)


def places() -> Iterator[Case]:
    for op in ("ARG_MAX", "ARG_MIN"):
        for dtype in ("float32", "int8", "uint8", "int32", "bool"):
            for i in range(20):
                shape = small(RNG)
                scale, zero = Q.get(dtype, (None, 0))
                few = {"low": 0, "high": 3} if i % 2 and dtype != "float32" else {}
                kind = "int64" if i % 3 == 0 else "int32"
                inputs = (Value(shape, dtype, scale, zero, **few), index([axis_in(RNG, len(shape))]))
                oracles = NEWER if dtype == "bool" else Case.oracles
                yield Case(
                    f"{op.lower()}-{dtype}-{i}",
                    op,
                    inputs,
                    Value((), kind),
                    {"output_type": kind.upper()},
                    0.0,
                    oracles,
                )


def tops() -> Iterator[Case]:
    for dtype in ("float32", "int8", "uint8", "int32", "int64", "int16"):
        for i in range(20):
            shape = (*small(RNG, low=0, high=2), int(RNG.integers(1, 12)))
            scale, zero = Q.get(dtype, (None, 0))
            few = {"low": 0, "high": 4} if i % 2 and dtype != "float32" else {}
            k = int(RNG.integers(1, shape[-1] + 1))
            inputs = (Value(shape, dtype, scale, zero, **few), Value((), "int32", constant=np.array(k, np.int32)))
            y = Value((), dtype, scale, zero)
            yield Case(f"topk_v2-{dtype}-{i}", "TOPK_V2", inputs, y, more_outputs=(Value((), "int32"),))


def running() -> Iterator[Case]:
    for dtype in ("float32", "int32", "int64"):
        for i in range(20):
            shape = small(RNG)
            x = Value(shape, dtype, low=None if dtype == "float32" else -900, high=None if dtype == "float32" else 900)
            options = {"exclusive": bool(i & 1), "reverse": bool(i & 2)}
            yield Case(
                f"cumsum-{dtype}-{i}",
                "CUMSUM",
                (x, index([axis_in(RNG, len(shape))])),
                Value((), dtype),
                options,
                5e-7,
                ("tflite-runtime optimized", *NEWER),
            )


CASES = [*reductions(), *places(), *tops(), *running()]
