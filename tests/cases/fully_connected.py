"""Rows for FULLY_CONNECTED."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from cases.case import Case
from cases.conv import LITERT, RT214, operands, pruned


def case(
    id: str,
    kind: str,
    x: tuple[int, ...] = (3, 37),
    units: int = 19,
    activation: str = "NONE",
    spread: float = 0,
    zeros: tuple[int, int, int] = (-11, 0, 23),
    gain: float = 1.0,
    bias: bool = True,
    bias_type: str | None = None,
    bias_steps: int = 0,
    weight_type: str = "int8",
    peak: float = 4.0,
    sparse: bool = False,
    oracles: tuple[str, ...] = RT214 + LITERT,
    **options: Any,
) -> Case:
    """A row of a kind: peak bounds float inputs, the rest is as in operands."""
    values, w, b, y = operands(
        kind, x, (units, x[-1]), 0, spread, zeros, gain, bias_type, bias_steps, weight_type=weight_type
    )
    w = pruned(w) if sparse else w
    if y.dtype == "float32":
        values = replace(values, low=-peak, high=peak)
    if kind == "int16" and bias:
        options.setdefault("quantized_bias_type", b.dtype.upper())
    inputs = (values, w, b if bias else None)
    return Case(
        f"{kind}-{id}",
        "FULLY_CONNECTED",
        inputs,
        y,
        {"fused_activation_function": activation, **options},
        oracles=oracles,
    )


def without_range(id: str, **options: Any) -> Case:
    made = case(id, "hybrid", oracles=(), **options)
    x, *rest = made.inputs
    assert x is not None
    return replace(made, inputs=(replace(x, among=(math.nan, 0.0)), *rest))


# What every kind runs: shapes, activations, sizes about the kernels' blocks of 16 and 128 channels and 256 terms.
EVERY_KIND: dict[str, dict[str, Any]] = {
    "rows": {},
    "one-row": {"x": (1, 64)},
    "one-unit": {"units": 1},
    "many-units": {"x": (2, 12), "units": 150},
    "many-terms": {"x": (5, 523), "units": 33},
    "many-rows": {"x": (35, 18)},
    "flattened": {"x": (2, 3, 4, 10)},
    "keep-num-dims": {"x": (2, 3, 4, 10), "keep_num_dims": True},
    "relu": {"activation": "RELU"},
    "relu6": {"activation": "RELU6", "gain": 0.2},
    "relu-n1-to-1": {"activation": "RELU_N1_TO_1"},
    "no-bias": {"bias": False},
    "relu-one-row": {"x": (1, 7), "activation": "RELU"},
    "relu6-odd": {"x": (5, 33), "units": 17, "activation": "RELU6"},
    "one-number": {"x": (1, 1), "units": 1},
    "vector": {"x": (7,)},
    "keep-five-dims": {"x": (2, 1, 2, 3, 7), "keep_num_dims": True},
    "no-rows": {"x": (0, 7)},
    "sparse": {"x": (14, 96), "units": 40, "sparse": True},
    "sparse-one-row": {"x": (1, 140), "units": 150, "sparse": True},
}
QUANTIZED: dict[str, dict[str, Any]] = {
    "saturating": {"gain": 0.05},
    "coarse": {"gain": 400.0},
    "multiplier-above-one": {"gain": 1e-3, "x": (4, 1)},
}


ASYMMETRIC = {"asymmetric_quantize_inputs": True}

CASES = [
    *(case(name, kind, **row) for kind in ("float32", "int8", "int16", "hybrid") for name, row in EVERY_KIND.items()),
    *(case(name, kind, **row) for kind in ("int8", "int16") for name, row in QUANTIZED.items()),
    *(case(name, "uint8", **{**row, "zeros": (131, 120, 97)}) for name, row in {**EVERY_KIND, **QUANTIZED}.items()),
    # tflite-runtime leaves most of a per-channel output unwritten where it keeps more than two dimensions
    *(
        case(f"per-channel-{name}", kind, spread=4, oracles=RT214 * ("keep_num_dims" not in row) + LITERT, **row)
        for kind in ("int8", "int16")
        for name, row in {**EVERY_KIND, **QUANTIZED}.items()
    ),
    case("zero-points-low", "int8", zeros=(-128, 0, -128)),
    case("zero-points-high", "int8", zeros=(127, 0, 127)),
    case("weight-zero-point", "int8", zeros=(-3, 17, 5)),
    case("int4", "int8", weight_type="int4", gain=0.05),
    case("int4-per-channel", "int8", weight_type="int4", gain=0.05, spread=4, oracles=LITERT),
    *(
        case(f"bias32{'-per-channel' * bool(spread)}-{name}", "int16", bias_type="int32", spread=spread, **row)
        for spread in (0, 4)
        for name, row in {**EVERY_KIND, **QUANTIZED}.items()
        if name in ("rows", "many-terms", "relu6", "saturating")
    ),
    case("bias32-undeclared", "int16", bias_type="int32", oracles=RT214, quantized_bias_type="FLOAT32"),
    case("bias64-undeclared", "int16", quantized_bias_type="FLOAT32"),
    # sums over the whole range of what holds them, and multipliers down to 2**-31
    *(
        case(f"{name}-{bias}", kind, x=(1, 4), units=90, bias_type=bias, bias_steps=steps, gain=gain)
        for kind, bias, steps in (
            ("int8", "int32", 2**31 - 9**6),
            ("int16", "int32", 2**31 - 9**8),
            ("int16", "int64", 2**46),
        )
        for name, gain in (("extreme-sums", steps / (2e4 if kind == "int8" else 4e6)), ("tiny-multiplier", 3.2e7))
    ),
    case("no-bias-int32", "int16", bias=False, quantized_bias_type="INT32"),
    *(case(f"asymmetric-{name}", "hybrid", **{**row, **ASYMMETRIC}) for name, row in EVERY_KIND.items()),
    case("zero-input", "hybrid", peak=0.0),
    case("zero-input-asymmetric", "hybrid", peak=0.0, **ASYMMETRIC),
    # rows of NaN and 0 have no range, so that their codes are 0; which oracles leave to the order of comparisons
    *(without_range(name, **more) for name, more in (("no-range", {}), ("no-range-asymmetric", ASYMMETRIC))),
    # tflite-runtime multiplies by a scale of 0 here
    case("per-channel", "hybrid", spread=4, oracles=LITERT),
    case("per-channel-asymmetric", "hybrid", spread=4, oracles=LITERT, **ASYMMETRIC),
]
