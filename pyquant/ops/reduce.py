"""MEAN over any axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyquant.errors import ShapeError
from pyquant.fixed import multiply, quantize_multiplier, wrap32
from pyquant.ops.axes import axis_of
from pyquant.ops.clamp import saturate
from pyquant.ops.kinds import QUANTIZED, typed_kernels
from pyquant.ops.operator import Call, Floor, Launch, Operator, Reference, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.ties import reduced_ties

# of the terms of each result, in row-major order, (terms, results) -> the results
Reduced = Callable[[Call, np.ndarray], np.ndarray]


def reduced_axes(call: Call, rank: int, named: np.ndarray | None = None) -> tuple[int, ...]:
    """The axes that the input "axes" names, each once, counted from the front. named: its value in a run."""
    named = call.constant("axes") if named is None else named
    if named is None:
        raise ShapeError(f"{call.label}: axes must be constant")
    return tuple(sorted({axis_of(call, axis, rank) for axis in named.flat}))


def reduced_any_shape(call: Call, x: Shape, axes: Shape | None = None) -> list[Shape]:
    keep = call.options.keep_dims
    if call.constant("axes") is None:
        return [(-1,) * (len(x) if keep else max(len(x) - call["axes"].size, 0))]
    reduced = reduced_axes(call, len(x))
    return [tuple(1 if i in reduced else n for i, n in enumerate(x) if keep or i not in reduced)]


def reduced_shape(call: Call, x: Shape, axes: Shape | None = None) -> list[Shape]:
    if not call["x"].dtype.is_float and 0 in x and any(x[i] == 0 for i in reduced_axes(call, len(x))):
        raise ShapeError(f"{call.label}: integers have no mean of no elements, input is {x}")
    return reduced_any_shape(call, x, axes)


def reduction(function: Reduced) -> Reference:
    def reduce(call: Call, x: np.ndarray, axes: np.ndarray) -> np.ndarray:
        reduced, keep = reduced_axes(call, x.ndim, axes), call.options.keep_dims
        terms = math.prod(x.shape[i] for i in reduced)
        shape = tuple(1 if i in reduced else n for i, n in enumerate(x.shape) if keep or i not in reduced)
        first = np.moveaxis(x, reduced, range(len(reduced))).reshape(terms, math.prod(shape))
        return function(call, first).reshape(shape)

    return reduce


def mean_float(call: Call, terms: np.ndarray) -> np.ndarray:
    """Sums grow term by term, in float32; the mean of nothing is NaN."""
    total = np.cumsum(terms, axis=0)[-1] if len(terms) else np.zeros(terms.shape[1], terms.dtype)
    means: np.ndarray = total / np.float32(len(terms))
    return means


def mean_quantized(call: Call, terms: np.ndarray) -> np.ndarray:
    p = mean_scaling(call, len(terms))
    total = wrap32(terms.sum(axis=0, dtype=np.int64) + p["offset"])
    means = multiply(total, p["multiplier"], p["exponent"]) + p["zero_point"]
    return saturate(means, call["y"])


def mean_scaling(call: Call, terms: int) -> dict[str, Any]:
    """code = clamp(scaled(sum + offset) + zero_point), where the multiplier also divides by the number of terms."""
    x, y = call["x"], call["y"]
    m, e = (int(v) for v in quantize_multiplier(float(x.scale) / float(y.scale)))
    bits = min(terms.bit_length() - 1, 32, 31 + e)
    return {
        "offset": int(wrap32(-x.zero_point * terms)),
        "multiplier": (m << bits) // terms,
        "exponent": e - bits,
        "zero_point": y.zero_point,
        "lo": y.dtype.lo,
        "hi": y.dtype.hi,
    }


Scaling = Callable[[Call, int], dict[str, Any]]  # of the kernels, for a number of terms


def reduction_params(call: Call, scaling: Scaling | None = None, divided: bool = False) -> Launch | None:
    """One unit reduces one contiguous run: of the axes behind the last reduced one. scaling: None for what has none."""
    x = call["x"]
    if x.size == 0 or x.dtype != call["y"].dtype or call.constant("axes") is None:
        return None
    shape, reduced = x.shape, reduced_axes(call, len(x.shape))
    behind = max((i + 1 for i in reduced if shape[i] > 1), default=0)
    inner = math.prod(shape[behind:])
    starts = _positions(shape, [i for i in range(behind) if i not in reduced])
    offsets = _positions(shape, [i for i in range(behind) if i in reduced])
    params: dict[str, Any] = dict.fromkeys(("offset", "multiplier", "exponent", "zero_point", "lo", "hi"), 0)
    if scaling is not None and not x.dtype.is_float:
        params |= scaling(call, offsets.size)
    params |= {"inner": inner, "terms": offsets.size, "starts": starts, "offsets": offsets}
    params["divisor"] = offsets.size if divided else 1
    return Launch(starts.size, params, cost=inner * offsets.size)


def mean_params(call: Call) -> Launch | None:
    return reduction_params(call, mean_scaling, divided=True)


def _positions(shape: Shape, axes: Sequence[int]) -> np.ndarray:
    """Where the elements are that have index 0 on all other axes, in row-major order. -> (n,) int64"""
    positions = np.zeros(1, np.int64)
    for i in axes:
        if shape[i] != 1:
            positions = (positions[:, None] + np.arange(shape[i]) * math.prod(shape[i + 1 :])).ravel()
    return positions


MEAN = register(
    Operator(
        "MEAN",
        options="ReducerOptions",
        inputs=(Slot("x"), Slot("axes", role="data")),
        outputs=(Slot("y", floors=(Floor(("x",), {"int8": 2.0**-20, "int16": 2.0**-12}),)),),
        shape=reduced_shape,
        ties=reduced_ties(reduced_axes),
        reference={"float32": reduction(mean_float), **dict.fromkeys(QUANTIZED, reduction(mean_quantized))},
        kernels=typed_kernels("mean", "pq_mean", mean_params, doubly=True),
        homogeneous=(("x",),),
    )
)
