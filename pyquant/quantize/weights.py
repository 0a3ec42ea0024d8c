"""How the weights of an operator are stored, under float activations and under quantized ones."""

from __future__ import annotations

import numpy as np

from pyquant.dtypes import FLOAT16, FLOAT32, DType, dtype
from pyquant.graph import Node, Quantization, Tensor
from pyquant.graph.real import real, real_values
from pyquant.ops import Slot, get
from pyquant.quantize import parameters
from pyquant.quantize.assignments import LARGEST_FLOATS, Assignments, Encoding
from pyquant.quantize.choice import narrowed
from pyquant.quantize.recipe import Recipe, Rule
from pyquant.wire import Record

SMALLEST_FLOAT16 = 2.0**-14  # of those that keep all their bits


def convert_constants(made: Assignments, node: Node, rule: Rule) -> None:
    """Store the constants of a node as a rule says that leaves activations in float."""
    kind = dtype(rule.weights or "int8")
    for i, slot, tensor in narrowed(node, get(node.op), rule):
        quantization = None
        if kind.is_float:
            _note_clipped(made, tensor, kind)
        else:
            axis = axis_of(slot, rule, made.recipe)
            own = None if rule.block else carried(tensor, axis, kind)
            scales = None if rule.block else scales_of(tensor, axis, rule, kind) if own is None else own.scale
            if scales is not None and not rule.cast_weights:
                axis, scales = _as_read(slot, tensor, axis, scales)
            quantization = _in_blocks(tensor, rule) if scales is None else symmetric(scales, axis)
        made.consumed[node, i] = Encoding(kind, quantization, rule.cast_weights)
    made.kinds[node] = "float32" if rule.cast_weights else "hybrid"


def _note_clipped(made: Assignments, tensor: Tensor, kind: DType) -> None:
    """Say where a weight has elements that the type does not hold."""
    values, most = tensor.data, LARGEST_FLOATS[kind]
    if values is not None and values.size and max(values.max(), -values.min()) > most:
        made.notes.append(f"weight {tensor.name!r}: elements past {most:.5g}, the most of {kind}, become that")


def _as_read(slot: Slot, tensor: Tensor, axis: int | None, scales: np.ndarray) -> tuple[int | None, np.ndarray]:
    """Axis and scales as kernels for float activations read them."""
    if slot.each and slot.axis is not None:
        return slot.axis, np.broadcast_to(scales, tensor.shape[slot.axis]).copy()
    if (scales == scales[0]).all():  # of which tflite-runtime 2.14 would take 0 for the one scale that there is
        return None, scales[:1]
    return axis, scales


def axis_of(slot: Slot, rule: Rule, recipe: Recipe) -> int | None:
    """The dimension of a weight along which it has scales; None where there is one for all."""
    if rule.granularity == "tensor":
        return None
    return slot.newer_axis if recipe.newer_axes and slot.newer_axis is not None else slot.axis


def carried(tensor: Tensor, axis: int | None, kind: DType) -> Quantization | None:
    """The scales that a float weight has with it, as clustering leaves them, where none of its values is off them.

    axis: along which it may have several.
    """
    q = tensor.quantization
    if (
        tensor.dtype is not FLOAT32
        or q is None
        or not tensor.is_quantized
        or q.details is not None
        or q.zero_point.any()
    ):
        return None
    if q.per_axis and (q.axis != axis or q.scale.size != tensor.shape[q.axis]):
        return None
    if not (q.scale >= parameters.SMALLEST_SCALE).all():
        return None
    values = real_values(tensor)
    codes = parameters.store(values, q, kind, narrow=True)
    return q if np.array_equal(real(codes, q).astype(np.float32), values) else None


def _in_blocks(tensor: Tensor, rule: Rule) -> Quantization:
    """A scale for each block of the last dimension, in float16 as runtimes read them."""
    rows = real_values(tensor).reshape(-1, rule.block)
    scales = _scales(rows, 0, tensor, rule, dtype(rule.weights or "int8"))
    held = Tensor(f"{tensor.name}_scales", (*tensor.shape[:-1], tensor.shape[-1] // rule.block), FLOAT16)
    held.data = np.maximum(scales.reshape(held.shape), SMALLEST_FLOAT16).astype(np.float16)
    details = Record("BlockwiseQuantization", block_size=rule.block, zero_points=-1)
    return Quantization(np.zeros(0, np.float32), np.zeros(0, np.int64), 0, details, {"scales": held})


def scales_of(tensor: Tensor, axis: int | None, rule: Rule, kind: DType) -> np.ndarray:
    """Of a weight by the rule's method, float32. Raises RangeError where it is not finite."""
    return _scales(real_values(tensor), axis, tensor, rule, kind)


def _scales(values: np.ndarray, axis: int | None, tensor: Tensor, rule: Rule, kind: DType) -> np.ndarray:
    return parameters.weight_scales(values, axis, kind.bits, rule.method, f"weight {tensor.name!r}")


def symmetric(scales: np.ndarray, axis: int | None) -> Quantization:
    """With zero points of 0."""
    return Quantization.of(scales, 0, axis or 0)
