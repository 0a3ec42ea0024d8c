"""An independent reader of what we write: the schema tables walked by the flatbuffers package, which checks nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from flatbuffers import encode, number_types
from flatbuffers.table import Table

from pyquant.wire import Record
from pyquant.wire.schema import ENUMS, TABLES, UNIONS

FLAGS = {
    "bool": number_types.BoolFlags,
    "byte": number_types.Int8Flags,
    "ubyte": number_types.Uint8Flags,
    "ushort": number_types.Uint16Flags,
    "int": number_types.Int32Flags,
    "uint": number_types.Uint32Flags,
    "float": number_types.Float32Flags,
    "long": number_types.Int64Flags,
    "ulong": number_types.Uint64Flags,
}


def root(data: bytes) -> Table:
    return Table(data, encode.Get(number_types.UOffsetTFlags.packer_type, data, 0))


def read(data: bytes) -> Record:
    """The Model record of a file; absent fields are left out."""
    return _table(root(data), "Model")


def place(data: bytes, *path: str | int) -> int:
    """Where a field, or the type code `<field>_type` of a union, lies inline. path: the fields and indices to it."""
    table, name = root(data), "Model"
    for step, following in zip(path, (*path[1:], None), strict=True):
        if isinstance(step, int):
            continue
        slot, kind = next((row[1], row[2]) for row in TABLES[name] if row[0] == step.removesuffix("_type"))
        slot -= step.endswith("_type")
        offset = table.Offset(4 + 2 * slot)
        assert offset, f"{name}.{step} is absent"
        if following is None:
            return int(table.Pos + offset)
        name = kind.strip("[]")
        start = table.Vector(offset) + 4 * following if isinstance(following, int) else table.Pos + offset
        table = Table(table.Bytes, table.Indirect(start))
    raise AssertionError("the path ends in an index")


def _table(table: Table, name: str) -> Record:
    values = {}
    for field, slot, kind, default, _ in TABLES[name]:
        offset = table.Offset(4 + 2 * slot)
        if offset:
            values[field] = _value(table, offset, slot, kind, default)
    return Record(name, **values)


def _value(table: Table, offset: int, slot: int, kind: str, default: Any) -> Any:
    element = ENUMS[kind.strip("[]")][0] if kind.strip("[]") in ENUMS else kind.strip("[]")
    if kind in UNIONS:
        code = table.GetSlot(4 + 2 * (slot - 1), 0, number_types.Uint8Flags)
        return _table(Table(table.Bytes, table.Indirect(table.Pos + offset)), UNIONS[kind][code - 1])
    if element == "string":
        return table.String(table.Pos + offset).decode()
    if not kind.startswith("["):
        if element in FLAGS:
            return table.GetSlot(4 + 2 * slot, default, FLAGS[element])
        return _table(Table(table.Bytes, table.Indirect(table.Pos + offset)), kind)
    if element in FLAGS:
        length = table.VectorLen(offset)
        return table.GetVectorAsNumpy(FLAGS[element], offset) if length else np.empty(0, np.uint8)
    positions = (table.Indirect(table.Vector(offset) + 4 * i) for i in range(table.VectorLen(offset)))
    return [_table(Table(table.Bytes, position), element) for position in positions]
