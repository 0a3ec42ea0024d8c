"""The Edge TPU compiler 16.0: what it reads, and what it maps by its documentation.

Rules: https://coral.ai/docs/edgetpu/models-intro/#supported-operations. Op versions: users' threads name CONV_2D 6,
TRANSPOSE_CONV 4, QUANTIZE 3 and EXP 2 as too new, which is release 2.5 (the compiler is of 2021).
"""

from __future__ import annotations

from pyquant.graph import Node
from pyquant.ops.conditions import Condition, input_quantized, negated, option, rank_above, variable_input
from pyquant.targets.releases import highest_versions
from pyquant.targets.target import Gap, Target

MAPPED = """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXPAND_DIMS FULLY_CONNECTED L2_NORMALIZATION LOGISTIC
    LSTM MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL PACK PAD PRELU QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_N1_TO_1
    RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQUARED_DIFFERENCE SQUEEZE
    STRIDED_SLICE SUB SUM TANH TILE TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM
"""
VERSIONS = highest_versions("2.5")
SOFTMAX_LIMIT = 16000


def _outer(node: Node) -> bool:
    """A dimension before the three innermost ones is above 1."""
    return any(max(t.shape[:-3], default=1) > 1 for t in (*node.inputs, *node.outputs) if t and not t.is_constant)


def _uneven_dilation(node: Node) -> bool:
    return bool(node.options is not None and node.options.dilation_w_factor != node.options.dilation_h_factor)


def _strided(node: Node) -> bool:
    strides = node.inputs[3].data if len(node.inputs) > 3 and node.inputs[3] is not None else None
    return strides is None or bool((strides != 1).any())


def _long(node: Node) -> bool:
    return any(t is not None and t.size > SOFTMAX_LIMIT for t in node.inputs[:1])


def _gap(reason: str, *conditions: Condition, remedy: str = "") -> Gap:
    return Gap(conditions, reason, remedy)


ACTIVATION = _gap("maps it without fused activation only", option("fused_activation_function"))
DILATION = _gap("maps the same dilation in x and y only", _uneven_dilation)
WEIGHTS = _gap("needs constant weights", variable_input(1))
GAPS: dict[str, tuple[Gap, ...]] = {
    **dict.fromkeys(("AVERAGE_POOL_2D", "CONCATENATION", "MAX_POOL_2D"), (ACTIVATION,)),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), (DILATION, WEIGHTS)),
    "FULLY_CONNECTED": (_gap("maps the default weights format only", option("weights_format")), WEIGHTS),
    "PRELU": (_gap("needs a slope of one dimension", rank_above(1, 1)),),
    "QUANTIZE": (_gap("maps requantization only", negated(input_quantized(0))),),
    "SOFTMAX": (_gap(f"maps up to {SOFTMAX_LIMIT} elements", _long),),
    "STRIDED_SLICE": (
        _gap("maps strides of 1 only", _strided),
        _gap("maps it without ellipsis_mask only", option("ellipsis_mask")),
        _gap("maps it without new_axis_mask only", option("new_axis_mask")),
    ),
}
UNMAPPED = _gap("does not map it")
OUTER = _gap("maps tensors whose three innermost dimensions only are above 1", _outer)

EDGETPU = Target(
    "edgetpu",
    "the Edge TPU compiler 16.0; what it does not map stays on the CPU",
    "coral.ai/docs/edgetpu/models-intro; threads in google-coral/edgetpu",
    VERSIONS,
    gaps={op: (*GAPS.get(op, ()), OUTER) if op in MAPPED.split() else (UNMAPPED,) for op in VERSIONS},
    custom=None,
    types=frozenset({"int8", "uint8", "int16", "int32"}),
    fallback="on the CPU",
    dynamic_shapes=False,
    sparsity=False,
    subgraphs=False,
)
