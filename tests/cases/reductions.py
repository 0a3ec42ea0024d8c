"""Rows of SUM, REDUCE_*, ARG_MAX, ARG_MIN, TOPK_V2 and CUMSUM."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cases import reduce
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


# shape, axes, keep_dims: five axes and more, all of them, none, twice, of size 1, of no element
EDGES: dict[str, tuple[tuple[int, ...], list[int], bool]] = {
    "five": ((2, 3, 2, 4, 3), [-1, 1, -3], True),
    "seven": ((2, 1, 3, 2, 1, 2, 2), [0, 6, 3], False),
    "all": ((2, 3, 2, 4, 3), [0, 1, 2, 3, 4], False),
    "all_kept": ((2, 3, 2, 4, 3), [-5, -4, -3, -2, -1], True),
    "none": ((3, 4), [], False),
    "scalar": ((), [], True),
    "twice": ((3, 4), [1, -1, 1], True),
    "ones": ((1, 3, 1), [0, 2], True),
    "no_result": ((0, 3), [1], False),
    "no_element": ((0, 3), [0], False),
}


def reduced_at_edges() -> Iterator[Case]:
    for case in (row for row in (*reductions(), *reduce.CASES) if row.id.endswith(("-0", "-0-last"))):
        for name, (shape, axes, keep_dims) in EDGES.items():
            x = case.inputs[0] or Value()
            if name == "no_element" and x.scale is not None and case.op in ("MEAN", "SUM", "REDUCE_PROD"):
                continue  # which is not defined
            inputs = (replace(x, shape=shape), index(axes))
            yield replace(
                case, id=f"{case.op.lower()}-{x.dtype}-{name}", inputs=inputs, options={"keep_dims": keep_dims}
            )


def along_edges() -> Iterator[Case]:
    """ARG_MAX and its like, CUMSUM and TOPK_V2: five axes, one, of size 1, of no element."""
    shapes = {"five": ((2, 3, 2, 4, 3), -2), "one": ((3, 1), 1), "vector": ((5,), 0), "nothing": ((0, 3), 1)}
    for case in (row for row in (*places(), *running(), *tops()) if row.id.endswith("-0")):
        x, top = case.inputs[0] or Value(), case.op == "TOPK_V2"
        for name, (shape, axis) in shapes.items():
            inputs = (replace(x, shape=shape), index(shape[-1] if top else [axis]))
            yield replace(case, id=f"{case.op.lower()}-{x.dtype}-{name}", inputs=inputs)
        if top:  # the first 0, of which tflite-runtime dies
            yield replace(
                case, id=f"topk_v2-{x.dtype}-zero", inputs=(replace(x, shape=(2, 5)), index(0)), oracles=NEWER
            )


# rows about as long as vectors, of bytes and of floats
LONG = [(9, 15), (9, 16), (9, 17), (5, 31), (5, 32), (5, 33), (3, 64), (3, 65), (2, 200), (2, 1000)]


def places() -> Iterator[Case]:
    for op in ("ARG_MAX", "ARG_MIN"):
        for dtype in ("float32", "int8", "uint8", "int32", "bool"):
            for i in range(20 + len(LONG)):
                shape = small(RNG) if i < 20 else LONG[i - 20]
                scale, zero = Q.get(dtype, (None, 0))
                few = {"low": 0, "high": 3} if i % 2 and dtype != "float32" else {}
                kind = "int64" if i % 3 == 0 else "int32"
                inputs = (Value(shape, dtype, scale, zero, **few), index([axis_in(RNG, len(shape)) if i < 20 else -1]))
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


CASES = [*reductions(), *places(), *tops(), *running(), *reduced_at_edges(), *along_edges()]
