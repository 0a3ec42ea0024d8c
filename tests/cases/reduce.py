"""Rows of MEAN."""

from cases.case import Case, Value

# input scale and zero point, then the output's
QUANTIZATION = {
    "float32": [((None, 0), (None, 0))],
    "int8": [
        ((0.05, -7), (0.02, 11)),
        ((0.05, -7), (0.05, -7)),
        ((0.9, 127), (0.001, -128)),
        ((0.0001, -128), (0.4, 127)),
    ],
    "uint8": [((0.05, 120), (0.02, 3)), ((0.05, 0), (0.05, 255))],
    "int16": [((0.0003, 0), (0.0001, 0)), ((0.00005, 0), (0.02, 0))],
}
# input, axes, keep_dims
REDUCTIONS = {
    "spatial": ((2, 5, 7, 70), (1, 2), False),
    "spatial_keep": ((1, 7, 7, 33), (1, 2), True),
    "last": ((3, 4, 9), (-1,), False),
    "first": ((6, 5), (0,), True),
    "all": ((2, 3, 4, 5), (0, 1, 2, 3), False),
    "alternating": ((2, 3, 4, 5, 6), (0, 2, 4), False),
    "middle": ((2, 3, 4, 5), (1, -2), True),
    "repeated": ((2, 3, 4), (1, -2, 1), False),
    "one_element": ((2, 1, 3), (1,), False),
    "short_rows": ((37, 16), (1,), False),
    "long_rows": ((5, 3, 213), (2,), True),
    "first_and_last": ((3, 4, 40), (0, 2), False),
}


def row(dtype: str, number: int, name: str) -> Case:
    shape, axes, keep_dims = REDUCTIONS[name]
    (scale, zero_point), (out_scale, out_zero_point) = QUANTIZATION[dtype][number]
    return Case(
        f"mean-{dtype}-{number}-{name}",
        "MEAN",
        (Value(shape, dtype, scale, zero_point), Value((len(axes),), "int32", constant=axes)),
        Value((), dtype, out_scale, out_zero_point),
        {"keep_dims": keep_dims},
    )


CASES = [row(dtype, i, name) for dtype in QUANTIZATION for i in range(len(QUANTIZATION[dtype])) for name in REDUCTIONS]
