"""LSTM and UNIDIRECTIONAL_SEQUENCE_LSTM: gates i, f, c, o; the output state h and the cell state are variable tensors.

Weights are (units, inputs) and, for h, (units, outputs). A cell without input gate couples it: i = 1 - f.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from pyquant.dtypes import UINT8
from pyquant.errors import GraphError, ShapeError, UnsupportedOp
from pyquant.fixed import Integers, multiply, quantize_multiplier, rounding_shift_right, wrap32
from pyquant.graph import Node, Tensor
from pyquant.ops.activation import logistic
from pyquant.ops.basic_lstm import BASIC, basic_float, basic_integer, basic_macs, basic_shapes
from pyquant.ops.gemmlowp import inverse_square_root, logistic16, tanh16
from pyquant.ops.operator import Call, Launch, Operator, PowerOfTwo, Product, SameAs, Shape, Slot
from pyquant.ops.recurrent import IN_INT8, IN_INT16, TANH, float_fields, gate_table, kernels, launch, real_weights
from pyquant.ops.registry import get, register
from pyquant.ops.svdf import activate, float_product

F = np.float32
GATES = "ifco"
Arrays = dict[str, np.ndarray]


def _slot(name: str, role: str, optional: bool = True, **more: Any) -> Slot:
    return Slot(name, role=role, optional=optional, **more)


def _inputs(normalized: bool) -> tuple[Slot, ...]:
    """normalized: biases are added after layer normalization, in which TFLite's kernel counts in 1024ths."""
    return (
        Slot("x"),
        *(_slot(f"w_{g}", "weight", optional=g == "i", types=IN_INT8) for g in GATES),
        *(_slot(f"r_{g}", "weight", types=IN_INT8) for g in GATES),
        *(_slot(f"p_{g}", "weight", types=IN_INT8 | IN_INT16) for g in "ifo"),  # peepholes
        *(
            _slot(f"b_{g}", "bias", scale=Product(None, f"n_{g}", 2.0**-10) if normalized else Product("x", f"w_{g}"))
            for g in GATES
        ),
        _slot("projection", "weight", types=IN_INT8),
        _slot("projection_bias", "bias", scale=Product("hidden", "projection")),
        _slot("h", "state", scale=SameAs("y")),
        _slot("cell", "state", scale=PowerOfTwo(2.0**-15, 2.0**-9), types=IN_INT16, most=64.0),
        *(_slot(f"n_{g}", "weight", types=IN_INT16 | {"hybrid": "float32"}) for g in GATES),  # layer normalization
    )


INPUTS = _inputs(normalized=False)


def _intermediates(normalized: bool, projected: bool) -> tuple[Slot, ...]:
    """The gates before layer normalization, or else what inputs and bias make of them; the output before projection.

    Gates that are not normalized are Q3.12, whatever their tensors say, and cut off before the state has its share.
    TFLite adds the zero point of what it projects with the wrong sign: where it is 0, no value is cut off.
    """
    hidden = Slot("hidden", symmetric=True) if projected else Slot("hidden", scale=SameAs("y"))
    most = float("inf") if normalized else 8.0
    return (*(Slot(f"gate_{g}", types=IN_INT16, most=most) for g in GATES), hidden)


NEEDED = (*(f"{kind}_{g}" for kind in "rb" for g in "fco"), "h", "cell")


def _shapes(call: Call, x: Shape, batch: int) -> Shape:
    """Checks all shapes of one step. -> (batch, outputs)"""
    for name in NEEDED:
        if call.get(name) is None:
            raise GraphError(f"{call.label}: input {name!r} is missing")
    units, outputs = call["w_f"].shape[0], call["r_f"].shape[1] if len(call["r_f"].shape) == 2 else 0
    coupled = call.get("w_i") is None
    expected: dict[str, Shape] = {"h": (batch, outputs), "cell": (batch, units), "projection": (outputs, units)}
    expected |= {"projection_bias": (outputs,)}
    for g in GATES:
        expected |= {f"w_{g}": (units, x[-1]), f"r_{g}": (units, outputs), f"n_{g}": (units,)}
        expected |= {f"b_{g}": (units,), f"p_{g}": (units,)}
    for slot in INPUTS[1:]:
        tensor = call.get(slot.name)
        if tensor is not None and tensor.shape != expected[slot.name]:
            raise ShapeError(f"{call.label}: {slot.name} has shape {tensor.shape}, expected {expected[slot.name]}")
    if call.get("projection") is None and units != outputs:
        raise ShapeError(f"{call.label}: {units} units make {outputs} outputs without a projection")
    if len({coupled, call.get("r_i") is None, call.get("b_i") is None}) > 1:
        raise GraphError(f"{call.label}: the input gate is there in part")
    return batch, outputs


def cell_shape(call: Call, x: Shape, *_others: Shape | None) -> list[Shape]:
    if _is_basic(call):
        return basic_shapes(call)
    if call["x"].dtype is UINT8:
        raise UnsupportedOp(f"{call.label}: found uint8 in the FULL kernel, which the BASIC one takes")
    if len(x) != 2:
        raise ShapeError(f"{call.label}: expected an input of 2 dimensions, got shape {x}")
    return [_shapes(call, x, x[0])]


def _is_basic(call: Call) -> bool:
    return call.operator.name == "LSTM" and call.options.kernel_type == BASIC


def sequence_shape(call: Call, x: Shape, *_others: Shape | None) -> list[Shape]:
    if len(x) != 3:
        raise ShapeError(f"{call.label}: expected a sequence of 3 dimensions, got shape {x}")
    _, outputs = _shapes(call, x, x[1] if call.options.time_major else x[0])
    return [(*x[:2], outputs)]


def _named(arrays: tuple[np.ndarray | None, ...]) -> Arrays:
    return {slot.name: a for slot, a in zip(INPUTS, arrays, strict=False) if a is not None}


def _over_time(call: Call, x: np.ndarray, step: Any) -> np.ndarray:
    """step(input of one time) -> output, for a sequence or for one time."""
    if x.ndim == 2:
        return np.asarray(step(x)).copy()
    steps = x if call.options.time_major else x.swapaxes(0, 1)
    outputs = np.stack([np.array(step(np.ascontiguousarray(s))) for s in steps])
    return np.ascontiguousarray(outputs if call.options.time_major else outputs.swapaxes(0, 1))


def float_(call: Call, *arrays: Any) -> np.ndarray | tuple[np.ndarray, ...]:
    """float32, or int8 weights with inputs and states that are quantized at run time."""
    if _is_basic(call):
        return basic_float(call, *arrays)
    a = _named(arrays)
    return _over_time(call, a["x"], lambda x: _float_step(call, a, x))


def _float_step(call: Call, a: Arrays, x: np.ndarray) -> np.ndarray:
    options, h, cell = call.options, a["h"], a["cell"]
    asymmetric = bool(options.asymmetric_quantize_inputs)

    def gate(g: str, peephole: np.ndarray) -> np.ndarray:
        first = float_product(call, x, a[f"w_{g}"], f"w_{g}", asymmetric)
        total = first + float_product(call, h, a[f"r_{g}"], f"r_{g}", asymmetric)
        if f"p_{g}" in a:
            total = total + peephole * _real(call, a, f"p_{g}")
        call.told(f"gate_{g}", total if f"n_{g}" in a else first + a[f"b_{g}"])
        if f"n_{g}" in a:
            total = _normalized(total) * a[f"n_{g}"]
        total = total + a[f"b_{g}"]
        return activate(call, total, options.fused_activation_function) if g == "c" else logistic(total)

    forget = gate("f", cell)
    start = gate("i", cell) if "w_i" in a else F(1) - forget
    new = forget * cell + start * gate("c", cell)
    cell[...] = np.clip(new, -options.cell_clip, options.cell_clip) if options.cell_clip > 0 else new
    call.told("cell", cell)
    out = gate("o", cell) * activate(call, cell, options.fused_activation_function)
    call.told("hidden", out)
    if "projection" in a:
        out = float_product(call, out, a["projection"], "projection", asymmetric)
        out = out + a["projection_bias"] if "projection_bias" in a else out
        out = np.clip(out, -options.proj_clip, options.proj_clip) if options.proj_clip > 0 else out
    h[...] = out
    call.told("h", h)
    return h


def _real(call: Call, a: Arrays, name: str) -> np.ndarray:
    return a[name] if a[name].dtype == F else a[name].astype(F) * call[name].scale


def _normalized(x: np.ndarray) -> np.ndarray:
    mean = x.mean(-1, keepdims=True, dtype=F)
    variance = (x * x).mean(-1, keepdims=True, dtype=F) - mean * mean
    return np.asarray((x - mean) / np.sqrt(np.where(variance == 0, F(1e-8), variance)))


@dataclass(frozen=True)
class Integer:
    """What a step with int8 activations and an int16 cell needs beside the weights: multipliers and zero points."""

    inputs: dict[str, tuple[Integers, Integers]]  # by gate, for W x
    states: dict[str, tuple[Integers, Integers]]  # for R h
    peepholes: dict[str, tuple[Integers, Integers]]
    norms: dict[str, tuple[Integers, Integers]]
    guards: dict[str, int]
    hidden: tuple[Integers, Integers]
    hidden_zero: int
    projection: tuple[Integers, Integers]
    cell_power: int  # the cell's scale is 2 to this
    cell_clip: int
    projection_clip: int


def integer_of(call: Call) -> Integer:
    """All products of scales in float32, from left to right. Raises UnsupportedOp for a node of another flavour."""
    inner, x, h, cell = call.node.intermediates, call["x"], call["h"], call["cell"]
    if len(inner) != 5 or cell.dtype.name != "int16" or h.dtype.name != "int8":
        found = f"{len(inner)} intermediates, h {h.dtype}, cell {cell.dtype}"
        raise UnsupportedOp(f"{call.label}: found {found}, expected 5, int8 and int16")
    power = round(float(np.log2(cell.scale)))
    if abs(float(np.log2(cell.scale)) - power) > 1e-3 or not -15 <= power <= -9:
        raise GraphError(f"{call.label}: the cell's scale {cell.scale} must be a power of two, from 2**-15 to 2**-9")
    gates = [g for g in GATES if call.get(f"w_{g}") is not None]
    norm = [g for g in gates if call.get(f"n_{g}") is not None]
    scales = {g: inner[GATES.index(g)].scale if g in norm else F(2.0**-12) for g in gates}

    def pair(real: Any) -> tuple[Integers, Integers]:
        return quantize_multiplier(float(real))

    hidden = inner[4].scale
    projection = call.get("projection")
    out = pair(projection.scale * hidden / h.scale) if projection is not None else pair(1)
    return Integer(
        {g: pair(call[f"w_{g}"].scale * x.scale / scales[g]) for g in gates},
        {g: pair(call[f"r_{g}"].scale * h.scale / scales[g]) for g in gates},
        {g: pair(cell.scale * p.scale / scales[g]) for g in "ifo" if (p := call.get(f"p_{g}")) is not None},
        {g: pair(call[f"n_{g}"].scale) for g in norm},
        {g: max(1, int(F(10000) * call[f"n_{g}"].scale)) for g in norm},
        pair(F(2.0**-15) / hidden * F(2.0**-15)),
        inner[4].zero_point if projection is None else -inner[4].zero_point,  # as TFLite's kernel has it
        out,
        power,
        _clip_code(call.options.cell_clip, cell, 32767),
        _clip_code(call.options.proj_clip, h, 127) if projection is not None else 0,
    )


def _clip_code(clip: float, tensor: Tensor, most: int) -> int:
    return int(min(float(F(clip) / tensor.scale), most)) if clip > 0 else 0


def integer(call: Call, *arrays: np.ndarray | None) -> np.ndarray:
    """int8 activations, int16 cell."""
    a, how = _named(arrays), integer_of(call)
    return _over_time(call, a["x"], lambda x: _integer_step(call, a, how, x))


def _integer_step(call: Call, a: Arrays, how: Integer, x: np.ndarray) -> np.ndarray:
    h, cell = a["h"], a["cell"]
    from_x, from_h = x.astype(np.int64) - call["x"].zero_point, h.astype(np.int64) - call["h"].zero_point

    def gate(g: str) -> np.ndarray:
        normed = g in how.norms
        bias = 0 if normed else a[f"b_{g}"].astype(np.int64)
        total = _saturate(multiply(wrap32(from_x @ a[f"w_{g}"].astype(np.int64).T + bias), *how.inputs[g]))
        recurrent = multiply(wrap32(from_h @ a[f"r_{g}"].astype(np.int64).T), *how.states[g])
        total = _saturate(recurrent + total)
        if g in how.peepholes:
            seen = _seen_by(call, a[f"p_{g}"], cell, h.shape[1])
            total = _saturate(total + multiply(seen, *how.peepholes[g]))
        if normed:
            total = _normalized16(total, a[f"n_{g}"], a[f"b_{g}"], *how.norms[g], how.guards[g])
        return tanh16(total, 3) if g == "c" else logistic16(total)

    forget = gate("f") if "w_i" not in a else None
    start = 32767 - forget if forget is not None else gate("i")
    forget = gate("f") if forget is None else forget
    candidate = gate("c")
    kept = rounding_shift_right(forget * cell, 15)
    new = _saturate(kept + rounding_shift_right(start * candidate, 30 + how.cell_power))
    cell[...] = np.clip(new, -how.cell_clip, how.cell_clip) if how.cell_clip else new
    out = gate("o")
    bounded = tanh16(cell.astype(np.int64), 15 + how.cell_power)
    value = np.clip(multiply(out * bounded, *how.hidden) + how.hidden_zero, -128, 127)
    if "projection" in a:
        sums = (value - how.hidden_zero) @ a["projection"].astype(np.int64).T + a.get("projection_bias", np.int64(0))
        value = np.clip(multiply(wrap32(sums), *how.projection) + call["h"].zero_point, -128, 127)
        if how.projection_clip:
            value = np.clip(value, -how.projection_clip, how.projection_clip)
    h[...] = value
    return h


def _seen_by(call: Call, peephole: np.ndarray, cell: np.ndarray, outputs: int) -> np.ndarray:
    """What a peephole makes of the cell, (B, units).

    TFLite's kernel takes as many units of it as there are outputs: of rows one after the other, in the memory of all
    rows that it computes at once.
    """
    alone = len(call["x"].shape) == 3 and not call.options.time_major
    rows = cell if alone else cell.reshape(1, -1)
    count = outputs if alone else outputs * len(cell)
    made = np.zeros(rows.shape, np.int64)
    made[:, :count] = rows[:, :count].astype(np.int64) * np.resize(peephole[:outputs], rows[0, :count].size)
    return made.reshape(cell.shape)


def _saturate(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(x, -32768, 32767))


def _normalized16(x: np.ndarray, w: np.ndarray, b: np.ndarray, m: Integers, e: Integers, guard: int) -> np.ndarray:
    """Layer normalization of int16 rows: mean and variance in integers, their inverse root in fixed point."""
    n = x.shape[-1]
    mean = _toward_zero(x.sum(-1, keepdims=True) * 1024, n)
    variance = _toward_zero((x * x).sum(-1, keepdims=True) * ((1 << 20) // n) - mean * mean, 1 << 20)
    root, shift = inverse_square_root(np.where(variance < 1, guard, variance))
    value = wrap32(multiply(1024 * x - mean, root, shift) * w + b)
    value = _toward_zero(value + np.where(value > 0, 512, -512), 1024)
    return _saturate(multiply(value, m, e + 12))


def _toward_zero(x: np.ndarray, divisor: int) -> np.ndarray:
    return np.asarray(np.sign(x) * (np.abs(x) // divisor))


def float_params(call: Call) -> Launch | None:
    if _is_basic(call):
        return None
    fields = float_fields(call, [*(f"{kind}_{g}" for kind in "wr" for g in GATES), "projection"])
    peepholes = [call.get(f"p_{g}") for g in "ifo"]
    if fields is None or any(p is not None and p.data is None for p in peepholes):
        return None
    norms = [call.get(f"n_{g}") for g in GATES]
    fields["normalized"] = int(any(n is not None for n in norms))
    fields |= {f"peephole_{g}": real_weights(call, f"p_{g}") for g in "ifo"}
    fields |= {"cell_clip": call.options.cell_clip, "projection_clip": call.options.proj_clip}
    return launch(call, call["w_f"].shape[0], fields)


def integer_params(call: Call) -> Launch | None:
    types = {f"{kind}_{g}": dtype for kind, dtype in (("w", "int8"), ("r", "int8"), ("b", "int32")) for g in GATES}
    types |= {f"n_{g}": "int16" for g in GATES}
    types |= {"projection": "int8", "projection_bias": "int32", **{f"p_{g}": "int16" for g in "ifo"}}
    given = [(t.dtype.name, dtype) for name, dtype in types.items() if (t := call.get(name)) is not None]
    how = integer_of(call)
    given.append((call["y"].dtype.name, "int8"))
    if any(found != dtype for found, dtype in given) or any(int(e) > 18 for _, e in how.norms.values()):
        return None
    none = (0, 0)
    pairs = [*(how.inputs.get(g, none) for g in GATES), *(how.states.get(g, none) for g in GATES)]
    pairs += [*(how.peepholes.get(g, none) for g in "ifo"), how.hidden, how.projection]
    pairs += [how.norms.get(g, none) for g in GATES]
    fields = {
        "x_zero": call["x"].zero_point,
        "h_zero": call["h"].zero_point,
        "zero_point": how.hidden_zero,
        "multiplier": tuple(int(m) for m, _ in pairs),
        "exponent": tuple(int(e) for _, e in pairs),
        "normalized": int(bool(how.norms)),
        "guard": tuple(how.guards.get(g, 1) for g in GATES),
        "cell_power": how.cell_power,
        "cell_limit": how.cell_clip,
        "projection_limit": how.projection_clip,
        "logistic_of": gate_table("logistic"),
        "tanh_of": gate_table("tanh", 3),
        "tanh_cell": gate_table("tanh", 15 + how.cell_power),
    }
    return launch(call, call["w_f"].shape[0], fields)


def macs(call: Call) -> int:
    if _is_basic(call):
        return basic_macs(call)
    weights = [t for s in INPUTS if s.name[:2] in ("w_", "r_", "pr") and (t := call.get(s.name)) is not None]
    return int(np.prod(call["x"].shape[:-1])) * sum(t.size for t in weights if len(t.shape) == 2)


# The last three are those of the BASIC kernel.
CELL_OUTPUTS = (Slot("y"), *(_slot(name, "any") for name in ("state", "inside", "gates")))


@cache
def _variant(name: str, normalized: bool, projected: bool, misread: bool) -> Operator:
    """misread: kernels of integers would take peepholes in the wrong places, so that no quantizer should make such."""
    found = replace(get(name), inputs=_inputs(normalized), intermediates=_intermediates(normalized, projected))
    sound = {kind: one for kind, one in found.reference.items() if kind != "int8"}
    return replace(found, reference=sound) if misread else found


@cache
def _basic(name: str) -> Operator:
    """A quantizer can do nothing for it."""
    slots = tuple(_slot(f"input_{i}", "any") for i in range(5))
    return replace(get(name), inputs=slots, reference={"float32": basic_float, "uint8": basic_integer})


def variant(node: Node) -> Operator:
    if len(node.inputs) == 5:
        return _basic(node.op)
    given = {slot.name: tensor for slot, tensor in zip(INPUTS, node.inputs, strict=False) if tensor is not None}
    normalized, projected = any(f"n_{g}" in given for g in GATES), "projection" in given
    misread = projected and "p_o" in given and given["p_o"].shape[0] != given["projection"].shape[0]
    return _variant(node.op, normalized, projected, misread)


LSTM, UNIDIRECTIONAL_SEQUENCE_LSTM = (
    register(
        Operator(
            name,
            options=options,
            inputs=INPUTS,
            outputs=outputs,
            shape=shape,
            reference={"float32": float_, "hybrid": float_, "int8": integer, **more},
            kernels=kernels("lstm", float_params, integer_params),
            macs=macs,
            pure=False,
            together=True,
            integer_activations=(TANH,),
            intermediates=_intermediates(normalized=False, projected=False),
            variant=variant,
        )
    )
    for name, options, shape, outputs, more in (
        ("LSTM", "LSTMOptions", cell_shape, CELL_OUTPUTS, {"uint8": basic_integer}),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "UnidirectionalSequenceLSTMOptions", sequence_shape, CELL_OUTPUTS[:1], {}),
    )
)
