"""CONV_3D: volumes (N, D, H, W, C) by filters (kd, kh, kw, C, O)."""

from __future__ import annotations

import math

import numpy as np

from pyquant.errors import ShapeError
from pyquant.fixed import activation_bounds
from pyquant.ops.kinds import RELUS
from pyquant.ops.operator import Call, Kernel, Launch, Operator, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.ties import contraction_ties
from pyquant.ops.window import Axis, axis


def shape(call: Call, x: Shape, w: Shape, b: Shape | None = None) -> list[Shape]:
    if len(x) != 5 or len(w) != 5 or x[4] != w[3] or (b is not None and b != (w[4],)):
        raise ShapeError(f"{call.label}: input {x}, filter {w} and bias {b} do not go together")
    return [(x[0], *(a.out for a in _axes(call, x, w)), w[4])]


def _axes(call: Call, x: Shape, w: Shape) -> list[Axis]:
    options = call.options
    steps = (
        (options.stride_d, options.dilation_d_factor),
        (options.stride_h, options.dilation_h_factor),
        (options.stride_w, options.dilation_w_factor),
    )
    return [
        axis(size, taps, stride, dilation, options.padding, call)
        for size, taps, (stride, dilation) in zip(x[1:4], w[:3], steps, strict=True)
    ]


def convolve(call: Call, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """float32 in TFLite's order: tap by tap, channel by channel, the bias last."""
    slices, rows, columns = _axes(call, x.shape, w.shape)
    sums = np.zeros(shape(call, x.shape, w.shape)[0], np.float32)
    for kd in slices.reaching():
        for ky in rows.reaching():
            for kx in columns.reaching():
                spans = [a.span(k) for a, k in ((slices, kd), (rows, ky), (columns, kx))]
                out, inside = ((slice(None), *(s[i] for s in spans)) for i in (0, 1))
                for c in range(x.shape[4]):
                    sums[out] += x[inside][..., c, None] * w[kd, ky, kx, c]
    lo, hi = activation_bounds(call.options.fused_activation_function)
    return np.clip(sums if b is None else sums + b, lo, hi)


def params(call: Call) -> Launch | None:
    """One unit is one pixel of the output."""
    x, w, y, b = call["x"], call["w"], call["y"], call.get("b")
    if any(t.dtype.name != "float32" for t in (x, w, y, b) if t is not None):
        return None
    axes = _axes(call, x.shape, w.shape)
    lo, hi = activation_bounds(call.options.fused_activation_function)
    sizes = {
        "size": tuple(a.size for a in axes),
        "out": tuple(a.out for a in axes),
        "filter": tuple(a.taps for a in axes),
        "stride": tuple(a.stride for a in axes),
        "dilation": tuple(a.dilation for a in axes),
        "pad": tuple(a.before for a in axes),
    }
    units = math.prod(y.shape[:4])
    channels = {"channels": x.shape[4], "out_channels": y.shape[4], "biased": int(b is not None)}
    return Launch(units, {**channels, **sizes, "lo": lo, "hi": hi}, cost=max(math.prod(w.shape), 1))


CONV_3D = register(
    Operator(
        "CONV_3D",
        options="Conv3DOptions",
        inputs=(Slot("x"), Slot("w", role="weight"), Slot("b", role="bias", optional=True)),
        outputs=(Slot("y"),),
        shape=shape,
        ties=contraction_ties(inner=3, outer=4),
        reference={"float32": convolve},
        kernels={"float32": Kernel("conv3d_f32", "pq_conv3d", params)},
        macs=lambda call: call["y"].size * math.prod(call["w"].shape[:4]),
        fuses=RELUS,
    )
)
