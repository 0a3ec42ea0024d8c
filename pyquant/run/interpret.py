"""Runs a model node by node with the NumPy references: slow, exact, and the measure for everything faster."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from pyquant.errors import GraphError
from pyquant.graph import Model, Node, Subgraph, Tensor
from pyquant.run.feeds import bind, input_names, subgraph_of
from pyquant.run.resolve import evaluate, reference, resolve


def interpret(
    model: Model,
    feeds: np.ndarray | Sequence[Any] | Mapping[Any, Any],
    numerics: str = "tflite",
    keep: Collection[Tensor] | str = (),
    subgraph: Subgraph | None = None,
) -> dict[Tensor, np.ndarray]:
    """The outputs and the tensors of `keep` ("all": all that are fed or computed), as {tensor: array}.

    feeds: one array, arrays in input order, or a mapping by input name or tensor. Variables start at zero.
    Raises UnsupportedOp, naming node and types, for what has no reference.
    """
    graph = subgraph_of(model, subgraph)
    given = [feeds] if isinstance(feeds, np.ndarray | Mapping) else feeds
    values = bind(graph.inputs, input_names(model, graph), given, {})
    computed = [t for node in graph.nodes for t in node.outputs]
    wanted = {*graph.outputs, *([*graph.inputs, *computed] if keep == "all" else keep)}
    last_use = {t: i for i, node in enumerate(graph.nodes) for t in _tensors(node)}
    for i, node in enumerate(graph.nodes):
        call = resolve(node, numerics)
        arrays = [None if t is None else value_of(t, values) for t in node.inputs]
        values.update(zip(node.outputs, evaluate(call, reference(call), arrays), strict=True))
        for tensor in _tensors(node):
            if last_use[tensor] == i and tensor not in wanted:
                values.pop(tensor, None)
    return {t: value_of(t, values) for t in wanted}


def value_of(tensor: Tensor, values: Mapping[Tensor, np.ndarray]) -> np.ndarray:
    """A tensor's value in the midst of a run. Raises GraphError for one that nothing has written."""
    if tensor in values:
        return values[tensor]
    value = initial_state(tensor) if tensor.is_variable else constant_value(tensor)
    if value is None:
        raise GraphError(f"tensor {tensor.name!r} is read before anything has written it")
    return value


def constant_value(tensor: Tensor) -> np.ndarray | None:
    """The value that the file holds. Of an empty tensor that is its empty array, for which files have no buffer."""
    if tensor.size == 0 and tensor.dtype.numpy is not None:
        return np.empty(tensor.shape, tensor.dtype.numpy)
    return tensor.data


def initial_state(tensor: Tensor) -> np.ndarray:
    """The real value zero in a variable's type. -> its shape and type"""
    return np.full(tensor.shape, tensor.zero_point if tensor.is_quantized else 0, tensor.dtype.numpy)


def _tensors(node: Node) -> set[Tensor]:
    return {t for t in (*node.inputs, *node.outputs) if t is not None}
