"""Operators that make tensors out of shapes and numbers, or change what their bits mean: SHAPE, RANGE, FILL, CAST."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyquant.dtypes import BFLOAT16, BY_NAME, INT32, INT64
from pyquant.errors import GraphError, RangeError, ShapeError
from pyquant.graph.real import from_bfloat16, to_bfloat16
from pyquant.ops.axes import whole
from pyquant.ops.kinds import EVERY_TYPE, KERNEL_TYPES, WITH_STRINGS
from pyquant.ops.operator import Call, Kernel, Launch, Operator, SameAs, Shape, Slot, Sparse
from pyquant.ops.registry import register

MOST_STEPS = 2**31 - 1  # of a range


def rank_of_shape(call: Call, x: Shape) -> list[Shape]:
    return [(len(x),)]


def shape_values(call: Call, x: np.ndarray | None) -> np.ndarray:
    return np.array(call["x"].shape, call["y"].dtype.numpy)


def scalar(call: Call, x: Shape) -> list[Shape]:
    return [()]


def rank_value(call: Call, x: np.ndarray | None) -> np.ndarray:
    return np.array(len(call["x"].shape), np.int32)


def ranged(call: Call, *_scalars: Shape) -> list[Shape]:
    start, limit, step = (call.constant(name) for name in ("start", "limit", "step"))
    if start is None or limit is None or step is None:
        return [(-1,)]
    return [(_count(call, start, limit, step),)]


def _count(call: Call, start: np.ndarray, limit: np.ndarray, step: np.ndarray) -> int:
    if start.dtype.kind not in "iuf" or not start.dtype == limit.dtype == step.dtype:
        raise GraphError(f"{call.label}: start, limit and step are {start.dtype}, {limit.dtype} and {step.dtype}")
    if not start.size == limit.size == step.size == 1:
        raise ShapeError(f"{call.label}: start, limit and step must have one element each")
    first, last, by = (a.item() for a in (start, limit, step))
    if not by or not all(map(math.isfinite, (first, last, by))):
        raise RangeError(f"{call.label}: steps of {by} from {first} to {last}")
    count = math.ceil((last - first) / by) if isinstance(by, float) else -((first - last) // by)
    if (last - first) * by < 0 or count > MOST_STEPS:
        raise RangeError(f"{call.label}: steps of {by} from {first} to {last}")
    return int(count)


def range_values(call: Call, start: np.ndarray, limit: np.ndarray, step: np.ndarray) -> np.ndarray:
    """start, start + step, ...: floats as they add up, one after the other."""
    count = _count(call, start, limit, step)
    steps = np.full(count, step.reshape(()), start.dtype)
    steps[:1] = start.reshape(())
    values: np.ndarray = np.add.accumulate(steps, dtype=start.dtype)
    return values


def filled(call: Call, dims: Shape, value: Shape) -> list[Shape]:
    given = call.constant("dims")
    return [(-1,) * math.prod(dims) if given is None else whole(call, given, "dims")]


def fill(call: Call, dims: np.ndarray, value: np.ndarray) -> np.ndarray:
    if value.size != 1:
        raise ShapeError(f"{call.label}: found {value.size} values, expected one")
    return np.full(whole(call, dims, "dims"), value.reshape(()))


def same_shape(call: Call, x: Shape) -> list[Shape]:
    return [x]


def zeros(call: Call, x: np.ndarray) -> np.ndarray:
    return np.zeros(x.shape, x.dtype)


def cast(call: Call, x: np.ndarray) -> np.ndarray:
    """Numbers without scales. Integers wrap; floats lose their fraction.

    Floats beyond the integer type: LiteRT saturates, and NaN is the greatest. In TFLite what is beyond int32 (or int64)
    is its least number, and smaller types are the low bits of that.
    """
    kind: np.dtype[Any] = np.dtype(call["y"].dtype.numpy)
    if call["x"].dtype is BFLOAT16:
        x = from_bfloat16(x)
    if call["y"].dtype is BFLOAT16:
        return to_bfloat16(x.astype(np.float32))
    if kind == np.bool_:
        truth: np.ndarray = np.not_equal(x, 0)
        return truth
    if x.dtype.kind not in "fV" or kind.kind not in "iu":
        return x.astype(kind)
    if call.numerics == "litert":
        return _saturated(x, kind)
    wide: Any = np.int64 if kind.itemsize == 8 or kind == np.uint32 else np.int32
    limits = np.iinfo(wide)
    inside = (x >= float(limits.min)) & (x < -float(limits.min))
    low = np.where(inside, np.trunc(np.where(inside, x, 0)), float(limits.min)).astype(wide)
    return low.astype(kind)


def _saturated(x: np.ndarray, kind: np.dtype[Any]) -> np.ndarray:
    limits = np.iinfo(kind)
    inside = (x > limits.min - 1.0) & (x < limits.max + 1.0)
    whole_ = np.trunc(np.where(inside, x, 0)).astype(np.float64)
    beyond = np.where(x < 0, limits.min, limits.max)  # a NaN is the greatest
    return np.where(inside, whole_.astype(kind), beyond).astype(kind)


def cast_launch(call: Call) -> Launch | None:
    """The limits of floats are those of the type that they are converted to first, or to which they saturate."""
    y = call["y"].dtype
    if y.name not in CAST_BITS:
        return None
    wide = y.bits == 64 or y.name == "uint32"
    lo, hi = (INT64 if wide else INT32).limits
    below, above = lo, lo
    if call.numerics == "litert" and y.lo is not None:
        lo, hi = below, above = y.limits
    limits = {"wide": int(wide), "least": float(lo), "beyond": float(hi + 1), "below": below, "above": above}
    return Launch(call["x"].size, {"to": CAST_BITS[y.name], **limits}, in_place=True)


def dense(call: Call, x: np.ndarray) -> np.ndarray:
    """What a sparse-encoded constant stands for, which it is as soon as it is read."""
    return x.copy()


def reinterpreted(call: Call, x: Shape) -> list[Shape]:
    """A last dimension of what one element is made of comes or goes."""
    source, target = call["x"].dtype.bits, call["y"].dtype.bits
    if source == target:
        return [x]
    if source > target:
        return [(*x, source // target)]
    if x[-1:] != (target // source,):
        raise ShapeError(f"{call.label}: input {x} must end in {target // source} to become {call['y'].dtype}")
    return [x[:-1]]


def reinterpret(call: Call, x: np.ndarray) -> np.ndarray:
    return np.frombuffer(x.tobytes(), call["y"].dtype.numpy).reshape(reinterpreted(call, x.shape)[0])


ANY, SAME = Slot("x", role="any"), Slot("y", role="any")
NUMBERS = ("float32", "int32", "int64")
CAST_FROM = {**KERNEL_TYPES, "uint16": "u16", "uint32": "u32", "bool": "u8"}
CAST_BITS = {kind: BY_NAME[kind].bits for kind in CAST_FROM} | {"bool": 1, "float32": -32}  # as in pq_cast

SHAPE = register(
    Operator(
        "SHAPE",
        options="ShapeOptions",
        inputs=(ANY,),
        outputs=(Slot("y", role="data"),),
        shape=rank_of_shape,
        reference=dict.fromkeys(WITH_STRINGS, shape_values),
        by_shape=True,
    )
)

RANK = register(
    Operator(
        "RANK",
        options="RankOptions",
        inputs=(ANY,),
        outputs=(Slot("y", role="data"),),
        shape=scalar,
        reference=dict.fromkeys(WITH_STRINGS, rank_value),
        by_shape=True,
    )
)

RANGE = register(
    Operator(
        "RANGE",
        options="RangeOptions",
        inputs=(Slot("start", role="any"), Slot("limit", role="any"), Slot("step", role="any")),
        outputs=(SAME,),
        shape=ranged,
        reference=dict.fromkeys(NUMBERS, range_values),
    )
)

FILL = register(
    Operator(
        "FILL",
        options="FillOptions",
        inputs=(Slot("dims", role="data"), Slot("value")),
        outputs=(Slot("y", scale=SameAs("value")),),
        shape=filled,
        reference=dict.fromkeys(WITH_STRINGS, fill),
    )
)

ZEROS_LIKE = register(
    Operator(
        "ZEROS_LIKE",
        options="ZerosLikeOptions",
        inputs=(ANY,),
        outputs=(SAME,),
        shape=same_shape,
        reference=dict.fromkeys(NUMBERS, zeros),
    )
)

CAST = register(
    Operator(
        "CAST",
        options="CastOptions",
        inputs=(ANY,),
        outputs=(SAME,),
        shape=same_shape,
        reference=dict.fromkeys(EVERY_TYPE, cast),
        kernels={kind: Kernel(f"cast_{name}", "pq_cast", cast_launch) for kind, name in CAST_FROM.items()},
    )
)

DENSIFY = register(
    Operator(
        "DENSIFY",
        options="DensifyOptions",
        densifies=True,
        inputs=(Slot("x", role="any", sparse=Sparse(dict.fromkeys(("float32", "float16", "int8"), ()))),),
        outputs=(SAME,),
        shape=same_shape,
        reference=dict.fromkeys(EVERY_TYPE, dense),
    )
)

BITCAST = register(
    Operator(
        "BITCAST",
        options="BitcastOptions",
        inputs=(ANY,),
        outputs=(SAME,),
        shape=reinterpreted,
        reference=dict.fromkeys(EVERY_TYPE, reinterpret),
    )
)
