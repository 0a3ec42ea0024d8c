"""Quantized models in other integer types: old scales take the place of calibration; the quantizer does the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from pyquant.calibrate import Range
from pyquant.dtypes import FLOAT32, DType
from pyquant.errors import OptionError, RecipeError
from pyquant.graph import Model, Node, Quantization, Subgraph, Tensor
from pyquant.ops import find
from pyquant.quantize.apply import apply
from pyquant.quantize.assignments import Assignments
from pyquant.quantize.places import inputs_of, outputs_of
from pyquant.quantize.recipe import SCHEMES, Recipe
from pyquant.quantize.recipe import recipe as make_recipe
from pyquant.quantize.restore import is_integer_computation, is_small, note_unknown, state_activation, without_casts
from pyquant.quantize.solve import solve_again
from pyquant.quantize.unsigned import shift

RETYPES = ("int8", "uint8", "int16x8", "per-tensor")
INTEGERS = ("uint8", "int8", "int16")


def retype(model: Model, to: str) -> Model:
    """A copy of a quantized model that computes in other integers; inputs and outputs that are integers follow.

    to: int8, uint8, int16x8, or per-tensor: the types stay, and each weight gets one scale.
    From uint8 to int8, activations keep their scale, and their codes shift by 128; weights, which have a zero point in
    uint8 alone, are rounded anew, by channel where int8 has that; averages round halves of negative codes down.
    From int8 to uint8, weights get one scale each first.
    From int8 to int16x8, weights stay as they are and activations keep their range. What computes in float goes on to
    do so; unknown operators, and subgraphs other than the main one, stay as they are, with casts around them.
    Raises OptionError for another `to`, RecipeError where nothing can be retyped.
    """
    return apply(reassign(model, to))


def reassign(model: Model, to: str) -> Assignments:
    """The decisions that `retype` carries out."""
    if to not in RETYPES:
        raise OptionError(f"retype to {to!r}: expected one of {', '.join(RETYPES)}")
    if to == "uint8":
        return _unsigned(model)
    recipe, types = (SCHEMES[to], INTEGERS) if to in SCHEMES else _one_scale(model)
    made = without_casts(model, recipe, lambda subgraph, cast: _is_superfluous(subgraph, cast, types))
    main = made.model.main
    ranges = {t: _range(t.dtype, t.quantization) for t in main.tensors if t.quantization and _has_one_scale(t, types)}
    for (node, i), stored in made.consumed.items():
        value = node.inputs[i]
        if value is not None and value.dtype is FLOAT32 and stored.quantization is not None:
            seen = _range(stored.dtype, stored.quantization)
            ranges[value] = ranges.get(value, seen).joined(seen)
    note_unknown(made, main)
    nodes = [node for node in main.nodes if _is_candidate(made, node, ranges)]
    if "int16" in recipe.activations:  # whose ranges never begin at zero
        for node in nodes:
            state_activation(node)
    solve_again(made, ranges, nodes)
    if not made.kinds:
        reasons = "; ".join(f"{label}: {reason}" for label, reason in made.kept_float)
        found = reasons or f"none computes in {' or '.join(types)}"
        raise RecipeError(f"retype to {to}: no operator can be retyped: {found}")
    return made


def _unsigned(model: Model) -> Assignments:
    signed = reassign(model, "per-tensor")
    made = Assignments(apply(signed), replace(signed.recipe, name="uint8"), kept_float=signed.kept_float)
    shift(made)
    return made


def _one_scale(model: Model) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe for one scale per weight, and the type that activations have and keep."""
    found = Counter(t.dtype.name for t in model.main.tensors if is_small(t) and not t.is_constant)
    scheme = SCHEMES["int16x8" if found["int16"] > found["int8"] else "int8"]
    return make_recipe(scheme, per_channel=False), scheme.activations


def _range(dtype: DType, quantization: Quantization) -> Range:
    """The real values that codes can stand for; of int16, which is symmetric, without the lowest code."""
    assert dtype.lo is not None and dtype.hi is not None
    scale, zero_point = float(quantization.scale[0]), int(quantization.zero_point[0])
    low = -dtype.hi if dtype.bits == 16 else dtype.lo
    return Range(scale * (low - zero_point), scale * (dtype.hi - zero_point))


def _is_superfluous(subgraph: Subgraph, cast: Node, types: Collection[str]) -> bool:
    """True for a cast between float and integers, or between 8-bit types, that the new types make anew or not at all.

    Not where its source would have to leave the subgraph in two forms.
    """
    source, target = cast.inputs[0], cast.outputs[0]
    assert source is not None
    if target in subgraph.outputs:
        leaving = [n for n in subgraph.nodes if source in n.inputs and any(t in subgraph.outputs for t in n.outputs)]
        if source in subgraph.outputs or source.dtype is FLOAT32 or leaving != [cast]:
            return False
    return (source.dtype is FLOAT32) != (target.dtype is FLOAT32) or _hold_the_same(source, target, types)


def _hold_the_same(first: Tensor, second: Tensor, types: Collection[str]) -> bool:
    """True for int8 and uint8 codes that stand for the same values."""
    if not all(_has_one_scale(t, types) and t.dtype.bits == 8 for t in (first, second)):
        return False
    shifts = [t.zero_point - (t.dtype.lo or 0) for t in (first, second)]
    return first.scale == second.scale and shifts[0] == shifts[1]


def _has_one_scale(tensor: Tensor, types: Collection[str]) -> bool:
    q = tensor.quantization
    return tensor.dtype.name in types and q is not None and q.scale.size == 1 and q.zero_point.size == 1


def _is_candidate(made: Assignments, node: Node, known: Collection[Tensor]) -> bool:
    """True for a node all of whose activations are known integers."""
    operator = find(node.op)
    if operator is None:
        return False
    values = [t for _, slot, t in inputs_of(node, operator) if slot.role == "activation"]
    values += [t for slot, t in outputs_of(node, operator) if slot.role == "activation"]
    integers = all(is_small(t) for t in values) if operator.cast else is_integer_computation(made, node)
    return integers and all(t in known for t in values)
