"""The inputs and outputs of nodes, with the slots that say what quantization must respect there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from pyquant.calibrate import Range
from pyquant.dtypes import FLOAT32, DType, dtype
from pyquant.errors import RangeError
from pyquant.graph import Node, Tensor
from pyquant.graph.real import real_values
from pyquant.ops import Operator, Slot, find
from pyquant.quantize.recipe import Rule


def inputs_of(node: Node, operator: Operator) -> Iterator[tuple[int, Slot, Tensor]]:
    """The inputs that a node has, with their slots."""
    for i, (slot, tensor) in enumerate(zip(operator.of(node).slots(node.inputs), node.inputs, strict=True)):
        if tensor is not None:
            yield i, slot, tensor


def outputs_of(node: Node, operator: Operator) -> Iterator[tuple[Slot, Tensor]]:
    """The outputs of a node, with their slots."""
    yield from zip(operator.slots(node.outputs, outputs=True), node.outputs, strict=True)


def made_by(node: Node, operator: Operator) -> Iterator[tuple[Slot, Tensor]]:
    """The outputs and intermediates of a node, with their slots."""
    yield from outputs_of(node, operator)
    yield from zip(operator.of(node).intermediates, node.intermediates, strict=False)


def keeps_real(node: Node, operator: Operator) -> bool:
    """Whether all activations of a node, in and out, are float32."""
    slots = [*((slot, t) for _, slot, t in inputs_of(node, operator)), *outputs_of(node, operator)]
    return {t.dtype for slot, t in slots if slot.role == "activation"} == {FLOAT32}


def is_cast(node: Node) -> bool:
    """Whether a node makes the same real values in another type or scale."""
    operator = find(node.op)
    return operator is not None and operator.cast and node.inputs[0] is not None


def cast_elsewhere(nodes: Iterable[Node]) -> dict[Tensor, Tensor]:
    """The quantized value that a node makes a float one of, or of it: in models that are quantized in part."""
    found: dict[Tensor, Tensor] = {}
    for node in filter(is_cast, nodes):
        x, y = node.inputs[0], node.outputs[0]
        assert x is not None
        for value, other in ((y, x), (x, y)):
            q = other.quantization
            one_scale = q is not None and q.scale.size == 1 and q.details is None
            if value.dtype is FLOAT32 and other.dtype.bits in (8, 16) and one_scale and not other.is_constant:
                found.setdefault(value, other)
    return found


def span(tensor: Tensor) -> Range:
    """What the codes of a quantized tensor can stand for."""
    lo, hi = tensor.dtype.limits
    scale, zero = float(tensor.scale), tensor.zero_point
    if tensor.dtype.bits > 8:
        lo = -hi  # as scales of 16 bits are about 0
    return Range((lo - zero) * scale, (hi - zero) * scale)


def type_of(slot: Slot, kind: DType) -> DType:
    """Of a value in a slot of a node of some kind."""
    return dtype(slot.types.get(kind.name, kind.name))


def stored_type(slot: Slot, rule: Rule) -> DType:
    """Of a weight that meets quantized activations."""
    return dtype(slot.types.get(rule.activations or "int8") or rule.weights or "int8")


def is_float_constant(tensor: Tensor, least: int) -> bool:
    return tensor.is_constant and tensor.dtype is FLOAT32 and tensor.size >= least


def finite(tensor: Tensor) -> np.ndarray:
    """The real values of a weight. Raises RangeError for NaN and infinity."""
    values = real_values(tensor)
    if not np.all(np.isfinite(values)):
        raise RangeError(f"weight {tensor.name!r}: holds NaN or infinity, expected finite values")
    return values
