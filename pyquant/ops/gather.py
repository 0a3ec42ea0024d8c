"""Operators that read or write elements by index: GATHER, SCATTER_ND, ONE_HOT, WHERE and their like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pyquant.dtypes import INT64
from pyquant.errors import GraphError, RangeError, ShapeError
from pyquant.graph import Node, Tensor
from pyquant.ops.axes import axis_of, whole
from pyquant.ops.kinds import EVERY_TYPE, KERNEL_TYPES, WITH_STRINGS
from pyquant.ops.operator import Call, Kept, Kernel, Launch, Operator, Restated, SameAs, Shape, Slot, Tie
from pyquant.ops.registry import register
from pyquant.ops.restate import refuse_mixing
from pyquant.ops.ties import moved_ties, stated

INDEX_TYPES = ("int32", "int64")  # of C kernels


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


def gather_launch(call: Call) -> Launch | None:
    x, indices = call["x"], call["indices"]
    axis, batch = _gather_axes(call, x.shape, indices.shape)
    outer, inner = x.shape[batch:axis], x.shape[axis + 1 :]
    return _runs(call, (x.shape[axis],), inner, math.prod(outer), math.prod(indices.shape[batch:]))


def gather_nd_launch(call: Call) -> Launch | None:
    x, (*rows, depth) = call["x"].shape, call["indices"].shape
    return _runs(call, x[:depth], x[depth:], 1, math.prod(rows))


def _runs(call: Call, sizes: Shape, inner: Shape, outer: int, count: int) -> Launch | None:
    """pq_gather, of indices that a run tells, to elements of these inner dimensions, by coordinates in these sizes."""
    x, indices = call["x"], call["indices"]
    if indices.dtype.name not in INDEX_TYPES or x.dtype.bits % 8 or 0 in (x.size, call["y"].size):
        return None
    size = math.prod(inner) * x.dtype.bits // 8
    params = {
        **_coordinates(indices, sizes, size),
        "count": count,
        "outer": outer,
        "group": math.prod(sizes) * size,
        "bytes": size,
    }
    return Launch(call["y"].size * x.dtype.bits // 8 // size, params, cost=4 + size // 16)


def _coordinates(indices: Tensor, sizes: Shape, inner: int) -> dict[str, Any]:
    """What C needs of coordinates into these sizes of what is `inner` long."""
    wide = int(indices.dtype is INT64)
    return {"wide": wide, "depth": len(sizes), "size": np.array(sizes, np.int64), "stride": _strides(sizes, inner)}


def _strides(sizes: Shape, inner: int) -> np.ndarray:
    return np.array([math.prod(sizes[i + 1 :]) * inner for i in range(len(sizes))], np.int64)


def gather_ties(call: Call) -> Sequence[Tie]:
    """Without batch dimensions, along which each index is of another part."""
    _, batch = _gather_axes(call, call["x"].shape, call["indices"].shape)
    return [] if batch else moved_ties(restated=True)(call)


def cut_gather(call: Call, kept: Kept) -> Restated:
    """Where what was gathered has gone to."""
    axis, indices = axis_of(call, call.options.axis, len(call["x"].shape)), call.constant("indices")
    assert indices is not None  # or there were no ties
    left = indices[np.ix_(*kept(call["y"])[axis : axis + indices.ndim])] if indices.ndim else indices
    return stated(call, "indices", (np.cumsum(kept(call["x"])[axis]) - 1)[left])


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


def scatter_launch(call: Call) -> Launch | None:
    indices, y = call["indices"], call["y"]
    depth = indices.shape[-1]
    if indices.dtype.name not in INDEX_TYPES or call["updates"].dtype != y.dtype or not call["updates"].size:
        return None
    inner = math.prod(y.shape[depth:])
    params = {
        **_coordinates(indices, y.shape[:depth], inner),
        "count": math.prod(indices.shape[:-1]),
        "inner": inner,
        "elements": y.size,
    }
    return Launch(1, params, cost=y.size // 16 + call["updates"].size)


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


def update_launch(call: Call) -> Launch | None:
    """A run goes as far as the dimensions within it are updated whole."""
    x, update, start = call["x"], call["update"], call["start"]
    if start.dtype.name not in INDEX_TYPES or x.dtype != update.dtype or x.dtype.bits % 8:
        return None
    size, rank = x.dtype.bits // 8, len(x.shape)
    outer = max((i for i in range(rank) if x.shape[i] != update.shape[i]), default=0)
    params = {
        "wide": int(start.dtype is INT64),
        "rank": rank,
        "outer": outer,
        "bytes": x.size * size,
        "rows": math.prod(update.shape[:outer]),
        "run": math.prod(update.shape[outer:]) * size,
        "limit": np.array(x.shape, np.int64) - np.array(update.shape, np.int64),
        "stride": _strides(x.shape, size),
        "shape": np.array(update.shape[:outer], np.int64),
    }
    return Launch(1, params, cost=1 + x.size * size // 16)


def where_shape(call: Call, condition: Shape) -> list[Shape]:
    given = call.constant("condition")
    return [(-1 if given is None else int(np.count_nonzero(given)), max(len(condition), 1))]


def where(call: Call, condition: np.ndarray) -> np.ndarray:
    """The coordinates of what is not zero, in row-major order."""
    return np.array(condition.reshape(condition.shape or 1).nonzero(), np.int64).T


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


def _scatter_variant(node: Node) -> Operator:
    """Where indices may repeat, it adds up updates: sums of codes wrap around."""
    indices = node.inputs[0].data if node.inputs and node.inputs[0] is not None else None
    if indices is not None and len(np.unique(rows := indices.reshape(-1, indices.shape[-1]), axis=0)) == len(rows):
        return SCATTER_ND
    return replace(SCATTER_ND, unserved=("int8", "int16"))


X, SAME, INDICES = Slot("x"), Slot("y", scale=SameAs("x")), Slot("indices", role="data")

GATHER = register(
    Operator(
        "GATHER",
        options="GatherOptions",
        inputs=(replace(X, newer_axis=0, weight_if_constant=("float32",)), INDICES),
        outputs=(SAME,),
        shape=gathered,
        ties=gather_ties,
        cut=cut_gather,
        restate=restate_gather,
        reference=dict.fromkeys(WITH_STRINGS, gather),
        kernels=dict.fromkeys(EVERY_TYPE, Kernel("gather_x8", "pq_gather", gather_launch)),
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
        kernels=dict.fromkeys(EVERY_TYPE, Kernel("gather_x8", "pq_gather", gather_nd_launch)),
    )
)

# by updates' type; sums that wrap are the same with and without a sign
SUMS = {**KERNEL_TYPES, "uint8": "s8", "uint16": "s16", "uint32": "s32", "uint64": "s64", "bool": "u8"}
SCATTER_ND = register(
    Operator(
        "SCATTER_ND",
        options="ScatterNdOptions",
        inputs=(INDICES, Slot("updates"), Slot("shape", role="data")),
        outputs=(Slot("y", scale=SameAs("updates")),),
        shape=scattered,
        reference=dict.fromkeys(EVERY_TYPE, scatter_nd),
        kernels={kind: Kernel(f"scatter_{name}", "pq_scatter", scatter_launch) for kind, name in SUMS.items()},
        about_zero=True,
        variant=_scatter_variant,
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
        inputs=(INDICES, Slot("table", role="weight", newer_axis=0, narrow={"hybrid": ("int4",)})),
        outputs=(Slot("y", scale=SameAs("table"), symmetric=True),),
        shape=looked_up,
        reference=dict.fromkeys(("int32", "float32", "hybrid", "int8"), look_up),
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
        kernels=dict.fromkeys(EVERY_TYPE, Kernel("update_slice_x8", "pq_update_slice", update_launch)),
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
