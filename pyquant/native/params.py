"""C memory for a kernel's constants: its parameter struct, the arrays it points to, what its pack function lays out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
        self.memory = ffi.new(f"{struct} *")
        self._owned: list[Any] = []
        fields = dict(ffi.typeof(struct).fields)
        if set(values) - {"packed"} != set(fields) - {"packed"}:
            raise TypeError(f"{struct} has the fields {sorted(fields)}, got {sorted(values)}")
        try:
            for name, value in values.items():
                setattr(self.memory, name, self._converted(f"{struct}.{name}", fields[name].type, value))
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

    def _converted(self, where: str, ctype: Any, value: Any) -> Any:
        if ctype.kind == "array":
            return [v.item() if isinstance(v, np.generic) else v for v in value]
        if ctype.kind != "pointer":
            return value.item() if isinstance(value, np.generic) else value
        if value is None:
            return ffi.NULL
        expected = _ELEMENTS.get(ctype.item.cname.removeprefix("const "))
        array = np.ascontiguousarray(value)
        if expected is not None and array.dtype.name != expected:
            raise TypeError(f"{where} takes {expected}, got {array.dtype.name}")
        pointer = ffi.from_buffer(f"{ctype.item.cname} []" if expected else "char[]", array)
        self._owned.append(pointer)
        return pointer


def _pack_function(row: int) -> Any:
    return lib.pq_rows(ffi.new("int32_t *"))[row].pack


def aligned_bytes(size: int) -> np.ndarray:
    """Zeroed bytes that start at a multiple of 64. -> (size,) uint8"""
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size]
