"""Rows of PAD."""

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


CASES = [
    *(row(dtype, name) for dtype in QUANTIZATION for name in PADDINGS),
    row("float32", "image", indices="int64"),
    row("int8", "image", indices="int64"),
]
