"""The edits that passes share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from pyquant.graph.check import check
from pyquant.graph.model import Buffer, Model, Node, OpCode, Signature, Subgraph, Tensor

# Metadata that speaks of a model's parts by their place, and so is not true of a model that has others.
OF_ENDS = ("TFLITE_METADATA",)  # inputs and outputs; its associated files follow the flatbuffer as a ZIP
COMPRESSION, MEMORY_PLAN = "COMPRESSION_METADATA", "OfflineMemoryAllocation"  # TFLM: values and offsets of tensors
ADVICE = ("model_control_dependencies", MEMORY_PLAN)  # runtimes do without: LiteRT's pairs of nodes, and that plan


def copy(model: Model) -> Model:
    """A model of objects of its own, in the same order, that shares every array.

    It lists the operator codes and buffers that the model's parts use beside those that it lists. Raises GraphError
    where objects do not fit together.
    """
    try:
        return _Copy(model).made
    except KeyError:
        check(model)  # which says what is not part of the model
        raise


class _Copy:
    """Twins of a model's objects, each made once."""

    def __init__(self, model: Model) -> None:
        self.buffers: dict[Buffer, Buffer] = {}
        self.opcodes: dict[OpCode, OpCode] = {}
        self.tensors: dict[Tensor, Tensor] = {}
        self.subgraphs = {old: Subgraph(old.name, extra=dict(old.extra)) for old in model.subgraphs}
        for code in model.opcodes:
            self.opcode(code)
        for buffer in model.buffers:
            self.buffer(buffer)
        for old, new in self.subgraphs.items():
            self.fill(old, new)
        signatures = [self.signature(s) for s in model.signatures]
        metadata = [(name, self.buffer(buffer)) for name, buffer in model.metadata]
        extra = {name: value for name, value in model.extra.items() if name != "outside"}
        if extra.get("metadata_buffer") is not None:
            extra["metadata_buffer"] = [self.buffer(buffer) for buffer in extra["metadata_buffer"]]
        buffers = [*self.buffers.values()]
        if buffers and not model.buffers:
            buffers.insert(0, Buffer())  # which means none
        opcodes = [*self.opcodes.values()]
        self.made = Model([*self.subgraphs.values()], model.description, signatures, metadata, opcodes, buffers, extra)

    def buffer(self, old: Buffer) -> Buffer:
        found = self.buffers.get(old)
        if found is None:
            found = self.buffers[old] = Buffer(old.data, dict(old.extra))
        return found

    def opcode(self, old: OpCode) -> OpCode:
        found = self.opcodes.get(old)
        if found is None:
            found = self.opcodes[old] = replace(old, extra=dict(old.extra))
        return found

    def fill(self, old: Subgraph, new: Subgraph) -> None:
        for t in old.tensors:
            buffer = t.buffer
            if buffer is not None and (buffer in self.buffers or not t.extra.get("external_buffer")):
                buffer = self.buffer(buffer)  # not of another file, which no model lists
            made = Tensor(
                t.name, t.shape, t.dtype, buffer, t.quantization, t.is_variable, t.shape_signature, t.sparsity
            )
            made.extra, made.lookup = dict(t.extra), t.lookup
            self.tensors[t] = made
            new.tensors.append(made)
        for made in new.tensors:
            q = made.quantization
            if q is not None and q.tensors:
                made.quantization = replace(q, tensors={name: self.tensors[t] for name, t in q.tensors.items()})
        new.inputs, new.outputs = self.all(old.inputs), self.all(old.outputs)
        new.nodes = [self.node(node) for node in old.nodes]

    def node(self, old: Node) -> Node:
        return Node(
            self.opcode(old.opcode),
            [None if t is None else self.tensors[t] for t in old.inputs],
            self.all(old.outputs),
            None if old.options is None else old.options.replace(),
            old.custom_options,
            self.all(old.intermediates),
            {name: self.subgraphs[callee] for name, callee in old.subgraphs.items()},
            dict(old.extra),
        )

    def all(self, tensors: Iterable[Tensor]) -> list[Tensor]:
        return [self.tensors[t] for t in tensors]

    def signature(self, old: Signature) -> Signature:
        inputs, outputs = ([(name, self.tensors[t]) for name, t in side] for side in (old.inputs, old.outputs))
        return Signature(old.key, self.subgraphs[old.subgraph], inputs, outputs, dict(old.extra))


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
