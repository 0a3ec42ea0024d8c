"""Rows of SOFTMAX."""

from dataclasses import replace

from cases.case import OPTIMIZED, Case, Value

OUT = {"float32": (None, 0), "int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)}


def row(
    name: str,
    dtype: str,
    shape: tuple[int, ...],
    scale: float | None,
    zero_point: int = 0,
    beta: float = 1.0,
    **more: float,
) -> Case:
    x = Value(shape, dtype, scale, zero_point, **more)  # type: ignore[arg-type]
    return Case(f"softmax-{dtype}-{name}", "SOFTMAX", (x,), Value((), dtype, *OUT[dtype]), {"beta": beta})


CASES = [
    row("matrix", "float32", (5, 13), None),
    row("vector", "float32", (40,), None, beta=0.7),
    row("rank_4", "float32", (2, 3, 4, 11), None),
    row("far_apart", "float32", (4, 30), None, low=-200.0, high=200.0),
    row("long", "float32", (2, 1001), None),
    row("one", "float32", (3, 1), None),
    *(
        row(name, dtype, shape, scale, zero_point, beta)
        for dtype, zero_point in (("int8", 5), ("uint8", 77))
        for name, shape, scale, beta in [
            ("matrix", (50, 10), 0.1, 1.0),
            ("rank_3", (2, 5, 7), 0.03, 1.0),
            ("steep", (20, 12), 0.9, 1.0),
            ("flat", (20, 12), 0.0001, 1.0),
            ("beta", (20, 12), 0.05, 0.3),
            ("long", (2, 1001), 0.08, 1.0),
            ("one", (3, 1), 0.1, 1.0),
            ("vector", (17,), 0.1, 1.0),
        ]
    ),
    *(
        row(name, "int16", shape, scale, beta=beta)
        for name, shape, scale, beta in [
            ("matrix", (50, 10), 0.0005, 1.0),
            ("rank_3", (2, 5, 7), 0.0001, 1.0),
            ("steep", (20, 12), 0.02, 1.0),
            ("flat", (20, 12), 0.000001, 1.0),
            ("beta", (20, 12), 0.0003, 0.3),
            ("long", (2, 1001), 0.0003, 1.0),
            ("one", (3, 1), 0.001, 1.0),
            ("two", (400, 2), 0.0002, 1.0),
        ]
    ),
    # the sum of exp exceeds 512: 2.3 aborts, 2.14 shifts by more than 31 bits
    *(
        replace(row("longest", *args), oracles=OPTIMIZED)
        for args in [("int8", (2, 3000), 0.001), ("uint8", (2, 3000), 0.001)]
    ),
    Case(
        "softmax-int8-to_int16",
        "SOFTMAX",
        (Value((30, 9), "int8", 0.1, 3),),
        Value((), "int16", 1 / 32768),
        {"beta": 1.0},
    ),
]
