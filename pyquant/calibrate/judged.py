"""The values by which a changed model is compared with the one that it was made of."""

from __future__ import annotations

from collections.abc import Mapping

from pyquant.dtypes import FLOAT32
from pyquant.graph import Model, Node, Tensor
from pyquant.ops import Fixed, find

PROBABILITIES = (1 / 256, -128)  # the int8 scale and zero point of what lies in 0..1


def judged(model: Model) -> list[Tensor]:
    """The real values that a model is judged by: its outputs, or what functions of fixed scale make them of."""
    makers = {t: node for node in model.main.nodes for t in node.outputs}
    found = [_before_fixed(tensor, makers) for tensor in model.main.outputs]
    return [t for t in dict.fromkeys(found) if t in makers and t.dtype is FLOAT32]


def probabilities(model: Model) -> dict[Tensor, Tensor]:
    """The outputs in 0..1 that operators of such values make, and of each what it is made of, as logits."""
    makers = {t: node for node in model.main.nodes for t in node.outputs}
    found = {}
    for tensor in model.main.outputs:
        source = makers[tensor].inputs[0] if tensor in makers else None
        if source is not None and tensor.dtype is FLOAT32 and _probable(makers[tensor].op):
            found[tensor] = source
    return found


def _probable(op: str) -> bool:
    """Whether what an operator makes lies in 0..1."""
    operator = find(op)
    scale = None if operator is None else operator.outputs[0].scale
    return isinstance(scale, Fixed) and scale.values.get("int8") == PROBABILITIES


def _before_fixed(tensor: Tensor, makers: Mapping[Tensor, Node]) -> Tensor:
    node = makers.get(tensor)
    operator = None if node is None else find(node.op)
    if node is None or operator is None or not isinstance(operator.outputs[0].scale, Fixed):
        return tensor
    source = node.inputs[0]
    return source if source is not None and source in makers else tensor
