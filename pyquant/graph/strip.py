"""Makes files smaller without touching what they compute: drops what no run reads, keeps one of what is equal."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from pyquant.graph.check import check
from pyquant.graph.edit import ADVICE, COMPRESSION, remove_unused
from pyquant.graph.model import Buffer, Model, OpCode, Subgraph

# Metadata that a runtime reads: TFLM, LiteRT's builder, its delegates, its dispatch to accelerators.
READ_BY_RUNTIMES = {COMPRESSION, *ADVICE, "reduced_precision_support", "LiteRtStamp", "NPU_BYTE_CODE"}
_NEVER_READ = ("min", "max")  # of quantization: a note of the converter

T = TypeVar("T")


def strip(
    model: Model, names: bool = True, metadata: bool = True, ranges: bool = True, signatures: bool = False
) -> Model:
    """A model without what no run reads; tensors, buffers and operator codes that nothing uses go always.

    names: of tensors that are no input or output, and of subgraphs. metadata: the description, metadata but for what
    runtimes read, and associated files. ranges: min and max beside scales. signatures: all of them. Tensors stay where
    metadata that is kept names them by index.
    """
    made = model.copy()
    if signatures:
        made.signatures = []
    if metadata:
        made.description = None
        made.metadata = [(name, buffer) for name, buffer in made.metadata if name in READ_BY_RUNTIMES]
        for field in ("metadata_buffer", "trailing"):
            made.extra.pop(field, None)
    for subgraph in made.subgraphs:
        if names:
            _drop_names(subgraph)
        if ranges:
            _drop_ranges(subgraph)
    remove_unused(made)
    return check(made)


def dedupe(model: Model) -> Model:
    """A model in which equal constants share one buffer, and equal operator codes are one."""
    made = model.copy()
    empty = made.buffers[0] if made.buffers else None
    kept: dict[Hashable, Buffer] = {}
    by_identity = {buffer: kept.setdefault(_content(buffer), buffer) for buffer in made.buffers if buffer is not empty}
    for tensor in (t for s in made.subgraphs for t in s.tensors):
        if tensor.buffer is not None:
            tensor.buffer = by_identity.get(tensor.buffer, tensor.buffer)
    made.metadata = [(name, by_identity.get(buffer, buffer)) for name, buffer in made.metadata]
    if made.extra.get("metadata_buffer") is not None:
        made.extra["metadata_buffer"] = [by_identity.get(b, b) for b in made.extra["metadata_buffer"]]
    made.buffers = [b for b in made.buffers if by_identity.get(b, b) is b]
    codes: dict[Hashable, OpCode] = {}
    for node in (n for s in made.subgraphs for n in s.nodes):
        node.opcode = codes.setdefault(_meaning(node.opcode), node.opcode)
    made.opcodes = [o for o in made.opcodes if codes.setdefault(_meaning(o), o) is o]
    return check(made)


def _drop_names(subgraph: Subgraph) -> None:
    subgraph.name = ""
    seen = {*subgraph.inputs, *subgraph.outputs}
    for tensor in subgraph.tensors:
        if tensor not in seen:
            tensor.name = ""


def _drop_ranges(subgraph: Subgraph) -> None:
    for tensor in subgraph.tensors:
        q = tensor.quantization
        if q is not None and not q.extra.keys().isdisjoint(_NEVER_READ):
            rest = {name: value for name, value in q.extra.items() if name not in _NEVER_READ}
            tensor.quantization = replace(q, extra=rest)


class _Bytes:
    """A constant as a dict's key: equal where type, size and every byte are. Hashed by a sample of its bytes."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data
        step = max(1, data.size // 1024)
        self.hash = hash((data.size, data[::step].tobytes()))

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bytes) and (self.data is other.data or np.array_equal(self.data, other.data))


def _content(buffer: Buffer) -> Hashable:
    """What makes a buffer equal to another; itself where it holds nothing, or more than bytes."""
    if buffer.data is None or not buffer.data.size or buffer.extra:
        return buffer
    return _Bytes(buffer.data)


def _meaning(opcode: OpCode) -> Hashable:
    return opcode.name, opcode.version, opcode.custom_code, repr(sorted(opcode.extra.items()))
