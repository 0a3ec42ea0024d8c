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
from pyquant.wire.layout import OUTSIDE, Field, fields
from pyquant.wire.record import Record

# What readers of flatbuffers accept; beyond it buffers go outside.
LIMIT = 2**31 - 1
# Vectors aligned this far are kept out of the block of tables.
PAYLOAD_ALIGNMENT = 16

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
    trailing = [] if model.trailing is None else [memoryview(np.ascontiguousarray(model.trailing))]
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
    pack = struct.Struct("<i" + "".join(formats[slot] for slot in order)).pack
    return _Plan(vtable, 8 if wide else 4, pack, tuple(order), offsets)


class _Encoder:
    """One file on its way out. Children are written after their parents, so every offset points forward."""

    def __init__(self, model: Record, outside: bool) -> None:
        self.outside = outside
        self.out = bytearray(8)
        self.vtables: dict[bytes, int] = {}
        # (position of what refers to it, bytes), in the flatbuffer and behind it
        self.payloads: list[tuple[int, np.ndarray]] = []
        self.outside_payloads: list[tuple[int, np.ndarray]] = []
        self.out[4:8] = IDENTIFIER
        root = self.table(model)
        self.link(0, root)
        self.size = len(self.out)  # of the flatbuffer
        for _, array in self.payloads:
            self.size += -(self.size + 4) % PAYLOAD_ALIGNMENT + 4 + array.size

    def segments(self) -> list[Segment]:
        segments: list[Segment] = [self.out]
        end = len(self.out)
        for at, array in self.payloads:
            gap = -(end + 4) % PAYLOAD_ALIGNMENT
            self.link(at, end + gap)
            segments += bytes(gap) + struct.pack("<I", array.size), memoryview(array)
            end += gap + 4 + array.size
        for at, array in self.outside_payloads:
            gap = -end % PAYLOAD_ALIGNMENT
            struct.pack_into("<Q", self.out, at, end + gap)
            segments += bytes(gap), memoryview(array)
            end += gap + array.size
        return segments

    def table(self, record: Record) -> int:
        """Write a table and all below it. Returns its position."""
        known = fields(record.table)
        values: dict[int, Any] = {}  # slot -> what lies inline; offsets are filled in later
        children: list[tuple[Field, Any]] = []
        for name, value in record.fields.items():
            field = known.get(name)
            if value is None:
                continue
            if field is None:
                self.note(record, name)
            elif field.kind != "scalar":
                children.append((field, value))
            elif value != field.default or repr(value) == "-0.0":
                values[field.slot] = value
        children.sort(key=lambda child: child[0].slot)
        sent = self.send(record, children, values) if self.outside and record.table in OUTSIDE else None
        for field, value in children:
            values[field.slot] = 0
            if field.kind == "union":
                values[field.slot - 1] = field.accepts.index(value.table) + 1
        plan = _plan(record.table, tuple(sorted(values)))
        at = self.inline(record.table, plan, values)
        if sent is not None:
            self.outside_payloads.append((at + plan.offsets[sent[0]], sent[1]))
        for field, value in children:
            self.child(at + plan.offsets[field.slot], field, value)
        return at

    def note(self, record: Record, name: str) -> None:
        if name == "newer":
            raise FormatError(
                f"a {record.table} holds {', '.join(record.newer)} of a newer schema, which would be lost"
            )
        if name != "trailing":
            raise FormatError(f"{record.table} has no field {name!r}")

    def send(self, record: Record, children: list[tuple[Field, Any]], values: dict[int, Any]) -> Any:
        """Take the bytes that go outside from the children. Returns the slot of their offset and the bytes."""
        name, offset, size = OUTSIDE[record.table]
        known = fields(record.table)
        for i, (field, value) in enumerate(children):
            if field.name == name and value.size:
                del children[i]
                values[known[offset].slot], values[known[size].slot] = 0, value.size
                return known[offset].slot, value
        return None

    def inline(self, table: str, plan: _Plan, values: dict[int, Any]) -> int:
        """Write a table's own bytes, after its vtable where that is new."""
        vtable = self.vtables.get(plan.vtable)
        if vtable is None:
            self.align(2, 0)
            vtable = self.vtables[plan.vtable] = len(self.out)
            self.out += plan.vtable
        self.align(plan.alignment, 4)
        at = len(self.out)
        try:
            self.out += plan.pack(at - vtable, *(values[slot] for slot in plan.order))
        except struct.error as error:
            raise RangeError(f"{table}: a number does not fit its field: {error}") from error
        return at

    def child(self, at: int, field: Field, value: Any) -> None:
        """Write what a field refers to, and the offset to it at `at`."""
        if field.kind == "numbers":
            array = np.ascontiguousarray(value, field.dtype)
            if field.alignment >= PAYLOAD_ALIGNMENT:
                self.payloads.append((at, array))
                return
            self.align(max(4, field.alignment), 4)
            self.link(at, len(self.out))
            self.out += struct.pack("<I", array.size) + array.tobytes()
        elif field.kind == "string":
            text = value.encode("utf-8", "surrogateescape")
            self.align(4, 0)
            self.link(at, len(self.out))
            self.out += struct.pack("<I", len(text)) + text + b"\0"
        elif field.kind == "tables":
            self.align(4, 0)
            self.link(at, len(self.out))
            self.out += struct.pack("<I", len(value))
            first = len(self.out)
            self.out += bytes(4 * len(value))
            for i, item in enumerate(value):
                self.link(first + 4 * i, self.table(item))
        else:
            self.link(at, self.table(value))

    def link(self, at: int, target: int) -> None:
        """Make the offset at `at` point to `target`."""
        struct.pack_into("<I", self.out, at, target - at)

    def align(self, alignment: int, ahead: int) -> None:
        """Pad so that the byte `ahead` of the next one is aligned."""
        self.out += bytes(-(len(self.out) + ahead) % alignment)
