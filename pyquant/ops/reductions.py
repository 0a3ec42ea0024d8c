"""SUM, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD, REDUCE_ANY and REDUCE_ALL over any axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pyquant.errors import ShapeError
from pyquant.fixed import multiply, multiply64, quantize_multiplier, wrap32
from pyquant.ops.clamp import saturate
from pyquant.ops.kinds import QUANTIZED, typed_kernels
from pyquant.ops.operator import Call, Floor, Kernel, Launch, Operator, Reference, SameAs, Slot
from pyquant.ops.reduce import Reduced, reduced_any_shape, reduced_axes, reduction, reduction_params
from pyquant.ops.registry import register
from pyquant.ops.ties import reduced_ties


def total(call: Call, terms: np.ndarray) -> np.ndarray:
    """Term by term, in the type of x."""
    return _last(np.cumsum(terms, axis=0, dtype=terms.dtype), terms, 0)


def total_codes(call: Call, terms: np.ndarray) -> np.ndarray:
    """What both runtimes' int8 kernel means to do; their reference one takes the codes for uint8."""
    p = sum_scaling(call, len(terms))
    sums = wrap32(terms.sum(axis=0, dtype=np.int64) + p["offset"])
    return saturate(multiply(sums, p["multiplier"], p["exponent"]) + p["zero_point"], call["y"])


def sum_scaling(call: Call, terms: int) -> dict[str, Any]:
    """code = clamp(scaled(sum + offset) + zero_point)"""
    x, y = call["x"], call["y"]
    m, e = (int(v) for v in quantize_multiplier(float(x.scale) / float(y.scale)))
    scaling = {"offset": int(wrap32(-x.zero_point * terms)), "multiplier": m, "exponent": e}
    return {**scaling, "zero_point": y.zero_point, "lo": y.dtype.lo, "hi": y.dtype.hi}


def sum_params(call: Call) -> Launch | None:
    return reduction_params(call, sum_scaling)


def product(call: Call, terms: np.ndarray) -> np.ndarray:
    return _last(np.cumprod(terms, axis=0, dtype=terms.dtype), terms, 1)


def product_codes(call: Call, terms: np.ndarray) -> np.ndarray:
    """Rescaled after each factor, by the same multiplier."""
    x, y = call["x"], call["y"]
    if not len(terms):
        raise ShapeError(f"{call.label}: codes have no product of no elements")
    real = float(x.scale) / float(y.scale) ** (1 / len(terms))
    m, e = quantize_multiplier(real)
    factors = terms.astype(np.int64) - x.zero_point
    so_far = factors[0]
    for factor in factors[1:]:
        so_far = multiply64(so_far * factor, m, e)
    return saturate(multiply64(so_far, m, e) + y.zero_point, y)


def _last(running: np.ndarray, terms: np.ndarray, nothing: int) -> np.ndarray:
    return running[-1] if len(running) else np.full(terms.shape[1:], nothing, terms.dtype)


def extreme(function: np.ufunc, side: int) -> Reduced:
    """Past any NaN, and of the finite float or the integer at the other end too."""

    def reduce(call: Call, terms: np.ndarray) -> np.ndarray:
        limits = np.finfo(terms.dtype) if terms.dtype.kind == "f" else np.iinfo(terms.dtype)
        return np.asarray(function.reduce(terms, axis=0, initial=(limits.min, limits.max)[side]))

    return reduce


def truth(function: Callable[..., Any]) -> Reduced:
    return lambda call, terms: np.asarray(function(terms, axis=0))


def _reduction(
    name: str,
    reference: Mapping[str, Reference],
    y: Slot,
    role: str = "activation",
    kernels: Mapping[str, Kernel] | None = None,
    homogeneous: tuple[tuple[str, ...], ...] = (),
) -> Operator:
    return register(
        Operator(
            name,
            options="ReducerOptions",
            inputs=(Slot("x", role=role), Slot("axes", role="data")),
            outputs=(y,),
            shape=reduced_any_shape,
            ties=reduced_ties(reduced_axes),
            reference=reference,
            kernels=kernels or {},
            homogeneous=homogeneous,
        )
    )


WHOLE = ("int32", "int64")

SUM = _reduction(
    "SUM",
    {
        **dict.fromkeys(("float32", *WHOLE), reduction(total)),
        **dict.fromkeys(QUANTIZED, reduction(total_codes)),
    },
    Slot("y", floors=(Floor(("x",), {"int8": 2.0**-20, "int16": 2.0**-12}),)),
    kernels=typed_kernels("mean", "pq_mean", sum_params, doubly=True),
    homogeneous=(("x",),),
)
REDUCE_PROD = _reduction(
    "REDUCE_PROD",
    {
        **dict.fromkeys(("float32", *WHOLE), reduction(product)),
        **dict.fromkeys(("int8", "int16"), reduction(product_codes)),
    },
    Slot("y", below=dict.fromkeys(("int8", "int16"), 2.0**40)),  # so many factors overflow in between
)
REDUCE_MAX, REDUCE_MIN = (
    _reduction(
        name,
        dict.fromkeys(("float32", *QUANTIZED, *WHOLE), reduction(extreme(function, side))),
        Slot("y", scale=SameAs("x")),
        kernels=typed_kernels(kernel, "pq_mean", reduction_params),
    )
    for name, function, side, kernel in (
        ("REDUCE_MAX", np.fmax, 0, "greatest"),
        ("REDUCE_MIN", np.fmin, 1, "least"),
    )
)
REDUCE_ANY, REDUCE_ALL = (
    _reduction(
        name,
        {"bool": reduction(truth(function))},
        Slot("y", role="data"),
        "data",
        {"bool": Kernel(kernel, "pq_mean", reduction_params)},
    )
    for name, function, kernel in (("REDUCE_ANY", np.any, "greatest_u8"), ("REDUCE_ALL", np.all, "least_u8"))
)
