"""The values by which a changed model is compared with the one that it was made of."""

from __future__ import annotations

from collections.abc import Mapping

from pyquant.dtypes import FLOAT32
from pyquant.graph import Model, Node, Tensor
from pyquant.ops import Fixed, find


def judged(model: Model) -> list[Tensor]:
    """The real values that a model is judged by: its outputs, or what functions of fixed scale make them of."""
    makers = {t: node for node in model.main.nodes for t in node.outputs}
    found = [_before_fixed(tensor, makers) for tensor in model.main.outputs]
    return [t for t in dict.fromkeys(found) if t in makers and t.dtype is FLOAT32]


def _before_fixed(tensor: Tensor, makers: Mapping[Tensor, Node]) -> Tensor:
    node = makers.get(tensor)
    operator = None if node is None else find(node.op)
    if node is None or operator is None or not isinstance(operator.outputs[0].scale, Fixed):
        return tensor
    source = node.inputs[0]
    return source if source is not None and source in makers else tensor
