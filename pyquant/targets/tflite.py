"""The interpreters: tflite-runtime 2.14, ai-edge-litert 2.3 and the releases of TensorFlow Lite before and between."""

from __future__ import annotations

from pyquant.ops.conditions import (
    Condition,
    has_input,
    input_is,
    input_of_equal_scales,
    input_of_size,
    input_per_axis,
    narrow_bias,
    negated,
    output_is,
    rescaled,
)
from pyquant.targets.releases import highest_versions
from pyquant.targets.target import EVERY_TYPE, Gap, Target, kernel_gaps

CUSTOM = frozenset({"AudioSpectrogram", "Mfcc", "NumericVerify", "TFLite_Detection_PostProcess"})
FLOAT_BY_INT8 = (input_is(0, "float32"), input_is(1, "int8"))
INT16X8 = (input_is(0, "int16"), input_is(1, "int8"))


# Types of the first input -> operators that run with them, found by running each.
KERNELS_OF_2_14: dict[str, str] = {
    "float32": "ATAN2 CEIL COS FLOOR LOG ROUND SIN SQRT SQUARE",
    "float32 int8": "ELU RSQRT",
    "float32 int32": "POW",
    "float32 int8 int16": "EXP",
    "float32 int8 uint8": "GELU HARD_SWISH L2_NORMALIZATION LOG_SOFTMAX PRELU RELU_0_TO_1 RELU_N1_TO_1",
    "float32 int8 int32": "SQUARED_DIFFERENCE",
    "float32 int32 int64": "NEG",
    "float32 uint8 int32": "DIV",
    "float32 int8 int16 int32": "ABS FLOOR_DIV",
    "float32 int8 uint8 int16": "LEAKY_RELU LOGISTIC RELU RELU6 SOFTMAX TANH",
    "float32 int8 int16 int32 int64": "FLOOR_MOD",
    "float32 int8 uint8 int32 int64": "GREATER LESS_EQUAL",
}
KERNELS_OF_2_3: dict[str, str] = {
    "float32": "CEIL SQUARE",
    "float32 int8": "ELU",
    "float32 int32": "POW SIGN",
    "float32 float16": "ATAN2 COS FLOOR ROUND SIN",
    "float32 int8 int16": "EXP LOG RSQRT SQRT",
    "float32 int8 uint8": "HARD_SWISH L2_NORMALIZATION LOG_SOFTMAX RELU_0_TO_1 RELU_N1_TO_1",
    "float32 int8 int32": "SQUARED_DIFFERENCE",
    "float32 int8 int16 int32": "ABS FLOOR_DIV",
    "float32 int8 uint8 int16": "LEAKY_RELU PRELU RELU RELU6",
    "float32 int8 uint8 int16 int32": "DIV",
    "float32 int8 int16 int32 int64": "FLOOR_MOD",
    "float32 int8 uint8 int16 float16": "GELU LOGISTIC SOFTMAX TANH",
    "float32 int8 int16 int32 int64 float16": "NEG",
}
# Types of the input of that index that no release takes, where versions do not say so -> operators.
NEVER: dict[tuple[int, str], str] = {
    (0, "int16"): "ARG_MAX ARG_MIN DEPTH_TO_SPACE SPACE_TO_DEPTH",
    (1, "int16"): "SCATTER_ND",
    (0, "int8"): "REVERSE_SEQUENCE",
}
NEVER_TAKEN: dict[str, tuple[Gap, ...]] = {
    op: (Gap((input_is(index, kind),), f"takes no {kind} here"),)
    for (index, kind), ops in NEVER.items()
    for op in ops.split()
}
EIGHT_BITS = "int8 weights compute the same"


def _narrow(
    *types: str, image: int = 0, reason: str = "has no kernel for float inputs by weights of these bits"
) -> Gap:
    """Of weights, the second input, in types below int8 where the input `image` is float."""
    return Gap((input_is(image, "float32"), input_is(1, *types)), reason, EIGHT_BITS, lowering="int8")


ONE_SCALE = Gap(
    (*FLOAT_BY_INT8, negated(input_per_axis(1)), negated(input_of_size(1, 3, 1))),
    "reads a scale for each channel of the weights where inputs are float, and past the end of the one there is",
    "state it for each channel",
)
MISREAD = "takes weights of these bits for int8 where inputs are float, and reads past their end"
NO_BIAS = Gap((negated(has_input(2)),), "refuses a convolution without bias", "add a bias of zeros")
GAPS_OF_2_14: dict[str, tuple[Gap, ...]] = {
    **kernel_gaps(KERNELS_OF_2_14, {}),
    **NEVER_TAKEN,
    "BATCH_MATMUL": (Gap(INT16X8, "has no kernel for int16 by int8"),),
    "CONV_2D": (
        NO_BIAS,
        _narrow("int4", reason=MISREAD),
        Gap(
            (*FLOAT_BY_INT8, input_of_equal_scales(1)),
            "takes 0 for the scale of weights whose channels all have the same, and returns the bias",
            "state it once",
        ),
    ),
    "DEPTHWISE_CONV_2D": (_narrow("int4"), ONE_SCALE),
    "FULLY_CONNECTED": (
        Gap(
            (*FLOAT_BY_INT8, input_per_axis(1)),
            "takes 0 for the scale of float inputs by int8 weights of several scales, and returns the bias",
            "a depthwise convolution computes the same where inputs are quantized asymmetrically",
            lowering="depthwise",
        ),
        Gap(
            (input_is(1, "int4"), input_per_axis(1)),
            "takes int4 weights of one scale only",
            EIGHT_BITS,
            lowering="int8",
        ),
    ),
    "QUANTIZE": (Gap((input_is(0, "int8", "uint8"), output_is(0, "int16")), "does not requantize 8 to 16 bits"),),
    "TILE": (Gap((input_is(0, "int16"),), "has no kernel for int16"),),
    "SUM": (Gap((input_is(0, "int16"), rescaled), "sums int16 in one scale only"),),
    "TRANSPOSE_CONV": (
        Gap((input_is(2, "float32"), input_is(1, "int8", "int4")), "has no kernel for float inputs by integer weights"),
    ),
}
# These follow the type of the bias itself, so that the option which names it says nothing new.
FOLLOWS_BIAS: tuple[tuple[Condition, ...], ...] = ((*INT16X8, narrow_bias),)
KNOWN_TO_2_14 = {"CONV_2D": FOLLOWS_BIAS, "FULLY_CONNECTED": FOLLOWS_BIAS}
NEWER_TYPES = {"bfloat16", "int2", "uint4", "float8_e4m3fn", "float8_e5m2"}


def _release(name: str, release: str, about: str, source: str) -> Target:
    """What 2.14 lacks, earlier releases lack too."""
    return Target(
        name,
        about,
        source,
        highest_versions(release),
        gaps=GAPS_OF_2_14,
        known=KNOWN_TO_2_14,
        custom=CUSTOM,
        types=EVERY_TYPE - NEWER_TYPES,
        offset_buffers=release == "2.14",
    )


TFLITE_RUNTIME_2_14 = _release(
    "tflite-runtime-2.14",
    "2.14",
    "the last tflite-runtime on PyPI",
    "measured: versions, types, offset buffers and gaps, with files of one operator",
)
UNNAMED_BIAS = Gap(
    (*INT16X8, input_is(2, "int32"), negated(narrow_bias)),
    "reads the int32 bias as int64",
    "set the option quantized_bias_type to INT32",
)
LITERT_2_3 = Target(
    "ai-edge-litert-2.3",
    "ai-edge-litert 2.3 on PyPI, LiteRT of release 2.23",
    "measured: versions, types, offset buffers and gaps, with files of one operator",
    {op: version for op, version in highest_versions("2.23").items() if op != "STABLEHLO_CBRT"},
    gaps={
        **kernel_gaps(KERNELS_OF_2_3, {}),
        **NEVER_TAKEN,
        "CONV_2D": (NO_BIAS, UNNAMED_BIAS, _narrow("int2", reason=MISREAD)),
        "DEPTHWISE_CONV_2D": (_narrow("int4", "int2"), ONE_SCALE),
        "FULLY_CONNECTED": (UNNAMED_BIAS,),
        "TRANSPOSE_CONV": (_narrow("int4", "int2", image=2),),
    },
    custom=CUSTOM,
    recipe={"newer_axes": True, "newer_kernels": True},
    offset_buffers=True,
    schemes=True,
)
RELEASES = tuple(
    _release(
        f"tflite-2.{minor}", f"2.{minor}", f"TensorFlow Lite 2.{minor}", "LiteRT, runtime_version.cc; gaps as of 2.14"
    )
    for minor in range(1, 14)
)
