"""What runtimes lack for an operator in integers that they have in float: asked before anything is decided."""

from __future__ import annotations

from collections.abc import Sequence

from pyquant.dtypes import dtype
from pyquant.graph import Node, OpCode, Quantization, Tensor
from pyquant.ops import Slot, get
from pyquant.quantize.recipe import Rule
from pyquant.targets import LITERT_2_3, TFLITE_RUNTIME_2_14, Target
from pyquant.wire import Record

RUNTIMES = (LITERT_2_3, TFLITE_RUNTIME_2_14)  # the newest first


def lacking(node: Node, rule: Rule, newer: bool) -> str | None:
    """Why a runtime would refuse a node under a static rule though it takes it as it is; None where none does.

    newer: only the newest runtime counts.
    """
    quantized = _quantized(node, rule)
    for target in RUNTIMES[: 1 if newer else None]:
        problem = next((p for p in target.of_node(quantized) if p.fatal), None)
        if problem is not None and not _refuses(target, node):
            return problem.reason
    return None


def _refuses(target: Target, node: Node) -> bool:
    return any(problem.fatal for problem in target.of_node(node))


def _quantized(node: Node, rule: Rule) -> Node:
    """The node as it would be: types count, and whether scales differ; not what they are."""
    operator, kind = get(node.op).of(node), rule.activations or "int8"
    options = node.options
    if operator.options is not None:
        options = (options or Record(operator.options)).replace(**operator.settings.get(kind, {}))
    types = {"activation": kind, "weight": "int8", "bias": rule.bias}

    def twins(tensors: Sequence[Tensor | None], slots: Sequence[Slot], scale: float) -> list[Tensor | None]:
        return [
            t and _twin(t, slot.types.get(kind, types.get(slot.role)), scale)
            for slot, t in zip(slots, tensors, strict=True)
        ]

    shared = not any(slot.scale is None and slot.role == "activation" for slot in operator.outputs)
    made = Node(OpCode(node.opcode.name, 1, node.opcode.custom_code), [], [], options)
    made.inputs = twins(node.inputs, operator.slots(node.inputs), 1.0)
    made.outputs = [t for t in twins(node.outputs, operator.slots(node.outputs, True), 1.0 if shared else 2.0) if t]
    return made


def _twin(tensor: Tensor, kind: str | None, scale: float) -> Tensor:
    if kind is None:
        return tensor
    return Tensor(tensor.name, tensor.shape, dtype(kind), tensor.buffer, Quantization.of(scale))
