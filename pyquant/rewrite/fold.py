"""Computes what does not depend on a model's inputs, and takes out nodes that change nothing or that nobody reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pyquant.dtypes import FLOAT32
from pyquant.errors import PyQuantError
from pyquant.graph import Model, Node, Subgraph, Tensor, check
from pyquant.graph.edit import remove_unused
from pyquant.ops import Call, Operator
from pyquant.rewrite.links import call_of, drop_unread, stored_alike, substitute, writers
from pyquant.run.choose import Chooser
from pyquant.run.limits import Limits, unpacked_bytes
from pyquant.run.resolve import constant_value

GROWTH = 1 << 16  # bytes that a folded constant may need beyond those it is made of
Choice = Callable[[Call], bool]


def fold(model: Model, casts: bool = True, growth: int = GROWTH) -> Model:
    """A copy of a model without the nodes that need not run; every output stays as it was, bit for bit.

    Nodes that read constants alone become constants, where pyquant knows the operator and both runtimes' reference
    kernels agree on the result. casts=False leaves constants that are cast, such as float16 weights, stored sparse or
    in tables of their values, as small as they are; growth: bytes by which other constants may grow. Casts that cancel,
    reshapes of reshapes, and nodes that nobody reads go. The outputs of a subgraph stay computed.

    >>> fold(pq.open("model_float16.tflite")).save("model_float32.tflite")  # doctest: +SKIP
    """
    made = model.copy()
    for subgraph in made.subgraphs:
        compute(subgraph, lambda call: casts if _opens(call.operator) else _growth(call.node) <= growth)
        _cancel(subgraph)
        drop_unread(subgraph)
    remove_unused(made)
    return check(made)


def compute(subgraph: Subgraph, chosen: Choice) -> None:
    """Put constants, in place, where the `chosen` ones of the nodes that read constants alone have written."""
    choosers = [Chooser.of(None, numerics, 1, Limits.of(subgraph)) for numerics in ("tflite", "litert")]
    written = {*subgraph.inputs, *(t for node in subgraph.nodes for t in node.outputs)}
    left = []
    for node in subgraph.nodes:
        call, read = call_of(node), [t for t in node.inputs if t is not None]
        kept = not read or any(t in written or t.is_variable for t in read) or any(
            t in subgraph.outputs for t in node.outputs
        )  # fmt: skip
        values = None if call is None or kept or not call.operator.pure or not chosen(call) else _values(node, choosers)
        if values is None:
            left.append(node)
            continue
        for tensor, value in zip(node.outputs, values, strict=True):
            tensor.data = value
        written.difference_update(node.outputs)
    subgraph.nodes = left


def _values(node: Node, choosers: list[Chooser]) -> list[np.ndarray] | None:
    """What a node makes of constants; None where that is not the same everywhere, or cannot be told."""
    try:
        arrays = [None if t is None else constant_value(t) for t in node.inputs]
        if any(array is None for array, t in zip(arrays, node.inputs, strict=True) if t is not None):
            return None
        first, second = ([constant_value(t) for t in chooser.fold(node, arrays)] for chooser in choosers)
    except PyQuantError:  # an unknown type, a shape that does not fit, too much memory: left to who runs it
        return None
    values = [value for value in first if value is not None]
    same = all(a.tobytes() == b.tobytes() for a, b in zip(values, second, strict=True) if b is not None)
    return values if same and len(values) == len(node.outputs) else None


def _opens(operator: Operator) -> bool:
    """Whether it makes a constant larger that is stored small on purpose."""
    return operator.cast or operator.densifies or operator.looks_up


def _growth(node: Node) -> int:
    """Bytes of a node's outputs beyond those of its inputs."""
    return sum(map(unpacked_bytes, node.outputs)) - sum(unpacked_bytes(t) for t in node.inputs if t is not None)


def _cancel(subgraph: Subgraph) -> None:
    """Take out nodes whose output is, bit for bit, a value that is there already."""
    writer = writers(subgraph)
    stand_in: dict[Tensor, Tensor] = {}
    left = []
    for node in subgraph.nodes:
        node.inputs = [None if t is None else stand_in.get(t, t) for t in node.inputs]
        _skip_view(node, writer)
        source = _same_value(node, writer)
        if source is None:
            left.append(node)
        elif node.outputs[0] not in subgraph.outputs:
            stand_in[node.outputs[0]] = source
        elif source in writer and source not in subgraph.outputs and not source.is_variable:
            maker, (result,) = writer[source], node.outputs
            maker.outputs = [result if t is source else t for t in maker.outputs]
            stand_in[source], writer[result] = result, maker
            substitute(subgraph, stand_in)
        else:
            left.append(node)
    subgraph.nodes = left


def _skip_view(node: Node, writer: dict[Tensor, Node]) -> None:
    """Let a node that only gives a shape read what another such node before it read, where the result is the same."""
    call, before = _view(node), None
    if call is not None and node.inputs[0] is not None:
        before = writer.get(node.inputs[0])
    if call is None or before is None or _view(before) is None:
        return
    seen = replace(node, inputs=[before.inputs[0], *node.inputs[1:]])
    try:
        shapes = call.operator.shape(replace(call, node=seen), *(None if t is None else t.shape for t in seen.inputs))
    except PyQuantError:
        return
    if list(shapes) == [t.shape for t in node.outputs]:
        node.inputs = seen.inputs


def _view(node: Node) -> Call | None:
    """The node as a call, if it only gives a shape."""
    call = call_of(node)
    return call if call and call.operator.view and stored_alike(call["x"], call["y"]) else None


def _same_value(node: Node, writer: dict[Tensor, Node]) -> Tensor | None:
    """A tensor that holds what the node's one output holds, in the same form and shape."""
    call = call_of(node)
    if call is None or not (call.operator.view or call.operator.cast) or call["x"].is_variable:
        return None
    x, y = call["x"], call["y"]
    if stored_alike(x, y) and _shape(x) == _shape(y):
        return x
    before = call_of(writer[x]) if x in writer else None
    if before is None or not (call.operator.cast and before.operator.cast) or x.dtype is not FLOAT32:
        return None
    source = before["x"]  # codes * scale, divided by the same scale, round to the same codes
    return source if source.dtype.is_quantized_integer and stored_alike(source, y) else None


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tensor.shape_signature or tensor.shape
