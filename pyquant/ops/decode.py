"""tflite-micro's DECODE: constants that are stored compressed, made whole before an operator reads them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyquant.dtypes import DType
from pyquant.errors import GraphError, UnsupportedOp
from pyquant.graph.lookup import decompress
from pyquant.ops.operator import Call, Operator, Shape, Slot
from pyquant.ops.registry import register

# The header before the tables, by tflite-micro's decode_state.h and decode_state_lut.h: kind, version, two bytes of
# zero; version of the kind, axis and bits of an index, values of a table; zeros.
HEADER, LOOKUP, VERSION, PER_TENSOR = 16, 0, 1, 15


def ancillary(tables: np.ndarray, bits: int, axis: int | None) -> np.ndarray:
    """The second of each pair of inputs: a header, and (tables, length) values. -> (n,) uint8"""
    header = np.zeros(HEADER, np.uint8)
    header[:2] = LOOKUP, VERSION
    header[4:7] = VERSION, (PER_TENSOR if axis is None else axis) << 4 | bits, tables.shape[1]
    return np.concatenate([header, tables.reshape(-1).view(np.uint8)])


def decode(call: Call, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """Pairs of packed indices and `ancillary` -> what each of them stands for."""
    outputs = call.node.outputs
    if len(inputs) != 2 * len(outputs):
        raise GraphError(f"{call.label}: found {len(inputs)} inputs, expected two for each of {len(outputs)} outputs")
    made = []
    for packed, data, y in zip(inputs[::2], inputs[1::2], outputs, strict=True):
        try:
            made.append(_looked_up(packed, data, y.shape, y.dtype, call.label))
        except ValueError as error:
            raise GraphError(f"{call.label}: output {y.name!r}: {error}") from error
    return tuple(made)


def _looked_up(packed: np.ndarray, data: np.ndarray, shape: Shape, dtype: DType, label: str) -> np.ndarray:
    if data.size < HEADER or data[1] != VERSION or (data[0] == LOOKUP and data[4] != VERSION):
        raise ValueError(f"found {data[:5].tolist()}, expected a header of {HEADER} bytes and version {VERSION}")
    if data[0] != LOOKUP or dtype.numpy is None or dtype.bits < 8 or dtype.numpy.hasobject:
        raise UnsupportedOp(f"{label}: pyquant decodes tables of values, not kind {data[0]} of {dtype}")
    axis, bits, length, raw = int(data[5] >> 4), int(data[5] & 7), int(data[6]), data[HEADER:]
    size = length * dtype.numpy.itemsize
    if not size or raw.size % size:
        raise ValueError(f"found {raw.size} bytes of values, expected tables of {length} {dtype}")
    tables = np.frombuffer(raw.tobytes(), dtype.numpy).reshape(-1, length)
    if len(tables) == 1:
        return decompress(packed, bits, tables, shape, None)
    if axis >= len(shape) or shape[axis] != len(tables):
        axis = len(shape) - 1  # before October 2026 the header had no axis: it was that of the scales, first or last
    return decompress(packed, bits, tables, shape, axis)


def declared(call: Call, *inputs: Shape) -> Sequence[Shape]:
    return [tensor.shape for tensor in call.node.outputs]


DECODE = register(
    Operator(
        "TFLM_DECODE",
        inputs=(Slot("packed", role="data", variadic=True),),
        outputs=(Slot("y", role="any", variadic=True),),
        shape=declared,
        reference={"uint8": decode},
        custom=True,
        looks_up=True,
    )
)
