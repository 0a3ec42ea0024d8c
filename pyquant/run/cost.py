"""What a node costs: multiply-accumulates, parameters, and bytes that it moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pyquant.errors import PyQuantError
from pyquant.graph import Node, Tensor
from pyquant.ops import find
from pyquant.run.resolve import resolve


@dataclass(frozen=True)
class Cost:
    """The cost of one run of a node.

    macs: multiply-accumulates, those with padding too; 0 for operators that sum no products (elementwise ones, pooling,
    what moves data); None where that is not known. parameters: elements of the weights and other learned constants
    that it reads, each tensor once. Bytes are those of the tensors: of constants read, of other inputs read, of outputs
    written; strings, whose size is not known beforehand, count as none.
    """

    macs: int | None
    parameters: int
    weight_bytes: int
    read_bytes: int
    written_bytes: int


def cost(node: Node) -> Cost:
    """The cost of a node, whatever its operator."""
    inputs = list(dict.fromkeys(t for t in node.inputs if t is not None))
    return Cost(
        macs(node),
        sum(t.size for t in parameters(node)),
        sum(tensor_bytes(t) for t in inputs if t.is_constant),
        sum(tensor_bytes(t) for t in inputs if not t.is_constant),
        sum(tensor_bytes(t) for t in node.outputs),
    )


def parameters(node: Node) -> Iterator[Tensor]:
    """The constants that hold learned values: weights, biases, and others that are float or quantized."""
    operator = find(node.op)
    slots = operator.slots(node.inputs) if operator is not None else [None] * len(node.inputs)
    for tensor, slot in dict(zip(node.inputs, slots, strict=True)).items():
        role = "" if slot is None else slot.role
        if tensor is None or not tensor.is_constant or role == "data":
            continue
        if role in ("weight", "bias") or tensor.dtype.is_float or tensor.is_quantized:
            yield tensor


def tensor_bytes(tensor: Tensor) -> int:
    """The bytes of a tensor's value: of a constant as the file stores it, else by shape and type."""
    if tensor.is_constant and tensor.buffer is not None and tensor.buffer.data is not None:
        return tensor.buffer.data.size
    return (abs(tensor.size) * tensor.dtype.bits + 7) // 8


def macs(node: Node) -> int | None:
    """The multiply-accumulates of a node, as `Cost.macs` counts them."""
    operator = find(node.op)
    if operator is None or operator.macs is None:
        return None if operator is None else 0
    try:
        call = resolve(node, "tflite")
        operator.shape(call, *(None if t is None else t.shape for t in node.inputs))
        return operator.macs(call)
    except PyQuantError:
        return None
