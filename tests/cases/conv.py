"""Rows for CONV_2D."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from cases.case import Case, Value

RT214, LITERT = ("tflite-runtime",), ("ai-edge-litert",)
SCALE_X, SCALE_W = 0.047, 0.0061
BIAS_TYPES = {"int8": "int32", "uint8": "int32", "int16": "int64"}
BIAS_STEPS = {"int8": 20_000, "uint8": 20_000, "int16": 3_000_000}  # range of random biases


def operands(
    kind: str,
    x: tuple[int, ...],
    w: tuple[int, ...],
    axis: int,
    spread: float = 1.0,
    zeros: tuple[int, int, int] = (0, 0, 0),
    gain: float = 1.0,
    bias_type: str | None = None,
    bias_steps: int = 0,
    weight_type: str = "int8",
) -> tuple[Value, Value, Value, Value]:
    """The tensors x, w, b, y of a row. x, w: shapes, w with its output channels at `axis`.

    spread: 0 for one scale of w, else one per channel, apart by that factor squared. zeros: zero points of x, w, y.
    gain: output scale over one that fits.
    """
    channels, fused = w[axis], (*w[:axis], *w[axis + 1 :])
    if kind == "float32":
        return Value(x), Value(w, constant=True), Value((channels,), constant=True), Value()
    scales = np.geomspace(1 / spread, spread, channels) if spread else np.ones(1)
    scale_w = (SCALE_W * scales).astype(np.float32)
    low = {"int4": -7, "int2": -1}.get(
        weight_type, -127
    )  # as the quantization specification has it; hybrid kernels rely on it
    if kind == "hybrid":
        return Value(x), Value(w, weight_type, scale_w, 0, axis, True, low), Value((channels,), constant=True), Value()
    weights = (
        Value(w, "uint8", scale_w, zeros[1], 0, True)
        if kind == "uint8"
        else Value(w, weight_type, scale_w, zeros[1], axis, True, low)
    )
    peak_x, peak_y = (30_000, 32767) if kind == "int16" else (128, 127)
    scale_y = gain * SCALE_X * SCALE_W * math.sqrt(math.prod(fused)) * peak_x * 60 / peak_y
    steps = bias_steps or BIAS_STEPS[kind]
    return (
        Value(x, kind, SCALE_X, 0 if kind == "int16" else zeros[0]),
        weights,
        Value((channels,), bias_type or BIAS_TYPES[kind], SCALE_X * scale_w, 0, 0, True, -steps, steps),
        Value((), kind, scale_y, 0 if kind == "int16" else zeros[2]),
    )


def pruned(w: Value) -> Value:
    """A weight that is zero in most of its blocks of 16 channels by 4 terms, and in all of the first 16 channels."""
    rng = np.random.default_rng(1)
    values = w.random(rng).reshape(w.shape[0], -1)
    kept = rng.random((-(-values.shape[0] // 16), -(-values.shape[1] // 4))) < 0.3
    kept[0] = False
    there = np.kron(kept, np.ones((16, 4), bool))[: values.shape[0], : values.shape[1]]
    return replace(w, constant=np.where(there, values, values.dtype.type(w.zero_point)).reshape(w.shape))


def case(
    id: str,
    kind: str,
    image: tuple[int, ...] = (1, 7, 6, 5),
    filter: tuple[int, int, int] = (4, 3, 3),
    groups: int = 1,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    padding: str = "SAME",
    activation: str = "NONE",
    spread: float = 4.0,
    zeros: tuple[int, int, int] = (-11, 0, 23),
    gain: float = 1.0,
    bias_type: str | None = None,
    weight_type: str = "int8",
    sparse: bool = False,
    oracles: tuple[str, ...] = RT214 + LITERT,
    **options: Any,
) -> Case:
    """A row of a kind: filter is (O, kh, kw), the rest as in operands."""
    shape = (*filter, image[3] // groups)
    x, w, b, y = operands(kind, image, shape, 0, spread, zeros, gain, bias_type, weight_type=weight_type)
    w = pruned(w) if sparse else w
    if kind == "int16":
        options.setdefault("quantized_bias_type", b.dtype.upper())
    window = {
        "padding": padding,
        "stride_h": stride[0],
        "stride_w": stride[1],
        "dilation_h_factor": dilation[0],
        "dilation_w_factor": dilation[1],
        "fused_activation_function": activation,
    }
    return Case(f"{kind}-{id}", "CONV_2D", (x, w, b), y, {**window, **options}, oracles=oracles)


# What every kind runs: geometry, activations, sizes about the kernels' 16 and 128 channels, 16 pixels and 256 terms.
EVERY_KIND: dict[str, dict[str, Any]] = {
    "same": {},
    "valid": {"padding": "VALID"},
    "stride": {"stride": (2, 3), "image": (1, 9, 11, 3)},
    "stride-valid": {"stride": (2, 2), "padding": "VALID", "image": (1, 8, 9, 2)},
    "stride-past-filter": {"filter": (3, 1, 1), "stride": (3, 2)},
    "dilation": {"dilation": (2, 3), "image": (1, 9, 9, 3)},
    "dilation-valid": {"dilation": (3, 2), "image": (1, 10, 9, 3), "padding": "VALID"},
    "batch": {"image": (3, 5, 4, 3)},
    "pointwise": {"filter": (8, 1, 1)},
    "row-filter": {"filter": (2, 1, 5), "image": (1, 1, 13, 4)},
    "even-filter": {"filter": (5, 4, 2), "image": (1, 5, 5, 3)},
    "filter-past-image": {"filter": (3, 5, 5), "image": (1, 2, 3, 2)},
    "one-channel": {"filter": (6, 10, 4), "image": (1, 12, 10, 1), "stride": (2, 2)},
    "groups": {"groups": 3, "image": (1, 5, 6, 6), "filter": (9, 3, 3)},
    "groups-many": {"groups": 8, "image": (2, 4, 4, 8), "filter": (16, 3, 2)},
    "relu": {"activation": "RELU"},
    "relu6": {"activation": "RELU6", "gain": 0.2},
    "relu-n1-to-1": {"activation": "RELU_N1_TO_1"},
    "many-channels": {"filter": (145, 1, 1), "image": (1, 3, 7, 33)},
    "many-terms": {"filter": (17, 3, 3), "image": (1, 5, 5, 61)},
    "odd-terms": {"filter": (3, 3, 3), "image": (1, 4, 5, 29)},
    "stride-odd": {"stride": (3, 2), "image": (2, 7, 5, 3)},
    "stride-odd-valid": {"stride": (3, 2), "padding": "VALID", "image": (2, 7, 8, 3)},
    "stride-three-valid": {"stride": (3, 3), "padding": "VALID", "image": (1, 10, 10, 2)},
    "relu-valid": {"activation": "RELU", "padding": "VALID", "image": (2, 5, 6, 7)},
    "relu6-stride": {"activation": "RELU6", "stride": (2, 2), "image": (1, 5, 7, 13)},
    "group-for-each-channel": {"groups": 5, "image": (1, 5, 5, 5), "filter": (10, 3, 3)},
    "groups-dilation": {"groups": 2, "dilation": (2, 2), "image": (2, 7, 7, 6)},
    "dilation-stride": {"dilation": (2, 3), "stride": (2, 2), "image": (1, 9, 11, 3)},
    "dilation-past-image": {"dilation": (5, 4), "image": (1, 4, 3, 2)},
    "one-pixel": {"filter": (5, 3, 3), "image": (1, 1, 1, 7)},
    "whole-image": {"filter": (9, 5, 7), "image": (2, 5, 7, 3), "padding": "VALID"},
    "column-filter": {"filter": (2, 5, 1), "image": (1, 13, 1, 4)},
    # panels of pixels by blocks of channels
    "many-pixels": {"filter": (35, 1, 1), "image": (1, 11, 23, 16)},
    "many-pixels-few-channels": {"filter": (8, 1, 1), "image": (2, 11, 23, 8)},
    "many-pixels-and-terms": {"filter": (20, 3, 3), "image": (1, 7, 19, 70)},
    "first-layer": {"filter": (24, 3, 3), "stride": (2, 2), "image": (1, 17, 31, 3)},
    "one-pixel-many-channels": {"filter": (141, 1, 1), "image": (1, 1, 1, 40)},
    "sparse": {"filter": (40, 1, 1), "image": (1, 5, 7, 72), "sparse": True},
    "sparse-odd-terms": {"filter": (35, 1, 1), "image": (2, 3, 5, 66), "sparse": True, "activation": "RELU6"},
    "sparse-one-pixel": {"filter": (150, 1, 1), "image": (1, 1, 1, 128), "sparse": True},
    "sparse-stride": {"filter": (40, 1, 1), "image": (1, 5, 7, 72), "stride": (2, 2), "sparse": True},
    "terms-past-a-panel": {"filter": (2, 3, 3), "image": (1, 2, 2, 15001)},
}
QUANTIZED: dict[str, dict[str, Any]] = {
    "saturating": {"gain": 0.05},
    "coarse": {"gain": 400.0},
    "multiplier-above-one": {"gain": 1e-3, "image": (1, 4, 4, 1), "filter": (3, 1, 1)},
    "many-sums": {"image": (1, 40, 50, 8), "filter": (67, 1, 1)},
    # outputs of which one in 64 is about a half
    "halves": {
        "image": (1, 40, 50, 8),
        "filter": (67, 1, 1),
        "spread": 0,
        "gain": 64 * 127 / (128 * 60 * math.sqrt(8)),
    },
}

CASES = [
    *(case(name, kind, **row) for kind in ("float32", "int8", "int16", "hybrid") for name, row in EVERY_KIND.items()),
    *(case(name, kind, **row) for kind in ("int8", "int16") for name, row in QUANTIZED.items()),
    *(
        case(name, "uint8", **{**row, "spread": 0, "zeros": (131, 120, 97)})
        for name, row in {**EVERY_KIND, **QUANTIZED}.items()
    ),
    *(case("no-images", kind, image=(0, 5, 4, 3)) for kind in ("float32", "int8", "int16")),
    case("no-images", "hybrid", image=(0, 5, 4, 3), oracles=LITERT),  # which tflite-runtime refuses
    case("per-tensor", "int8", spread=0),
    case("per-tensor", "int16", spread=0),
    case("per-tensor", "hybrid", spread=0),
    case("per-tensor-batch", "hybrid", spread=0, image=(3, 6, 5, 4), activation="RELU6"),
    # tflite-runtime takes a common scale for 0, and at times refuses it with groups
    case("equal-scales", "hybrid", spread=1.0, oracles=LITERT),
    case("equal-scales-groups", "hybrid", spread=1.0, groups=2, image=(1, 6, 5, 4), oracles=LITERT),
    case("zero-points-low", "int8", zeros=(-128, 0, -128)),
    case("zero-points-high", "int8", zeros=(127, 0, 127)),
    case("zero-points-low", "uint8", spread=0, zeros=(0, 0, 0)),
    case("zero-points-high", "uint8", spread=0, zeros=(255, 255, 255)),
    case("int4", "int8", weight_type="int4", gain=0.05),
    *(
        case(f"bias32-{name}", "int16", bias_type="int32", **row)
        for name, row in {**EVERY_KIND, **QUANTIZED}.items()
        if name in ("same", "stride", "groups", "relu6", "many-terms", "saturating")
    ),
    case("bias32-per-tensor", "int16", bias_type="int32", spread=0),
    case("bias32-undeclared", "int16", bias_type="int32", oracles=RT214, quantized_bias_type="FLOAT32"),
    case("bias64-undeclared", "int16", quantized_bias_type="FLOAT32"),
]
