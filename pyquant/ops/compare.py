"""Comparisons, logic, and the choice between two tensors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import numpy as np

from pyquant.dtypes import BOOL
from pyquant.errors import GraphError, RangeError, ShapeError
from pyquant.fixed import multiply, quantize_multiplier
from pyquant.graph import Tensor
from pyquant.ops.arithmetic import of_arrays
from pyquant.ops.binary import IDENTITY, broadcast_loops, broadcast_shape, loop_units, loops_launch, restate
from pyquant.ops.kinds import ACTIVATIONS, EVERY_TYPE, QUANTIZED, WHOLE, typed_kernels
from pyquant.ops.operator import Call, Kernel, Launch, Operator, Reference, SameAs, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.ties import elementwise_ties

Ufunc = Callable[[Any, Any], Any]
Scaled = Mapping[str, Collection[str]]  # by numerics, the types that are compared by their scales
FINE = 8  # bits that scaled codes have below the point


def comparison(function: Ufunc, scaled: Scaled) -> Reference:
    """Codes with scales are compared as multiples of 2**-8, rounded, for the types in `scaled`; all else as it is."""

    def compare(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if not _is_scaled(call, scaled):
            return np.asarray(function(a, b))
        fine = [
            multiply((codes.astype(np.int64) - t.zero_point) << FINE, *_multiplier(call, t))
            for codes, t in ((a, call["a"]), (b, call["b"]))
        ]
        return np.asarray(function(*fine))

    return compare


def _is_scaled(call: Call, scaled: Scaled) -> bool:
    return call["a"].is_quantized and call["a"].dtype.name in scaled.get(call.numerics, EIGHT_BITS)


def _multiplier(call: Call, tensor: Tensor) -> tuple[int, int]:
    m, e = (int(v) for v in quantize_multiplier(float(tensor.scale)))
    if e > 0:
        raise RangeError(f"{call.label}: scale {tensor.scale} of {tensor.name!r} must be below 1")
    return m, e


def comparison_params(scaled: Scaled, call: Call) -> Launch | None:
    a, b = call["a"], call["b"]
    if call["y"].dtype is not BOOL:
        return None
    if not _is_scaled(call, scaled):
        raw = dict.fromkeys(("a_multiplier", "b_multiplier"), IDENTITY[0])
        return loops_launch(call, raw)
    (a_multiplier, a_exponent), (b_multiplier, b_exponent) = _multiplier(call, a), _multiplier(call, b)
    terms = {"a_multiplier": a_multiplier, "a_exponent": a_exponent}
    terms |= {"b_multiplier": b_multiplier, "b_exponent": b_exponent}
    return loops_launch(call, {"a_zero": a.zero_point, "b_zero": b.zero_point, "left": FINE, **terms})


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


def select_launch(call: Call) -> Launch | None:
    """A condition of one value for each first index stands before dimensions of 1."""
    shape, rank = call["condition"].shape, len(call["a"].shape)
    return _selection(call, (*shape, *[1] * (rank - 1)) if len(shape) == 1 and shape != (1,) else shape)


def select_v2_launch(call: Call) -> Launch | None:
    return _selection(call, call["condition"].shape)


def _selection(call: Call, condition: Shape) -> Launch | None:
    a, b = call["a"], call["b"]
    loops = broadcast_loops(condition=condition, a=a.shape, b=b.shape)
    if (
        loops is None
        or call["condition"].dtype is not BOOL
        or a.dtype != b.dtype
        or a.dtype.bits not in (8, 16, 32, 64)
    ):
        return None
    units, cost = loop_units(loops)
    return Launch(units, {"element": a.dtype.bits // 8, **loops}, cost, in_place=True)


EIGHT_BITS = ("int8", "uint8")
# Kernels rescale codes by a multiplier below 1; most leave those of int16 as they are.
BELOW_1 = {"int8": 1.0, "int16": 1.0}
INPUTS = (Slot("a", below=BELOW_1), Slot("b", scale=SameAs("a", ("int16",)), below=BELOW_1))
TRUTH = Slot("y", role="data")
ORDERED = (*ACTIVATIONS, *WHOLE)


def _comparison(name: str, options: str, function: Ufunc, kernel: str, kinds: tuple[str, ...] = ORDERED) -> Operator:
    litert = QUANTIZED if function in (np.equal, np.not_equal) else EIGHT_BITS
    scaled = {"tflite": EIGHT_BITS, "litert": litert}
    reference = dict.fromkeys(kinds, comparison(function, scaled))
    fill = partial(comparison_params, scaled)
    kernels = typed_kernels(kernel, "pq_binary", fill, ORDERED, doubly=True)
    if "bool" in kinds:
        kernels["bool"] = Kernel(f"{kernel}_u8", "pq_binary", fill)
    return register(
        Operator(
            name, INPUTS, (TRUTH,), broadcast_shape, reference, options, kernels, restate=restate, ties=elementwise_ties
        )
    )


EQUAL = _comparison("EQUAL", "EqualOptions", np.equal, "equal", (*ORDERED, "bool", "string"))
NOT_EQUAL = _comparison("NOT_EQUAL", "NotEqualOptions", np.not_equal, "not_equal", (*ORDERED, "bool", "string"))
GREATER = _comparison("GREATER", "GreaterOptions", np.greater, "greater_than")
GREATER_EQUAL = _comparison("GREATER_EQUAL", "GreaterEqualOptions", np.greater_equal, "greater_equal")
LESS = _comparison("LESS", "LessOptions", np.less, "less_than")
LESS_EQUAL = _comparison("LESS_EQUAL", "LessEqualOptions", np.less_equal, "less_equal")


def logic_params(call: Call) -> Launch | None:
    return loops_launch(call, {}) if call["y"].dtype is BOOL else None


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
            {"bool": Kernel(kernel, "pq_binary", logic_params)},
            restate=restate,
            ties=elementwise_ties,
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
        kernels=dict.fromkeys(EVERY_TYPE, Kernel("select_x8", "pq_select", select_launch)),
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
        ties=elementwise_ties,
        reference=dict.fromkeys(EVERY_TYPE, choose_broadcast),
        kernels=dict.fromkeys(EVERY_TYPE, Kernel("select_x8", "pq_select", select_v2_launch)),
    )
)
