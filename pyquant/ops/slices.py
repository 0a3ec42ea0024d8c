"""SLICE, STRIDED_SLICE, SPLIT, SPLIT_V, PACK and UNPACK: parts of tensors, and tensors of parts."""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType

import numpy as np

from pyquant.errors import GraphError, ShapeError
from pyquant.ops.axes import axis_of
from pyquant.ops.concatenation import concatenation_params
from pyquant.ops.kinds import EVERY_TYPE, WITH_STRINGS
from pyquant.ops.operator import Call, Kept, Kernel, Operator, Restated, SameAs, Shape, Slot, Tie
from pyquant.ops.registry import register
from pyquant.ops.restate import refuse_mixing
from pyquant.ops.strided import copying, strided_kernels
from pyquant.ops.ties import moved_ties, split_ties, stated

Index = tuple[int | slice | EllipsisType | None, ...]


def sliced(call: Call, x: Shape, begin: Shape, size: Shape) -> list[Shape]:
    """A size of -1 is all that is left."""
    starts, sizes = call.constant("begin"), call.constant("size")
    if begin != (len(x),) or size != (len(x),):
        raise ShapeError(f"{call.label}: begin {begin} and size {size} must have an element for each dimension of {x}")
    if sizes is None or (starts is None and min(sizes, default=0) < 0):
        return [(-1,) * len(x)]
    if starts is None:
        return [tuple(map(int, sizes))]
    return [tuple(s.stop - s.start for s in _ranges(call, x, starts, sizes))]


def _ranges(call: Call, x: Shape, begin: np.ndarray, size: np.ndarray) -> list[slice]:
    found = [(int(b), n if s == -1 else int(b) + int(s)) for n, b, s in zip(x, begin, size, strict=True)]
    if any(not 0 <= b <= e <= n for n, (b, e) in zip(x, found, strict=True)):
        raise ShapeError(f"{call.label}: begin {begin.tolist()} and size {size.tolist()} leave the shape {x}")
    return [slice(b, e) for b, e in found]


def slice_views(call: Call, x: np.ndarray, begin: np.ndarray, size: np.ndarray) -> list[np.ndarray]:
    return [x[tuple(_ranges(call, x.shape, begin, size))]]


def restate_slice(call: Call, before: Sequence[Shape | None], now: Sequence[Shape | None], samples: bool) -> Restated:
    """What took all of a dimension takes all of it."""
    was, size = before[0] or (), call.constant("size")
    if size is None:
        return Restated()
    changed = [i for i, (a, b) in enumerate(zip(was, now[0] or (), strict=True)) if a != b]
    if any(size[i] not in (-1, was[i]) for i in changed):
        raise ShapeError(f"{call.label}: it takes a part of a dimension that changes")
    size = size.copy()
    size[changed] = -1
    return Restated({2: size})


def strided_sliced(call: Call, x: Shape, *_given: Shape) -> list[Shape]:
    given = [call.constant(name) for name in ("begin", "end", "strides")]
    if any(len(shape) != 1 or shape != _given[0] for shape in _given):
        raise ShapeError(f"{call.label}: begin, end and strides have shapes {_given}, expected one length")
    if all(a is not None for a in given):
        index = _index(call, x, *(a for a in given if a is not None))
        return [np.broadcast_to(np.uint8(0), x)[index].shape]
    count, options = _given[0][0], call.options
    new = sum(options.new_axis_mask >> i & 1 for i in range(count))
    lost = sum((options.shrink_axis_mask & ~options.new_axis_mask) >> i & 1 for i in range(count))
    return [(-1,) * (len(x) + new - lost)]


def _index(call: Call, x: Shape, begin: np.ndarray, end: np.ndarray, strides: np.ndarray) -> Index:
    """In NumPy's terms. A bit of a mask speaks of the axis of that number in begin, end and strides."""
    options, axis = call.options, 0
    index: list[int | slice | None] = []
    ellipsis = next((i for i in range(len(begin)) if options.ellipsis_mask >> i & 1), None)
    spoken = sum(not (options.new_axis_mask >> i & 1) and i != ellipsis for i in range(len(begin)))
    if spoken > len(x):
        raise ShapeError(f"{call.label}: it speaks of {spoken} dimensions, the input {x} has {len(x)}")
    for i, (b, e, step) in enumerate(zip(begin.tolist(), end.tolist(), strides.tolist(), strict=True)):
        if i == ellipsis:
            index.extend([slice(None)] * (len(x) - spoken))
            axis += len(x) - spoken
        elif options.new_axis_mask >> i & 1:
            index.append(None)
        else:
            index.append(_part(call, x[axis], b, e, step, i))
            axis += 1
    return (*index, ...)


def _part(call: Call, n: int, begin: int, end: int, step: int, i: int) -> int | slice:
    options = call.options
    if step == 0:
        raise ShapeError(f"{call.label}: a stride is 0")
    low, high = (0, n) if step > 0 else (-1, n - 1)
    start = (low if step > 0 else high) if options.begin_mask >> i & 1 else min(max(begin + n * (begin < 0), low), high)
    if options.shrink_axis_mask >> i & 1:
        if not 0 <= start < n:
            raise ShapeError(f"{call.label}: index {begin} of a dimension of {n}")
        return start
    last = begin + end if options.offset else end
    wrapped = last + n * (last < 0 and not options.offset)
    stop = (high if step > 0 else low) if options.end_mask >> i & 1 else min(max(wrapped, low), high)
    return slice(start, stop if stop >= 0 else None, step) if start >= 0 else slice(0, 0)


def strided_slice_views(call: Call, x: np.ndarray, *given: np.ndarray) -> list[np.ndarray]:
    return [x[_index(call, x.shape, *given)]]


def restate_strided(call: Call, before: Sequence[Shape | None], now: Sequence[Shape | None], samples: bool) -> Restated:
    """A dimension that changes must be taken whole, or be one that nothing is said about."""
    was, is_, options = before[0] or (), now[0] or (), call.options
    begin, end, strides = (call.constant(name) for name in ("begin", "end", "strides"))
    changed = [i for i, (a, b) in enumerate(zip(was, is_, strict=True)) if a != b]
    if begin is None or end is None or strides is None or not changed:
        return Restated()
    if options.ellipsis_mask or options.new_axis_mask:
        raise ShapeError(f"{call.label}: what its masks make of {is_} is not clear")
    end = end.copy()
    for i in (i for i in changed if i < len(begin)):
        if options.shrink_axis_mask >> i & 1 or _part(
            call, was[i], int(begin[i]), int(end[i]), int(strides[i]), i
        ) != slice(0, was[i], 1):
            raise ShapeError(f"{call.label}: it takes a part of a dimension that changes")
        end[i] = is_[i]
    return Restated({2: end})


def cut_slice(call: Call, kept: Kept) -> Restated:
    masks, begin, size = kept(call["x"]), call.constant("begin"), call.constant("size")
    assert begin is not None and size is not None  # or there were no ties
    made = [int(np.count_nonzero(mask)) for mask in kept(call["y"])]
    starts = stated(call, "begin", [_before(mask, int(b)) for mask, b in zip(masks, begin, strict=True)])
    sizes = stated(call, "size", [-1 if s == -1 else n for s, n in zip(size, made, strict=True)])
    return Restated({**starts.inputs, **sizes.inputs})


def _before(mask: np.ndarray, position: int) -> int:
    """Where a position is, once what goes before it is gone."""
    return int(np.count_nonzero(mask[:position]))


def strided_ties(call: Call) -> list[Tie]:
    """Dimensions that it takes a run of. Masks that add dimensions or leave some out are not followed."""
    if call.options.ellipsis_mask or call.options.new_axis_mask:
        return []
    return list(moved_ties(restated=True)(call)) if _steps(call) <= {1} else list(moved_ties(restated=False)(call))


def _steps(call: Call) -> set[int]:
    strides = call.constant("strides")
    return set() if strides is None else {int(s) for s in strides}


def cut_strided(call: Call, kept: Kept) -> Restated:
    masks = kept(call["x"])
    begin, end, strides = (call.constant(name) for name in ("begin", "end", "strides"))
    assert begin is not None and end is not None and strides is not None  # or there were no ties
    starts, stops = begin.copy(), end.copy()
    for i, mask in enumerate(masks[: len(begin)]):
        if mask.all():
            continue
        part = _part(call, len(mask), int(begin[i]), int(end[i]), int(strides[i]), i)
        assert isinstance(part, slice)  # a dimension of which one is taken has no tie
        starts[i], stops[i] = _before(mask, part.start), _before(mask, part.stop)
        stops[i] -= starts[i] * bool(call.options.offset)
    return Restated({**stated(call, "begin", starts).inputs, **stated(call, "end", stops).inputs})


def split(call: Call, axis: Shape, x: Shape) -> list[Shape]:
    count, at = len(call.node.outputs), call.constant("axis")
    if count != call.options.num_splits:
        raise GraphError(f"{call.label}: found {count} outputs for {call.options.num_splits} parts")
    if at is None:
        return [(-1,) * len(x)] * count
    i = axis_of(call, at, len(x))
    if x[i] % count:
        raise ShapeError(f"{call.label}: dimension {x[i]} does not split into {count} equal parts")
    return [(*x[:i], x[i] // count, *x[i + 1 :])] * count


def split_views(call: Call, axis: np.ndarray, x: np.ndarray) -> list[np.ndarray]:
    return np.split(x, len(call.node.outputs), axis_of(call, axis, x.ndim))


def split_by_sizes(call: Call, x: Shape, sizes: Shape, axis: Shape) -> list[Shape]:
    at, given = call.constant("axis"), call.constant("sizes")
    if sizes != (len(call.node.outputs),):
        raise GraphError(f"{call.label}: found {len(call.node.outputs)} outputs for sizes of shape {sizes}")
    if at is None or given is None:
        return [(-1,) * len(x)] * len(call.node.outputs)
    i = axis_of(call, at, len(x))
    return [(*x[:i], size, *x[i + 1 :]) for size in _sizes(call, given, x[i])]


def _sizes(call: Call, sizes: np.ndarray, n: int) -> list[int]:
    """One -1 is what the others leave."""
    found = [int(s) for s in sizes]
    if found.count(-1) == 1:
        found[found.index(-1)] = n - sum(s for s in found if s != -1)
    if min(found, default=0) < 0 or sum(found) != n:
        raise ShapeError(f"{call.label}: sizes {sizes.tolist()} do not add up to {n}")
    return found


def split_by_sizes_views(call: Call, x: np.ndarray, sizes: np.ndarray, axis: np.ndarray) -> list[np.ndarray]:
    i = axis_of(call, axis, x.ndim)
    return np.split(x, np.cumsum(_sizes(call, sizes, x.shape[i]))[:-1], i)


def cut_sizes(call: Call, kept: Kept) -> Restated:
    at = call.constant("axis")
    assert at is not None  # or there were no ties
    axis = axis_of(call, at, len(call["x"].shape))
    return stated(call, "sizes", [int(np.count_nonzero(kept(part)[axis])) for part in call.node.outputs])


def restate_split(call: Call, before: Sequence[Shape | None], now: Sequence[Shape | None], samples: bool) -> Restated:
    axis = call.constant("axis")
    return refuse_mixing(call, samples and (axis is None or axis_of(call, axis, len(call["x"].shape)) == 0))


def unpacked(call: Call, x: Shape) -> list[Shape]:
    i = axis_of(call, call.options.axis, len(x))
    if not call.options.num == len(call.node.outputs) == x[i]:
        raise ShapeError(f"{call.label}: dimension {x[i]} unpacks into {x[i]} outputs, found {len(call.node.outputs)}")
    return [(*x[:i], *x[i + 1 :])] * x[i]


def unpack_views(call: Call, x: np.ndarray) -> list[np.ndarray]:
    moved = np.moveaxis(x, axis_of(call, call.options.axis, x.ndim), 0)
    return [moved[i, ...] for i in range(len(moved))]


def packed(call: Call, *shapes: Shape) -> list[Shape]:
    if call.options.values_count != len(shapes) or any(s != shapes[0] for s in shapes):
        found = ", ".join(map(str, shapes))
        raise ShapeError(f"{call.label}: found shapes {found}, expected {call.options.values_count} that are equal")
    i = axis_of(call, call.options.axis, len(shapes[0]) + 1)
    return [(*shapes[0][:i], len(shapes), *shapes[0][i:])]


def pack(call: Call, *arrays: np.ndarray) -> np.ndarray:
    return np.stack(arrays, axis_of(call, call.options.axis, arrays[0].ndim + 1))


def restate_packed(call: Call, before: Sequence[Shape | None], now: Sequence[Shape | None], samples: bool) -> Restated:
    return refuse_mixing(call, samples and call.options.axis in (0, -len(call["x"].shape) - 1))


X, AXIS, SAME = Slot("x"), Slot("axis", role="data"), Slot("y", scale=SameAs("x"))
PARTS = Slot("y", scale=SameAs("x"), variadic=True)

SLICE = register(
    Operator(
        "SLICE",
        options="SliceOptions",
        inputs=(X, Slot("begin", role="data"), Slot("size", role="data")),
        outputs=(SAME,),
        shape=sliced,
        ties=moved_ties(restated=True),
        cut=cut_slice,
        restate=restate_slice,
        reference=copying(slice_views, WITH_STRINGS),
        kernels=strided_kernels(slice_views),
    )
)

STRIDED_SLICE = register(
    Operator(
        "STRIDED_SLICE",
        options="StridedSliceOptions",
        inputs=(X, Slot("begin", role="data"), Slot("end", role="data"), Slot("strides", role="data")),
        outputs=(SAME,),
        shape=strided_sliced,
        ties=strided_ties,
        cut=cut_strided,
        restate=restate_strided,
        reference=copying(strided_slice_views, WITH_STRINGS),
        kernels=strided_kernels(strided_slice_views),
    )
)

SPLIT = register(
    Operator(
        "SPLIT",
        options="SplitOptions",
        inputs=(AXIS, X),
        outputs=(PARTS,),
        shape=split,
        ties=split_ties,
        restate=restate_split,
        reference=copying(split_views),
        kernels=strided_kernels(split_views),
    )
)

SPLIT_V = register(
    Operator(
        "SPLIT_V",
        options="SplitVOptions",
        inputs=(X, Slot("sizes", role="data"), AXIS),
        outputs=(PARTS,),
        shape=split_by_sizes,
        ties=moved_ties(restated=True),
        cut=cut_sizes,
        restate=restate_split,
        reference=copying(split_by_sizes_views),
        kernels=strided_kernels(split_by_sizes_views),
    )
)

UNPACK = register(
    Operator(
        "UNPACK",
        options="UnpackOptions",
        inputs=(X,),
        outputs=(PARTS,),
        shape=unpacked,
        ties=moved_ties(restated=True),
        restate=restate_packed,
        reference=copying(unpack_views),
        kernels=strided_kernels(unpack_views),
    )
)

PACK = register(
    Operator(
        "PACK",
        options="PackOptions",
        inputs=(Slot("x", variadic=True),),
        outputs=(SAME,),
        shape=packed,
        ties=moved_ties(restated=True),
        restate=restate_packed,
        reference=dict.fromkeys(EVERY_TYPE, pack),
        kernels=dict.fromkeys(EVERY_TYPE, Kernel("concatenation_x8", "pq_concatenation", concatenation_params)),
    )
)
