"""Comparisons, logic, and the choice between two tensors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from pyquant.errors import GraphError, RangeError, ShapeError
from pyquant.fixed import multiply, quantize_multiplier
from pyquant.graph import Tensor
from pyquant.ops.arithmetic import of_arrays
from pyquant.ops.binary import broadcast_shape, loops_launch, restate
from pyquant.ops.kinds import EVERY_TYPE, QUANTIZED, typed_kernels
from pyquant.ops.operator import Call, Kernel, Launch, Operator, Reference, SameAs, Shape, Slot
from pyquant.ops.registry import register

Ufunc = Callable[[Any, Any], Any]


def comparison(function: Ufunc, scaled: Mapping[str, Collection[str]]) -> Reference:
    """Codes with scales are compared as multiples of 2**-8, rounded, for the types in `scaled`; all else as it is."""

    def compare(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if call["a"].is_quantized and call["a"].dtype.name in scaled.get(call.numerics, EIGHT_BITS):
            return np.asarray(function(_fine(call, a, call["a"]), _fine(call, b, call["b"])))
        return np.asarray(function(a, b))

    return compare


def _fine(call: Call, codes: np.ndarray, tensor: Tensor) -> np.ndarray:
    m, e = quantize_multiplier(float(tensor.scale))
    if int(e) > 0:
        raise RangeError(f"{call.label}: scale {tensor.scale} of {tensor.name!r} must be below 1")
    return multiply((codes.astype(np.int64) - tensor.zero_point) << 8, m, e)


def chosen_shape(call: Call, condition: Shape, a: Shape, b: Shape) -> list[Shape]:
    """The condition has the shape of the others, or one value for each index of their first dimension, or for all."""
    if call["a"].dtype != call["b"].dtype:
        raise GraphError(f"{call.label}: inputs are {call['a'].dtype} and {call['b'].dtype}, expected one type")
    if a != b or condition not in (a, (), (1,), a[:1]):
        raise ShapeError(f"{call.label}: condition {condition} of {a} and {b}")
    return [a]


def choose(call: Call, condition: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if condition.ndim == 1 and condition.size > 1:
        condition = condition.reshape(-1, *[1] * (a.ndim - 1))
    return np.asarray(
        np.where(condition if condition.size > 1 or condition.ndim == a.ndim else condition.reshape(()), a, b)
    )


def broadcast_choice(call: Call, condition: Shape, a: Shape, b: Shape) -> list[Shape]:
    try:
        return [np.broadcast_shapes(condition, *broadcast_shape(call, a, b))]
    except ValueError:
        raise ShapeError(f"{call.label}: shapes {condition}, {a} and {b} do not broadcast") from None


def choose_broadcast(call: Call, condition: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.where(condition, a, b))


EIGHT_BITS = ("int8", "uint8")
INPUTS, TRUTH = (Slot("a"), Slot("b")), Slot("y", role="data")
ORDERED = ("float32", *QUANTIZED, "int32", "int64")


def plain(call: Call) -> Launch | None:
    return loops_launch(call, {}) if call["y"].dtype.name == "bool" else None


def _comparison(name: str, options: str, function: Ufunc, kernel: str, kinds: tuple[str, ...] = ORDERED) -> Operator:
    kernels = typed_kernels(kernel, "pq_binary", plain, ("float32",))
    litert = QUANTIZED if function in (np.equal, np.not_equal) else EIGHT_BITS
    reference = dict.fromkeys(kinds, comparison(function, {"tflite": EIGHT_BITS, "litert": litert}))
    return register(Operator(name, INPUTS, (TRUTH,), broadcast_shape, reference, options, kernels, restate=restate))


EQUAL = _comparison("EQUAL", "EqualOptions", np.equal, "equal", (*ORDERED, "bool", "string"))
NOT_EQUAL = _comparison("NOT_EQUAL", "NotEqualOptions", np.not_equal, "not_equal", (*ORDERED, "bool", "string"))
GREATER = _comparison("GREATER", "GreaterOptions", np.greater, "greater_than")
GREATER_EQUAL = _comparison("GREATER_EQUAL", "GreaterEqualOptions", np.greater_equal, "greater_equal")
LESS = _comparison("LESS", "LessOptions", np.less, "less_than")
LESS_EQUAL = _comparison("LESS_EQUAL", "LessEqualOptions", np.less_equal, "less_equal")

LOGIC = (Slot("a", role="data"), Slot("b", role="data"))
LOGICAL_AND, LOGICAL_OR = (
    register(
        Operator(
            name,
            LOGIC,
            (TRUTH,),
            broadcast_shape,
            {"bool": of_arrays(function)},
            options,
            {"bool": Kernel(kernel, "pq_binary", plain)},
            restate=restate,
        )
    )
    for name, options, function, kernel in (
        ("LOGICAL_AND", "LogicalAndOptions", np.logical_and, "minimum_u8"),
        ("LOGICAL_OR", "LogicalOrOptions", np.logical_or, "maximum_u8"),
    )
)

CHOICE = (Slot("condition", role="data"), Slot("a"), Slot("b", scale=SameAs("a")))
SELECT = register(
    Operator(
        "SELECT",
        options="SelectOptions",
        inputs=CHOICE,
        outputs=(Slot("y", scale=SameAs("a")),),
        shape=chosen_shape,
        reference=dict.fromkeys(EVERY_TYPE, choose),
    )
)
SELECT_V2 = register(
    Operator(
        "SELECT_V2",
        options="SelectV2Options",
        inputs=CHOICE,
        outputs=(Slot("y", scale=SameAs("a")),),
        shape=broadcast_choice,
        restate=restate,
        reference=dict.fromkeys(EVERY_TYPE, choose_broadcast),
    )
)
