"""Rows of QUANTIZE and DEQUANTIZE."""

from cases.case import Case, Value

LITERT = ("ai-edge-litert",)
# scale and zero point by type: ordinary, fine, coarse, at both ends of the range
SCALES = {
    "int8": [(0.05, -7), (0.0003, 127), (3.7, -128)],
    "uint8": [(0.05, 120), (0.0003, 255), (3.7, 0)],
    "int16": [(0.0003, 0), (0.00002, 0), (0.9, 0)],
}
CHANNELS = (0.05, 0.3, 0.011, 0.0007)
PAIRS = [(a, b) for a in SCALES for b in SCALES]
# 2.14 does not requantize from 8 to 16 bits, and neither from 16 bits to uint8
ORACLES = {("int8", "int16"): LITERT, ("uint8", "int16"): LITERT, ("int16", "uint8"): ()}


def quantize(dtype: str, number: int) -> Case:
    y = Value((), dtype, *SCALES[dtype][number])
    return Case(f"quantize-float32-{dtype}-{number}", "QUANTIZE", (Value((7, 300), low=-9, high=9),), y)


def requantize(a: str, b: str, first: int, second: int) -> Case:
    x, y = Value((5, 900), a, *SCALES[a][first]), Value((), b, *SCALES[b][second])
    oracles = ORACLES.get((a, b), ("tflite-runtime", "ai-edge-litert"))
    return Case(f"quantize-{a}-{b}-{first}{second}", "QUANTIZE", (x,), y, oracles=oracles)


def dequantize(dtype: str, number: int) -> Case:
    x = Value((5, 900), dtype, *SCALES[dtype][number])
    return Case(f"dequantize-{dtype}-{number}", "DEQUANTIZE", (x,), Value())


CASES = [
    *(quantize(dtype, i) for dtype in SCALES for i in range(3)),
    # halves, which round away from zero
    Case(
        "quantize-float32-halves",
        "QUANTIZE",
        (Value((9,), constant=[-2.5, -1.5, -0.5, 0.0, 0.49999997, 0.5, 1.5, 2.5, 126.5]),),
        Value((), "int8", 1.0, 0),
    ),
    Case("quantize-float32-scalar", "QUANTIZE", (Value(()),), Value((), "int8", 0.05, -7)),
    Case(
        "quantize-float32-channels",
        "QUANTIZE",
        (Value((3, 4, 5)),),
        Value((), "int8", CHANNELS, (0, 3, -9, 100), axis=1),
    ),
    Case("quantize-float32-last_channels", "QUANTIZE", (Value((3, 5, 4)),), Value((), "int8", CHANNELS, 0, axis=2)),
    *(requantize(a, b, i, j) for a, b in PAIRS for i, j in ((0, 0), (0, 1), (1, 2), (2, 0))),
    Case("quantize-int8-uint8-shifted", "QUANTIZE", (Value((700,), "int8", 0.1, -5),), Value((), "uint8", 0.1, 123)),
    Case("quantize-uint8-int8-shifted", "QUANTIZE", (Value((700,), "uint8", 0.1, 123),), Value((), "int8", 0.1, -5)),
    Case("quantize-int16-int32", "QUANTIZE", (Value((700,), "int16", 0.01),), Value((), "int32", 0.0001)),
    *(
        Case(
            f"quantize-int32-{t}", "QUANTIZE", (Value((700,), "int32", 0.001, low=-9999, high=9999),), Value((), t, 0.1)
        )
        for t in ("int8", "int16")
    ),
    *(dequantize(dtype, i) for dtype in SCALES for i in range(3)),
    Case("dequantize-int8-scalar", "DEQUANTIZE", (Value((), "int8", 0.05, -7),), Value()),
    Case("dequantize-float16", "DEQUANTIZE", (Value((3, 50), "float16", low=-60000, high=60000),), Value()),
    Case("dequantize-float16-small", "DEQUANTIZE", (Value((900,), "float16", low=-1e-4, high=1e-4),), Value()),
    Case(
        "dequantize-int8-channels",
        "DEQUANTIZE",
        (Value((3, 4, 5), "int8", CHANNELS, (0, 3, -9, 100), axis=1),),
        Value(),
    ),
]
