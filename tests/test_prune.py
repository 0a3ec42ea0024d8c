"""Pruned models: exact counts in every pattern and type, masks, schedules, and what samples make of them."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from networks import network, normal, samples
from test_models import cifar

import pyquant as pq
from pyquant.cli import main
from pyquant.compress import ConstantSparsity, PolynomialDecay, load_masks, masks, prune, save_masks, weights
from pyquant.compress.compensate import compensated
from pyquant.compress.patterns import least
from pyquant.dtypes import BFLOAT16, FLOAT16, UINT8
from pyquant.errors import DataError, FileExists, GraphError, OptionError
from pyquant.graph import Builder, Model, Quantization
from pyquant.graph.real import real_values
from pyquant.ops.build import add

PATTERNS = ("unstructured", "1x4", "1x16", "16x1", "3x5")


def zeros(model: Model, **which: Any) -> dict[str, int]:
    return {name: int(np.count_nonzero(~mask)) for name, mask in masks(model, **which).items()}


def dense(w: np.ndarray, bias: bool = True, likely: bool = False) -> Model:
    b = Builder()
    x = b.input("x", (1, w.shape[1]))
    constants = [b.constant("w", w)] + ([b.constant("b", normal(len(w)))] if bias else [])
    y = add(b, "FULLY_CONNECTED", [x, *constants], "y")
    return b.model([add(b, "SOFTMAX", [y], "likely", beta=1.0) if likely else y])


def weight(model: Model) -> np.ndarray:
    (found,) = weights(model)
    return real_values(found.tensor)


def separable() -> Model:
    """A depthwise convolution, then one of 1x1."""
    b = Builder()
    x = b.input("x", (1, 6, 6, 8))
    stride = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
    constants = [b.constant("depthwise/w", normal(1, 3, 3, 8)), b.constant("depthwise/b", normal(8))]
    inner = add(b, "DEPTHWISE_CONV_2D", [x, *constants], "inner", depth_multiplier=1, **stride)
    constants = [b.constant("w", normal(16, 1, 1, 8)), b.constant("b", normal(16))]
    return b.model([add(b, "CONV_2D", [inner, *constants], "y", **stride)])


def similar(count: int, size: int) -> list[np.ndarray]:
    """Samples whose elements go together, each with a mean."""
    rng = np.random.default_rng(3)
    mix = rng.normal(0, 1, (size, size // 2))
    rows = rng.normal(0, 1, (count, size // 2)) @ mix.T + rng.normal(0, 0.1, (count, size)) + 1
    return list(rows.astype(np.float32)[:, None])


@pytest.mark.parametrize("data", [False, True])
@pytest.mark.parametrize("sparsity", [0, 0.3, 0.5, 0.815, 1])
def test_exactly_the_share_goes(sparsity: float, data: bool) -> None:
    model = network()
    before = {w.tensor.name: real_values(w.tensor).copy() for w in weights(model)}
    made = prune(model, sparsity, data=samples(4) if data else None)
    assert zeros(made) == {name: round(sparsity * values.size) for name, values in before.items()}
    assert all(np.array_equal(real_values(w.tensor), before[w.tensor.name]) for w in weights(model))
    together = prune(model, sparsity, threshold="global", data=samples(4) if data else None)
    assert sum(zeros(together).values()) == round(sparsity * sum(values.size for values in before.values()))


def test_least_magnitudes_go_and_of_equal_ones_the_first() -> None:
    made = prune(dense(np.float32([[3, -1, 0.5, 2], [1, -1, 4, 5]])), 0.375)
    assert weight(made).tolist() == [[3, 0, 0, 2], [0, -1, 4, 5]]
    assert least(np.float32([2, 1, 2, 1, 2]), 3).tolist() == [True, True, False, True, False]


def test_weights_that_are_zero_count_and_stay() -> None:
    model = dense(normal(8, 16))
    once = prune(model, 0.5)
    for again in (prune(once, 0.5), prune(once, 0.25), prune(once, 0.5, data=similar(50, 16))):
        assert np.array_equal(masks(again)["w"], masks(once)["w"])
    more = prune(once, 0.75)
    assert zeros(more) == {"w": 96} and not np.any(masks(more)["w"] & ~masks(once)["w"])


@pytest.mark.parametrize("data", [False, True])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_whole_blocks_go(pattern: str, data: bool) -> None:
    """Blocks do not divide (20, 3, 3, 7): those at the ends are smaller."""
    b = Builder()
    x = b.input("x", (1, 6, 6, 7))
    constants = [b.constant("w", normal(20, 3, 3, 7)), b.constant("b", normal(20))]
    model = b.model([add(b, "CONV_2D", [x, *constants], "y", padding="SAME", stride_h=1, stride_w=1)])
    feeds = [normal(1, 6, 6, 7) for _ in range(3)]
    stays = masks(prune(model, 0.4, pattern, data=feeds if data else None))["w"].reshape(20, 9, 7)
    rows, columns = map(int, ["1", "1"] if pattern == "unstructured" else pattern.split("x"))
    blocks = [stays[i : i + rows, place, j : j + columns]
              for i in range(0, 20, rows) for place in range(9) for j in range(0, 7, columns)]  # fmt: skip
    assert all(block.all() or not block.any() for block in blocks)
    assert sum(not block.any() for block in blocks) == round(0.4 * len(blocks))


def test_blocks_are_judged_by_the_greatest_or_by_the_mean() -> None:
    model = dense(np.float32([[0, 0, 0, 4, 2, 2, 2, 2]]))
    assert weight(prune(model, 0.5, "1x4")).tolist() == [[0, 0, 0, 4, 0, 0, 0, 0]]
    assert weight(prune(model, 0.5, "1x4", pooling="mean")).tolist() == [[0, 0, 0, 0, 2, 2, 2, 2]]


@pytest.mark.parametrize("data", [False, True])
@pytest.mark.parametrize(("most", "of"), [(2, 4), (1, 3), (4, 8)])
def test_so_many_of_each_stay(most: int, of: int, data: bool) -> None:
    model = dense(normal(9, 22))  # 22 is no multiple
    made = prune(model, pattern=f"{most}:{of}", data=similar(60, 22) if data else None)
    stays = np.pad(masks(made)["w"], [(0, 0), (0, -22 % of)]).reshape(9, -1, of).sum(axis=2)
    assert np.all(stays[:, :-1] == most) and np.all(stays[:, -1] == min(most, 22 % of or of))
    if not data:
        kept, before = weight(made).reshape(-1)[:of], weight(model).reshape(-1)[:of]
        assert set(np.flatnonzero(kept)) == set(np.argsort(-np.abs(before))[:most])


@pytest.mark.parametrize("scheme", ["float16", "bfloat16", "dynamic", "int8", "int16x8", "dynamic_wi4_afp32"])
def test_quantizing_keeps_zeros(scheme: str) -> None:
    """Every zero is the zero point's code, so that files stay as sparse."""
    made = prune(network(), 0.6, data=samples(4))
    small = pq.quantize(made, scheme, data=None if "dynamic" in scheme or "float" in scheme else samples(4))
    found = {t.name.removesuffix(f"_{scheme}"): t for t in small.main.tensors if t.is_constant}
    for name, mask in masks(made).items():
        assert np.all(real_values(found[name])[~mask] == 0), name


@pytest.mark.parametrize("scheme", ["dynamic", "int8", "int16x8"])
def test_integers_are_pruned_as_they_are(scheme: str) -> None:
    small = pq.quantize(network(), scheme, data=None if scheme == "dynamic" else samples(4))
    made = prune(small, 0.7)
    for old, new in zip(weights(small), weights(made), strict=True):
        assert new.tensor.quantization == old.tensor.quantization
        gone, before = ~masks(made)[new.tensor.name], masks(small)[old.tensor.name]
        assert np.count_nonzero(gone) == max(round(0.7 * gone.size), np.count_nonzero(~before))
        assert np.array_equal(new.tensor.data[~gone], old.tensor.data[~gone])


def test_zero_is_the_code_of_the_zero_point() -> None:
    model = dense(normal(4, 6))
    (found,) = weights(model)
    found.tensor.dtype, found.tensor.quantization = UINT8, Quantization.of(0.5, 128)
    found.tensor.data = np.arange(115, 139, dtype=np.uint8).reshape(4, 6)
    (made,) = weights(prune(model, 0.5))
    expected = [128 if 122 <= code <= 133 else code for code in range(115, 139)]  # 134 is as far as 122
    assert made.tensor.data.reshape(-1).tolist() == expected


@pytest.mark.parametrize("kind", [FLOAT16, BFLOAT16])
def test_shorter_floats(kind: Any) -> None:
    model = dense(normal(8, 16))
    (found,) = weights(model)
    values = found.tensor.data
    found.tensor.dtype = kind
    found.tensor.data = (values.view(np.uint32) >> 16).astype(np.uint16) if kind is BFLOAT16 else values
    assert zeros(prune(model, 0.5)) == {"w": 64}


def test_depthwise_convolutions_are_left_alone_unless_they_are_asked_for() -> None:
    model = separable()
    assert zeros(prune(model, 0.5)) == {"depthwise/w": 0, "w": 64}
    assert zeros(prune(model, 0.5, operation="DEPTHWISE_CONV_2D"))["depthwise/w"] == 36
    with pytest.raises(OptionError, match="depthwise"):
        prune(model, 0.5, regex="inner")


def test_samples_lower_the_error() -> None:
    """Least squares: below magnitudes, and below the best that the same mask can do without other values."""
    model, feeds = dense(normal(24, 32)), similar(200, 32)
    test = similar(260, 32)[200:]

    def error(made: Model) -> float:
        plan, wanted = pq.compile(made), pq.compile(model)
        return float(np.mean([np.square(plan(x) - wanted(x)) for x in test]))

    plain, mask = error(prune(model, 0.5)), masks(prune(model, 0.5))
    assert error(prune(model, 0.5, data=feeds)) < error(prune(model, masks=mask, data=feeds)) < plain / 3


def test_few_samples_do_not_tell_what_others_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs that are rarely more than 0, and in these samples hardly: damped as suits the half that judges."""
    rng = np.random.default_rng(7)
    rows = np.maximum(rng.normal(0, 1, (1000, 96)) @ rng.normal(0, 0.3, (96, 96)) - 4, 0).astype(np.float32)
    model = dense(normal(24, 96))

    def error(made: Model) -> float:
        plan, wanted = pq.compile(made), pq.compile(model)
        return float(np.mean([np.square(plan(x[None]) - wanted(x[None])) for x in rows[60:]]))

    suited = error(prune(model, 0.5, data=rows[:60, None]))
    monkeypatch.setattr("pyquant.compress.layers.DAMPINGS", (0.01,))
    assert suited < 0.7 * error(prune(model, 0.5, data=rows[:60, None]))


def test_means_of_outputs_stay_where_there_are_biases() -> None:
    feeds = similar(100, 32)
    for bias in (True, False):
        model = dense(normal(24, 32), bias)
        made = prune(model, 0.6, data=feeds)
        plan, wanted = pq.compile(made), pq.compile(model)
        shift = np.mean([plan(x) - wanted(x) for x in feeds], axis=0)
        noise = np.std([plan(x) - wanted(x) for x in feeds], axis=0)
        assert not bias or np.abs(shift).max() < 0.1 * noise.max()
        assert np.abs(shift).max() < 3 * noise.max()


def test_means_behind_activations_stay() -> None:
    """Of a layer's own outputs, and of the next one's, which meets what is left of the first."""
    b, feeds = Builder(), similar(100, 32)
    x, rng = b.input("x", (1, 32)), np.random.default_rng(4)
    for name, shape in (("first", (48, 32)), ("second", (24, 48))):
        w = rng.normal(0, 0.3, shape).astype(np.float32)
        constants = [b.constant(f"{name}/w", w), b.constant(f"{name}/b", rng.normal(0, 1, shape[0]).astype(np.float32))]
        x = add(b, "FULLY_CONNECTED", [x, *constants], name, fused_activation_function="RELU")
    model = b.model([x])
    made = prune(model, 0.6, data=feeds)
    assert zeros(made) == {"first/w": round(0.6 * 48 * 32), "second/w": round(0.6 * 24 * 48)}
    for layer in range(2):
        values = [
            np.concatenate([plan.run(feed)[t] for feed in feeds])
            for t, plan in ((t, pq.compile(m, keep=[t])) for m in (model, made) for t in m.main.nodes[layer].outputs)
        ]
        shift, noise = values[1].mean(axis=0) - values[0].mean(axis=0), (values[1] - values[0]).std()
        assert noise > 0.1 and np.abs(shift).max() < 0.01 * noise


def test_a_bias_that_others_read_stays() -> None:
    b = Builder()
    x, w, bias = b.input("x", (1, 16)), b.constant("w", normal(8, 16)), b.constant("b", normal(8))
    y = add(b, "FULLY_CONNECTED", [x, w, bias], "y")
    model = b.model([y, add(b, "FULLY_CONNECTED", [x, w, bias], "z"), add(b, "ADD", [bias, y], "sum")])
    made = prune(model, 0.5, data=similar(40, 16))
    found = {t.name: t for t in made.main.tensors}
    assert np.array_equal(found["b"].data, bias.data) and zeros(made) == {"w": 64}


def test_less_goes_where_it_costs_more() -> None:
    """Of two layers with equal weights, the one whose inputs are loud keeps more."""
    b = Builder()
    x = b.input("x", (1, 32))
    parts = []
    for name, gain in (("loud", 10.0), ("quiet", 0.1)):
        scaled = add(b, "MUL", [x, b.constant(f"{name}/gain", np.float32([gain]))], f"{name}/x")
        constants = [b.constant(f"{name}/w", normal(16, 32)), b.constant(f"{name}/b", normal(16))]
        parts.append(add(b, "FULLY_CONNECTED", [scaled, *constants], name))
    model = b.model([add(b, "ADD", parts, "y")])
    counts = zeros(prune(model, 0.5, data=similar(80, 32), threshold="global"))
    assert sum(counts.values()) == 512 and counts["quiet/w"] > 450


def test_no_weight_goes_whole_that_holds_a_few_great_elements() -> None:
    """Costs are tried to near the end of a weight, where what most of it costs says little."""
    b = Builder()
    x, rng, parts = b.input("x", (1, 32)), np.random.default_rng(1), []
    for name, gain in (("loud", 10.0), ("quiet", 1.0)):
        w = rng.normal(0, 0.1, (16, 32)).astype(np.float32)
        w[:, 0] = 3 if name == "quiet" else w[:, 0]
        scaled = add(b, "MUL", [x, b.constant(f"{name}/gain", np.float32([gain]))], f"{name}/x")
        constants = [b.constant(f"{name}/w", w), b.constant(f"{name}/b", normal(16))]
        parts.append(add(b, "FULLY_CONNECTED", [scaled, *constants], name))
    counts = zeros(prune(b.model([add(b, "ADD", parts, "y")]), 0.8, data=similar(80, 32), threshold="global"))
    assert counts["quiet/w"] <= 31 * 16


def test_gains_of_outputs_change_nothing_in_what_goes() -> None:
    """What reads an output may take its gain back: errors count as shares of each output's own power."""
    w, feeds = normal(24, 32), similar(80, 32)
    gains = np.exp2(np.arange(-2, 4, dtype=np.float32)).repeat(4)[:, None]
    even, uneven = (prune(dense(rows), 0.5, data=feeds) for rows in (w, w * gains))
    np.testing.assert_array_equal(masks(even)["w"], masks(uneven)["w"])


def test_logits_are_kept_where_they_are_great() -> None:
    """There inputs of at least 0 go with signs of weights; others tell nothing."""
    w, rng = normal(24, 32), np.random.default_rng(2)
    for low, least_more, most_more in ((0.0, 1.2, 2.0), (-np.inf, 0.9, 1.1)):
        feeds = np.maximum(rng.normal(0, 1, (200, 1, 32)), low).astype(np.float32)
        made = [prune(dense(w, likely=likely), 0.7, data=feeds) for likely in (False, True)]
        plain, logits = (np.count_nonzero(weight(of) > 0) for of in made)
        assert least_more < logits / plain < most_more


def test_int8_models_are_corrected_by_samples() -> None:
    feeds = similar(200, 32)
    model = dense(normal(24, 32))
    small = pq.quantize(model, "int8", data=feeds)

    def error(made: Model) -> float:
        plan, wanted = pq.compile(made), pq.compile(small)
        return float(np.mean([np.square(plan(x) - wanted(x)) for x in feeds]))

    assert error(prune(small, 0.5, data=feeds)) < 0.1 * error(prune(small, 0.5))
    whole = pq.quantize(model, "int8", data=feeds, input_type="int8", output_type="int8")
    assert zeros(prune(whole, 0.5, data=feeds, threshold="global"))["w"] >= 384


def test_alternating_directions_beat_one_choice_by_magnitude() -> None:
    """As much as the choice of least magnitude, in units of its input, could at best: solved for, too."""
    rng = np.random.default_rng(5)
    x = rng.normal(0, 1, (400, 24)) @ rng.normal(0, 1, (24, 24))
    matrix, rows = (x.T @ x / 400)[None], rng.normal(0, 1, (1, 12, 24))

    def error(found: np.ndarray) -> float:
        return float(np.sum(((found - rows) @ matrix) * (found - rows)))

    chosen = compensated(rows, matrix, lambda scores, share: least(scores, round(share * 144)))
    magnitudes = least(np.abs(rows) * np.sqrt(np.diagonal(matrix[0])), 144)
    assert np.count_nonzero(chosen == 0) == 144
    corrected, exact = compensated(rows, matrix, lambda scores, share: magnitudes), np.zeros_like(rows)
    for row, wanted, gone in zip(exact[0], rows[0], magnitudes[0], strict=True):
        row[~gone] = np.linalg.solve(matrix[0][np.ix_(~gone, ~gone)], (matrix[0] @ wanted)[~gone])
    assert error(exact) <= error(corrected) < 1.02 * error(exact)
    assert error(chosen) < 0.8 * error(exact)


def test_masks_are_kept_in_a_file_and_prune_alike(tmp_path: Path) -> None:
    model = network()
    found = masks(prune(model, 0.5))
    save_masks(tmp_path / "masks.npz", found)
    read = load_masks(tmp_path / "masks.npz")
    assert list(read) == list(found) and all(np.array_equal(read[name], found[name]) for name in found)
    for data in (None, samples(3)):
        assert zeros(prune(model, masks=read, data=data)) == zeros(prune(model, 0.5))
    part = {"dense/w": found["dense/w"]}
    assert {name for name, count in zeros(prune(model, masks=part)).items() if count} == {"dense/w"}
    with pytest.raises(FileExists):
        save_masks(tmp_path / "masks.npz", found)
    (tmp_path / "other.npz").write_bytes(b"no")
    with pytest.raises(DataError, match="no masks"):
        load_masks(tmp_path / "other.npz")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs one"),
        ({"sparsity": 1.5}, "found 1.5"),
        ({"sparsity": 0.5, "pattern": "0x4"}, "found '0x4'"),
        ({"pattern": "4:4"}, "N below M"),
        ({"sparsity": 0.3, "pattern": "2:4"}, "makes it 0.5"),
        ({"sparsity": 0.5, "threshold": "layer"}, "one of operator, global"),
        ({"sparsity": 0.5, "pooling": "median"}, "one of max, mean"),
        ({"sparsity": 0.5, "masks": {}}, "beside masks"),
        ({"masks": {"v": np.ones((4, 6), bool)}}, "'v' is no weight"),
        ({"masks": {"w": np.ones((4, 5), bool)}}, r"expected bool \(4, 6\), found bool \(4, 5\)"),
        ({"masks": {"w": np.ones((4, 6))}}, "found float64"),
        ({"sparsity": 0.5, "regex": "none"}, "no weight"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        prune(dense(normal(4, 6)), **options)


@pytest.mark.parametrize(("verb", "how"), [("prune", 0.5), ("prune_channels", 0.5), ("cluster", 16)])
def test_samples_by_which_weights_meet_no_numbers_are_refused(verb: str, how: float) -> None:
    """One such element would reach every bias."""
    b, data = Builder(), normal(8, 1, 6)
    data[5, 0, 3] = np.nan
    layers = [(b.constant(f"w{i}", normal(6, 6)), b.constant(f"b{i}", normal(6))) for i in range(2)]
    between = add(b, "FULLY_CONNECTED", [b.input("x", (1, 6)), *layers[0]], "between")
    model = b.model([add(b, "FULLY_CONNECTED", [between, *layers[1]], "y")])
    with pytest.raises(DataError, match=r"samples make NaN or infinity of '(x|between)', which FULLY_CONNECTED"):
        getattr(pq, verb)(model, how, data=data)


def test_masks_need_a_name_for_each() -> None:
    model = network()
    for found in weights(model)[:2]:
        found.tensor.name = "w"
    with pytest.raises(GraphError, match="2 weights are named 'w'"):
        masks(model)
    prune(model, 0.5)


def test_schedules() -> None:
    constant = ConstantSparsity(0.6, begin_step=200, end_step=400)
    assert [step for step in range(0, 1000, 50) if constant(step)[0]] == [200, 300, 400]
    assert {constant(step)[1] for step in range(0, 1000, 50)} == {0.6}
    assert ConstantSparsity(0.6, begin_step=200)(100_000) == (True, 0.6)
    decay = PolynomialDecay(0.2, 0.8, begin_step=100, end_step=1100, power=2, frequency=250)
    assert [step for step in range(0, 2000, 10) if decay(step)[0]] == [100, 350, 600, 850, 1100]
    for step in range(0, 2000, 10):
        progress = min(max((step - 100) / 1000, 0), 1)
        assert decay(step)[1] == pytest.approx((0.2 - 0.8) * (1 - progress) ** 2 + 0.8)
    for make in (
        lambda: ConstantSparsity(1.0, 0),
        lambda: ConstantSparsity(0.5, -1),
        lambda: ConstantSparsity(0.5, 10, 5),
        lambda: PolynomialDecay(0, 0.5, 10, 10),
        lambda: PolynomialDecay(0, 0.5, 0, 10, frequency=0),
        lambda: PolynomialDecay(-0.1, 0.5, 0, 10),
    ):
        with pytest.raises(OptionError):
            make()


def test_the_command(tmp_path: Path) -> None:
    network().save(tmp_path / "model.tflite")
    np.savez(tmp_path / "data.npz", x=np.concatenate(samples(4)))
    start = ["prune", str(tmp_path / "model.tflite"), "-o", str(tmp_path / "out.tflite")]
    options = ["--sparsity", "0.5", "--data", str(tmp_path / "data.npz"), "--save-masks", str(tmp_path / "masks.npz")]
    result = CliRunner().invoke(main, [*start, *options, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert all(row["zeros"] == round(row["elements"] / 2) and row["zeros_before"] == 0 for row in found["weights"])
    assert found["bytes"] == (tmp_path / "out.tflite").stat().st_size <= found["bytes_before"] + 64
    assert found["gzip"] < found["gzip_before"]
    refused = CliRunner().invoke(main, [*start, "--sparsity", "0.5"])
    assert refused.exit_code == 1 and "--force overwrites" in refused.stderr
    again = CliRunner().invoke(main, [*start, "--masks", str(tmp_path / "masks.npz"), "--force"])
    assert again.exit_code == 0 and "stem/w" in again.stdout and "50.0 %" in again.stdout
    assert zeros(pq.open(tmp_path / "out.tflite")) == {row["weight"]: row["zeros"] for row in found["weights"]}


def test_a_trained_model_still_knows_its_classes(data_folder: Path) -> None:
    """ResNet of CIFAR-10 at 50 %, without training: 200 of its test images."""
    model = pq.open(data_folder / "models" / "mlperf_tiny" / "pretrainedResnet.tflite")
    images = [image[None] for image in islice(cifar(data_folder), 300)]
    plan = pq.compile(model)
    agree = {}
    for name, options in {"plain": {}, "samples": {"data": images[:60], "threshold": "global"}}.items():
        made = pq.compile(prune(model, 0.5, **options))
        agree[name] = np.mean([made(x).argmax() == plan(x).argmax() for x in images[100:]])
    assert agree["samples"] > 0.85 > 0.5 > agree["plain"]
