"""Rows of DIV, MAXIMUM, SQUARED_DIFFERENCE, POW and their like, comparisons, logic and choice."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from cases.case import Case, Value
from cases.movement import NEWER

RNG = np.random.default_rng(5)
LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (0, 0)}
SHAPES = (
    ((3, 50), (3, 50)), ((2, 3, 4, 5), (5,)), ((2, 3, 4), (2, 3, 4)), ((2, 3, 5), (1,)), ((1,), (4, 17)),
    ((2, 1, 5, 1), (1, 3, 1, 4)), ((3, 7), (2, 2, 3, 7)), ((1, 1), (1,)), ((65,), (65,)), ((2, 4, 4, 6), (2, 1, 1, 6)),
)  # fmt: skip
COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
NEW_INT16 = ("NOT_EQUAL", "GREATER", "LESS_EQUAL")

# operator: its types, those that only ai-edge-litert's reference kernels take, and those that neither takes
FUNCTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "DIV": (("float32", "int32", "uint8", "int8", "int16"), ("int8", "int16"), ()),
    "SQUARED_DIFFERENCE": (("float32", "int32", "int8"), (), ()),
    "MAXIMUM": (("float32", "int8", "uint8", "int16", "int32", "int64"), (), ()),
    "MINIMUM": (("float32", "int8", "uint8", "int16", "int32", "int64"), (), ()),
    "POW": (("float32", "int32"), (), ()),
    "FLOOR_DIV": (("float32", "int32", "int8", "int16"), (), ()),
    "FLOOR_MOD": (("float32", "int32", "int64", "int8", "int16"), (), ()),
    "ATAN2": (("float32",), (), ()),
    "BITWISE_XOR": (("int8", "uint8", "int16", "uint16", "int32", "uint32"), (), ()),
    "RIGHT_SHIFT": (("int8", "uint8", "int16", "uint16", "int32", "uint32"), (), ()),
    **{
        op: (("float32", "int8", "uint8", "int16", "int32", "int64"), ("int16",) if op in NEW_INT16 else (), ())
        for op in COMPARISONS
    },
}
PLAIN_CODES = ("FLOOR_DIV", "FLOOR_MOD", "BITWISE_XOR", "RIGHT_SHIFT")
SHARED = ("MAXIMUM", "MINIMUM")
TOLERANCES = {"POW": 5e-7, "ATAN2": 5e-7, "DIV": 0.0}


def quantized(op: str, dtype: str, i: int) -> list[tuple[Any, int]]:
    """Scale and zero point of a, b and y."""
    if dtype not in LIMITS or op in PLAIN_CODES:
        return [(None, 0)] * 3
    bottom, top = LIMITS[dtype]
    zeros = (
        [bottom, top, bottom]
        if i % 4 == 1
        else [top, bottom, top]
        if i % 4 == 2
        else RNG.integers(bottom, top + 1, 3).tolist()
    )
    narrow = 1.0 if dtype != "int16" else 1 / 256
    scales = (10.0 ** RNG.uniform(-3, -0.7, 3) * narrow).astype(np.float32).astype(float).tolist()
    if op == "SQUARED_DIFFERENCE":
        scales[2] = max(scales[2], 4 * max(scales[:2]) ** 2 / 2**13)
    if op == "DIV":
        scales[2] = float(np.float32(scales[0] / scales[1] / RNG.uniform(2, 40)))
    if op in SHARED:
        scales, zeros = [scales[0]] * 3, [zeros[0]] * 3
    return list(zip(scales, zeros, strict=True))


def ranges(op: str, dtype: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of the elements of a and b."""
    if op == "POW":
        return (
            ({"low": 0.1, "high": 4}, {"low": -2, "high": 3})
            if dtype == "float32"
            else ({"low": -4, "high": 4}, {"low": 0, "high": 6})
        )
    if op in ("FLOOR_DIV", "FLOOR_MOD") or (op == "DIV" and dtype == "int32"):
        return {"low": -100, "high": 100}, {"low": 1, "high": 9}
    if op == "RIGHT_SHIFT":
        return {}, {"low": 0, "high": 7}
    if op in COMPARISONS and dtype[0] == "i" and dtype not in LIMITS:
        return {"low": -3, "high": 3}, {"low": -3, "high": 3}
    return ({"low": -900, "high": 900},) * 2 if dtype in ("int32", "int64") else ({}, {})


def functions() -> Iterator[Case]:
    for op, (types, newer, none) in FUNCTIONS.items():
        for dtype in types:
            for i in range(20):
                (a, b), q, (first, second) = SHAPES[i % len(SHAPES)], quantized(op, dtype, i), ranges(op, dtype)
                if op == "DIV" and dtype in LIMITS:  # codes that do not stand for 0
                    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
                    zero = q[1][1]
                    second = {"low": zero + 1, "high": high} if zero < high else {"low": low, "high": zero - 1}
                if op in ("FLOOR_DIV", "FLOOR_MOD") and i % 2:
                    second = {"low": -9, "high": -1}
                if op == "ATAN2":
                    b = a
                y = Value((), "bool") if op in COMPARISONS else Value((), dtype, *q[2])
                inputs = (Value(a, dtype, *q[0], **first), Value(b, dtype, *q[1], **second))
                fused = {"fused_activation_function": ("NONE", "RELU", "RELU6")[i % 3]} if op == "DIV" else {}
                older = dtype not in newer and dtype != "uint16"  # which tflite-runtime's Python does not know
                oracles = () if dtype in none else Case.oracles if older else NEWER
                tolerance = TOLERANCES.get(op, 0.0) if dtype == "float32" else 0.0
                yield Case(f"{op.lower()}-{dtype}-{i}", op, inputs, y, fused, tolerance, oracles)


def least_by_minus_one() -> Iterator[Case]:
    """Quotients that their type does not hold; processors trap there, and with them the runtimes."""
    for op, types in (("DIV", ("int32",)), ("FLOOR_DIV", ("int8", "int16", "int32")), ("FLOOR_MOD", ("int8", "int64"))):
        for dtype in types:
            least = np.iinfo(dtype).min
            b = Value((3,), dtype, constant=[-1, -1, 1])
            inputs = (Value((3,), dtype, low=least, high=least), b)
            yield Case(f"{op.lower()}-{dtype}-least", op, inputs, Value((), dtype), oracles=())


def equal_codes() -> Iterator[Case]:
    """Where the two sides are often equal."""
    for op in COMPARISONS:
        for dtype in ("int8", "bool") if "EQUAL" in op and op[0] in "EN" else ("int8",):
            q = (0.1, 3) if dtype == "int8" else (None, 0)
            bounds = {"low": -2, "high": 2} if dtype == "int8" else {}
            values = tuple(Value(s, dtype, *q, **bounds) for s in ((4, 9), (9,)))
            yield Case(f"{op.lower()}-{dtype}-equal", op, values, Value((), "bool"))


def logic() -> Iterator[Case]:
    for op in ("LOGICAL_AND", "LOGICAL_OR"):
        for i in range(20):
            a, b = SHAPES[i % len(SHAPES)]
            yield Case(f"{op.lower()}-bool-{i}", op, (Value(a, "bool"), Value(b, "bool")), Value((), "bool"))


def choices() -> Iterator[Case]:
    for dtype in ("float32", "int8", "uint8", "int16", "int32", "int64", "bool"):
        q = (0.05, 3) if dtype in ("int8", "uint8") else (0.001, 0) if dtype == "int16" else (None, 0)
        for i in range(20):
            a, _ = SHAPES[i % len(SHAPES)]
            condition = (a, a[:1], a)[i % 3]
            inputs = (Value(condition, "bool"), Value(a, dtype, *q), Value(a, dtype, *q))
            yield Case(f"select-{dtype}-{i}", "SELECT", inputs, Value((), dtype, *q))
            a, b = SHAPES[i % len(SHAPES)]
            inputs = (Value((b, a, (1,))[i % 3], "bool"), Value(a, dtype, *q), Value(b, dtype, *q))
            yield Case(f"select_v2-{dtype}-{i}", "SELECT_V2", inputs, Value((), dtype, *q))


def sums() -> Iterator[Case]:
    for dtype in ("float32", "int32"):
        for i in range(20):
            x = Value(
                SHAPES[i % len(SHAPES)][0],
                dtype,
                low=-900 if dtype == "int32" else None,
                high=900 if dtype == "int32" else None,
            )
            yield Case(f"add_n-{dtype}-{i}", "ADD_N", tuple(replace(x) for _ in range(2 + i % 3)), Value((), dtype))


CASES = [*functions(), *least_by_minus_one(), *equal_codes(), *logic(), *choices(), *sums()]
