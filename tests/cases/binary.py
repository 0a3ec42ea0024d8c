"""Rows of ADD, SUB and MUL."""

from dataclasses import replace

from cases.case import Case, Value

# scale and zero point of a, b and y
QUANTIZATION = {
    "float32": [(None, 0)] * 3,
    "int8": [(0.05, -7), (0.013, 100), (0.06, 3)],
    "uint8": [(0.05, 120), (0.013, 255), (0.06, 128)],
    "int16": [(0.0003, 0), (0.00004, 0), (0.0004, 0)],
}
SHAPES = {
    "equal": ((2, 3, 5, 7), (2, 3, 5, 7)),
    "channel": ((2, 3, 5, 7), (7,)),
    "scalar": ((2, 3, 5), ()),
    "scalar_first": ((1,), (4, 65)),
    "both": ((2, 1, 5, 1), (1, 3, 1, 7)),
    "gate": ((2, 4, 4, 40), (2, 1, 1, 40)),
    "rank_2_with_4": ((3, 7), (2, 2, 3, 7)),
    "rows": ((2, 3, 4, 1), (2, 3, 4, 9)),
    "one_element": ((1, 1), (1,)),
}
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


def values(dtype: str, a_shape: tuple[int, ...] = (3, 50), b_shape: tuple[int, ...] = (3, 50)) -> list[Value]:
    a, b, y = (Value(shape, dtype, *q) for shape, q in zip((a_shape, b_shape, ()), QUANTIZATION[dtype], strict=True))
    return [a, b, y]


def row(op: str, name: str, a: Value, b: Value, y: Value, activation: str = "NONE", **more: object) -> Case:
    options: dict[str, object] = {"fused_activation_function": activation}
    if op != "MUL":
        options["pot_scale_int16"] = more.pop("pot", False)
    return Case(f"{op.lower()}-{a.dtype}-{name}", op, (a, b), y, options, **more)  # type: ignore[arg-type]


def scaled(op: str, dtype: str, name: str, *quantization: tuple[float, int], **more: object) -> Case:
    a, b, y = (Value((3, 70), dtype, *q) for q in quantization)
    return row(op, name, a, b, replace(y, shape=()), **more)  # type: ignore[arg-type]


OPS = ("ADD", "SUB", "MUL")
CASES = [
    *(row(op, name, *values(dtype, *SHAPES[name])) for op in OPS for dtype in QUANTIZATION for name in SHAPES),
    *(
        row(op, a.lower(), *values(dtype), activation=a)
        for op in OPS
        for dtype in QUANTIZATION
        for a in ACTIVATIONS[1:]
    ),
    *(row(op, "constant", a, replace(b, constant=True), y) for op in OPS for a, b, y in map(values, QUANTIZATION)),
    *(row(op, "five_axes", *values("int8", (2, 1, 2, 1, 3), (1, 3, 2, 4, 1))) for op in ("ADD", "SUB")),
    *(
        row(op, "plain", *(Value(s, t, low=-900, high=900) for s in ((2, 3), (3,), ())))
        for op in OPS
        for t in ("int32", "int64")
    ),
    # extreme scales and zero points
    *(scaled(op, "int8", "wide_to_narrow", (0.9, -128), (0.0001, 127), (0.004, -128)) for op in OPS),
    *(scaled(op, "int8", "narrow_to_wide", (0.0001, 127), (0.00002, 127), (0.7, 127)) for op in OPS),
    *(scaled(op, "int8", "equal_scales", (0.1, 0), (0.1, 0), (0.1, 0)) for op in OPS),
    *(scaled(op, "int8", "saturating", (0.5, 0), (0.5, 0), (0.01, 0)) for op in OPS),
    *(scaled(op, "int16", "wide_to_narrow", (0.001, 0), (0.00001, 0), (0.0003, 0)) for op in OPS),
    *(scaled(op, "int16", "narrow_to_wide", (0.00001, 0), (0.00003, 0), (0.01, 0)) for op in OPS),
    # about every pair of codes, with sums that are halves among them
    *(
        row(op, f"pairs_{i}", Value((200, 300), t, a, za), Value((200, 300), t, b, zb), Value((), t, y, zy), activation)
        for op in ("ADD", "SUB")
        for i, (t, (a, za), (b, zb), (y, zy), activation) in enumerate(
            [
                ("int8", (0.0394, -128), (0.1042, 4), (0.0509, -128), "RELU"),
                ("int8", (0.0625, 3), (0.125, -9), (0.25, 100), "NONE"),
                ("uint8", (0.037, 0), (0.005, 190), (0.04, 131), "NONE"),
                ("uint8", (0.5, 17), (0.5, 200), (1.0, 128), "NONE"),
            ]
        )
    ),
    # int16 with scales that are powers of two, with and without the option
    *(
        scaled(op, "int16", f"power_of_two_{'shift' if pot else 'general'}_{i}", (a, 0), (b, 0), (2.0**-11, 0), pot=pot)
        for op in ("ADD", "SUB")
        for pot in (True, False)
        for i, (a, b) in enumerate([(2.0**-11, 2.0**-14), (2.0**-12, 2.0**-11), (2.0**-11, 2.0**-11)])
    ),
    *(
        scaled(op, "int16", "option_without_powers", (0.0003, 0), (0.0001, 0), (0.0004, 0), pot=True)
        for op in ("ADD", "SUB")
    ),
]
