"""The metadata by which tflite-micro looks constants up: read into Tensor.lookup, and written from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pyquant.errors import FormatError
from pyquant.graph.edit import COMPRESSION
from pyquant.graph.lookup import Lookup
from pyquant.graph.model import Buffer, Model
from pyquant.wire import decode

if TYPE_CHECKING:
    import flatbuffers

Entry = tuple[int, int, int]  # index of a tensor, of the buffer of its values, bits


def read_lookups(model: Model) -> None:
    """Take the entry out of a model, in place, with the buffers that serve it alone: `with_lookups` makes it anew."""
    entry = next((buffer for name, buffer in model.metadata if name == COMPRESSION), None)
    if entry is None:
        return
    try:
        record = decode(b"" if entry.data is None else entry.data, "LutMetadata")
    except FormatError as error:
        raise FormatError(f"metadata {COMPRESSION}: {error}") from error
    unread = {entry}
    for i, subgraph in enumerate(record.subgraphs or ()):
        for lut in subgraph.lut_tensors or ():
            where = f"metadata {COMPRESSION}: subgraphs[{i}] tensor {lut.tensor}, value_buffer {lut.value_buffer}"
            tensors = model.subgraphs[i].tensors if i < len(model.subgraphs) else []
            if not (0 <= lut.tensor < len(tensors) and 0 < lut.value_buffer < len(model.buffers)):
                raise FormatError(f"{where}: the model has {len(tensors)} tensors there, {len(model.buffers)} buffers")
            values = model.buffers[lut.value_buffer]
            data = np.zeros(0, np.uint8) if values.data is None else values.data
            tensors[lut.tensor].lookup = Lookup(lut.index_bitwidth, data)
            unread.add(values)
    model.metadata = [(name, buffer) for name, buffer in model.metadata if name != COMPRESSION]
    read = {t.buffer for s in model.subgraphs for t in s.tensors} | {buffer for _, buffer in model.metadata}
    read |= set(model.extra.get("metadata_buffer") or ())
    model.buffers = [b for b in model.buffers if b not in unread or b in read]


def with_lookups(model: Model) -> Model:
    """The model with the entry that its tensors call for, and buffers of values; itself where none does."""
    tensors = [t for subgraph in model.subgraphs for t in subgraph.tensors]
    if all(tensor.lookup is None for tensor in tensors):
        return model
    held = [t.buffer for t in tensors if t.buffer is not None and not t.extra.get("external_buffer")]
    buffers, subgraphs = list(dict.fromkeys([*(model.buffers or [Buffer()]), *held])), []
    for subgraph in model.subgraphs:
        entries: list[Entry] = []
        for i, tensor in enumerate(subgraph.tensors):
            if tensor.lookup is not None:
                entries.append((i, len(buffers), tensor.lookup.bits))
                buffers.append(Buffer(tensor.lookup.values))
        subgraphs.append(entries)
    entry = Buffer(np.frombuffer(_encoded(subgraphs), np.uint8))
    return replace(model, metadata=[*model.metadata, (COMPRESSION, entry)], buffers=[*buffers, entry])


def _encoded(subgraphs: list[list[Entry]]) -> bytes:
    """The flatbuffer, byte for byte as tflite-micro's compress tool laid it out."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    made = []
    while not subgraphs[-1]:
        subgraphs = subgraphs[:-1]
    for entries in subgraphs:
        tensors = _vector(builder, [_tensor(builder, entry) for entry in entries])
        builder.StartObject(1)
        builder.PrependUOffsetTRelativeSlot(0, tensors, 0)
        made.append(builder.EndObject())
    vector = _vector(builder, made)
    builder.StartObject(2)
    builder.PrependUint32Slot(0, 1, 1)
    builder.PrependUOffsetTRelativeSlot(1, vector, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


def _tensor(builder: flatbuffers.Builder, entry: Entry) -> int:
    tensor, values, bits = entry
    builder.StartObject(3)
    builder.PrependInt32Slot(0, tensor, 0)
    builder.PrependUint32Slot(1, values, 0)
    builder.PrependUint8Slot(2, bits, 0)
    made: int = builder.EndObject()
    return made


def _vector(builder: flatbuffers.Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    made: int = builder.EndVector()
    return made
