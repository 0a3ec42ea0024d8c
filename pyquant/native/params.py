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


class Params:
    """A filled parameter struct. It owns what its pointers point to.

    Raises RangeError for a number that its field cannot hold, TypeError for other fields or element types.
    """

    def __init__(self, struct: str, values: Mapping[str, Any]) -> None:
        self._owned: list[Any] = []
        types = _types(struct)
        if values.keys() - {"packed"} != types.keys() - {"packed"}:
            raise TypeError(f"{struct} has the fields {sorted(types)}, got {sorted(values)}")
        try:
            plain = {
                name: value if type(value) is int else self._converted(struct, name, types[name], value)
                for name, value in values.items()
            }
            self.memory = ffi.new(f"{struct} *", plain)
        except OverflowError as error:
            raise RangeError(f"{struct}: {error}") from None

    @property
    def bytes(self) -> int:
        """Of the arrays that the struct points to."""
        return sum(len(ffi.buffer(owned)) for owned in self._owned)

    def packed_bytes(self, row: int) -> int:
        """What `pack` will allocate for the kernel in that row of the table."""
        function = _pack_function(row)
        return 0 if function == ffi.NULL else int(function(self.memory, ffi.NULL))

    def pack(self, row: int) -> None:
        """Let the kernel in that row of the table lay out its constants, and point `packed` to them."""
        function = _pack_function(row)
        if function == ffi.NULL:
            return
        packed = aligned_bytes(function(self.memory, ffi.NULL))
        pointer = ffi.from_buffer("char[]", packed)
        function(self.memory, pointer)
        self.memory.packed = pointer
        self._owned.append(pointer)

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
def _pack_function(row: int) -> Any:
    return lib.pq_rows(ffi.new("int32_t *"))[row].pack


def aligned_bytes(size: int) -> np.ndarray:
    """Zeroed bytes that start at a multiple of 64. -> (size,) uint8"""
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size]
