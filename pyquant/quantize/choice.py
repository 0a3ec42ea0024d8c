"""Which rule of a recipe each operator follows: the last one that names it and that its kernels take."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from pyquant.calibrate import Range
from pyquant.dtypes import FLOAT32
from pyquant.errors import RecipeError
from pyquant.graph import Model, Node, Subgraph, Tensor
from pyquant.graph.real import real_values
from pyquant.ops import Operator, Slot, find
from pyquant.quantize.assignments import Assignments
from pyquant.quantize.loops import deciding
from pyquant.quantize.places import finite, inputs_of, is_float_constant, keeps_real, outputs_of
from pyquant.quantize.recipe import FLOATS, INPUT, OUTPUT, Recipe, Rule
from pyquant.quantize.runtimes import lacking
from pyquant.quantize.variables import sharing


def check_scope(model: Model, recipe: Recipe) -> None:
    """Raises RecipeError for a rule that names no operator, input or output; one for all of a type may be general."""
    names = [(node.op, name_of(node)) for subgraph in model.subgraphs for node in subgraph.nodes]
    names += [(INPUT, t.name) for t in model.main.inputs] + [(OUTPUT, t.name) for t in model.main.outputs]
    for i, rule in enumerate(recipe.rules):
        if rule.regex != ".*" and not any(rule.names(operation, name) for operation, name in names):
            found = ", ".join(sorted({operation for operation, _ in names} - {INPUT, OUTPUT}))
            raise RecipeError(f"rule {i} of {recipe.name} ({rule}) names nothing of this model, which has {found}")


def name_of(node: Node) -> str:
    """By which rules find an operator."""
    return node.outputs[0].name if node.outputs else ""


def chosen_rules(
    made: Assignments, ranges: Mapping[Tensor, Range], nodes: Collection[Node], misfits: Mapping[Node, str]
) -> dict[Node, Rule]:
    """The rule that each of some nodes follows. Of those that follow none it is noted why not the first.

    misfits: nodes that can follow no static rule, with the reason.
    """
    chosen: dict[Node, Rule] = {}
    exact = deciding(made.model)
    for subgraph in made.model.subgraphs:
        for node in subgraph.nodes:
            if node not in nodes:
                continue
            reasons = []
            for rule in made.recipe.rules_for(node.op, name_of(node)):
                reason = misfits.get(node) if rule.is_static else None
                reason = reason or _obstacle(made, ranges, subgraph, node, rule)
                if rule.is_static and reason is None and node in exact:
                    reason = "how often a loop runs depends on it"
                if reason is None:
                    chosen[node] = made.rules[node] = rule
                    break
                reasons.append(reason)
                if rule.leaves:
                    break
            if node not in chosen and any(reasons):
                made.kept_float.append((node.label, next(filter(None, reasons))))
    _agree_on_variables(made, chosen)
    return chosen


def _agree_on_variables(made: Assignments, chosen: dict[Node, Rule]) -> None:
    """Leave alone what reads or assigns a variable, unless all that do can be quantized to the same type."""
    uses = sharing(made.model)
    types = {node: {chosen[n].activations if n in chosen else None for n in uses[node]} for node in uses}
    for node, found in types.items():
        if node in chosen and (len(found) != 1 or None in found):
            del chosen[node], made.rules[node]
            made.kept_float.append((node.label, "not all that reads or assigns its variable can be quantized alike"))


def _obstacle(
    made: Assignments, ranges: Mapping[Tensor, Range], subgraph: Subgraph, node: Node, rule: Rule
) -> str | None:
    """Why a node cannot follow a rule; "" where it has nothing that the rule is about; None where it can."""
    operator = find(node.op)
    if rule.leaves:
        return "the recipe leaves it"
    if not rule.is_static and not any(
        t is not None and is_float_constant(t, rule.min_weight_elements) for t in node.inputs
    ):
        return ""
    if made.recipe.litert and rule.starred is not None and node.op not in rule.starred:
        return "not of the operators that litert-quantizer takes a rule for all to mean"
    if rule.is_static:
        if subgraph is not made.model.main and not _is_observed(ranges, node):
            return "outside the main subgraph, and its values were not observed"
        return _static_obstacle(ranges, node, rule) or lacking(node, rule, made.recipe.newer_kernels)
    if operator is None:
        return "unknown operator"
    if next(narrowed(node, operator, rule), None) is None:
        blocks = f" in blocks of {rule.block}" if rule.block else ""
        return f"no kernel takes {rule.weights} weights{blocks} with float activations"
    return None


def _static_obstacle(ranges: Mapping[Tensor, Range], node: Node, rule: Rule) -> str | None:
    """Why a node's activations cannot be quantized; None where they can."""
    operator = find(node.op)
    if operator is None:
        return "unknown operator"
    operator = operator.of(node)
    if operator.flow:
        real = any(t is not None and t.dtype is FLOAT32 for t in (*node.inputs, *node.outputs))
        return "what its subgraphs take and return stays as it is" if real else ""
    if not operator.ranged:
        return f"{operator.name} has states, whose ranges are not known"
    form = " of this form" * bool(operator.variant)
    if rule.activations not in operator.reference:
        return f"TFLite has no {rule.activations} kernel for {operator.name}{form}"
    if rule.activations in operator.unserved:
        return f"no runtime computes {operator.name}{form} of {rule.activations} codes with scales"
    fused = 0 if node.options is None else getattr(node.options, "fused_activation_function", 0)
    if fused not in operator.integer_activations:
        return "its fused activation has no integer form"
    if operator.stateful and (reason := _state_obstacle(ranges, node, operator)):
        return reason
    for _, slot, tensor in inputs_of(node, operator):
        if slot.role in ("weight", "bias") and not tensor.is_constant:
            return f"its {slot.role} is not constant"
        if slot.role == "weight" and not slot.takes(rule.weights, rule.activations or "int8"):
            return f"no kernel of {operator.name} takes {rule.weights} weights with {rule.activations} activations"
        if slot.quantizable and not _is_real(tensor, ranges):
            return f"its input {tensor.name!r} is {tensor.dtype}, not float32"
        if slot.role == "activation" and tensor.size == 0:
            return f"its input {tensor.name!r} has no elements"
        if slot.role == "activation" and tensor.is_constant and not np.isfinite(real_values(tensor)).all():
            return f"its constant {tensor.name!r} holds NaN or infinity"
        if nothing_seen(tensor, ranges):
            return f"of its input {tensor.name!r} only zeros, NaN and infinities were observed"
    for slot, tensor in outputs_of(node, operator):
        if slot.quantizable and not _is_real(tensor, ranges):
            return f"its output {tensor.name!r} is {tensor.dtype}, not float32"
        if nothing_seen(tensor, ranges):
            for weight in (t for _, slot, t in inputs_of(node, operator) if slot.role in ("weight", "bias")):
                finite(weight)  # else it is at fault
            return f"of its output {tensor.name!r} only zeros, NaN and infinities were observed"
    return None


def nothing_seen(tensor: Tensor, ranges: Mapping[Tensor, Range]) -> bool:
    """True for values that are NaN or infinite, or else 0: a mask, or a fault in the data."""
    seen = ranges.get(tensor, Range())
    return seen.ignored > 0 and seen.low == seen.high == 0


def _is_observed(ranges: Mapping[Tensor, Range], node: Node) -> bool:
    """Whether it is known what values a node reads and writes."""
    operator = find(node.op)
    if operator is None:
        return True
    values = [*((slot, t) for _, slot, t in inputs_of(node, operator)), *outputs_of(node, operator)]
    return all(t in ranges or t.is_constant for slot, t in values if slot.observed)


def _state_obstacle(ranges: Mapping[Tensor, Range], node: Node, operator: Operator) -> str | None:
    """Why what goes on from step to step cannot be quantized; None where it can."""
    for _, slot, tensor in inputs_of(node, operator):
        if slot.role == "state" and not tensor.is_variable:
            return f"its state {tensor.name!r} is no variable"
        if slot.role == "state" and tensor not in ranges:
            return f"the range of its state {tensor.name!r} is not known"
    known = [tensor for tensor in node.intermediates if tensor in ranges]
    if not len(known) == len(node.intermediates) == len(operator.intermediates):
        return "the ranges of what it computes on the way are not known"
    return None


def _is_real(tensor: Tensor, ranges: Mapping[Tensor, Range]) -> bool:
    """True where it is known what real values a tensor holds."""
    return tensor.dtype is FLOAT32 or tensor in ranges or (tensor.is_constant and tensor.is_quantized)


def narrowed(node: Node, operator: Operator, rule: Rule) -> Iterator[tuple[int, Slot, Tensor]]:
    """The constants of a node that a rule which leaves activations in float has stored otherwise."""
    operator, least = operator.of(node), rule.min_weight_elements
    takes = rule.cast_weights or ("hybrid" in operator.reference and keeps_real(node, operator))
    if rule.block:
        blocks = [tensor for _, slot, tensor in inputs_of(node, operator) if slot.blocks]
        takes = takes and bool(blocks) and all(tensor.shape[-1] % rule.block == 0 for tensor in blocks)
    if operator.together and not rule.cast_weights:
        weights = [t for _, slot, t in inputs_of(node, operator) if slot.role == "weight" and _is_narrow(slot)]
        takes = takes and rule.weights == "int8" and all(is_float_constant(t, 1) for t in weights)
        least = 1 if any(t.size >= least for t in weights) else least
    for i, slot, tensor in inputs_of(node, operator):
        stored = slot.quantizable if rule.weights in FLOATS else slot.role == "weight" and _is_narrow(slot)
        kind = "float32" if rule.cast_weights else "hybrid"
        stored = stored or (kind in slot.weight_if_constant and rule.weights not in FLOATS)
        reads = rule.cast_weights or slot.takes(rule.weights, "hybrid")
        if takes and stored and reads and is_float_constant(tensor, least):
            yield i, slot, tensor


def _is_narrow(slot: Slot) -> bool:
    """Whether float activations meet a weight here in fewer bits."""
    return slot.types.get("hybrid") != "float32"
