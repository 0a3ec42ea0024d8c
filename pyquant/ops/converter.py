"""The operators that the TFLite converter quantizes: facts of LiteRT's sources as of August 2026."""

from __future__ import annotations

from collections.abc import Mapping

# GetOperatorProperty in tflite/converter/tools/optimize/operator_property.cc, and there those not for 16 bits.
STATIC = frozenset((
    "ABS", "ADD", "ARG_MAX", "ASSIGN_VARIABLE", "AVERAGE_POOL_2D", "BATCH_MATMUL", "BATCH_TO_SPACE_ND", "BROADCAST_TO",
    "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "EQUAL", "EXP", "EXPAND_DIMS", "FILL",
    "FULLY_CONNECTED", "GATHER", "GATHER_ND", "GELU", "GREATER", "GREATER_EQUAL", "HARD_SWISH", "L2_NORMALIZATION",
    "LEAKY_RELU", "LESS", "LESS_EQUAL", "LOG", "LOGISTIC", "LOG_SOFTMAX", "LSTM", "MAXIMUM", "MAX_POOL_2D", "MEAN",
    "MINIMUM", "MIRROR_PAD", "MUL", "NOT_EQUAL", "PACK", "PAD", "PADV2", "PRELU", "QUANTIZE", "READ_VARIABLE",
    "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "RSQRT", "SCATTER_ND", "SELECT", "SHAPE", "SLICE", "SOFTMAX",
    "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQRT", "SQUARED_DIFFERENCE", "SQUEEZE",
    "STRIDED_SLICE", "SUB", "SUM", "SVDF", "TANH", "TILE", "TRANSPOSE", "TRANSPOSE_CONV",
    "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNPACK", "VAR_HANDLE", "WHERE",
))  # fmt: skip
EIGHT_BITS_ONLY = frozenset((
    "ARG_MAX", "DEPTH_TO_SPACE", "EQUAL", "GREATER", "GREATER_EQUAL", "HARD_SWISH", "L2_NORMALIZATION", "LESS",
    "LESS_EQUAL", "LOG", "LOG_SOFTMAX", "LSTM", "NOT_EQUAL", "PRELU", "RELU_N1_TO_1", "SPACE_TO_DEPTH", "SVDF",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
))  # fmt: skip
# DynamicRangeQuantizedOpInterface in tflite/converter/ir/tfl_ops.td, with a kernel for it and without.
DYNAMIC = frozenset((
    "BATCH_MATMUL", "BIDIRECTIONAL_SEQUENCE_LSTM", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "LSTM", "SVDF",
    "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN",
))  # fmt: skip
WEIGHT_ONLY = DYNAMIC | {"EMBEDDING_LOOKUP", "GATHER", "TRANSPOSE_CONV"}
CONVERTED: Mapping[str, frozenset[str]] = {
    "int8": STATIC,
    "int16x8": STATIC - EIGHT_BITS_ONLY,
    "dynamic range": DYNAMIC,
    "weight only": WEIGHT_ONLY,
}
