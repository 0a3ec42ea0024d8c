"""Real numbers to the integers that a file holds, and how far they reach, in one pass each."""

from __future__ import annotations

import math

import numpy as np

from pyquant.native._pq import ffi, lib
from pyquant.native.params import Params
from pyquant.native.table import rows_of


def round_codes(
    values: np.ndarray,
    scale: np.ndarray,
    axis: int,
    zero: int,
    lo: int,
    hi: int,
    codes: np.ndarray,
    isa: str | None = None,
) -> None:
    """round(value / scale) + zero within lo..hi, ties away from zero, into `codes`, contiguous int8 or int16.

    values: float32 without NaN; scale: float32, (1,) or one for each index of `axis`.
    """
    scales = np.ascontiguousarray(scale, np.float32)
    sizes = _sizes(values.shape, axis if scales.size > 1 else None)
    limits = {"scale": scales, "zero": zero, "lo": lo, "hi": hi, "wide": int(codes.dtype == np.int16)}
    _run("codes_f32", Params("pq_codes", sizes | limits), values, codes, isa)


def magnitudes(values: np.ndarray, axis: int | None, isa: str | None = None) -> np.ndarray:
    """The greatest |value| for each index of `axis`, or of all, (1,). NaN where there is one. float32"""
    sizes = _sizes(values.shape, axis)
    most = np.zeros(sizes["channels"], np.float32)
    _run("magnitudes_f32", Params("pq_magnitudes", sizes), values, most, isa)
    return most


def _sizes(shape: tuple[int, ...], axis: int | None) -> dict[str, int]:
    if axis is None:
        return {"outer": 1, "channels": 1, "inner": math.prod(shape)}
    return {"outer": math.prod(shape[:axis]), "channels": shape[axis], "inner": math.prod(shape[axis + 1 :])}


def _run(operation: str, params: Params, values: np.ndarray, result: np.ndarray, isa: str | None) -> None:
    """By the best kernel that there is, or by that of `isa`."""
    row = next(row for row in rows_of(operation) if row.available and isa in (None, row.isa))
    x = np.ascontiguousarray(values, np.float32)
    inputs, outputs = ffi.new("void *[]", [ffi.from_buffer(x)]), ffi.new("void *[]", [ffi.from_buffer(result)])
    step = ffi.new("pq_step *", {"params": params.memory, "in": inputs, "out": outputs, "units": 1})
    lib.pq_rows(ffi.new("int32_t *"))[row.index].run(step, 0, 1)
