"""BATCH_MATMUL: products of matrices (..., M, K) and (..., K, N), whose leading dimensions broadcast."""

from __future__ import annotations

import math

import numpy as np

from pyquant.dtypes import INT8, INT16
from pyquant.errors import GraphError, ShapeError
from pyquant.fixed import Integers, multiply, multiply64, quantize_multiplier, wrap32
from pyquant.ops.binary import broadcast_loops
from pyquant.ops.clamp import saturate
from pyquant.ops.hybrid import Dynamic
from pyquant.ops.kinds import typed_kernels
from pyquant.ops.operator import Call, Floor, Launch, Operator, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.ties import matmul_ties

TOGETHER = 96  # rows of a that should meet a matrix of b as it is packed once


def shape(call: Call, a: Shape, b: Shape) -> list[Shape]:
    if min(len(a), len(b)) < 2:
        raise ShapeError(f"{call.label}: expected matrices, got shapes {a} and {b}")
    (m, k), (k2, n) = _matrices(call, a, b)
    try:
        outer = np.broadcast_shapes(a[:-2], b[:-2])
    except ValueError:
        outer = None
    if k != k2 or outer is None:
        raise ShapeError(f"{call.label}: matrices {a} and {b} have no product")
    return [(*outer, m, n)]


def _matrices(call: Call, a: Shape, b: Shape) -> tuple[tuple[int, int], tuple[int, int]]:
    """(M, K) and (K, N) of the stored last dimensions."""
    first = (a[-1], a[-2]) if call.options.adj_x else (a[-2], a[-1])
    return first, ((b[-1], b[-2]) if call.options.adj_y else (b[-2], b[-1]))


def _operands(call: Call, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (a.swapaxes(-1, -2) if call.options.adj_x else a), (b.swapaxes(-1, -2) if call.options.adj_y else b)


def float_(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """float32 in TFLite's order: each product and sum rounded."""
    x, y = _operands(call, a, b)
    sums = np.zeros(shape(call, a.shape, b.shape)[0], np.float32)
    for k in range(x.shape[-1]):
        sums += x[..., :, k, None] * y[..., None, k, :]
    return sums


def quantized(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sums in 32 bits at 8 bits, in 64 at 16. Products in float64 are exact here: every sum stays below 2**53."""
    y = call["y"]
    zero = 0 if _by_column(call) else call["b"].zero_point
    first, second = a.astype(np.float64) - call["a"].zero_point, b.astype(np.float64) - zero
    x, w = _operands(call, first, second)
    sums = (x @ w).astype(np.int64)
    if y.dtype.name == "int32":
        return wrap32(sums).astype(np.int32)
    m, e = multiplier(call)
    scaled = multiply64(sums, m, e) if call["a"].dtype == INT16 else multiply(wrap32(sums), m, e)
    return saturate(scaled + y.zero_point, y)


def multiplier(call: Call) -> tuple[Integers, Integers]:
    """The product of scales is rounded to float32. One for all, or one for each column of the product."""
    by_column = call["b"].quantization if _by_column(call) else None
    scales = call["b"].scale if by_column is None else by_column.scale
    return quantize_multiplier((call["a"].scale * scales).astype(np.float64) / np.float64(call["y"].scale))


def _by_column(call: Call) -> bool:
    """Whether b has a scale for each column, which accelerators take; ai-edge-litert takes such scales for 0.

    Raises GraphError for scales along another axis, or zero points.
    """
    b = call["b"]
    if b.quantization is None or not b.quantization.per_axis:
        return False
    axis = len(b.shape) - (2 if call.options.adj_y else 1)
    if b.quantization.axis != axis or b.quantization.scale.size != b.shape[axis] or b.quantization.zero_point.any():
        raise GraphError(
            f"{call.label}: {b.name!r} needs one scale for each of its columns, axis {axis}, and no zero points"
        )
    return True


def hybrid(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Float rows, each quantized at run time, times int8."""
    x, w = _operands(call, a, b)
    scales = np.array([call["b"].scale], np.float32)
    how = Dynamic(scales, bool(call.options.asymmetric_quantize_inputs), call.numerics)
    terms, scale = how.terms(np.ascontiguousarray(x).reshape(-1, x.shape[-1]))
    sums = (terms.reshape(x.shape).astype(np.float64) @ w.astype(np.float64)).astype(np.int64)
    rows = np.broadcast_to(scale.reshape(x.shape[:-1]), sums.shape[:-1])
    return np.asarray(how.real(sums.reshape(-1, sums.shape[-1]), rows.reshape(-1)).reshape(sums.shape))


def launch(call: Call) -> Launch | None:
    """One unit is one row of the product."""
    a, b, y = call["a"], call["b"], call["y"]
    narrow = (a.dtype, b.dtype) == (INT16, INT8)
    if not (a.dtype == y.dtype and (a.dtype == b.dtype or narrow)) or 0 in (*a.shape, *b.shape):
        return None
    loops, by_column = broadcast_loops(a=a.shape[:-2], b=b.shape[:-2]), not b.dtype.is_float and _by_column(call)
    b_zero = 0 if b.dtype.is_float or by_column else b.zero_point
    if loops is None or (a.dtype == INT16 and (a.zero_point or b_zero)):
        return None
    (m, k), (_, n) = _matrices(call, a.shape, b.shape)
    zeros = (0, 0, 0) if a.dtype.is_float else (a.zero_point, b_zero, y.zero_point)
    factors, exponents = (np.zeros(1), np.zeros(1)) if a.dtype.is_float else map(np.atleast_1d, multiplier(call))
    if a.dtype == INT16:
        multiply64(0, factors, exponents)  # raises RangeError for what it does not take
    batches = np.arange(math.prod(y.shape[:-2])).reshape(y.shape[:-2])
    offsets = (
        np.broadcast_to(np.arange(math.prod(t.shape[:-2])).reshape(t.shape[:-2]), batches.shape)
        .astype(np.int64)
        .ravel()
        for t in (a, b)
    )
    params = {
        "rows": m,
        "depth": k,
        "columns": n,
        "transposed_a": int(call.options.adj_x),
        "transposed_b": int(call.options.adj_y),
        **dict(zip(("a_matrix", "b_matrix"), offsets, strict=True)),
        **dict(zip(("a_zero", "b_zero", "zero_point"), zeros, strict=True)),
        "narrow": int(narrow),
        "by_column": int(by_column),
        "fused": int(call.fused),
        "multiplier": factors.astype(np.int32),
        "exponent": exponents.astype(np.int32),
    }
    return Launch(batches.size * m, params, cost=k * n, grain=min(m, TOGETHER))


def macs(call: Call) -> int:
    (_, k), _ = _matrices(call, call["a"].shape, call["b"].shape)
    return call["y"].size * k


# As of a convolution: room for the left shift of a multiplier above 1.
OUTPUT = Slot("y", floors=(Floor(("a", "b"), {"int8": 2.0**-7.9, "int16": 2.0**-7}),))

BATCH_MATMUL = register(
    Operator(
        "BATCH_MATMUL",
        options="BatchMatMulOptions",
        inputs=(Slot("a"), Slot("b", weight_if_constant=("float32", "hybrid", "int8", "int16"))),
        outputs=(OUTPUT,),
        shape=shape,
        reference={"float32": float_, "int8": quantized, "int16": quantized, "hybrid": hybrid},
        kernels=typed_kernels("batch_matmul", "pq_batch_matmul", launch, ("float32", "int8", "int16"), doubly=True),
        macs=macs,
        ties=matmul_ties,
        homogeneous=(("a",), ("b",)),
    )
)
