"""What to quantize to, as data: recipes of rules, and the schemes that TFLite's model optimization page describes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from pyquant.errors import RecipeError
from pyquant.ops.litert import STARRED
from pyquant.ops.registry import OPERATORS
from pyquant.quantize.parameters import METHODS
from pyquant.wire.schema import ENUMS

BIAS = {"int8": "int32", "int16": "int64"}  # by the type of activations
BOUNDARY = {"int8": ("int8", "uint8"), "int16": ("int16",)}  # what a model's inputs and outputs may then be
FLOATS = ("float16", "bfloat16")
WEIGHTS = ("int8", "int4", "int2", *FLOATS)
BLOCKS = (32, 64, 128, 256)  # weights of an output, in a row, that have one scale
GRANULARITIES = ("channel", "tensor", *(f"block{size}" for size in BLOCKS))
EQUALIZATIONS = ("none", "cross_layer", "migration")
ROUNDINGS = ("nearest", "gptq", "adaround")
INPUT, OUTPUT = "INPUT", "OUTPUT"  # operations of rules for what enters and leaves a model
OPERATOR_NAMES = {"*", INPUT, OUTPUT, *ENUMS["BuiltinOperator"][1], *OPERATORS}


@dataclass(frozen=True)
class Rule:
    """What becomes of the operators that it names.

    regex: searched in the name of an operator's first output. operation: CONV_2D, ...; "*" for all; INPUT or OUTPUT for
    the model's inputs or outputs, by the tensor's name.
    weights: their element type, one of WEIGHTS; None leaves them float32. activations: int8 or int16; None leaves them
    float32. Where both are None, the operator stays as it is.
    granularity: one scale for each "channel" of a weight, for the whole "tensor", or for blocks of a channel
    ("block32" to "block256": FULLY_CONNECTED with float activations, in the newest runtimes). method: how it is found,
    one of `parameters.METHODS`. rounding: of weights, one of ROUNDINGS; all but "nearest" need data.
    equalization: how scale moves, channel by channel, between weights and what makes the values that they meet, one of
    EQUALIZATIONS; "migration" needs data.
    symmetric: activations have the zero point 0; those in int16 always have.
    cast_weights: weights are cast to float32 before their operator, which computes in float32.
    Weights below `min_weight_elements` stay float32 where activations do.
    skip_checks: "*" is all operators also in a recipe of litert-quantizer's.
    """

    regex: str = ".*"
    operation: str = "*"
    weights: str | None = None
    activations: str | None = None
    granularity: str = "channel"
    cast_weights: bool = False
    min_weight_elements: int = 0
    method: str = "min_max"
    rounding: str = "nearest"
    equalization: str = "none"
    symmetric: bool = False
    skip_checks: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.regex)

    @property
    def block(self) -> int:
        """The weights that share a scale within a channel; 0 without blocks."""
        return int(self.granularity.removeprefix("block")) if self.granularity.startswith("block") else 0

    @property
    def leaves(self) -> bool:
        """True where it leaves operators as they are."""
        return self.weights is None and self.activations is None

    @property
    def is_static(self) -> bool:
        """True where activations are quantized, which needs calibration data."""
        return self.activations is not None

    @property
    def starred(self) -> Collection[str] | None:
        """The operators that litert-quantizer takes this rule for, where it names none; None for all."""
        if self.operation != "*" or self.skip_checks or self.weights in (None, *FLOATS):
            return None
        floats = "float" if self.cast_weights else "blocks" if self.block else "dynamic"
        return STARRED.get((str(self.weights), self.activations or floats), ())

    @property
    def bias(self) -> str:
        """The element type of a bias under quantized activations."""
        return BIAS[self.activations or "int8"]

    def names(self, operation: str, name: str) -> bool:
        """Whether it names an operator, or an end of the model, by the name of its first output or of itself."""
        return self.operation in ("*", operation) and self.pattern.search(name) is not None

    def __str__(self) -> str:
        return f"{self.regex!r} {self.operation}"


@dataclass(frozen=True)
class Recipe:
    """A quantization request: of the rules that name an operator, the last one that it can follow decides.

    What no rule names stays as it is. input_type, output_type: of the model; None for what the rules say of INPUT and
    OUTPUT. newer_axes: per-axis weights also where only runtimes newer than tflite-runtime 2.14 take them
    (FULLY_CONNECTED). newer_kernels: integer kernels that only those have, as RSQRT in int16; without, such operators
    compute in float, and casts of 8 to 16 bits go by way of it. one_scale: what a CONCATENATION joins has one scale,
    though that may leave small parts few levels; without, it then joins them in float where outputs are float.
    litert: as litert-quantizer has it. "*" is the operators that it has in mind; no operator gets a bias that it had
    not; inputs that must share the scale of an output keep theirs, and are requantized to it; constants are weights
    wherever they can be; and where nothing else can be quantized, inputs and outputs are.
    """

    name: str
    rules: tuple[Rule, ...]
    input_type: str | None = "float32"
    output_type: str | None = "float32"
    newer_axes: bool = False
    newer_kernels: bool = False
    one_scale: bool = False
    litert: bool = False

    @property
    def is_static(self) -> bool:
        """True where some activations are quantized, which needs calibration data."""
        return any(rule.is_static for rule in self.rules)

    @property
    def activations(self) -> tuple[str, ...]:
        """The types of quantized activations, those of later rules first."""
        rules = [rule for rule in reversed(self.rules) if rule.operation not in (INPUT, OUTPUT)]
        return tuple(dict.fromkeys(rule.activations for rule in rules if rule.activations))

    def rules_for(self, operation: str, name: str) -> Iterator[Rule]:
        """The rules that name an operator, the one that counts most first."""
        return (rule for rule in reversed(self.rules) if rule.names(operation, name))

    def boundary_types(self) -> tuple[str, ...]:
        """The types that this recipe's model inputs and outputs may have."""
        return ("float32", *(name for kind in self.activations for name in BOUNDARY[kind]))


def _scheme(name: str, **rule: Any) -> Recipe:
    return Recipe(name, (Rule(**rule),))


def of_litert(name: str, rules: Iterable[Rule], ends: str | None = None) -> Recipe:
    """What litert-quantizer would make of rules. ends: the type of inputs and outputs; None for what the rules say."""
    return Recipe(name, tuple(rules), ends, ends, newer_axes=True, newer_kernels=True, one_scale=True, litert=True)


def _of_litert(name: str, **rule: Any) -> Recipe:
    return of_litert(name, (Rule(**rule),), None if "activations" in rule else "float32")


SCHEMES: dict[str, Recipe] = {
    made.name: made
    for made in (
        _scheme("float16", weights="float16", cast_weights=True, min_weight_elements=64),
        _scheme("bfloat16", weights="bfloat16", cast_weights=True, min_weight_elements=64),
        _scheme("dynamic", weights="int8", min_weight_elements=1024),
        _scheme("int8", weights="int8", activations="int8"),
        _scheme("int16x8", weights="int8", activations="int16"),
    )
}


# What litert-quantizer calls so, with the inputs and outputs that it gives a model.
NAMED: dict[str, Recipe] = {
    made.name: made
    for made in (
        _of_litert("static_wi8_ai8", weights="int8", activations="int8"),
        _of_litert("static_wi8_ai16", weights="int8", activations="int16"),
        _of_litert("dynamic_wi8_afp32", weights="int8"),
        _of_litert("dynamic_wi4_afp32", weights="int4"),
        _of_litert("weight_only_wi8_afp32", weights="int8", cast_weights=True),
        _of_litert("weight_only_wi4_afp32", weights="int4", cast_weights=True),
        _of_litert("dynamic_legacy_wi8_afp32", weights="int8", min_weight_elements=1024),
    )
}


def recipe(
    scheme: str | Recipe | Iterable[Rule],
    *,
    per_channel: bool | None = None,
    min_weight_elements: int | None = None,
    keep_float: str | Iterable[str] = (),
    **changes: Any,
) -> Recipe:
    """A recipe of SCHEMES or NAMED, or of rules, with fields of Recipe changed; None leaves a field as it is.

    per_channel, min_weight_elements: for all rules. keep_float: regular expressions, or one, of operators that stay as
    they are.
    Raises RecipeError for what cannot be.

    >>> recipe("int8", input_type="uint8").input_type
    'uint8'
    """
    if isinstance(scheme, str):
        known = SCHEMES | NAMED
        if scheme not in known:
            raise RecipeError(f"scheme {scheme!r} is not one of {', '.join(known)}")
        scheme = known[scheme]
    made = scheme if isinstance(scheme, Recipe) else Recipe("rules", tuple(scheme))
    granularity = None if per_channel is None else GRANULARITIES[not per_channel]
    same = _given(granularity=granularity, min_weight_elements=min_weight_elements)
    kept = [keep_float] if isinstance(keep_float, str) else keep_float
    rules = [replace(rule, **same) for rule in made.rules] + [Rule(pattern) for pattern in kept]
    made = replace(made, rules=tuple(rules), **_given(**changes))
    if not made.rules:
        raise RecipeError(f"recipe {made.name}: found no rules, expected one at least")
    for i, rule in enumerate(made.rules):
        _check_rule(rule, f"rule {i} of {made.name}")
    for field in ("input_type", "output_type"):
        found, allowed = getattr(made, field), made.boundary_types()
        if found is not None and found not in allowed:
            raise RecipeError(f"scheme {made.name}: {field} {found!r} is not one of {', '.join(allowed)}")
    return made


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _check_rule(rule: Rule, where: str) -> None:
    try:
        re.compile(rule.regex)
    except re.error as error:
        raise RecipeError(f"{where}: {rule.regex!r} is not a regular expression: {error}") from None
    if rule.operation not in OPERATOR_NAMES:
        near = get_close_matches(rule.operation.upper(), OPERATOR_NAMES, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise RecipeError(f"{where}: operation {rule.operation!r} is no operator{hint}")
    for field, allowed in (
        ("weights", (None, *WEIGHTS)),
        ("activations", (None, *BIAS, *(("uint8",) if rule.operation in (INPUT, OUTPUT) else ()))),
        ("granularity", GRANULARITIES),
        ("method", tuple(METHODS)),
        ("rounding", ROUNDINGS),
        ("equalization", EQUALIZATIONS),
    ):
        if getattr(rule, field) not in allowed:
            expected = ", ".join(map(str, allowed))
            raise RecipeError(f"{where}: {field} {getattr(rule, field)!r} is not one of {expected}")
    if rule.is_static and rule.weights not in ("int8", "int4"):
        raise RecipeError(f"{where}: weights {rule.weights} do not go with {rule.activations} activations")
    if rule.block and (rule.is_static or rule.cast_weights or rule.weights != "int4"):
        raise RecipeError(f"{where}: only int4 weights with float activations have a scale for each block")
    if rule.weights in FLOATS and not rule.cast_weights:
        raise RecipeError(f"{where}: no kernel takes {rule.weights} weights: they must be cast (cast_weights=True)")
