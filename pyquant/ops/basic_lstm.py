"""LSTM of kernel type BASIC, as old converters wrote it: one matrix for all gates, and working memory as outputs.

Inputs: x (B, I), the last output h (B, N), weights (4N, I + N), bias (4N,), the last state (B, N). Rows of weights are
those of the input gate, the candidate, the forget gate and the output gate. Outputs: h, state, x and h side by side
(B, I + N), gates before their functions (B, 4N). Where the inputs h and state are variables, they become the outputs.
"""

from __future__ import annotations

import numpy as np

from pyquant.errors import GraphError, ShapeError, UnsupportedOp
from pyquant.fixed import (
    Integers,
    multiply,
    quantize_multiplier,
    rounding_shift_right,
    saturating_doubling_high_mul,
    wrap32,
)
from pyquant.ops.activation import logistic
from pyquant.ops.gemmlowp import logistic16, mul16, tanh16
from pyquant.ops.operator import Call, Shape
from pyquant.ops.recurrent import TANH
from pyquant.ops.svdf import activate

BASIC = 1  # LSTMKernelType in schema/tflite.fbs
Arrays = tuple[np.ndarray, ...]

# of the inputs and then the outputs, by the type of x
TYPES = {
    "float32": ("float32",) * 9,
    "uint8": ("uint8", "uint8", "uint8", "int32", "int16", "uint8", "int16", "uint8", "int16"),
}


def basic_shapes(call: Call) -> list[Shape]:
    tensors = (*call.node.inputs, *call.node.outputs)
    types = tuple("none" if t is None else t.dtype.name for t in tensors)
    if len(call.node.inputs) != 5 or len(call.node.outputs) != 4:
        found = f"{len(call.node.inputs)} inputs and {len(call.node.outputs)} outputs"
        raise GraphError(f"{call.label}: found {found}, expected 5 and 4 of the BASIC kernel")
    if types != TYPES.get(types[0]):
        raise UnsupportedOp(f"{call.label}: the BASIC kernel takes float32 or uint8, found {', '.join(types)}")
    if types[0] == "uint8":
        _quantization(call)
    x, h, weights, bias, state = (() if t is None else t.shape for t in call.node.inputs)
    batch, units = h if len(h) == 2 else (-1, -1)
    inside = (batch, x[-1] + units) if x else ()
    if len(x) != 2 or (x[0], state, weights, bias) != (batch, h, (4 * units, *inside[1:]), (4 * units,)):
        raise ShapeError(f"{call.label}: shapes {x}, {h}, {weights}, {bias} and {state} do not go together")
    return [h, state, inside, (batch, 4 * units)]


def basic_macs(call: Call) -> int:
    batch, depth = call.node.outputs[2].shape
    return batch * depth * call.node.outputs[3].shape[1]


def basic_float(call: Call, x: np.ndarray, h: np.ndarray, w: np.ndarray, b: np.ndarray, state: np.ndarray) -> Arrays:
    inside = np.concatenate([x, h], axis=1)
    gates = inside @ w.T + b
    start, candidate, forget, out = np.split(gates, 4, axis=1)
    new = logistic(start) * activate(call, candidate, TANH) + logistic(forget) * state
    made = logistic(out) * activate(call, new, TANH)
    return _kept(call, h, state, made, new, inside, gates)


def basic_integer(call: Call, x: np.ndarray, h: np.ndarray, w: np.ndarray, b: np.ndarray, state: np.ndarray) -> Arrays:
    """x and h stand for (code - 128) / 128; gates are Q3 in 16 bits, the state Q4."""
    zero_point, multiplier = _quantization(call)
    inside = np.concatenate([x, h], axis=1)
    sums = (inside.astype(np.int64) - 128) @ (w.astype(np.int64) - zero_point).T + b
    gates = _int16(_scaled(call, wrap32(sums), *multiplier))
    start, candidate, forget, out = np.split(gates, 4, axis=1)
    fresh = rounding_shift_right(mul16(logistic16(start), tanh16(candidate, 3)), 4)
    new = _int16(fresh + mul16(logistic16(forget), state))
    made = rounding_shift_right(mul16(logistic16(out), tanh16(_int16(new << 1), 3)), 8)  # Q3 of the state
    codes = (np.clip(made, -128, 127) + 128).astype(np.uint8)
    return _kept(call, h, state, codes, new.astype(np.int16), inside, gates.astype(np.int16))


def _quantization(call: Call) -> tuple[int, tuple[Integers, Integers]]:
    """The zero point of the weights, and the multiplier from sums to gates. Raises UnsupportedOp for another state."""
    (_, _, weights, bias, _), state = call.node.inputs, call.node.outputs[1]
    assert weights is not None and bias is not None
    if not abs(float(np.log2(state.scale)) + 11) < 1e-3:
        raise UnsupportedOp(f"{call.label}: found a state of scale {state.scale}, expected 2**-11")
    return weights.zero_point, quantize_multiplier(4096 * float(bias.scale))


def _scaled(call: Call, sums: Integers, m: Integers, e: Integers) -> Integers:
    """As `multiply`, but LiteRT leaves this product to ruy, which rounds ties up the second time."""
    if call.numerics != "litert":
        return multiply(sums, m, e)
    shift = np.maximum(-e, 0)
    high = saturating_doubling_high_mul(wrap32(sums << np.maximum(e, 0)), m)
    return np.asarray((high + (np.int64(1) << shift >> 1)) >> shift)


def _int16(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(x, -32768, 32767))


def _kept(call: Call, h: np.ndarray, state: np.ndarray, *made: np.ndarray) -> Arrays:
    """What was made, after the variables among h and state have taken their share of it."""
    for tensor, old, new in zip(call.node.inputs[1::3], (h, state), made, strict=False):
        if tensor is not None and tensor.is_variable:
            old[...] = new
    return made
