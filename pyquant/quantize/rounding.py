"""Rounds weights so that what their operator makes of samples changes least, not each weight by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pyquant.graph import Model, Node
from pyquant.graph.real import real_values
from pyquant.ops import Call, get
from pyquant.ops.conv import conv_axes
from pyquant.quantize.assignments import Assignments, Encoding
from pyquant.quantize.correct import W, X
from pyquant.run import compile

ROWS = 1500  # of one sample that a matrix takes in, spread over it
DAMPING = 0.01  # of the mean diagonal, which keeps matrices regular
BLOCK = 64  # columns whose errors reach the columns after them together
PASSES = 2  # flips for each column, in the mean, at most

# How a node's inputs vary together: (groups, K, K), over the rows that meet the K weights of an output. Depthwise
# convolutions have a group for each channel, others one. Means do not count, as biases correct what becomes of them.
Products = dict[Node, "np.ndarray | None"]


def products(model: Model, nodes: Sequence[Node], feeds: Iterable[Sequence[np.ndarray]]) -> Products:
    """Of the inputs that nodes have in a float model. Those of a form that is not known are left out."""
    known = [node for node in nodes if node.op in ROUNDED and node.inputs[X] is not None]
    plan = compile(model, keep=list(dict.fromkeys(t for node in known if (t := node.inputs[X]) is not None)))
    session = plan.session()
    sums: dict[Node, list[np.ndarray]] = {}  # of products, rows, weights of the samples
    for arrays in feeds:
        values = session.run(*arrays)
        for node in known:
            tensor = node.inputs[X]
            rows = None if tensor is None else ROUNDED[node.op](node, values[tensor])
            if rows is not None:
                rows = rows[:, :: max(rows.shape[1] // ROWS, 1)].astype(np.float64)
                weight = 1 / max(np.square(rows).mean(), 1e-300)  # so that loud samples count no more than others
                new = (weight * (rows.transpose(0, 2, 1) @ rows), weight * rows.sum(axis=1), weight * rows.shape[1])
                sums[node] = [a + b for a, b in zip(sums.get(node, (0.0, 0.0, 0.0)), new, strict=True)]
    found: Products = {}
    for node, (squares, rows, weight) in sums.items():
        means = rows / weight
        found[node] = squares / weight - means[:, :, None] * means[:, None]
    return found


class Rounding:
    """Rounds the weights of one model, each way of storing them once."""

    def __init__(self, model: Model, feeds: Sequence[Sequence[np.ndarray]]) -> None:
        self.model, self.feeds = model, feeds
        self._products: Products = {}
        self._rounded: dict[tuple[Node, Encoding], np.ndarray] = {}

    def round_weights(self, made: Assignments) -> None:
        """Give nodes the weights that their rule's rounding chooses."""
        nodes = [node for node, rule in made.rules.items() if rule.rounding != "nearest"]
        missing = [node for node in nodes if node not in self._products]
        if missing:
            self._products |= dict.fromkeys(missing) | products(self.model, missing, self.feeds)
        for node in nodes:
            stored, matrix = made.consumed.get((node, W)), self._products[node]
            q = None if stored is None else stored.quantization
            if stored is None or q is None or q.details is not None or matrix is None:
                continue
            if (node, stored) not in self._rounded:
                self._rounded[node, stored] = _rounded(node, stored, matrix, made.rules[node].rounding)
            made.values[node, W] = self._rounded[node, stored]


def _rounded(node: Node, stored: Encoding, matrix: np.ndarray, rounding: str) -> np.ndarray:
    """The real values that the chosen integers stand for."""
    tensor, q = node.inputs[W], stored.quantization
    assert tensor is not None and q is not None
    values = real_values(tensor)
    rows = _grouped(node, values)
    if rows.shape[2] != matrix.shape[1] or not np.isfinite(matrix).all():
        return values
    shape = [-1 if i == q.axis and q.per_axis else 1 for i in range(values.ndim)]
    scales = _grouped(node, np.broadcast_to(q.scale.reshape(shape), values.shape)).astype(np.float64)
    chosen = ROUNDINGS[rounding](rows / scales, matrix, stored.dtype.limits[1])
    return _ungrouped(node, (chosen * scales).astype(np.float32), values.shape)


def gptq(rows: np.ndarray, matrix: np.ndarray, most: int) -> np.ndarray:
    """Column by column, each error spread over the columns that are not rounded yet (GPTQ, Frantar 2022).

    rows: (groups, outputs, K) in steps of their scales. -> whole numbers in -most..most
    """
    order = np.argsort(-np.diagonal(matrix, axis1=1, axis2=2).mean(axis=0))
    rows, size = rows[:, :, order].copy(), rows.shape[2]
    upper = np.linalg.cholesky(np.linalg.inv(_damped(matrix)[:, order][:, :, order])).transpose(0, 2, 1)
    result = np.empty_like(rows)
    for first in range(0, size, BLOCK):
        last = min(first + BLOCK, size)
        errors = np.empty((*rows.shape[:2], last - first))
        for k in range(first, last):
            result[:, :, k] = np.clip(np.rint(rows[:, :, k]), -most, most)
            errors[:, :, k - first] = (rows[:, :, k] - result[:, :, k]) / upper[:, k, k, None]
            rows[:, :, k + 1 : last] -= errors[:, :, k - first, None] * upper[:, None, k, k + 1 : last]
        rows[:, :, last:] -= errors @ upper[:, first:last, last:]
    back = np.empty_like(result)
    back[:, :, order] = result
    return back


def adaround(rows: np.ndarray, matrix: np.ndarray, most: int) -> np.ndarray:
    """Up or down, whichever makes the squared error of the outputs least (AdaRound, Nagel 2020), by coordinate descent.

    As gptq, from whose result it goes on, a step of one weight of each output at a time.
    """
    groups, outputs, size = rows.shape
    damped, of_row = _damped(matrix), np.repeat(np.arange(groups), outputs)
    result = gptq(rows, matrix, most)
    slope = ((result - rows) @ damped).reshape(-1, size)
    result = result.reshape(-1, size)
    diagonal = np.diagonal(damped, axis1=1, axis2=2)[of_row]
    active = np.arange(len(result))  # the outputs that still get better
    for _ in range(PASSES * size):
        step = np.where(slope[active] > 0, -1.0, 1.0)  # the one that may take away error
        change = diagonal[active] - 2 * np.abs(slope[active])
        change[np.abs(result[active] + step) > most] = np.inf
        best = change.argmin(axis=1)
        every = np.arange(len(active))
        better = change[every, best] < -1e-9 * diagonal[active, best]
        active, best, step = active[better], best[better], step[every, best][better]
        if not active.size:
            break
        result[active, best] += step
        slope[active] += step[:, None] * damped[of_row[active], best]
    return result.reshape(rows.shape)


# rounding(rows, matrix, most) -> whole numbers
ROUNDINGS: dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {"gptq": gptq, "adaround": adaround}


def _damped(matrix: np.ndarray) -> np.ndarray:
    diagonal = np.diagonal(matrix, axis1=1, axis2=2)
    more = np.maximum(DAMPING * diagonal.mean(axis=1), 1e-12)
    return matrix + more[:, None, None] * np.eye(matrix.shape[1])


def _windows(node: Node, x: np.ndarray) -> np.ndarray:
    """(rows, kh, kw, C): what the filter of a convolution lies on, of some outputs spread over the image."""
    call = Call(get(node.op), node)
    axes = conv_axes(call, x.shape, call["w"].shape)
    extents = tuple((axis.taps - 1) * axis.dilation + 1 for axis in axes)
    after = [
        max((axis.out - 1) * axis.stride + extent - axis.size - axis.before, 0)
        for axis, extent in zip(axes, extents, strict=True)
    ]
    pads = [(0, 0), *((axis.before, more) for axis, more in zip(axes, after, strict=True)), (0, 0)]
    windows = sliding_window_view(np.pad(x, pads), extents, axis=(1, 2))  # (N, y, x, C, kh, kw)
    rows, columns = axes
    windows = windows[:, :: rows.stride, :: columns.stride, :, :: rows.dilation, :: columns.dilation]
    every = max(math.isqrt(rows.out * columns.out // ROWS), 1)
    windows = windows[:, : rows.out : every, : columns.out : every]
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, rows.taps, columns.taps, x.shape[3])


def _conv_rows(node: Node, x: np.ndarray) -> np.ndarray | None:
    windows = _windows(node, x)
    w = node.inputs[W]
    if w is None or windows.shape[3] != w.shape[3]:
        return None
    return windows.reshape(1, len(windows), -1)


def _depthwise_rows(node: Node, x: np.ndarray) -> np.ndarray | None:
    windows = _windows(node, x)
    return windows.reshape(len(windows), -1, windows.shape[3]).transpose(2, 0, 1)


def _dense_rows(node: Node, x: np.ndarray) -> np.ndarray | None:
    w = node.inputs[W]
    return None if w is None or x.size % w.shape[1] else x.reshape(1, -1, w.shape[1])


# rows(node, x) -> (groups, rows, K)
ROUNDED: dict[str, Callable[[Node, np.ndarray], np.ndarray | None]] = {
    "CONV_2D": _conv_rows,
    "DEPTHWISE_CONV_2D": _depthwise_rows,
    "FULLY_CONNECTED": _dense_rows,
}


def _grouped(node: Node, values: np.ndarray) -> np.ndarray:
    """Weights as (groups, outputs, K)."""
    if node.op != "DEPTHWISE_CONV_2D":
        return values.reshape(1, len(values), -1)
    x = node.inputs[X]
    assert x is not None
    return values.reshape(-1, x.shape[-1], values.shape[3] // x.shape[-1]).transpose(1, 2, 0)


def _ungrouped(node: Node, rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return rows.reshape(shape) if node.op != "DEPTHWISE_CONV_2D" else rows.transpose(2, 0, 1).reshape(shape)
