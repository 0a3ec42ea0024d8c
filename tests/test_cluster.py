"""Clustering: exact k-means against every partition, counts that quantizing keeps, zeros that stay, clear refusals."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from networks import network, runs_in_oracles, samples

import pyquant as pq
from pyquant import native
from pyquant.compress import STARTS, kmeans, losses, partition, weights
from pyquant.compress.effects import outcomes
from pyquant.compress.kmeans import Points, centers, inertia, priced
from pyquant.compress.losses import coded
from pyquant.compress.settle import settle
from pyquant.dtypes import FLOAT16
from pyquant.errors import OptionError
from pyquant.graph import Builder
from pyquant.graph.real import real_values
from pyquant.ops.build import add

FEEDS = samples(12)
ISAS = [row.isa for row in native.rows_of("kmeans_f64") if row.available]


def least(x: np.ndarray, w: np.ndarray, clusters: int, zero: bool, whole: int | None) -> float:
    """By trying all: sets of whole centers, else ways to cut the sorted values, of which one part may be around 0."""
    if whole is not None:
        sets = (c for k in range(1, clusters + 1) for c in combinations(range(-whole, whole + 1), k))
        return min((w * np.square(x[:, None] - c).min(axis=1)).sum() for c in map(np.array, sets) if 0 in c or not zero)
    order = np.argsort(x)
    x, w = x[order], w[order]

    def cost(a: int, b: int, center: float | None = None) -> float:
        if a == b:
            return 0.0
        mean = np.average(x[a:b], weights=w[a:b]) if center is None else center
        return float((w[a:b] * np.square(x[a:b] - mean)).sum())

    found = []
    for cuts in combinations(np.repeat(range(x.size + 1), clusters).tolist(), clusters - 1):
        parts = list(zip((0, *sorted(cuts)), (*sorted(cuts), x.size), strict=True))
        around = range(len(parts)) if zero else [None]
        found += [sum(cost(*part, 0.0 if i == at else None) for i, part in enumerate(parts)) for at in around]
    return min(found)


@pytest.mark.parametrize("seed", range(40))
def test_optimal_is_the_least_of_all(seed: int) -> None:
    """With weights, ties, zeros, and fewer different values than clusters."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1.5, rng.integers(1, 6))
    x = np.round(x) if seed % 5 == 0 else x
    w = rng.uniform(0.1, 2, x.size) if seed % 4 else np.ones(x.size)
    zero, whole = bool(seed % 2), (3 if seed % 3 == 0 else None)
    clusters = int(rng.integers(1, 4))
    points = Points.of(x, w)
    found = centers(points, clusters, zero=zero, whole=whole)
    assert found.size <= clusters and (not zero or 0 in found)
    assert whole is None or np.array_equal(found, np.rint(found))
    assert inertia(points, found) == pytest.approx(least(x, w, clusters, zero, whole), abs=1e-9)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("ends", [(0, 90), (20, 60)])
def test_every_border_of_the_program_is_that_of_plain_loops(isa: str, ends: tuple[int, int]) -> None:
    """In windows that start and end with their border, and in those of all places."""
    rng = np.random.default_rng(3)
    n, borders = 90, 4
    x, w = np.sort(np.abs(rng.normal(size=n))), rng.uniform(0.5, 2, n)
    sums = np.concatenate((np.zeros((3, 1)), np.cumsum((w, w * x, w * x * x), axis=1)), axis=1)
    first, last = (np.full(borders, end) + (np.arange(borders) * 7 if end % n else 0) for end in ends)
    start = rng.uniform(0, 9, last[0] - first[0] + 1)
    found, starts = native.partitions(start, sums, sums, first, last, isa)

    def cost(j: int, i: int) -> float:
        return float((w[j:i] * np.square(x[j:i] - np.average(x[j:i], weights=w[j:i]))).sum()) if j < i else 0.0

    for k in range(1, borders):
        before = dict(enumerate(found[k - 1], first[k - 1]))
        for i in range(first[k], last[k] + 1):
            costs = {j: before[j] + cost(j, i) for j in before if j <= i}
            assert found[k][i - first[k]] == pytest.approx(min(costs.values()), rel=1e-9)
            assert costs[starts[k - 1][i - first[k]]] == pytest.approx(min(costs.values()), rel=1e-9)


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("shape", ["bell", "heaps", "tail"])
@pytest.mark.parametrize("clusters", [2, 5, 16])
def test_what_groups_leave_out_is_not_missed(
    shape: str, clusters: int, zero: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few groups that narrow down where borders can be, and the program over all points, find the same."""
    rng = np.random.default_rng(clusters)
    x = {
        "bell": rng.normal(size=2000),
        "heaps": rng.normal(rng.choice(9, 2000), 0.1),
        "tail": rng.standard_cauchy(2000),
    }
    points = Points.of(x[shape], rng.uniform(0.5, 2, 2000))
    whole = centers(points, clusters, zero=zero)
    monkeypatch.setattr(partition, "GROUPS", 128)
    np.testing.assert_allclose(centers(points, clusters, zero=zero), whole, rtol=1e-9)


@pytest.mark.parametrize("start", STARTS)
def test_no_start_ends_below_the_optimal_one(start: str) -> None:
    rng = np.random.default_rng(5)
    points = Points.of(rng.laplace(size=3000), rng.uniform(0, 1, 3000))
    for zero, whole in ((False, None), (True, None), (True, 6)):
        best = inertia(points, centers(points, 7, zero=zero, whole=whole))
        found = centers(points, 7, start, zero, whole, np.random.default_rng(1))
        again = centers(points, 7, start, zero, whole, np.random.default_rng(1))
        assert found.size <= 7 and np.array_equal(found, again)
        assert best <= inertia(points, found) * (1 + 1e-9)
        assert not zero or 0 in found


def test_a_price_on_bits_buys_entropy_with_noise() -> None:
    points = Points.of(np.random.default_rng(2).normal(size=20_000))
    start, before = centers(points, 16), (0.0, np.inf)
    for price in (0.0, 0.003, 0.02):
        found, bits = priced(points, start, price)
        noise, entropy = inertia(points, found), float(np.sum(bits * 2.0**-bits))
        assert noise >= before[0] and entropy < before[1]
        before = (noise, entropy)


@pytest.mark.parametrize("seed", [269, 542, 1094])
def test_a_center_that_has_become_dear_takes_no_other_with_it(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise and bits cost less from step to step, up to what rounding to whole numbers does."""
    x, price, costs = np.random.default_rng(seed).logistic(size=1000) * 11, 250.0, []
    points = Points.of(x)
    for steps in range(1, 12):
        monkeypatch.setattr(kmeans, "STEPS", steps)
        found, bits = priced(points, centers(points, 32), price, whole=127)
        costs.append(np.min(np.square(x[:, None] - found) + price * bits, axis=1).mean())
    assert all(after < before * 1.01 for before, after in pairwise(costs))


@pytest.mark.parametrize("bad", [[1.0, np.nan], [np.inf, 0.0]])
def test_values_that_are_not_finite_are_refused(bad: list[float]) -> None:
    with pytest.raises(pq.RangeError, match="found NaN"):
        Points.of(np.array(bad))
    model = network()
    weights(model)[0].tensor.data = np.full(weights(model)[0].tensor.shape, np.nan, np.float32)
    with pytest.raises(pq.RangeError, match="holds NaN or infinity"):
        pq.cluster(model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"centroids": "best"}, "centroids: found 'best'"),
        ({"grid": "int3"}, "grid: found 'int3'"),
        ({"clusters": 1}, "clusters: found 1"),
        ({"rate": -1.0}, "rate: found -1"),
        ({"seed": -1}, "seed: found -1"),
        ({"regex": "nothing"}, "no weight of the model is meant"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pq.cluster(network(), **options)


def test_each_weight_has_so_many_values_and_the_model_stays() -> None:
    model = network()
    before = [weight.tensor.data.copy() for weight in weights(model)]
    made = pq.cluster(model, 6)
    assert all(np.array_equal(weight.tensor.data, old) for weight, old in zip(weights(model), before, strict=True))
    assert [loss.distinct for loss in losses(model, made)] == [6] * len(before)
    opened = model.copy()  # it lists its buffers, as a file does
    held = [{*m.buffers, *(t.buffer for t in m.main.tensors)} - {None} for m in (opened, pq.cluster(opened, 6))]
    assert len({sum(b.data.size for b in found if b.data is not None) for found in held}) == 1  # nothing of before
    each = pq.cluster(model, 6, per_channel=True)
    for weight in weights(each):
        assert all(np.unique(row).size <= 6 for row in weight.tensor.data.reshape(len(weight.tensor.data), -1))
    total = [sum(loss.sqnr for loss in losses(model, m)) for m in (made, each)]
    assert total[1] > total[0]


def test_only_the_weights_that_are_meant_change() -> None:
    model = network()
    made = losses(model, pq.cluster(model, 4, regex="left|logits", least=600))
    assert [loss.name for loss in made if loss.distinct == 4] == ["dense/w"] or len(made) == 4
    assert [loss.sqnr < 100 for loss in made] == [
        bool(loss.name in ("left/w", "dense/w") and loss.elements >= 600) for loss in made
    ]


@pytest.mark.parametrize("grid", ["int8", "int8-per-tensor", None])
@pytest.mark.parametrize("with_data", [False, True])
@pytest.mark.parametrize("rate", [0.0, 0.02])
def test_zeros_stay(grid: str | None, with_data: bool, rate: float) -> None:
    model = pruned(network())
    made = pq.cluster(model, 8, grid=grid, data=FEEDS if with_data else None, rate=rate)
    for old, new in zip(weights(model), weights(made), strict=True):
        assert (new.tensor.data[old.tensor.data == 0] == 0).all()
        assert np.unique(coded(new.tensor)).size <= 8


SCHEMES = [
    ("int8", {"data": FEEDS}),
    ("int16x8", {"data": FEEDS}),
    ("dynamic", {"min_weight_elements": 0}),
    ("int8", {"data": FEEDS, "newer_axes": True}),
    ("int8", {"data": FEEDS, "per_channel": False}),
]


@pytest.mark.parametrize(("scheme", "options"), SCHEMES)
@pytest.mark.parametrize("grid", ["int8", "int8-per-tensor"])
@pytest.mark.parametrize("with_data", [False, True])
def test_quantizing_what_is_on_a_grid_changes_no_code(scheme: str, options: dict, grid: str, with_data: bool) -> None:
    if options.get("per_channel") is False:
        grid = "int8-per-tensor"
    clustered = pq.cluster(pruned(network()), 8, grid=grid, data=FEEDS if with_data else None)
    small = pq.quantize(clustered, scheme, **options)
    for old, new in zip(weights(clustered), weights(small), strict=True):
        np.testing.assert_array_equal(new.tensor.data, coded(old.tensor))
        assert (old.tensor.data == 0).sum() == (new.tensor.data == 0).sum() > 0


def test_scales_that_do_not_fit_the_values_are_not_taken() -> None:
    model = pq.cluster(network(), 8, grid="int8")
    for weight in weights(model):
        kept, q = weight.tensor.data.copy(), weight.tensor.quantization
        kept.flat[0] = 0.4 * float(q.scale[0])
        weight.tensor.data, weight.tensor.quantization = kept, q
    plain = model.copy()
    for weight in weights(plain):
        weight.tensor.quantization = None
    made = [pq.quantize(m, "dynamic", min_weight_elements=0) for m in (model, plain)]
    for a, b in zip(*map(weights, made), strict=True):
        np.testing.assert_array_equal(a.tensor.data, b.tensor.data)
        assert a.tensor.quantization == b.tensor.quantization


def test_quantized_weights_keep_their_scales() -> None:
    model = pq.quantize(pruned(network()), "int8", data=FEEDS)
    made = pq.cluster(model, 8)
    for old, new in zip(weights(model), weights(made), strict=True):
        assert old.tensor.quantization == new.tensor.quantization and new.tensor.dtype is old.tensor.dtype
        assert np.unique(new.tensor.data).size == 8
        assert (new.tensor.data[old.tensor.data == 0] == 0).all()
    with pytest.raises(pq.DataError, match="expected a float model"):
        pq.cluster(model, 8, data=FEEDS)


def test_data_make_the_outputs_closer() -> None:
    model = network()
    plan = pq.compile(model)
    expected = [plan(x)[1] for x in FEEDS]

    def noise(made: pq.Model) -> float:
        run = pq.compile(made)
        return float(sum(np.square(run(x)[1] - y).sum() for x, y in zip(FEEDS, expected, strict=True)))

    for grid in (None, "int8"):
        plain, fitted = (pq.cluster(model, 8, grid=grid, data=data) for data in (None, FEEDS))
        assert noise(fitted) < 0.7 * noise(plain)


def pruned(model: pq.Model) -> pq.Model:
    """With the smaller half of each weight 0."""
    for weight in weights(model):
        values = weight.tensor.data
        weight.tensor.data = np.where(np.abs(values) < np.median(np.abs(values)), 0, values)
    return model


@pytest.mark.parametrize("with_data", [False, True])
def test_float16_weights_behind_casts_are_pruned_and_clustered(with_data: bool) -> None:
    """They stay float16, and have so many values and zeros in the file."""
    model = pq.quantize(network(), "float16")
    data = FEEDS if with_data else None
    sparse = pq.prune(model, 0.5, data=data)
    made = pq.cluster(sparse, 8, data=data, rate=0.02)
    for old, new in zip(*(weights(m, casts=True) for m in (sparse, made)), strict=True):
        assert new.tensor.dtype is FLOAT16 and np.unique(new.tensor.data).size <= 8
        assert (old.tensor.data == 0).sum() >= old.tensor.size // 2
        assert (new.tensor.data[old.tensor.data == 0] == 0).all()
    assert all(loss.distinct <= 8 and loss.sqnr < 60 for loss in losses(model, made))
    assert np.isfinite(pq.compile(made)(FEEDS[0])[1]).all()
    with pytest.raises(OptionError, match="is in float16, expected float32"):
        pq.cluster(model, 8, grid="int8")


def test_a_rate_spares_the_weights_that_outputs_depend_on() -> None:
    """A weight whose noise the outputs do not see loses bits before one that they are made of."""
    rng = np.random.default_rng(0)
    b = Builder()
    x, parts = b.input("x", (1, 32)), []
    for name, scale in (("loud", 1.0), ("quiet", 0.03)):
        w = b.constant(f"{name}/w", scale * rng.normal(size=(32, 32)).astype(np.float32))
        parts.append(add(b, "FULLY_CONNECTED", [x, w, b.constant(f"{name}/b", np.zeros(32, np.float32))], name))
    model = b.model([add(b, "ADD", parts, "y")])
    made = pq.cluster(model, 16, data=rng.normal(size=(50, 1, 32)).astype(np.float32), rate=0.02)
    one, other = losses(model, made)
    assert one.entropy > other.entropy + 1


def test_settling_keeps_codes_and_brings_channels_back() -> None:
    """Channels have their means again, after the activation; what would bring outputs no nearer changes nothing."""
    model = network()
    made = pq.cluster(model, 4, grid="int8")
    codes = [coded(weight.tensor) for weight in weights(made)]
    feeds = [[x] for x in FEEDS]
    before = np.square(outcomes(made, feeds) - outcomes(model, feeds)).sum()
    settle(made, model, {weight.tensor for weight in weights(made)}, feeds)
    after = np.square(outcomes(made, feeds) - outcomes(model, feeds)).sum()
    assert after < 0.8 * before
    for weight, old in zip(weights(made), codes, strict=True):
        np.testing.assert_array_equal(coded(weight.tensor), old)
    again = model.copy()
    settle(again, model, {weight.tensor for weight in weights(again)}, feeds)
    assert np.abs(outcomes(again, feeds) - outcomes(model, feeds)).max() < 1e-6


def test_settling_leaves_weights_that_are_not_on_their_grid() -> None:
    """As pruning makes them of clustered ones: rounded to it, more of them would be 0."""
    model = network()
    made = pq.cluster(model, 4, grid="int8")
    tensors = {weight.tensor: real_values(weight.tensor) * np.float32(1.01) for weight in weights(made)}
    for tensor, values in tensors.items():
        tensor.data = values
    settle(made, model, tensors, [[x] for x in FEEDS])
    assert all(np.array_equal(tensor.data, values) for tensor, values in tensors.items())
    assert not np.array_equal(made.main.nodes[0].inputs[2].data, model.main.nodes[0].inputs[2].data)


def test_settling_is_the_same_with_no_room_for_values(monkeypatch: pytest.MonkeyPatch) -> None:
    model, made = network(), []
    for held in (1 << 20, 0):
        monkeypatch.setattr("pyquant.compress.settle.HELD", held)
        made.append(pq.cluster(model, 4, grid="int8"))
        settle(made[-1], model, {weight.tensor for weight in weights(made[-1])}, [[x] for x in FEEDS])
    assert pq.diff(*made).same


def test_probabilities_are_compared_by_their_roots() -> None:
    b = Builder()
    x = b.input("x", (1, 8))
    y = add(b, "SOFTMAX", [x], "y")
    model, feed = b.model([y]), np.arange(8, dtype=np.float32)[None]
    np.testing.assert_allclose(outcomes(model, [[feed]]) ** 2, pq.compile(model)(feed), rtol=1e-5)


def test_counts_stay_from_pruning_to_the_file() -> None:
    """Of zeros and of different values, of every weight, in every scheme."""
    made = pq.cluster(pq.prune(network(), 0.5), 8, grid="int8")
    for scheme, options in SCHEMES[:3]:
        small = pq.quantize(made, scheme, **options)
        assert runs_in_oracles(small, FEEDS[:1])
        for old, new in zip(weights(made), weights(small), strict=True):
            assert np.unique(new.tensor.data).size == np.unique(coded(old.tensor)).size <= 8
            assert (new.tensor.data == 0).sum() == (old.tensor.data == 0).sum() >= old.tensor.size // 2
