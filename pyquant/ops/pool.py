"""AVERAGE_POOL_2D and MAX_POOL_2D: one number for each window and channel; taps outside the image do not count."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyquant.errors import RangeError
from pyquant.ops.clamp import clamp, output_range
from pyquant.ops.kinds import ACTIVATIONS, RELUS, typed_kernels
from pyquant.ops.operator import Call, Launch, Operator, SameAs, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.ties import channel_ties
from pyquant.ops.window import Axis, axes, pads_image, same_padding, taps
from pyquant.wire import Record


def _axes(call: Call, image: Shape) -> tuple[Axis, Axis]:
    options = call.options
    return axes(call, image, (options.filter_height, options.filter_width))


def pooled_shape(call: Call, image: Shape) -> list[Shape]:
    """image: (N, H, W, C)"""
    rows, columns = _axes(call, image)
    return [(image[0], rows.out, columns.out, image[3])]


def averaged_shape(call: Call, image: Shape) -> list[Shape]:
    """Refuses windows whose sum of integers may not fit the int32 of the kernels."""
    x = call["x"].dtype
    if x.bits < 32 and _window(call, image) << x.bits > 2**31:
        raise RangeError(
            f"{call.label}: windows of {_window(call, image)} pixels of {x} are too large for sums in int32"
        )
    return pooled_shape(call, image)


def pool_operations(call: Call) -> int:
    return call["y"].size * _window(call, call["x"].shape)


def _window(call: Call, image: Shape) -> int:
    """Pixels of a window, at most those of the image."""
    rows, columns = _axes(call, image)
    return min(rows.taps, rows.size) * min(columns.taps, columns.size)


def average_pool(call: Call, x: np.ndarray) -> np.ndarray:
    """x: (N, H, W, C). Integers round half away from zero; scales do not enter."""
    rows, columns = _axes(call, x.shape)
    wide = np.float32 if x.dtype == np.float32 else np.int64
    total = np.zeros((x.shape[0], rows.out, columns.out, x.shape[3]), wide)
    count = np.zeros((1, rows.out, columns.out, 1), wide)
    for _, _, outputs, inputs in taps(rows, columns):
        total[outputs] += x[inputs]
        count[outputs] += 1
    if wide is np.float32:
        return clamp(call, total / count)
    return clamp(call, np.sign(total) * ((np.abs(total) + count // 2) // count))


def l2_pool(call: Call, x: np.ndarray) -> np.ndarray:
    """The root of the mean of squares. x: (N, H, W, C)"""
    rows, columns = _axes(call, x.shape)
    total = np.zeros((x.shape[0], rows.out, columns.out, x.shape[3]), np.float32)
    count = np.zeros((1, rows.out, columns.out, 1), np.float32)
    for _, _, outputs, inputs in taps(rows, columns):
        total[outputs] += x[inputs] * x[inputs]
        count[outputs] += 1
    return clamp(call, np.sqrt(total / count))


def max_pool(call: Call, x: np.ndarray) -> np.ndarray:
    """x: (N, H, W, C). A NaN never wins."""
    rows, columns = _axes(call, x.shape)
    least = np.finfo(x.dtype).min if x.dtype == np.float32 else np.iinfo(x.dtype).min
    best = np.full((x.shape[0], rows.out, columns.out, x.shape[3]), least, x.dtype)
    for _, _, outputs, inputs in taps(rows, columns):
        best[outputs] = np.fmax(best[outputs], x[inputs])
    return clamp(call, best)


def pool_params(call: Call) -> Launch | None:
    if call["x"].dtype != call["y"].dtype:
        return None
    x, y = call["x"].shape, call["y"].shape
    rows, columns = _axes(call, x)
    lo, hi = output_range(call)
    params: dict[str, Any] = {
        "in_height": x[1],
        "in_width": x[2],
        "channels": x[3],
        "out_height": rows.out,
        "out_width": columns.out,
        "filter_height": rows.taps,
        "filter_width": columns.taps,
        "stride_height": rows.stride,
        "stride_width": columns.stride,
        "pad_top": rows.before,
        "pad_left": columns.before,
        "lo": lo,
        "hi": hi,
    }
    return Launch(y[0] * y[1], params, cost=y[2] * y[3] * _window(call, x))


def max_without_zeros(call: Call, image: Shape, zeros: np.ndarray) -> Record | None:
    return same_padding(call, image, zeros, _axes) if _ignores_zeros(call) else None


def max_pads(call: Call) -> bool:
    return _ignores_zeros(call) and pads_image(call, _axes)


def _ignores_zeros(call: Call) -> bool:
    """Where a zero has the smallest code, and so never wins over what is inside the image."""
    x = call["x"]
    return not x.dtype.is_float and x.is_quantized and x.zero_point == x.dtype.lo


AVERAGE_POOL_2D = register(
    Operator(
        "AVERAGE_POOL_2D",
        options="Pool2DOptions",
        inputs=(Slot("x"),),
        outputs=(Slot("y", scale=SameAs("x")),),
        shape=averaged_shape,
        ties=channel_ties,
        operations=pool_operations,
        fuses=RELUS,
        reference=dict.fromkeys(ACTIVATIONS, average_pool),
        kernels=typed_kernels("average_pool", "pq_pool", pool_params),
    )
)

MAX_POOL_2D = register(
    Operator(
        "MAX_POOL_2D",
        options="Pool2DOptions",
        inputs=(Slot("x"),),
        outputs=(Slot("y", scale=SameAs("x")),),
        shape=pooled_shape,
        ties=channel_ties,
        operations=pool_operations,
        fuses=RELUS,
        without_zeros=max_without_zeros,
        pads=max_pads,
        reference=dict.fromkeys(ACTIVATIONS, max_pool),
        kernels=typed_kernels("max_pool", "pq_pool", pool_params),
    )
)

L2_POOL_2D = register(
    Operator(
        "L2_POOL_2D",
        options="Pool2DOptions",
        inputs=(Slot("x"),),
        outputs=(Slot("y"),),
        shape=pooled_shape,
        ties=channel_ties,
        operations=pool_operations,
        fuses=RELUS,
        reference={"float32": l2_pool},
    )
)
