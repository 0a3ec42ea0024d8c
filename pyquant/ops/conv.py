"""CONV_2D and DEPTHWISE_CONV_2D.

Images are (N, H, W, C), filters (O, kh, kw, C / groups) and, depthwise, (1, kh, kw, C * multiplier).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from pyquant.dtypes import INT16, UINT8
from pyquant.errors import ShapeError
from pyquant.fixed import activation_bounds
from pyquant.graph import Node
from pyquant.ops.contraction import convolution, depthwise
from pyquant.ops.hybrid import Dynamic, dynamic
from pyquant.ops.kernel_constants import kernel_constants
from pyquant.ops.kinds import RELUS
from pyquant.ops.operator import Call, Floor, Kernel, Launch, Operator, Product, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.requantize import (
    Requantization,
    requantization,
    sum_bits,
    weight_scales,
    weight_zero_point,
)
from pyquant.ops.ties import contraction_ties, depthwise_ties
from pyquant.ops.window import Axis, axes, pads_image, same_padding, taps
from pyquant.wire import Record

CHANNELS_PER_UNIT = 128  # csrc/kernels/conv2d/conv2d.h
PANEL = 12  # pixels whose sums the widest registers hold together, csrc/kernels/conv2d/x86_avx512vnni.c

# sums(x, w, rows, columns): the convolution without bias, in the type of its arguments
Sums = Callable[[np.ndarray, np.ndarray, Axis, Axis], np.ndarray]


def conv_shape(call: Call, x: Shape, w: Shape, b: Shape | None = None) -> list[Shape]:
    rows, columns = conv_axes(call, x, w)
    if not x[3] or not w[3] or x[3] % w[3] or w[0] % (x[3] // w[3]):
        raise ShapeError(f"{call.label}: filter {w} does not divide {x[3]} input channels into groups")
    _check_bias(call, b, w[0])
    return [(x[0], rows.out, columns.out, w[0])]


def depthwise_shape(call: Call, x: Shape, w: Shape, b: Shape | None = None) -> list[Shape]:
    rows, columns = conv_axes(call, x, w)
    if w[0] != 1 or not x[3] or w[3] % x[3]:
        raise ShapeError(f"{call.label}: filter {w} needs 1 in front and a multiple of {x[3]} channels at the end")
    _check_bias(call, b, w[3])
    return [(x[0], rows.out, columns.out, w[3])]


def conv_float(call: Call, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    return _float(call, _conv_float_sums, x, w, b)


def conv_quantized(call: Call, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """int8, int16 with int8 weights, and legacy uint8, whose weights have a zero point."""
    return conv_rescaling(call)(_integer_sums(call, _conv_sums, x, w, b))


def conv_hybrid(call: Call, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """Float images, each quantized at run time."""
    return _hybrid(call, conv_dynamic(call), _conv_sums, x, w, b)


def depthwise_float(call: Call, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    return _float(call, _depthwise_sums, x, w, b)


def depthwise_quantized(call: Call, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """int8, int16 with int8 weights, and legacy uint8, whose weights have a zero point."""
    return depthwise_rescaling(call)(_integer_sums(call, _depthwise_sums, x, w, b))


def depthwise_hybrid(call: Call, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """Float images, each quantized at run time."""
    return _hybrid(call, depthwise_dynamic(call), _depthwise_sums, x, w, b)


def conv_rescaling(call: Call) -> Requantization:
    return requantization(call, single=call["x"].dtype == UINT8, bits=sum_bits(call))


def depthwise_rescaling(call: Call) -> Requantization:
    """As a convolution's, but that the sums of 16-bit activations are always int64."""
    return requantization(call, single=call["x"].dtype == UINT8, bits=64 if call["x"].dtype == INT16 else 32)


def conv_dynamic(call: Call) -> Dynamic:
    """Symmetric where all weights have one scale, asymmetric for different ones or for groups."""
    scales = weight_scales(call)
    distinct = bool(np.any(scales != scales[0])) or call["w"].shape[3] != call["x"].shape[3]
    return dynamic(call, asymmetric=distinct, stepwise=distinct)


def depthwise_dynamic(call: Call) -> Dynamic:
    return dynamic(call, asymmetric=True)


def conv_macs(call: Call) -> int:
    """One for each output and element of its channel's filter."""
    return call["y"].size * math.prod(call["w"].shape[1:])


def depthwise_macs(call: Call) -> int:
    """One for each output and tap."""
    return call["y"].size * math.prod(call["w"].shape[1:3])


def without_zeros(call: Call, image: Shape, zeros: np.ndarray) -> Record | None:
    return same_padding(call, image, zeros, _axes_over) if _ignores_zeros(call) else None


def pads(call: Call) -> bool:
    return pads_image(call, _axes_over) and _ignores_zeros(call)


def _ignores_zeros(call: Call) -> bool:
    """A tap on a zero adds 0 times a weight: nothing, unless that weight is infinite or NaN."""
    w = call["w"]
    return not w.dtype.is_float or (w.data is not None and bool(np.isfinite(w.data).all()))


def conv_params(call: Call) -> Launch | None:
    x, w, y = call["x"].shape, call["w"].shape, call["y"].shape
    constants, groups = kernel_constants(call, conv_rescaling, conv_dynamic), x[3] // w[3]
    if constants is None:
        return None
    constants["fused"] = int(call.fused)
    return conv_launch(constants, x, w, y, *conv_axes(call, x, w), groups=groups)


def conv_launch(
    constants: Mapping[str, Any], x: Shape, w: Shape, y: Shape, rows: Axis, columns: Axis, groups: int = 1
) -> Launch:
    """The kernel conv2d: see csrc/kernels/conv2d/conv2d.h for the meaning of a unit."""
    in_group = w[0] // groups
    pieces = groups * -(-in_group // CHANNELS_PER_UNIT)
    params = {**constants, **_geometry(x, y, rows, columns), "groups": groups}
    pixels, cost = y[0] * y[1] * y[2], min(in_group, CHANNELS_PER_UNIT) * w[1] * w[2] * w[3]
    return Launch(pixels * pieces, params, cost, grain=min(PANEL, max(pixels, 1)), reads=1)


def depthwise_params(call: Call) -> Launch | None:
    x, w, y = call["x"].shape, call["w"].shape, call["y"].shape
    constants = kernel_constants(call, depthwise_rescaling, depthwise_dynamic)
    if constants is None:
        return None
    params = {**constants, **_geometry(x, y, *conv_axes(call, x, w)), "fused": int(call.fused)}
    return Launch(y[0] * y[1] * y[2], params, cost=w[1] * w[2] * w[3], grain=max(y[2], 1), reads=1)


def _float(call: Call, sums: Sums, x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
    return _finish_float(call, sums(x, w, *conv_axes(call, x.shape, w.shape)), b)


def _integer_sums(call: Call, sums: Sums, x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
    centered = x.astype(np.int64) - call["x"].zero_point
    total = sums(centered, w.astype(np.int64) - weight_zero_point(call["w"]), *conv_axes(call, x.shape, w.shape))
    return total if b is None else total + b


def _hybrid(call: Call, how: Dynamic, sums: Sums, x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
    terms, scale = how.terms(x.reshape(len(x), -1))
    total = sums(terms.reshape(x.shape), w.astype(np.int64), *conv_axes(call, x.shape, w.shape))
    return _finish_float(call, how.real(total, scale), b)


def _finish_float(call: Call, sums: np.ndarray, b: np.ndarray | None) -> np.ndarray:
    lo, hi = activation_bounds(call.options.fused_activation_function)
    y: np.ndarray = np.clip(sums if b is None else sums + b, lo, hi)
    return y


def _conv_sums(x: np.ndarray, w: np.ndarray, rows: Axis, columns: Axis) -> np.ndarray:
    """Integer convolution. Products of matrices in float64 are exact here: every sum stays below 2**53. -> int64"""
    groups = x.shape[3] // w.shape[3]
    sums = np.zeros((len(x), rows.out, columns.out, len(w)))
    x, w = x.astype(np.float64), w.astype(np.float64)
    in_group, depth = len(w) // groups, w.shape[3]
    for g in range(groups):
        o, c = slice(g * in_group, (g + 1) * in_group), slice(g * depth, (g + 1) * depth)
        for ky, kx, out, inside in taps(rows, columns):
            sums[(*out, o)] += x[(*inside, c)] @ w[o, ky, kx].T
    return sums.astype(np.int64)


def _conv_float_sums(x: np.ndarray, w: np.ndarray, rows: Axis, columns: Axis) -> np.ndarray:
    """Float convolution in TFLite's order: tap by tap, channel by channel, each product and sum rounded to float32."""
    groups = x.shape[3] // w.shape[3]
    x = x.reshape(*x.shape[:3], groups, -1)  # (N, H, W, G, C / G)
    w = w.reshape(groups, -1, *w.shape[1:])  # (G, O / G, kh, kw, C / G)
    sums = np.zeros((len(x), rows.out, columns.out, groups, w.shape[1]), np.float32)
    for ky, kx, out, inside in taps(rows, columns):
        for c in range(w.shape[4]):
            sums[out] += x[inside][..., c, None] * w[:, :, ky, kx, c]
    return sums.reshape(*sums.shape[:3], -1)


def _depthwise_sums(x: np.ndarray, w: np.ndarray, rows: Axis, columns: Axis) -> np.ndarray:
    """Depthwise convolution in the type of its arguments, int64 or float32, tap by tap."""
    multiple = w.shape[3] // x.shape[3]
    sums = np.zeros((len(x), rows.out, columns.out, w.shape[3]), x.dtype)
    for ky, kx, out, inside in taps(rows, columns):
        sums[out] += np.repeat(x[inside], multiple, axis=3) * w[0, ky, kx]
    return sums


def conv_axes(call: Call, x: Shape, w: Shape) -> tuple[Axis, Axis]:
    return call.once(_conv_axes, x, w)


def _conv_axes(call: Call, x: Shape, w: Shape) -> tuple[Axis, Axis]:
    if len(w) != 4:
        raise ShapeError(f"{call.label}: expected a filter of 4 dimensions, got shape {w}")
    options = call.options
    return axes(call, x, (w[1], w[2]), (options.dilation_h_factor, options.dilation_w_factor))


def _axes_over(call: Call, image: Shape) -> tuple[Axis, Axis]:
    return conv_axes(call, image, call["w"].shape)


def _geometry(x: Shape, y: Shape, rows: Axis, columns: Axis) -> dict[str, int]:
    return {
        "batch": x[0],
        "height": x[1],
        "width": x[2],
        "channels": x[3],
        "out_height": y[1],
        "out_width": y[2],
        "out_channels": y[3],
        "filter_height": rows.taps,
        "filter_width": columns.taps,
        "stride_height": rows.stride,
        "stride_width": columns.stride,
        "dilation_height": rows.dilation,
        "dilation_width": columns.dilation,
        "pad_top": rows.before,
        "pad_left": columns.before,
    }


def _check_bias(call: Call, b: Shape | None, channels: int) -> None:
    if b is not None and b != (channels,):
        raise ShapeError(f"{call.label}: bias {b} needs {channels} elements")


# The multiplier s_x * s_w / s_y leaves room for a sum of `terms` products: at 8 bits the sum fits int32 after the left
# shift of fixed.multiply, at 16 bits the multiplier is one that fixed.multiply64 takes.
# XNNPACK refuses an 8-bit multiplier of 2**8 and more.
SUM = Floor(("x", "w"), {"int8": 2.0**-15, "int16": 2.0**-7}, terms="w")
OUTPUT = Slot("y", floors=(SUM, Floor(("x", "w"), {"int8": 2.0**-7.9})))
BIAS = Slot("b", role="bias", scale=Product("x", "w"), optional=True)

NARROW = dict.fromkeys(("hybrid", "int8", "int16"), ("int4",))
WEIGHT = Slot("w", role="weight", axis=0, narrow=NARROW, held=("hybrid",))


@cache
def _grouped() -> Operator:
    """Kernels for float inputs read a scale for each channel where there are groups."""
    return replace(CONV_2D, inputs=(Slot("x"), replace(WEIGHT, each=True), BIAS))


def _variant(node: Node) -> Operator:
    x, w = node.inputs[:2]
    grouped = x is not None and w is not None and x.shape[3:] != w.shape[3:]
    return _grouped() if grouped else CONV_2D


CONV_2D = register(
    Operator(
        "CONV_2D",
        options="Conv2DOptions",
        inputs=(Slot("x"), WEIGHT, BIAS),
        outputs=(OUTPUT,),
        shape=conv_shape,
        reference={
            "float32": conv_float,
            "int8": conv_quantized,
            "int16": conv_quantized,
            "uint8": conv_quantized,
            "hybrid": conv_hybrid,
        },
        kernels={
            "float32": Kernel("conv2d_f32", "pq_conv2d", conv_params),
            "int8": Kernel("conv2d_s8", "pq_conv2d", conv_params),
            "int16": Kernel("conv2d_s16", "pq_conv2d", conv_params),
            "uint8": Kernel("conv2d_u8", "pq_conv2d", conv_params),
            "hybrid": Kernel("conv2d_f32s8", "pq_conv2d", conv_params),
        },
        macs=conv_macs,
        contraction=convolution(conv_axes),
        ties=contraction_ties(inner=3, outer=0),
        fuses=RELUS,
        without_zeros=without_zeros,
        pads=pads,
        settings={"int16": {"quantized_bias_type": "INT64"}},
        variant=_variant,
    )
)

DEPTHWISE_CONV_2D = register(
    Operator(
        "DEPTHWISE_CONV_2D",
        options="DepthwiseConv2DOptions",
        inputs=(Slot("x"), Slot("w", role="weight", axis=3, narrow={"int8": ("int4",)}, each=True), BIAS),
        outputs=(OUTPUT,),
        shape=depthwise_shape,
        reference={
            "float32": depthwise_float,
            "int8": depthwise_quantized,
            "int16": depthwise_quantized,
            "uint8": depthwise_quantized,
            "hybrid": depthwise_hybrid,
        },
        kernels={
            "float32": Kernel("depthwise_conv2d_f32", "pq_depthwise_conv2d", depthwise_params),
            "int8": Kernel("depthwise_conv2d_s8", "pq_depthwise_conv2d", depthwise_params),
            "int16": Kernel("depthwise_conv2d_s16", "pq_depthwise_conv2d", depthwise_params),
            "uint8": Kernel("depthwise_conv2d_u8", "pq_depthwise_conv2d", depthwise_params),
            "hybrid": Kernel("depthwise_conv2d_f32s8", "pq_depthwise_conv2d", depthwise_params),
        },
        macs=depthwise_macs,
        contraction=depthwise(conv_axes),
        ties=depthwise_ties,
        fuses=RELUS,
        without_zeros=without_zeros,
        pads=pads,
    )
)
