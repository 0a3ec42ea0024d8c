"""PAD with zeros, PADV2 with any value, MIRROR_PAD with what is at the edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyquant.errors import ShapeError
from pyquant.ops.kinds import EVERY_TYPE
from pyquant.ops.operator import Call, Kernel, Launch, Operator, SameAs, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.take import take_kernels
from pyquant.ops.ties import moved_ties

MAX_RANK = 5  # of the C loops outside a row


def padded(call: Call, x: Shape, _paddings: Shape | None = None, _value: Shape | None = None) -> list[Shape]:
    if call.constant("paddings") is None:
        return [(-1,) * len(x)]
    return [tuple(n + int(before) + int(after) for n, (before, after) in zip(x, _paddings_of(call, x), strict=True))]


def _paddings_of(call: Call, x: Shape, paddings: np.ndarray | None = None) -> np.ndarray:
    """(rank, 2): elements before and after, along each axis. paddings: their value, where a run knows it."""
    if not x:
        return np.zeros((0, 2), np.int32)
    paddings = call.constant("paddings") if paddings is None else paddings
    if paddings is None or paddings.shape != (len(x), 2) or np.any(paddings < 0):
        raise ShapeError(f"{call.label}: paddings of shape {x} must be constant, ({len(x)}, 2) and not negative")
    return paddings


def _zero(call: Call) -> int:
    """The code of 0."""
    y = call["y"]
    return y.zero_point if y.is_quantized and not y.dtype.is_float else 0


def pad(call: Call, x: np.ndarray, paddings: np.ndarray) -> np.ndarray:
    return _filled(x, _paddings_of(call, x.shape, paddings), _zero(call))


def pad_value(call: Call, x: np.ndarray, paddings: np.ndarray, value: np.ndarray) -> np.ndarray:
    if value.size != 1:
        raise ShapeError(f"{call.label}: found {value.size} values to pad with, expected one")
    return _filled(x, _paddings_of(call, x.shape, paddings), value.item())


def _filled(x: np.ndarray, around: np.ndarray, value: Any) -> np.ndarray:
    return np.pad(x, around, constant_values=value) if x.ndim else x.copy()  # NumPy pads no scalars


def mirrored(call: Call, x: Shape, _paddings: Shape) -> list[Shape]:
    """What is mirrored must be there: all of it, or all but the edge."""
    shapes = padded(call, x)
    if call.constant("paddings") is not None and np.any(_paddings_of(call, x).max(1) > np.array(x) - _edge(call)):
        raise ShapeError(f"{call.label}: paddings {_paddings_of(call, x).tolist()} mirror more than {x}")
    return shapes


def _edge(call: Call) -> int:
    """1 where the edge is not repeated: mode REFLECT, not SYMMETRIC."""
    return int(call.options.mode == 0)


def pad_mirror(call: Call, x: np.ndarray, paddings: np.ndarray) -> np.ndarray:
    around = _paddings_of(call, x.shape, paddings)
    if np.any(around.max(1) > np.array(x.shape) - _edge(call)):
        raise ShapeError(f"{call.label}: paddings {around.tolist()} mirror more than {x.shape}")
    return np.pad(x, around, mode="reflect" if _edge(call) else "symmetric")


def pad_params(call: Call) -> Launch | None:
    """One unit is one row of the output: the last padded axis and all behind it. Rows of the padding are fill alone."""
    return _pad_launch(call, _zero(call))


def pad_value_params(call: Call) -> Launch | None:
    value = call.constant("value")
    return None if value is None or value.size != 1 else _pad_launch(call, value.item())


def _pad_launch(call: Call, fill_value: Any) -> Launch | None:
    x, y = call["x"], call["y"]
    if x.dtype.bits % 8 or x.dtype != y.dtype or x.size == 0 or call.constant("paddings") is None:
        return None
    paddings = _paddings_of(call, x.shape)
    last = max((i for i in range(len(x.shape)) if paddings[i].any()), default=0)
    if last > MAX_RANK:
        return None
    behind = math.prod(x.shape[last + 1 :]) * x.dtype.bits // 8
    row = math.prod(y.shape[last:]) * x.dtype.bits // 8
    fill = [0] * (MAX_RANK - last)
    params = {
        "rank": last,
        "in_shape": [*x.shape[:last], *fill],
        "out_shape": [*y.shape[:last], *fill],
        "before": [*(int(n) for n in paddings[:last, 0]), *fill],
        "row": row,
        "row_before": int(paddings[last, 0]) * behind if x.shape else 0,
        "row_inside": math.prod(x.shape[last:]) * x.dtype.bits // 8,
        "fill": np.full(row * 8 // x.dtype.bits, fill_value, x.dtype.numpy),
    }
    return Launch(math.prod(y.shape[:last]), params, cost=row // 16 + 4)


PAD = register(
    Operator(
        "PAD",
        options="PadOptions",
        inputs=(Slot("x"), Slot("paddings", role="data")),
        outputs=(Slot("y", scale=SameAs("x")),),
        shape=padded,
        ties=moved_ties(restated=True),
        zeros=lambda call: _paddings_of(call, call["x"].shape),
        reference=dict.fromkeys(EVERY_TYPE, pad),
        kernels=dict.fromkeys(EVERY_TYPE, Kernel("pad_x8", "pq_pad", pad_params)),
    )
)

PADV2 = register(
    Operator(
        "PADV2",
        options="PadV2Options",
        inputs=(Slot("x"), Slot("paddings", role="data"), Slot("value", scale=SameAs("x"))),
        outputs=(Slot("y", scale=SameAs("x")),),
        shape=padded,
        ties=moved_ties(restated=True),
        reference=dict.fromkeys(EVERY_TYPE, pad_value),
        kernels=dict.fromkeys(EVERY_TYPE, Kernel("pad_x8", "pq_pad", pad_value_params)),
    )
)

MIRROR_PAD = register(
    Operator(
        "MIRROR_PAD",
        options="MirrorPadOptions",
        inputs=(Slot("x"), Slot("paddings", role="data")),
        outputs=(Slot("y", scale=SameAs("x")),),
        shape=mirrored,
        ties=moved_ties(restated=False),
        reference=dict.fromkeys(EVERY_TYPE, pad_mirror),
        kernels=take_kernels(EVERY_TYPE),
    )
)
