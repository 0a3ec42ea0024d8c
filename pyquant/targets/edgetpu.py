"""The Edge TPU compiler 16.0: what it reads, and which operators it maps to the device.

VERIFIED: so in all pairs of a model and its compiled file that Google publishes (github.com/google-coral/test_data and
google-coral/edgetpu). DOCUMENTED: coral.ai/docs/edgetpu/models-intro/#supported-operations. ASSUMED: not known, or only
from single cases that users tell; the nearest known cases stand beside the rule.
Op versions: users' threads name CONV_2D 6, TRANSPOSE_CONV 4, QUANTIZE 3 and EXP 2 as too new, which is release 2.5 (the
compiler is of 2021).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pyquant.dtypes import INT8, UINT8
from pyquant.graph import Model, Node, Subgraph, Tensor
from pyquant.ops import find
from pyquant.ops.conditions import (
    Condition,
    input_is,
    input_per_axis,
    input_quantized,
    negated,
    option,
    rank_above,
    variable_input,
)
from pyquant.targets.partition import mapped, sources
from pyquant.targets.releases import highest_versions
from pyquant.targets.target import EVERY_TYPE, Gap, Target

VERIFIED, DOCUMENTED, ASSUMED = "verified", "documented", "assumed"

# What the compiler's log says of an operator.
MAPPED = "Mapped to Edge TPU"
ONE_SUBGRAPH = "More than one subgraph is not supported"
NOT_SUPPORTED = "Operation not supported"
VERSION = "Operation version not supported"
TYPE = "Operation is working on an unsupported data type"
RANK = "Tensor has unsupported rank (up to 3 innermost dimensions mapped)"
UNSPECIFIED = "Operation is otherwise supported, but not mapped due to some unspecified limitation"

# How it is known that an operator can be mapped. UNIDIRECTIONAL_SEQUENCE_LSTM is what the page calls Lstm.
OPERATORS: dict[str, str] = {
    VERIFIED: """
        ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED LOGISTIC MUL PAD QUANTIZE RESHAPE
        RESIZE_BILINEAR SOFTMAX SPLIT SUB TILE UNIDIRECTIONAL_SEQUENCE_LSTM
    """,
    DOCUMENTED: """
        EXPAND_DIMS L2_NORMALIZATION LSTM MAXIMUM MAX_POOL_2D MEAN MINIMUM PACK PRELU REDUCE_MAX REDUCE_MIN RELU RELU6
        RELU_N1_TO_1 RESIZE_NEAREST_NEIGHBOR RSQRT SLICE SPACE_TO_DEPTH SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUM
        TANH TRANSPOSE TRANSPOSE_CONV
    """,
}
KNOWN = {op: evidence for evidence, ops in OPERATORS.items() for op in ops.split()}
VERSIONS = highest_versions("2.5")

SOFTMAX_LIMIT = 16000
MEAN_LIMIT = 64 * 128  # positions: a mean over so many has been mapped, one over four times as many has not
ENLARGED, TOO_MANY = 2, 15  # times that a side of an image grows: so much is mapped, so much is not
LARGE = 128  # a side of 2 x 64 has been mapped, one of 2 x 128 and of 2 x 256 not


def _activations(node: Node) -> list[Tensor]:
    """What flows through a node: neither constants nor state nor indices."""
    operator = find(node.op)
    if operator is None:
        return []
    ends = ((operator.slots(node.inputs), node.inputs), (operator.slots(node.outputs, outputs=True), node.outputs))
    pairs = [(slot, t) for slots, tensors in ends for slot, t in zip(slots, tensors, strict=True)]
    return [t for slot, t in pairs if t is not None and slot.role == "activation" and not t.is_constant]


def _wide(node: Node) -> bool:
    """Something other than integers of 8 bits with one scale flows through."""
    return any(
        t.dtype not in (INT8, UINT8) or t.quantization is None or t.quantization.scale.size != 1
        for t in _activations(node)
    )


def _floating(node: Node) -> bool:
    return any(t is not None and t.dtype.is_float for t in (*node.inputs, *node.outputs))


def _outer(node: Node) -> bool:
    """A dimension before the three innermost ones is above 1."""
    return any(max(t.shape[:-3], default=1) > 1 for t in (*node.inputs, *node.outputs) if t and not t.is_constant)


def _long(node: Node) -> bool:
    return any(t is not None and t.size > SOFTMAX_LIMIT for t in node.inputs[:1])


def _rows(tensors: Sequence[Tensor | None]) -> bool:
    """The first one is more than one row."""
    return any(t is not None and math.prod(t.shape[:-1]) > 1 for t in tensors[:1])


def _uneven_dilation(node: Node) -> bool:
    return len({getattr(node.options, f"dilation_{side}_factor", 1) for side in "wh"}) > 1


def _strided(node: Node) -> bool:
    strides = node.inputs[3].data if len(node.inputs) > 3 and node.inputs[3] is not None else None
    return strides is None or bool((strides != 1).any())


def _joins_constant(node: Node) -> bool:
    """But for two inputs, one of which holds nothing but the real value zero."""
    held = [(t.data, t.quantization) for t in node.inputs if t is not None and t.is_constant]
    zeros = [data for data, q in held if data is not None and q is not None and np.isin(data, q.zero_point).all()]
    return bool(held) and (len(node.inputs) != 2 or len(zeros) != 1)


def _reduced(node: Node) -> set[int] | None:
    """The dimensions that a reduction of its first input goes over, counted from the last one, which is -1."""
    axes = node.inputs[1].data if len(node.inputs) > 1 and node.inputs[1] is not None else None
    rank = len(_shapes(node)[0])
    return None if axes is None else {int(a) - rank if a >= 0 else int(a) for a in axes.flat}


def _over_batch(node: Node) -> bool:
    return (axes := _reduced(node)) is None or min(axes, default=-1) < -3


def _odd_depth(node: Node) -> bool:
    return -1 in (_reduced(node) or ()) and any(depth % 4 for depth in _shapes(node)[0][-1:])


def _many_positions(node: Node) -> bool:
    x, _ = _shapes(node)
    return math.prod(x[a] for a in (_reduced(node) or ()) if -len(x) <= a < -1) > MEAN_LIMIT


def _growth(node: Node) -> float:
    """By how much a side of an image grows, at most."""
    x, y = _shapes(node)
    return max((b / a for a, b in zip(x[1:3], y[1:3], strict=False) if a), default=1)


def _large(node: Node) -> bool:
    return _growth(node) > 1 and max(_shapes(node)[1][1:3]) > LARGE


def _inner(node: Node) -> bool:
    """Dimensions other than the first ones go."""
    x, y = _shapes(node)
    return x[len(x) - len(y) :] != y


def _shapes(node: Node) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of the first input and the first output, empty for what is not there."""
    x, y = next(iter(node.inputs), None), next(iter(node.outputs), None)
    return () if x is None else x.shape, () if y is None else y.shape


class Rule(NamedTuple):
    """Nodes of some operators that are not mapped."""

    operators: str
    gap: Gap


def _rule(
    operators: str,
    reason: str,
    evidence: str,
    *conditions: Condition,
    status: str = UNSPECIFIED,
    remedy: str = "",
    lowering: str = "",
) -> Rule:
    return Rule(operators, Gap(conditions, reason, remedy, lowering, status, evidence))


RESIZES = "RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR"
# Of a node the first one that holds counts most; "" is all operators that can be mapped. What packs, pads or splits
# along the batch has more than one sample at one end, of which the rule of ranks speaks.
RULES: tuple[Rule, ...] = (
    _rule(
        "QUANTIZE", "maps requantization only", VERIFIED, negated(input_quantized(0)), remedy="let codes in (io_type)"
    ),
    _rule("", "maps activations of 8 bits only", VERIFIED, _wide, status=TYPE, remedy="quantize it to int8"),
    _rule("", "maps tensors whose three innermost dimensions only are above 1", DOCUMENTED, _outer, status=RANK),
    _rule(
        "AVERAGE_POOL_2D CONCATENATION MAX_POOL_2D",
        "maps it without fused activation only",
        DOCUMENTED,
        option("fused_activation_function"),
        lowering="activation",
    ),
    _rule("CONCATENATION", "joins a constant only if it is zeros, and with one input", DOCUMENTED, _joins_constant),
    _rule("CONV_2D DEPTHWISE_CONV_2D", "maps the same dilation in x and y only", DOCUMENTED, _uneven_dilation),
    _rule("CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED", "needs constant weights", DOCUMENTED, variable_input(1)),
    _rule("FULLY_CONNECTED", "maps the default weights format only", DOCUMENTED, option("weights_format")),
    _rule("FULLY_CONNECTED", "maps one row of outputs only", DOCUMENTED, lambda node: _rows(node.outputs)),
    # the quantization specification of its time has no other, and no published file has
    _rule("FULLY_CONNECTED", "maps weights of one scale only", ASSUMED, input_per_axis(1), lowering="one_scale"),
    _rule("MEAN REDUCE_MAX REDUCE_MIN SUM", "does not reduce over the batch", DOCUMENTED, _over_batch),
    _rule("MEAN", "reduces over channels only if they are a multiple of 4", DOCUMENTED, _odd_depth),
    _rule("MEAN", f"maps means over up to {MEAN_LIMIT} positions", ASSUMED, _many_positions, lowering="parts"),
    _rule("PRELU", "needs a slope of one dimension", DOCUMENTED, rank_above(1, 1)),
    _rule(RESIZES, f"does not enlarge {TOO_MANY} times", VERIFIED, lambda node: _growth(node) >= TOO_MANY),
    _rule(RESIZES, f"enlarges up to {ENLARGED} times", ASSUMED, lambda node: ENLARGED < _growth(node) < TOO_MANY),
    _rule(RESIZES, f"enlarges to up to {LARGE} pixels a side", ASSUMED, _large),
    _rule("SOFTMAX", f"maps up to {SOFTMAX_LIMIT} elements", DOCUMENTED, _long),
    _rule("SOFTMAX", "maps one row only", DOCUMENTED, lambda node: _rows(node.inputs)),
    _rule("SQUEEZE", "takes out leading dimensions only", DOCUMENTED, _inner, lowering="reshape"),
    _rule("STRIDED_SLICE", "maps strides of 1 only", DOCUMENTED, _strided),
    _rule("STRIDED_SLICE", "maps it without ellipsis_mask only", DOCUMENTED, option("ellipsis_mask")),
    _rule("STRIDED_SLICE", "maps it without new_axis_mask only", DOCUMENTED, option("new_axis_mask")),
)
UNMAPPED = Gap((), "does not map it", status=NOT_SUPPORTED, evidence=DOCUMENTED)
# What it knows but cannot map: what comes out is never of 8 bits, or, of a custom operator, hardly ever.
EIGHT_BITS = Gap((_floating,), "maps activations of 8 bits only", status=TYPE, evidence=VERIFIED)
OTHERS = {
    "CUSTOM": (EIGHT_BITS, UNMAPPED),
    "DEQUANTIZE": (replace(EIGHT_BITS, remedy="let codes out (io_type)"), UNMAPPED),
    "HARD_SWISH": (replace(UNMAPPED, lowering="hard_sigmoid"),),
    "LEAKY_RELU": (
        replace(UNMAPPED, conditions=(input_is(0, "float32"),), lowering="prelu"),
        replace(UNMAPPED, lowering="rounded_prelu"),
    ),
}


def _gaps(op: str) -> tuple[Gap, ...]:
    if op in KNOWN:
        return tuple(rule.gap for rule in RULES if op in (rule.operators or op).split())
    return OTHERS.get(op, (UNMAPPED,))


EDGETPU = Target(
    "edgetpu",
    "the Edge TPU compiler 16.0; what it does not map stays on the CPU",
    "coral.ai/docs/edgetpu/models-intro; published compiled models; threads in google-coral/edgetpu",
    VERSIONS,
    gaps={op: _gaps(op) for op in ("CUSTOM", *VERSIONS)},
    custom=None,
    types=EVERY_TYPE - {"int4", "int2"},
    fallback="on the CPU",
    dynamic_shapes=False,
    sparsity=False,
    subgraphs=False,
    recipe={"input_type": "int8", "output_type": "int8", "one_scale": True, "newer_axes": False},
)


def on_device(graph: Subgraph) -> list[Node]:
    """The nodes that the compiler is predicted to map, whatever keeps it from reading the file."""
    supported = np.array([[not any(EDGETPU.of_node(node))] for node in graph.nodes], bool).reshape(-1, 1)
    return [node for node, (is_in,) in zip(graph.nodes, mapped(sources(graph.nodes), supported), strict=True) if is_in]


def beside_device(model: Model, numerics: str) -> Collection[Tensor]:
    """What the CPU computes where the numerics are those of this device: nothing but nodes of the first subgraph runs
    on it. Empty for other numerics.
    """
    if numerics != EDGETPU.name:
        return ()
    inside = {node for subgraph in model.subgraphs[:1] for node in on_device(subgraph)}
    return {t for s in model.subgraphs for node in s.nodes if node not in inside for t in node.outputs}
