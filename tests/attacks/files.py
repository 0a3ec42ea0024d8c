"""Malformed files, as changes to a sound one. Opening each must raise a FormatError that says what is wrong and where.

To keep a hostile file that was found elsewhere, add the change that makes it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from reader import place, root

from pyquant.graph import Builder, Quantization, dump
from pyquant.wire import Record, encode


@dataclass(frozen=True)
class Attack:
    """make: the bytes; found: what the message must say."""

    id: str
    why: str
    make: Callable[[], bytes]
    found: str


def sound() -> bytes:
    """A small model with constants, quantization and options: what the attacks start from."""
    b = Builder()
    x = b.input("x", (1, 4), "int8", Quantization.of(0.5, 3))
    w = b.constant("w", np.arange(8, dtype=np.int8).reshape(2, 4), quantization=Quantization.of([0.5, 0.25], 0))
    y = b.tensor("y", (1, 2), "int8", Quantization.of(2.0, -1))
    b.node("FULLY_CONNECTED", [x, w, None], [y], Record("FullyConnectedOptions", keep_num_dims=True))
    return dump(b.model([y], description="sound"))


def patched(form: str, value: int, *path: str | int, at: Callable[[bytes], int] | None = None) -> Callable[[], bytes]:
    """The sound file with one number changed, where a field lies inline or at a place of its own."""

    def make() -> bytes:
        data = bytearray(sound())
        struct.pack_into(form, data, at(bytes(data)) if at else place(bytes(data), *path), value)
        return bytes(data)

    return make


def target(*path: str | int) -> Callable[[bytes], int]:
    """Where the offset of a field leads: the length of a vector or string, or a table."""

    def at(data: bytes) -> int:
        position = place(data, *path)
        return position + int(struct.unpack_from("<I", data, position)[0])

    return at


def vtable(data: bytes, entry: int = 0) -> int:
    """An entry of the root's vtable: 0 its size, 1 the table's size, from 2 the fields."""
    position = root(data).Pos
    return int(position - struct.unpack_from("<i", data, position)[0] + 2 * entry)


def unfolding() -> bytes:
    """1000 references to one subgraph with 1000 references to one tensor."""
    data = bytearray(encode(Record("Model", subgraphs=[Record("SubGraph", tensors=[Record("Tensor", name="t")])]))[0])
    for path in (("subgraphs",), ("subgraphs", 0, "tensors")):
        item = place(bytes(data), *path)
        vector = item + struct.unpack_from("<I", data, item)[0]
        table = vector + 4 + struct.unpack_from("<I", data, vector + 4)[0]
        struct.pack_into("<I", data, item, len(data) - item)
        start = len(data) + 4
        # offsets are unsigned and lead forward, so the table moves behind the vector, its vtable with it
        moved = start + 4000
        body = bytes(data[table:])
        data += struct.pack("<1001I", 1000, *(moved - (start + 4 * i) for i in range(1000))) + body
        struct.pack_into("<i", data, moved, struct.unpack_from("<i", data, table)[0] + moved - table)
    return bytes(data)


def indexed(buffer: int = 0, **changes: object) -> Callable[[], bytes]:
    """A model of one node and one tensor, with wrong indices."""

    def make() -> bytes:
        operator = Record("Operator", inputs=[0], outputs=[0]).replace(**changes)
        subgraph = Record("SubGraph", tensors=[Record("Tensor", buffer=buffer)], operators=[operator])
        codes = [Record("OperatorCode", builtin_code="RELU")]
        return b"".join(encode(Record("Model", subgraphs=[subgraph], operator_codes=codes, buffers=[Record("Buffer")])))

    return make


TENSOR = ("subgraphs", 0, "tensors", 0)
ATTACKS = (
    Attack("empty", "no bytes", lambda: b"", "not a .tflite file"),
    Attack("identifier", "another flatbuffer", lambda: sound()[:4] + b"ABCD" + sound()[8:], "not a .tflite file"),
    Attack("root", "the root lies past the end", patched("<I", 1 << 30, at=lambda _: 0), "Model leads past"),
    Attack("root_unaligned", "the root is not aligned", patched("<I", 9, at=lambda _: 0), "not aligned"),
    Attack("vtable", "the vtable lies before the file", patched("<i", 1 << 30, at=lambda d: root(d).Pos), "vtable"),
    Attack("vtable_size", "a vtable of 3 bytes", patched("<H", 3, at=vtable), "vtable of 3 bytes"),
    Attack("vtable_end", "a vtable past the end", patched("<H", 65534, at=vtable), "past the file"),
    Attack("table_size", "fields past the table", patched("<H", 4, at=lambda d: vtable(d, 1)), "fields need"),
    Attack(
        "field_low", "a field over the vtable's offset", patched("<H", 2, at=lambda d: vtable(d, 2)), "another field"
    ),
    Attack("overlap", "two fields at one place", patched("<H", 4, at=lambda d: vtable(d, 3)), "another field"),
    Attack("null", "a present field with offset 0", patched("<I", 0, "description"), r"description.*offset 0"),
    Attack("length", "a vector of 4 G numbers", patched("<I", 2**32 - 1, at=target(*TENSOR, "shape")), r"\[0\].shape"),
    Attack("tables", "a vector of 4 G tables", patched("<I", 2**32 - 1, at=target("buffers")), "buffers"),
    Attack("string", "a string past the end", patched("<I", 2**31, at=target("description")), "description"),
    Attack("string_end", "a string without NUL", patched("<I", 3, at=target("description")), "NUL"),
    Attack("unaligned", "int64 at 4 mod 8", patched("<I", 8, *TENSOR, "quantization", "zero_point"), "zero_point"),
    Attack("unfolding", "a million tables in a few kilobytes", unfolding, "share"),
    Attack("tensor_index", "a tensor that is not there", indexed(inputs=[1]), r"operators\[0\].inputs.*1"),
    Attack("negative_index", "an output -1", indexed(outputs=[-1]), r"operators\[0\].outputs.*-1"),
    Attack("opcode_index", "an operator that is not there", indexed(opcode_index=7), "opcode_index"),
    Attack("buffer_index", "a buffer that is not there", indexed(buffer=5), r"tensors\[0\].buffer"),
    Attack(
        "subgraph_index",
        "a branch that is not there",
        indexed(builtin_options=Record("IfOptions", then_subgraph_index=3)),
        "then_subgraph_index",
    ),
    Attack(
        "outside",
        "data outside the flatbuffer and the file",
        lambda: b"".join(encode(Record("Model", buffers=[Record("Buffer", offset=1 << 40, size=8)]))),
        r"buffers\[0\]",
    ),
)
