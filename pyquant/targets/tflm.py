"""TensorFlow Lite for Microcontrollers, as of tensorflow/tflite-micro 90b983c (2026-08)."""

from __future__ import annotations

from pyquant.ops.conditions import input_is, negated
from pyquant.targets.target import ANY_VERSION, Gap, Target, kernel_gaps

# Types of the input that chooses the kernel -> operators; from tensorflow/lite/micro/kernels/*.cc, reference kernels.
KERNELS: dict[str, str] = {
    "float32": "CEIL COS EXP FLOOR FLOOR_DIV FLOOR_MOD L2_POOL_2D LOG ROUND SIN SQRT SQUARE",
    "float32 int8": """
        ADD_N ARG_MAX ARG_MIN BATCH_TO_SPACE_ND CUMSUM DEPTH_TO_SPACE ELU EMBEDDING_LOOKUP GATHER GATHER_ND HARD_SWISH
        L2_NORMALIZATION LOG_SOFTMAX MIRROR_PAD NEG REDUCE_MAX REDUCE_MIN RESIZE_BILINEAR RSQRT SPACE_TO_BATCH_ND
        SPACE_TO_DEPTH SVDF
    """,
    "float32 int8 int16": """
        ABS AVERAGE_POOL_2D BATCH_MATMUL CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED LEAKY_RELU LOGISTIC MAX_POOL_2D MEAN
        PRELU RELU RELU6 RESIZE_NEAREST_NEIGHBOR SOFTMAX SUM TANH TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM
    """,
    "float32 int8 int32": "DIV",
    "float32 int8 int16 int32": "ADD EXPAND_DIMS MUL PAD PADV2 SPLIT SPLIT_V SQUARED_DIFFERENCE SUB UNPACK",
    "float32 int8 int32 int64": "ZEROS_LIKE",
    "float32 int8 int16 int32 int64": "GREATER GREATER_EQUAL LESS LESS_EQUAL MAXIMUM MINIMUM PACK",
    "float32 int8 int16 int32 bool": "STRIDED_SLICE",
    "float32 int8 int16 int32 int64 bool": "CONCATENATION EQUAL NOT_EQUAL SLICE",
    "float32 int8 int16 int32 int64 uint8 bool": "REVERSE_V2",
    "float32 int8 int16 int32 uint32 bool": "CAST",
    "float32 int8 int16 int32 uint8": "QUANTIZE",
    "int8 int16 uint8": "DEQUANTIZE",
    "": """
        ASSIGN_VARIABLE BROADCAST_ARGS BROADCAST_TO CALL_ONCE DYNAMIC_UPDATE_SLICE FILL IF LOGICAL_AND LOGICAL_NOT
        LOGICAL_OR READ_VARIABLE REDUCE_ALL RESHAPE SELECT_V2 SHAPE SQUEEZE VAR_HANDLE WHILE
    """,
}
TYPES = "float32 int8 int16 int32 int64 uint8 uint32 uint64 bool int4 resource string"
CHOOSER = {"EMBEDDING_LOOKUP": 1, "SPLIT": 1, "TRANSPOSE_CONV": 2}  # the index of that input, where it is not 0
CUSTOM = """
    CIRCULAR_BUFFER TFLM_DECODE TFLite_Detection_PostProcess ethos-u SignalDelay SignalEnergy SignalFftAutoScale
    SignalFilterBank SignalFilterBankLog SignalFilterBankSpectralSubtraction SignalFilterBankSquareRoot SignalFramer
    SignalIrfft SignalOverlapAdd SignalPCAN SignalRfft SignalStacker SignalWindow
"""
HYBRID = Gap(
    (input_is(0, "float32"), negated(input_is(1, "float32"))),
    "has no kernel for float inputs by integer weights",
    "quantize the activations too, or dequantize the weights",
)


GAPS = kernel_gaps(KERNELS, CHOOSER)
GAPS |= {op: (*GAPS[op], HYBRID) for op in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "SVDF")}

TFLM = Target(
    "tflm",
    "TensorFlow Lite for Microcontrollers, reference kernels",
    "tensorflow/tflite-micro: micro_mutable_op_resolver.h, micro_allocator.cc and kernels; it reads no op versions",
    dict.fromkeys(" ".join(KERNELS.values()).split(), ANY_VERSION),
    gaps=GAPS,
    custom=frozenset(CUSTOM.split()),
    types=frozenset(TYPES.split()),
    sparsity=False,
    lookups=True,
    stray_axes=True,
)
