"""The kernel table and the instruction sets, as this build of the C side has them."""

from __future__ import annotations

from functools import cache
from itertools import count, takewhile
from typing import NamedTuple

from pyquant.native._pq import ffi, lib


class Row(NamedTuple):
    """One kernel. operation: conv2d_s8; isa: x86_avx2; available: this processor can run it; index: its row in C."""

    operation: str
    isa: str
    available: bool
    index: int

    @property
    def name(self) -> str:
        """conv2d_s8_x86_avx2"""
        return f"{self.operation}_{self.isa}"


@cache
def isas() -> tuple[str, ...]:
    """The instruction sets that this processor has and this build knows, best first, scalar last."""
    known = takewhile(lambda i: lib.pq_isa(i) != ffi.NULL, count())
    return tuple(ffi.string(lib.pq_isa(i)).decode() for i in known if lib.pq_isa_available(i))


def rows() -> tuple[Row, ...]:
    """The kernel table: for each operation the best instruction set first, scalar last."""
    return _ROWS


@cache
def rows_of(operation: str) -> tuple[Row, ...]:
    """The kernels of one operation, in the table's order; none where there is no such operation."""
    return tuple(_BY_OPERATION.get(operation, ()))


def _read() -> tuple[Row, ...]:
    size = ffi.new("int32_t *")
    table, available = lib.pq_rows(size), isas()
    names = [(ffi.string(table[i].operation).decode(), ffi.string(table[i].isa).decode()) for i in range(size[0])]
    return tuple(Row(operation, isa, isa in available, i) for i, (operation, isa) in enumerate(names))


_ROWS = _read()
_BY_OPERATION: dict[str, list[Row]] = {}
for _row in _ROWS:
    _BY_OPERATION.setdefault(_row.operation, []).append(_row)
