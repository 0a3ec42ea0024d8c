"""SUM, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD, REDUCE_ANY and REDUCE_ALL over any axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pyquant.errors import ShapeError
from pyquant.fixed import multiply, multiply64, quantize_multiplier, wrap32
from pyquant.ops.clamp import saturate
from pyquant.ops.kinds import QUANTIZED
from pyquant.ops.operator import Call, Floor, Operator, Reference, SameAs, Slot
from pyquant.ops.reduce import Reduced, reduced_any_shape, reduction
from pyquant.ops.registry import register


def total(call: Call, terms: np.ndarray) -> np.ndarray:
    """Term by term, in the type of x."""
    return _last(np.cumsum(terms, axis=0, dtype=terms.dtype), terms, 0)


def total_codes(call: Call, terms: np.ndarray) -> np.ndarray:
    """What both runtimes' int8 kernel means to do; their reference one takes the codes for uint8."""
    x, y = call["x"], call["y"]
    sums = wrap32(terms.sum(axis=0, dtype=np.int64) - x.zero_point * len(terms))
    scaled = multiply(sums, *quantize_multiplier(float(x.scale) / float(y.scale)))
    return saturate(scaled + y.zero_point, y)


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


def extreme(function: Callable[..., Any]) -> Reduced:
    def reduce(call: Call, terms: np.ndarray) -> np.ndarray:
        if not len(terms):
            raise ShapeError(f"{call.label}: there is no extreme of no elements")
        return np.asarray(function(terms, axis=0))

    return reduce


def truth(function: Callable[..., Any]) -> Reduced:
    return lambda call, terms: np.asarray(function(terms, axis=0))


def _reduction(name: str, reference: Mapping[str, Reference], y: Slot, role: str = "activation") -> Operator:
    return register(
        Operator(
            name,
            options="ReducerOptions",
            inputs=(Slot("x", role=role), Slot("axes", role="data")),
            outputs=(y,),
            shape=reduced_any_shape,
            reference=reference,
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
)
REDUCE_PROD = _reduction(
    "REDUCE_PROD",
    {
        **dict.fromkeys(("float32", *WHOLE), reduction(product)),
        **dict.fromkeys(("int8", "int16"), reduction(product_codes)),
    },
    Slot("y"),
)
REDUCE_MAX, REDUCE_MIN = (
    _reduction(
        name, dict.fromkeys(("float32", *QUANTIZED, *WHOLE), reduction(extreme(function))), Slot("y", scale=SameAs("x"))
    )
    for name, function in (("REDUCE_MAX", np.max), ("REDUCE_MIN", np.min))
)
REDUCE_ANY, REDUCE_ALL = (
    _reduction(name, {"bool": reduction(truth(function))}, Slot("y", role="data"), "data")
    for name, function in (("REDUCE_ANY", np.any), ("REDUCE_ALL", np.all))
)
