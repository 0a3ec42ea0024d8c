"""Recipes as litert-quantizer writes them: a JSON list of rules, of which a later one wins."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyquant.errors import RecipeError
from pyquant.ops.registry import OPERATORS
from pyquant.quantize.recipe import BLOCKS, INPUT, OUTPUT, Recipe, Rule, of_litert

MADE_BY = "made_by"  # says that rules mean what they mean here, and not all that they mean there
OF_RECIPE = ("newer_kernels", "one_scale")  # stated in such rules
OF_RULE = ("method", "rounding", "equalization")  # stated in rules where the terms of litert-quantizer say less
NO_QUANTIZE, FLOAT_CASTING = "no_quantize", "float_casting"
# how weights get their ranges -> the name that stands for it in the file
ALGORITHMS = {"min_max": "min_max_uniform_quantize", "mse": "MSE", "octav": "OCTAV"}
GPTQ = "GPTQ"  # which takes ranges of least squared error here
METHODS = {name: method for method, name in ALGORITHMS.items()}
OPERATIONS = {"TRANSPOSE_CONV": "CONV_2D_TRANSPOSE"}  # those that it calls otherwise
GRANULARITIES = {"channel": "CHANNELWISE", "tensor": "TENSORWISE"} | {f"block{n}": f"BLOCKWISE_{n}" for n in BLOCKS}
DEFAULTS = {"compute_precision": "FLOAT", "explicit_dequantize": False, "skip_checks": False, "min_weight_elements": 0}


def to_rules(recipe: Recipe) -> list[dict[str, Any]]:
    """Plain data for JSON, with rules for what other fields of the recipe say."""
    rules = [spelled for rule in recipe.rules for spelled in _spelled_out(rule, recipe.newer_axes)]
    for operation, stated in ((INPUT, recipe.input_type), (OUTPUT, recipe.output_type)):
        by_rules = next(recipe.rules_for(operation, ""), Rule()).activations or "float32"
        if stated == "float32" and by_rules != stated:
            rules.append(Rule(operation=operation))
        elif stated is not None and by_rules != stated:
            rules.append(Rule(operation=operation, weights="int8", activations=stated))
    mark = {} if recipe.litert else {MADE_BY: "pyquant", **{field: getattr(recipe, field) for field in OF_RECIPE}}
    return [_with_own_terms(_written(rule), rule) | mark for rule in rules]


def from_rules(rules: Iterable[Mapping[str, Any]], name: str = "rules") -> Recipe:
    """The recipe of a list of rules, with inputs and outputs as the rules have them.

    Raises RecipeError for what is no such list, or cannot be done here.
    """
    rules = list(rules)
    found = [_read(rule, f"rule {i} of {name}") for i, rule in enumerate(rules)]
    ours = next((rule for rule in rules if rule.get(MADE_BY) == "pyquant"), None)
    if ours is None:
        return of_litert(name, found)
    stated = {field: bool(ours.get(field, False)) for field in OF_RECIPE}
    return Recipe(name, tuple(found), input_type=None, output_type=None, newer_axes=True, **stated)


def dumps(recipe: Recipe) -> str:
    """The text of a recipe file."""
    return json.dumps(to_rules(recipe), indent=2) + "\n"


def loads(text: str, name: str = "rules") -> Recipe:
    """The recipe in the text of a file. Raises RecipeError."""
    try:
        rules = json.loads(text)
    except ValueError as error:
        raise RecipeError(f"{name}: not JSON: {error}") from None
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        odd = next((rule for rule in rules if not isinstance(rule, dict)), rules) if isinstance(rules, list) else rules
        raise RecipeError(f"{name}: expected a list of rules, each an object, found {json.dumps(odd)[:40]}")
    return from_rules(rules, name)


def load(path: str | os.PathLike[str]) -> Recipe:
    """The recipe in a file, by the file's name. Raises RecipeError."""
    try:
        text = Path(path).read_text()
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not JSON: {error}") from None
    return loads(text, Path(path).stem)


def _spelled_out(rule: Rule, newer_axes: bool) -> Iterator[Rule]:
    """A rule, and one more where weights that only newer runtimes take by channel are not to have that."""
    yield rule
    if not newer_axes and rule.granularity == "channel" and rule.weights in ("int8", "int4", "int2"):
        for name, operator in OPERATORS.items():
            if rule.operation in ("*", name) and any(s.newer_axis not in (None, s.axis) for s in operator.inputs):
                yield replace(rule, operation=name, granularity="tensor")


def _written(rule: Rule) -> dict[str, Any]:
    algorithm = NO_QUANTIZE if rule.leaves else ALGORITHMS[rule.method] if rule.rounding == "nearest" else GPTQ
    config: dict[str, Any] = {}
    if rule.activations is not None:
        kind, bits = _split(rule.activations)
        config["activation_tensor_config"] = _tensor_config(bits, rule.symmetric or bits == 16, "TENSORWISE", kind)
    if rule.weights is not None:
        kind, bits = _split(rule.weights)
        config["weight_tensor_config"] = _tensor_config(bits, True, GRANULARITIES[rule.granularity], kind)
        algorithm = FLOAT_CASTING if kind.endswith("FLOAT") else algorithm
    config |= DEFAULTS | {
        "compute_precision": "FLOAT" if rule.leaves or rule.cast_weights else "INTEGER",
        "explicit_dequantize": rule.cast_weights,
        "skip_checks": rule.skip_checks,
        "min_weight_elements": rule.min_weight_elements,
    }
    operation = OPERATIONS.get(rule.operation, rule.operation)
    return {"regex": rule.regex, "operation": operation, "algorithm_key": algorithm, "op_config": config}


def _with_own_terms(written: dict[str, Any], rule: Rule) -> dict[str, Any]:
    """With the fields of a rule that would be read otherwise."""
    again = _read(written, str(rule))
    return written | {f: getattr(rule, f) for f in OF_RULE if getattr(rule, f) != getattr(again, f) and not rule.leaves}


def _split(name: str) -> tuple[str, int]:
    """int8 -> INT, 8"""
    kind = name.rstrip("0123456789")
    return kind.upper(), int(name.removeprefix(kind))


def _tensor_config(bits: int, symmetric: bool, granularity: str, kind: str) -> dict[str, Any]:
    return {"num_bits": bits, "symmetric": symmetric, "granularity": granularity, "dtype": kind}


def _read(given: Mapping[str, Any], where: str) -> Rule:
    try:
        regex, operation, algorithm = (given[key] for key in ("regex", "operation", "algorithm_key"))
    except KeyError as missing:
        raise RecipeError(f"{where}: {missing} is missing") from None
    operation = next((ours for ours, theirs in OPERATIONS.items() if theirs == operation), operation)
    if algorithm == NO_QUANTIZE:
        return Rule(regex, operation)
    if algorithm not in (FLOAT_CASTING, GPTQ, *METHODS):
        known = ", ".join((NO_QUANTIZE, FLOAT_CASTING, GPTQ, *METHODS))
        raise RecipeError(f"{where}: algorithm_key {algorithm!r} is not one of {known}")
    config = given.get("op_config") or {}
    weights, activations = (_tensor_of(config.get(f"{what}_tensor_config"), where) for what in ("weight", "activation"))
    precision, cast = config.get("compute_precision", "FLOAT"), bool(config.get("explicit_dequantize", False))
    if weights is None or (activations is None and cast != (precision == "FLOAT")):
        found = f"weights {weights}, {precision} computation and explicit_dequantize {cast}"
        raise RecipeError(f"{where}: found {found}, which no kernel does")
    read = Rule(
        regex,
        operation,
        weights=weights[0],
        activations=None if activations is None else activations[0],
        granularity=weights[1],
        cast_weights=cast,
        min_weight_elements=int(config.get("min_weight_elements", 0)),
        method="mse" if algorithm == GPTQ else METHODS.get(algorithm, "min_max"),
        rounding="gptq" if algorithm == GPTQ else "nearest",
        symmetric=activations is not None and activations[2] and activations[0] != "int16",
        skip_checks=bool(config.get("skip_checks", False)),
    )
    return replace(read, **{field: given[field] for field in OF_RULE if field in given})


def _tensor_of(config: Mapping[str, Any] | None, where: str) -> tuple[str, str, bool] | None:
    """Element type, granularity and symmetry."""
    if config is None:
        return None
    block, stated = config.get("block_size", 0), config.get("granularity", "TENSORWISE")
    stated = f"BLOCKWISE_{block}" if block else stated
    granularity = next((ours for ours, theirs in GRANULARITIES.items() if theirs == stated), None)
    if granularity is None:
        raise RecipeError(f"{where}: granularity {stated!r} is not one of {', '.join(GRANULARITIES.values())}")
    kind = f"{config.get('dtype', 'INT').lower()}{config.get('num_bits')}"
    return kind, granularity, bool(config.get("symmetric", True))
