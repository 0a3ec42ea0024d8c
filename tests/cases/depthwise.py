"""Rows for DEPTHWISE_CONV_2D."""

from __future__ import annotations

from typing import Any

from cases.case import Case
from cases.conv import operands


def case(
    id: str,
    kind: str,
    image: tuple[int, int, int, int] = (1, 7, 6, 5),
    filter: tuple[int, int] = (3, 3),
    multiplier: int = 1,
    stride: int = 1,
    dilation: tuple[int, int] = (1, 1),
    padding: str = "SAME",
    activation: str = "NONE",
    spread: float = 4.0,
    zeros: tuple[int, int, int] = (-11, 0, 23),
    gain: float = 1.0,
    bias: bool = True,
) -> Case:
    """A row of a kind: filter is (kh, kw), the rest as in operands."""
    x, w, b, y = operands(kind, image, (1, *filter, image[3] * multiplier), 3, spread, zeros, gain)
    options = {
        "padding": padding,
        "stride_h": stride,
        "stride_w": stride,
        "depth_multiplier": multiplier,
        "dilation_h_factor": dilation[0],
        "dilation_w_factor": dilation[1],
        "fused_activation_function": activation,
    }
    return Case(f"{kind}-{id}", "DEPTHWISE_CONV_2D", (x, w, b) if bias else (x, w), y, options)


# What every kind runs: geometry, activations, channel counts about the kernels' pieces of 64.
EVERY_KIND: dict[str, dict[str, Any]] = {
    "same": {},
    "valid": {"padding": "VALID"},
    "stride": {"stride": 2, "image": (1, 9, 11, 3)},
    "stride-valid": {"stride": 2, "padding": "VALID", "image": (1, 8, 9, 2)},
    "dilation": {"dilation": (2, 3), "image": (1, 9, 9, 3)},
    "dilation-valid": {"dilation": (3, 2), "image": (1, 10, 9, 3), "padding": "VALID"},
    "batch": {"image": (3, 5, 4, 3)},
    "pointwise": {"filter": (1, 1)},
    "even-filter": {"filter": (4, 2), "image": (1, 5, 5, 3)},
    "filter-past-image": {"filter": (5, 5), "image": (1, 2, 3, 2)},
    "multiplier": {"multiplier": 2},
    "multiplier-one-channel": {"multiplier": 8, "image": (1, 12, 10, 1), "filter": (10, 8), "stride": 2},
    "relu": {"activation": "RELU"},
    "relu6": {"activation": "RELU6", "gain": 0.2},
    "relu-n1-to-1": {"activation": "RELU_N1_TO_1"},
    "many-channels": {"image": (1, 4, 5, 131)},
    "many-channels-multiplier": {"image": (1, 3, 4, 43), "multiplier": 3},
    "no-bias": {"bias": False},
    "stride-three": {"stride": 3, "image": (2, 7, 8, 3)},
    "stride-three-valid": {"stride": 3, "padding": "VALID", "image": (2, 8, 7, 5)},
    "relu-valid": {"activation": "RELU", "padding": "VALID", "image": (2, 5, 6, 7)},
    "relu6-stride": {"activation": "RELU6", "stride": 2, "image": (1, 5, 7, 13)},
    "dilation-past-image": {"dilation": (5, 4), "image": (1, 4, 3, 2)},
    "dilation-multiplier": {"dilation": (2, 2), "multiplier": 3, "image": (2, 7, 6, 5)},
    "dilation-stride": {"dilation": (2, 2), "stride": 2, "image": (1, 9, 8, 3)},
    "stride-multiplier": {"stride": 2, "multiplier": 5, "image": (1, 6, 7, 3), "padding": "VALID"},
    "one-pixel": {"image": (1, 1, 1, 7)},
    "whole-image": {"image": (2, 5, 7, 3), "filter": (5, 7), "padding": "VALID"},
    "row-filter": {"image": (1, 1, 13, 4), "filter": (1, 5)},
    "column-filter": {"image": (1, 13, 1, 9), "filter": (5, 1)},
    # vectors hold pixels side by side, by the number of channels
    **{f"row-of-{c}": {"image": (1, 4, 37, c)} for c in (2, 4, 8, 16, 24, 32, 40, 64, 96)},
    **{f"row-of-{c}-stride": {"image": (1, 5, 41, c), "stride": 2, "filter": (5, 3)} for c in (3, 8, 16, 32, 72)},
    "long-rows": {"image": (1, 3, 900, 80)},
    "long-rows-stride": {"image": (1, 3, 1100, 16), "stride": 3, "filter": (3, 5)},
    "many-rows": {"image": (1, 30, 70, 80)},
    "stride-five": {"image": (1, 6, 43, 5), "stride": 5},
}
QUANTIZED: dict[str, dict[str, Any]] = {
    "saturating": {"gain": 0.05},
    "coarse": {"gain": 400.0},
    "multiplier-above-one": {"gain": 1e-3, "image": (1, 4, 4, 3), "filter": (1, 1)},
}
LEGACY = {"spread": 0, "zeros": (131, 120, 97)}

CASES = [
    *(case(name, kind, **row) for kind in ("float32", "int8", "int16", "hybrid") for name, row in EVERY_KIND.items()),
    *(case(name, kind, **row) for kind in ("int8", "int16") for name, row in QUANTIZED.items()),
    *(case(name, "uint8", **{**row, **LEGACY}) for name, row in {**EVERY_KIND, **QUANTIZED}.items()),
    *(case("per-tensor", kind, spread=0) for kind in ("int8", "int16")),
    *(case("no-images", kind, (0, 5, 4, 3)) for kind in ("float32", "int8", "int16")),
    case("zero-points-low", "int8", zeros=(-128, 0, -128)),
    case("zero-points-high", "int8", zeros=(127, 0, 127)),
    case("zero-points-low", "uint8", spread=0, zeros=(0, 0, 0)),
    case("zero-points-high", "uint8", spread=0, zeros=(255, 255, 255)),
]
