"""Rows of CONCATENATION."""

from cases.case import Case, Value

QUANTIZATION = {
    "float32": (None, 0),
    "int8": (0.05, -7),
    "uint8": (0.05, 120),
    "int16": (0.0003, 0),
    "int32": (None, 0),
    "int64": (None, 0),
}
# axis, input shapes
JOINS = {
    "last": (-1, [(2, 3, 4), (2, 3, 1), (2, 3, 7)]),
    "first": (0, [(2, 5), (1, 5)]),
    "middle": (1, [(2, 3, 4, 5), (2, 1, 4, 5), (2, 2, 4, 5), (2, 3, 4, 5)]),
    "vectors": (0, [(3,), (4,)]),
    "five_axes": (-4, [(2, 3, 2, 4, 3), (2, 1, 2, 4, 3)]),
    "seven_axes": (-1, [(2, 1, 3, 2, 1, 2, 2), (2, 1, 3, 2, 1, 2, 1)]),
    "some_empty": (1, [(2, 0), (2, 3), (2, 0)]),
    "all_empty": (0, [(0, 3), (0, 3)]),
    "many": (0, [(2,)] * 10),
    "one": (-2, [(2, 3, 4)]),
}


def row(dtype: str, name: str) -> Case:
    axis, shapes = JOINS[name]
    inputs = tuple(Value(shape, dtype, *QUANTIZATION[dtype]) for shape in shapes)
    return Case(
        f"concatenation-{dtype}-{name}", "CONCATENATION", inputs, Value((), dtype, *QUANTIZATION[dtype]), {"axis": axis}
    )


CASES = [
    *(row(dtype, name) for dtype in QUANTIZATION for name in JOINS),
    Case(
        "concatenation-uint8-scales_differ",
        "CONCATENATION",
        (
            Value((40, 30), "uint8", 0.05, 120),
            Value((40, 20), "uint8", 0.031, 3),
            Value((40, 20), "uint8", 0.04, 110),
            Value((40, 20), "uint8", 0.0001, 255),
        ),
        Value((), "uint8", 0.04, 110),
        {"axis": 1},
    ),
    Case(
        "concatenation-int8-constant",
        "CONCATENATION",
        (Value((2, 3), "int8", 0.05, -7), Value((2, 2), "int8", 0.05, -7, constant=True)),
        Value((), "int8", 0.05, -7),
        {"axis": 1},
    ),
]
