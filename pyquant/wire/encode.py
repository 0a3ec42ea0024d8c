"""Records -> bytes. First one block with all tables, then the buffers, which stay where NumPy has them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from pyquant.errors import FormatError, RangeError
from pyquant.wire.decode import IDENTIFIER
from pyquant.wire.layout import OUTSIDE, Field, fields, member_codes
from pyquant.wire.record import Record

# What readers of flatbuffers accept; beyond it buffers go outside.
LIMIT = 2**31 - 1
# Vectors aligned this far are kept out of the block of tables.
PAYLOAD_ALIGNMENT = 16

_PACK = struct.Struct("<I").pack
_PUT = struct.Struct("<I").pack_into

Segment = bytes | bytearray | memoryview


def encode(model: Record, limit: int = LIMIT) -> list[Segment]:
    """The bytes of a `.tflite` file, as segments to write one after the other. Equal records give equal bytes.

    A flatbuffer of more than `limit` bytes gets its buffers outside, by Buffer.offset. Raises FormatError for a record
    with parts from a newer schema, which would be lost, and RangeError for a value that its field cannot hold.
    """
    encoder = _Encoder(model, outside=False)
    if encoder.size > limit:
        encoder = _Encoder(model, outside=True)
    if encoder.size > limit:
        raise FormatError(f"the tables alone need {encoder.size} bytes, above the {limit} that a flatbuffer can have")
    trailing = [] if model.trailing is None else [np.ascontiguousarray(model.trailing).data]
    return encoder.segments() + trailing


@dataclass(frozen=True)
class _Plan:
    """How to write the tables of one kind that have the same fields."""

    vtable: bytes
    alignment: int  # the table starts 4 before a multiple of this
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
    return _Plan(vtable, 8 if wide else 4, pack, tuple(order), offsets)


class _Encoder:
    """One file on its way out. Children follow their parents, so offsets point forward; all start at multiples of 4."""

    def __init__(self, model: Record, outside: bool) -> None:
        self.outside = outside
        self.out = bytearray(8)
        self.vtables: dict[bytes, int] = {}
        # (position of what refers to it, bytes), in the flatbuffer and behind it
        self.payloads: list[tuple[int, np.ndarray]] = []
        self.outside_payloads: list[tuple[int, np.ndarray]] = []
        self.children: dict[str, Callable[[int, Field, Any], None]] = {
            "numbers": self.numbers,
            "string": self.string,
            "table": self.link,
            "tables": self.tables,
            "union": self.link,
        }
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
        known = fields(record.table)
        values: dict[int, Any] = {}  # slot -> what lies inline; offsets are filled in later
        children: list[tuple[int, Field, Any]] = []  # with their slots
        for name, value in record.fields.items():
            if value is None:
                continue
            field = known.get(name)
            if field is None:
                self.note(record, name)
            elif field.kind != "scalar":
                children.append((field.slot, field, value))
            elif value != field.default or repr(value) == "-0.0":
                values[field.slot] = value
        children.sort()
        sent = self.send(record, children, values) if self.outside and record.table in OUTSIDE else None
        for slot, field, value in children:
            values[slot] = 0
            if field.kind == "union":
                values[slot - 1] = member_codes(field.target)[value.table]
        plan = _plan(record.table, tuple(sorted(values)))
        at = self.inline(record.table, plan, values)
        if sent is not None:
            self.outside_payloads.append((at + plan.offsets[sent[0]], sent[1]))
        for slot, field, value in children:
            self.children[field.kind](at + plan.offsets[slot], field, value)
        return at

    def note(self, record: Record, name: str) -> None:
        if name == "newer":
            raise FormatError(
                f"a {record.table} holds {', '.join(record.newer)} of a newer schema, which would be lost"
            )
        if name != "trailing":
            raise FormatError(f"{record.table} has no field {name!r}")

    def send(self, record: Record, children: list[tuple[int, Field, Any]], values: dict[int, Any]) -> Any:
        """Take the bytes that go outside from the children. Returns the slot of their offset and the bytes."""
        name, offset, size = OUTSIDE[record.table]
        known = fields(record.table)
        for i, (_, field, value) in enumerate(children):
            if field.name == name and value.size:
                del children[i]
                values[known[offset].slot], values[known[size].slot] = 0, value.size
                return known[offset].slot, value
        return None

    def inline(self, table: str, plan: _Plan, values: dict[int, Any]) -> int:
        """Write a table's own bytes, after its vtable where that is new."""
        out = self.out
        vtable = self.vtables.get(plan.vtable)
        if vtable is None:
            vtable = self.vtables[plan.vtable] = len(out)
            out += plan.vtable
            self.pad(len(plan.vtable))
        at = len(out)
        if (at + 4) % plan.alignment:
            out += bytes(4)
            at += 4
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
        if (len(out) + 4) % field.alignment:
            out += bytes(4)
        _PUT(out, at, len(out) - at)
        data = array.tobytes()
        out += _PACK(array.size) + data
        if len(data) & 3:
            self.pad(len(data))

    def string(self, at: int, _: Field, value: str) -> None:
        text = value.encode("utf-8", "surrogateescape")
        _PUT(self.out, at, len(self.out) - at)
        self.out += _PACK(len(text)) + text + bytes(4 - len(text) % 4)  # at least one NUL

    def tables(self, at: int, _: Field, records: list[Record]) -> None:
        out = self.out
        _PUT(out, at, len(out) - at)
        out += _PACK(len(records))
        first = len(out)
        out += bytes(4 * len(records))
        for position, record in enumerate(records):
            place = first + 4 * position
            _PUT(out, place, self.table(record) - place)

    def link(self, at: int, _: Field | None, record: Record) -> None:
        """Write a table and the offset to it at `at`."""
        _PUT(self.out, at, self.table(record) - at)
