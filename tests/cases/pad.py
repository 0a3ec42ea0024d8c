"""Rows of PAD, PADV2 and MIRROR_PAD."""

import numpy as np

from cases.case import Case, Value

QUANTIZATION = {
    "float32": (None, 0),
    "int8": (0.05, -7),
    "uint8": (0.05, 120),
    "int16": (0.0003, 0),
    "int32": (None, 0),
    "int64": (None, 0),
}
PADDINGS = {
    "image": ((2, 3, 4, 5), [(0, 0), (1, 2), (3, 0), (0, 0)]),
    "every_axis": ((2, 3, 4), [(1, 1), (2, 0), (0, 3)]),
    "channels": ((2, 2, 3), [(0, 0), (0, 0), (1, 4)]),
    "batch": ((2, 3), [(1, 0), (0, 0)]),
    "none": ((2, 3), [(0, 0), (0, 0)]),
    "vector": ((5,), [(2, 1)]),
    "nothing": ((0, 3), [(2, 1), (0, 1)]),
    "scalar": ((), np.zeros((0, 2), int)),
    "rank_5": ((2, 1, 2, 3, 2), [(1, 0), (0, 1), (1, 1), (0, 0), (2, 0)]),
}


def row(dtype: str, name: str, indices: str = "int32") -> Case:
    shape, paddings = PADDINGS[name]
    return Case(
        f"pad-{dtype}-{name}-{indices}",
        "PAD",
        (Value(shape, dtype, *QUANTIZATION[dtype]), Value((len(shape), 2), indices, constant=paddings)),
        Value((), dtype, *QUANTIZATION[dtype]),
    )


MIRRORED = {
    "image": ((2, 3, 4, 5), [(0, 0), (1, 2), (3, 0), (0, 0)]),
    "every_axis": ((2, 3, 4), [(1, 1), (2, 0), (0, 3)]),
    "vector": ((5,), [(2, 1)]),
    "most": ((3, 4), [(2, 2), (3, 3)]),
    "six_axes": ((2, 1, 3, 2, 1, 2), [(1, 0), (0, 0), (1, 1), (0, 1), (0, 0), (1, 1)]),
}


def valued(dtype: str, name: str) -> Case:
    shape, paddings = PADDINGS[name]
    x, y = Value(shape, dtype, *QUANTIZATION[dtype]), Value((), dtype, *QUANTIZATION[dtype])
    given = (
        x,
        Value((len(shape), 2), "int32", constant=paddings),
        Value((), dtype, *QUANTIZATION[dtype], low=-3, high=90),
    )
    if dtype in ("uint8", "float32"):
        given = (*given[:2], Value((), dtype, *QUANTIZATION[dtype], constant=7))
    return Case(f"padv2-{dtype}-{name}", "PADV2", given, y)


def mirrored(dtype: str, name: str, mode: str) -> Case:
    shape, paddings = MIRRORED[name]
    x, y = (
        Value(shape, dtype, *QUANTIZATION.get(dtype, (None, 0))),
        Value((), dtype, *QUANTIZATION.get(dtype, (None, 0))),
    )
    given = (x, Value((len(shape), 2), "int32", constant=paddings))
    oracles = ("ai-edge-litert",) if dtype == "bool" else Case.oracles
    return Case(f"mirror_pad-{dtype}-{name}-{mode}", "MIRROR_PAD", given, y, {"mode": mode}, oracles=oracles)


CASES = [
    *(valued(dtype, name) for dtype in QUANTIZATION for name in PADDINGS),
    *(
        mirrored(dtype, name, mode)
        for dtype in (*QUANTIZATION, "bool")
        for name in MIRRORED
        for mode in ("REFLECT", "SYMMETRIC")
    ),
    *(row(dtype, name) for dtype in QUANTIZATION for name in PADDINGS),
    row("float32", "image", indices="int64"),
    row("int8", "image", indices="int64"),
]
