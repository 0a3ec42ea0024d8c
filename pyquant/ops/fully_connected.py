"""FULLY_CONNECTED: rows of the input, (batch, I), times weights (O, I)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pyquant.dtypes import FLOAT32
from pyquant.errors import GraphError, ShapeError, UnsupportedOp
from pyquant.fixed import ACTIVATION_BOUNDS, FLOAT32_MAX, activation_bounds
from pyquant.ops.contraction import dense
from pyquant.ops.conv import BIAS, OUTPUT, conv_launch
from pyquant.ops.hybrid import Dynamic, dynamic, quantize_asymmetric
from pyquant.ops.kernel_constants import kernel_constants
from pyquant.ops.kinds import RELUS
from pyquant.ops.operator import Call, Kernel, Launch, Operator, Restated, Shape, Slot, Sparse
from pyquant.ops.registry import register
from pyquant.ops.requantize import Requantization, requantization, sum_bits, weight_scales, weight_zero_point
from pyquant.ops.ties import dense_ties
from pyquant.ops.window import Axis

MOST_OF_BLOCK = 4096  # weights that share a scale, in C


def shape(call: Call, x: Shape, w: Shape, b: Shape | None = None) -> list[Shape]:
    if call.options.weights_format != 0:
        raise UnsupportedOp(f"{call.label}: weights are shuffled, expected format DEFAULT")
    if len(w) != 2 or not w[1] or math.prod(x) % w[1]:
        raise ShapeError(f"{call.label}: weights {w} do not divide input {x} into rows")
    if b is not None and math.prod(b) != w[0]:
        raise ShapeError(f"{call.label}: bias {b} needs {w[0]} elements")
    if not call.options.keep_num_dims:
        return [(math.prod(x) // w[1], w[0])]
    if x[-1:] != (w[1],):
        raise ShapeError(f"{call.label}: input {x} must end in {w[1]} for weights {w}")
    return [(*x[:-1], w[0])]


def restate(call: Call, before: Sequence[Shape | None], now: Sequence[Shape | None], samples: bool) -> Restated:
    """A row stays what it was: other dimensions may only add rows."""
    length, was, is_ = call["w"].shape[1], before[0] or (), now[0] or ()
    ends = [i for i in range(len(was)) if math.prod(was[i:]) == length == math.prod(is_[i:])]
    if not ends and not samples:
        raise ShapeError(f"{call.label}: weights take rows of {length}, made of {was}; {is_} has none")
    return Restated()


def float_(call: Call, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """float32 in TFLite's order: each product and sum rounded, the bias last."""
    rows = x.reshape(-1, w.shape[1])
    sums = np.zeros((len(rows), len(w)), np.float32)
    for i in range(w.shape[1]):
        sums += rows[:, i, None] * w[:, i]
    return _finish_float(call, x, sums, b)


def quantized(call: Call, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """8-bit and 16-bit activations. Products of matrices in float64 are exact here: every sum stays below 2**53."""
    rows = x.reshape(-1, w.shape[1]).astype(np.float64) - call["x"].zero_point
    sums = (rows @ (w.astype(np.float64) - weight_zero_point(call["w"])).T).astype(np.int64)
    return _arranged(call, x, rescaling(call)(sums if b is None else sums + b))


def hybrid(call: Call, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """Float rows, each quantized at run time. That TFLite 2.14 takes several scales of w for 0 is not followed."""
    if call["w"].quantization is not None and call["w"].quantization.details is not None:
        return _finish_float(call, x, _blockwise(call, x.reshape(-1, w.shape[1]), w), b)
    how = row_dynamic(call)
    terms, scale = how.terms(x.reshape(-1, w.shape[1]))
    sums = terms.astype(np.float64) @ w.astype(np.float64).T
    return _finish_float(call, x, how.real(sums, scale), b)


def _blockwise(call: Call, rows: np.ndarray, w: np.ndarray) -> np.ndarray:
    """A scale for each block of a unit's weights; rows are always quantized asymmetrically."""
    scales, size = _blocks(call)
    q, scale, zero = quantize_asymmetric(rows, call.numerics)
    sums = np.zeros((len(rows), len(w)), np.float32)
    for i, block in enumerate(np.split(w, w.shape[1] // size, axis=1)):
        products = q[:, i * size : (i + 1) * size].astype(np.float64) @ block.astype(np.float64).T
        sums += products.astype(np.float32) * scales[:, i]
    return np.asarray((sums - zero[:, None].astype(np.float32) * _real_sums(w, scales)) * scale[:, None])


def _real_sums(w: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Of a unit's weights times their scales, added up block by block. -> (units,) float32"""
    sums = w.reshape(*scales.shape, -1).sum(2, dtype=np.int64).astype(np.float32)
    total = np.zeros(len(w), np.float32)
    for i in range(scales.shape[1]):
        total += scales[:, i] * sums[:, i]
    return total


def _blocks(call: Call) -> tuple[np.ndarray, int]:
    """The scales of weights in blocks, (units, blocks) float32, and the size of a block."""
    w = call["w"]
    assert w.quantization is not None
    details, scales = w.quantization.details, w.quantization.tensors.get("scales")
    if details is None or details.table != "BlockwiseQuantization":
        raise UnsupportedOp(f"{call.label}: weights {w.name!r} have a quantization that is not known")
    size = int(details.block_size)
    if (
        size < 1
        or w.shape[1] % size
        or scales is None
        or scales.data is None
        or "zero_points" in w.quantization.tensors
    ):
        raise GraphError(
            f"{call.label}: blocks of {size} in weights {w.shape}, expected constant scales and no zero points"
        )
    if not scales.dtype.is_float or scales.shape != (w.shape[0], w.shape[1] // size):
        raise GraphError(f"{call.label}: scales {scales.dtype} {scales.shape} of blocks of {size} in weights {w.shape}")
    return np.asarray(scales.data, np.float32), size


def rescaling(call: Call) -> Requantization:
    """TFLite 2.14 scales as a convolution does, LiteRT 2.3 in double; 16-bit weights go by fixed.multiply64 in both."""
    _check_activation(call)
    per_axis = weight_scales(call).size > 1
    if call["w"].dtype.name == "int16":
        return requantization(call, single=not per_axis, bits=64)
    exact = call.numerics == "litert"
    return requantization(call, single=not per_axis and not exact, bits=sum_bits(call), exact=exact)


def row_dynamic(call: Call) -> Dynamic:
    return dynamic(call, call.options.asymmetric_quantize_inputs)


def params(call: Call) -> Launch | None:
    """A convolution with a filter of 1 x 1 over one pixel per row."""
    _check_activation(call)
    w, quantization = call["w"].shape, call["w"].quantization
    if quantization is not None and quantization.details is not None:
        return None
    constants = kernel_constants(call, rescaling, row_dynamic)
    if constants is None:
        return None
    constants |= zip(("float_lo", "float_hi"), _bounds(call), strict=True)
    rows, pixel = call["x"].size // w[1], Axis(size=1, taps=1, stride=1, dilation=1, before=0, out=1)
    constants["fused"] = int(call.fused)
    return conv_launch(constants, (rows, 1, 1, w[1]), (w[0], 1, 1, w[1]), (rows, 1, 1, w[0]), pixel, pixel)


def blockwise_launch(call: Call) -> Launch | None:
    """One unit is one output of one row."""
    _check_activation(call)
    w, b = call["w"], call.get("b")
    if w.data is None or w.data.dtype != np.int8 or w.quantization is None or w.quantization.details is None:
        return None
    if call["y"].dtype is not FLOAT32 or (b is not None and (b.data is None or b.dtype is not FLOAT32)):
        return None
    scales, size = _blocks(call)
    if size > MOST_OF_BLOCK:
        return None
    lo, hi = activation_bounds(call.options.fused_activation_function)
    params = {
        "depth": w.shape[1],
        "outputs": w.shape[0],
        "size": size,
        "litert": int(call.numerics == "litert"),
        "weights": w.data,
        "scales": scales,
        "sums": _real_sums(w.data, scales),
        "bias": None if b is None or b.data is None else b.data.reshape(-1),
        "lo": lo,
        "hi": hi,
    }
    return Launch(call["x"].size // w.shape[1] * w.shape[0], params, cost=w.shape[1])


def macs(call: Call) -> int:
    """Every input element meets every unit."""
    return call["x"].size * call["w"].shape[0]


def _finish_float(call: Call, x: np.ndarray, sums: np.ndarray, b: np.ndarray | None) -> np.ndarray:
    _check_activation(call)
    return _arranged(call, x, np.clip(sums if b is None else sums + b, *_bounds(call)))


def _bounds(call: Call) -> tuple[np.float32, np.float32]:
    """Of float outputs. TFLite lets a product with integer weights be infinite."""
    most = np.inf if call.kind == "hybrid" else FLOAT32_MAX
    return activation_bounds(call.options.fused_activation_function, most)


def _arranged(call: Call, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The rows of y in the shape that the options ask for."""
    return y.reshape(*x.shape[:-1], y.shape[-1]) if call.options.keep_num_dims else y


def _check_activation(call: Call) -> None:
    activation = call.options.fused_activation_function
    if activation != 0 and activation not in ACTIVATION_BOUNDS:
        raise UnsupportedOp(f"{call.label}: activation {activation} cannot be fused here")


NARROW = {"hybrid": ("int4", "int2"), "int8": ("int4",), "int16": ("int4",)}
WEIGHT = Slot(
    "w",
    role="weight",
    newer_axis=0,
    blocks=True,
    narrow=NARROW,
    sparse=Sparse({"float32": (1, 4), "int8": (16,), "hybrid": (16,)}, version=8),
    held=("int8", "hybrid"),
)

FULLY_CONNECTED = register(
    Operator(
        "FULLY_CONNECTED",
        options="FullyConnectedOptions",
        inputs=(Slot("x"), WEIGHT, BIAS),
        contraction=dense(),
        ties=dense_ties,
        outputs=(OUTPUT,),
        shape=shape,
        restate=restate,
        reference={
            "float32": float_,
            "int8": quantized,
            "int16": quantized,
            "uint8": quantized,
            "hybrid": hybrid,
        },
        kernels={
            "float32": Kernel("conv2d_f32", "pq_conv2d", params),
            "int8": Kernel("conv2d_s8", "pq_conv2d", params),
            "int16": Kernel("conv2d_s16", "pq_conv2d", params),
            "uint8": Kernel("conv2d_u8", "pq_conv2d", params),
            "hybrid": (
                Kernel("conv2d_f32s8", "pq_conv2d", params),
                Kernel("blockwise_f32s8", "pq_blockwise", blockwise_launch),
            ),
        },
        macs=macs,
        fuses=RELUS,
        settings={
            "int16": {"quantized_bias_type": "INT64"},
            "hybrid": {"asymmetric_quantize_inputs": True},  # a bit more of each input, as rows are rarely about 0
        },
    )
)
