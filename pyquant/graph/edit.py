"""The edits that passes share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from pyquant.graph.convert import from_record, to_record
from pyquant.graph.model import Model, Node, Subgraph, Tensor

# Metadata that speaks of a model's parts by their place, and so is not true of a model that has others.
OF_ENDS = ("TFLITE_METADATA",)  # inputs and outputs; its associated files follow the flatbuffer as a ZIP
COMPRESSION, MEMORY_PLAN = "COMPRESSION_METADATA", "OfflineMemoryAllocation"  # TFLM: values and offsets of tensors
ADVICE = ("model_control_dependencies", MEMORY_PLAN)  # runtimes do without: LiteRT's pairs of nodes, and that plan


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
    """Drop, in place, tensors, operator codes and buffers that nothing refers to. Buffer 0 stays: it means none.

    Tensors stay where metadata speaks of them by their index.
    """
    indexed = any(name in (COMPRESSION, MEMORY_PLAN) for name, _ in model.metadata)
    for subgraph in () if indexed else model.subgraphs:
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
    waiting = list(nodes)
    while waiting:
        for subgraph in waiting.pop().subgraphs.values():
            if subgraph not in found:
                found.add(subgraph)
                waiting += subgraph.nodes
    return found


def entries(model: Model) -> list[Subgraph]:
    """The subgraphs that no operator calls: those whose inputs and outputs the model's caller sees."""
    called = called_by(node for subgraph in model.subgraphs for node in subgraph.nodes)
    return [subgraph for subgraph in model.subgraphs if subgraph not in called]


def drop_metadata(model: Model, names: Collection[str]) -> None:
    """Drop, in place, metadata of these names, and the associated files with what describes them."""
    if any(name in OF_ENDS and name in names for name, _ in model.metadata):
        model.extra.pop("trailing", None)
    model.metadata = [(name, buffer) for name, buffer in model.metadata if name not in names]


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
