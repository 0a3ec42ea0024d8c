"""ADD, SUB and MUL of two tensors that broadcast to one shape."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyquant import native
from pyquant.errors import GraphError, RangeError, ShapeError
from pyquant.fixed import multiply, quantize_multiplier, wrap32
from pyquant.ops.clamp import clamp, output_range
from pyquant.ops.kinds import QUANTIZED, RELUS, WHOLE, typed_kernels
from pyquant.ops.operator import Call, Floor, Launch, Operator, Restated, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.restate import refuse_mixing
from pyquant.ops.ties import elementwise_ties

SIGNS = {"ADD": 1, "SUB": -1}
IDENTITY = ((1 << 31) - 1, 0)  # the multiplier that leaves every |x| < 2**30 as it is
PLAIN = ("float32", *WHOLE)  # without scales
MAX_RANK = 5  # of the C loops outside the innermost one


def broadcast_shape(call: Call, a: Shape, b: Shape) -> list[Shape]:
    if call["a"].dtype != call["b"].dtype:
        raise GraphError(f"{call.label}: inputs are {call['a'].dtype} and {call['b'].dtype}, expected one type")
    try:
        return [a if a == b else np.broadcast_shapes(a, b)]
    except ValueError:
        raise ShapeError(f"{call.label}: shapes {a} and {b} do not broadcast") from None


def restate(call: Call, before: Sequence[Shape | None], now: Sequence[Shape | None], samples: bool) -> Restated:
    """A first dimension that counts samples must meet no other dimension than a first."""
    rank = len(call["y"].shape)
    return refuse_mixing(
        call, samples and any(s != b and len(s or ()) < rank for b, s in zip(before, now, strict=True))
    )


def plain_sum(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Floats, and integers without a scale, which wrap."""
    return clamp(call, a + b if SIGNS[call.operator.name] > 0 else a - b)


def quantized_sum(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if not call["y"].is_quantized:
        return plain_sum(call, a, b)
    p = sum_scaling(call)
    first = multiply((a.astype(np.int64) - p["a_zero"]) << p["left"], p["a_multiplier"], p["a_exponent"])
    second = multiply((b.astype(np.int64) - p["b_zero"]) << p["left"], p["b_multiplier"], p["b_exponent"])
    total = multiply(wrap32(first + p["sign"] * second), p["multiplier"], p["exponent"])
    return clamp(call, total + p["zero_point"])


def sum_scaling(call: Call) -> dict[str, int]:
    """Both terms go to twice the larger scale with `left` more bits, their sum from there to the output's scale.

    int16 with scales that are powers of two (option pot_scale_int16) shifts one term to the scale of the other instead.
    """
    a, b, y = call["a"], call["b"], call["y"]
    scaling = {"a_zero": a.zero_point, "b_zero": b.zero_point, "zero_point": y.zero_point}
    scaling["sign"] = SIGNS[call.operator.name]
    shifts = _power_of_two_shifts(call)
    if shifts is not None:
        return {**scaling, **_named([IDENTITY[0]] * 3, [*shifts, IDENTITY[1]]), "left": 0}
    left = 15 if y.dtype.name == "int16" else 20
    first, second, scale = a.scale, b.scale, y.scale
    twice = float(np.float32(2) * max(first, second))
    out = twice / float(np.float32(1 << left) * scale)
    if out >= 1:
        raise RangeError(f"{call.label}: output scale {scale} must be above {twice / (1 << left)}")
    return {**scaling, **multipliers(float(first) / twice, float(second) / twice, out), "left": left}


def multipliers(a: float, b: float, y: float) -> dict[str, int]:
    """Real multipliers of both terms and of what becomes of them, as pq_binary has them."""
    return _named(*native.quantize_multipliers(np.array([a, b, y])).tolist())


def _named(multipliers: Sequence[int], exponents: Sequence[int]) -> dict[str, int]:
    """Those of a, of b and of their sum."""
    return dict(zip((*TERMS[::2], "multiplier", *TERMS[1::2], "exponent"), (*multipliers, *exponents), strict=True))


def _power_of_two_shifts(call: Call) -> tuple[int, int] | None:
    """How far the terms of an int16 sum are shifted right, as negative exponents; None for the general way."""
    a, b, y = call["a"], call["b"], call["y"]
    if y.dtype.name != "int16" or not call.options.pot_scale_int16:
        return None
    logs = np.log2(np.array([a.scale, b.scale, y.scale], np.float32))
    whole = np.rint(logs)
    if np.any(np.abs(logs - whole) >= 1e-3):
        return None
    first, second = int(whole[0] - whole[2]), int(whole[1] - whole[2])
    if max(first, second) != 0 or min(first, second) < -31:
        raise RangeError(
            f"{call.label}: scales {a.scale} and {b.scale}: one must be that of the output, {y.scale}, none above, and "
            "none below by more than 31 bits"
        )
    return first, second


def plain_product(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Floats, and integers without a scale, which wrap."""
    return clamp(call, a * b)


def quantized_product(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if not call["y"].is_quantized:
        return plain_product(call, a, b)
    p = product_scaling(call)
    product = (a.astype(np.int64) - p["a_zero"]) * (b.astype(np.int64) - p["b_zero"])
    return clamp(call, multiply(product, p["multiplier"], p["exponent"]) + p["zero_point"])


def product_scaling(call: Call) -> dict[str, int]:
    a, b, y = call["a"], call["b"], call["y"]
    m, e = quantize_multiplier(float(a.scale * b.scale / y.scale))  # each step rounds to float32
    zeros = {"a_zero": a.zero_point, "b_zero": b.zero_point, "zero_point": y.zero_point}
    return {**zeros, "multiplier": int(m), "exponent": int(e)}


ARITHMETIC = ("a_zero", "b_zero", "zero_point", "sign", "left", "multiplier", "exponent")  # all 0 where not in scaling
TERMS = ("a_multiplier", "a_exponent", "b_multiplier", "b_exponent")
UNSCALED = dict.fromkeys((*ARITHMETIC, *TERMS), 0)


def sum_params(call: Call) -> Launch | None:
    if call["y"].dtype.name in PLAIN:
        return binary_launch(call, {"sign": SIGNS[call.operator.name]})
    return binary_launch(call, sum_scaling(call)) if call["y"].is_quantized else None


def product_params(call: Call) -> Launch | None:
    if call["y"].dtype.name in PLAIN:
        return binary_launch(call, {})
    return binary_launch(call, product_scaling(call)) if call["y"].is_quantized else None


def binary_launch(call: Call, scaling: Mapping[str, int]) -> Launch | None:
    if call.node.inputs[0] is None or call.node.inputs[0].dtype != call["y"].dtype:
        return None
    return loops_launch(call, scaling, *output_range(call))


def loops_launch(call: Call, scaling: Mapping[str, int], lo: float = 0, hi: float = 0) -> Launch | None:
    """pq_binary, whatever the type of its output is."""
    a, b = call.node.inputs
    assert a is not None and b is not None
    loops = broadcast_loops(a=a.shape, b=b.shape)
    if loops is None or a.dtype != b.dtype:
        return None
    params = {**UNSCALED, **scaling, **loops, "b_size": b.size, "lo": lo, "hi": hi}
    units, cost = loop_units(loops)
    return Launch(units, params, cost, in_place=True)


def broadcast_loops(**shapes: Shape) -> dict[str, Any] | None:
    """The fewest nested loops over the broadcast of contiguous tensors, by name; None where they are too many for C.

    shape, NAME_stride: of the `rank` outer loops, filled up with 1 and 0; inner, NAME_step: the innermost.
    """
    first, *others = shapes.values()
    if all([shape == first for shape in others]):
        plain = {
            f"{name}_{what}": value for name in shapes for what, value in (("step", 1), ("stride", (0,) * MAX_RANK))
        }
        return {"rank": 0, "inner": math.prod(first), "shape": (1,) * MAX_RANK, **plain}
    out = np.broadcast_shapes(first, *others)
    loops: list[list[int]] = []  # [size, a stride for each tensor], innermost first
    strides = [1] * len(shapes)
    for n, *sizes in zip(reversed(out), *(_reversed(s, len(out)) for s in shapes.values()), strict=True):
        step = [stride if size > 1 else 0 for stride, size in zip(strides, sizes, strict=True)]
        strides = [stride * size for stride, size in zip(strides, sizes, strict=True)]
        if n == 1:
            continue
        if loops and step == [loops[-1][0] * s for s in loops[-1][1:]]:
            loops[-1][0] *= n
        else:
            loops.append([n, *step])
    inner, *steps = loops[0] if loops else [1] * (1 + len(shapes))
    outer = loops[:0:-1]
    if len(outer) > MAX_RANK:
        return None
    shape, *by_tensor = zip(*outer, *[[1, *[0] * len(shapes)]] * (MAX_RANK - len(outer)), strict=True)
    found = {"rank": len(outer), "inner": inner, "shape": shape}
    found |= {f"{name}_step": step for name, step in zip(shapes, steps, strict=True)}
    return found | {f"{name}_stride": stride for name, stride in zip(shapes, by_tensor, strict=True)}


def loop_units(loops: Mapping[str, Any]) -> tuple[int, int]:
    """Their number and the elements of each: a run of the inner loop; an element where there is no outer one."""
    return (math.prod(loops["shape"]), loops["inner"]) if loops["rank"] else (loops["inner"], 1)


def _reversed(shape: Shape, rank: int) -> list[int]:
    return [*reversed(shape), *[1] * (rank - len(shape))]


INPUTS = (Slot("a"), Slot("b"))
EVERY = (*PLAIN, *QUANTIZED)

# A sum goes from twice the larger scale to that of y by a multiplier below 1; a product has room for one above 1.
SUM = Slot("y", floors=tuple(Floor((name,), {"int8": 2.0**-18, "int16": 2.0**-13}) for name in ("a", "b")))
PRODUCT = Slot("y", floors=(Floor(("a", "b"), {"int8": 2.0**-14, "int16": 1.0}),))

ADD = register(
    Operator(
        "ADD",
        options="AddOptions",
        inputs=INPUTS,
        outputs=(SUM,),
        shape=broadcast_shape,
        restate=restate,
        ties=elementwise_ties,
        fuses=RELUS,
        reference={**dict.fromkeys(PLAIN, plain_sum), **dict.fromkeys(QUANTIZED, quantized_sum)},
        kernels=typed_kernels("add", "pq_binary", sum_params, EVERY, doubly=True),
        homogeneous=(("a", "b"),),
        settings={"int16": {"pot_scale_int16": False}},
    )
)

SUB = register(
    Operator(
        "SUB",
        options="SubOptions",
        inputs=INPUTS,
        outputs=(SUM,),
        shape=broadcast_shape,
        restate=restate,
        ties=elementwise_ties,
        fuses=RELUS,
        reference={**dict.fromkeys(PLAIN, plain_sum), **dict.fromkeys(QUANTIZED, quantized_sum)},
        kernels=typed_kernels("add", "pq_binary", sum_params, EVERY, doubly=True),
        homogeneous=(("a", "b"),),
        settings={"int16": {"pot_scale_int16": False}},
    )
)

MUL = register(
    Operator(
        "MUL",
        options="MulOptions",
        inputs=INPUTS,
        outputs=(PRODUCT,),
        shape=broadcast_shape,
        restate=restate,
        ties=elementwise_ties,
        fuses=RELUS,
        reference={**dict.fromkeys(PLAIN, plain_product), **dict.fromkeys(QUANTIZED, quantized_product)},
        kernels=typed_kernels("multiply", "pq_binary", product_params, EVERY, doubly=True),
        homogeneous=(("a",), ("b",)),
    )
)
