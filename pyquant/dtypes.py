"""The one table of tensor element types: wire code, NumPy type, width and integer range."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from pyquant.errors import GraphError


@dataclass(frozen=True, eq=False)
class DType:
    """An element type. `numpy` is the type of one unpacked element: object for strings, of bytes; None for handles.

    There is one object for each type.
    """

    name: str
    code: int  # TensorType in schema/tflite.fbs
    bits: int  # width in the file; 4 and 2 are packed, lowest bits first; 0 is no fixed width
    numpy: np.dtype | None
    lo: int | None = None
    hi: int | None = None
    is_float: bool = field(init=False)
    is_quantized_integer: bool = field(init=False)  # it carries activations or weights with a scale

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_float", "float" in self.name)
        whole = ("int8", "uint8", "int16", "int4", "int2", "uint4")
        object.__setattr__(self, "is_quantized_integer", self.name in whole)

    @property
    def zero(self) -> int | bytes:
        """What an element holds before anything is written."""
        return b"" if self.name == "string" else 0

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the greatest integer. Raises GraphError for a type that holds none."""
        if self.lo is None or self.hi is None:
            raise GraphError(f"{self} holds no integers")
        return self.lo, self.hi

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return by_code, (self.code,)


def _row(code: int, name: str, bits: int, numpy: str | None, signed: bool | None = None) -> DType:
    if signed is None:
        return DType(name, code, bits, np.dtype(numpy) if numpy else None)
    lo, hi = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    return DType(name, code, bits, np.dtype(numpy), lo, hi)


DTYPES: tuple[DType, ...] = (
    _row(0, "float32", 32, "float32"),
    _row(1, "float16", 16, "float16"),
    _row(2, "int32", 32, "int32", signed=True),
    _row(3, "uint8", 8, "uint8", signed=False),
    _row(4, "int64", 64, "int64", signed=True),
    _row(5, "string", 0, "object"),
    _row(6, "bool", 8, "bool"),
    _row(7, "int16", 16, "int16", signed=True),
    _row(8, "complex64", 64, "complex64"),
    _row(9, "int8", 8, "int8", signed=True),
    _row(10, "float64", 64, "float64"),
    _row(11, "complex128", 128, "complex128"),
    _row(12, "uint64", 64, "uint64", signed=False),
    _row(13, "resource", 0, None),
    _row(14, "variant", 0, None),
    _row(15, "uint32", 32, "uint32", signed=False),
    _row(16, "uint16", 16, "uint16", signed=False),
    _row(17, "int4", 4, "int8", signed=True),
    _row(18, "bfloat16", 16, "uint16"),  # raw bits
    _row(19, "int2", 2, "int8", signed=True),
    _row(20, "uint4", 4, "uint8", signed=False),
    _row(21, "float8_e4m3fn", 8, "uint8"),  # raw bits
    _row(22, "float8_e5m2", 8, "uint8"),  # raw bits
)
BY_CODE: dict[int, DType] = {d.code: d for d in DTYPES}
BY_NAME: dict[str, DType] = {d.name: d for d in DTYPES}

FLOAT32, FLOAT16, BFLOAT16, INT32, UINT8, INT64, INT16, INT8, BOOL, STRING = (
    BY_NAME[n] for n in ("float32", "float16", "bfloat16", "int32", "uint8", "int64", "int16", "int8", "bool", "string")
)


@cache
def _newer(code: int) -> DType:
    return DType(f"type_{code}", code, 0, None)


def by_code(code: int) -> DType:
    """The type with that code in the file; one without arrays for a code that the schema does not know."""
    return BY_CODE.get(code) or _newer(code)


def dtype(spec: DType | str | np.dtype | type) -> DType:
    """The DType for a name, a NumPy type or a DType. Raises GraphError for one that TFLite does not have."""
    if isinstance(spec, DType):
        return spec
    name = spec if isinstance(spec, str) else np.dtype(spec).name
    if name not in BY_NAME:
        raise GraphError(f"element type {name!r} is not one of {', '.join(BY_NAME)}")
    return BY_NAME[name]
