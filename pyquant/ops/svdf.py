"""SVDF and simple recurrent cells: a state that a variable tensor keeps from run to run, changed in place."""

from __future__ import annotations

import numpy as np

from pyquant.errors import ShapeError, UnsupportedOp
from pyquant.fixed import activation_bounds, multiply, quantize_multiplier, wrap32
from pyquant.native import libm
from pyquant.ops.clamp import saturate
from pyquant.ops.hybrid import Dynamic
from pyquant.ops.operator import Call, Launch, Operator, Product, Shape, Slot
from pyquant.ops.recurrent import IN_INT8, IN_INT16, RELU, SIGN_BIT, TANH, float_fields, kernels, launch, real_weights
from pyquant.ops.registry import register


def activate(call: Call, x: np.ndarray, activation: int) -> np.ndarray:
    """The fused activation of a float cell. Raises UnsupportedOp for one that has no meaning here."""
    if activation == TANH:
        return libm("tanhf", np.ascontiguousarray(x))
    if activation == SIGN_BIT:
        raise UnsupportedOp(f"{call.label}: activation SIGN_BIT cannot be fused here")
    return np.asarray(np.clip(x, *activation_bounds(activation, np.inf)))


def float_product(call: Call, x: np.ndarray, w: np.ndarray, slot: str, asymmetric: bool = False) -> np.ndarray:
    """Rows of x times w transposed, in float32; with integer weights as of a hybrid operator. x: (B, K), w: (N, K)"""
    if w.dtype == np.float32:
        return np.asarray(x @ w.T)
    tensor = call[slot]
    if tensor.dtype.numpy != np.int8:
        raise UnsupportedOp(f"{call.label}: float activations go with int8 weights, found {tensor.dtype}")
    how = Dynamic(np.array([tensor.scale], np.float32), asymmetric, call.numerics)
    terms, scale = how.terms(x)
    return how.real((terms.astype(np.float64) @ w.astype(np.float64).T).astype(np.int64), scale)


def svdf_shape(call: Call, x: Shape, feature: Shape, time: Shape, b: Shape | None, state: Shape) -> list[Shape]:
    rank = int(call.options.rank)
    if len(x) != 2 or len(feature) != 2 or len(time) != 2 or rank < 1:
        raise ShapeError(f"{call.label}: input {x}, weights {feature} and {time}, rank {rank}")
    filters, memory = time
    if feature != (filters, x[1]) or filters % rank or memory < 1 or state != (x[0], filters * memory):
        raise ShapeError(f"{call.label}: input {x}, weights {feature} and {time} with state {state} do not go together")
    if b is not None and b != (filters // rank,):
        raise ShapeError(f"{call.label}: bias {b} needs {filters // rank} elements")
    return [(x[0], filters // rank)]


def _pushed(state: np.ndarray, newest: np.ndarray) -> np.ndarray:
    """The state (B, F, memory) moved on in place by one step, its newest entries set. state: (B, F * memory)"""
    batch, filters = newest.shape
    memory = state.reshape(batch, filters, -1)
    memory[:, :, :-1] = memory[:, :, 1:].copy()
    memory[:, :, -1] = newest
    return memory


def svdf_float(
    call: Call, x: np.ndarray, feature: np.ndarray, time: np.ndarray, b: np.ndarray | None, state: np.ndarray
) -> np.ndarray:
    """float32, or int8 weights: then inputs are quantized at run time, and the weights of time become float again."""
    if time.dtype != np.float32:
        time = time.astype(np.float32) * call["time"].scale
    newest = float_product(call, x, feature, "feature", bool(call.options.asymmetric_quantize_inputs))
    call.told("state", newest)
    sums = (_pushed(state, newest) * time).sum(-1, dtype=np.float32)
    y = sums.reshape(len(x), -1, int(call.options.rank)).sum(-1, dtype=np.float32)
    return activate(call, y if b is None else y + b, call.options.fused_activation_function)


def svdf_int8(
    call: Call, x: np.ndarray, feature: np.ndarray, time: np.ndarray, b: np.ndarray | None, state: np.ndarray
) -> np.ndarray:
    """The fused activation does not enter: the output's range is all that bounds it."""
    source, memory, y = call["x"], call["state"], call["y"]
    first = quantize_multiplier(float(source.scale * call["feature"].scale / memory.scale))
    second = quantize_multiplier(float(memory.scale * call["time"].scale / y.scale))
    sums = (x.astype(np.int64) - source.zero_point) @ feature.astype(np.int64).T
    newest = saturate(multiply(wrap32(sums), *first), memory)
    total = (_pushed(state, newest).astype(np.int64) * time).sum(-1)
    total = total.reshape(len(x), -1, int(call.options.rank)).sum(-1)
    return saturate(multiply(wrap32(total if b is None else total + b), *second) + y.zero_point, y)


def svdf_sums(call: Call, time: np.ndarray) -> np.ndarray:
    """What a unit sums over its filters and their memories."""
    sums: np.ndarray = np.abs(time).reshape(-1, int(call.options.rank) * time.shape[1]).sum(axis=1)
    return sums


def _svdf_sizes(call: Call) -> dict[str, int]:
    filters, memory = call["time"].shape
    return {"filters": filters, "memory": memory, "rank": int(call.options.rank)}


def svdf_params(call: Call) -> Launch | None:
    time, fields = real_weights(call, "time"), float_fields(call, ("feature",))
    if time is None or fields is None:
        return None
    return launch(call, call["y"].shape[1], {**fields, **_svdf_sizes(call), "time": time})


def svdf_int8_params(call: Call) -> Launch | None:
    source, memory, y, b = call["x"], call["state"], call["y"], call.get("b")
    states = (call["time"].dtype.name, memory.dtype.name)
    if states not in (("int8", "int8"), ("int16", "int16")) or (b is not None and b.dtype.name != "int32"):
        return None
    if (call["feature"].dtype.name, y.dtype.name) != ("int8", "int8"):
        return None
    first = quantize_multiplier(float(source.scale * call["feature"].scale / memory.scale))
    second = quantize_multiplier(float(memory.scale * call["time"].scale / y.scale))
    pairs = zip(first, second, strict=True)
    multiplier, exponent = ((int(a), int(b), *(0,) * 15) for a, b in pairs)
    zeros = {"x_zero": source.zero_point, "zero_point": y.zero_point}
    narrow = int(states[0] == "int8")
    fields = {**_svdf_sizes(call), **zeros, "narrow": narrow, "multiplier": multiplier, "exponent": exponent}
    return launch(call, y.shape[1], fields)


def cell_params(call: Call) -> Launch | None:
    return launch(call, call["w"].shape[0], float_fields(call, ("w", "recurrent")))


def cell_shape(call: Call, x: Shape, w: Shape, recurrent: Shape, b: Shape, state: Shape) -> list[Shape]:
    units = w[0] if w else 0
    if len(x) != 2 or w != (units, x[1]) or recurrent != (units, units) or b != (units,) or state != (x[0], units):
        raise ShapeError(f"{call.label}: input {x}, weights {w} and {recurrent}, bias {b} and state {state}")
    return [(x[0], units)]


def sequence_shape(call: Call, x: Shape, w: Shape, recurrent: Shape, b: Shape, state: Shape) -> list[Shape]:
    if len(x) != 3:
        raise ShapeError(f"{call.label}: expected a sequence of 3 dimensions, got shape {x}")
    batch = x[1] if call.options.time_major else x[0]
    ((_, units),) = cell_shape(call, (batch, x[2]), w, recurrent, b, state)
    return [(*x[:2], units)]


def _cell(
    call: Call, x: np.ndarray, w: np.ndarray, recurrent: np.ndarray, b: np.ndarray, state: np.ndarray
) -> np.ndarray:
    asymmetric = bool(call.options.asymmetric_quantize_inputs)
    total = (
        b + float_product(call, x, w, "w", asymmetric) + float_product(call, state, recurrent, "recurrent", asymmetric)
    )
    state[...] = activate(call, total, call.options.fused_activation_function)
    return state


def cell(call: Call, *arrays: np.ndarray) -> np.ndarray:
    """activation(W x + R h + b), which is also the new state h."""
    return _cell(call, *arrays).copy()


def sequence(call: Call, x: np.ndarray, *rest: np.ndarray) -> np.ndarray:
    """One cell after the other along time."""
    steps = x if call.options.time_major else x.swapaxes(0, 1)
    outputs = np.stack([_cell(call, np.ascontiguousarray(step), *rest).copy() for step in steps])
    return np.ascontiguousarray(outputs if call.options.time_major else outputs.swapaxes(0, 1))


SVDF = register(
    Operator(
        "SVDF",
        options="SVDFOptions",
        inputs=(
            Slot("x"),
            Slot("feature", role="weight", types=IN_INT8),
            Slot("time", role="weight", types=IN_INT8 | IN_INT16, sums=svdf_sums),
            Slot("b", role="bias", scale=Product("state", "time"), optional=True),
            Slot("state", role="state", types=IN_INT16),
        ),
        outputs=(Slot("y"),),
        shape=svdf_shape,
        reference={"float32": svdf_float, "hybrid": svdf_float, "int8": svdf_int8},
        kernels=kernels("svdf", svdf_params, svdf_int8_params),
        macs=lambda call: call["x"].shape[0] * (call["feature"].size + call["time"].size),
        pure=False,
        together=True,
        integer_activations=(RELU,),
    )
)

CELL = (
    Slot("x"),
    Slot("w", role="weight", types=IN_INT8),
    Slot("recurrent", role="weight", types=IN_INT8),
    Slot("b", role="bias"),
    Slot("state", role="state"),
)


def _macs(call: Call) -> int:
    x = call["x"].shape
    return int(np.prod(x[:-1])) * (call["w"].size + call["recurrent"].size)


RNN = register(
    Operator(
        "RNN",
        options="RNNOptions",
        inputs=CELL,
        outputs=(Slot("y"),),
        shape=cell_shape,
        reference={"float32": cell, "hybrid": cell},
        kernels=kernels("rnn", cell_params),
        macs=_macs,
        pure=False,
        together=True,
    )
)

UNIDIRECTIONAL_SEQUENCE_RNN = register(
    Operator(
        "UNIDIRECTIONAL_SEQUENCE_RNN",
        options="SequenceRNNOptions",
        inputs=CELL,
        outputs=(Slot("y"),),
        shape=sequence_shape,
        reference={"float32": sequence, "hybrid": sequence},
        kernels=kernels("rnn", cell_params),
        macs=_macs,
        pure=False,
        together=True,
    )
)
