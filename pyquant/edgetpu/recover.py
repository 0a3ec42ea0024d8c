"""Takes the constants out of a compiled file, back into a model of the same operators and shapes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from pyquant.edgetpu.compare import absent_operands, holds_more, partners
from pyquant.edgetpu.inspect import opened_model
from pyquant.edgetpu.package import containers
from pyquant.edgetpu.parameters import filter_of, positive
from pyquant.edgetpu.stored import Stored, find_stored
from pyquant.errors import GraphError, RangeError
from pyquant.graph import Model, Node, Tensor
from pyquant.graph.edit import remove_unused
from pyquant.ops import Call, get

ULPS = np.array([0, 1, -1, 2, -2, 3, -3], np.int32)  # by which a scale may be off that a multiplier is divided to


@dataclass(frozen=True, eq=False)
class Recovery:
    """model: with the constants of the compiled file. layers: where these were.

    kept: mapped nodes with constants that nobody has decoded, or that are not found: they are those of the model given.
    """

    model: Model
    layers: tuple[Stored, ...]
    kept: tuple[Node, ...]


def recover(compiled: Model | str | os.PathLike[str], like: Model | str | os.PathLike[str]) -> Model:
    """The model `like`, with the constants that a compiled file holds.

    like: the model that it was compiled from, or one of the same operators, names and shapes, with the same zero points
    and scales of what flows between its operators. Scales of weights follow from the multipliers found; those that
    instructions load are told apart by their order, and by how near they are to those of `like`. What is not certain,
    `recovery` tells. Raises GraphError where the operators are others, or a layer is not there.
    """
    return recovery(compiled, like).model


def recovery(compiled: Model | str | os.PathLike[str], like: Model | str | os.PathLike[str]) -> Recovery:
    """The same, with where each layer's constants were, and which are not from the compiled file."""
    opened, model = opened_model(compiled), opened_model(like).copy()
    found = containers(opened)
    together, lost = partners(opened, model)
    if lost:
        raise GraphError(f"{lost[0].label} runs on the CPU: the model to recover has no such operator")
    _copy_tensors([t for node in together for t in (*node.inputs, *node.outputs) if t is not None], model)
    _copy_tensors([t for c in found for t in (*c.node.inputs, *c.node.outputs) if t is not None], model)
    stayed = set(together.values())
    mapped = [node for node in model.main.nodes if node not in stayed]
    layers = find_stored(mapped, found)
    for layer in layers:
        _restore(layer)
    remove_unused(model)
    absent = {node for node, _ in absent_operands(mapped, found)}
    return Recovery(model, tuple(layers), tuple(node for node in mapped if holds_more(node) or node in absent))


def _copy_tensors(tensors: Iterable[Tensor], model: Model) -> None:
    """Give the model's tensors of the same names the same values and quantization. In place."""
    named = {t.name: t for t in reversed(model.main.tensors)}
    for tensor in tensors:
        mine = named.get(tensor.name)
        if mine is None or (mine.shape, mine.dtype) != (tensor.shape, tensor.dtype):
            raise GraphError(f"the model to recover has no tensor {tensor.name!r} of shape {tensor.shape}")
        if tensor.is_quantized and mine.quantization != tensor.quantization:
            mine.quantization = tensor.quantization
        if tensor.data is not None:
            _set(mine, tensor.data)


def _set(tensor: Tensor, values: np.ndarray) -> None:
    if tensor.data is None or not np.array_equal(tensor.data, values):
        tensor.data = values


def _restore(layer: Stored) -> None:
    """Give a node the constants found. In place. Raises GraphError where there are none."""
    found, call = layer.found, Call(get(layer.node.op), layer.node)
    if found is None:
        raise GraphError(f"{call.label}: the compiled file has no layer of its shape there")
    if found.multipliers.size == 0:
        raise GraphError(f"{call.label}: the compiled file has no instruction that loads its multiplier")
    w, b = call["w"], call.get("b")
    _set(w, filter_of(found, w))
    if b is not None:
        _set(b, found.bias.astype(b.dtype.numpy))
    if not np.array_equal(found.multipliers, layer.expected.multipliers):
        _rescale(call, found.multipliers)


def _rescale(call: Call, multipliers: np.ndarray) -> None:
    """Scales of weights and bias that make these multipliers, to the bit where any do. In place."""
    x, y = call["x"].scale, np.float32(1) / call["y"].scale
    with np.errstate(all="ignore"):
        near = (multipliers / y / x).astype(np.float32).view(np.int32)[:, None] + ULPS
        scales = near.view(np.float32)  # (outputs, candidates)
        exact = (x * scales) * y == multipliers[:, None]
        chosen = scales[np.arange(len(scales)), exact.argmax(axis=1)]
        biases = x * chosen
    if not positive(multipliers) or not positive(chosen) or not positive(biases):
        raise RangeError(f"{call.label}: multipliers {multipliers} of the compiled file make no scales of weights")
    for tensor, scale in ((call["w"], chosen), (call.get("b"), biases)):
        if tensor is not None and tensor.quantization is not None:
            tensor.quantization = replace(tensor.quantization, scale=scale)
