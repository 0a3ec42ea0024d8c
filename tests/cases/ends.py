"""Rows at the ends of values: the least and the greatest of a type, zero points there, scales far apart.

All else is the families' rows'.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

import cases
from cases.case import Case, Value
from cases.movement import NEWER
from pyquant.ops import OPERATORS
from pyquant.ops.operator import Fixed, SameAs

OTHERS = ("case", "detection", "ends", "fused", "ranks", "signal")
FAMILIES = [
    importlib.import_module(f"cases.{module.name}")
    for module in pkgutil.iter_modules(cases.__path__)
    if module.name not in OTHERS
]
INFINITY, NAN = math.inf, math.nan
FLOATS = (0.0, -0.0, 1e-40, -1e-40, 1e-9, 0.5, -0.5, 1.0, -1.0, 2.5, -2.5, 3e38, -3e38, INFINITY, -INFINITY, NAN)
AMONG: dict[str, tuple[float, ...]] = {
    "float32": FLOATS,
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1, -1, 0, 1),
    "uint32": (0, 2**32 - 1, 1),
    "int64": (-(2**63), 2**63 - 1, -1, 0, 1),
}
# The runtimes that these rows are compared with, where not all do the same, by operator and types.
ORACLES: dict[str, tuple[str, ...]] = {
    "QUANTIZE float32": (),  # undefined past int32
    **{f"{op} float32": () for op in ("ARG_MAX", "ARG_MIN", "TOPK_V2")},  # the place of a NaN decides
    **{f"{op} float32": NEWER for op in ("RELU6", "SIGN")},  # tflite-runtime makes 0 of NaN
    "CAST float32_uint32": NEWER,  # undefined in C
    "ABS int32": NEWER,  # tflite-runtime dies of the least
}
# What the second input of an operator must not be.
REFUSED: dict[str, Callable[[Value, float], bool]] = {
    **dict.fromkeys(("DIV", "FLOOR_DIV"), lambda v, n: n in ((0, -1) if v.scale is None else (v.zero_point,))),
    "FLOOR_MOD": lambda v, n: v.dtype != "float32" and n in (0, -1),
    "POW": lambda v, n: v.dtype == "int32" and n < 0,
}


UNSTRETCHED = (("SQUARED_DIFFERENCE", "coarse"), ("HARD_SWISH", "coarse"))  # which both runtimes refuse, or die of


def firsts() -> Iterator[tuple[str, Case]]:
    """The first row of each operator and types, with the types."""
    found: dict[tuple[str, str], Case] = {}
    for case in (row for family in FAMILIES for row in family.CASES):
        types = dict.fromkeys(v.dtype for v in (*case.inputs[:2], case.output) if v)
        if not OPERATORS[case.op].by_shape:
            found.setdefault((case.op, "_".join(types)), case)
    return ((types, case) for (_, types), case in found.items())


def by_role(case: Case) -> Iterator[tuple[str, Value | None]]:
    for slot, value in zip(OPERATORS[case.op].slots(case.inputs), case.inputs, strict=True):
        yield slot.role, value


def taken_from_ends(case: Case) -> Case:
    """With the ends of their types for the elements of what is fed and no index."""
    some = any(role != "data" for role, _ in by_role(case))
    inputs = [
        v
        if v is None or v.constant is not False or v.variable or (some and role == "data")
        else replace(v, among=AMONG.get(v.dtype, ()))
        for role, v in by_role(case)
    ]
    if (last := inputs[-1]) and case.op in REFUSED:
        inputs[-1] = replace(last, among=tuple(n for n in last.among if not REFUSED[case.op](last, n)))
    return replace(case, inputs=tuple(inputs))


def plain() -> Iterator[Case]:
    """Of types without scales."""
    for types, case in firsts():
        hybrid = types[:2] == "fl" and any(v and v.dtype != "float32" for role, v in by_role(case) if role == "weight")
        given = case.op == "CAST" and types[:2] != "fl"  # its rows are of whole ranges
        ends = taken_from_ends(case)
        if ends != case and not hybrid and not given and all(v is None or v.scale is None for v in case.inputs):
            names = (f"{case.op} {types}", f"{case.op} {types.split('_')[0]}")
            oracles = next((ORACLES[name] for name in names if name in ORACLES), case.oracles)
            yield replace(ends, id=f"{case.op.lower()}-{types}-ends", oracles=oracles)


def zeros() -> Iterator[Case]:
    """Zero points at the ends of the 8-bit types."""
    for types, case in firsts():
        for end, name in enumerate(
            ("low",) if case.op in ("SQRT", "RSQRT") else ("low", "high")
        ):  # of no number below 0
            inputs = tuple(at_end(v, end) if role == "activation" else v for role, v in by_role(case))
            outputs = (case.output, *case.more_outputs)
            if not isinstance(OPERATORS[case.op].outputs[0].scale, Fixed) and not any(v and v.variable for v in inputs):
                outputs = tuple(at_end(v, end) or v for v in outputs)
            if inputs != case.inputs and "int16" not in types:
                moved = replace(case, inputs=inputs, output=outputs[0], more_outputs=outputs[1:])
                yield replace(taken_from_ends(moved), id=f"{case.op.lower()}-{types}-{name}")


def at_end(v: Value | None, end: int) -> Value | None:
    """With the zero point there, if it is of 8 bits and has one."""
    if v is None or v.scale is None or v.dtype not in ("int8", "uint8"):
        return v
    return replace(v, zero_point=AMONG[v.dtype][end])


def scales() -> Iterator[Case]:
    """Steps of the output far above those of the inputs, and far below; weights keep theirs."""
    for types, case in firsts():
        slot = OPERATORS[case.op].outputs[0].scale
        if case.output.scale is None or isinstance(slot, SameAs) or any(v and v.variable for v in case.inputs):
            continue
        for name, factor in (("fine", 1e-4), ("coarse", 20.0)):
            inputs = tuple(stretched(v, factor) if r in ("activation", "bias") else v for r, v in by_role(case))
            output = case.output if isinstance(slot, Fixed) else stretched(case.output, 1 / factor)
            if (
                inputs != case.inputs
                and (case.op, name) not in UNSTRETCHED
                and f"{case.op} {types}" != "SUM int16_int32"
            ):
                yield replace(case, id=f"{case.op.lower()}-{types}-{name}", inputs=inputs, output=output or case.output)


def stretched(v: Value | None, factor: float) -> Value | None:
    """With steps so many times as large, if it has any."""
    return v if v is None or v.scale is None else replace(v, scale=(np.array(v.scale) * factor).tolist())


CASES = [*plain(), *zeros(), *scales()]
