"""Quantization in one call, or in its two stages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pyquant import targets
from pyquant.calibrate import Range, Statistics, collect, samples, with_intermediates
from pyquant.errors import DataError, OptionError, RecipeError
from pyquant.graph import Model, Tensor
from pyquant.quantize.apply import apply
from pyquant.quantize.assignments import Assignments
from pyquant.quantize.correct import correct_biases
from pyquant.quantize.equalize import equalized
from pyquant.quantize.recipe import FLOATS, Recipe, Rule, recipe
from pyquant.quantize.restore import float_weights
from pyquant.quantize.search import Judge, search, search_equalization
from pyquant.quantize.solve import solve
from pyquant.rewrite import compat, fold


def quantize(
    model: Model,
    scheme: str | Recipe | Iterable[Rule],
    data: Any = None,
    calibration: str | None = None,
    accuracy: str = "fast",
    target: str | None = None,
    **options: Any,
) -> Model:
    """A quantized copy of a model with float activations; weights in fewer bits that it may have are float again first.

    scheme: one of SCHEMES or NAMED, a Recipe, or its rules. data: representative samples, needed where
    activations are quantized, in any form that `pyquant.calibrate.samples` takes, or Statistics: in order, where states
    or variables go on from one to the next.
    calibration: how ranges follow from them, one of `pyquant.calibrate.METHODS`; None for what suits most models, see
    `Statistics.usual_ranges`, and for "mse" in litert-quantizer's recipes of int8. accuracy: "best" searches ranges by
    what the model makes of samples, which takes minutes. With data, biases correct what rounding does to means.
    target: of `pyquant.targets`, such as edgetpu: operators become others that it takes, where that can be, and options
    that are not given are as it needs them. What it does not take even so, `targets.get(target).problems` says.
    options: those of `pyquant.quantize.recipe`: input_type, output_type, per_channel, newer_axes, newer_kernels,
    one_scale, min_weight_elements, keep_float.
    Raises RecipeError, DataError, RangeError.
    """
    made = apply(assign(model, scheme, data, calibration, accuracy, target, **options))
    return made if target is None else compat(made, target, strict=False)


def assign(
    model: Model,
    scheme: str | Recipe | Iterable[Rule],
    data: Any = None,
    calibration: str | None = None,
    accuracy: str = "fast",
    target: str | None = None,
    **options: Any,
) -> Assignments:
    """The decisions that `quantize` would carry out, to print or review and then give to `apply`."""
    if accuracy not in ("fast", "best"):
        raise OptionError(f"accuracy: found {accuracy!r}, expected fast or best")
    request, given, model = _request(scheme, target, options), model, float_weights(model)
    if target is not None:
        model = fold(compat(model, target, strict=False, exact=False))
    if request.litert and request.activations == ("int8",):
        calibration = calibration or "mse"  # of inputs, too: its averages of extremes clip as much
    if accuracy == "best":
        request = replace(request, rules=tuple(_best(rule) for rule in request.rules))
    model = with_intermediates(model) if request.is_static else model
    rounded = any(rule.rounding != "nearest" for rule in request.rules)
    equalizes = any(rule.equalization != "none" for rule in request.rules)
    if data is None:
        if request.is_static or rounded:
            raise RecipeError(f"scheme {request.name} needs representative samples: give data=")
        return solve(equalized(model, request), request)
    if not (rounded or equalizes):
        seen = data.moved(given, model) if isinstance(data, Statistics) else collect(model, data)
        made = solve(model, request, *_ranges(seen, model, calibration))
        correct_biases(made, seen.means(model))
        made.outliers = seen.outliers(model)
        return made
    if isinstance(data, Statistics):
        raise DataError("weights are rounded and scaled by what samples make of them: give these, not statistics")
    feeds = [list(sample.values()) for sample in samples(data, model)]
    if accuracy == "best" and not equalizes:
        request = search_equalization(model, request, feeds)
    model = equalized(model, request, feeds)
    seen = collect(model, feeds)
    ranges, wide = _ranges(seen, model, calibration)
    judge = Judge(model, request, seen, feeds, wide)
    if accuracy == "best" and "int8" in request.activations:
        ranges = search(judge, seen)
    made = judge.decide(ranges, request)
    made.outliers = seen.outliers(model)
    return made


def _request(scheme: str | Recipe | Iterable[Rule], target: str | None, options: dict[str, Any]) -> Recipe:
    """The recipe by options; those that are not given are as the target needs them."""
    if target is None:
        return recipe(scheme, **options)
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return recipe(scheme, **{**targets.get(target).recipe, **given})
    except RecipeError as error:
        raise RecipeError(f"target {target}: {error}; what is not given is as it needs it") from None


def _ranges(seen: Statistics, model: Model, calibration: str | None) -> tuple[dict[Tensor, Range], dict[Tensor, Range]]:
    """Of values in 8 bits, and of those in 16."""
    if calibration is None:
        return seen.usual_ranges(model)
    return (seen.ranges(model, calibration),) * 2


def _best(rule: Rule) -> Rule:
    """A rule with what makes weights of few bits more accurate."""
    few = rule.weights in ("int4", "int2")
    return (
        rule
        if rule.weights in FLOATS or rule.leaves
        else replace(rule, rounding="adaround", method="mse" if few else rule.method)
    )
