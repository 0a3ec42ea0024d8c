"""Operators that only pick and order elements: each is a function from the input to views of it, in NumPy's terms.

The reference copies the views; the C kernel takes their offsets and strides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

import numpy as np

from pyquant.ops.kinds import EVERY_TYPE
from pyquant.ops.operator import Call, Kernel, Launch, Reference

MAX_RANK = 6  # of the C loops outside a row

# views(call, x, *other input arrays) -> for each output a view of x that has its elements in their order
Views = Callable[..., Sequence[np.ndarray]]


def copying(views: Views, kinds: Collection[str] = EVERY_TYPE) -> dict[str, Reference]:
    """The references, by kind."""

    def reference(call: Call, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        found = views(call, *arrays)
        shapes = [t.shape for t in call.node.outputs]
        known = all(math.prod(s) == v.size for s, v in zip(shapes, found, strict=True))
        return tuple(v.reshape(s) if known else v.copy() for v, s in zip(found, shapes, strict=True))

    return dict.fromkeys(kinds, reference)


def strided_kernels(views: Views) -> dict[str, Kernel]:
    """The C kernels, by kind; they want all inputs but "x" constant."""

    def fill(call: Call) -> Launch | None:
        x = call["x"]
        if x.dtype.bits % 8 or x.size == 0:
            return None
        memory = np.empty(x.shape, x.dtype.numpy)  # never read or written
        arrays = [memory if t is x else None if t is None else t.data for t in call.node.inputs]
        if any(a is None and t is not None for a, t in zip(arrays, call.node.inputs, strict=True)):
            return None
        pieces = [_loops(v, memory) for v in views(call, *arrays)]
        if any(len(shape) > MAX_RANK + 1 for _, shape, _ in pieces):
            return None
        launch = _launch(pieces, memory.itemsize)
        together = all(shape[1:] == [] and shape[0] > 0 and step[0] == memory.itemsize for _, shape, step in pieces)
        parts = tuple(start for start, _, _ in pieces) if together else ()
        return launch._replace(params={**launch.params, "source": call.node.inputs.index(x)}, parts=parts)

    return dict.fromkeys(EVERY_TYPE, Kernel("strided_copy_u8", "pq_strided", fill))


Loops = tuple[int, list[int], list[int]]


def _loops(view: np.ndarray, memory: np.ndarray) -> Loops:
    """Where a view begins in the memory, its sizes and its strides, in bytes; the fewest loops that do it."""
    start = view.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    shape: list[int] = []
    strides: list[int] = []
    for n, stride in zip(view.shape, view.strides, strict=True):
        if n == 1:
            continue
        if shape and strides[-1] == n * stride:
            shape[-1], strides[-1] = shape[-1] * n, stride
        else:
            shape.append(n)
            strides.append(stride)
    return start, shape or [1], strides or [memory.itemsize]


def _launch(pieces: Sequence[Loops], size: int) -> Launch:
    """One unit is one row: the innermost loop of an output."""
    fill = [0] * (MAX_RANK * len(pieces))
    shapes, strides = np.array(fill, np.int64), np.array(fill, np.int64)
    for i, (_, shape, stride) in enumerate(pieces):
        outer = len(shape) - 1
        shapes[i * MAX_RANK : i * MAX_RANK + outer] = shape[:-1]
        strides[i * MAX_RANK : i * MAX_RANK + outer] = stride[:-1]
    rows = [math.prod(shape[:-1]) for _, shape, _ in pieces]
    longest = max(shape[-1] for _, shape, _ in pieces)
    params = {
        "outputs": len(pieces),
        "element": size,
        "rank": np.array([len(shape) - 1 for _, shape, _ in pieces], np.int64),
        "rows": np.array(rows, np.int64),
        "start": np.array([start for start, _, _ in pieces], np.int64),
        "length": np.array([shape[-1] for _, shape, _ in pieces], np.int64),
        "step": np.array([stride[-1] for _, _, stride in pieces], np.int64),
        "shape": shapes,
        "stride": strides,
    }
    return Launch(sum(rows), params, cost=max(longest * size // 16, 1))
