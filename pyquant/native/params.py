"""C memory for a kernel's constants: its parameter struct, the arrays it points to, what its pack function lays out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from pyquant.errors import RangeError
from pyquant.native._pq import ffi, lib

_ELEMENTS = {
    "int8_t": "int8",
    "uint8_t": "uint8",
    "int16_t": "int16",
    "uint16_t": "uint16",
    "int32_t": "int32",
    "int64_t": "int64",
    "float": "float32",
    "double": "float64",
}


class Packer:
    """Lets kernels lay out large constants on a thread of its own, until `finish`; without one, at once."""

    def __init__(self) -> None:
        self._jobs: list[Params] = []
        self._memory = ffi.NULL

    def add(self, params: Params, function: Any, size: int) -> None:
        if size >= WORTH_A_THREAD and self._memory == ffi.NULL:
            self._memory = lib.pq_packer_new()
        self._jobs.append(params)
        packer = self._memory if size >= WORTH_A_THREAD else ffi.NULL
        lib.pq_packer_add(packer, function, params.memory, params.memory.packed, size)

    def finish(self) -> None:
        """Wait until all is laid out."""
        memory, self._memory = self._memory, ffi.NULL
        lib.pq_packer_free(memory)
        self._jobs.clear()

    __del__ = finish


class Params:
    """A filled parameter struct. It owns what its pointers point to.

    bytes: of the arrays that the struct points to.
    Raises RangeError for a number that its field cannot hold, TypeError for other fields or element types.
    """

    def __init__(self, struct: str, values: Mapping[str, Any]) -> None:
        self._owned: list[Any] = []
        self.bytes = 0
        types = _types(struct)
        try:
            plain = {
                name: value if type(value) is int else self._converted(struct, name, types[name], value)
                for name, value in values.items()
            }
            if len(values) != len(types) - ("packed" in types):
                raise KeyError
            self.memory = ffi.new(_pointer(struct), plain)
        except KeyError:
            raise TypeError(f"{struct} has the fields {sorted(types)}, got {sorted(values)}") from None
        except OverflowError as error:
            raise RangeError(f"{struct}: {error}") from None

    def packed_bytes(self, row: int) -> int:
        """What `pack` will allocate for the kernel in that row of the table."""
        function = _pack_function(row)
        return 0 if function == ffi.NULL else int(function(self.memory, ffi.NULL))

    def pack(self, row: int, size: int, packer: Packer) -> None:
        """Let the kernel in that row of the table lay out its constants, and point `packed` to them.

        size: its packed_bytes. They are there when the packer has finished.
        """
        if _pack_function(row) != ffi.NULL:
            self.lay_out(row, aligned(np.empty(size + ALIGNMENT, np.uint8)), packer)

    def lay_out(self, row: int, memory: np.ndarray, packer: Packer | None) -> None:
        """The same in memory that is there, (packed_bytes,); without a packer at once."""
        pointer = ffi.from_buffer("char[]", memory)
        self.bytes += memory.nbytes
        self.memory.packed = pointer
        self._owned.append(pointer)
        if packer is None:
            _pack_function(row)(self.memory, pointer)
        else:
            packer.add(self, _pack_function(row), memory.nbytes)

    def _converted(self, struct: str, name: str, field: _Field, value: Any) -> Any:
        if field.kind == "array":
            return [v.item() if isinstance(v, np.generic) else v for v in value]
        if field.kind != "pointer":
            return value.item() if isinstance(value, np.generic) else value
        if value is None:
            return ffi.NULL
        array = np.ascontiguousarray(value)
        if field.element is not None and array.dtype != field.element:
            raise TypeError(f"{struct}.{name} takes {field.element.name}, got {array.dtype.name}")
        pointer = ffi.from_buffer(field.vector, array)
        self.bytes += array.nbytes
        self._owned.append(pointer)
        return pointer


class _Field(NamedTuple):
    """kind: pointer, array or primitive. element, vector: of a pointer to numbers their type, and a C array of it."""

    kind: str
    element: np.dtype[Any] | None
    vector: str


@cache
def _types(struct: str) -> dict[str, _Field]:
    found = {}
    for name, field in ffi.typeof(struct).fields:
        item = field.type.item.cname if field.type.kind == "pointer" else ""
        element = _ELEMENTS.get(item.removeprefix("const "))
        found[name] = _Field(
            field.type.kind, np.dtype(element) if element else None, f"{item} []" if element else "char[]"
        )
    return found


@cache
def _pointer(struct: str) -> Any:
    return ffi.typeof(f"{struct} *")


ALIGNMENT = 64
WORTH_A_THREAD = 1 << 14  # bytes to lay out; below, handing them over takes longer


@cache
def _pack_function(row: int) -> Any:
    return lib.pq_rows(ffi.new("int32_t *"))[row].pack


def aligned(memory: np.ndarray) -> np.ndarray:
    """The part of it that starts at a multiple of 64. memory: (size + 64,) uint8 -> (size,) uint8"""
    start = -int(ffi.cast("uintptr_t", ffi.from_buffer(memory))) % ALIGNMENT
    return memory[start : start + memory.size - ALIGNMENT]
