"""Rows at the ends of shape: no axis, more than four of them, axes of no element. All else is the families' rows'."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cases import activation, arithmetic, binary, create, quantize, softmax, unary, varied
from cases.case import Case, Value

Shape = tuple[int, ...]
FAMILIES = (varied, activation, arithmetic, binary, create, quantize, softmax, unary)
OF_ONE = (
    *activation.TYPES, *unary.FUNCTIONS, "SOFTMAX", "QUANTIZE", "DEQUANTIZE", "CAST", "BITCAST", "ZEROS_LIKE",
    "LOGICAL_NOT", "SHAPE", "RANK",
)  # fmt: skip
OF_TWO = (*binary.OPS, *arithmetic.FUNCTIONS, "LOGICAL_AND", "LOGICAL_OR", "PRELU", "SELECT", "SELECT_V2", "ADD_N")
OF_EQUALS = ("ATAN2", "ADD_N", "SELECT")  # which do not broadcast
ALONG_AN_AXIS = ("SOFTMAX", "LOG_SOFTMAX", "L2_NORMALIZATION")

ONE: dict[str, Shape] = {"scalar": (), "rank_7": (2, 1, 2, 1, 3, 1, 2), "empty": (2, 0, 3)}
TWO: dict[str, tuple[Shape, Shape]] = {
    "scalars": ((), ()),
    "scalar_first": ((), (2, 3)),
    "scalar_second": ((2, 3), ()),
    "rank_5": ((2, 1, 2, 1, 3), (1, 3, 2, 4, 1)),
    "rank_6": ((2, 3, 2, 2, 3, 2), (2, 1, 2, 1, 3, 1)),
    "rank_7": ((2, 1, 2, 1, 3, 1, 2), (1, 2, 1, 3, 1, 2, 1)),
    "rank_7_equal": ((2, 1, 2, 1, 3, 1, 2), (2, 1, 2, 1, 3, 1, 2)),
    "empty": ((2, 1, 3), (2, 0, 1)),
}
# The most axes that tflite-runtime takes, here and, where no more is said, in a broadcast: one more aborts it.
MOST = {("SOFTMAX", "int16"): 4, **{("L2_NORMALIZATION", t): 4 for t in ("float32", "int8", "uint8")}}
BROADCASTS = {"ADD": 6, **dict.fromkeys(("SUB", "DIV", "MAXIMUM", "MINIMUM", "SELECT_V2"), 5)}
BROADCASTS_OF = {("SQUARED_DIFFERENCE", "int8"): 6}


def firsts(ops: tuple[str, ...]) -> Iterator[tuple[str, Case]]:
    """The first row of each operator and type, with the type."""
    found: dict[tuple[str, str], Case] = {}
    for family in FAMILIES:
        for case in family.CASES:
            found.setdefault((case.op, (case.inputs[-2:][0] or Value()).dtype), case)
    return ((dtype, case) for (op, dtype), case in found.items() if op in ops)


def older(case: Case, most: int, *shapes: Shape) -> tuple[str, ...]:
    """The runtimes that take these shapes."""
    return (
        case.oracles
        if max(map(len, shapes)) <= most
        else tuple(o for o in case.oracles if o.startswith("ai-edge-litert"))
    )


def of_one() -> Iterator[Case]:
    for dtype, case in firsts(OF_ONE):
        for name, shape in ONE.items():
            if shape or case.op not in ALONG_AN_AXIS:
                oracles = older(case, MOST.get((case.op, dtype), 8), shape)
                if case.op == "SHAPE" and not shape:  # of no element, which they do not hand out
                    oracles = ()
                inputs = (replace(case.inputs[0] or Value(), shape=shape),)
                yield replace(case, id=f"{case.op.lower()}-{dtype}-{name}", inputs=inputs, oracles=oracles)


def of_two() -> Iterator[Case]:
    for dtype, case in firsts(OF_TWO):
        most = BROADCASTS_OF.get((case.op, dtype)) or BROADCASTS.get(case.op, 4)
        for name, (a, b) in TWO.items():
            if (case.op in OF_EQUALS and a != b) or (case.op == "PRELU" and np.broadcast_shapes(a, b) != a):
                continue
            oracles = case.oracles if a == b else older(case, most, a, b)
            shapes = [a] * (len(case.inputs) - 1) + [b]
            inputs = tuple(replace(v or Value(), shape=s) for v, s in zip(case.inputs, shapes, strict=True))
            yield replace(case, id=f"{case.op.lower()}-{dtype}-{name}", inputs=inputs, oracles=oracles)


CASES = [*of_one(), *of_two()]
