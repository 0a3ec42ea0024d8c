"""The nodes that a subgraph runs: composites replaced by their decompositions, handles by the variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pyquant.dtypes import INT32, dtype
from pyquant.errors import GraphError
from pyquant.graph import Node, OpCode, Subgraph, Tensor
from pyquant.ops import Call, Operator, find, get
from pyquant.run.resolve import resolve

RESOURCE = dtype("resource")
MOST_NODES = 1_000_000  # of a subgraph with all composites replaced

Handles = Mapping[Tensor, "Variable"]


@dataclass
class Variable:
    """A variable by container and name. tensor: its memory, once something reads or assigns it."""

    name: tuple[str, str]
    tensor: Tensor | None = None

    def like(self, value: Tensor, node: Node) -> Tensor:
        """The memory, for values like this one. Raises GraphError where others are of another type."""
        if self.tensor is None:
            self.tensor = replace(value, name=self.name[1], buffer=None, is_variable=True, shape_signature=None)
        if self.tensor.dtype != value.dtype:
            held = f"{self.tensor.dtype} {self.tensor.shape}"
            raise GraphError(f"{node.label}: variable {self.name[1]!r} holds {held}, found {value.dtype}")
        return self.tensor


@dataclass
class Variables:
    """Those of a model, by container and name; and what they begin with, where that is not zero."""

    by_name: dict[tuple[str, str], Variable] = field(default_factory=dict)
    initial: dict[Tensor, np.ndarray] = field(default_factory=dict)
    initialized: set[Subgraph] = field(default_factory=set)

    def of(self, node: Node) -> Variable:
        name = variable_name(node)
        return self.by_name.setdefault(name, Variable(name))


def variable_name(node: Node) -> tuple[str, str]:
    """Container and name of the variable that a node makes a handle of."""
    options = Call(get(node.op), node).options
    return options.container or "", options.shared_name or ""


@dataclass(frozen=True)
class Flat:
    """A subgraph ready to be planned. inputs, outputs: without handles; once: subgraphs to run before anything."""

    nodes: list[Node]
    inputs: list[Tensor]
    outputs: list[Tensor]
    handles: Handles
    once: list[Subgraph]


def flatten(graph: Subgraph, variables: Variables, given: Sequence[Variable | None] = ()) -> Flat:
    """given: the variables that the caller's handles stand for, by input. Raises GraphError for what has no end."""
    handles = {t: v for t, v in zip(graph.inputs, given, strict=False) if v is not None}
    flat = Flat([], [], [], handles, [])
    for node, operator in _inlined(graph.nodes, ()):
        flow = "" if operator is None else operator.flow
        if len(flat.nodes) > MOST_NODES:
            raise GraphError(f"{node.label}: composites within composites make more than {MOST_NODES} nodes")
        if flow:
            resolve(node, "tflite")  # which checks the node
        if flow == "handle":
            handles.update(dict.fromkeys(node.outputs, variables.of(node)))
        elif flow == "once":
            flat.once.extend(node.subgraphs.values())
        else:
            if flow == "loop":  # a handle that goes round stays what it was
                pairs = zip(node.inputs, node.outputs, strict=False)
                handles.update({y: handles[x] for x, y in pairs if x is not None and x in handles})
            flat.nodes.append(node if flow else _with_state(_with_variables(node, handles), operator))
    flat.inputs.extend(t for t in graph.inputs if t not in handles)
    flat.outputs.extend(t for t in graph.outputs if t not in handles)
    return flat


def _with_variables(node: Node, handles: Handles) -> Node:
    """Handles replaced by the memory of their variables, which are like the other tensor that the node speaks of."""
    if not handles:
        return node
    values = [t for t in (*node.inputs, *node.outputs) if t is not None and t.dtype is not RESOURCE]
    if len(values) == len(node.inputs) + len(node.outputs) or not values:
        return node
    own = [None if t is None else handles[t].like(values[0], node) if t in handles else t for t in node.inputs]
    return replace(node, inputs=own)


def _with_state(node: Node, operator: Operator | None) -> Node:
    """With the variables that its operator has of its own among its inputs."""
    if operator is None or operator.state is None:
        return node
    return replace(node, inputs=[*node.inputs, *operator.state(node)])


def _inlined(nodes: Sequence[Node], within: tuple[Subgraph, ...]) -> Iterator[tuple[Node, Operator | None]]:
    """Each node that is none of composites, with its operator."""
    for node in nodes:
        operator = find(node.op)
        if operator is None or operator.flow != "inline":
            yield node, operator
            continue
        if len(node.subgraphs) != 1:
            raise GraphError(f"{node.label}: found {len(node.subgraphs)} decompositions, expected one")
        (body,) = node.subgraphs.values()
        if any(body is graph for graph in within):
            raise GraphError(f"{node.label}: its decomposition {body.name!r} contains itself")
        if (len(node.inputs), len(node.outputs)) != (len(body.inputs), len(body.outputs)):
            raise GraphError(f"{node.label}: its decomposition {body.name!r} has other numbers of inputs and outputs")
        yield from _copied(node, body, (*within, body))


def _copied(node: Node, body: Subgraph, within: tuple[Subgraph, ...]) -> Iterator[tuple[Node, Operator | None]]:
    """The nodes of a decomposition, from the node's inputs to its outputs."""
    pairs = zip(body.inputs, node.inputs, strict=True)
    own = {inner: outer for inner, outer in pairs if outer is not None}
    for inner, outer in zip(body.outputs, node.outputs, strict=True):
        if inner in own or inner.is_constant:  # passed through
            source = own.get(inner, inner)
            passed = _reshaped(source, outer)
            yield passed, find(passed.op)
        else:
            own[inner] = outer
    for made in (t for n in body.nodes for t in n.outputs):
        own.setdefault(made, replace(made))
    for inner_node, operator in _inlined(body.nodes, within):
        for made in inner_node.outputs:  # of a composite within
            own.setdefault(made, made)
        inputs = [own.get(t, t) if t is not None else None for t in inner_node.inputs]
        yield replace(inner_node, inputs=inputs, outputs=[own[t] for t in inner_node.outputs]), operator


def _reshaped(x: Tensor, y: Tensor) -> Node:
    """The same value under another name."""
    shape = Tensor("shape", (len(x.shape),), INT32)
    shape.data = np.array(x.shape, np.int32)
    return Node(OpCode("RESHAPE"), [x, shape], [y])
