"""The scratch buffers that tflite-micro's reference kernels ask for, by operator; those of other kernels differ."""

from __future__ import annotations

import math
from collections.abc import Callable

from pyquant.dtypes import FLOAT32, INT8, INT16
from pyquant.graph import Node, Tensor


def scratch_bytes(node: Node) -> list[int]:
    """The sizes of a node's scratch buffers, in the order in which its kernel asks for them."""
    rule = _RULES.get(node.op)
    present = [t for t in node.inputs if t is not None]
    return [] if rule is None or not present or not node.outputs else rule(node, present)


def _transpose_conv(node: Node, inputs: list[Tensor]) -> list[int]:
    """Sums of all outputs."""
    wide = {INT8: 4, INT16: 8}.get(node.outputs[0].dtype)
    return [] if wide is None else [wide * node.outputs[0].size]


def _svdf(node: Node, inputs: list[Tensor]) -> list[int]:
    """What the filters give, and for integers the sums of the units. inputs: x (N, D), weights (F, D), ..."""
    filtered = 4 * math.prod(n for t in inputs[:2] for n in t.shape[:1])
    return [filtered] if inputs[0].dtype is FLOAT32 else [filtered, 4 * node.outputs[0].size]


def _lstm(node: Node, inputs: list[Tensor]) -> list[int]:
    """Four gates, as wide as the cell's state, which is the last of the variables."""
    states = [t for t in inputs if t.is_variable]
    return [states[-1].size * states[-1].dtype.bits // 8] * 4 if states else []


def _reduce(node: Node, inputs: list[Tensor]) -> list[int]:
    """Indices of the walk, and the axes; for means and sums of integers their sums first."""
    return [4 * len(inputs[0].shape), 4 * inputs[-1].size]


def _mean(node: Node, inputs: list[Tensor]) -> list[int]:
    sums = [] if inputs[0].dtype is FLOAT32 else [4 * node.outputs[0].size]
    return [*sums, *_reduce(node, inputs)]


def _mirror_pad(node: Node, inputs: list[Tensor]) -> list[int]:
    """Strides of the input and the output."""
    return [4 * len(inputs[0].shape), 4 * len(node.outputs[0].shape)]


_RULES: dict[str, Callable[[Node, list[Tensor]], list[int]]] = {
    "TRANSPOSE_CONV": _transpose_conv,
    "SVDF": _svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
    "MEAN": _mean,
    "SUM": _mean,
    "REDUCE_MAX": _reduce,
    "REDUCE_MIN": _reduce,
    "REDUCE_ALL": _reduce,
    "MIRROR_PAD": _mirror_pad,
}
