"""Bytes -> records. Decoding is verifying: every offset, length and alignment is checked before it is used."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from pyquant.errors import FormatError
from pyquant.wire import _decode
from pyquant.wire.archive import rebased
from pyquant.wire.layout import OUTSIDE, SCALARS, Field, fields, form
from pyquant.wire.record import Record
from pyquant.wire.schema import ENUMS, TABLES, UNIONS

IDENTIFIER = b"TFL3"
# How often a byte may be read on average: offsets may share bytes, but a small file must not unfold into a huge one.
SHARING = 4
TABLE, VTABLE = 32, 128  # bytes that each counts beside its own, as it becomes an object
FREE = 1 << 12  # bytes that any file may count
Objects = Mapping[str, tuple[type, tuple[tuple[str, "str | None", str, Any], ...]]]
LONGEST_CACHED = 256  # bytes of a vtable; those of the schema's tables are shorter

_U32 = struct.Struct("<I").unpack_from
_I32 = struct.Struct("<i").unpack_from
_U16_PAIR = struct.Struct("<HH").unpack_from


def decode(buffer: Any, root: str = "Model") -> Record:
    """The Model record of a `.tflite` file's bytes. Number vectors are read-only views on `buffer`.

    root: another table of the schema, for the flatbuffers that a model's metadata hold.

    What a newer schema wrote is listed in the `newer` of the record that holds it; bytes that follow the flatbuffer are
    in the root's `trailing`; data outside the flatbuffer stands where inline data would, and the root is `outside`. A
    name that is not UTF-8 keeps its bytes as surrogate escapes. Raises FormatError with table path and byte offset.
    """
    decoder = _Decoder(memoryview(buffer).toreadonly().cast("B"))
    try:
        return decoder.model() if root == "Model" else decoder.root(root)
    except _Unsound as error:
        path = "".join([*error.path, ", "]).lstrip("., ")
        raise FormatError(f"{path}byte {error.position}: {error.reason}") from None


def decode_objects(buffer: Any, objects: Objects) -> Record | None:
    """The same with objects of other types where the file has these tables; None for one that `decode` is to look at.

    objects: by the table's name the type, whose instances have slots, and what becomes of which field: (slot, field or
    None, how, given), see csrc/wire/decode.c.
    """
    decoder = _Decoder(memoryview(buffer).toreadonly().cast("B"))
    record = decoder.in_c("Model", objects) if decoder.is_model() else None
    return None if record is None or decoder.trailing() is not None else record


class _Unsound(Exception):
    """What is wrong at a byte; the path grows from the leaf up."""

    def __init__(self, position: int, reason: str) -> None:
        self.position, self.reason = position, reason
        self.path: list[str] = []

    def within(self, step: str) -> _Unsound:
        self.path.insert(0, step)
        return self


@dataclass(frozen=True)
class _Plan:
    """How to read the tables that share a vtable: one unpack for all that lies inline, then the references."""

    size: int
    more: int  # bytes that one table counts beside its own
    unpack: Callable[[memoryview, int], tuple[Any, ...]]
    names: tuple[str, ...]
    references: tuple[tuple[str, int, str, Any], ...]  # (name, offset in the table, kind, Field or table name)
    unions: tuple[tuple[str, int, tuple[str, ...]], ...]  # (name, offset in the table, members)
    wide: tuple[int, ...]  # offsets of 8-byte numbers
    newer: tuple[str, ...]
    outside: tuple[str, str, str] | None


def _plan(table: str, vtable: bytes) -> _Plan:
    """Read a vtable. Raises ValueError where it is not sound."""
    size, *offsets = struct.unpack(f"<{len(vtable) // 2 - 1}H", vtable[2:])
    at = dict(enumerate(offsets))
    inline: list[tuple[int, str, str]] = []  # (offset, struct format, name)
    references, unions = [], []
    for field in fields(table).values():
        if field.kind == "union" and at.pop(field.slot - 1, 0):
            inline.append((offsets[field.slot - 1], "B", f"{field.name}_type"))
        offset = at.pop(field.slot, 0)
        if field.kind == "union":
            unions.append((field.name, offset, field.accepts))
        elif offset and field.kind != "scalar":
            references.append((field.name, offset, field.kind, field.target if "table" in field.kind else field))
        if offset:
            inline.append((offset, field.format[1:], field.name))
    format_, end = "<", 0
    for offset, code, name in sorted(inline):
        if offset < max(4, end) or offset % struct.calcsize(code) % 4:
            raise ValueError(f"{name} lies at byte {offset} of its table, over another field or not aligned")
        format_ += f"{offset - end}x{code}"
        end = offset + struct.calcsize(code)
    if size < max(4, end):
        raise ValueError(f"the table has {size} bytes and its fields need {max(4, end)}")
    names = tuple(name for _, _, name in sorted(inline))
    newer = tuple(f"slot {slot}" for slot, offset in at.items() if offset)
    return _Plan(
        size,
        TABLE * (1 + len(newer)),
        struct.Struct(format_).unpack_from,
        names,
        tuple(references),
        tuple(u for u in unions if u[0] in names or f"{u[0]}_type" in names),
        tuple(offset for offset, code, _ in inline if struct.calcsize(code) == 8),
        newer,
        OUTSIDE[table] if table in OUTSIDE and OUTSIDE[table][1] in names else None,
    )


_cached_plan = lru_cache(maxsize=4096)(_plan)


class _Decoder:
    """One pass over one file."""

    def __init__(self, view: memoryview) -> None:
        self.view = view
        self.size = len(view)
        self.budget = SHARING * self.size + FREE
        self.end = 8  # of what was read
        self.outside = False  # whether data lay outside the flatbuffer
        self.plans: dict[tuple[str, int], _Plan] = {}

    def is_model(self) -> bool:
        return self.size >= 8 and self.view[4:8] == IDENTIFIER

    def model(self) -> Record:
        if not self.is_model():
            raise _Unsound(
                4, f"not a .tflite file: expected identifier {IDENTIFIER!r}, found {bytes(self.view[4:8])!r}"
            )
        model = self.root("Model")
        if (rest := self.trailing()) is not None:
            model.trailing = rebased(rest, 0)
        if self.outside:
            model.outside = True
        return model

    def trailing(self) -> np.ndarray | None:
        """What follows the flatbuffer, if that is more than zeros."""
        rest = np.frombuffer(self.view, np.uint8)[self.end :]
        return rest if rest.any() else None

    def root(self, table: str) -> Record:
        return self.in_c(table, {}) or self.table(self.length(0), table)

    def in_c(self, table: str, objects: Objects) -> Record | None:
        """The whole file from its root, None where the C decoder gives up."""
        if not self.size:
            return None
        data = np.frombuffer(self.view, np.uint8)
        found = _decode.decode(data, table, TABLES, _FORMS, OUTSIDE, Record, objects, self.budget, TABLE, VTABLE)
        if found is None:
            return None
        record, self.end = found
        return record

    def claim(self, start: int, size: int, more: int = 0) -> None:
        """Bytes that are about to be read. Raises _Unsound where they are not in the file, or the budget is spent.

        more: bytes of the budget for what is made of them.
        """
        end = start + size
        if end > self.size:
            raise _Unsound(start, f"{size} bytes from here end past the file, which has {self.size}")
        self.budget -= size + more
        if self.budget < 0:
            raise _Unsound(start, "offsets share so many bytes that the content is far larger than the file")
        if end > self.end:
            self.end = end

    def length(self, at: int) -> int:
        """The length that stands in front of a vector or string."""
        if at & 3 or at + 4 > self.size:
            raise _Unsound(at, "an offset leads past the file or is not aligned")
        return _U32(self.view, at)[0]  # type: ignore[no-any-return]

    def table(self, at: int, name: str) -> Record:
        if at & 3 or at + 4 > self.size:
            raise _Unsound(at, f"the offset of a {name} leads past the file or is not aligned")
        vtable = at - _I32(self.view, at)[0]
        plan = self.plans.get((name, vtable)) or self.plan(name, vtable)
        self.claim(at, plan.size, plan.more)
        values = dict(zip(plan.names, plan.unpack(self.view, at), strict=True))
        field = ""
        try:
            for field, offset, kind, target in plan.references:
                values[field] = _READERS[kind](self, at + offset + (values[field] or self.null(at + offset)), target)
        except _Unsound as error:
            raise error.within(f".{field}") from None
        for offset in plan.wide:
            if at + offset & 7:
                raise _Unsound(at + offset, "an 8-byte number is not aligned")
        newer = plan.newer
        for field, offset, members in plan.unions:
            newer += self.union(values, field, at + offset, members)
        if newer:
            values["newer"] = newer
        if plan.outside:
            self.fetch(values, *plan.outside)
        return Record.of(name, values)

    def plan(self, table: str, at: int) -> _Plan:
        """The plan for a vtable's first use."""
        if at < 0 or at & 1 or at + 4 > self.size:
            raise _Unsound(at, f"the vtable of a {table} lies outside the file or is not aligned")
        size = _U16_PAIR(self.view, at)[0]
        if size < 4 or size & 1:
            raise _Unsound(at, f"a vtable of {size} bytes")
        self.claim(at, size, VTABLE)
        try:
            plan = (_cached_plan if size <= LONGEST_CACHED else _plan)(table, bytes(self.view[at : at + size]))
        except ValueError as error:
            raise _Unsound(at, f"vtable of a {table}: {error}") from None
        self.plans[table, at] = plan
        return plan

    def null(self, at: int) -> int:
        raise _Unsound(at, "a field that is present has offset 0")

    def union(self, values: dict[str, Any], field: str, at: int, members: tuple[str, ...]) -> tuple[str, ...]:
        """Put a union's record into values. Returns what of it is newer than the schema."""
        code, distance = values.pop(f"{field}_type", 0), values.pop(field, 0)
        if code > len(members):
            return (f"{field} member {code}",)
        if code and distance:
            try:
                values[field] = self.table(at + distance, members[code - 1])
            except _Unsound as error:
                raise error.within(f".{field}") from None
        return ()

    def fetch(self, values: dict[str, Any], data: str, offset: str, size: str) -> None:
        """Replace an outside reference (valid above offset 1) by a view on the bytes."""
        start, length = values[offset], values.get(size, 0)
        if start <= 1:
            return
        if values.get(data) is not None and values[data].size:
            raise _Unsound(start, f"{data} is both inline and outside the flatbuffer")
        self.outside = True
        self.claim(start, length)
        values[data] = np.frombuffer(self.view, np.uint8, length, start)
        del values[offset]
        values.pop(size, None)

    def tables(self, at: int, name: str) -> list[Record]:
        count = self.length(at)
        self.claim(at, 4 + 4 * count)
        records: list[Record] = []
        position = at + 4
        try:
            for distance in struct.unpack_from(f"<{count}I", self.view, position):
                records.append(self.table(position + (distance or self.null(position)), name))
                position += 4
        except _Unsound as error:
            raise error.within(f"[{len(records)}]") from None
        return records

    def numbers(self, at: int, field: Field) -> np.ndarray:
        count, dtype = self.length(at), field.dtype
        assert dtype is not None
        size = dtype.itemsize
        if (at + 4) % (dtype.alignment if dtype.names else size):
            raise _Unsound(at, f"a vector of {size}-byte numbers is not aligned")
        self.claim(at, 4 + size * count)
        array = np.frombuffer(self.view, dtype, count, at + 4)
        if dtype.kind == "b" and array.view(np.uint8).max(initial=0) > 1:
            array = np.not_equal(array.view(np.uint8), 0)  # NumPy's own bool holds 0 and 1 only
        return array

    def string(self, at: int, _: Field) -> str:
        return str(self.text(at), "utf-8", "surrogateescape")

    def text(self, at: int) -> memoryview:
        """The bytes of a string."""
        end = at + 4 + self.length(at)
        self.claim(at, end + 1 - at)
        if self.view[end]:
            raise _Unsound(end, "a string does not end in NUL")
        return self.view[at + 4 : end]

    def strings(self, at: int, _: Field) -> list[np.ndarray]:
        count = self.length(at)
        self.claim(at, 4 + 4 * count, TABLE * count)
        places = range(at + 4, at + 4 + 4 * count, 4)
        return [np.frombuffer(self.text(p + (_U32(self.view, p)[0] or self.null(p))), np.uint8) for p in places]


# Of the class, not bound: a decoder that refers to itself would keep the file's map until garbage is collected.
_READERS: dict[str, Callable[[_Decoder, int, Any], Any]] = {
    "string": _Decoder.string,
    "strings": _Decoder.strings,
    "numbers": _Decoder.numbers,
    "table": _Decoder.table,
    "tables": _Decoder.tables,
}


Form = tuple[str, int, np.dtype[Any] | None, int, int, tuple[str, ...]]


class _Forms(dict[str, Form]):
    """Types of the schema as the C decoder takes them, made as they are met.

    (code, bytes inline, dtype, bytes of an element, its alignment, tables): the first three of these of vectors.
    """

    def __missing__(self, type_: str) -> Form:
        if type_ in ENUMS:
            made = self[ENUMS[type_][0]]
        else:
            kind, _, dtype, target = form(type_)
            code, tables = _CODES[kind], UNIONS.get(target, (target,))
            if dtype is None:
                made = code, 4, None, 0, 0, tables
            else:
                item = dtype.itemsize
                alignment = dtype.alignment if dtype.names else item
                made = "o" if dtype.kind == "b" else code, 4, dtype, item, alignment, tables
        return self.setdefault(type_, made)  # one for all threads: C keeps what is in it without counting


_CODES = {"string": "s", "strings": "S", "numbers": "n", "table": "t", "tables": "T", "union": "u"}
_FORMS = _Forms({name: (code, struct.calcsize(f"<{code}"), None, 0, 0, ()) for name, (code, _) in SCALARS.items()})
