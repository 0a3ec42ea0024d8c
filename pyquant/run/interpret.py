"""Runs a model node by node with the NumPy references: slow, exact, and the measure for everything faster."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from pyquant.errors import GraphError
from pyquant.graph import Model, Node, Subgraph, Tensor
from pyquant.run.feeds import bind, input_names, subgraph_of
from pyquant.run.limits import Limits, Meter, operations, temporaries, unpacked_bytes
from pyquant.run.resolve import checked, evaluate, reference


def interpret(
    model: Model,
    feeds: np.ndarray | Sequence[Any] | Mapping[Any, Any],
    numerics: str = "tflite",
    keep: Collection[Tensor] | str = (),
    subgraph: Subgraph | None = None,
    limits: Limits | None = None,
) -> dict[Tensor, np.ndarray]:
    """The outputs and the tensors of `keep` ("all": all that are fed or computed), as {tensor: array}.

    feeds: one array, arrays in input order, or a mapping by input name or tensor. Variables start at zero.
    limits: as compile's. Raises UnsupportedOp, naming node and types, for what has no reference, and as compile does.
    """
    graph = subgraph_of(model, subgraph)
    given = [feeds] if isinstance(feeds, np.ndarray | Mapping) else feeds
    values = bind(graph.inputs, input_names(model, graph), given, {})
    computed = [t for node in graph.nodes for t in node.outputs]
    wanted = {*graph.outputs, *([*graph.inputs, *computed] if keep == "all" else keep)}
    last_use = {t: i for i, node in enumerate(graph.nodes) for t in _tensors(node)}
    meter = Meter(limits or Limits.of(graph))
    for i, node in enumerate(graph.nodes):
        call = checked(node, numerics)
        tensors = _tensors(node)
        meter.hold(sum(map(unpacked_bytes, node.outputs)), node.label)
        meter.borrow(temporaries(tensors), node.label)
        meter.work(operations(call), node.label)
        arrays = [None if t is None else value_of(t, values) for t in node.inputs]
        values.update(zip(node.outputs, evaluate(call, reference(call), arrays), strict=True))
        for tensor in tensors:
            if last_use[tensor] == i and tensor not in wanted and values.pop(tensor, None) is not None:
                meter.release(unpacked_bytes(tensor))
    return {t: value_of(t, values) for t in wanted}


def value_of(tensor: Tensor, values: Mapping[Tensor, np.ndarray]) -> np.ndarray:
    """A tensor's value in the midst of a run. Raises GraphError for one that nothing has written."""
    if tensor in values:
        return values[tensor]
    start = np.full(tensor.shape, initial_code(tensor), tensor.dtype.numpy) if tensor.is_variable else None
    value = constant_value(tensor) if start is None else start
    if value is None:
        raise GraphError(f"tensor {tensor.name!r} is read before anything has written it")
    return value


def constant_value(tensor: Tensor) -> np.ndarray | None:
    """The value that the file holds. Of an empty tensor that is its empty array, for which files have no buffer."""
    if tensor.size == 0 and tensor.dtype.numpy is not None:
        return np.empty(tensor.shape, tensor.dtype.numpy)
    return tensor.data


def initial_code(tensor: Tensor) -> int:
    """What every element of a variable starts from: the real value zero."""
    return tensor.zero_point if tensor.is_quantized else 0


def _tensors(node: Node) -> set[Tensor]:
    return {t for t in (*node.inputs, *node.outputs) if t is not None}
