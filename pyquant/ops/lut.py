"""Lookup tables: of every operator whose output code depends on one input code alone, and of functions of int16."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pyquant.fixed import round_half_away
from pyquant.graph import Tensor
from pyquant.ops.operator import Call, Kernel, Launch

Codes = Callable[[Call, np.ndarray], np.ndarray]  # codes of the call's input "x" -> codes of its output "y"


def lut_kernels(codes: Codes, kinds: tuple[str, ...] = ("int8", "uint8", "int16")) -> Mapping[str, Kernel]:
    """The C kernels of an operator that is `codes`, where input and output are equally wide."""

    def fill(call: Call) -> Launch | None:
        x, y = call["x"], call["y"]
        if x.dtype.bits != y.dtype.bits or not (x.dtype.is_quantized_integer and y.dtype.is_quantized_integer):
            return None
        return Launch(x.size, {"table": codes(call, every_code(x))}, in_place=True)

    return {kind: Kernel("lut_x16" if kind == "int16" else "lut_x8", "pq_lut", fill) for kind in kinds}


def every_code(x: Tensor) -> np.ndarray:
    """All codes of a tensor's type, in the order of their bits: 0, 1, ..., -2, -1 where it is signed."""
    assert x.dtype.numpy is not None
    return np.arange(1 << x.dtype.bits, dtype=f"uint{x.dtype.bits}").view(x.dtype.numpy)


def int16_table(function: Callable[[np.ndarray], np.ndarray], low: Any, high: Any, steps: Any) -> np.ndarray:
    """513 nodes of a function on low..high, `steps` to 1, less half of the bend up to the next. -> (513,) int16

    Computed in the type of low.
    """
    kind = np.asarray(low).dtype
    step = (high - low) / kind.type(512)
    here = low + np.arange(513, dtype=kind) * step
    here[512] = high
    node = round_half_away(function(here) * steps)
    after = function(low + np.arange(1, 513, dtype=kind) * step) * steps
    middle = round_half_away(function(here[:512] + step / kind.type(2)) * steps)
    chord = round_half_away((after + node[:512]) / kind.type(2))
    node[:512] -= round_half_away((chord - middle) / kind.type(2))
    table: np.ndarray = np.clip(node, -32768, 32767).astype(np.int16)
    return table


def lookup(table: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Linear interpolation between the nodes of an int16 table. x: int16 values in int64 -> int64"""
    i, fraction = 256 + (x >> 7), x & 127
    slope = (table[i + 1] - table[i]).astype(np.int64)
    y: np.ndarray = table[i].astype(np.int64) + ((slope * fraction + 64) >> 7)
    return y
