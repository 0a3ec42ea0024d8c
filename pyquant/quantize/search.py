"""Searches the ranges under which a quantized model's outputs are nearest to the float model's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pyquant.calibrate import Range, Statistics, collect, judged
from pyquant.graph import Model, Tensor
from pyquant.quantize.apply import Codes, apply
from pyquant.quantize.assignments import Assignments
from pyquant.quantize.correct import Errors, correct_biases
from pyquant.quantize.equalize import equalized, some
from pyquant.quantize.recipe import EQUALIZATIONS, Recipe
from pyquant.quantize.rounding import Rounding
from pyquant.quantize.solve import solve
from pyquant.run.compile import compile
from pyquant.run.cost import macs
from pyquant.run.plan import Plan

Ranges = dict[Tensor, Range]

SAMPLES = (8, 64)  # that candidates are judged by: as many as take WORK multiply-accumulates, within these
WORK = 3e9
SWEEPS = 2  # over all tensors
GAIN = 0.002  # of the noise that is left, which a change must take away
ALIKE = 0.01  # of the span, by which a candidate must differ
# Candidates, of which each is also tried for all tensors at once: method and options.
CANDIDATES: tuple[tuple[str, dict[str, float]], ...] = (
    ("min_max", {}),
    ("mse", {}),
    ("percentile", {"keep": 99.999}),
    ("percentile", {"keep": 99.99}),
    ("percentile", {"keep": 99.95}),
    ("percentile", {"keep": 99.9}),
    ("percentile", {"keep": 99.5}),
)


class Samples(NamedTuple):
    """Inputs, and what the float model makes of them: by sample the values that are judged."""

    feeds: Sequence[Sequence[np.ndarray]]
    expected: Sequence[Sequence[np.ndarray]]


class Judge:
    """Measures a quantized model by samples. feeds: arrays in input order, of some samples. wide: as `solve` has it."""

    def __init__(
        self,
        model: Model,
        recipe: Recipe,
        seen: Statistics,
        feeds: Sequence[Sequence[np.ndarray]],
        wide: Mapping[Tensor, Range] | None = None,
    ) -> None:
        self.model, self.means, self.wide = model, seen.means(model), wide
        self.recipe = replace(recipe, input_type="float32", output_type="float32")
        self.judged = judged(model)
        plan = compile(model, keep=self.judged, exact_floats=True)
        cost = sum(macs(node) or 0 for node in model.main.nodes)
        count = int(np.clip(WORK / max(cost, 1), *SAMPLES))
        if plan.session().variables():  # steps that follow one another stay so
            chosen, others = feeds[:count], feeds[:0]
        else:
            chosen = some(feeds, count)
            others = some([feed for feed in feeds if not any(feed is other for other in chosen)], count)
        self.samples, self.others = (Samples(part, _values(plan, self.judged, part)) for part in (chosen, others))
        self._codes: Codes = {}
        self._errors: Errors = {}
        self._rounding = Rounding(model, feeds)

    def decide(self, ranges: Mapping[Tensor, Range], recipe: Recipe | None = None) -> Assignments:
        """The decisions under these ranges, with rounded weights and corrected biases."""
        made = solve(self.model, recipe or self.recipe, ranges, self.wide)
        self._rounding.round_weights(made)
        correct_biases(made, self.means, self._errors)
        return made

    def noise(
        self, ranges: Mapping[Tensor, Range], recipe: Recipe | None = None, samples: Samples | None = None
    ) -> float:
        """The power of the error over that of the signal, in the mean of the samples and what is judged of each."""
        small, samples = apply(self.decide(ranges, recipe), self._codes), samples or self.samples
        names = {t.name: t for node in small.main.nodes for t in node.outputs}
        own = [names[t.name] for t in self.judged]
        shares = []
        found = _values(compile(small, keep=own), own, samples.feeds)
        for arrays, expected in zip(found, samples.expected, strict=True):
            for array, wanted in zip(arrays, expected, strict=True):
                power = np.square(wanted, dtype=np.float64).sum()
                shares.append(np.square(array - wanted, dtype=np.float64).sum() / max(power, 1e-300))
        return float(np.mean(shares))


def _values(plan: Plan, tensors: Sequence[Tensor], feeds: Sequence[Sequence[np.ndarray]]) -> list[list[np.ndarray]]:
    """What a model makes of samples, one after the other, as real values."""
    session = plan.session()
    return [[_real(found[t], t) for t in tensors] for found in (session.run(*arrays) for arrays in feeds)]


def search(judge: Judge, seen: Statistics, recipe: Recipe | None = None) -> Ranges:
    """The best candidate for all tensors at once, then tensor by tensor whatever takes away more noise.

    The usual ranges where other samples say that these do no better.
    """
    usual, _ = seen.usual_ranges(judge.model)
    choices = [usual, *(seen.ranges(judge.model, method, **options) for method, options in CANDIDATES)]
    noises = [judge.noise(ranges, recipe) for ranges in choices]
    least, best = min(noises), dict(choices[int(np.argmin(noises))])
    for _ in range(SWEEPS):
        before = least
        for tensor in best:
            tried = [best[tensor]]
            for candidate in (ranges[tensor] for ranges in choices):
                if any(_alike(candidate, other) for other in tried):
                    continue
                tried.append(candidate)
                trial = {**best, tensor: candidate}
                noise = judge.noise(trial, recipe)
                if noise < least * (1 - GAIN):
                    least, best = noise, trial
        if least > before * (1 - 10 * GAIN):
            break
    if judge.others.feeds and judge.noise(best, recipe, judge.others) > judge.noise(usual, recipe, judge.others):
        return usual
    return best


def search_equalization(model: Model, recipe: Recipe, feeds: Sequence[Sequence[np.ndarray]]) -> Recipe:
    """The recipe with the equalization that leaves least noise, with weights rounded to nearest."""
    best, least = recipe, np.inf
    for name in EQUALIZATIONS:
        rules = [rule if rule.leaves else replace(rule, equalization=name) for rule in recipe.rules]
        plain = replace(recipe, rules=tuple(replace(rule, rounding="nearest") for rule in rules))
        scaled = equalized(model, plain, feeds)
        seen = collect(scaled, feeds)
        ranges, wide = seen.usual_ranges(scaled)
        noise = Judge(scaled, plain, seen, feeds, wide).noise(ranges)
        if noise < least * (1 - 10 * GAIN):
            best, least = replace(recipe, rules=tuple(rules)), noise
    return best


def _real(array: np.ndarray, tensor: Tensor) -> np.ndarray:
    if tensor.quantization is None or not tensor.is_quantized:
        return array
    return (array.astype(np.float32) - tensor.zero_point) * tensor.scale


def _alike(a: Range, b: Range) -> bool:
    return max(abs(a.low - b.low), abs(a.high - b.high)) <= ALIKE * max(b.high - b.low, 1e-30)
