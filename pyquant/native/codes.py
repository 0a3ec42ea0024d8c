"""Real numbers to the integers that a file holds, and how far they reach, in one pass each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyquant.native.params import Packer, Params
from pyquant.native.table import rows_of


def round_codes(
    values: np.ndarray,
    scale: np.ndarray,
    axis: int,
    zero: int,
    lo: int,
    hi: int,
    codes: np.ndarray,
    packer: Packer | None = None,
    isa: str | None = None,
) -> None:
    """round(value / scale) + zero within lo..hi, ties away from zero, into `codes`, contiguous int8 or int16.

    values: float32 without NaN; scale: float32, (1,) or one for each index of `axis`. packer: they are there when it
    has finished.
    """
    scales = np.ascontiguousarray(scale, np.float32)
    sizes = _sizes(values.shape, axis if scales.size > 1 else None)
    limits = {"scale": scales, "zero": zero, "lo": lo, "hi": hi, "wide": int(codes.dtype == np.int16)}
    _lay_out("codes_f32", "pq_codes", sizes | limits, values, codes, packer, isa)


def magnitudes(values: np.ndarray, axis: int | None, isa: str | None = None) -> np.ndarray:
    """The greatest |value| for each index of `axis`, or of all, (1,). NaN where there is one. float32"""
    sizes = _sizes(values.shape, axis)
    most = np.empty(sizes["channels"], np.float32)
    _lay_out("magnitudes_f32", "pq_magnitudes", sizes, values, most, None, isa)
    return most


def _sizes(shape: tuple[int, ...], axis: int | None) -> dict[str, int]:
    if axis is None:
        return {"outer": 1, "channels": 1, "inner": math.prod(shape)}
    return {"outer": math.prod(shape[:axis]), "channels": shape[axis], "inner": math.prod(shape[axis + 1 :])}


def _lay_out(
    operation: str,
    struct: str,
    fields: dict[str, Any],
    values: np.ndarray,
    result: np.ndarray,
    packer: Packer | None,
    isa: str | None,
) -> None:
    """By the best kernel that there is, or by that of `isa`."""
    row = next(row for row in rows_of(operation) if row.available and isa in (None, row.isa))
    Params(struct, fields | {"x": np.asarray(values, np.float32)}).lay_out(row.index, result, packer)
