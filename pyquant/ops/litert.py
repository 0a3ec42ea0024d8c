"""The operators that litert-quantizer 0.11 takes "*" in a rule to mean: those that its default policy lists."""

from __future__ import annotations

from collections.abc import Mapping

DENSE = frozenset(("CONV_2D", "FULLY_CONNECTED"))
LOOKED_UP = DENSE | {"EMBEDDING_LOOKUP"}
WEIGHTED = LOOKED_UP | {"BATCH_MATMUL", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"}
BOTH_WIDTHS = (WEIGHTED - {"EMBEDDING_LOOKUP"}) | {
    "ADD", "AVERAGE_POOL_2D", "BROADCAST_TO", "CONCATENATION", "DIV", "DYNAMIC_UPDATE_SLICE", "EQUAL", "GATHER",
    "GATHER_ND", "GELU", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MIRROR_PAD", "MUL", "NOT_EQUAL", "PACK", "PAD",
    "PADV2", "REDUCE_MIN", "RELU", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SELECT",
    "SELECT_V2", "SLICE", "SOFTMAX", "SPLIT", "SQRT", "STRIDED_SLICE", "SUB", "SUM", "TANH", "TRANSPOSE", "UNPACK",
}  # fmt: skip
# (weights, how activations are: their type, "dynamic", "blocks" of weights with these, or "float") -> operators
STARRED: Mapping[tuple[str, str], frozenset[str]] = {
    ("int8", "int8"): BOTH_WIDTHS | {"HARD_SWISH", "SPACE_TO_DEPTH", "SQUARED_DIFFERENCE"},
    ("int8", "int16"): BOTH_WIDTHS,
    ("int4", "int8"): DENSE,
    ("int4", "int16"): DENSE,
    ("int8", "dynamic"): WEIGHTED,
    ("int4", "dynamic"): LOOKED_UP,
    ("int2", "dynamic"): LOOKED_UP,
    ("int4", "blocks"): LOOKED_UP - {"CONV_2D"},
    ("int8", "float"): WEIGHTED,
    ("int4", "float"): LOOKED_UP | {"BATCH_MATMUL"},
}
