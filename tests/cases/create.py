"""Rows of the operators that make tensors out of shapes, numbers and indices."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cases.case import Case, Value
from cases.movement import NEWER, TYPES, index, scalar_of, small, value

RNG = np.random.default_rng(2)
NUMBERS = ("float32", "int8", "uint8", "int16", "int32", "int64")


def shapes() -> Iterator[Case]:
    for i, dtype in enumerate((*TYPES, *TYPES, *TYPES)):
        shape = small(RNG)
        for op in ("SHAPE", "RANK"):
            options = {"out_type": "INT64" if i % 2 else "INT32"} if op == "SHAPE" else {}
            y = Value((), "int64" if op == "SHAPE" and i % 2 else "int32")
            yield Case(f"{op.lower()}-{dtype}-{i}", op, (value(dtype, *shape),), y, options)


def ranges() -> Iterator[Case]:
    for dtype in ("float32", "int32", "int64"):
        for i in range(20):
            start, step = int(RNG.integers(-9, 9)), int(RNG.choice([-3, -2, -1, 1, 2, 4]))
            numbers = [
                start,
                start + step * int(RNG.integers(0, 7)) + (1 if step > 0 else -1),
                step,
            ]
            if dtype == "float32":
                numbers = [n * 0.37 for n in numbers]
            oracles = NEWER if dtype == "int64" else Case.oracles
            inputs = tuple(Value((), dtype, constant=np.array(n, dtype)) for n in numbers)
            yield Case(f"range-{dtype}-{i}", "RANGE", inputs, Value((), dtype), oracles=oracles)
            fed = tuple(replace(v, constant=False, low=n, high=n) for v, n in zip(inputs, numbers, strict=True))
            if dtype != "float32" and i < 5:
                yield Case(f"range-{dtype}-{i}-fed", "RANGE", fed, Value((), dtype), oracles=oracles)


def fills() -> Iterator[Case]:
    for dtype in TYPES:
        for i in range(20):
            dims, kind = list(small(RNG)), "int64" if i % 2 else "int32"
            oracles = NEWER if dtype == "uint8" else Case.oracles
            inputs = (index(dims, kind), scalar_of(dtype))
            yield Case(f"fill-{dtype}-{i}", "FILL", inputs, scalar_of(dtype), oracles=oracles)


def one_hots() -> Iterator[Case]:
    for dtype in ("float32", "int32", "int64", "int8", "uint8", "bool"):
        for i in range(20):
            indices, depth = small(RNG, low=0, high=3), int(RNG.integers(1, 6))
            at = Value(indices, "int64" if i % 3 == 2 else "int32", low=-1, high=depth)
            ends = (Value((), dtype, constant=True), Value((), dtype, constant=True))
            axis = int(RNG.integers(-1, len(indices) + 1))
            yield Case(f"one_hot-{dtype}-{i}", "ONE_HOT", (at, index(depth), *ends), Value((), dtype), {"axis": axis})


def scatters() -> Iterator[Case]:
    for dtype in (t for t in TYPES if t != "int16"):
        for i in range(20):
            shape = small(RNG)
            depth, count = int(RNG.integers(1, len(shape) + 1)), small(RNG, high=2)
            at = RNG.integers(0, shape[:depth], (*count, depth)).tolist()
            updates = replace(value(dtype, *count, *shape[depth:]), low=-3 if dtype[0] in "if" else 0, high=3)
            yield Case(
                f"scatter_nd-{dtype}-{i}", "SCATTER_ND", (index(at), updates, index(list(shape))), scalar_of(dtype)
            )


def updates() -> Iterator[Case]:
    for dtype in TYPES:
        for i in range(20):
            shape = small(RNG)
            part = tuple(int(RNG.integers(1, n + 1)) for n in shape)
            start = Value((len(shape),), "int32", low=-2, high=6)
            inputs = (value(dtype, *shape), value(dtype, *part), start)
            oracles = NEWER if dtype in ("int16", "uint8") else Case.oracles
            yield Case(
                f"dynamic_update_slice-{dtype}-{i}", "DYNAMIC_UPDATE_SLICE", inputs, scalar_of(dtype), oracles=oracles
            )


def found() -> Iterator[Case]:
    for dtype in ("bool", "float32", "int32", "int64", "int8", "uint8"):
        for i in range(20):
            low = None if dtype in ("bool", "float32") else 0
            condition = Value((*small(RNG), 4), dtype, low=low, high=None if low is None else 2)
            yield Case(f"where-{dtype}-{i}", "WHERE", (condition,), Value((), "int64"))
    for dtype in ("float32", "int32", "int64", "int8", "uint8", "int16"):
        for i in range(20):
            x = Value((int(RNG.integers(1, 20)),), dtype, low=0, high=6)
            kind = "int64" if i % 2 else "int32"
            options = {"idx_out_type": kind.upper()}
            x = replace(x, dtype="int32" if dtype == "float32" else dtype)
            yield Case(
                f"unique-{x.dtype}-{dtype}-{i}",
                "UNIQUE",
                (x,),
                Value((), x.dtype),
                options,
                more_outputs=(Value((), kind),),
            )


def casts() -> Iterator[Case]:
    kinds = ("float32", "int8", "uint8", "int16", "int32", "int64", "bool", "uint32", "uint16")
    for source in kinds:
        for target in kinds:
            for name, low, high in (("small", -100.9, 100.9), ("large", -1e6, 1e6), ("huge", -1e11, 1e11)):
                x = Value((3, 17), source, low=low, high=high)
                if source != "float32":
                    x = Value(small(RNG), source)
                # floats beyond uint32 are not defined in C, and tflite-runtime's Python knows no uint16
                unknown = (target == "uint32" and name == "huge") or source == "uint16"
                oracles = NEWER if unknown else Case.oracles
                yield Case(f"cast-{source}_{target}-{name}", "CAST", (x,), Value((), target), oracles=oracles)


def bits() -> Iterator[Case]:
    for source, target, shape in [
        ("float32", "int32", (3, 4)),
        ("int32", "float32", (2,)),
        ("float32", "int8", (2, 3)),
        ("int8", "float32", (3, 4)),
        ("int64", "int32", (5,)),
        ("int16", "uint16", (4,)),
        ("int16", "int32", (3, 2)),
        ("uint8", "int8", (2, 2)),
        ("int32", "uint32", ()),
        ("uint8", "int16", (7, 2)),
    ]:
        low = -9 if source == "int32" else None
        yield Case(
            f"bitcast-{source}_{target}",
            "BITCAST",
            (Value(shape, source, low=low, high=9 if low else None),),
            Value((), target),
        )


def sequences() -> Iterator[Case]:
    for dtype in ("float32", "uint8", "int16", "int32", "int64"):
        for i in range(20):
            shape = small(RNG, low=2)
            along, batch = (int(n) for n in RNG.permutation(len(shape))[:2])
            lengths = Value((shape[batch],), "int64" if i % 2 else "int32", low=0, high=shape[along])
            options = {"seq_dim": along, "batch_dim": batch}
            yield Case(
                f"reverse_sequence-{dtype}-{i}",
                "REVERSE_SEQUENCE",
                (value(dtype, *shape), lengths),
                scalar_of(dtype),
                options,
            )


def lookups() -> Iterator[Case]:
    for dtype, target in (
        ("float32", "float32"),
        ("int8", "int8"),
        ("uint8", "uint8"),
        ("int8", "float32"),
        ("uint8", "float32"),
    ):
        for i in range(20):
            rows, row = int(RNG.integers(1, 9)), small(RNG, high=3)
            q = (0.03, 0) if dtype != "float32" else (None, 0)
            table = Value((rows, *row), dtype, *q, constant=True)
            y = Value((), target, *(q if target == dtype else (None, 0)))
            at = Value((int(RNG.integers(1, 7)),), "int32", low=0, high=rows - 1)
            yield Case(f"embedding_lookup-{dtype}_{target}-{i}", "EMBEDDING_LOOKUP", (at, table), y)
    for i in range(5):
        table = Value((4, 6), "int8", [0.01, 0.02, 0.03, 0.5], [0] * 4, constant=True)
        yield Case(
            f"embedding_lookup-int8_rows-{i}",
            "EMBEDDING_LOOKUP",
            (Value((i + 1,), "int32", low=0, high=3), table),
            Value(),
            oracles=NEWER,
        )


def zeros() -> Iterator[Case]:
    for dtype in ("float32", "int32", "int64"):
        for i in range(20):
            yield Case(f"zeros_like-{dtype}-{i}", "ZEROS_LIKE", (value(dtype, *small(RNG)),), Value((), dtype))


def at_edges() -> Iterator[Case]:
    """The first rows of operators about indices: scalars, four axes, nothing."""
    first = {(case.op, case.output.dtype): case for case in reversed([*one_hots(), *fills()])}
    for (op, dtype), case in first.items():
        if op == "ONE_HOT":
            for name, shape, axis in (("scalar", (), -1), ("four_axes", (2, 1, 3, 2), 2), ("nothing", (0, 2), 0)):
                inputs = (replace(case.inputs[0] or Value(), shape=shape), *case.inputs[1:])
                yield replace(case, id=f"one_hot-{dtype}-{name}", inputs=inputs, options={"axis": axis})
        else:
            for name, dims in (("scalar", []), ("seven_axes", [1, 2, 1, 2, 1, 2, 2]), ("nothing", [3, 0])):
                yield replace(case, id=f"fill-{dtype}-{name}", inputs=(index(dims), *case.inputs[1:]))


CASES = [
    *shapes(),
    *ranges(),
    *fills(),
    *one_hots(),
    *scatters(),
    *updates(),
    *found(),
    *casts(),
    *bits(),
    *sequences(),
    *lookups(),
    *zeros(),
    *at_edges(),
]
