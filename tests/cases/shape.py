"""Rows of RESHAPE and SQUEEZE."""

from cases.case import Case, Value


def reshape(name: str, x: Value, *wanted: int) -> Case:
    shape = Value((len(wanted),), "int32", constant=list(wanted))
    return Case(f"reshape-{x.dtype}-{name}", "RESHAPE", (x, shape), Value((), x.dtype, x.scale, x.zero_point))


def squeeze(name: str, x: Value, *dims: int) -> Case:
    y = Value((), x.dtype, x.scale, x.zero_point)
    return Case(f"squeeze-{x.dtype}-{name}", "SQUEEZE", (x,), y, {"squeeze_dims": list(dims)} if dims else {})


TYPES = [
    Value((2, 3, 4)),
    Value((2, 3, 4), "int8", 0.05, -7),
    Value((2, 3, 4), "uint8", 0.05, 120),
    Value((2, 3, 4), "int16", 0.0003),
    Value((2, 3, 4), "int32"),
    Value((2, 3, 4), "int64"),
]
CASES = [
    *(reshape("flat", x, 24) for x in TYPES),
    *(reshape("inferred", x, 4, -1, 2) for x in TYPES),
    reshape("scalar", Value((1, 1))),
    reshape("from_scalar", Value(()), 1, 1),
    reshape("ones", Value((2, 3), "int8", 0.1), 1, 2, 1, 3, 1),
    Case("reshape-float32-option", "RESHAPE", (Value((2, 6)),), options={"new_shape": [3, -1]}),
    Case("reshape-float32-option_scalar", "RESHAPE", (Value((1,)),), options={"new_shape": [0]}),
    squeeze("all", Value((1, 3, 1, 2))),
    squeeze("named", Value((1, 3, 1, 2), "int8", 0.05, -7), 2),
    squeeze("negative", Value((1, 3, 1, 2), "int16", 0.0003), -2, 0),
    squeeze("repeated", Value((1, 3, 1, 2), "uint8", 0.05, 3), 0, 0, -4),
    squeeze("nothing_to_do", Value((2, 3))),
    squeeze("to_scalar", Value((1, 1))),
]
