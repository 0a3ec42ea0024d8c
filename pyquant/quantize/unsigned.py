"""int8 models in uint8, with codes that are 128 higher: for runtimes and tools that are older than int8."""

from __future__ import annotations

from pyquant.dtypes import INT8, UINT8
from pyquant.errors import RecipeError
from pyquant.graph import Node, Quantization, Tensor
from pyquant.ops import Operator, find
from pyquant.quantize.assignments import Assignments, Encoding
from pyquant.quantize.places import inputs_of, outputs_of

SHIFT = 128


def shift(made: Assignments) -> None:
    """Decide that what computes in int8 does so in uint8. Its weights have one scale each.

    Operators without a uint8 kernel stay in int8, with casts around them. Raises RecipeError where none can follow.
    """
    main = made.model.main
    for node in main.nodes:
        operator = find(node.op)
        if operator is not None and any(_is_int8(t) for t in (*node.inputs, *node.outputs)):
            _shift_node(made, node, operator)
    if not made.kinds:
        reasons = "; ".join(f"{label}: {reason}" for label, reason in made.kept_float) or "none computes in int8"
        raise RecipeError(f"retype to uint8: no operator can be retyped: {reasons}")
    made.produced.update({t: _shifted(t) for t in main.inputs if _is_int8(t)})
    made.results.update({t: _shifted(t) for t in main.outputs if _is_int8(t)})


def _shift_node(made: Assignments, node: Node, operator: Operator) -> None:
    kind = operator.kind(node)
    if "uint8" not in operator.reference or kind not in ("int8", "float32"):
        made.kept_float.append((node.label, f"TFLite has no uint8 kernel for {operator.name}"))
        return
    made.kinds[node] = "uint8" if kind == "int8" else kind
    for i, slot, tensor in inputs_of(node, operator):
        if slot.quantizable and _is_int8(tensor):
            made.consumed[node, i] = _shifted(tensor)
    for slot, tensor in outputs_of(node, operator):
        if slot.quantizable and _is_int8(tensor):
            made.produced[tensor] = _shifted(tensor)


def _is_int8(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.dtype is INT8 and tensor.is_quantized


def _shifted(tensor: Tensor) -> Encoding:
    return Encoding(UINT8, Quantization.of(tensor.scale, tensor.zero_point + SHIFT))
