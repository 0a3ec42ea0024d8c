"""Lookup tables for the C kernels of every operator whose output code depends on one input code alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pyquant.graph import Tensor
from pyquant.ops.operator import Call, Kernel, Launch

Codes = Callable[[Call, np.ndarray], np.ndarray]  # codes of the call's input "x" -> codes of its output "y"


def lut_kernels(codes: Codes, kinds: tuple[str, ...] = ("int8", "uint8", "int16")) -> Mapping[str, Kernel]:
    """The C kernels of an operator that is `codes`, where input and output are equally wide."""

    def fill(call: Call) -> Launch | None:
        x, y = call["x"], call["y"]
        if x.dtype.bits != y.dtype.bits or not (x.dtype.is_quantized_integer and y.dtype.is_quantized_integer):
            return None
        return Launch(x.size, {"table": codes(call, every_code(x))})

    return {kind: Kernel("lut_x16" if kind == "int16" else "lut_x8", "pq_lut", fill) for kind in kinds}


def every_code(x: Tensor) -> np.ndarray:
    """All codes of a tensor's type, in the order of their bits: 0, 1, ..., -2, -1 where it is signed."""
    assert x.dtype.numpy is not None
    return np.arange(1 << x.dtype.bits, dtype=f"uint{x.dtype.bits}").view(x.dtype.numpy)
