"""What makes quantized models more accurate: corrected biases, searched ranges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from networks import network, normal, rng, runs_in_oracles, samples

import pyquant as pq
from pyquant.calibrate import collect
from pyquant.errors import OptionError
from pyquant.ops.build import add
from pyquant.ops.registry import OPERATORS
from pyquant.quantize import recipe
from pyquant.quantize.recipe import ROUNDINGS
from pyquant.quantize.search import Judge, search

WEIGHTED = [name for name, operator in OPERATORS.items() if operator.contraction is not None]


def noise(model: pq.Model, small: pq.Model, feeds: list[np.ndarray]) -> float:
    """The power of the first output's error over that of the output."""
    a, b = pq.compile(model), pq.compile(small)
    pairs = [(a(x), b(x)) for x in feeds]
    pairs = [(x[0], y[0]) if isinstance(x, tuple) else (x, y) for x, y in pairs]
    return sum(np.square(x - y).sum() for x, y in pairs) / sum(np.square(x).sum() for x, _ in pairs)


def one_node(op: str, bias: bool) -> tuple[pq.Model, list[np.ndarray]]:
    """A weighted operator on values far from 0, whose weights lose most of what they are in 4 bits."""
    b = pq.Builder()
    x = b.input("x", (1, 6, 6, 8) if op != "FULLY_CONNECTED" else (1, 8))
    shape = {"CONV_2D": (5, 3, 3, 8), "DEPTHWISE_CONV_2D": (1, 3, 3, 16), "FULLY_CONNECTED": (5, 8)}[op]
    given = [x, b.constant("w", normal(*shape))] + [b.constant("b", normal(shape[-1 if op[0] == "D" else 0]))] * bias
    options = {} if op == "FULLY_CONNECTED" else {"padding": "VALID", "stride_h": 1, "stride_w": 1}
    options |= {"depth_multiplier": 2} if op[0] == "D" else {}
    model = b.model([add(b, op, given, "y", **options)])
    return model, [rng.normal(3, 0.3, x.shape).astype(np.float32) for _ in range(8)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("op", WEIGHTED)
@pytest.mark.parametrize("activations", ["int8", "int16", None])
def test_corrected_biases_keep_the_means(op: str, bias: bool, activations: str | None) -> None:
    if op[0] == "D" and not bias and activations is None:
        pytest.skip("a hybrid depthwise convolution needs its bias")
    model, feeds = one_node(op, bias)
    rule = pq.Rule(weights="int4" if op != "DEPTHWISE_CONV_2D" else "int8", activations=activations)
    if activations and rule.weights == "int4":
        rule = pq.Rule(weights="int8", activations=activations, granularity="tensor")
    plain = pq.quantize(model, [rule], data=None) if activations is None else None
    small = pq.quantize(model, [rule], data=feeds)
    assert len(small.main.nodes[1 if activations else 0].inputs) == 3
    runs_in_oracles(small, feeds[:1], newer=True)
    a, b = pq.compile(model), pq.compile(small)
    error = np.mean([(b(x) - a(x)).reshape(-1, a(x).shape[-1]).mean(axis=0) for x in feeds], axis=0)
    if plain is not None:
        c = pq.compile(plain)
        before = np.mean([(c(x) - a(x)).reshape(-1, a(x).shape[-1]).mean(axis=0) for x in feeds], axis=0)
        assert np.abs(error).max() <= 0.3 * np.abs(before).max()
    assert np.abs(error).max() <= 0.05


def test_a_corrected_model_is_nearer_to_the_float_one() -> None:
    model, feeds = network(), samples(12)
    seen = collect(model, feeds)
    made = pq.assign(model, "int8", data=seen)
    assert made.values
    corrected = noise(model, pq.apply(made), feeds)
    made.values.clear()
    assert corrected < 1.1 * noise(model, pq.apply(made), feeds)


def test_searched_ranges_take_away_noise() -> None:
    model, feeds = network(), samples(8)
    feeds[0] = feeds[0] * 6  # one sample that spoils the extremes
    seen = collect(model, feeds)
    judge = Judge(model, recipe("int8"), seen, [[x] for x in feeds])
    assert judge.noise(search(judge, seen)) < judge.noise(seen.ranges(model))


def test_the_most_accurate_model_runs() -> None:
    feeds = samples(8)
    runs_in_oracles(pq.quantize(network(), "int8", data=feeds, accuracy="best"), feeds[:1])


@pytest.mark.parametrize("op", WEIGHTED)
def test_rounding_by_samples_takes_away_noise(op: str) -> None:
    """Of values that go together, so that one weight's error can make up for another's."""
    model, feeds = one_node(op, bias=True)
    mixture = normal(8, 8)
    feeds = [(x @ mixture).astype(np.float32) for x in feeds]
    rule = pq.Rule(weights="int4", cast_weights=True)
    noises = {
        rounding: noise(model, pq.quantize(model, [replace(rule, rounding=rounding)], data=feeds), feeds)
        for rounding in ROUNDINGS
    }
    assert noises["gptq"] < 1.05 * noises["nearest"] and noises["adaround"] < 1.05 * noises["gptq"]


def test_rounding_needs_samples() -> None:
    model, feeds = one_node("CONV_2D", bias=True)
    rules = [pq.Rule(weights="int4", rounding="gptq")]
    with pytest.raises(pq.RecipeError, match="needs representative samples"):
        pq.quantize(model, rules)
    with pytest.raises(pq.DataError, match="give these, not statistics"):
        pq.quantize(model, rules, data=collect(model, feeds))


def test_accuracy_is_fast_or_best_and_best_needs_samples() -> None:
    model, feeds = network(), samples(2)
    with pytest.raises(OptionError, match="found 'good', expected fast or best"):
        pq.quantize(model, "int8", data=feeds, accuracy="good")
    with pytest.raises(pq.DataError, match="give these, not statistics"):
        pq.quantize(model, "int8", data=collect(model, feeds), accuracy="best")
