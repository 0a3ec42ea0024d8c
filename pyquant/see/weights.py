"""How far the real values of two constants lie apart."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from pyquant.dtypes import BY_NAME
from pyquant.errors import GraphError
from pyquant.graph import Tensor
from pyquant.graph.real import real, real_values

BYTES_AT_ONCE = 1 << 24
ELEMENTS_AT_ONCE = 1 << 20
RAW_BITS = {BY_NAME[name] for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2")}  # floats that NumPy does not have


@dataclass(frozen=True)
class Distance:
    """sqnr: the power of the first's real values over that of the difference, in dB; max_difference: in real values."""

    sqnr: float
    max_difference: float


def same_bytes(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    """Whether two buffers, (n,) uint8 or None, hold the same, without a copy. None holds nothing."""
    if a is None or b is None or a.size != b.size:
        return (0 if a is None else a.size) == (0 if b is None else b.size)
    if a.ctypes.data == b.ctypes.data:
        return True
    starts = range(0, a.size, BYTES_AT_ONCE)
    return all(np.array_equal(a[i : i + BYTES_AT_ONCE], b[i : i + BYTES_AT_ONCE]) for i in starts)


def stored_alike(a: Tensor, b: Tensor) -> bool:
    """Whether two constants are the same bytes with the same meaning."""
    alike = (a.dtype, a.shape, a.sparsity) == (b.dtype, b.shape, b.sparsity) and _same_scales(a, b)
    data = [None if t.buffer is None else t.buffer.data for t in (a, b)]
    return alike and same_bytes(*data)


def distance(a: Tensor, b: Tensor) -> Distance:
    """Between two constants of one shape, of any types. Raises GraphError for values that cannot be read."""
    signal = noise = largest = 0.0
    with np.errstate(all="ignore"):  # constants may hold NaN and infinity
        for x, y in zip(_pieces(a), _pieces(b), strict=True):
            difference = x - y
            signal += float(np.vdot(x, x))
            noise += float(np.vdot(difference, difference))
            largest = max(largest, float(np.abs(difference).max(initial=0)))
        return Distance(float(10 * np.log10(np.float64(signal) / noise)) if noise else math.inf, largest)


def _same_scales(a: Tensor, b: Tensor) -> bool:
    """Equal quantization; the tensors that it names count by content."""
    p, q = a.quantization, b.quantization
    if p is None or q is None or p.tensors.keys() != q.tensors.keys():
        return p == q
    named = all(stored_alike(tensor, q.tensors[name]) for name, tensor in p.tensors.items())
    return named and replace(p, tensors={}) == replace(q, tensors={})


def _pieces(tensor: Tensor) -> Iterator[np.ndarray]:
    """The real values in float64, a part of the first dimension that is not 1 at a time."""
    quantization, axis = tensor.quantization, 0
    if quantization is not None and quantization.details is not None:
        stored, quantization = real_values(tensor), None
    else:
        found = tensor.data
        if found is None or tensor.dtype in RAW_BITS or found.dtype.kind in "OcV":
            raise GraphError(f"tensor {tensor.name!r}: values of {tensor.dtype} cannot be compared")
        stored = found
    while axis < stored.ndim - 1 and stored.shape[axis] == 1:
        axis += 1
    length = stored.shape[axis] if stored.ndim else 1
    if quantization is not None and not quantization.zero_point.size:
        quantization = replace(quantization, zero_point=np.zeros(1, np.int64))
    step = max(1, ELEMENTS_AT_ONCE * length // max(stored.size, 1))
    for start in range(0, length, step):
        part = stored[(slice(None),) * axis + (slice(start, start + step),)] if stored.ndim else stored
        if quantization is None or not quantization.scale.size or tensor.dtype.is_float:
            yield part.astype(np.float64)
        elif quantization.per_axis and quantization.axis == axis:
            scales = slice(start, start + step)
            zero_point = quantization.zero_point
            zero_point = zero_point[scales] if zero_point.size > 1 else zero_point
            yield real(part, replace(quantization, scale=quantization.scale[scales], zero_point=zero_point))
        else:
            yield real(part, quantization)
