"""C memory for a kernel's constants: its parameter struct, the arrays it points to, what its pack function lays out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from pyquant.errors import RangeError
from pyquant.native._pq import ffi, lib

_NULL = ffi.NULL
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
    """Lets kernels lay out large constants on a thread of its own, one after the other; without one, at once.

    All is there after `finish`; after `end`, what a plan with this packer needs is there when it runs. The thread also
    makes the pages of memory that will be needed, for what it is told to foresee and to expect: constants, and the
    plan's first arena: `reserve`, of `reserved` bytes, None where there is none.
    """

    def __init__(self) -> None:
        self._jobs: list[Any] = []  # what the thread still needs
        self.memory = _NULL
        self.reserve: Any = None
        self.reserved = self._pages = self._pages_job = 0  # bytes; those whose pages the thread makes, and its last job
        self.expected = WORTH_EXPECTING  # bytes of an arena from which on it is worth telling of it
        self._room, self._at, self._size = _NULL, 0, 0  # memory for what is laid out, of which `at` bytes are given

    def foresee(self, size: int) -> None:
        """Constants of about so many bytes are going to be laid out: the thread makes pages for them."""
        if size >= WORTH_EXPECTING:
            self._size = size + size // 8
            self._room, self._at = _new_room(self._size), 0
            self._keep(self._room)
            lib.pq_packer_make_pages(self.memory, self._room, min(size, MOST_FORESEEN))

    def room(self, size: int) -> tuple[Any, Any]:
        """A place for so many bytes, at a multiple of 64, and what owns it. Raises MemoryError."""
        alone = bool(self._jobs) and self._is_small(size)  # rooms are the thread's, once there is one
        size = -(-size // ALIGNMENT) * ALIGNMENT
        if alone or self._at + size > self._size:
            if alone or size > LARGEST_ROOM // 4:
                own = _new_room(size)
                return own, own
            self._size = max(size, min(max(4 * self._size, SMALLEST_ROOM), LARGEST_ROOM))
            self._room, self._at = _new_room(self._size), 0
        self._at += size
        return self._room + (self._at - size), self._room

    def _is_small(self, size: int) -> bool:
        """Whether what is laid out takes longer to tell of."""
        return size < (WORTH_TELLING if self._jobs else WORTH_A_THREAD)

    def add(self, params: Params, row: int, size: int) -> None:
        if self._is_small(size):
            lib.pq_packer_add(_NULL, row, params.memory, params.memory.packed)
            return
        self._keep(params)
        params.job = lib.pq_packer_add(self.memory, row, params.memory, params.memory.packed)

    def expect(self, arena: int) -> None:
        """An arena is going to have so many bytes: the thread makes pages for them, in the reserve."""
        self.expected = arena + PAGES
        if self.reserve is None:
            reserve = lib.pq_reserve_new(8 * arena) if arena <= MOST_EXPECTED else _NULL
            if reserve == _NULL:
                self.expected = sys.maxsize
                return
            self.reserve, self.reserved = ffi.gc(reserve, lib.pq_reserve_free), 8 * arena
            self._keep(self.reserve)
        pages = min(arena, self.reserved, MOST_EXPECTED) // PAGES * PAGES
        if pages > self._pages:
            more = pages - self._pages
            self._pages_job = lib.pq_packer_make_pages(self.memory, self.reserve + self._pages, more)
            self._pages = pages

    def use_reserve(self) -> None:
        """Wait until the pages of the reserve are made. After `end`."""
        if self.memory != _NULL:
            lib.pq_packer_await(self.memory, self._pages_job)

    def _keep(self, needed: Any) -> None:
        """Something that the thread needs; it begins with the first."""
        if not self._jobs:
            self.memory = lib.pq_packer_new()
        self._jobs.append(needed)

    def end(self) -> None:
        """No more will come. Until all is laid out, this must live, and what was added."""
        lib.pq_packer_end(self.memory)

    def finish(self) -> None:
        """Wait until all is laid out."""
        memory, self.memory = self.memory, _NULL
        lib.pq_packer_free(memory)
        self._jobs.clear()

    __del__ = finish


class Params:
    """A filled parameter struct. It owns what its pointers point to.

    bytes: of the arrays that the struct points to. job: when its packer will have laid out its constants, 0 for now.
    Raises RangeError for a number that its field cannot hold, TypeError for other fields or element types.
    """

    def __init__(self, struct: str, values: Mapping[str, Any]) -> None:
        self._owned: list[Any] = []
        self.bytes = self.job = 0
        pointer, names, fields = _struct(struct)
        plain = dict(values)
        try:
            for name, field in fields:
                value = plain[name]
                if value is None:
                    plain[name] = _NULL
                elif field.vector is None:
                    plain[name] = [v.item() if isinstance(v, np.generic) else v for v in value]
                else:
                    plain[name] = self._pointer(struct, name, field, value)
            if len(plain) != len(names):
                raise KeyError
            self.memory = ffi.new(pointer, plain)
        except KeyError:
            raise TypeError(f"{struct} has the fields {sorted(names)}, got {sorted(values)}") from None
        except OverflowError as error:
            raise RangeError(f"{struct}: {error}") from None

    def packed_bytes(self, row: int) -> int:
        """What `pack` will allocate for the kernel in that row of the table."""
        return lib.pq_packed_bytes(row, self.memory)  # type: ignore[no-any-return]

    def pack(self, row: int, size: int, packer: Packer) -> None:
        """Let the kernel in that row of the table lay out its constants, and point `packed` to them.

        size: its packed_bytes. They are there when the packer has finished. Raises MemoryError.
        """
        if size:
            memory, owner = packer.room(size)
            self._owned.append(owner)
            self._lay_out(row, memory, size, packer)

    def lay_out(self, row: int, memory: np.ndarray, packer: Packer | None) -> None:
        """The same in memory that is there, (packed_bytes,); without a packer at once."""
        pointer = ffi.from_buffer("char[]", memory)
        self._owned.append(pointer)
        self._lay_out(row, pointer, memory.nbytes, packer)

    def _lay_out(self, row: int, memory: Any, size: int, packer: Packer | None) -> None:
        self.bytes += size
        self.memory.packed = memory
        if packer is None:
            lib.pq_packer_add(_NULL, row, self.memory, memory)
        else:
            packer.add(self, row, size)

    def _pointer(self, struct: str, name: str, field: _Field, value: Any) -> Any:
        array = np.ascontiguousarray(value)
        if field.element is not None and array.dtype != field.element:
            raise TypeError(f"{struct}.{name} takes {field.element.name}, got {array.dtype.name}")
        pointer = ffi.from_buffer(field.vector, array)
        self.bytes += array.nbytes
        self._owned.append(pointer)
        return pointer


class _Field(NamedTuple):
    """A pointer to numbers, their type and a C array of it; without them an array within the struct."""

    element: np.dtype[Any] | None
    vector: Any


@cache
def _struct(name: str) -> tuple[Any, list[str], list[tuple[str, _Field]]]:
    """The type of a pointer to a struct, the names of the fields that are to be given, and those that take arrays."""
    fields = [(field, type_.type) for field, type_ in ffi.typeof(name).fields if field != "packed"]
    arrays = [(field, _field(type_)) for field, type_ in fields if type_.kind != "primitive"]
    return ffi.typeof(f"{name} *"), [field for field, _ in fields], arrays


@cache
def _field(type_: Any) -> _Field:
    if type_.kind == "array":
        return _Field(None, None)
    element = _ELEMENTS.get(type_.item.cname.removeprefix("const "))
    vector = ffi.typeof(f"{type_.item.cname} []" if element else "char[]")
    return _Field(np.dtype(element) if element else None, vector)


def _new_room(size: int) -> Any:
    memory = lib.pq_packed_new(size)
    if memory == _NULL:
        raise MemoryError(f"no memory for {size} bytes of constants")
    return ffi.gc(memory, lib.pq_packed_free, size)


ALIGNMENT = 64
SMALLEST_ROOM, LARGEST_ROOM = 1 << 14, 1 << 20  # bytes that packed constants share
PAGES = 1 << 16  # bytes, a multiple of what a page has
WORTH_EXPECTING, MOST_EXPECTED = 1 << 19, 1 << 24  # bytes whose pages are made early
MOST_FORESEEN = 1 << 22  # of constants: the thread, which has to lay them out, too, is idle for about as many
WORTH_A_THREAD, WORTH_TELLING = 1 << 14, 1 << 11  # bytes to lay out; below, to start one and to tell it takes longer


def aligned(memory: np.ndarray) -> np.ndarray:
    """The part of it that starts at a multiple of 64. memory: (size + 64,) uint8 -> (size,) uint8"""
    start = -int(ffi.cast("uintptr_t", ffi.from_buffer(memory))) % ALIGNMENT
    return memory[start : start + memory.size - ALIGNMENT]
