"""Any quantized model back to float32."""

from __future__ import annotations

from pyquant.graph import Model, Node, Tensor, check
from pyquant.ops import get
from pyquant.quantize.apply import apply
from pyquant.quantize.assignments import FLOAT
from pyquant.quantize.restore import FLOAT_AGAIN, entries, is_integer_computation, is_small, restore, without_casts
from pyquant.quantize.solve import outputs_of
from pyquant.wire import Record


def dequantize(model: Model) -> Model:
    """A copy of a quantized model that stores and computes real values in float32, inputs and outputs too.

    Constants become scale * (stored - zero point), biases code * scale; casts vanish. An output range that begins at
    zero has cut off what is negative: where no activation is fused, RELU6 is (RELU for ranges beyond 6). Operators
    that pyquant does not know, and the bodies of control flow, stay as they are, with casts around them.
    Raises GraphError for a constant whose values cannot be read.
    """
    made = without_casts(model, lambda cast: True, FLOAT_AGAIN)
    for subgraph in entries(made.model):
        for node in subgraph.nodes:
            if is_integer_computation(made, node):
                _state_activation(node)
                restore(made, node)
        made.produced |= {tensor: FLOAT for tensor in subgraph.inputs if is_small(tensor)}
        made.results |= {tensor: FLOAT for tensor in subgraph.outputs if is_small(tensor) or tensor in made.results}
    return check(apply(made))


def _state_activation(node: Node) -> None:
    """Fuse the activation that only the range of a node's output has realised."""
    operator = get(node.op)
    options = node.options or (Record(operator.options) if operator.options else None)
    if options is None or getattr(options, "fused_activation_function", None) != 0:
        return
    for slot, tensor in outputs_of(node, operator):
        if slot.scale is None and _begins_at_zero(tensor):
            node.options = options.replace(fused_activation_function="RELU6" if _largest(tensor) <= 6 else "RELU")


def _begins_at_zero(tensor: Tensor) -> bool:
    return is_small(tensor) and tensor.zero_point == tensor.dtype.lo


def _largest(tensor: Tensor) -> float:
    """The greatest value below which all that a tensor stands for lies, to half a step."""
    assert tensor.dtype.lo is not None and tensor.dtype.hi is not None
    return float(tensor.scale) * (tensor.dtype.hi - tensor.dtype.lo - 0.5)
