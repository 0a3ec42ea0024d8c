"""Quantization in one call, or in its two stages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pyquant.calibrate import Statistics, collect, samples
from pyquant.errors import DataError, OptionError, RecipeError
from pyquant.graph import Model
from pyquant.quantize.apply import apply
from pyquant.quantize.assignments import Assignments
from pyquant.quantize.correct import correct_biases
from pyquant.quantize.recipe import Recipe, Rule, recipe
from pyquant.quantize.restore import float_weights
from pyquant.quantize.search import Judge, search
from pyquant.quantize.solve import solve


def quantize(
    model: Model,
    scheme: str | Recipe | Iterable[Rule],
    data: Any = None,
    calibration: str | None = None,
    accuracy: str = "fast",
    **options: Any,
) -> Model:
    """A quantized copy of a model with float activations; int8 or float16 weights it may have are float again first.

    scheme: float16, dynamic, int8, int16x8, a Recipe, or its rules. data: representative samples, needed where
    activations are quantized, in any form that `pyquant.calibrate.samples` takes, or Statistics.
    calibration: how ranges follow from them, one of `pyquant.calibrate.METHODS`; None: as the recipe says.
    accuracy: "best" searches ranges by what the model makes of samples, which takes minutes. With data, biases correct
    what rounding does to means. options: those of
    `pyquant.quantize.recipe`: input_type, output_type, per_channel, newer_axes, min_weight_elements, keep_float.
    Raises RecipeError, DataError, RangeError.
    """
    return apply(assign(model, scheme, data, calibration, accuracy, **options))


def assign(
    model: Model,
    scheme: str | Recipe | Iterable[Rule],
    data: Any = None,
    calibration: str | None = None,
    accuracy: str = "fast",
    **options: Any,
) -> Assignments:
    """The decisions that `quantize` would carry out, to print or review and then give to `apply`."""
    if accuracy not in ("fast", "best"):
        raise OptionError(f"accuracy: found {accuracy!r}, expected fast or best")
    request = recipe(scheme, **options)
    calibration = calibration or request.calibration
    if accuracy == "best":
        request = replace(request, rules=tuple(_best(rule) for rule in request.rules))
    model = float_weights(model)
    rounded = any(rule.rounding != "nearest" for rule in request.rules)
    if data is None:
        if request.is_static or rounded:
            raise RecipeError(f"scheme {request.name} needs representative samples: give data=")
        return solve(model, request)
    if not rounded:
        seen = data if isinstance(data, Statistics) else collect(model, data)
        made = solve(model, request, seen.ranges(model, calibration))
        correct_biases(made, seen.means(model))
        return made
    if isinstance(data, Statistics):
        raise DataError("weights are rounded by what samples make of them: give these, not statistics of them")
    feeds = [list(sample.values()) for sample in samples(data, model)]
    seen = collect(model, feeds)
    judge = Judge(model, request, seen, feeds)
    ranges = seen.ranges(model, calibration) if accuracy == "fast" or not request.is_static else search(judge, seen)
    return judge.decide(ranges, request)


def _best(rule: Rule) -> Rule:
    """A rule with what makes weights of few bits more accurate."""
    few = rule.weights in ("int4", "int2")
    return (
        rule
        if rule.weights == "float16" or rule.leaves
        else replace(rule, rounding="adaround", method="mse" if few else rule.method)
    )
