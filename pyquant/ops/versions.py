"""The op version that each builtin operator needs, from the types, shapes and options of a node.

A version only tells a runtime whether it is too old: it refuses a version above the highest it knows, and reads nothing
else from it. Facts from LiteRT, tflite/converter/tools/versioning/op_version.cc.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyquant.graph import Node, Tensor
from pyquant.wire.schema import ENUMS

Condition = Callable[[Node], bool]


@dataclass(frozen=True)
class Feature:
    """What a version brought to an operator: a node has it where all conditions hold."""

    version: int
    conditions: tuple[Condition, ...]


def lowest_version(node: Node) -> int | None:
    """The lowest op version that has everything a node uses; None for operators that are custom or unknown.

    It differs from the converter's in two places, on purpose. int16 activations with int8 weights: the converter looks
    for int16 weights, and so declares less than the node needs. quantized_bias_type INT64: that is how every version
    reads the bias, so the option asks for no newer one.
    """
    name = node.opcode.name
    if name == "CUSTOM" or name not in ENUMS["BuiltinOperator"][1]:
        return None
    needed = [f.version for f in FEATURES.get(name, ()) if all(holds(node) for holds in f.conditions)]
    return max(needed, default=FIRST_VERSION.get(name, 1))


def _feature(version: int, *conditions: Condition) -> Feature:
    return Feature(version, conditions)


# Conditions.


def _input(index: int, *types: str) -> Condition:
    """Input `index` is there, and of one of these types."""
    return lambda node: _is(node.inputs, index, types)


def _output(index: int, *types: str) -> Condition:
    return lambda node: _is(node.outputs, index, types)


def _is(tensors: list[Tensor] | list[Tensor | None], index: int, types: tuple[str, ...]) -> bool:
    tensor = tensors[index] if index < len(tensors) else None
    return tensor is not None and tensor.dtype.name in types


def _option(name: str) -> Condition:
    """An option of the node is neither zero nor false."""
    return lambda node: bool(getattr(node.options, name, 0))


def _not(condition: Condition) -> Condition:
    return lambda node: not condition(node)


def _rank_above(rank: int) -> Condition:
    """The first input has more dimensions than this."""
    return lambda node: _rank(node, 0) > rank


def _rank(node: Node, index: int) -> int:
    tensor = node.inputs[index] if index < len(node.inputs) else None
    return 0 if tensor is None else len(tensor.shape)


def _broadcasts_above(rank: int) -> Condition:
    """The two inputs have different shapes, and one has more dimensions than this."""
    return lambda node: (
        len({t.shape for t in node.inputs[:2] if t is not None}) > 1
        and max(_rank(node, i) for i in range(len(node.inputs))) > rank
    )


def _quantized(index: int) -> Condition:
    return lambda node: index < len(node.inputs) and (t := node.inputs[index]) is not None and t.is_quantized


def _input_per_axis(index: int) -> Condition:
    return lambda node: _per_axis(node.inputs, index)


def _output_per_axis(index: int) -> Condition:
    return lambda node: _per_axis(node.outputs, index)


def _per_axis(tensors: list[Tensor] | list[Tensor | None], index: int) -> bool:
    tensor = tensors[index] if index < len(tensors) else None
    return tensor is not None and tensor.quantization is not None and tensor.quantization.per_axis


def _grouped(node: Node) -> bool:
    """A convolution whose filter spans only a part of the input's channels."""
    x, w = (t.shape if t is not None else () for t in (*node.inputs, None, None)[:2])
    return len(x) == len(w) == 4 and x[3] != w[3]


def _dilated(node: Node) -> bool:
    return any(getattr(node.options, f"dilation_{side}_factor", 1) != 1 for side in "wh")


def _product_at_least_output(node: Node) -> bool:
    """The product of the inputs' scales is at least the output's scale."""
    tensors = [*node.inputs[:2], *node.outputs[:1]]
    quantizations = [t.quantization for t in tensors if t is not None and t.is_quantized and t.quantization is not None]
    if len(quantizations) != 3:
        return False
    first, second, output = (q.scale[0] for q in quantizations)
    return bool(output != 0 and first * second / output >= 1)


def _narrow_bias(node: Node) -> bool:
    """The bias of int16 activations is of another type than int64."""
    return getattr(node.options, "quantized_bias_type", 0) not in (0, ENUMS["TensorType"][1]["INT64"])


def _sparse_weights(node: Node) -> bool:
    return len(node.inputs) > 1 and (w := node.inputs[1]) is not None and w.sparsity is not None


def _two_inputs(node: Node) -> bool:
    return len(node.inputs) == 2


def _has_bias(node: Node) -> bool:
    return len(node.inputs) == 4 and node.inputs[3] is not None


# Families of features.

FLOAT8 = ("float8_e4m3fn", "float8_e5m2")
Features = tuple[Feature, ...]


def _by_type(index: int = 0, **versions: int) -> Features:
    """By the type of an input; float8 stands for both of its types."""
    return tuple(_feature(v, _input(index, *(FLOAT8 if t == "float8" else (t,)))) for t, v in versions.items())


def _hybrid(weights: int, symmetric: int, asymmetric: int) -> Features:
    """Float activations with int8 weights, quantized at run time; `weights` is the index of an input that has them."""
    types = (_input(0, "float32"), _input(weights, "int8"))
    option = _option("asymmetric_quantize_inputs")
    return (_feature(symmetric, *types), _feature(asymmetric, *types, option))


def _any(version: int, *conditions: Condition) -> Features:
    return tuple(_feature(version, condition) for condition in conditions)


def _either(version: int, *types: str) -> Features:
    """The input or the output is of one of these types."""
    return _any(version, _input(0, *types), _output(0, *types))


INT8_2: Features = _by_type(int8=2)
INT8_2_INT16_3: Features = _by_type(int8=2, int16=3)
INT16X8 = (_input(0, "int16"), _input(1, "int8"))
FLOAT_BY_INT8 = (_input(0, "float32"), _input(1, "int8"))
INT8_BY_INT4 = (_input(0, "int8"), _input(1, "int4"))

FIRST_VERSION = {"BROADCAST_TO": 2}  # where it is not 1

FEATURES: dict[str, Features] = {
    "ABS": (
        *_by_type(int8=2, uint8=2, int16=3, int32=5),
        _feature(4, _input(0, "int16"), _not(_quantized(0))),
    ),
    "ADD": (
        *_by_type(int8=2, int64=4, float16=6),
        _feature(3, _input(0, "int16"), _not(_option("pot_scale_int16"))),
        _feature(5, _input(0, "int16"), _not(_quantized(0))),
    ),
    **dict.fromkeys(("ARG_MAX", "ARG_MIN"), _by_type(int8=2, bool=3)),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), INT8_2_INT16_3),
    "BATCH_MATMUL": (*INT8_2_INT16_3, _feature(4, *FLOAT_BY_INT8, _option("asymmetric_quantize_inputs"))),
    **dict.fromkeys(
        ("BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND"),
        (*_by_type(int8=2, int16=4), _feature(3, lambda node: _rank(node, 0) != 4)),
    ),
    **dict.fromkeys(("BIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_LSTM"), _hybrid(1, 2, 3)),
    "BROADCAST_TO": _by_type(int8=3, int16=3, float8=4),
    "CAST": (
        *_either(2, "uint32"),
        *_either(3, "int8"),
        *_either(4, "uint16"),
        *_either(5, "float16", "float64"),
        _feature(6, _input(0, "int4"), _output(0, "float32")),
        *_either(7, "bfloat16"),
        *_either(8, "int2", "uint4"),
        *_either(9, *FLOAT8),
    ),
    "CONCATENATION": _by_type(int8=2, int16=3, uint32=4, int4=5, float16=6, float8=7),
    "CONV_2D": (
        _feature(2, *FLOAT_BY_INT8),
        _feature(3, _input(0, "int8")),
        _feature(4, _input(0, "int16")),
        _feature(5, *FLOAT_BY_INT8, _input_per_axis(1)),
        _feature(6, _grouped),
        _feature(7, *INT8_BY_INT4),
        _feature(8, *INT16X8, _narrow_bias),
    ),
    "COS": _by_type(float16=2),
    "DEPTHWISE_CONV_2D": (
        _feature(2, _dilated),
        _feature(3, _input(0, "int8")),
        _feature(4, *FLOAT_BY_INT8),
        _feature(5, _input(0, "int16")),
        _feature(6, *FLOAT_BY_INT8, _input_per_axis(1)),
        _feature(7, *INT8_BY_INT4),
    ),
    "DEPTH_TO_SPACE": INT8_2,
    "DEQUANTIZE": (
        *_by_type(int8=2, int16=3, float16=3, int4=6, int2=7, uint4=8, float8=9),
        _feature(5, _input(0, "int8"), _input_per_axis(0)),
    ),
    "DIV": _any(2, _broadcasts_above(4)),
    "DYNAMIC_UPDATE_SLICE": (*_by_type(float16=3, int16=4, int4=5, bfloat16=6), _feature(2, _input(2, "int64"))),
    "EMBEDDING_LOOKUP": (*_by_type(1, int4=4, int2=5), _feature(4, _input_per_axis(1))),
    "EQUAL": _by_type(int8=2, string=3, int16=5),
    **dict.fromkeys(("EXP", "LOG", "REDUCE_PROD", "SQRT"), _by_type(int8=2, int16=2)),
    "FAKE_QUANT": _any(2, _option("narrow_range")),
    "FILL": _by_type(1, bool=2, string=2, int8=3, int16=3, float16=4, float8=5),
    "FLOOR_DIV": _by_type(float32=2, int8=3, int16=3),
    "FLOOR_MOD": _by_type(int8=2, int16=2),
    "FULLY_CONNECTED": (
        _feature(2, _option("weights_format")),
        *_hybrid(1, 3, 9),
        _feature(4, _input(0, "int8")),
        _feature(5, _option("keep_num_dims")),
        _feature(6, _two_inputs),
        _feature(7, _input(0, "int16")),
        _feature(8, _sparse_weights),
        _feature(10, *INT8_BY_INT4),
        _feature(11, *INT16X8, _narrow_bias),
        _feature(12, *FLOAT_BY_INT8, _input_per_axis(1)),
        _feature(13, _input(0, "int16"), _input(1, "int4")),
        _feature(14, _input(1, "int2")),
    ),
    "GATHER": (
        *_by_type(int8=2, bool=3, int16=4, int4=7, float8=8),
        _feature(5, _option("batch_dims")),
        _feature(6, _input(1, "int16")),
    ),
    "GATHER_ND": (*_by_type(string=2, int16=3, bool=5, float8=6), _feature(4, _input(1, "int16"))),
    "GELU": _by_type(int8=2, uint8=2, float16=3),
    **dict.fromkeys(("GREATER", "LESS_EQUAL"), INT8_2),
    **dict.fromkeys(("GREATER_EQUAL", "LESS"), INT8_2_INT16_3),
    "L2_NORMALIZATION": (_feature(2, _output(0, "int8")),),
    "LEAKY_RELU": _by_type(int16=2),
    **dict.fromkeys(("LOGISTIC", "TANH"), INT8_2_INT16_3),
    "LOG_SOFTMAX": INT8_2,
    "LSTM": (
        *_any(2, _option("kernel_type")),
        *_hybrid(2, 3, 4),
        _feature(5, _input(0, "int16"), _input(2, "int8"), _not(_option("kernel_type"))),
    ),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), (*_by_type(int8=2, int16=4), _feature(3, _broadcasts_above(4)))),
    **dict.fromkeys(("MEAN", "MIRROR_PAD", "REDUCE_MAX", "REDUCE_MIN", "RELU6", "RSQRT"), INT8_2_INT16_3),
    "MUL": (
        *_by_type(int8=2, int16=4, int64=5, complex64=6, uint32=7, float16=8),
        _feature(3, _product_at_least_output),
        _feature(7, _input(0, "int16"), _not(_quantized(0)), _not(_quantized(1))),
    ),
    "NOT_EQUAL": _by_type(int8=2, string=3, int16=4),
    "PACK": _by_type(int8=2, int16=3, uint32=4, float8=5),
    **dict.fromkeys(("PAD", "PADV2"), (*_by_type(int8=2, int16=3, bool=5, float8=6), _feature(4, _rank_above(4)))),
    "QUANTIZE": (
        _feature(2, _output(0, "int16")),
        _feature(3, _output_per_axis(0)),
        *_either(4, "int4"),
        *_either(5, "uint4"),
    ),
    "RANGE": _by_type(int64=2),
    "RELU": _by_type(int8=2, uint8=2, int16=3),
    "RESIZE_BILINEAR": (*_by_type(int8=2, int16=4), _feature(3, _option("half_pixel_centers"))),
    "RESIZE_NEAREST_NEIGHBOR": (
        *_by_type(int8=2, int16=4),
        *_any(3, _option("half_pixel_centers"), _option("align_corners")),
    ),
    "REVERSE_V2": _by_type(bool=2, int8=3, float8=4),
    **dict.fromkeys(("RNN", "UNIDIRECTIONAL_SEQUENCE_RNN"), _hybrid(1, 2, 3)),
    "SELECT": (
        *_by_type(int8=2, uint32=4),
        *_any(3, *(lambda node, i=i: _rank(node, i) == 5 for i in range(3))),
    ),
    "SELECT_V2": _by_type(uint32=2),
    "SIGN": _by_type(int32=2),
    "SIN": _by_type(float16=2),
    "SLICE": (*_by_type(int8=2, string=3, int16=4, uint32=6, int4=7, float16=8), _feature(5, _rank_above(4))),
    "SOFTMAX": _by_type(int8=2, int16=3, float16=4),
    **dict.fromkeys(("SPACE_TO_DEPTH", "SUM", "SQUARED_DIFFERENCE"), INT8_2),
    "SPARSE_TO_DENSE": _by_type(2, int64=2, int8=3, uint8=3),
    "SPLIT": _by_type(1, int8=2, int32=3, int16=4, float8=5),
    "SPLIT_V": _by_type(int8=2, float8=3),
    "SQUEEZE": _by_type(string=2),
    "STRIDED_SLICE": (
        *_by_type(int8=2, bool=3, string=5, uint32=7),
        _feature(4, _rank_above(4)),
        *_any(6, _option("ellipsis_mask"), _option("new_axis_mask")),
        _feature(8, _option("offset")),
    ),
    "SUB": (
        *_by_type(int8=2, int64=4),
        _feature(3, _broadcasts_above(4)),
        _feature(5, _input(0, "int16"), _not(_option("pot_scale_int16"))),
    ),
    "SVDF": (*_by_type(int8=3), *_hybrid(1, 2, 4)),
    "TILE": _by_type(string=2, int8=3),
    "TOPK_V2": (*INT8_2_INT16_3, *_any(3, _input(1, "int16"), _output(1, "int16"))),
    "TRANSPOSE": (
        *_by_type(int8=2, bool=3, int16=5, int4=7, bfloat16=8, float16=9),
        *(_feature(version, _rank_above(rank)) for version, rank in ((4, 4), (6, 5), (8, 6))),
    ),
    "TRANSPOSE_CONV": (
        _feature(2, _input(1, "int8")),
        _feature(3, _has_bias),
        _feature(4, _option("fused_activation_function")),
        _feature(5, _input(2, "int16"), _input(1, "int8"), _narrow_bias),
    ),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        *_hybrid(2, 2, 3),
        _feature(4, _option("diagonal_recurrent_tensors")),
        _feature(5, _input(0, "int16"), _input(2, "int8")),
    ),
    "UNPACK": _by_type(int8=2, uint8=2, bool=3, int16=4, float16=5, bfloat16=5, float8=6),
    "WHERE": (_feature(2, _not(_input(0, "bool"))),),
}
