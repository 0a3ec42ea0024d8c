"""The op version that each builtin operator needs, from the types, shapes and options of a node.

A version only tells a runtime whether it is too old: it refuses a version above the highest it knows, and reads nothing
else from it. Facts from LiteRT, tflite/converter/tools/versioning/op_version.cc.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyquant.graph import Node
from pyquant.ops.conditions import (
    Condition,
    broadcasts_above,
    dilated,
    grouped,
    has_input,
    input_count,
    input_is,
    input_per_axis,
    input_quantized,
    narrow_bias,
    negated,
    option,
    output_is,
    output_per_axis,
    product_at_least_output,
    rank_above,
    rank_is,
    sparse_weights,
)
from pyquant.wire.schema import ENUMS


@dataclass(frozen=True)
class Feature:
    """What a version brought to an operator: a node has it where all conditions hold."""

    version: int
    conditions: tuple[Condition, ...]


def lowest_version(node: Node) -> int | None:
    """The lowest op version that has everything a node uses; None for operators that are custom or unknown.

    On purpose it differs from the converter's where that slips. int16 activations with int8 weights: the converter
    looks for int16 weights, and so declares too little. quantized_bias_type INT64: so every version reads the bias, and
    the option asks for no newer one. EQUAL of int16 came with version 4. int16 LSTMs: version 5 is in no runtime.
    """
    name = node.opcode.name
    if name == "CUSTOM" or name not in ENUMS["BuiltinOperator"][1]:
        return None
    needed = [f.version for f in FEATURES.get(name, ()) if all(holds(node) for holds in f.conditions)]
    return max(needed, default=FIRST_VERSION.get(name, 1))


def _feature(version: int, *conditions: Condition) -> Feature:
    return Feature(version, conditions)


# Families of features.

FLOAT8 = ("float8_e4m3fn", "float8_e5m2")
Features = tuple[Feature, ...]


def _by_type(index: int = 0, **versions: int) -> Features:
    """By the type of an input; float8 stands for both of its types."""
    return tuple(_feature(v, input_is(index, *(FLOAT8 if t == "float8" else (t,)))) for t, v in versions.items())


def _hybrid(weights: int, symmetric: int, asymmetric: int) -> Features:
    """Float activations with int8 weights, quantized at run time; `weights` is the index of an input that has them."""
    types = (input_is(0, "float32"), input_is(weights, "int8"))
    return (_feature(symmetric, *types), _feature(asymmetric, *types, option("asymmetric_quantize_inputs")))


def _any(version: int, *conditions: Condition) -> Features:
    return tuple(_feature(version, condition) for condition in conditions)


def _either(version: int, *types: str) -> Features:
    """The input or the output is of one of these types."""
    return _any(version, input_is(0, *types), output_is(0, *types))


INT8_2: Features = _by_type(int8=2)
INT8_2_INT16_3: Features = _by_type(int8=2, int16=3)
INT16X8 = (input_is(0, "int16"), input_is(1, "int8"))
FLOAT_BY_INT8 = (input_is(0, "float32"), input_is(1, "int8"))
INT8_BY_INT4 = (input_is(0, "int8"), input_is(1, "int4"))

FIRST_VERSION = {"BROADCAST_TO": 2}  # where it is not 1

FEATURES: dict[str, Features] = {
    "ABS": (
        *_by_type(int8=2, uint8=2, int16=3, int32=5),
        _feature(4, input_is(0, "int16"), negated(input_quantized(0))),
    ),
    "ADD": (
        *_by_type(int8=2, int64=4, float16=6),
        _feature(3, input_is(0, "int16"), negated(option("pot_scale_int16"))),
        _feature(5, input_is(0, "int16"), negated(input_quantized(0))),
    ),
    **dict.fromkeys(("ARG_MAX", "ARG_MIN"), _by_type(int8=2, bool=3)),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), INT8_2_INT16_3),
    "BATCH_MATMUL": (*INT8_2_INT16_3, _feature(4, *FLOAT_BY_INT8, option("asymmetric_quantize_inputs"))),
    **dict.fromkeys(
        ("BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND"),
        (*_by_type(int8=2, int16=4), _feature(3, negated(rank_is(4)))),
    ),
    **dict.fromkeys(("BIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_LSTM"), _hybrid(1, 2, 3)),
    "BROADCAST_TO": _by_type(int8=3, int16=3, float8=4),
    "CAST": (
        *_either(2, "uint32"),
        *_either(3, "int8"),
        *_either(4, "uint16"),
        *_either(5, "float16", "float64"),
        _feature(6, input_is(0, "int4"), output_is(0, "float32")),
        *_either(7, "bfloat16"),
        *_either(8, "int2", "uint4"),
        *_either(9, *FLOAT8),
    ),
    "CONCATENATION": _by_type(int8=2, int16=3, uint32=4, int4=5, float16=6, float8=7),
    "CONV_2D": (
        _feature(2, *FLOAT_BY_INT8),
        _feature(3, input_is(0, "int8")),
        _feature(4, input_is(0, "int16")),
        _feature(5, *FLOAT_BY_INT8, input_per_axis(1)),
        _feature(6, grouped),
        _feature(7, *INT8_BY_INT4),
        _feature(8, *INT16X8, narrow_bias),
    ),
    "COS": _by_type(float16=2),
    "DEPTHWISE_CONV_2D": (
        _feature(2, dilated),
        _feature(3, input_is(0, "int8")),
        _feature(4, *FLOAT_BY_INT8),
        _feature(5, input_is(0, "int16")),
        _feature(6, *FLOAT_BY_INT8, input_per_axis(1)),
        _feature(7, *INT8_BY_INT4),
    ),
    "DEPTH_TO_SPACE": INT8_2,
    "DEQUANTIZE": (
        *_by_type(int8=2, int16=3, float16=3, int4=6, int2=7, uint4=8, float8=9),
        _feature(5, input_is(0, "int8"), input_per_axis(0)),
    ),
    "DIV": _any(2, broadcasts_above(4)),
    "DYNAMIC_UPDATE_SLICE": (*_by_type(float16=3, int16=4, int4=5, bfloat16=6), _feature(2, input_is(2, "int64"))),
    "EMBEDDING_LOOKUP": (*_by_type(1, int4=4, int2=5), _feature(4, input_per_axis(1))),
    "EQUAL": _by_type(int8=2, string=3, int16=4),
    **dict.fromkeys(("EXP", "LOG", "REDUCE_PROD", "SQRT"), _by_type(int8=2, int16=2)),
    "FAKE_QUANT": _any(2, option("narrow_range")),
    "FILL": _by_type(1, bool=2, string=2, int8=3, int16=3, float16=4, float8=5),
    "FLOOR_DIV": _by_type(float32=2, int8=3, int16=3),
    "FLOOR_MOD": _by_type(int8=2, int16=2),
    "FULLY_CONNECTED": (
        _feature(2, option("weights_format")),
        *_hybrid(1, 3, 9),
        _feature(4, input_is(0, "int8")),
        _feature(5, option("keep_num_dims")),
        _feature(6, input_count(2)),
        _feature(7, input_is(0, "int16")),
        _feature(8, sparse_weights),
        _feature(10, *INT8_BY_INT4),
        _feature(11, *INT16X8, narrow_bias),
        _feature(12, *FLOAT_BY_INT8, input_per_axis(1)),
        _feature(13, input_is(0, "int16"), input_is(1, "int4")),
        _feature(14, input_is(1, "int2")),
    ),
    "GATHER": (
        *_by_type(int8=2, bool=3, int16=4, int4=7, float8=8),
        _feature(5, option("batch_dims")),
        _feature(6, input_is(1, "int16")),
    ),
    "GATHER_ND": (*_by_type(string=2, int16=3, bool=5, float8=6), _feature(4, input_is(1, "int16"))),
    "GELU": _by_type(int8=2, uint8=2, float16=3),
    **dict.fromkeys(("GREATER", "LESS_EQUAL"), INT8_2),
    **dict.fromkeys(("GREATER_EQUAL", "LESS"), INT8_2_INT16_3),
    "L2_NORMALIZATION": (_feature(2, output_is(0, "int8")),),
    "LEAKY_RELU": _by_type(int16=2),
    **dict.fromkeys(("LOGISTIC", "TANH"), INT8_2_INT16_3),
    "LOG_SOFTMAX": INT8_2,
    "LSTM": (
        *_any(2, option("kernel_type")),
        *_hybrid(2, 3, 4),
    ),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), (*_by_type(int8=2, int16=4), _feature(3, broadcasts_above(4)))),
    **dict.fromkeys(("MEAN", "MIRROR_PAD", "REDUCE_MAX", "REDUCE_MIN", "RELU6", "RSQRT"), INT8_2_INT16_3),
    "MUL": (
        *_by_type(int8=2, int16=4, int64=5, complex64=6, uint32=7, float16=8),
        _feature(3, product_at_least_output),
        _feature(7, input_is(0, "int16"), negated(input_quantized(0)), negated(input_quantized(1))),
    ),
    "NOT_EQUAL": _by_type(int8=2, string=3, int16=4),
    "PACK": _by_type(int8=2, int16=3, uint32=4, float8=5),
    **dict.fromkeys(("PAD", "PADV2"), (*_by_type(int8=2, int16=3, bool=5, float8=6), _feature(4, rank_above(4)))),
    "QUANTIZE": (
        _feature(2, output_is(0, "int16")),
        _feature(3, output_per_axis(0)),
        *_either(4, "int4"),
        *_either(5, "uint4"),
    ),
    "RANGE": _by_type(int64=2),
    "RELU": _by_type(int8=2, uint8=2, int16=3),
    "RESIZE_BILINEAR": (*_by_type(int8=2, int16=4), _feature(3, option("half_pixel_centers"))),
    "RESIZE_NEAREST_NEIGHBOR": (
        *_by_type(int8=2, int16=4),
        *_any(3, option("half_pixel_centers"), option("align_corners")),
    ),
    "REVERSE_V2": _by_type(bool=2, int8=3, float8=4),
    **dict.fromkeys(("RNN", "UNIDIRECTIONAL_SEQUENCE_RNN"), _hybrid(1, 2, 3)),
    "SELECT": (
        *_by_type(int8=2, uint32=4),
        *_any(3, *(rank_is(5, i) for i in range(3))),
    ),
    "SELECT_V2": _by_type(uint32=2),
    "SIGN": _by_type(int32=2),
    "SIN": _by_type(float16=2),
    "SLICE": (*_by_type(int8=2, string=3, int16=4, uint32=6, int4=7, float16=8), _feature(5, rank_above(4))),
    "SOFTMAX": _by_type(int8=2, int16=3, float16=4),
    **dict.fromkeys(("SPACE_TO_DEPTH", "SUM", "SQUARED_DIFFERENCE"), INT8_2),
    "SPARSE_TO_DENSE": _by_type(2, int64=2, int8=3, uint8=3),
    "SPLIT": _by_type(1, int8=2, int32=3, int16=4, float8=5),
    "SPLIT_V": _by_type(int8=2, float8=3),
    "SQUEEZE": _by_type(string=2),
    "STRIDED_SLICE": (
        *_by_type(int8=2, bool=3, string=5, uint32=7),
        _feature(4, rank_above(4)),
        *_any(6, option("ellipsis_mask"), option("new_axis_mask")),
        _feature(8, option("offset")),
    ),
    "SUB": (
        *_by_type(int8=2, int64=4),
        _feature(3, broadcasts_above(4)),
        _feature(5, input_is(0, "int16"), negated(option("pot_scale_int16"))),
    ),
    "SVDF": (*_by_type(int8=3), *_hybrid(1, 2, 4)),
    "TILE": _by_type(string=2, int8=3),
    "TOPK_V2": (*INT8_2_INT16_3, *_any(3, input_is(1, "int16"), output_is(1, "int16"))),
    "TRANSPOSE": (
        *_by_type(int8=2, bool=3, int16=5, int4=7, bfloat16=8, float16=9),
        *(_feature(version, rank_above(rank)) for version, rank in ((4, 4), (6, 5), (8, 6))),
    ),
    "TRANSPOSE_CONV": (
        _feature(2, input_is(1, "int8")),
        _feature(3, has_input(3)),
        _feature(4, option("fused_activation_function")),
        _feature(5, input_is(2, "int16"), input_is(1, "int8"), narrow_bias),
    ),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        *_hybrid(2, 2, 3),
        _feature(4, option("diagonal_recurrent_tensors")),
    ),
    "UNPACK": _by_type(int8=2, uint8=2, bool=3, int16=4, float16=5, bfloat16=5, float8=6),
    "WHERE": (_feature(2, negated(input_is(0, "bool"))),),
}
