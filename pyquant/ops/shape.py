"""RESHAPE and SQUEEZE: the same elements under another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pyquant.errors import ShapeError
from pyquant.ops.kinds import WITH_STRINGS
from pyquant.ops.operator import Call, Kept, Operator, Restated, SameAs, Shape, Slot, Tie
from pyquant.ops.registry import register
from pyquant.ops.restate import more_samples, regrouped
from pyquant.ops.ties import view_ties


def reshaped(call: Call, x: Shape, _shape: Shape | None = None) -> list[Shape]:
    """The wanted shape, one -1 in it computed. It is the second input, or in old files an option."""
    given = call.get("shape")
    if given is not None and len(given.shape) == 1 and given.size and given.data is None:
        return [(-1,) * given.size]
    wanted = _wanted(call)
    if len(wanted) > 32:  # NumPy's limit
        raise ShapeError(f"{call.label}: found {len(wanted)} dimensions, expected at most 32")
    size, known = math.prod(x), math.prod(n for n in wanted if n != -1)
    if wanted.count(-1) == 1 and known and size % known == 0:
        wanted[wanted.index(-1)] = size // known
    if min(wanted, default=0) < 0 or math.prod(wanted) != size:
        raise ShapeError(f"{call.label}: shape {x} cannot become {tuple(_wanted(call))}")
    return [tuple(wanted)]


def _wanted(call: Call) -> list[int]:
    given = call.get("shape")
    if given is not None and given.shape == (0,):  # a scalar, for which files have no buffer
        return []
    if given is not None and len(given.shape) == 1:
        if given.data is None:
            raise ShapeError(f"{call.label}: the shape must be constant")
        return [int(n) for n in given.data]
    option = call.options.new_shape
    if option is None:
        raise ShapeError(f"{call.label}: neither input nor option tells the shape")
    return [] if list(option) == [0] else [int(n) for n in option]  # [0] is how old files write a scalar


def restate_reshape(call: Call, before: Sequence[Shape | None], now: Sequence[Shape | None], samples: bool) -> Restated:
    """The shape, wherever it is stated; a -1 in it stays."""
    was, is_, wanted = before[0] or (), now[0] or (), _wanted(call)
    (y,) = reshaped(call, was)
    return _restated(call, more_samples(call, was, is_, y) if samples else regrouped(call, was, is_, y, wanted))


def _restated(call: Call, y: Sequence[int]) -> Restated:
    wanted = _wanted(call)
    stated = [-1 if w == -1 else n for w, n in zip(wanted, y, strict=True)]
    if stated == wanted:
        return Restated()
    given, option = call.get("shape"), call.options.new_shape
    inputs = {1: np.array(stated, given.dtype.numpy)} if given is not None and len(given.shape) == 1 else {}
    return Restated(inputs, {} if option is None else {"new_shape": stated})


def reshaped_ties(call: Call) -> Sequence[Tie]:
    given = call.get("shape")
    return [] if given is not None and given.size and given.data is None else view_ties(call)


def cut_reshape(call: Call, kept: Kept) -> Restated:
    (y,) = call.node.outputs
    return _restated(call, [int(np.count_nonzero(mask)) for mask in kept(y)])


def squeezed(call: Call, x: Shape) -> list[Shape]:
    """Without the dimensions named; without all of size 1 if none is named."""
    named: Sequence[int] = call.options.squeeze_dims if call.options.squeeze_dims is not None else ()
    if any(not -len(x) <= i < len(x) or x[i] != 1 for i in named):
        raise ShapeError(f"{call.label}: dimensions {[int(i) for i in named]} of shape {x} are not all 1")
    gone = {int(i) % len(x) for i in named} or {i for i, n in enumerate(x) if n == 1}
    return [tuple(n for i, n in enumerate(x) if i not in gone)]


def restate_squeeze(call: Call, before: Sequence[Shape | None], now: Sequence[Shape | None], samples: bool) -> Restated:
    """The first dimension stays, once it counts more than one sample."""
    x, named = now[0] or (), call.options.squeeze_dims
    if named is None or not samples or x[0] == 1:
        return Restated()
    left = [i for i in named if i % len(x)]
    if not left and 1 in x:  # no dimension named means all that are 1
        raise ShapeError(f"{call.label}: there is no way to say that shape {x} keeps its dimensions of 1")
    return Restated(options={"squeeze_dims": left})


def squeezed_ties(call: Call) -> Sequence[Tie]:
    """A node that names no dimensions and takes out none could not say so, once one becomes 1."""
    named = call.options.squeeze_dims
    return view_ties(call) if 1 in call["x"].shape or (named is not None and len(named)) else []


def cut_squeeze(call: Call, kept: Kept) -> Restated:
    """What was not 1 stays, even if it becomes 1."""
    if call.options.squeeze_dims is not None and len(call.options.squeeze_dims):
        return Restated()
    return Restated(options={"squeeze_dims": [i for i, n in enumerate(call["x"].shape) if n == 1]})


def view(call: Call, x: np.ndarray, *_shape: np.ndarray | None) -> np.ndarray:
    (shape,) = call.operator.shape(call, x.shape)
    return x.reshape(shape)


RESHAPE = register(
    Operator(
        "RESHAPE",
        options="ReshapeOptions",
        inputs=(Slot("x"), Slot("shape", role="data", optional=True)),
        outputs=(Slot("y", scale=SameAs("x")),),
        shape=reshaped,
        ties=reshaped_ties,
        cut=cut_reshape,
        restate=restate_reshape,
        reference=dict.fromkeys(WITH_STRINGS, view),
        view=True,
    )
)

SQUEEZE = register(
    Operator(
        "SQUEEZE",
        options="SqueezeOptions",
        inputs=(Slot("x"),),
        outputs=(Slot("y", scale=SameAs("x")),),
        shape=squeezed,
        ties=squeezed_ties,
        cut=cut_squeeze,
        restate=restate_squeeze,
        reference=dict.fromkeys(WITH_STRINGS, view),
        view=True,
    )
)
