"""The edits that passes share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyquant.graph.convert import from_record, to_record
from pyquant.graph.model import Model, Node, Subgraph, Tensor

# TFLite Metadata speaks of inputs and outputs by their place; its associated files follow the flatbuffer as a ZIP.
ENDS_METADATA = "TFLITE_METADATA"


def copy(model: Model) -> Model:
    """A model of objects of its own, in the same order, that shares every array. Raises GraphError as saving would."""
    made = from_record(to_record(model))
    for subgraph in made.subgraphs:
        for node in subgraph.nodes:
            node.options = None if node.options is None else node.options.replace()
    for old, new in zip(model.subgraphs, made.subgraphs, strict=True):
        for before, after in zip(old.tensors, new.tensors, strict=True):
            if after.buffer is None:  # a slice of another file, which no record holds
                after.buffer = before.buffer
    return made


def remove_unused(model: Model) -> None:
    """Drop, in place, tensors, operator codes and buffers that nothing refers to. Buffer 0 stays: it means none."""
    for subgraph in model.subgraphs:
        used = set(_used_tensors(model, subgraph))
        subgraph.tensors = [tensor for tensor in subgraph.tensors if tensor in used]
    opcodes = {node.opcode for subgraph in model.subgraphs for node in subgraph.nodes}
    model.opcodes = [opcode for opcode in model.opcodes if opcode in opcodes]
    buffers = {tensor.buffer for subgraph in model.subgraphs for tensor in subgraph.tensors}
    buffers |= {buffer for _, buffer in model.metadata} | set(model.extra.get("metadata_buffer") or ())
    model.buffers = model.buffers[:1] + [buffer for buffer in model.buffers[1:] if buffer in buffers]


def called_by(nodes: Iterable[Node]) -> set[Subgraph]:
    """The subgraphs that nodes call, and those that these call."""
    found: set[Subgraph] = set()
    for node in nodes:
        for subgraph in node.subgraphs.values():
            if subgraph not in found:
                found |= {subgraph} | called_by(subgraph.nodes)
    return found


def drop_description_of_ends(model: Model) -> None:
    """Drop, in place, the metadata that describes inputs and outputs, which are no longer the same."""
    if any(name == ENDS_METADATA for name, _ in model.metadata):
        model.metadata = [(name, buffer) for name, buffer in model.metadata if name != ENDS_METADATA]
        model.extra.pop("trailing", None)


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
