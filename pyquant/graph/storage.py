"""A tensor's constant between its two forms: raw bytes in a Buffer, and an array of the tensor's shape and type."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pyquant.dtypes import BOOL, STRING
from pyquant.errors import GraphError, RangeError, ShapeError
from pyquant.graph.sparsity import positions, stored_values

if TYPE_CHECKING:
    from pyquant.graph.lookup import Lookup
    from pyquant.graph.model import Buffer, Tensor


def load(tensor: Tensor) -> np.ndarray | None:
    """The constant of a tensor, None where it has none. Read-only: a view on the file, or unpacked.

    int4, int2 and uint4 come one element a byte; strings as an object array of bytes. Raises GraphError where the
    buffer does not hold what shape and type need.
    """
    buffer, dtype, shape = tensor.buffer, tensor.dtype, tensor.shape
    raw = None if buffer is None else buffer.data
    if raw is None or not raw.size:
        if buffer is None and tensor.extra.get("external_buffer"):
            raise GraphError(
                f"tensor {tensor.name!r}: its data lies in another file, which is not there: see the model's warnings"
            )
        return None
    if tensor.sparsity is not None:
        return _frozen(_dense(tensor, raw))
    if tensor.lookup is not None:
        return _frozen(_looked_up(tensor, tensor.lookup, raw))
    if dtype is STRING:
        return _frozen(_split_strings(raw, tensor.size, tensor.name).reshape(shape))
    if dtype.numpy is None:
        raise GraphError(f"tensor {tensor.name!r}: type {dtype} has no array form")
    size = math.prod(shape)
    needed = (size * dtype.bits + 7) // 8
    if raw.size != needed or (shape and min(shape) < 0):
        raise GraphError(f"tensor {tensor.name!r}: {dtype} {shape} needs {needed} bytes, its buffer has {raw.size}")
    if dtype.bits < 8:
        return _frozen(_unpack(raw, dtype.bits, dtype.numpy)[:size].reshape(shape))
    if dtype is BOOL and raw.max(initial=0) > 1:
        raw = (raw != 0).view(np.uint8)  # NumPy's own bool holds 0 and 1 only
    array = raw.view(dtype.numpy).reshape(shape)
    flags = array.flags
    return array if flags.aligned and not flags.writeable else _frozen(array if flags.aligned else array.copy())


def _dense(tensor: Tensor, raw: np.ndarray) -> np.ndarray:
    """The array of a sparse-encoded tensor, zero where nothing is stored."""
    try:
        count = stored_values(tensor)
    except ValueError as error:
        raise GraphError(f"tensor {tensor.name!r}: sparsity: {error}") from error
    kind, bits = tensor.dtype.numpy, tensor.dtype.bits
    if kind is None or raw.size != (count * bits + 7) // 8:
        found = f"{count} sparse values of {tensor.dtype} are not what its buffer of {raw.size} holds"
        raise GraphError(f"tensor {tensor.name!r}: {found}")
    values = _unpack(raw, bits, kind)[:count] if bits < 8 else np.frombuffer(raw.tobytes(), kind)
    dense = np.zeros(tensor.size, kind)
    dense[positions(tensor)] = values
    return dense.reshape(tensor.shape)


def _looked_up(tensor: Tensor, lookup: Lookup, raw: np.ndarray) -> np.ndarray:
    """The array of a tensor whose buffer holds indices."""
    q, dtype = tensor.quantization, tensor.dtype
    if dtype.numpy is None or dtype.bits < 8 or dtype.numpy.hasobject:
        raise GraphError(f"tensor {tensor.name!r}: {dtype} is not looked up")
    axis = q.axis if q is not None and q.per_axis else None
    try:
        return lookup.dense(raw, tensor.shape, dtype.numpy, axis)
    except ValueError as error:
        raise GraphError(f"tensor {tensor.name!r}: {error}") from error


def store(tensor: Tensor, value: np.ndarray | None) -> Buffer | None:
    """A buffer that holds `value` as the tensor's shape and type ask; it shares the array's memory where it can.

    Raises ShapeError for another shape and RangeError for values that the type does not hold.
    """
    from pyquant.graph.model import Buffer

    if value is None:
        return None
    given = np.asarray(value)
    if given.shape != tensor.shape:
        raise ShapeError(f"tensor {tensor.name!r}: expected shape {tensor.shape}, found {given.shape}")
    if tensor.dtype.name == "string":
        return Buffer(_frozen(_join_strings(given)))
    array = _typed(tensor, given)
    if tensor.dtype.bits < 8:
        return Buffer(_frozen(_pack(array.reshape(-1).view(np.uint8), tensor.dtype.bits)))
    return Buffer(_frozen(np.ascontiguousarray(array).reshape(-1).view(np.uint8)))


def _typed(tensor: Tensor, given: np.ndarray) -> np.ndarray:
    """The array in the tensor's type, if that loses nothing (floats may be rounded to a narrower float)."""
    dtype = tensor.dtype
    if dtype.numpy is None:
        raise GraphError(f"tensor {tensor.name!r}: type {dtype} has no array form")
    with np.errstate(over="ignore", invalid="ignore"):
        array = given.astype(dtype.numpy, copy=False)
    exact = array is given or (given.dtype.kind in "fc" and dtype.is_float) or np.array_equal(array, given)
    within = dtype.bits >= 8 or not array.size or (array.min() >= dtype.lo and array.max() <= dtype.hi)
    if not (exact and within):
        raise RangeError(f"tensor {tensor.name!r}: values of {given.dtype} are not all {dtype}")
    return array


def _frozen(array: np.ndarray) -> np.ndarray:
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def _unpack(raw: np.ndarray, bits: int, dtype: np.dtype) -> np.ndarray:
    """Packed elements, lowest bits first, one a byte. raw: (n,) -> (n * 8 / bits,)."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    elements = (raw[:, None] >> shifts) & np.uint8((1 << bits) - 1)
    if dtype.kind == "i":
        sign = np.uint8(1 << (bits - 1))
        elements = (elements ^ sign) - sign
    return elements.reshape(-1).view(dtype)


def _pack(elements: np.ndarray, bits: int) -> np.ndarray:
    """The inverse: (n,) uint8 -> (ceil(n * bits / 8),), the rest of the last byte zero."""
    per_byte = 8 // bits
    packed = np.zeros(-(-elements.size // per_byte), np.uint8)
    for i in range(per_byte):
        part = elements[i::per_byte] & np.uint8((1 << bits) - 1)
        packed[: part.size] |= part << np.uint8(i * bits)
    return packed


def string_fault(raw: np.ndarray, count: int) -> str | None:
    """Why a buffer, (n,) uint8, does not hold `count` strings: int32 count, count + 1 int32 offsets, the bytes."""
    head = raw[: raw.size // 4 * 4].view("<i4")[: count + 2]
    if head.size < count + 2 or head[0] != count:
        return f"found {head[0] if head.size else 'no'} strings in {raw.size} bytes, expected {count}"
    ends = head[1:]
    if ends[0] != 4 * head.size or ends[-1] > raw.size or (ends[1:] < ends[:-1]).any():
        return f"the offsets of its strings do not rise from {4 * head.size} to at most {raw.size}"
    return None


def _split_strings(raw: np.ndarray, count: int, name: str) -> np.ndarray:
    fault = string_fault(raw, count)
    if fault:
        raise GraphError(f"tensor {name!r}: {fault}")
    data = raw.tobytes()
    strings = np.empty(count, object)
    strings[:] = [data[start:end] for start, end in pairwise(np.frombuffer(data, "<i4", count + 1, 4).tolist())]
    return strings


def _join_strings(strings: np.ndarray) -> np.ndarray:
    parts = [s.encode() if isinstance(s, str) else bytes(s) for s in strings.reshape(-1).tolist()]
    start = 4 * (len(parts) + 2)
    offsets = start + np.cumsum([0, *map(len, parts)])
    head = np.array([len(parts), *offsets], "<i4").tobytes()
    return np.frombuffer(head + b"".join(parts), np.uint8)
