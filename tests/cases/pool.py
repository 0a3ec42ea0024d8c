"""Rows of AVERAGE_POOL_2D and MAX_POOL_2D."""

from dataclasses import replace

from cases.case import Case, Value

QUANTIZATION = {"float32": {}, "int8": {"scale": 0.05, "zero_point": -7}, "uint8": {"scale": 0.05, "zero_point": 121}}
QUANTIZATION["int16"] = {"scale": 0.0003}

# image, filter (height, width), stride, padding, activation
GEOMETRIES = {
    "same": ((1, 5, 7, 3), (3, 3), (2, 2), "SAME", "NONE"),
    "valid": ((2, 6, 5, 4), (2, 3), (1, 2), "VALID", "NONE"),
    "global": ((2, 7, 7, 65), (7, 7), (7, 7), "VALID", "NONE"),
    "even": ((1, 8, 8, 16), (2, 2), (2, 2), "SAME", "RELU"),
    "wide_same": ((1, 4, 9, 2), (4, 5), (1, 3), "SAME", "RELU6"),
    "filter_past_image": ((1, 2, 3, 5), (5, 5), (1, 1), "SAME", "NONE"),
    "one_pixel": ((3, 1, 1, 1), (1, 1), (1, 1), "VALID", "RELU_N1_TO_1"),
    "stride_three": ((2, 7, 8, 3), (2, 3), (3, 3), "SAME", "RELU"),
    "stride_three_valid": ((2, 7, 8, 17), (2, 3), (3, 2), "VALID", "RELU6"),
    "row": ((1, 1, 9, 1), (1, 4), (1, 2), "SAME", "RELU_N1_TO_1"),
    "column": ((3, 9, 1, 5), (9, 1), (1, 1), "VALID", "NONE"),
    "no_images": ((0, 3, 3, 2), (2, 2), (1, 1), "SAME", "NONE"),
    "large_window": ((1, 30, 25, 35), (26, 23), (2, 1), "SAME", "NONE"),
    "stride_past_filter": ((1, 9, 9, 130), (1, 2), (4, 3), "SAME", "NONE"),
}


def row(op: str, name: str, dtype: str) -> Case:
    image, (height, width), (down, across), padding, activation = GEOMETRIES[name]
    return Case(
        f"{op.lower()}-{dtype}-{name}",
        op,
        (Value(image, dtype, **QUANTIZATION[dtype]),),
        Value(dtype=dtype, **QUANTIZATION[dtype]),
        {
            "padding": padding,
            "stride_h": down,
            "stride_w": across,
            "filter_height": height,
            "filter_width": width,
            "fused_activation_function": activation,
        },
    )


CASES = [
    *(
        row(op, name, dtype)
        for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D")
        for dtype in QUANTIZATION
        for name in GEOMETRIES
    ),
    *(replace(row("L2_POOL_2D", name, "float32"), tolerance=5e-7) for name in GEOMETRIES),
]
