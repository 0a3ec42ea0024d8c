"""Rows of RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR."""

from cases.case import BOTH, Case, Value

QUANTIZATION = {"float32": (None, 0), "int8": (0.05, -7), "uint8": (0.05, 120), "int16": (0.0003, 0)}
SIZES = {
    "up": ((1, 3, 4, 5), (7, 9)),
    "double": ((2, 4, 4, 3), (8, 8)),
    "down": ((1, 9, 8, 2), (4, 3)),
    "same": ((1, 5, 5, 3), (5, 5)),
    "to_one": ((1, 6, 7, 2), (1, 1)),
    "from_one": ((1, 1, 1, 4), (3, 5)),
    "odd": ((3, 5, 7, 9), (3, 11)),
    "row": ((1, 1, 9, 1), (1, 4)),
    "column": ((2, 6, 1, 17), (13, 1)),
    "no_images": ((0, 3, 3, 2), (2, 2)),
    "large": ((1, 13, 17, 3), (40, 33)),
    "long_rows": ((1, 2, 150, 40), (3, 301)),
    "many_channels": ((1, 2, 3, 2100), (3, 5)),
    "stretched": ((1, 33, 2, 3), (5000, 3)),
    "narrower": ((1, 3, 90, 18), (2, 20)),
}
MODES = {"plain": {}, "corners": {"align_corners": True}, "half_pixel": {"half_pixel_centers": True}}


def row(dtype: str, name: str, mode: str, op: str = "RESIZE_BILINEAR") -> Case:
    image, size = SIZES[name]
    return Case(
        f"{op.lower()}-{dtype}-{name}-{mode}",
        op,
        (Value(image, dtype, *QUANTIZATION[dtype]), Value((2,), "int32", constant=size)),
        Value((), dtype, *QUANTIZATION[dtype]),
        MODES[mode],
        oracles=() if name == "stretched" else BOTH,  # where the runtimes read past the last row
    )


OPS = ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
CASES = [row(dtype, name, mode, op) for op in OPS for dtype in QUANTIZATION for name in SIZES for mode in MODES]
