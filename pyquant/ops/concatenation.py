"""CONCATENATION along one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pyquant.errors import ShapeError
from pyquant.fixed import round_half_away
from pyquant.graph import Quantization, Tensor
from pyquant.ops.clamp import saturate
from pyquant.ops.kinds import EVERY_TYPE
from pyquant.ops.operator import Call, Kernel, Launch, Operator, Restated, SameAs, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.restate import refuse_mixing
from pyquant.ops.ties import moved_ties


def concatenated(call: Call, *shapes: Shape) -> list[Shape]:
    first = shapes[0]
    axis = _axis(call, len(first))
    if any(len(s) != len(first) or [*s[:axis], *s[axis + 1 :]] != [*first[:axis], *first[axis + 1 :]] for s in shapes):
        raise ShapeError(f"{call.label}: shapes {', '.join(map(str, shapes))} differ in more than axis {axis}")
    return [(*first[:axis], sum(s[axis] for s in shapes), *first[axis + 1 :])]


def _axis(call: Call, rank: int) -> int:
    axis = int(call.options.axis)
    if not -rank <= axis < rank:
        raise ShapeError(f"{call.label}: axis {axis} of inputs of rank {rank}")
    return axis % rank


def restate(call: Call, before: Sequence[Shape | None], now: Sequence[Shape | None], samples: bool) -> Restated:
    """Constants for each sample are repeated."""
    changed = next((i for i, shape in enumerate(now) if shape != before[i]), None)
    if not samples or changed is None:
        return Restated()
    (old, *_), (new, *rest) = before[changed] or (), now[changed] or ()
    refuse_mixing(call, _axis(call, len(rest) + 1) == 0)
    constants = {i: t.data for i, t in enumerate(_inputs(call)) if t.is_constant and t.shape[0] == old}
    return Restated({i: np.resize(c, (new, *c.shape[1:])) for i, c in constants.items() if c is not None})


def concatenate(call: Call, *arrays: np.ndarray) -> np.ndarray:
    return np.concatenate(arrays, _axis(call, arrays[0].ndim))


def concatenate_uint8(call: Call, *arrays: np.ndarray) -> np.ndarray:
    """uint8 inputs may have scales of their own, and are brought to that of the output in float32."""
    return concatenate(call, *(_rescaled(call, x, t) for x, t in zip(arrays, _inputs(call), strict=True)))


def _rescaled(call: Call, x: np.ndarray, tensor: Tensor) -> np.ndarray:
    y = call["y"]
    if tensor.quantization == y.quantization:
        return x
    factor = tensor.scale * (np.float32(1) / y.scale)
    shifted = x.astype(np.float32) * factor + np.float32(-tensor.zero_point) * factor
    return saturate(round_half_away(shifted) + np.float32(y.zero_point), y)


def _inputs(call: Call) -> list[Tensor]:
    return [t for t in call.node.inputs if t is not None]


def concatenation_params(call: Call) -> Launch | None:
    """One unit is one index of the axes in front; each input gives a run of bytes to it."""
    inputs, y = _inputs(call), call["y"]
    own: list[Quantization | None] = [t.quantization for t in inputs if y.dtype.name == "uint8"]
    if y.dtype.bits % 8 or any(t.dtype != y.dtype for t in inputs) or any(q != y.quantization for q in own):
        return None
    axis = _axis(call, len(y.shape))
    runs = np.array([math.prod(t.shape[axis:]) * y.dtype.bits // 8 for t in inputs], np.int64)
    units = math.prod(y.shape[:axis])
    joins = tuple((runs.cumsum() - runs).tolist()) if units == 1 else ()
    return Launch(units, {"inputs": len(inputs), "bytes": runs}, int(runs.sum()) // 16 + len(inputs), joins=joins)


CONCATENATION = register(
    Operator(
        "CONCATENATION",
        options="ConcatenationOptions",
        inputs=(Slot("x", variadic=True),),
        outputs=(Slot("y", scale=SameAs("x")),),
        shape=concatenated,
        ties=moved_ties(restated=True),
        restate=restate,
        reference={**dict.fromkeys(EVERY_TYPE, concatenate), "uint8": concatenate_uint8},
        kernels=dict.fromkeys(EVERY_TYPE, Kernel("concatenation_x8", "pq_concatenation", concatenation_params)),
    )
)
