"""Real values of weights as their tensors store them, floats or codes."""

from __future__ import annotations

import numpy as np

from pyquant.dtypes import BFLOAT16
from pyquant.graph import Tensor
from pyquant.graph.real import to_bfloat16


def encoded(tensor: Tensor, values: np.ndarray | float) -> np.ndarray:
    """Real values, which broadcast to its shape, as a constant of the tensor's type, scales and zero points."""
    if tensor.dtype is BFLOAT16:
        return to_bfloat16(np.broadcast_to(np.float32(values), tensor.shape))
    if tensor.dtype.is_float or tensor.quantization is None:
        return np.broadcast_to(values, tensor.shape).astype(tensor.dtype.numpy)
    scale, zero_point = _steps(tensor)
    low, high = tensor.dtype.limits
    low = low if np.any(zero_point) else max(low, -high)  # kernels take weights to be symmetric
    codes = np.clip(np.rint(values / scale) + zero_point, low, high)
    return np.broadcast_to(codes, tensor.shape).astype(tensor.dtype.numpy)


def zeros(tensor: Tensor) -> np.ndarray:
    """True where a constant stands for 0."""
    return np.asarray(tensor.data == encoded(tensor, 0.0))


def without(tensor: Tensor, gone: np.ndarray) -> np.ndarray:
    """The constant with other elements as they are, and 0 where they are gone."""
    data = tensor.data
    assert data is not None
    return np.where(gone, encoded(tensor, 0.0), data)


def _steps(tensor: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Scales and zero points, to broadcast to its shape."""
    q = tensor.quantization
    assert q is not None
    if q.details is None:
        shape = [-1 if i == q.axis and q.per_axis else 1 for i in range(len(tensor.shape))]
        zero_points = q.zero_point.reshape(shape if q.zero_point.size > 1 else ())
        return q.scale.astype(np.float64).reshape(shape if q.per_axis else ()), zero_points
    size, found = q.details.fields.get("block_size", 0), q.tensors.get("zero_points")
    zero_points = np.zeros(1) if found is None or found.data is None else found.data
    scales = q.tensors["scales"].data
    assert scales is not None
    return scales.astype(np.float64).repeat(size, -1), zero_points.repeat(size if zero_points.ndim > 1 else 1, -1)
