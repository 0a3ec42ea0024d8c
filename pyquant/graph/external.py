"""Constants in other files: external buffers, which are slices of files beside the model.

`Tensor.extra["external_buffer"]` is the id of a slice; the records that tell file, offset and length are in
`Model.extra`. What the slice holds is the tensor's buffer, a view on the mapped file.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pyquant.errors import FileError, FormatError, GraphError
from pyquant.graph.model import Buffer, Model, Tensor
from pyquant.wire import Record, file

REFERENCE, SLICES, FILES = "external_buffer", "external_buffers", "external_buffer_groups"
PLAIN = ("", "unpacked")  # packings whose bytes are those of an inline buffer
ALIGNMENT = 64  # of a slice, as LiteRT wants it
SMALLEST = 1024  # bytes; smaller constants stay inside
_FIRST_ID = 1 << 31  # so that no id looks like the index of a buffer


def attach(model: Model, folder: str | os.PathLike[str]) -> None:
    """Map, in place, the slices that tensors refer to. A file that is not there leaves its tensors without data.

    Raises FormatError for a path that leads out of `folder`, and for a slice past its file's end.
    """
    slices = {record.id: record for record in model.extra.get(SLICES) or ()}
    maps: dict[str, np.ndarray | None] = {}
    buffers: dict[int, Buffer | None] = {}
    for tensor in references(model):
        which = tensor.extra[REFERENCE]
        if which not in slices:
            raise FormatError(f"tensor {tensor.name!r}: external buffer {which} is not in the file's list")
        if which not in buffers:
            buffers[which] = _read(model, slices[which], Path(folder), maps)
        tensor.buffer = buffers[which]


def references(model: Model) -> list[Tensor]:
    """The tensors whose constants are in other files."""
    return [t for s in model.subgraphs for t in s.tensors if t.extra.get(REFERENCE)]


def missing(model: Model) -> list[tuple[Tensor, str]]:
    """The tensors whose data could not be had, each with the file that should hold it."""
    slices = {record.id: record for record in model.extra.get(SLICES) or ()}
    names = [(t, slices.get(t.extra[REFERENCE])) for t in references(model) if t.buffer is None]
    return [(t, repr("?" if record is None else _name(model, record))) for t, record in names]


def embedded(model: Model) -> Model:
    """A copy whose constants are all its own. Raises GraphError for one whose file is not there."""
    lost = missing(model)
    if lost:
        tensor, name = lost[0]
        raise GraphError(f"tensor {tensor.name!r}: its data lies in {name}, which is not beside the model")
    made = model.copy()
    for tensor in references(made):
        del tensor.extra[REFERENCE]
    for field in (SLICES, FILES):
        made.extra.pop(field, None)
    return made


def externalized(model: Model, name: str) -> tuple[Model, list[Any]]:
    """A copy whose large constants are slices of the file `name` beside it, and that file's segments."""
    made = embedded(model)
    segments: list[Any] = []
    records: list[Record] = []
    known: dict[Buffer, int] = {}
    end = 0
    for tensor in (t for s in made.subgraphs for t in s.tensors):
        buffer = tensor.buffer
        if buffer is None or buffer.data is None or buffer.data.size < SMALLEST:
            continue
        if buffer not in known:
            gap = -end % ALIGNMENT
            segments += [bytes(gap), buffer.data.data]
            known[buffer] = _FIRST_ID | len(records)
            slice_ = {"group": 1, "offset": end + gap, "length": buffer.data.size, "packing": PLAIN[1]}
            records.append(Record("ExternalBuffer", id=known[buffer], **slice_))
            end += gap + buffer.data.size
        tensor.extra[REFERENCE] = known[buffer]
    if records:
        groups = [Record("ExternalBufferGroup", name=""), Record("ExternalBufferGroup", name=name)]
        made.extra |= {SLICES: records, FILES: groups}
        made.buffers = [buffer for buffer in made.buffers if buffer not in known]
    return made, segments


def check_beside(model: Model, path: str | os.PathLike[str]) -> None:
    """Raise FileError where a model saved as `path` would not find the slices that it refers to."""
    for tensor in references(model):
        record = next((r for r in model.extra.get(SLICES) or () if r.id == tensor.extra[REFERENCE]), None)
        name = None if record is None else _name(model, record)
        if name is None or not (Path(path).parent / name).is_file():
            raise FileError(
                f"tensor {tensor.name!r}: its data lies in {name!r}, which is not beside {path}; "
                "copy it there, or save with layout='inline'"
            )


def _name(model: Model, record: Record) -> str:
    groups = model.extra.get(FILES) or ()
    if not record.group < len(groups) or not groups[record.group].name:
        raise FormatError(f"external buffer {record.id}: its file, group {record.group} of {len(groups)}, has no name")
    return str(groups[record.group].name)


def _is_inside(name: str, folder: Path) -> bool:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        return False
    try:
        (folder / name).is_file()
        return (folder / name).resolve().is_relative_to(folder.resolve())
    except OSError:  # a name that no file can have
        return False


def _read(model: Model, record: Record, folder: Path, maps: dict[str, np.ndarray | None]) -> Buffer | None:
    name = _name(model, record)
    if not _is_inside(name, folder):
        raise FormatError(f"external buffer {record.id}: its file {name!r} is not inside the model's folder")
    if (record.packing or "") not in PLAIN:
        return None
    if name not in maps:
        maps[name] = np.frombuffer(file.read(folder / name), np.uint8) if (folder / name).is_file() else None
    content = maps[name]
    if content is None:
        return None
    if record.offset + record.length > content.size:
        found = f"{record.length} bytes at {record.offset} of {name!r}, which has {content.size}"
        raise FormatError(f"external buffer {record.id}: {found}")
    return Buffer(content[record.offset : record.offset + record.length])
