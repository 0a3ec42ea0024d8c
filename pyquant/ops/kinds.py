"""Tables by kind that several operators share."""

from __future__ import annotations

from collections.abc import Collection

from pyquant.dtypes import DTYPES
from pyquant.ops.operator import Fill, Kernel

EVERY_TYPE = tuple(d.name for d in DTYPES if d.bits)
WITH_STRINGS = (*EVERY_TYPE, "string")
QUANTIZED = ("int8", "uint8", "int16")
RELUS = (1, 2, 3)  # RELU, RELU_N1_TO_1, RELU6 as fused activations: the ones that kernels compute
ACTIVATIONS = ("float32", *QUANTIZED)
WHOLE = ("int32", "int64")
KERNEL_TYPES = {  # how kernels call their type
    "float32": "f32",
    "int8": "s8",
    "uint8": "u8",
    "int16": "s16",
    "int32": "s32",
    "int64": "s64",
}


def typed_kernels(
    operation: str, struct: str, fill: Fill, kinds: Collection[str] = ACTIVATIONS, doubly: bool = False
) -> dict[str, Kernel]:
    """The C kernels `operation`_f32, `operation`_s8, ... by kind."""
    return {
        kind: Kernel(f"{operation}_{KERNEL_TYPES[kind]}", struct, fill, doubly and kind in QUANTIZED) for kind in kinds
    }
