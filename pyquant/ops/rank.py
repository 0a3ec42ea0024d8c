"""Places of the greatest and least elements, and running sums: ARG_MAX, ARG_MIN, TOPK_V2, CUMSUM."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pyquant.dtypes import INT32, INT64
from pyquant.errors import ShapeError
from pyquant.ops.axes import axis_of, whole
from pyquant.ops.kinds import ACTIVATIONS, typed_kernels
from pyquant.ops.operator import Call, Launch, Operator, Reference, SameAs, Shape, Slot
from pyquant.ops.registry import register


def without_axis(call: Call, x: Shape, axis: Shape) -> list[Shape]:
    given = call.constant("axis")
    if given is None:
        return [(-1,) * (len(x) - 1)]
    i = axis_of(call, given, len(x))
    if x[i] == 0:
        raise ShapeError(f"{call.label}: dimension {i} of {x} is empty")
    return [(*x[:i], *x[i + 1 :])]


def first_place(function: Callable[..., Any]) -> Reference:
    """The first of equals."""

    def find(call: Call, x: np.ndarray, axis: np.ndarray) -> np.ndarray:
        return np.asarray(function(x, axis=axis_of(call, axis, x.ndim))).astype(call["y"].dtype.numpy)

    return find


def place_params(call: Call) -> Launch | None:
    """One unit is all places of one index of the axes in front."""
    x, y, axis = call["x"], call["y"], call.constant("axis")
    if axis is None or not x.size or y.dtype not in (INT32, INT64):
        return None
    i = axis_of(call, axis, len(x.shape))
    inner = math.prod(x.shape[i + 1 :])
    params = {"size": x.shape[i], "inner": inner, "wide": int(y.dtype == INT64)}
    return Launch(math.prod(x.shape[:i]), params, cost=x.shape[i] * inner)


def top_shape(call: Call, x: Shape, k: Shape) -> list[Shape]:
    given = call.constant("k")
    if not x:
        raise ShapeError(f"{call.label}: expected at least one dimension, got a scalar")
    count = -1 if given is None else _count(call, given, x[-1])
    return [(*x[:-1], count)] * 2


def _count(call: Call, k: np.ndarray, size: int) -> int:
    (count,) = whole(call, k, "k") if k.size == 1 else (-1,)
    if not 0 <= count <= size:
        raise ShapeError(f"{call.label}: k is {k.tolist()}, expected one number up to {size}")
    return count


def top(call: Call, x: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The greatest first; of equals the first."""
    count = _count(call, k, x.shape[-1])
    order = np.flip(x.shape[-1] - 1 - np.argsort(np.flip(x, -1), axis=-1, kind="stable"), -1)[..., :count]
    return np.take_along_axis(x, order, -1), order.astype(np.int32)


def top_launch(call: Call) -> Launch | None:
    """One unit is one row."""
    x, y, places = call["x"], call["y"], call["places"]
    if call.constant("k") is None or places.dtype is not INT32:
        return None
    size, count = x.shape[-1], y.shape[-1]
    return Launch(math.prod(x.shape[:-1]), {"size": size, "count": count}, cost=size * count.bit_length())


def running_shape(call: Call, x: Shape, axis: Shape) -> list[Shape]:
    return [x]


def running_sum(call: Call, x: np.ndarray, axis: np.ndarray) -> np.ndarray:
    i = axis_of(call, axis, x.ndim)
    terms = np.moveaxis(x, i, 0)
    terms = terms[::-1] if call.options.reverse else terms
    sums = np.cumsum(terms, axis=0, dtype=x.dtype)
    if call.options.exclusive:
        sums = np.concatenate([np.zeros_like(sums[:1]), sums[:-1]])
    return np.ascontiguousarray(np.moveaxis(sums[::-1] if call.options.reverse else sums, 0, i))


X, AXIS, PLACE = Slot("x"), Slot("axis", role="data"), Slot("y", role="data")
NUMBERS = ("float32", "int8", "uint8", "int16", "int32", "int64", "bool")

ARG_MAX, ARG_MIN = (
    register(
        Operator(
            name,
            options=options,
            inputs=(X, AXIS),
            outputs=(PLACE,),
            shape=without_axis,
            reference=dict.fromkeys(NUMBERS, first_place(function)),
            kernels=typed_kernels(f"{kernel}_place", "pq_place", place_params, (*ACTIVATIONS, "int32")),
        )
    )
    for name, options, function, kernel in (
        ("ARG_MAX", "ArgMaxOptions", np.argmax, "greatest"),
        ("ARG_MIN", "ArgMinOptions", np.argmin, "least"),
    )
)

TOPK_V2 = register(
    Operator(
        "TOPK_V2",
        options="TopKV2Options",
        inputs=(X, Slot("k", role="data")),
        outputs=(Slot("y", scale=SameAs("x")), Slot("places", role="data")),
        shape=top_shape,
        reference=dict.fromkeys(NUMBERS[:-1], top),
        kernels=typed_kernels("top", "pq_top", top_launch, NUMBERS[:-1]),
    )
)

CUMSUM = register(
    Operator(
        "CUMSUM",
        options="CumsumOptions",
        inputs=(Slot("x", role="any"), AXIS),
        outputs=(Slot("y", role="any"),),
        shape=running_shape,
        reference=dict.fromkeys(("float32", "int32", "int64"), running_sum),
    )
)
