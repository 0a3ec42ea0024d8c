"""The real values that stored integers stand for."""

from __future__ import annotations

import numpy as np

from pyquant.dtypes import BFLOAT16, FLOAT16, FLOAT32
from pyquant.errors import GraphError
from pyquant.graph.model import Quantization, Tensor


def real(stored: np.ndarray, quantization: Quantization) -> np.ndarray:
    """scale * (stored - zero point) in float64, in the shape of `stored`; for one scale, per axis, or in blocks."""
    if quantization.details is not None:
        return _blockwise(stored, quantization)
    wide: np.ndarray = stored.astype(np.float64)
    shape = [-1 if i == quantization.axis and quantization.per_axis else 1 for i in range(stored.ndim)]
    wide -= quantization.zero_point.reshape(shape if quantization.zero_point.size > 1 else ())
    wide *= quantization.scale.reshape(shape if quantization.per_axis else ())
    return wide


def real_values(tensor: Tensor) -> np.ndarray:
    """The values of a constant as float32, in its shape. Raises GraphError for one that is neither float nor quantized.

    Blockwise quantized weights (O, I) take scale [o, i // block size].
    """
    stored, q = tensor.data, tensor.quantization
    if stored is not None and tensor.dtype in (FLOAT32, FLOAT16):
        return stored.astype(np.float32, copy=False)
    if stored is not None and tensor.dtype is BFLOAT16:
        return from_bfloat16(stored)
    if stored is None or q is None:
        raise GraphError(f"tensor {tensor.name!r}: expected a constant, float or quantized, found {tensor.dtype}")
    if q.details is not None:
        try:
            return _blockwise(stored, q).astype(np.float32)
        except GraphError as error:
            raise GraphError(f"tensor {tensor.name!r}: {error}") from None
    sizes = {1, stored.shape[q.axis]} if 0 <= q.axis < stored.ndim else {1}
    if q.scale.size not in sizes or q.zero_point.size not in (1, q.scale.size):
        found = f"{q.scale.size} scales and {q.zero_point.size} zero points on axis {q.axis}"
        raise GraphError(f"tensor {tensor.name!r}: found {found} for shape {stored.shape}")
    return real(stored, q).astype(np.float32)


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """float32 of the upper halves of its bits, uint16."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    """The upper halves of the bits of float32, uint16: rounded to nearest, ties to even; a NaN stays one."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(values), (bits >> 16) | 0x40, rounded).astype(np.uint16)


def _blockwise(stored: np.ndarray, quantization: Quantization) -> np.ndarray:
    details, scales = quantization.details, quantization.tensors.get("scales")
    assert details is not None
    size = details.fields.get("block_size", 0)
    if scales is None or scales.data is None or scales.shape != (*stored.shape[:-1], stored.shape[-1] // max(size, 1)):
        raise GraphError(f"pyquant does not read values of this {details.table}")
    blocks: np.ndarray = stored.reshape(*scales.shape, size).astype(np.float64)
    zero_points = quantization.tensors.get("zero_points")
    if zero_points is not None and zero_points.data is not None:
        blocks -= zero_points.data.reshape(scales.shape)[..., None]
    blocks *= scales.data[..., None].astype(np.float64)
    return blocks.reshape(stored.shape)
