"""How an Edge TPU stores the constants of a layer: weights, biases and multipliers, to bytes and back.

Known from published pairs of models and compiled files (github.com/google-coral/test_data and google-coral/edgetpu).
The device has unsigned weights: of int8 ones the sign bit is flipped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyquant.dtypes import INT8
from pyquant.errors import UnsupportedOp
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


@dataclass(frozen=True)
class Constants:
    """What a layer stores. weights: (outputs, taps, inputs) uint8.

    A channel of a depthwise convolution meets the GROUP channels that it is in, all but itself with weight zero.
    bias: (outputs,) int32, stored unless all are 0. multipliers: (outputs,) float32 where each output has its own, else
    None: they are in the instructions then. width: outputs of a block.
    """

    weights: np.ndarray
    zero_point: int
    bias: np.ndarray
    multipliers: np.ndarray | None
    width: int

    @property
    def count(self) -> int:
        return len(self.weights)


@dataclass(frozen=True)
class Layout:
    """How the filter of an operator becomes the weights of Constants, and back.

    dense(filter, zero point) -> (outputs, taps, inputs); filter: its inverse, given the filter's shape.
    width(outputs) -> outputs of a block.
    """

    dense: Callable[[np.ndarray, int], np.ndarray]
    filter: Callable[[np.ndarray, tuple[int, ...]], np.ndarray]
    width: Callable[[int], int]


def _matrix(w: np.ndarray, zero_point: int) -> np.ndarray:
    """(O, kh, kw, I) or (O, I)"""
    return w.reshape(len(w), -1, w.shape[-1])


def _diagonal(w: np.ndarray, zero_point: int) -> np.ndarray:
    """(1, kh, kw, C)"""
    channels = np.arange(w.shape[3])
    dense = np.full((len(channels), w.shape[1] * w.shape[2], GROUP), zero_point, w.dtype)
    dense[channels, :, channels % GROUP] = w.reshape(-1, w.shape[3]).T
    return dense


def _from_diagonal(dense: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    channels = np.arange(len(dense))
    return dense[channels, :, channels % GROUP].T.reshape(shape)


def _block_width(outputs: int) -> int:
    if outputs <= GROUP:
        return GROUP
    return min(_padded(outputs, STEP), BLOCK)


_CONVOLUTION = Layout(_matrix, lambda dense, shape: dense.reshape(shape), _block_width)
LAYOUTS = {
    "CONV_2D": _CONVOLUTION,
    "FULLY_CONNECTED": _CONVOLUTION,
    "DEPTHWISE_CONV_2D": Layout(_diagonal, _from_diagonal, lambda outputs: GROUP),
}


def parameter_bytes(node: Node) -> int:
    """How many bytes of the device's memory the constants of a quantized node take.

    0 for a node without any, and where nobody has decoded them, as the tables that the compiler adds for a SOFTMAX.
    """
    if node.op not in LAYOUTS:
        return sum(_padded(t.size * t.dtype.bits // 8, ALIGNMENT) for t in constant_operands(node))
    return stored_bytes(constants_of(node))


def constant_operands(node: Node) -> list[Tensor]:
    """Constants in place of activations, as a MUL or SUB has them. A single number is not stored but in instructions."""
    operator = find(node.op)
    slots = [] if operator is None else operator.slots(node.inputs)
    held = [t for slot, t in zip(slots, node.inputs, strict=False) if t is not None and slot.role == "activation"]
    return [t for t in held if t.is_constant and t.size > 1]


def constants_of(node: Node) -> Constants:
    """What the device stores of a convolution or fully connected layer. Raises UnsupportedOp for other nodes."""
    layout, operator = LAYOUTS.get(node.op), find(node.op)
    if layout is None or operator is None:
        raise UnsupportedOp(f"{node.label}: nobody knows how an Edge TPU stores its constants")
    call = Call(operator, node)
    w, b = call["w"], call.get("b")
    values = call.constant("w")
    if values is None or values.dtype not in (np.int8, np.uint8):
        raise UnsupportedOp(f"{node.label}: an Edge TPU has constant weights of 8 bits, found {w.dtype.name}")
    zero_point = weight_zero_point(w)
    if w.dtype is INT8:
        values, zero_point = values.view(np.uint8) ^ CENTER, zero_point + CENTER
    weights = layout.dense(values, zero_point)
    bias = np.zeros(len(weights), np.int32) if b is None or b.data is None else b.data.astype(np.int32)
    multipliers = device_multipliers(call)
    per_output = w.quantization is not None and w.quantization.per_axis
    return Constants(weights, zero_point, bias, multipliers if per_output else None, layout.width(len(weights)))


def stored_bytes(constants: Constants) -> int:
    """How many bytes `encode` makes."""
    count, taps, inputs = constants.weights.shape
    each = 4 * len(_numbers(constants)) + taps * _padded(inputs, GROUP)
    return _padded(_padded(count, constants.width) * each, ALIGNMENT)


def encode(constants: Constants, order: str = ORDERS[0]) -> np.ndarray:
    """The bytes as the compiler lays them out: (n,) uint8.

    Block by block: multipliers, bias and zero points of its outputs, where they are stored, then the weights.
    """
    width, zero = constants.width, constants.zero_point
    weights = np.pad(
        constants.weights, ((0, 0), (0, 0), (0, -constants.weights.shape[2] % GROUP)), constant_values=zero
    )
    parts = [_blocks(values, width, near, far).view(np.uint8) for values, near, far in _numbers(constants)]
    parts.append(_ordered(_blocks(weights, width, zero, 0), order))
    data = np.concatenate(parts, axis=1).reshape(-1)
    return np.pad(data, (0, -data.size % ALIGNMENT))


def _numbers(constants: Constants) -> list[tuple[np.ndarray, Any, Any]]:
    """What stands before the weights: (outputs,) of 4 bytes, and what pads them up to a full GROUP, and further."""
    found: list[tuple[np.ndarray, Any, Any]] = []
    multipliers = constants.multipliers
    if multipliers is not None:
        found.append((multipliers, multipliers[0], float(constants.count > BLOCK)))
    if constants.bias.any():
        found.append((constants.bias, 0, 0))
    if multipliers is not None:
        found.append((np.full(constants.count, CENTER, np.int32), CENTER, 0))
    return found


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


def _padded(count: int, step: int) -> int:
    return -(-count // step) * step
