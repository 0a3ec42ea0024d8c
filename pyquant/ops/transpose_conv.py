"""TRANSPOSE_CONV: each pixel of the input (N, H, W, C) scatters a filter (O, kh, kw, C) over the output."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from pyquant.dtypes import UINT8
from pyquant.errors import ShapeError, UnsupportedOp
from pyquant.fixed import activation_bounds
from pyquant.ops.axes import whole
from pyquant.ops.conv import BIAS, OUTPUT
from pyquant.ops.hybrid import Dynamic, dynamic
from pyquant.ops.kernel_constants import kernel_constants
from pyquant.ops.kinds import RELUS, typed_kernels
from pyquant.ops.operator import Call, Kernel, Launch, Operator, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.requantize import Requantization, requantization, sum_bits, weight_zero_point
from pyquant.ops.ties import contraction_ties, shape_of_output
from pyquant.ops.window import Axis, axis, taps

MOST_OUTPUTS = 4096  # channels that the kernel has room for


def shape(call: Call, size: Shape, w: Shape, x: Shape, b: Shape | None = None) -> list[Shape]:
    given = call.constant("size")
    if given is None:
        return [(-1,) * 4]
    out = whole(call, given, "output shape")
    if len(w) != 4 or len(x) != 4 or len(out) != 4 or (out[0], out[3], w[3]) != (x[0], w[0], x[3]):
        raise ShapeError(f"{call.label}: output {out} of input {x} by a filter {w}")
    if b is not None and b != (w[0],):
        raise ShapeError(f"{call.label}: bias {b} needs {w[0]} elements")
    _axes(call, out, w, x)
    return [out]


def _axes(call: Call, out: Shape, w: Shape, x: Shape) -> tuple[Axis, Axis]:
    """As of the convolution that leads from the output to the input; LiteRT wants it to fit, TFLite 2.14 does not."""
    options = call.options
    found = (
        axis(out[1], w[1], options.stride_h, 1, options.padding, call),
        axis(out[2], w[2], options.stride_w, 1, options.padding, call),
    )
    if (found[0].out, found[1].out) != x[1:3] and call.numerics == "litert":
        raise ShapeError(f"{call.label}: an output {out} comes from images of {found[0].out} x {found[1].out}, not {x}")
    return replace(found[0], out=x[1]), replace(found[1], out=x[2])


def float_(call: Call, size: np.ndarray, w: np.ndarray, x: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """Each output in TFLite's order: by input pixel, so that its taps come last to first, then by channel."""
    out = whole(call, size, "output shape")
    sums = np.zeros(out, np.float32)
    for ky, kx, pixels, places in reversed(list(taps(*_axes(call, out, w.shape, x.shape)))):
        for c in range(x.shape[3]):
            sums[places] += x[pixels][..., c, None] * w[:, ky, kx, c]
    lo, hi = activation_bounds(call.options.fused_activation_function)
    return np.clip(sums if b is None else sums + b, lo, hi)


def _sums(call: Call, out: Shape, w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Products of matrices in float64 are exact here: every sum stays below 2**53. -> int64"""
    sums = np.zeros(out)
    x, w = x.astype(np.float64), w.astype(np.float64)
    for ky, kx, pixels, places in taps(*_axes(call, out, w.shape, x.shape)):
        sums[places] += x[pixels] @ w[:, ky, kx].T
    return sums.astype(np.int64)


def _rescaling(call: Call) -> Requantization:
    return requantization(call, single=call["x"].dtype == UINT8, bits=sum_bits(call))


def _dynamic(call: Call) -> Dynamic:
    if call.numerics == "tflite":
        raise UnsupportedOp(f"{call.label}: TFLite 2.14 takes no float images with integer filters")
    return dynamic(call, asymmetric=True)


def quantized(call: Call, size: np.ndarray, w: np.ndarray, x: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    centered = x.astype(np.int64) - call["x"].zero_point
    total = _sums(call, whole(call, size, "output shape"), w.astype(np.int64) - weight_zero_point(call["w"]), centered)
    return _rescaling(call)(total if b is None else total + b)


def hybrid(call: Call, size: np.ndarray, w: np.ndarray, x: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """Float images, each quantized at run time; LiteRT only."""
    how = _dynamic(call)
    terms, scale = how.terms(x.reshape(len(x), -1))
    real = how.real(_sums(call, whole(call, size, "output shape"), w, terms.reshape(x.shape)), scale)
    lo, hi = activation_bounds(call.options.fused_activation_function)
    return np.asarray(np.clip(real if b is None else real + b, lo, hi))


def params(call: Call) -> Launch | None:
    """One unit is one row of the output."""
    x, w, y = call["x"].shape, call["w"].shape, call["y"].shape
    constants = kernel_constants(call, _rescaling, _dynamic)
    if constants is None or call.constant("size") is None or w[0] > MOST_OUTPUTS:
        return None
    rows, columns = _axes(call, y, w, x)
    sizes = {"height": x[1], "width": x[2], "channels": x[3]}
    sizes |= {"out_height": y[1], "out_width": y[2], "out_channels": y[3]}
    sizes |= {"filter_height": w[1], "filter_width": w[2], "pad_top": rows.before, "pad_left": columns.before}
    sizes |= {"stride_height": rows.stride, "stride_width": columns.stride}
    return Launch(y[0] * y[1], constants | sizes, cost=max(macs(call) // max(y[0] * y[1], 1), 1))


def macs(call: Call) -> int:
    """One for each input and element of the filter of an output channel."""
    return call["x"].size * math.prod(call["w"].shape[:3])


TRANSPOSE_CONV = register(
    Operator(
        "TRANSPOSE_CONV",
        options="TransposeConvOptions",
        inputs=(Slot("size", role="data"), Slot("w", role="weight", axis=0), Slot("x"), BIAS),
        outputs=(OUTPUT,),
        shape=shape,
        ties=lambda call: [] if call.constant("size") is None else contraction_ties(3, 0)(call),
        cut=shape_of_output("size"),
        reference={
            "float32": float_,
            "int8": quantized,
            "uint8": quantized,
            "int16": quantized,
            "hybrid": hybrid,
        },
        kernels={
            **typed_kernels("transpose_conv", "pq_transpose_conv", params),
            "hybrid": Kernel("transpose_conv_f32s8", "pq_transpose_conv", params),
        },
        macs=macs,
        fuses=RELUS,
        settings={"int16": {"quantized_bias_type": "INT64"}},
    )
)
