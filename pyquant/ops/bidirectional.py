"""BIDIRECTIONAL_SEQUENCE_LSTM: one LSTM along the time of a sequence, and another one against it.

Each is a UNIDIRECTIONAL_SEQUENCE_LSTM without layer normalization. The second one may have a sequence of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pyquant.errors import ShapeError, UnsupportedOp
from pyquant.graph import Node, OpCode, Tensor
from pyquant.ops.lstm import INPUTS, UNIDIRECTIONAL_SEQUENCE_LSTM, float_, macs, sequence_shape
from pyquant.ops.operator import Call, Operator, Shape, Slot
from pyquant.ops.registry import register
from pyquant.wire import Record

SIDES = ("forward", "backward")
WEIGHTS = range(1, 18)  # the inputs of one LSTM from its weights to the bias of its projection
STATES = range(18, 20)
OTHER = 39  # the input that the second LSTM may have
SHARED = ("fused_activation_function", "cell_clip", "proj_clip", "time_major", "asymmetric_quantize_inputs")


def _side(slot: Slot, side: str) -> Slot:
    """What an LSTM has, of one of the two: a bias stays float, as kernels take float activations alone."""
    return replace(slot, name=f"{slot.name}_{side}", scale=None)


SLOTS = (
    Slot("x"),
    *(_side(INPUTS[i], side) for side in SIDES for i in WEIGHTS),
    *(_side(INPUTS[i], side) for side in SIDES for i in STATES),
    Slot("other", optional=True),
    *(Slot(f"other_{g}_{side}", role="any", optional=True) for side in SIDES for g in "ifco"),
)


def _places(side: int) -> list[int]:
    """Where the inputs of one LSTM are among those of both; its sequence is elsewhere."""
    return [WEIGHTS[0] + len(WEIGHTS) * side + i for i in range(len(WEIGHTS))] + [35 + 2 * side, 36 + 2 * side]


def _half(call: Call, side: int) -> Call:
    """Raises UnsupportedOp where both LSTMs read both sequences."""
    inputs = call.node.inputs
    if any(tensor is not None for tensor in inputs[OTHER + 1 :]):
        raise UnsupportedOp(f"{call.label}: weights of a second input, which both directions would read")
    x = inputs[OTHER] if side and len(inputs) > OTHER and inputs[OTHER] is not None else inputs[0]
    own: list[Tensor | None] = [x, *(inputs[i] for i in _places(side)), None, None, None, None]
    options = Record(
        str(UNIDIRECTIONAL_SEQUENCE_LSTM.options), **{name: getattr(call.options, name) for name in SHARED}
    )
    node = Node(OpCode(UNIDIRECTIONAL_SEQUENCE_LSTM.name), own, call.node.outputs[:1], options)
    return Call(UNIDIRECTIONAL_SEQUENCE_LSTM, node, call.numerics, call.fused)


def both_shapes(call: Call, x: Shape, *others: Shape | None) -> list[Shape]:
    if len(call.node.inputs) != len(SLOTS):
        raise ShapeError(f"{call.label}: found {len(call.node.inputs)} inputs, expected {len(SLOTS)}")
    other = others[OTHER - 1]
    ((*sequence, forward),) = sequence_shape(_half(call, 0), x)
    ((*against, backward),) = sequence_shape(_half(call, 1), other or x)
    if sequence != against:
        raise ShapeError(f"{call.label}: sequences of {x} and {other} do not go together")
    if call.options.merge_outputs:
        return [(*sequence, forward + backward)]
    return [(*sequence, forward), (*sequence, backward)]


def both(call: Call, *arrays: Any) -> np.ndarray | tuple[np.ndarray, ...]:
    """float32, or int8 weights with inputs and states that are quantized at run time."""
    time = 0 if call.options.time_major else 1
    found = []
    for side in range(len(SIDES)):
        x = np.flip(arrays[0] if arrays[OTHER] is None else arrays[OTHER], time) if side else arrays[0]
        y = float_(_half(call, side), np.ascontiguousarray(x), *(arrays[i] for i in _places(side)))
        found.append(np.flip(np.asarray(y), time) if side else np.asarray(y))
    return np.concatenate(found, axis=2) if call.options.merge_outputs else tuple(map(np.ascontiguousarray, found))


BIDIRECTIONAL_SEQUENCE_LSTM = register(
    Operator(
        "BIDIRECTIONAL_SEQUENCE_LSTM",
        options="BidirectionalSequenceLSTMOptions",
        inputs=SLOTS,
        outputs=(Slot("y"), Slot("y_backward", optional=True)),
        shape=both_shapes,
        reference={"float32": both, "hybrid": both},
        macs=lambda call: macs(_half(call, 0)) + macs(_half(call, 1)),
        pure=False,
        together=True,
    )
)
