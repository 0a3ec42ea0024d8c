"""Operators that read or write elements by index: GATHER, SCATTER_ND, ONE_HOT, WHERE and their like."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pyquant.errors import GraphError, RangeError, ShapeError
from pyquant.ops.axes import axis_of, whole
from pyquant.ops.kinds import EVERY_TYPE, WITH_STRINGS
from pyquant.ops.operator import Call, Operator, Restated, SameAs, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.restate import refuse_mixing
from pyquant.ops.take import take_kernels


def _within(call: Call, indices: np.ndarray, size: int | np.ndarray) -> np.ndarray:
    """The indices as int64. Raises RangeError for one outside."""
    found = indices.astype(np.int64)
    if np.any((found < 0) | (found >= size)):
        raise RangeError(f"{call.label}: an index is outside the {np.max(size, initial=0)} elements that there are")
    return found


def _gather_axes(call: Call, x: Shape, indices: Shape) -> tuple[int, int]:
    axis, batch = axis_of(call, call.options.axis, len(x)), int(call.options.batch_dims)
    batch += len(indices) * (batch < 0)
    if not 0 <= batch <= min(axis, len(indices)) or x[:batch] != indices[:batch]:
        raise ShapeError(f"{call.label}: axis {axis} and {batch} batch dimensions of {x} and {indices}")
    return axis, batch


def gathered(call: Call, x: Shape, indices: Shape) -> list[Shape]:
    axis, batch = _gather_axes(call, x, indices)
    return [(*x[:axis], *indices[batch:], *x[axis + 1 :])]


def gather(call: Call, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    axis, batch = _gather_axes(call, x.shape, indices.shape)
    found = _within(call, indices, x.shape[axis])
    if batch == 0:
        return np.take(x, found, axis)
    outer = math.prod(x.shape[:batch])
    rows = x.reshape(outer, *x.shape[batch:])
    picked = [
        np.take(r, i, axis - batch) for r, i in zip(rows, found.reshape(outer, *found.shape[batch:]), strict=True)
    ]
    return np.array(picked, x.dtype).reshape(gathered(call, x.shape, indices.shape)[0])


def restate_gather(call: Call, before: Sequence[Shape | None], now: Sequence[Shape | None], samples: bool) -> Restated:
    mixed = now[0] != before[0] and axis_of(call, call.options.axis, len(before[0] or ())) == 0
    return refuse_mixing(call, samples and mixed)


def gathered_nd(call: Call, x: Shape, indices: Shape) -> list[Shape]:
    if not indices or indices[-1] > len(x):
        raise ShapeError(f"{call.label}: indices {indices} into {x}: the last dimension counts coordinates")
    return [(*indices[:-1], *x[indices[-1] :])]


def gather_nd(call: Call, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    depth = indices.shape[-1]
    found = _within(call, indices, np.array(x.shape[:depth], np.int64))
    picked: np.ndarray = x[tuple(np.moveaxis(found, -1, 0))]  # all of x for each index without coordinates
    return picked if depth else np.broadcast_to(x, (*indices.shape[:-1], *x.shape)).copy()


def scattered(call: Call, indices: Shape, updates: Shape, shape: Shape) -> list[Shape]:
    given = call.constant("shape")
    if given is None:
        return [(-1,) * math.prod(shape)]
    target = whole(call, given, "shape")
    _check_scattered(call, indices, updates, target)
    return [target]


def _check_scattered(call: Call, indices: Shape, updates: Shape, target: Shape) -> None:
    depth = indices[-1] if indices else 0
    if not indices or depth > len(target) or updates != (*indices[:-1], *target[depth:]):
        raise ShapeError(f"{call.label}: updates {updates} at indices {indices} of {target}")


def scatter_nd(call: Call, indices: np.ndarray, updates: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Zeros, and the sum of all updates of one place in it; of truth values, whether one is true."""
    _check_scattered(call, indices.shape, updates.shape, whole(call, shape, "shape"))
    y = np.zeros(whole(call, shape, "shape"), updates.dtype)
    at = tuple(np.moveaxis(_within(call, indices, np.array(y.shape[: indices.shape[-1]], np.int64)), -1, 0))
    (np.logical_or if y.dtype == np.bool_ else np.add).at(y, at, updates)
    return y


def one_hot_shape(call: Call, indices: Shape, depth: Shape, on: Shape, off: Shape) -> list[Shape]:
    given = call.constant("depth")
    axis = axis_of(call, call.options.axis, len(indices) + 1)
    size = -1 if given is None else whole(call, given, "depth")[0]
    return [(*indices[:axis], size, *indices[axis:])]


def one_hot(call: Call, indices: np.ndarray, depth: np.ndarray, on: np.ndarray, off: np.ndarray) -> np.ndarray:
    axis = axis_of(call, call.options.axis, indices.ndim + 1)
    places = np.arange(whole(call, depth, "depth")[0]).reshape(
        [-1 if i == axis else 1 for i in range(indices.ndim + 1)]
    )
    hot: np.ndarray = np.where(np.expand_dims(indices, axis) == places, on.reshape(()), off.reshape(()))
    return hot.astype(on.dtype)


def looked_up(call: Call, indices: Shape, table: Shape) -> list[Shape]:
    if len(indices) != 1 or len(table) < 2:
        raise ShapeError(f"{call.label}: indices {indices} into a table {table}, expected ranks 1 and from 2")
    return [(*indices, *table[1:])]


def look_up(call: Call, indices: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Rows of the table; as floats by its scale, where the output is. TFLite reads the bytes of uint8 as int8."""
    found = _within(call, indices, len(table))
    rows: np.ndarray = table[found]
    t = call["table"]
    if t.dtype == call["y"].dtype:
        return rows
    if t.quantization is None or t.dtype.is_float:
        raise GraphError(f"{call.label}: a table of {t.dtype} without scales has no rows of {call['y'].dtype}")
    scales = t.quantization.scale if call.numerics == "litert" or t.quantization.scale.size == 1 else np.zeros(1, "f4")
    own = scales[found] if scales.size > 1 else scales
    real: np.ndarray = rows.view(np.int8).astype(np.float32) * own.reshape(-1, *[1] * (rows.ndim - 1))
    return real


def updated(call: Call, x: Shape, update: Shape, start: Shape) -> list[Shape]:
    if len(update) != len(x) or any(u > n for u, n in zip(update, x, strict=True)) or start != (len(x),):
        raise ShapeError(f"{call.label}: update {update} at start {start} of {x}")
    return [x]


def update_slice(call: Call, x: np.ndarray, update: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The start moves inward until the update fits."""
    y, limits = x.copy(), np.array(x.shape) - update.shape
    y[tuple(slice(s, s + n) for s, n in zip(np.clip(start, 0, limits).tolist(), update.shape, strict=True))] = update
    return y


def where_shape(call: Call, condition: Shape) -> list[Shape]:
    given = call.constant("condition")
    return [(-1 if given is None else int(np.count_nonzero(given)), max(len(condition), 1))]


def where(call: Call, condition: np.ndarray) -> np.ndarray:
    """The coordinates of what is not zero, in row-major order."""
    places: np.ndarray = np.argwhere(condition if condition.ndim else condition.reshape(1)).astype(np.int64)
    return places


def unique_shape(call: Call, x: Shape) -> list[Shape]:
    if len(x) != 1:
        raise ShapeError(f"{call.label}: found input {x}, expected rank 1")
    return [(-1,), x]


def unique(call: Call, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values in the order of their first appearance, and for each element the place of its value among them."""
    values, first, inverse = np.unique(x, return_index=True, return_inverse=True)
    order = np.argsort(first)
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return values[order], places[inverse.reshape(-1)].astype(call["indices"].dtype.numpy)


X, SAME, INDICES = Slot("x"), Slot("y", scale=SameAs("x")), Slot("indices", role="data")

GATHER = register(
    Operator(
        "GATHER",
        options="GatherOptions",
        inputs=(X, INDICES),
        outputs=(SAME,),
        shape=gathered,
        restate=restate_gather,
        reference=dict.fromkeys(WITH_STRINGS, gather),
        kernels=take_kernels(EVERY_TYPE),
    )
)

GATHER_ND = register(
    Operator(
        "GATHER_ND",
        options="GatherNdOptions",
        inputs=(X, INDICES),
        outputs=(SAME,),
        shape=gathered_nd,
        reference=dict.fromkeys(WITH_STRINGS, gather_nd),
        kernels=take_kernels(EVERY_TYPE),
    )
)

SCATTER_ND = register(
    Operator(
        "SCATTER_ND",
        options="ScatterNdOptions",
        inputs=(INDICES, Slot("updates"), Slot("shape", role="data")),
        outputs=(Slot("y", scale=SameAs("updates")),),
        shape=scattered,
        reference=dict.fromkeys(EVERY_TYPE, scatter_nd),
    )
)

ONE_HOT = register(
    Operator(
        "ONE_HOT",
        options="OneHotOptions",
        inputs=(INDICES, Slot("depth", role="data"), Slot("on", role="any"), Slot("off", role="any")),
        outputs=(Slot("y", role="any"),),
        shape=one_hot_shape,
        reference=dict.fromkeys(("int32", "int64"), one_hot),
    )
)

EMBEDDING_LOOKUP = register(
    Operator(
        "EMBEDDING_LOOKUP",
        inputs=(INDICES, Slot("table", role="any")),
        outputs=(Slot("y"),),
        shape=looked_up,
        reference=dict.fromkeys(("int32",), look_up),
    )
)

DYNAMIC_UPDATE_SLICE = register(
    Operator(
        "DYNAMIC_UPDATE_SLICE",
        options="DynamicUpdateSliceOptions",
        inputs=(X, Slot("update", scale=SameAs("x")), Slot("start", role="data")),
        outputs=(SAME,),
        shape=updated,
        reference=dict.fromkeys(EVERY_TYPE, update_slice),
    )
)

WHERE = register(
    Operator(
        "WHERE",
        options="WhereOptions",
        inputs=(Slot("condition", role="any"),),
        outputs=(Slot("y", role="data"),),
        shape=where_shape,
        reference=dict.fromkeys(EVERY_TYPE, where),
    )
)

UNIQUE = register(
    Operator(
        "UNIQUE",
        options="UniqueOptions",
        inputs=(Slot("x", role="any"),),
        outputs=(Slot("y", role="any"), INDICES),
        shape=unique_shape,
        reference=dict.fromkeys(EVERY_TYPE, unique),
    )
)
