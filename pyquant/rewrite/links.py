"""Who reads a tensor and who writes it, and the changes of nodes that rewrites share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from pyquant.errors import GraphError, UnsupportedOp
from pyquant.graph import Model, Node, OpCode, Subgraph, Tensor
from pyquant.ops import Call, Operator, find, lowest_version
from pyquant.ops.operator import Restated
from pyquant.run.resolve import resolve


def operator_of(node: Node) -> Operator | None:
    """A node's operator; None for one that is custom or that pyquant does not know."""
    return None if node.opcode.name == "CUSTOM" else find(node.op)


def call_of(node: Node) -> Call | None:
    """A node as its operator sees it; None where pyquant does not know the operator, or the node does not fit it."""
    try:
        return resolve(node, "tflite")
    except (UnsupportedOp, GraphError):
        return None


def stored_alike(x: Tensor | None, y: Tensor) -> bool:
    """True for tensors of one type and quantization."""
    return x is not None and x.dtype is y.dtype and x.quantization == y.quantization


def readers(subgraph: Subgraph) -> dict[Tensor, list[Node]]:
    """The nodes that read each tensor, in order, a node once for each of its inputs."""
    found: dict[Tensor, list[Node]] = {}
    for node in subgraph.nodes:
        for tensor in node.inputs:
            if tensor is not None:
                found.setdefault(tensor, []).append(node)
    return found


def writers(subgraph: Subgraph) -> dict[Tensor, Node]:
    """The node that writes each tensor."""
    return {tensor: node for node in subgraph.nodes for tensor in node.outputs}


def substitute(subgraph: Subgraph, stand_in: Mapping[Tensor, Tensor]) -> None:
    """Let nodes read a tensor's stand-in in its place."""
    for node in subgraph.nodes:
        node.inputs = [None if t is None else stand_in.get(t, t) for t in node.inputs]


def returned(model: Model, subgraph: Subgraph, stand_in: Mapping[Tensor, Tensor]) -> None:
    """Let a subgraph, and its signatures, take and return a tensor's stand-in in its place."""
    subgraph.inputs = [stand_in.get(t, t) for t in subgraph.inputs]
    subgraph.outputs = [stand_in.get(t, t) for t in subgraph.outputs]
    for signature in model.signatures:
        if signature.subgraph is subgraph:
            signature.inputs = [(name, stand_in.get(t, t)) for name, t in signature.inputs]
            signature.outputs = [(name, stand_in.get(t, t)) for name, t in signature.outputs]


def restate(subgraph: Subgraph, node: Node, restated: Restated) -> None:
    """Let a node state other shapes, in constants of its own and in options."""
    for i, value in restated.inputs.items():
        old = node.inputs[i]
        assert old is not None
        node.inputs[i] = new = replace(old, shape=value.shape, shape_signature=None)
        new.data = value
        subgraph.tensors.append(new)
    if restated.options and node.options is not None:
        node.options = node.options.replace(**restated.options)


def replaced(model: Model, subgraph: Subgraph, nodes: Collection[Node], stand_in: Mapping[Tensor, Tensor]) -> None:
    """Take out nodes, and let a stand-in take the place of each tensor that they wrote."""
    subgraph.nodes = [node for node in subgraph.nodes if node not in nodes]
    substitute(subgraph, stand_in)
    returned(model, subgraph, stand_in)


def drop_unread(subgraph: Subgraph) -> None:
    """Take out nodes of known operators whose outputs nobody reads."""
    read = set(subgraph.outputs)
    left = []
    for node in reversed(subgraph.nodes):
        call, states = call_of(node), any(t is not None and t.is_variable for t in node.inputs)
        lasting = call is None or not call.operator.pure or bool(node.subgraphs) or states
        if lasting or not read.isdisjoint(node.outputs) or any(t.is_variable for t in node.outputs):
            left.append(node)
            read.update(t for t in node.inputs if t is not None)
    subgraph.nodes = left[::-1]


def declare(model: Model, node: Node) -> None:
    """Give a node the lowest op version that it needs, or the higher one that it has, in the model's table of them."""
    old = node.opcode
    version = max(old.version, lowest_version(node) or 1)
    if version > old.version or old not in model.opcodes:
        same = (c for c in model.opcodes if (c.name, c.version, c.custom_code) == (old.name, version, old.custom_code))
        node.opcode = next(same, None) or OpCode(old.name, version, old.custom_code)
        model.opcodes = list(dict.fromkeys([*model.opcodes, node.opcode]))
