"""Any quantized model back to float32."""

from __future__ import annotations

from pyquant.graph import Model
from pyquant.graph.edit import entries
from pyquant.quantize.apply import apply
from pyquant.quantize.assignments import FLOAT, Assignments
from pyquant.quantize.restore import (
    FLOAT_AGAIN,
    is_small,
    note_unknown,
    restorable,
    restore,
    state_activation,
    without_casts,
)


def dequantize(model: Model) -> Model:
    """A copy of a quantized model that stores and computes real values in float32, inputs and outputs too.

    Constants become scale * (stored - zero point), biases code * scale; casts vanish. An output range that begins at
    zero has cut off what is negative: where no activation is fused, RELU6 is (RELU for ranges beyond 6). Operators
    that pyquant does not know stay as they are, and what subgraphs of control flow take and return, with casts around.
    Raises GraphError for a constant whose values cannot be read.
    """
    return apply(real_again(model))


def real_again(model: Model) -> Assignments:
    """The decisions that `dequantize` carries out."""
    made = without_casts(model, FLOAT_AGAIN)
    for subgraph in made.model.subgraphs:
        note_unknown(made, subgraph)
    for node in restorable(made):
        state_activation(node)
        restore(made, node)
    for subgraph in entries(made.model):
        as_stored = {t for n in subgraph.nodes for i, t in enumerate(n.inputs) if (n, i) not in made.consumed}
        for tensor in subgraph.inputs:
            if is_small(tensor) or (tensor.is_quantized and tensor not in as_stored):  # int32 that is only cast
                made.produced[tensor] = FLOAT
        for tensor in subgraph.outputs:
            if is_small(tensor) or tensor in made.results:
                made.results[tensor] = FLOAT
    return made
