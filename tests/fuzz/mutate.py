"""Mutations of a file: of its bytes, and of what they say."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np

from fuzz.refit import refitted
from pyquant.errors import PyQuantError
from pyquant.wire import Record, decode, encode
from pyquant.wire.layout import Field, fields

# Numbers at the edges of types, of buffers and of what a model usually has.
EDGES = tuple(range(-4, 10)) + tuple(
    sign * (1 << bits) + more
    for bits in (4, 5, 7, 8, 10, 12, 15, 16, 20, 24, 30, 31, 32, 40, 62, 63)
    for sign in (1, -1)
    for more in (-1, 0, 1)
)
_LOW = (1 << 63) - 1
REALS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e-38, 1e-7, 1e7, 3e38, float("inf"), float("-inf"), float("nan"))


def mutated(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """A file changed in one way, at one to four places. others: files to take pieces of."""
    way: Callable[..., bytes] = rng.choice(WAYS)
    return way(data, others, rng)


def flipped(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """Bits of some bytes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwritten(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """Aligned 32-bit words by numbers at the edges, by the length of the file, or by a little more or less."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = 4 * rng.randrange(len(changed) // 4)
        (old,) = struct.unpack_from("<I", changed, at)
        new = rng.choice((rng.choice(EDGES), old + rng.randint(-8, 8), len(data) - at, rng.getrandbits(32)))
        struct.pack_into("<I", changed, at, new & 0xFFFFFFFF)
    return bytes(changed)


def truncated(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """The beginning of the file, or the file and something after it."""
    if rng.random() < 0.7:
        return data[: rng.randrange(len(data))]
    return data + rng.randbytes(rng.choice((1, 4, 64, 1000)))


def spliced(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """A piece of another file over a piece of this, or the end of another behind the beginning of this."""
    other = rng.choice(others)
    start, size = 4 * rng.randrange(len(other) // 4), 4 * rng.choice((1, 2, 4, 16, 256))
    at = 4 * rng.randrange(len(data) // 4)
    if rng.random() < 0.5:
        return data[:at] + other[at:]
    piece = other[start : start + size]
    return data[:at] + piece + data[at + len(piece) :]


def rewritten(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """Fields of the decoded file, encoded again."""
    model = decode(data)
    records = [record for record in _records(model) if fields(record.table)]
    for _ in range(rng.choice((1, 1, 2, 3, 4))):
        record = rng.choice(records)
        field = rng.choice(list(fields(record.table).values()))
        present = record.fields.get(field.name)
        try:
            setattr(record, field.name, _changed(field, present, records, rng))
        except PyQuantError:  # a number that the field cannot hold
            continue
    try:
        return b"".join(encode(model))
    except PyQuantError:
        return data


def refit(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """Sizes, options, scales and constants, with shapes that fit."""
    try:
        return refitted(data, rng)
    except PyQuantError:  # what the file cannot state
        return data


WAYS = (flipped, flipped, overwritten, overwritten, truncated, spliced, *[rewritten] * 4, *[refit] * 4)


def _records(record: Record) -> list[Record]:
    """The record and all below it."""
    found = [record]
    for value in record.fields.values():
        below = [value] if isinstance(value, Record) else value if isinstance(value, list) else ()
        for item in below:
            found += _records(item)
    return found


def _changed(field: Field, value: Any, records: list[Record], rng: Random) -> Any:
    """Another value of a field, or None to leave it out."""
    if rng.random() < 0.1:
        return None
    if field.kind == "scalar":
        return _number(field.format[-1], value or 0, rng, list(field.enum.values()))
    if field.kind == "numbers":
        return _numbers(field, value, rng)
    if field.kind == "string":
        return rng.choice(("", "x", "é", (value or "") * 2, (value or "")[:-1]))
    same = [r for r in records if r.table in field.accepts]
    if field.kind != "tables":
        return rng.choice(same) if same else Record(rng.choice(field.accepts))
    items = list(value or ())
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(items) + 1)
        items[at : at + rng.randint(0, 1)] = rng.choice(([], [rng.choice(same) if same else Record(field.target)]))
    return items


def _number(code: str, old: Any, rng: Random, members: list[int]) -> Any:
    if code in "fd":
        return rng.choice((*REALS, old * 2, old / 3, -old))
    if code == "?":
        return not old
    if members and rng.random() < 0.9:
        return rng.choice(members)
    return rng.choice((rng.choice(EDGES), old + rng.randint(-3, 3)))


def _numbers(field: Field, value: Any, rng: Random) -> Any:
    assert field.dtype is not None
    array = np.zeros(0, field.dtype) if value is None else np.array(value)
    shape_like = array.dtype == np.uint8 and array.size % 4 == 0 and array.size and rng.random() < 0.5
    view = array.view(np.int32) if shape_like else array
    for _ in range(rng.randint(1, 3)):
        if view.size and rng.random() < 0.8:
            i = rng.randrange(view.size)
            new = _number("f" if view.dtype.kind == "f" else "i", view[i].item(), rng, [])
            with np.errstate(over="ignore"):
                view[i] = new if view.dtype.kind == "f" else np.int64(new & _LOW).astype(view.dtype)
    if rng.random() < 0.3:
        size = rng.choice((0, 1, max(array.size - 1, 0), array.size + 1, 2 * array.size, 33))
        array = np.resize(array, size) if array.size else np.zeros(size, field.dtype)
    return array
