"""Decides how every value of a model is stored: model, recipe and observed ranges to Assignments."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pyquant.calibrate import Range
from pyquant.errors import DataError, RecipeError
from pyquant.graph import Model, Node, Tensor
from pyquant.quantize.assignments import Assignments
from pyquant.quantize.choice import check_scope, chosen_rules, nothing_seen
from pyquant.quantize.places import is_float_constant
from pyquant.quantize.recipe import Recipe, Rule
from pyquant.quantize.static import Static
from pyquant.quantize.weights import convert_constants


def solve(
    model: Model,
    recipe: Recipe,
    ranges: Mapping[Tensor, Range] | None = None,
    wide: Mapping[Tensor, Range] | None = None,
) -> Assignments:
    """Decide how every value of `model` is stored.

    ranges: of the main subgraph's float tensors, for static rules. wide: those of values in int16, where others suit.
    Raises DataError for inputs without a finite value, RecipeError for a rule that names nothing, and where nothing can
    be converted; RangeError for weights that are not finite.
    """
    check_scope(model, recipe)
    for tensor in model.main.inputs:
        if ranges and nothing_seen(tensor, ranges):
            values = f"{ranges[tensor].ignored} values that are NaN or infinite, and nothing else but zeros"
            raise DataError(f"input {tensor.name!r}: found {values}, expected finite ones to choose a scale by")
    nodes = {node for subgraph in model.subgraphs for node in subgraph.nodes}
    misfits: dict[Node, str] = {}
    while True:
        made = Assignments(model, recipe)
        chosen = chosen_rules(made, ranges or {}, nodes, misfits)
        found = _decide_static(made, ranges or {}, chosen, wide)
        if not found:
            break
        misfits |= found
    for node, rule in chosen.items():
        if not rule.is_static:
            convert_constants(made, node, rule)
    if not made.kinds and not (recipe.litert and recipe.is_static):
        small = not recipe.is_static and any(is_float_constant(t, 1) for s in model.subgraphs for t in s.tensors)
        if not small or made.kept_float:
            reasons = "; ".join(sorted({reason for _, reason in made.kept_float})) or "it has no float weights"
            raise RecipeError(f"{recipe.name} converts no operator of this model: {reasons}")
        least = max(rule.min_weight_elements for rule in recipe.rules)
        made.notes.append(f"no weight has {least} elements or more: nothing is converted")
    return made


def solve_again(made: Assignments, ranges: Mapping[Tensor, Range], nodes: Collection[Node]) -> None:
    """Decide anew, within `made`, how the values of some quantized nodes are stored.

    ranges: of all values that these nodes read and write, however they are stored now. A weight that is symmetric
    already keeps its scales, unless the recipe wants one scale where it has several.
    """
    Static(made, ranges, chosen_rules(made, ranges, nodes, {})).decide()


def _decide_static(
    made: Assignments,
    ranges: Mapping[Tensor, Range],
    chosen: Mapping[Node, Rule],
    wide: Mapping[Tensor, Range] | None,
) -> dict[Node, str]:
    """Decide for nodes whose activations are quantized. -> those that no kernel takes so, with the reason."""
    static = {node: rule for node, rule in chosen.items() if rule.is_static}
    if not static and not made.recipe.is_static:
        return {}
    solver = Static(made, ranges, static, wide)
    solver.decide()
    return solver.misfits() | solver.crowded()
