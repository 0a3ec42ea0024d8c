"""Operators that put the elements of one tensor in another order, or repeat them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pyquant.errors import ShapeError
from pyquant.ops.axes import axis_of, pairs, whole
from pyquant.ops.kinds import EVERY_TYPE, WITH_STRINGS
from pyquant.ops.operator import Call, Operator, Restated, SameAs, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.restate import more_samples, refuse_mixing
from pyquant.ops.strided import copying, strided_kernels
from pyquant.ops.take import take_kernels
from pyquant.ops.ties import moved_ties, shape_of_output, view_ties


def transposed(call: Call, x: Shape, order: Shape) -> list[Shape]:
    axes = call.constant("order")
    if order != (len(x),):
        raise ShapeError(f"{call.label}: order {order} must name each axis of {x}")
    return [(-1,) * len(x) if axes is None else tuple(x[i] for i in _order(call, axes))]


def _order(call: Call, axes: np.ndarray) -> list[int]:
    found = [int(i) + len(axes) * (i < 0) for i in axes]
    if sorted(found) != list(range(len(axes))):
        raise ShapeError(f"{call.label}: order {axes.tolist()} does not name each axis once")
    return found


def transpose_views(call: Call, x: np.ndarray, order: np.ndarray) -> list[np.ndarray]:
    return [x.transpose(_order(call, order))]


def restate_transpose(
    call: Call, before: Sequence[Shape | None], now: Sequence[Shape | None], samples: bool
) -> Restated:
    order = call.constant("order")
    return refuse_mixing(call, samples and (order is None or bool(_order(call, order)[:1] != [0])))


def expanded(call: Call, x: Shape, axis: Shape) -> list[Shape]:
    given = call.constant("axis")
    if given is None:
        return [(-1,) * (len(x) + 1)]
    i = axis_of(call, given, len(x) + 1)
    return [(*x[:i], 1, *x[i:])]


def expand(call: Call, x: np.ndarray, axis: np.ndarray) -> np.ndarray:
    return np.expand_dims(x, axis_of(call, axis, x.ndim + 1))


def restate_expand(call: Call, before: Sequence[Shape | None], now: Sequence[Shape | None], samples: bool) -> Restated:
    axis = call.constant("axis")
    return refuse_mixing(call, samples and (axis is None or axis_of(call, axis, len(call["y"].shape)) == 0))


def tiled(call: Call, x: Shape, multiples: Shape) -> list[Shape]:
    given = call.constant("multiples")
    if multiples != (len(x),):
        raise ShapeError(f"{call.label}: multiples {multiples} must have one for each dimension of {x}")
    return [
        (-1,) * len(x)
        if given is None
        else tuple(n * m for n, m in zip(x, whole(call, given, "multiples"), strict=True))
    ]


def tile_views(call: Call, x: np.ndarray, multiples: np.ndarray) -> list[np.ndarray]:
    """Each dimension becomes two: how often, and what."""
    times = whole(call, multiples, "multiples")
    apart = x.reshape([n for size in x.shape for n in (1, size)])
    return [np.broadcast_to(apart, [n for pair in zip(times, x.shape, strict=True) for n in pair])]


def restate_tile(call: Call, before: Sequence[Shape | None], now: Sequence[Shape | None], samples: bool) -> Restated:
    times = call.constant("multiples")
    return refuse_mixing(call, samples and (times is None or times.ravel()[:1].tolist() != [1]))


def broadcast(call: Call, x: Shape, shape: Shape) -> list[Shape]:
    given = call.constant("shape")
    if given is None:
        return [(-1,) * math.prod(shape)]
    return [broadcast_target(call, x, given)]


def broadcast_views(call: Call, x: np.ndarray, shape: np.ndarray) -> list[np.ndarray]:
    return [np.broadcast_to(x, broadcast_target(call, x.shape, shape))]


def broadcast_target(call: Call, x: Shape, shape: np.ndarray) -> Shape:
    target = whole(call, shape, "shape")
    if len(target) < len(x) or any(n not in (1, t) for n, t in zip(reversed(x), reversed(target), strict=False)):
        raise ShapeError(f"{call.label}: shape {x} does not broadcast to {target}")
    return target


def restate_broadcast(
    call: Call, before: Sequence[Shape | None], now: Sequence[Shape | None], samples: bool
) -> Restated:
    was, is_, given = before[0] or (), now[0] or (), call.constant("shape")
    if given is None or was == is_:
        return Restated()
    target = whole(call, given, "shape")
    if not samples or len(target) != len(was):
        raise ShapeError(f"{call.label}: what shape {is_} broadcasts to is not clear, {was} did to {target}")
    return Restated({1: np.array(more_samples(call, was, is_, target), given.dtype)})


def reversed_(call: Call, x: Shape, axes: Shape) -> list[Shape]:
    return [x]


def reverse_views(call: Call, x: np.ndarray, axes: np.ndarray) -> list[np.ndarray]:
    named = [axis_of(call, a, x.ndim) for a in axes.ravel()]
    return [np.flip(x, tuple(set(named)))]


def restate_reverse(call: Call, before: Sequence[Shape | None], now: Sequence[Shape | None], samples: bool) -> Restated:
    axes = call.constant("axes")
    named = [] if axes is None else [axis_of(call, a, len(call["x"].shape)) for a in axes.ravel()]
    return refuse_mixing(call, samples and (axes is None or 0 in named))


def blocks_to_depth(call: Call, x: Shape) -> list[Shape]:
    size = _block(call, x)
    if x[1] % size or x[2] % size:
        raise ShapeError(f"{call.label}: image {x} does not split into blocks of {size}")
    return [(x[0], x[1] // size, x[2] // size, x[3] * size * size)]


def depth_to_blocks(call: Call, x: Shape) -> list[Shape]:
    size = _block(call, x)
    if x[3] % (size * size):
        raise ShapeError(f"{call.label}: {x[3]} channels do not split into blocks of {size} x {size}")
    return [(x[0], x[1] * size, x[2] * size, x[3] // (size * size))]


def _block(call: Call, x: Shape) -> int:
    size = int(call.options.block_size)
    if len(x) != 4 or size < 1:
        raise ShapeError(f"{call.label}: found input {x} and block size {size}, expected rank 4 and a size from 1")
    return size


def space_to_depth_views(call: Call, x: np.ndarray) -> list[np.ndarray]:
    n, h, w, c = x.shape
    size = call.options.block_size
    return [x.reshape(n, h // size, size, w // size, size, c).transpose(0, 1, 3, 2, 4, 5)]


def depth_to_space_views(call: Call, x: np.ndarray) -> list[np.ndarray]:
    n, h, w, c = x.shape
    size = call.options.block_size
    return [x.reshape(n, h, w, size, size, c // (size * size)).transpose(0, 1, 3, 2, 4, 5)]


def batched(call: Call, x: Shape, block: Shape, paddings: Shape) -> list[Shape]:
    """The blocks of one to three spatial dimensions become batches."""
    sizes, given = call.constant("block"), call.constant("paddings")
    if sizes is None or given is None:
        return [(-1,) * len(x)]
    factors, around = _blocks(call, x, sizes, given, "paddings")
    inner = [n + a + b for n, (a, b) in zip(x[1:], around, strict=False)]
    if any(n % f for n, f in zip(inner, factors, strict=True)):
        raise ShapeError(f"{call.label}: dimensions {inner} with paddings are no multiples of {factors}")
    return [(x[0] * math.prod(factors), *(n // f for n, f in zip(inner, factors, strict=True)), *x[1 + len(factors) :])]


def _blocks(
    call: Call, x: Shape, sizes: np.ndarray, around: np.ndarray, what: str
) -> tuple[list[int], Sequence[tuple[int, int]]]:
    factors = list(whole(call, sizes, "block"))
    if len(factors) >= len(x) or min(factors, default=1) < 1:
        raise ShapeError(f"{call.label}: blocks of {factors} of an input {x}")
    return factors, pairs(call, around, len(factors), what)


def space_to_batch(call: Call, x: np.ndarray, block: np.ndarray, paddings: np.ndarray) -> np.ndarray:
    factors, around = _blocks(call, x.shape, block, paddings, "paddings")
    rank, y = len(factors), call["y"]
    zero = y.zero_point if y.is_quantized and not y.dtype.is_float else 0
    padded = np.pad(x, [(0, 0), *around, *[(0, 0)] * (x.ndim - 1 - rank)], constant_values=zero)
    apart = padded.reshape(
        len(x), *(k for n, f in zip(padded.shape[1:], factors, strict=False) for k in (n // f, f)), *x.shape[1 + rank :]
    )
    order = [*range(2, 2 * rank + 1, 2), 0, *range(1, 2 * rank, 2), *range(2 * rank + 1, apart.ndim)]
    moved = apart.transpose(order)
    return moved.reshape(len(x) * math.prod(factors), *moved.shape[rank + 1 :])


def unbatched(call: Call, x: Shape, block: Shape, crops: Shape) -> list[Shape]:
    sizes, given = call.constant("block"), call.constant("crops")
    if sizes is None or given is None:
        return [(-1,) * len(x)]
    factors, around = _blocks(call, x, sizes, given, "crops")
    inner = [n * f - a - b for n, f, (a, b) in zip(x[1:], factors, around, strict=False)]
    if x[0] % max(math.prod(factors), 1) or min(inner, default=0) < 0:
        raise ShapeError(f"{call.label}: input {x} cannot be blocks of {factors} with crops {list(around)}")
    return [(x[0] // math.prod(factors), *inner, *x[1 + len(factors) :])]


def batch_to_space_views(call: Call, x: np.ndarray, block: np.ndarray, crops: np.ndarray) -> list[np.ndarray]:
    factors, around = _blocks(call, x.shape, block, crops, "crops")
    rank, batch = len(factors), len(x) // math.prod(factors)
    apart = x.reshape(*factors, batch, *x.shape[1:])
    order = [rank, *(k for i in range(rank) for k in (rank + 1 + i, i)), *range(2 * rank + 1, apart.ndim)]
    joined = apart.transpose(order).reshape(
        batch, *(n * f for n, f in zip(x.shape[1:], factors, strict=False)), *x.shape[1 + rank :]
    )
    return [joined[(slice(None), *(slice(a, n - b) for n, (a, b) in zip(joined.shape[1:], around, strict=False)))]]


def mixes(call: Call, before: Sequence[Shape | None], now: Sequence[Shape | None], samples: bool) -> Restated:
    return refuse_mixing(call, samples)


def sequences(call: Call, x: Shape, lengths: Shape) -> list[Shape]:
    along, batch = (axis_of(call, a, len(x)) for a in (call.options.seq_dim, call.options.batch_dim))
    if along == batch or lengths != (x[batch],):
        raise ShapeError(f"{call.label}: lengths {lengths} for dimension {batch} of {x}, reversed along {along}")
    return [x]


def reverse_sequences(call: Call, x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Reverses the first `length` elements along an axis, a length for each index of the batch axis."""
    along, batch = call.options.seq_dim % x.ndim, call.options.batch_dim % x.ndim
    if np.any((lengths < 0) | (lengths > x.shape[along])):
        raise ShapeError(f"{call.label}: lengths {lengths.tolist()} of sequences of {x.shape[along]}")
    y = x.copy()
    source, target = np.moveaxis(x, (batch, along), (0, 1)), np.moveaxis(y, (batch, along), (0, 1))
    for i, length in enumerate(lengths):
        target[i, :length] = source[i, :length][::-1]
    return y


X, SAME = Slot("x"), Slot("y", scale=SameAs("x"))

TRANSPOSE = register(
    Operator(
        "TRANSPOSE",
        options="TransposeOptions",
        inputs=(X, Slot("order", role="data")),
        outputs=(SAME,),
        shape=transposed,
        ties=moved_ties(restated=True),
        restate=restate_transpose,
        reference=copying(transpose_views),
        kernels=strided_kernels(transpose_views),
    )
)

EXPAND_DIMS = register(
    Operator(
        "EXPAND_DIMS",
        options="ExpandDimsOptions",
        inputs=(X, Slot("axis", role="data")),
        outputs=(SAME,),
        shape=expanded,
        ties=view_ties,
        restate=restate_expand,
        reference=dict.fromkeys(WITH_STRINGS, expand),
        view=True,
    )
)

TILE = register(
    Operator(
        "TILE",
        options="TileOptions",
        inputs=(X, Slot("multiples", role="data")),
        outputs=(SAME,),
        shape=tiled,
        ties=moved_ties(restated=True),
        restate=restate_tile,
        reference=copying(tile_views, WITH_STRINGS),
        kernels=strided_kernels(tile_views),
    )
)

BROADCAST_TO = register(
    Operator(
        "BROADCAST_TO",
        options="BroadcastToOptions",
        inputs=(X, Slot("shape", role="data")),
        outputs=(SAME,),
        shape=broadcast,
        ties=moved_ties(restated=True),
        cut=shape_of_output("shape"),
        restate=restate_broadcast,
        reference=copying(broadcast_views),
        kernels=strided_kernels(broadcast_views),
    )
)

REVERSE_V2 = register(
    Operator(
        "REVERSE_V2",
        options="ReverseV2Options",
        inputs=(X, Slot("axes", role="data")),
        outputs=(SAME,),
        shape=reversed_,
        ties=moved_ties(restated=True),
        restate=restate_reverse,
        reference=copying(reverse_views),
        kernels=strided_kernels(reverse_views),
    )
)

SPACE_TO_DEPTH = register(
    Operator(
        "SPACE_TO_DEPTH",
        options="SpaceToDepthOptions",
        inputs=(X,),
        outputs=(SAME,),
        shape=blocks_to_depth,
        ties=moved_ties(restated=False),
        reference=copying(space_to_depth_views),
        kernels=strided_kernels(space_to_depth_views),
    )
)

DEPTH_TO_SPACE = register(
    Operator(
        "DEPTH_TO_SPACE",
        options="DepthToSpaceOptions",
        inputs=(X,),
        outputs=(SAME,),
        shape=depth_to_blocks,
        ties=moved_ties(restated=False),
        reference=copying(depth_to_space_views),
        kernels=strided_kernels(depth_to_space_views),
    )
)

SPACE_TO_BATCH_ND = register(
    Operator(
        "SPACE_TO_BATCH_ND",
        options="SpaceToBatchNDOptions",
        inputs=(X, Slot("block", role="data"), Slot("paddings", role="data")),
        outputs=(SAME,),
        shape=batched,
        ties=moved_ties(restated=False),
        restate=mixes,
        reference=dict.fromkeys(EVERY_TYPE, space_to_batch),
        kernels=take_kernels(EVERY_TYPE),
    )
)

BATCH_TO_SPACE_ND = register(
    Operator(
        "BATCH_TO_SPACE_ND",
        options="BatchToSpaceNDOptions",
        inputs=(X, Slot("block", role="data"), Slot("crops", role="data")),
        outputs=(SAME,),
        shape=unbatched,
        ties=moved_ties(restated=False),
        restate=mixes,
        reference=copying(batch_to_space_views),
        kernels=take_kernels(EVERY_TYPE),
    )
)

REVERSE_SEQUENCE = register(
    Operator(
        "REVERSE_SEQUENCE",
        options="ReverseSequenceOptions",
        inputs=(X, Slot("lengths", role="data")),
        outputs=(SAME,),
        shape=sequences,
        restate=mixes,
        reference=dict.fromkeys(EVERY_TYPE, reverse_sequences),
        kernels=take_kernels(EVERY_TYPE),
    )
)
