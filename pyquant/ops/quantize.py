"""QUANTIZE (from float, and from one scale to another) and DEQUANTIZE."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyquant.dtypes import FLOAT32, INT32
from pyquant.errors import GraphError
from pyquant.fixed import multiply, quantize_multiplier, round_half_away
from pyquant.graph import Tensor
from pyquant.ops.activation import same_shape
from pyquant.ops.clamp import saturate
from pyquant.ops.kinds import QUANTIZED, typed_kernels
from pyquant.ops.lut import lut_kernels
from pyquant.ops.operator import Call, Floor, Kernel, Launch, Operator, Slot
from pyquant.ops.registry import register
from pyquant.ops.ties import elementwise_ties


def quantize(call: Call, x: np.ndarray) -> np.ndarray:
    """Divide by the scale, round half away from zero. What is out of range saturates, NaN becomes 0.

    TFLite leaves both undefined; on x86 its result there is the smallest code.
    """
    y = call["y"]
    scale, zero_point = _by_channel(y)
    steps = np.clip(x / scale, -(2.0**24), 2.0**24)  # past every code
    return saturate(round_half_away(np.nan_to_num(steps)) + zero_point, y)


def requantize(call: Call, x: np.ndarray) -> np.ndarray:
    """From the scale and type of the input to those of the output."""
    source, y = call["x"], call["y"]
    m, e = quantize_multiplier(float(source.scale) / float(y.scale))
    return saturate(multiply(x.astype(np.int64) - source.zero_point, m, e) + y.zero_point, y)


def dequantize(call: Call, x: np.ndarray) -> np.ndarray:
    """scale * (code - zero point): both factors are exact in float32, so that the product is rounded once."""
    scale, zero_point = _by_channel(call["x"])
    product: np.ndarray = scale * (x.astype(np.int32) - zero_point.astype(np.int32)).astype(np.float32)
    return product


def widen(call: Call, x: np.ndarray) -> np.ndarray:
    return x.astype(np.float32)


def _by_channel(tensor: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Scale and zero point in a shape that broadcasts over the tensor."""
    q = tensor.quantization
    if q is None or q.scale.size == 0:
        raise GraphError(f"tensor {tensor.name!r} has no scale")
    if not q.per_axis:
        return q.scale[0], q.zero_point[0]
    shape = [1] * len(tensor.shape)
    shape[q.axis if len(shape) > 1 else 0] = -1
    return q.scale.reshape(shape), np.broadcast_to(q.zero_point, q.scale.shape).reshape(shape)


def quantize_params(call: Call) -> Launch | None:
    """One unit is one element, here and below."""
    x, y = call["x"], call["y"]
    if not _has_c_codes(y) or not _per_tensor(y):
        return None
    return Launch(x.size, {"scale": y.scale, **_codes(y)})


def requantize_params(call: Call) -> Launch | None:
    x, y = call["x"], call["y"]
    if not _has_c_codes(y) and y.dtype != INT32:
        return None
    m, e = quantize_multiplier(float(x.scale) / float(y.scale))
    params = {"offset": -x.zero_point, "multiplier": int(m), "exponent": int(e), **_codes(y)}
    return Launch(x.size, params, in_place=True)


def dequantize_params(call: Call) -> Launch | None:
    x = call["x"]
    if call["y"].dtype != FLOAT32:
        return None
    if x.dtype.is_float:
        return Launch(x.size, {"scale": 1.0, "offset": 0})
    return Launch(x.size, {"scale": x.scale, "offset": -x.zero_point}) if _per_tensor(x) else None


def _codes(y: Tensor) -> dict[str, Any]:
    return {"zero_point": y.zero_point, "lo": y.dtype.lo, "hi": y.dtype.hi, "wide": {8: 0, 16: 1, 32: 2}[y.dtype.bits]}


def _has_c_codes(y: Tensor) -> bool:
    return y.dtype.is_quantized_integer and y.dtype.bits in (8, 16)


def _per_tensor(tensor: Tensor) -> bool:
    return tensor.quantization is not None and tensor.quantization.scale.size == 1


# A requantization leaves room for the left shift of a multiplier above 1.
RESCALED = Slot("y", floors=(Floor(("x",), {"int8": 2.0**-22, "int16": 2.0**-14}),))

QUANTIZE = register(
    Operator(
        "QUANTIZE",
        options="QuantizeOptions",
        cast=True,
        inputs=(Slot("x"),),
        outputs=(RESCALED,),
        shape=same_shape,
        ties=elementwise_ties,
        reference={"float32": quantize, **dict.fromkeys((*QUANTIZED, "int32"), requantize)},
        kernels={
            "float32": Kernel("quantize_f32", "pq_quantize", quantize_params),
            **lut_kernels(requantize, ("int8", "uint8")),
            "int16": Kernel("requantize_s16", "pq_requantize", requantize_params, doubly=True),
            "int32": Kernel("requantize_s32", "pq_requantize", requantize_params, doubly=True),
        },
    )
)

DEQUANTIZE = register(
    Operator(
        "DEQUANTIZE",
        options="DequantizeOptions",
        cast=True,
        inputs=(Slot("x"),),
        outputs=(Slot("y"),),
        shape=same_shape,
        ties=elementwise_ties,
        reference={
            **dict.fromkeys((*QUANTIZED, "int4", "int2", "uint4"), dequantize),
            "float16": widen,
        },
        kernels={
            **typed_kernels("dequantize", "pq_dequantize", dequantize_params, QUANTIZED),
            "float16": Kernel("dequantize_f16", "pq_dequantize", dequantize_params),
        },
    )
)
