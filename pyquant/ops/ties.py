"""Which positions along the dimensions of a node's tensors go together: the `ties` of operators.

A dimension without a tie cannot lose anything. What is left computes what it computed: a tie with an output loses there
what it loses in the inputs; one of inputs alone is summed over, and loses terms (a mean is then of the rest).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from pyquant.dtypes import INT32
from pyquant.graph import Tensor
from pyquant.ops.axes import axis_of
from pyquant.ops.operator import Along, Call, Cut, Kept, Restated, Tie, Ties
from pyquant.ops.restate import dimension_groups


def along(tensor: Tensor, axis: int, keys: np.ndarray | None = None) -> Along:
    axis %= len(tensor.shape)
    return Along(tensor, axis, np.arange(tensor.shape[axis]) if keys is None else keys)


def elementwise_ties(call: Call) -> list[Tie]:
    """Dimensions that broadcasting puts on each other."""
    y, read = call.node.outputs[0], [t for t in call.node.inputs if t is not None]
    return [
        [along(t, -i) for t in (y, *read) if len(t.shape) >= i and t.shape[-i] == y.shape[-i]]
        for i in range(1, len(y.shape) + 1)
    ]


def channel_ties(call: Call) -> list[Tie]:
    """The last dimension of what works on images channel by channel."""
    return [[along(call["x"], -1), along(call["y"], -1)]]


def outer_ties(call: Call) -> list[Tie]:
    """All dimensions but the last, over which the operator normalizes."""
    x, y = call["x"], call["y"]
    return [[along(x, i), along(y, i)] for i in range(len(x.shape) - 1)]


def reduced_ties(axes_of: Callable[[Call, int], Sequence[int]]) -> Ties:
    """Of what is reduced over some axes: those lose terms."""

    def ties(call: Call) -> list[Tie]:
        x, y = call["x"], call["y"]
        if call.constant("axes") is None:
            return []
        reduced, keep = axes_of(call, len(x.shape)), call.options.keep_dims
        left = [i for i in range(len(x.shape)) if i not in reduced]
        kept = [[along(x, i), along(y, i if keep else n)] for n, i in enumerate(left)]
        return [*kept, *([along(x, i)] for i in reduced)]

    return ties


def contraction_ties(inner: int, outer: int) -> Ties:
    """Convolutions, whose weights have input channels along the axis `inner`, output channels along `outer`.

    Of several groups all lose the same, or of those of one input channel each, whole groups go.
    """

    def ties(call: Call) -> list[Tie]:
        x, w = call["x"], call["w"]
        channels, within, made = x.shape[-1], w.shape[inner], w.shape[outer]
        if not channels or not within or channels % within or made % (channels // within):
            return []
        groups, read = channels // within, np.arange(channels)
        if groups > 1 and within == 1:
            written = np.arange(made) // (made // groups)
            return [_written(call, outer, written, along(x, -1, read))]
        written = np.arange(made) % (made // groups)
        return [_written(call, outer, written), [along(x, -1, read % within), along(w, inner)]]

    return ties


def depthwise_ties(call: Call) -> list[Tie]:
    """Input channels, each with the output channels that it becomes."""
    x, channels = call["x"], call["w"].shape[3]
    times = channels // max(x.shape[-1], 1)
    return [_written(call, 3, np.arange(channels) // times, along(x, -1))] if times else []


def dense_ties(call: Call) -> list[Tie]:
    """Rows of the input times weights (O, I). A row may be made of several dimensions, the last of which counts."""
    x, w, y = call["x"], call["w"], call["y"]
    last, depth = (x.shape or (0,))[-1], w.shape[1]
    ties: list[Tie] = [_written(call, 0, np.arange(len(y.shape) and y.shape[-1]))]
    if last and depth % last == 0:
        ties.append([along(x, -1), along(w, 1, np.arange(depth) % last)])
    if x.shape[:-1] == y.shape[:-1] and last == depth:
        ties += ([along(x, i), along(y, i)] for i in range(len(y.shape) - 1))
    return ties


def _written(call: Call, outer: int, keys: np.ndarray, *more: Along) -> Tie:
    """The output channels, with their weights and biases."""
    b = call.get("b")
    biases = [] if b is None or b.shape[-1:] != keys.shape else [along(b, -1, keys)]
    return [along(call["y"], -1, keys), along(call["w"], outer, keys), *biases, *more]


def matmul_ties(call: Call) -> list[Tie]:
    """(..., M, K) times (..., K, N)."""
    a, b, y = call["a"], call["b"], call["y"]
    m, k = (-1, -2) if call.options.adj_x else (-2, -1)
    k2, n = (-1, -2) if call.options.adj_y else (-2, -1)
    outer = [
        [along(t, -i) for t in (y, a, b) if len(t.shape) >= i and t.shape[-i] == y.shape[-i]]
        for i in range(3, len(y.shape) + 1)
    ]
    return [*outer, [along(y, -2), along(a, m)], [along(y, -1), along(b, n)], [along(a, k), along(b, k2)]]


def view_ties(call: Call) -> list[Tie]:
    """The same elements under another shape: of dimensions that become others, the last ones that are not 1."""
    x, y = call["x"], call["y"]
    if min((*x.shape, *y.shape), default=0) < 1 or math.prod(x.shape) != math.prod(y.shape):
        return []
    ties: list[Tie] = []
    for sources, targets in dimension_groups(x.shape, y.shape):
        i, j = (
            next((i for i in reversed(dimensions) if tensor.shape[i] > 1), None)
            for tensor, dimensions in ((x, sources), (y, targets))
        )
        if i is not None and j is not None:
            every = math.gcd(x.shape[i], y.shape[j])
            ties.append([along(t, axis, np.arange(t.shape[axis]) % every) for t, axis in ((x, i), (y, j))])
    return ties


def moved_ties(restated: bool) -> Ties:
    """Of what only moves elements: found by moving positions.

    restated: whether it moves what is left of any dimension in the same way, perhaps by what its `cut` states; if not,
    dimensions are tied that it moves as a whole.
    """

    def ties(call: Call) -> list[Tie]:
        found: list[Tie] = []
        read = [i for i, slot in enumerate(call.operator.slots(call.node.inputs)) if slot.role != "data"]
        for i in read:
            x = call.node.inputs[i]
            for axis, size in enumerate(() if x is None else x.shape):
                if x is None or size < 2:
                    continue
                tie = [along(x, axis), *_moved(call, i, axis, read)]
                if len(tie) > 1 and (
                    restated or all(a.axis == axis and np.array_equal(a.keys, np.arange(size)) for a in tie)
                ):
                    found.append(tie)
        return found

    return ties


def _moved(call: Call, i: int, axis: int, read: Sequence[int]) -> list[Along]:
    """Where the positions along an axis of an input are in the outputs, -1 for what comes from elsewhere."""
    x = call.node.inputs[i]
    assert x is not None
    marks = np.arange(1, x.shape[axis] + 1, dtype=np.int32).reshape(
        [-1 if a == axis else 1 for a in range(len(x.shape))]
    )
    arrays: list[np.ndarray | None] = []
    for j, tensor in enumerate(call.node.inputs):
        if j == i:
            arrays.append(np.ascontiguousarray(np.broadcast_to(marks, x.shape)))
        elif tensor is not None and j in read:
            arrays.append(np.zeros(tensor.shape, np.int32))
        elif tensor is not None and tensor.data is None:
            return []  # positions that follow from values
        else:
            arrays.append(None if tensor is None else tensor.data)
    plain = [replace(t, dtype=INT32, quantization=None, buffer=None) for t in call.node.outputs]  # 0 is the code of 0
    result = call.operator.reference["int32"](replace(call, node=replace(call.node, outputs=plain)), *arrays)
    outputs = zip(call.node.outputs, result if isinstance(result, tuple) else (result,), strict=True)
    places = [(y, _axis_of_marks(made, axis, len(x.shape)), made) for y, made in outputs if made.any()]
    if any(found is None for _, found, _ in places):
        return []
    return [along(y, found, _line(made, found) - 1) for y, found, made in places if found is not None]


def _axis_of_marks(made: np.ndarray, axis: int, rank: int) -> int | None:
    """The axis along which marks alone say where they are; None where there is none. 0: comes from elsewhere."""
    found = []
    for a in range(made.ndim):
        line = _line(made, a)
        rows = np.moveaxis(made, a, -1)
        if ((rows == 0) | (rows == line)).all():
            found.append((len(set(line[line > 0])), a == axis, a))
    several, same, most = max(found, default=(0, False, 0))
    return most if several > 1 or (same and made.ndim == rank) else None


def _line(made: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(made.max(axis=tuple(a for a in range(made.ndim) if a != axis)))


def split_ties(call: Call) -> list[Tie]:
    """Equal parts stay equal: all lose the same."""
    x, parts, at = call["x"], call.node.outputs, call.constant("axis")
    if at is None:
        return []
    axis = axis_of(call, at, len(x.shape))
    ties = [[along(t, i) for t in (x, *parts)] for i in range(len(x.shape)) if i != axis]
    size = max(x.shape[axis] // len(parts), 1)
    return [*ties, [along(x, axis, np.arange(x.shape[axis]) % size), *(along(y, axis) for y in parts)]]


def shape_of_output(slot: str) -> Cut:
    """What states the shape of its output in a slot."""

    def cut(call: Call, kept: Kept) -> Restated:
        return stated(call, slot, [int(np.count_nonzero(mask)) for mask in kept(call.node.outputs[0])])

    return cut


def stated(call: Call, slot: str, numbers: Sequence[int] | np.ndarray) -> Restated:
    """Other numbers in a slot of constants."""
    _, place = call.operator.places[slot]
    return Restated({place: np.array(numbers, call[slot].dtype.numpy)})
