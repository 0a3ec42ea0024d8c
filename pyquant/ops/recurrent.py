"""What the C kernels of recurrent cells need: pq_recurrent of csrc/kernels/recurrent/recurrent.h."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from pyquant.dtypes import FLOAT32
from pyquant.fixed import activation_bounds
from pyquant.ops.gemmlowp import logistic16, tanh16
from pyquant.ops.operator import Call, Kernel, Launch

LONGEST = 4096  # elements of a row that the kernels have room for
RELU, TANH, SIGN_BIT = 1, 4, 5  # ActivationFunctionType in schema/tflite.fbs
AS_PARAMS = ("time", "p_i", "p_f", "p_o")  # inputs that kernels take as parameters, as float32
IN_INT8 = {"int8": "int8", "hybrid": "int8"}  # types of weights that are nothing else
IN_INT16 = {"int8": "int16"}  # of what kernels of integers take as int16
_NOTHING: dict[str, Any] = {
    "times": 1,
    **dict.fromkeys(("time_major", "hybrid", "asymmetric", "litert", "tanh", "lo", "hi", "cell_clip"), 0),
    **dict.fromkeys(("normalized", "narrow", "projection_clip", "projection_limit"), 0),
    **dict.fromkeys(("filters", "memory", "rank", "x_zero", "h_zero", "zero_point", "cell_power", "cell_limit"), 0),
    **dict.fromkeys(("logistic_of", "tanh_of", "tanh_cell", "time", "peephole_i", "peephole_f", "peephole_o")),
    "weight_scale": (0.0,) * 9,
    "multiplier": (0,) * 17,
    "exponent": (0,) * 17,
    "guard": (0,) * 4,
}


def kernels(name: str, of_floats: Any, of_codes: Any = None) -> dict[str, Kernel]:
    made = dict.fromkeys(("float32", "hybrid"), Kernel(f"{name}_f32", "pq_recurrent", of_floats))
    return made | ({} if of_codes is None else {"int8": Kernel(f"{name}_s8", "pq_recurrent", of_codes, doubly=True)})


def launch(call: Call, units: int, fields: dict[str, Any] | None) -> Launch | None:
    """A unit of work for each row of the batch. units: elements of a row of the cell."""
    x, outputs = call["x"].shape, call["y"].shape[-1]
    if fields is None or max(x[-1], units, outputs) > LONGEST:
        return None
    time_major = len(x) == 2 or bool(call.options.time_major)
    batch, times = (x[0], 1) if len(x) == 2 else (x[1], x[0]) if time_major else (x[0], x[1])
    shape = {"batch": batch, "times": times, "time_major": int(time_major), "inputs": x[-1]}
    assert call.operator.macs is not None
    shape |= {"units": units, "outputs": outputs}
    return Launch(batch, {**_NOTHING, **shape, **fields}, cost=call.operator.macs(call) // max(batch, 1))


def float_fields(call: Call, weights: Sequence[str]) -> dict[str, Any] | None:
    """Of a cell with float activations; None for weights or an activation that the kernels do not take."""
    tensors = [t for name in weights if (t := call.get(name)) is not None]
    types, activation = {t.dtype.name for t in tensors}, call.options.fused_activation_function
    slots = zip(call.operator.slots(call.node.inputs), call.node.inputs, strict=True)
    others = [t for slot, t in slots if slot.name not in weights and slot.name not in AS_PARAMS and t is not None]
    others += call.node.outputs
    if types not in ({"float32"}, {"int8"}) or activation == SIGN_BIT or any(t.dtype != FLOAT32 for t in others):
        return None
    lo, hi = activation_bounds(activation, np.inf)
    hybrid = types == {"int8"}
    scales = [float(t.scale) if hybrid and (t := call.get(name)) is not None else 0.0 for name in weights]
    return {
        "hybrid": int(hybrid),
        "asymmetric": int(call.options.asymmetric_quantize_inputs),
        "litert": int(call.numerics == "litert"),
        "tanh": int(activation == TANH),
        "lo": lo,
        "hi": hi,
        "weight_scale": (*scales, *(0.0,) * (9 - len(scales))),
    }


def real_weights(call: Call, name: str) -> np.ndarray | None:
    """Constant weights as float32; None where there are none."""
    tensor = call.get(name)
    if tensor is None or tensor.data is None:
        return None
    return tensor.data if tensor.dtype.is_float else tensor.data.astype(np.float32) * tensor.scale


@lru_cache(maxsize=8)
def gate_table(function: str, bits: int = 0) -> np.ndarray:
    """logistic, or tanh of a number with `bits` whole bits, for each int16. -> (65536,) int16"""
    codes = np.arange(-32768, 32768)
    return (logistic16(codes) if function == "logistic" else tanh16(codes, bits)).astype(np.int16)
