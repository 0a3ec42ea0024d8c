"""Undoes weight-only quantization, so that every scheme starts from float32 weights."""

from __future__ import annotations

import numpy as np

from pyquant.dtypes import FLOAT32
from pyquant.graph import Model, Node, Subgraph, Tensor
from pyquant.graph.edit import remove_unused
from pyquant.ops import find


def float_weights(model: Model) -> Model:
    """A model whose int8 weights under float activations, and float16 constants, are float32 constants again.

    The model itself where it has none of these.
    """
    if not any(_stored_small(node) for subgraph in model.subgraphs for node in subgraph.nodes):
        return model
    restored = model.copy()
    for subgraph in restored.subgraphs:
        subgraph.nodes = [node for node in subgraph.nodes if not _restore(subgraph, node)]
    remove_unused(restored)
    return restored


def _stored_small(node: Node) -> str | None:
    """hybrid or float16 where a node takes constants stored as such; None for all others."""
    operator = find(node.op)
    kind = operator.kind(node) if operator is not None else ""
    constant = bool(node.inputs) and node.inputs[0] is not None and node.inputs[0].is_constant
    return kind if kind == "hybrid" or (kind == "float16" and constant) else None


def _restore(subgraph: Subgraph, node: Node) -> bool:
    """Give a node float32 weights. True where nothing is left to do for it, as for the cast of a float16 constant."""
    kind = _stored_small(node)
    if kind == "float16":
        source = node.inputs[0]
        assert source is not None and source.data is not None
        node.outputs[0].data = source.data.astype(np.float32)
        return True
    if kind == "hybrid":
        for i, tensor in enumerate(node.inputs):
            if tensor is not None and tensor.is_constant and tensor.is_quantized:
                made = Tensor(f"{tensor.name}_float32", tensor.shape, FLOAT32)
                made.data = real_values(tensor)
                subgraph.tensors.append(made)
                node.inputs[i] = made
    return False


def real_values(tensor: Tensor) -> np.ndarray:
    """scale * (stored - zero point) of a quantized constant, float32, in its shape."""
    q, stored = tensor.quantization, tensor.data
    assert q is not None and stored is not None
    shape = [1] * stored.ndim
    if q.per_axis:
        shape[q.axis] = -1
    scale, zero_point = (v.reshape(shape).astype(np.float64) for v in (q.scale, q.zero_point))
    return (scale * (stored - zero_point)).astype(np.float32)
