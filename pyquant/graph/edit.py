"""The few edits that passes need. All but `copy` change what they are given: a pass works on a copy of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyquant.graph.convert import from_record, to_record
from pyquant.graph.model import Model, Node, Subgraph, Tensor


def copy(model: Model) -> Model:
    """A model of objects of its own, in the same order, that shares every array. Raises GraphError as saving would."""
    made = from_record(to_record(model))
    for subgraph in made.subgraphs:
        for node in subgraph.nodes:
            node.options = None if node.options is None else node.options.replace()
    return made


def users(subgraph: Subgraph) -> dict[Tensor, list[tuple[Node, int]]]:
    """Who reads each tensor: nodes, in order, each with the position in its inputs."""
    found: dict[Tensor, list[tuple[Node, int]]] = {tensor: [] for tensor in subgraph.tensors}
    for node in subgraph.nodes:
        for i, tensor in enumerate(node.inputs):
            if tensor is not None:
                found[tensor].append((node, i))
    return found


def producers(subgraph: Subgraph) -> dict[Tensor, Node]:
    """The node that writes each tensor; inputs, constants and variables have none."""
    return {tensor: node for node in subgraph.nodes for tensor in node.outputs}


def insert_node(subgraph: Subgraph, index: int, node: Node) -> None:
    """Put a node before the one at `index`, and those of its tensors that the subgraph does not have at the end."""
    present = set(subgraph.tensors)
    for tensor in (*node.inputs, *node.outputs, *node.intermediates):
        if tensor is not None and tensor not in present:
            subgraph.tensors.append(tensor)
            present.add(tensor)
    subgraph.nodes.insert(index, node)


def replace_uses(nodes: Iterable[Node], old: Tensor, new: Tensor) -> None:
    """Let the given nodes read `new` where they read `old`."""
    for node in nodes:
        node.inputs = [new if tensor is old else tensor for tensor in node.inputs]


def remove_unused(model: Model) -> None:
    """Drop tensors, operator table entries and buffers that nothing refers to. Buffer 0 stays: its index means none."""
    for subgraph in model.subgraphs:
        used = set(_used_tensors(model, subgraph))
        subgraph.tensors = [tensor for tensor in subgraph.tensors if tensor in used]
    opcodes = {node.opcode for subgraph in model.subgraphs for node in subgraph.nodes}
    model.opcodes = [opcode for opcode in model.opcodes if opcode in opcodes]
    buffers = {tensor.buffer for subgraph in model.subgraphs for tensor in subgraph.tensors}
    buffers |= {buffer for _, buffer in model.metadata} | set(model.extra.get("metadata_buffer") or ())
    model.buffers = model.buffers[:1] + [buffer for buffer in model.buffers[1:] if buffer in buffers]


def _used_tensors(model: Model, subgraph: Subgraph) -> Iterator[Tensor]:
    direct = [*subgraph.inputs, *subgraph.outputs]
    for node in subgraph.nodes:
        direct += [t for t in (*node.inputs, *node.outputs, *node.intermediates) if t is not None]
    for signature in model.signatures:
        if signature.subgraph is subgraph:
            direct += [tensor for _, tensor in (*signature.inputs, *signature.outputs)]
    for tensor in direct:
        yield tensor
        if tensor.quantization is not None:
            yield from tensor.quantization.tensors.values()
