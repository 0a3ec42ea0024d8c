"""The schema as the codec reads it: for each table its fields, each with its kind, inline form and element type."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from pyquant.wire.schema import ENUMS, STRUCTS, TABLES, UNIONS

# scalar type -> (struct format, NumPy type)
SCALARS = {
    "bool": ("?", "?"),
    "byte": ("b", "i1"),
    "ubyte": ("B", "u1"),
    "short": ("h", "<i2"),
    "ushort": ("H", "<u2"),
    "int": ("i", "<i4"),
    "uint": ("I", "<u4"),
    "float": ("f", "<f4"),
    "long": ("q", "<i8"),
    "ulong": ("Q", "<u8"),
    "double": ("d", "<f8"),
}
# Bytes that may lie outside the flatbuffer: table -> (bytes field, its offset field, its size field)
OUTSIDE = {
    "Buffer": ("data", "offset", "size"),
    "Operator": ("custom_options", "large_custom_options_offset", "large_custom_options_size"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a table. A union's type code lies inline in the slot before its value's.

    kind: scalar, string, strings (a vector of them, taken as bytes), numbers (a vector of scalars or structs of them),
    table, tables (a vector of tables) or union.
    """

    name: str
    slot: int
    kind: str
    format: str  # struct format of what lies inline; "I" for an offset
    default: Any
    dtype: np.dtype[Any] | None  # of the elements of `numbers`
    target: str  # the table, union or enum; "" for plain numbers
    alignment: int  # of the first element of `numbers`, at least

    @property
    def size(self) -> int:
        return struct.calcsize(self.format)

    @property
    def enum(self) -> dict[str, int]:
        """Member names and values; empty for a field that is no enum."""
        return ENUMS[self.target][1] if self.target in ENUMS else {}

    @property
    def accepts(self) -> tuple[str, ...]:
        """The tables that a table, tables or union field takes."""
        return UNIONS.get(self.target, (self.target,))


@cache
def fields(table: str) -> dict[str, Field]:
    """The fields of a table by name, in slot order. Raises KeyError for a table that the schema does not have."""
    if table not in TABLES:
        raise KeyError(f"the schema has no table {table!r}")
    return {row[0]: _field(*row) for row in TABLES[table]}


@cache
def member_codes(union: str) -> dict[str, int]:
    """The type code of each member of a union."""
    return {member: code for code, member in enumerate(UNIONS[union], 1)}


@cache
def form(type_: str) -> tuple[str, str, np.dtype[Any] | None, str]:
    """The kind, format, dtype and target of a field, from its type in the schema."""
    element = type_.strip("[]")
    scalar = ENUMS[element][0] if element in ENUMS else element
    target = "" if element in SCALARS or element == "string" else element
    if scalar in SCALARS and type_ == element:
        return "scalar", "<" + SCALARS[scalar][0], None, target
    if scalar in SCALARS:
        return "numbers", "<I", np.dtype(SCALARS[scalar][1]), target
    if element in STRUCTS:
        members = [(member, SCALARS[type_][1]) for member, type_ in STRUCTS[element]]
        return "numbers", "<I", np.dtype(members, align=True), target
    if element == "string":
        return "string" if type_ == element else "strings", "<I", None, ""
    if element in UNIONS:
        return "union", "<I", None, target
    return "table" if type_ == element else "tables", "<I", None, target


def _field(name: str, slot: int, type_: str, default: Any, alignment: int) -> Field:
    kind, format_, dtype, target = form(type_)
    first = 0 if dtype is None else max(alignment, dtype.alignment if dtype.names else dtype.itemsize)
    return Field(name, slot, kind, format_, default if dtype is None else None, dtype, target, first)
