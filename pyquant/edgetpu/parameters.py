"""How an Edge TPU stores the constants of a layer: weights, biases and multipliers, to bytes and back.

Known from published pairs of models and compiled files (github.com/google-coral/test_data and google-coral/edgetpu).
The device has unsigned weights: of int8 ones the sign bit is flipped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pyquant.dtypes import INT8, UINT8
from pyquant.errors import RangeError, UnsupportedOp
from pyquant.graph import Node, Tensor
from pyquant.ops import Call, find
from pyquant.ops.requantize import device_multipliers, weight_zero_point

ALIGNMENT = 64  # bytes: where what a layer stores begins, and how far it is padded
BLOCK = 64  # outputs that are stored together, at most
STEP = 16  # outputs that smaller blocks grow by
GROUP = 4  # outputs of the smallest block; inputs, or channels, that lie side by side
CENTER = 128  # what flips the sign bit of an int8 weight, and is stored for its 0

# How the weights of a block follow each other: all inputs of a tap, or all taps of GROUP inputs.
ORDERS = ("taps", "inputs")

# The operators whose constants are known, and whether each channel has weights for itself alone
DEPTHWISE = {"CONV_2D": False, "FULLY_CONNECTED": False, "DEPTHWISE_CONV_2D": True}


@dataclass(frozen=True, eq=False)
class Constants:
    """What a layer stores. weights: (outputs, taps, inputs) uint8, or, depthwise, (channels, taps, 1).

    bias: (outputs,) int32, stored unless all are 0. multipliers: (outputs,) float32, stored, where each output has its
    own; else (1,), which instructions load, or (0,) where it is not known.
    """

    weights: np.ndarray
    zero_point: int
    bias: np.ndarray
    multipliers: np.ndarray
    depthwise: bool

    @property
    def single(self) -> bool:
        """Whether one multiplier serves all outputs."""
        return self.multipliers.size <= 1

    @property
    def width(self) -> int:
        """Outputs of a block."""
        count = len(self.weights)
        return GROUP if self.depthwise or count <= GROUP else min(_padded(count, STEP), BLOCK)

    @property
    def orders(self) -> tuple[str, ...]:
        """Those that differ."""
        _, taps, inputs = self.weights.shape
        return ORDERS if taps > 1 and inputs > GROUP else ORDERS[:1]

    @property
    def bytes(self) -> int:
        """How many `encode` makes."""
        count, taps, inputs = self.weights.shape
        each = 4 * len(_numbers(self)) + taps * _padded(inputs, GROUP)
        return _padded(_padded(count, self.width) * each, ALIGNMENT)


def parameter_bytes(node: Node) -> int:
    """How many bytes of the device's memory the constants of a quantized node take.

    0 for a node without any, and where nobody has decoded them, as the tables that the compiler adds for a SOFTMAX. Of
    grouped convolutions, and of several outputs for each channel, the layout is a guess.
    """
    if node.op not in DEPTHWISE:
        return sum(_padded(t.size * t.dtype.bits // 8, ALIGNMENT) for t in constant_operands(node))
    return constants_of(node).bytes


def constant_operands(node: Node) -> list[Tensor]:
    """Constants in place of activations, as a MUL or SUB has them; single numbers are in the instructions."""
    operator = find(node.op)
    slots = [] if operator is None else operator.slots(node.inputs)
    held = [t for slot, t in zip(slots, node.inputs, strict=False) if t is not None and slot.role == "activation"]
    return [t for t in held if t.is_constant and t.size > 1]


def operand_bytes(operand: Tensor) -> np.ndarray | None:
    """A constant operand as it is stored: (n,) uint8. None for several channels, whose order nobody has decoded."""
    values = operand.data
    if values is None or operand.shape[-1] != 1 or operand.dtype not in (INT8, UINT8):
        return None
    data = np.ascontiguousarray(values).reshape(-1).view(np.uint8) ^ np.uint8(CENTER * (operand.dtype is INT8))
    return np.pad(data, (0, -data.size % ALIGNMENT))


def is_decoded(node: Node) -> bool:
    """Whether the layout of a node's weights is known: not of groups, nor of several outputs for each channel."""
    if node.op not in DEPTHWISE:
        return False
    x, w, y = node.inputs[0], node.inputs[1], node.outputs[0]
    if x is None or w is None or not all(t.is_quantized for t in (x, w, y)):
        return False
    return w.is_constant and w.dtype in (INT8, UINT8) and (len(w.shape) == 2 or x.shape[-1] == w.shape[-1])


def constants_of(node: Node) -> Constants:
    """What the device stores of a convolution or fully connected layer.

    Raises UnsupportedOp for other nodes, RangeError where a float32 does not hold the multipliers that scales make.
    """
    depthwise, operator = DEPTHWISE.get(node.op), find(node.op)
    if depthwise is None or operator is None:
        raise UnsupportedOp(f"{node.label}: nobody knows how an Edge TPU stores its constants")
    call = Call(operator, node)
    w, b = call["w"], call.get("b")
    values = call.constant("w")
    if values is None or values.dtype not in (np.int8, np.uint8):
        raise UnsupportedOp(f"{node.label}: an Edge TPU has constant weights of 8 bits, found {w.dtype.name}")
    zero_point = weight_zero_point(w)
    if w.dtype is INT8:
        values, zero_point = values.view(np.uint8) ^ CENTER, zero_point + CENTER
    taps_last = values.reshape(-1, w.shape[-1]).T[..., None]
    weights = taps_last if depthwise else values.reshape(len(values), -1, w.shape[-1])
    bias = np.zeros(len(weights), np.int32) if b is None or b.data is None else b.data.astype(np.int32)
    with np.errstate(all="ignore"):
        multipliers = device_multipliers(call)
    if not positive(multipliers):
        raise RangeError(f"{node.label}: scales make multipliers {multipliers}, expected positive numbers")
    return Constants(weights, zero_point, bias, multipliers, depthwise)


def positive(numbers: np.ndarray) -> bool:
    return bool((np.isfinite(numbers) & (numbers > 0)).all())


def filter_of(constants: Constants, like: Tensor) -> np.ndarray:
    """The weights as a tensor of a model has them."""
    weights = constants.weights[..., 0].T if constants.depthwise else constants.weights
    values = np.ascontiguousarray(weights).reshape(like.shape)
    return (values ^ CENTER).view(np.int8) if like.dtype is INT8 else values


def encode(constants: Constants, order: str = ORDERS[0]) -> np.ndarray:
    """The bytes as the compiler lays them out: (n,) uint8.

    Block by block: multipliers, bias and zero points of its outputs, where they are stored, then the weights.
    """
    width, zero = constants.width, constants.zero_point
    weights = _diagonal(constants.weights, zero) if constants.depthwise else constants.weights
    weights = np.pad(weights, ((0, 0), (0, 0), (0, -weights.shape[2] % GROUP)), constant_values=zero)
    parts = [_blocks(values, width, near, far).view(np.uint8) for values, near, far in _numbers(constants)]
    parts.append(_ordered(_blocks(weights, width, zero, 0), order))
    data = np.concatenate(parts, axis=1).reshape(-1)
    return np.pad(data, (0, -data.size % ALIGNMENT))


def decode(data: np.ndarray, like: Constants, order: str = ORDERS[0]) -> Constants:
    """What `encode` made `data` of, if that has the shape, the zero point and the kinds of numbers of another layer."""
    count, taps, inputs = like.weights.shape
    kinds = [values.dtype for values, _, _ in _numbers(like)]
    header = 4 * like.width * len(kinds)
    size = header + taps * _padded(inputs, GROUP) * like.width
    blocks = data[: _padded(count, like.width) // like.width * size].reshape(-1, size)
    words = blocks[:, :header].reshape(len(blocks), len(kinds), 4 * like.width)
    numbers = [np.ascontiguousarray(words[:, i]).view(kind).reshape(-1)[:count] for i, kind in enumerate(kinds)]
    weights = _unordered(blocks[:, header:], like.width, taps, order)[:count]
    weights = _from_diagonal(weights) if like.depthwise else weights[:, :, :inputs]
    multipliers = like.multipliers[:0] if like.single else numbers[0]
    bias = numbers[0 if like.single else 1] if like.bias.any() else like.bias
    return replace(like, weights=weights, bias=bias, multipliers=multipliers)


def _numbers(constants: Constants) -> list[tuple[np.ndarray, Any, Any]]:
    """What stands before the weights: (outputs,) of 4 bytes, and what pads them up to a full GROUP, and further."""
    found: list[tuple[np.ndarray, Any, Any]] = []
    count = len(constants.weights)
    if not constants.single:
        found.append((constants.multipliers, constants.multipliers[0], float(count > BLOCK)))
    if constants.bias.any():
        found.append((constants.bias, 0, 0))
    if not constants.single:
        found.append((np.full(count, CENTER, np.int32), CENTER, 0))
    return found


def _diagonal(weights: np.ndarray, zero_point: int) -> np.ndarray:
    """(channels, taps, 1) -> (channels, taps, GROUP): each meets the channels of its group, others with weight zero."""
    channels = np.arange(len(weights))
    dense = np.full((*weights.shape[:2], GROUP), zero_point, weights.dtype)
    dense[channels, :, channels % GROUP] = weights[..., 0]
    return dense


def _from_diagonal(dense: np.ndarray) -> np.ndarray:
    channels = np.arange(len(dense))
    return dense[channels, :, channels % GROUP, None]


def _blocks(values: np.ndarray, width: int, near: Any, far: Any) -> np.ndarray:
    """(outputs, ...) -> (blocks, width, ...)"""
    count = len(values)
    padded = np.full((_padded(count, width), *values.shape[1:]), far, values.dtype)
    padded[: _padded(count, GROUP)] = near
    padded[:count] = values
    return padded.reshape(-1, width, *values.shape[1:])


def _ordered(weights: np.ndarray, order: str) -> np.ndarray:
    """(blocks, width, taps, inputs) -> (blocks, bytes)"""
    blocks, width, taps, _ = weights.shape
    axes = (0, 2, 3, 1, 4) if order == "taps" else (0, 3, 2, 1, 4)
    return weights.reshape(blocks, width, taps, -1, GROUP).transpose(axes).reshape(blocks, -1)


def _unordered(blocks: np.ndarray, width: int, taps: int, order: str) -> np.ndarray:
    """The inverse of `_ordered`. (blocks, bytes) -> (outputs, taps, inputs)"""
    split, axes = ((taps, -1), (0, 3, 1, 2, 4)) if order == "taps" else ((-1, taps), (0, 3, 2, 1, 4))
    weights = blocks.reshape(len(blocks), *split, width, GROUP).transpose(axes)
    return weights.reshape(len(blocks) * width, taps, -1)


def _padded(count: int, step: int) -> int:
    return -(-count // step) * step
