"""Equalization: scale moves channel by channel, and the float model stays the same function."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from networks import network, normal, rng, runs_in_oracles, samples

import pyquant as pq
from pyquant.calibrate import collect
from pyquant.graph import Builder, Tensor
from pyquant.ops.build import add
from pyquant.quantize import Rule, recipe
from pyquant.quantize.equalize import equalized, seams
from pyquant.quantize.recipe import EQUALIZATIONS

ALL = [name for name in EQUALIZATIONS if name != "none"]
CONV = {"padding": "SAME", "stride_h": 1, "stride_w": 1}


def uneven(*shape: int, axis: int) -> np.ndarray:
    """Weights whose channels reach differently far."""
    factors = np.exp(rng.uniform(-3, 3, shape[axis])).astype(np.float32)
    return normal(*shape) * factors.reshape([-1 if i == axis % len(shape) else 1 for i in range(len(shape))])


def convolved(b: Builder, x: Tensor, name: str, channels: int = 8, activation: str = "NONE", taps: int = 1) -> Tensor:
    w = b.constant(f"{name}/w", uneven(channels, taps, taps, x.shape[3], axis=0))
    bias = b.constant(f"{name}/b", normal(channels))
    return add(b, "CONV_2D", [x, w, bias], name, **CONV, fused_activation_function=activation)


def depthwise(b: Builder, x: Tensor, activation: str = "NONE") -> Tensor:
    w, bias = b.constant("d/w", uneven(1, 3, 3, x.shape[3], axis=3)), b.constant("d/b", normal(x.shape[3]))
    return add(
        b, "DEPTHWISE_CONV_2D", [x, w, bias], "d", **CONV, depth_multiplier=1, fused_activation_function=activation
    )


def pooled(b: Builder, x: Tensor) -> Tensor:
    padded = add(b, "PAD", [x, b.constant("pads", np.int32([[0, 0], [1, 1], [1, 1], [0, 0]]))], "padded")
    size = {"filter_height": 2, "filter_width": 2, "stride_h": 2, "stride_w": 2, "padding": "VALID"}
    return add(b, "AVERAGE_POOL_2D", [add(b, "MAX_POOL_2D", [padded], "most", **size)], "pooled", **size)


def normed(b: Builder, x: Tensor) -> Tensor:
    """What layer norm ends with."""
    gamma, beta = b.constant("gamma", uneven(x.shape[3], axis=0)), b.constant("beta", normal(x.shape[3]))
    return add(b, "ADD", [add(b, "MUL", [x, gamma], "scaled"), beta], "normed")


def gated(b: Builder, x: Tensor) -> Tensor:
    """By a value for each place, which the channels share."""
    mean = add(b, "MEAN", [x, b.constant("axes", np.int32([3]))], "mean", keep_dims=True)
    return add(b, "MUL", [convolved(b, x, "c"), add(b, "LOGISTIC", [mean], "gate")], "gated")


# What lies between the convolutions at both ends, and how many seams there are.
BETWEEN: dict[str, tuple[Callable[[Builder, Tensor], Tensor], int]] = {
    "nothing": (lambda b, x: x, 1),
    "relu": (lambda b, x: add(b, "RELU", [x], "relu"), 1),
    "leaky": (lambda b, x: add(b, "LEAKY_RELU", [x], "leaky", alpha=0.1), 1),
    "fused": (lambda b, x: convolved(b, x, "c", activation="RELU"), 2),
    "depthwise": (depthwise, 2),
    "pools": (pooled, 1),
    "norm": (normed, 2),
    "gate": (gated, 1),
    "reshape": (lambda b, x: add(b, "RESHAPE", [x, b.constant("to", np.int32([1, 4, 16, 8]))], "moved"), 1),
    "turned": (lambda b, x: add(b, "TRANSPOSE", [x, b.constant("order", np.int32([0, 2, 1, 3]))], "turned"), 1),
    "relu6": (lambda b, x: add(b, "RELU6", [x], "relu6"), 0),
    "fused relu6": (lambda b, x: convolved(b, x, "c", activation="RELU6"), 1),
    "mixed channels": (lambda b, x: add(b, "RESHAPE", [x, b.constant("to", np.int32([1, 8, 16, 4]))], "moved"), 0),
    "residual": (lambda b, x: add(b, "ADD", [x, convolved(b, x, "c")], "sum"), 0),
    "square": (lambda b, x: add(b, "MUL", [x, x], "square"), 0),
    "twice": (
        lambda b, x: add(
            b, "MUL", [add(b, "RELU", [x], "relu"), add(b, "LEAKY_RELU", [x], "leaky", alpha=0.1)], "product"
        ),
        0,
    ),
    "logistic": (lambda b, x: add(b, "LOGISTIC", [x], "logistic"), 0),
    "across": (lambda b, x: add(b, "TRANSPOSE", [x, b.constant("order", np.int32([0, 3, 1, 2]))], "turned"), 0),
}


def between(name: str) -> tuple[pq.Model, int]:
    b = Builder()
    x = b.input("x", (1, 8, 8, 3))
    make, count = BETWEEN[name]
    return b.model([convolved(b, make(b, convolved(b, x, "first")), "last", taps=3)]), count


def request(equalization: str, **fields: str) -> pq.Recipe:
    return recipe([Rule(weights="int8", equalization=equalization, **fields)])


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("name", BETWEEN)
def test_the_function_stays(name: str, method: str) -> None:
    model, count = between(name)
    feeds = [[x] for x in samples(4)]
    assert len(list(seams(model.main, request(method)))) == count
    scaled = equalized(model, request(method), feeds)
    changed = [a.name for a, b in zip(model.main.tensors, scaled.main.tensors, strict=True)
               if a.is_constant and not np.array_equal(a.data, b.data)]  # fmt: skip
    assert (len(changed) >= 2) == (count > 0), changed
    for (x,) in feeds:
        wanted = pq.compile(model)(x)
        np.testing.assert_allclose(pq.compile(scaled)(x), wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_channels_reach_alike_afterwards() -> None:
    model, _ = between("nothing")
    bias = model.main.nodes[0].inputs[2]
    bias.data = np.zeros_like(bias.data)  # as no bias becomes the largest
    scaled = equalized(model, request("cross_layer"))
    first, last = (node.inputs[1].data for node in scaled.main.nodes)
    made, read = np.abs(first).max(axis=(1, 2, 3)), np.abs(last).max(axis=(0, 1, 2))
    ratio = made / read
    assert ratio.max() / ratio.min() < 1.1


def test_values_of_attention_are_scaled_through_its_products() -> None:
    """Through RESHAPE, TRANSPOSE and BATCH_MATMUL to the projection behind."""
    b = Builder()
    x = b.input("x", (6, 8))

    def dense(x: Tensor, name: str) -> Tensor:
        return add(b, "FULLY_CONNECTED", [x, b.constant(f"{name}/w", uneven(8, 8, axis=0)), None], name)

    def heads(x: Tensor) -> Tensor:
        split = add(b, "RESHAPE", [x, b.constant(f"{x.name}/to", np.int32([6, 2, 4]))], f"{x.name}/split")
        return add(b, "TRANSPOSE", [split, b.constant(f"{x.name}/order", np.int32([1, 0, 2]))], f"{x.name}/heads")

    query, key, value = (heads(dense(x, name)) for name in "qkv")
    shares = add(b, "SOFTMAX", [add(b, "BATCH_MATMUL", [query, key], "scores", adj_y=True)], "shares", beta=1.0)
    back = add(b, "TRANSPOSE", [add(b, "BATCH_MATMUL", [shares, value], "mixed"),
                                b.constant("back", np.int32([1, 0, 2]))], "rows")  # fmt: skip
    model = b.model([dense(add(b, "RESHAPE", [back, b.constant("to", np.int32([6, 8]))], "joined"), "out")])
    assert [seam.value.name for seam in seams(model.main, request("migration"))] == ["v"]
    feed = normal(6, 8)
    scaled = equalized(model, request("migration"), [[feed]])
    np.testing.assert_allclose(pq.compile(scaled)(feed), pq.compile(model)(feed), rtol=1e-4, atol=1e-5)


def test_weights_that_others_read_and_outputs_stay() -> None:
    b = Builder()
    x = b.input("x", (1, 8, 8, 8))
    w, bias = b.constant("w", normal(8, 1, 1, 8)), b.constant("b", normal(8))
    first = add(b, "CONV_2D", [x, w, bias], "first", **CONV)
    second = add(b, "CONV_2D", [first, w, None], "second", **CONV)
    third = convolved(b, second, "third")
    model = b.model([third, second])
    assert not list(seams(model.main, request("cross_layer")))


@pytest.mark.parametrize("activations", [None, "int8", "int16"])
@pytest.mark.parametrize("method", ALL)
def test_uneven_channels_lose_less_with_one_scale_for_all(method: str, activations: str | None) -> None:
    model, _ = between("depthwise")
    feeds = samples(8)
    errors = {}
    for equalization in ("none", method):
        rule = Rule(weights="int8", activations=activations, granularity="tensor", equalization=equalization)
        small = pq.quantize(model, [rule], data=feeds)
        runs_in_oracles(small, feeds[:1], newer=activations is None)
        errors[equalization] = sum(np.square(pq.compile(small)(x) - pq.compile(model)(x)).sum() for x in feeds)
    assert errors[method] < 0.9 * errors["none"]


def test_equalization_goes_with_rounding_and_by_rule() -> None:
    model, feeds = between("fused")[0], samples(6)
    rules = [Rule(weights="int8", activations="int8", granularity="tensor", rounding="gptq"),
             Rule(regex="^last$", weights="int8", activations="int8", equalization="cross_layer")]  # fmt: skip
    assert [seam.value.name for seam in seams(model.main, recipe(rules))] == ["c"]
    runs_in_oracles(pq.quantize(model, rules, data=feeds), feeds[:1])


def test_dead_channels_stay() -> None:
    model, _ = between("fused")
    for constant in model.main.nodes[0].inputs[1:]:
        constant.data = np.concatenate((constant.data[:2], 0 * constant.data[2:3], constant.data[3:]))
    for method in ALL:
        scaled = equalized(model, request(method), [[x] for x in samples(2)])
        assert all(np.isfinite(t.data).all() for t in scaled.main.tensors if t.is_constant and t.dtype.is_float)
        assert not scaled.main.nodes[0].inputs[1].data[2].any()


def test_what_needs_samples_says_so() -> None:
    model, _ = between("nothing")
    with pytest.raises(pq.RecipeError, match="equalization by migration needs samples"):
        pq.quantize(model, [Rule(weights="int8", equalization="migration")])
    pq.quantize(model, [Rule(weights="int8", equalization="cross_layer")])
    with pytest.raises(pq.RecipeError, match="equalization 'all' is not one of none, cross_layer, migration"):
        recipe([Rule(weights="int8", equalization="all")])
    statistics = collect(network(), samples(2))
    with pytest.raises(pq.DataError, match="give these, not statistics"):
        pq.quantize(network(), [Rule(weights="int8", equalization="cross_layer")], data=statistics)
