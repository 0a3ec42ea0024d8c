"""Rows of RELU and its bounded forms, LOGISTIC and TANH. Every code of the 8-bit types occurs."""

from cases.case import Case, Value

FIXED = {
    "LOGISTIC": {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)},
    "TANH": {"int8": (1 / 128, 0), "uint8": (1 / 128, 128), "int16": (1 / 32768, 0)},
}
SCALES = {
    "int8": [(0.05, -7), (0.3, 127), (0.0007, -128)],
    "uint8": [(0.05, 120), (0.3, 255), (0.0007, 0)],
    # 2**-12 and 2**-11 are the powers of two that the integer kernels know
    "int16": [(0.0003, 0), (2.0**-12, 0), (2.0**-11, 0), (2.0**-13, 0), (0.000001, 0), (0.002, 0)],
}
RESCALED = {"int8": (0.03, 5), "uint8": (0.03, 40), "int16": (0.0002, 0)}
BITS = {"int8": 8, "uint8": 8, "int16": 16}


def every_code(dtype: str, scale: float, zero_point: int) -> Value:
    """A constant is folded, so the codes are fed: enough random ones that each of 256 occurs, and both ends."""
    return Value((4, 1 << 12), dtype, scale, zero_point)


def quantized(op: str, dtype: str, number: int) -> Case:
    out = FIXED[op][dtype] if op in FIXED else RESCALED[dtype]
    return Case(
        f"{op.lower()}-{dtype}-{number}", op, (every_code(dtype, *SCALES[dtype][number]),), Value((), dtype, *out)
    )


def real(op: str, high: float) -> Case:
    return Case(f"{op.lower()}-float32-{high:g}", op, (Value((3, 5, 700), "float32", low=-high, high=high),))


TYPES = {
    **dict.fromkeys(("RELU", "RELU6", "LOGISTIC", "TANH"), ("int8", "uint8", "int16")),
    **dict.fromkeys(("RELU_N1_TO_1", "RELU_0_TO_1"), ("int8", "uint8")),
}
CASES = [
    *(real(op, high) for op in TYPES for high in (4.0, 30.0)),
    *(quantized(op, dtype, i) for op in TYPES for dtype in TYPES[op] for i in range(len(SCALES[dtype]))),
    Case("relu-int8-same_scale", "RELU", (every_code("int8", 0.05, -7),), Value((), "int8", 0.05, -7)),
    Case("relu-int8-scaled_up", "RELU", (every_code("int8", 0.9, -20),), Value((), "int8", 0.0001, 0)),
    Case("tanh-int8-free_scale", "TANH", (every_code("int8", 0.05, -7),), Value((), "int8", 0.011, 9)),
    Case("logistic-float32-extremes", "LOGISTIC", (Value((6,), low=-3e38, high=3e38),)),
    # past 2**31 in the products of both runtimes, which wrap
    *(
        Case(f"{op.lower()}-int16-steep", op, (every_code("int16", 6.0, 0),), Value((), "int16", 1 / 32768), oracles=())
        for op in ("LOGISTIC", "TANH")
    ),
    Case("tanh-float32-scalar", "TANH", (Value((), low=-1, high=1),)),
]
