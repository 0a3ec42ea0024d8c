"""Records -> bytes. First one block with all tables, then the buffers, which stay where NumPy has them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from pyquant.errors import FormatError, OptionError, RangeError
from pyquant.wire.archive import rebased
from pyquant.wire.decode import IDENTIFIER
from pyquant.wire.layout import OUTSIDE, Field, fields, member_codes
from pyquant.wire.record import Record

# What readers of flatbuffers accept; beyond it buffers go outside.
LIMIT = 2**31 - 1
LAYOUTS = ("inline", "offset")
# Vectors aligned this far are kept out of the block of tables.
PAYLOAD_ALIGNMENT = 16

_PACK = struct.Struct("<I").pack
_PUT = struct.Struct("<I").pack_into

Segment = bytes | bytearray | memoryview


def encode(model: Record, layout: str | None = None, limit: int = LIMIT) -> list[Segment]:
    """The bytes of a `.tflite` file, as segments to write one after the other. Equal records give equal bytes.

    layout: "inline" keeps buffers and custom options inside the flatbuffer, "offset" puts them behind it; None puts
    them behind only where the flatbuffer would have more than `limit` bytes. Raises FormatError for a flatbuffer past
    the limit and for a record with parts from a newer schema, which would be lost; RangeError for a value that its
    field cannot hold; OptionError for another layout.
    """
    if layout not in (None, *LAYOUTS):
        raise OptionError(f"layout: found {layout!r}, expected {' or '.join(map(repr, LAYOUTS))}")
    encoder = _Encoder(model, outside=layout == "offset")
    if encoder.size > limit and layout is None:
        encoder = _Encoder(model, outside=True)
    if encoder.size > limit:
        what = "the flatbuffer needs" if layout == "inline" else "the tables alone need"
        raise FormatError(f"{what} {encoder.size} bytes, above the {limit} that a flatbuffer can have")
    segments = encoder.segments()
    if model.trailing is not None:
        start = sum(map(len, segments))
        segments.append(rebased(np.ascontiguousarray(model.trailing), start).data)
    return segments


@dataclass(frozen=True, slots=True)
class _Content:
    """The fields of records that have the same ones."""

    numbers: tuple[tuple[str, int, Any], ...]  # (name, slot, default)
    references: tuple[tuple[str, int, Field], ...]  # (name, slot, field), by slot
    unions: tuple[tuple[str, int, dict[str, int]], ...]  # (name, slot of the type code, codes)


@lru_cache(maxsize=4096)
def _content(table: str, names: tuple[str, ...]) -> _Content:
    """What records of a table with fields of these names hold."""
    known = fields(table)
    found = sorted((known[name] for name in names if name not in ("trailing", "outside")), key=lambda field: field.slot)
    return _Content(
        tuple((field.name, field.slot, field.default) for field in found if field.kind == "scalar"),
        tuple((field.name, field.slot, field) for field in found if field.kind != "scalar"),
        tuple((field.name, field.slot - 1, member_codes(field.target)) for field in found if field.kind == "union"),
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    """How to write the tables of one kind that have the same slots filled."""

    vtable: bytes
    wide: bool  # has an 8-byte number, so it starts 4 before a multiple of 8
    pack: Callable[..., bytes]
    order: tuple[int, ...]  # slots as they lie inline
    offsets: dict[int, int]  # slot -> offset in the table


@lru_cache(maxsize=4096)
def _plan(table: str, slots: tuple[int, ...]) -> _Plan:
    formats = {field.slot - 1: "B" for field in fields(table).values() if field.kind == "union"}
    formats |= {field.slot: field.format[1:] for field in fields(table).values()}
    order = sorted(slots, key=lambda slot: (-struct.calcsize(formats[slot]), slot))
    offsets, end = {}, 4
    for slot in order:
        offsets[slot] = end
        end += struct.calcsize(formats[slot])
    count = max(slots, default=-1) + 1
    vtable = struct.pack(f"<{2 + count}H", 4 + 2 * count, end, *(offsets.get(slot, 0) for slot in range(count)))
    wide = any(struct.calcsize(formats[slot]) == 8 for slot in slots)
    pack = struct.Struct("<i" + "".join(formats[slot] for slot in order) + f"{-end % 4}x").pack
    return _Plan(vtable, wide, pack, tuple(order), offsets)


class _Encoder:
    """One file on its way out. Children follow their parents, so offsets point forward; all start at multiples of 4."""

    def __init__(self, model: Record, outside: bool) -> None:
        self.outside = outside
        self.out = bytearray(8)
        self.vtables: dict[bytes, int] = {}
        # (position of what refers to it, bytes), in the flatbuffer and behind it
        self.payloads: list[tuple[int, np.ndarray]] = []
        self.outside_payloads: list[tuple[int, np.ndarray]] = []
        self.out[4:8] = IDENTIFIER
        self.link(0, None, model)
        self.size = len(self.out)  # of the flatbuffer
        for _, array in self.payloads:
            self.size += -(self.size + 4) % PAYLOAD_ALIGNMENT + 4 + array.size

    def segments(self) -> list[Segment]:
        segments: list[Segment] = [self.out]
        end = len(self.out)
        for at, array in self.payloads:
            gap = -(end + 4) % PAYLOAD_ALIGNMENT
            _PUT(self.out, at, end + gap - at)
            segments += bytes(gap) + _PACK(array.size), array.data
            end += gap + 4 + array.size
        for at, array in self.outside_payloads:
            gap = -end % PAYLOAD_ALIGNMENT
            struct.pack_into("<Q", self.out, at, end + gap)
            segments += bytes(gap), array.data
            end += gap + array.size
        return segments

    def table(self, record: Record) -> int:
        """Write a table and all below it. Returns its position."""
        values = self.moved(record) if self.outside else record.fields
        try:
            content = _content(record.table, tuple(values))
        except KeyError as missing:
            lost = ", ".join(record.newer) or f"field {missing}"
            raise FormatError(f"a {record.table} holds {lost} of a newer schema, which would be lost") from None
        inline: dict[int, Any] = {}  # slot -> what lies there; offsets are filled in later
        for name, slot, default in content.numbers:
            value = values[name]
            if value != default or (default.__class__ is float and repr(value) == "-0.0"):
                inline[slot] = value
        for name, slot, codes in content.unions:
            inline[slot] = codes[values[name].table]
        for _, slot, _ in content.references:
            inline[slot] = 0
        plan = _plan(record.table, tuple(inline))
        at = self.inline(record.table, plan, inline)
        for name, slot, field in content.references:
            _WRITERS[field.kind](self, at + plan.offsets[slot], field, values[name])
        if values is not record.fields:
            data, offset, _ = OUTSIDE[record.table]
            self.outside_payloads.append((at + plan.offsets[fields(record.table)[offset].slot], record.fields[data]))
        return at

    def moved(self, record: Record) -> dict[str, Any]:
        """The fields of a record, with those that say where its bytes lie outside in place of the bytes."""
        data, offset, size = OUTSIDE.get(record.table, ("", "", ""))
        array = record.fields.get(data)
        if array is None or not array.size:
            return record.fields
        rest = {name: value for name, value in record.fields.items() if name != data}
        return rest | {offset: PAYLOAD_ALIGNMENT, size: array.size}  # the offset is filled in later

    def inline(self, table: str, plan: _Plan, values: dict[int, Any]) -> int:
        """Write a table's own bytes, after its vtable where that is new."""
        out = self.out
        vtable = self.vtables.get(plan.vtable)
        if vtable is None:
            vtable = self.vtables[plan.vtable] = len(out)
            out += plan.vtable
            self.pad(len(plan.vtable))
        if plan.wide and len(out) & 7 == 0:
            out += bytes(4)
        at = len(out)
        try:
            out += plan.pack(at - vtable, *[values[slot] for slot in plan.order])
        except struct.error as error:
            raise RangeError(f"{table}: a number does not fit its field: {error}") from error
        return at

    def pad(self, size: int) -> None:
        """After `size` bytes, pad so that what comes next is aligned to 4."""
        self.out += bytes(-size % 4)

    def numbers(self, at: int, field: Field, array: np.ndarray) -> None:
        if array.dtype != field.dtype:
            array = array.astype(field.dtype)
        if field.alignment >= PAYLOAD_ALIGNMENT:
            self.payloads.append((at, np.ascontiguousarray(array)))
            return
        out = self.out
        if field.alignment == 8 and len(out) & 7 == 0:
            out += bytes(4)
        _PUT(out, at, len(out) - at)
        data = array.tobytes()
        out += _PACK(array.size) + data
        if len(data) & 3:
            self.pad(len(data))

    def string(self, at: int, _: Field, value: str) -> None:
        self.text(at, value.encode("utf-8", "surrogateescape"))

    def text(self, at: int, text: bytes) -> None:
        _PUT(self.out, at, len(self.out) - at)
        self.out += _PACK(len(text)) + text + bytes(4 - len(text) % 4)  # at least one NUL

    def strings(self, at: int, _: Field, values: list[np.ndarray]) -> None:
        first = self.vector(at, len(values))
        for i, value in enumerate(values):
            self.text(first + 4 * i, value.tobytes())

    def tables(self, at: int, _: Field, records: list[Record]) -> None:
        first = self.vector(at, len(records))
        for i, record in enumerate(records):
            self.link(first + 4 * i, None, record)

    def vector(self, at: int, count: int) -> int:
        """Write a vector of offsets that are filled in later. Returns the position of the first."""
        out = self.out
        _PUT(out, at, len(out) - at)
        out += _PACK(count)
        first = len(out)
        out += bytes(4 * count)
        return first

    def link(self, at: int, _: Field | None, record: Record) -> None:
        """Write a table and the offset to it at `at`."""
        _PUT(self.out, at, self.table(record) - at)


# Of the class, not bound: an encoder that refers to itself would keep what it wrote until garbage is collected.
_WRITERS: dict[str, Callable[[_Encoder, int, Field, Any], None]] = {
    "numbers": _Encoder.numbers,
    "string": _Encoder.string,
    "strings": _Encoder.strings,
    "table": _Encoder.link,
    "tables": _Encoder.tables,
    "union": _Encoder.link,
}
