"""The range of outputs: of an element type, and of a fused activation."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyquant.errors import GraphError
from pyquant.fixed import activation_bounds, activation_range
from pyquant.graph import Tensor
from pyquant.ops.operator import Call


def output_range(call: Call) -> tuple[float, float]:
    """The least and the greatest "y": codes of an integer type (in ones where it has no scale), bounds of float32."""
    y, options = call["y"], call.options if call.operator.options else None
    activation = getattr(options, "fused_activation_function", 0)
    if y.dtype.is_float:
        lo, hi = activation_bounds(activation)
        return float(lo), float(hi)
    scale, zero_point = (y.scale, y.zero_point) if y.is_quantized else (1.0, 0)
    return activation_range(activation, scale, zero_point, y.dtype)


def clamp(call: Call, values: Any) -> np.ndarray:
    """values brought into the range and type of "y"."""
    clamped: np.ndarray = np.clip(values, *output_range(call)).astype(call["y"].dtype.numpy)
    return clamped


def saturate(codes: Any, tensor: Tensor) -> np.ndarray:
    """codes brought into a tensor's integer type."""
    if tensor.dtype.lo is None:
        raise GraphError(f"tensor {tensor.name!r} is {tensor.dtype}, expected integers")
    saturated: np.ndarray = np.clip(codes, tensor.dtype.lo, tensor.dtype.hi).astype(tensor.dtype.numpy)
    return saturated
