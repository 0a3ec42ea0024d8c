"""Channels go out of all that has them: what is left computes what the model does that takes them for 0."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from networks import network, normal, samples

import pyquant as pq
from pyquant.calibrate.data import random_samples
from pyquant.cli import main
from pyquant.compress.channels import cut, excess
from pyquant.compress.positions import Positions
from pyquant.errors import OptionError
from pyquant.graph import Builder, Model, Tensor
from pyquant.ops.build import Made, add, add_all
from pyquant.validate import RUNTIMES, Oracle

CONV = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
POOL = {"filter_height": 2, "filter_width": 2, "stride_h": 2, "stride_w": 2, "padding": "VALID"}
SHARES = (0.1, 0.25, 0.5)


def convolved(b: Builder, x: Tensor, name: str, channels: int = 8, taps: int = 1, groups: int = 1) -> Tensor:
    w = b.constant(f"{name}/w", normal(channels, taps, taps, x.shape[3] // groups))
    return add(b, "CONV_2D", [x, w, b.constant(f"{name}/b", normal(channels))], name, **CONV)


def depthwise(b: Builder, x: Tensor, times: int = 1) -> Tensor:
    channels = x.shape[3] * times
    w, bias = b.constant("d/w", normal(1, 3, 3, channels)), b.constant("d/b", normal(channels))
    return add(b, "DEPTHWISE_CONV_2D", [x, w, bias], "d", **CONV, depth_multiplier=times)


def dense(b: Builder, x: Tensor, name: str, units: int) -> Tensor:
    depth = int(np.prod(x.shape)) // x.shape[0]
    return add(b, "FULLY_CONNECTED", [x, b.constant(f"{name}/w", normal(units, depth))], name)


def ints(b: Builder, name: str, *numbers: object) -> Tensor:
    return b.constant(name, np.array(numbers, np.int32))


def normed(b: Builder, x: Tensor) -> Tensor:
    scaled = add(b, "MUL", [x, b.constant("gamma", normal(x.shape[3]))], "scaled")
    sloped = add(b, "PRELU", [scaled, b.constant("slope", normal(1, 1, x.shape[3]))], "sloped")
    return add(b, "ADD", [sloped, b.constant("half", np.float32([0.5]))], "shifted")


def squeezed_and_excited(b: Builder, x: Tensor) -> Tensor:
    mean = add(b, "MEAN", [x, ints(b, "axes", 1, 2)], "mean", keep_dims=True)
    gate = add(b, "LOGISTIC", [convolved(b, convolved(b, mean, "fewer", 4), "more", 8)], "gate")
    return add(b, "MUL", [x, gate], "gated")


def concatenated(b: Builder, x: Tensor) -> Tensor:
    return add(b, "CONCATENATION", [x, convolved(b, x, "c", 6), x], "both", axis=-1)


def partly(b: Builder, x: Tensor) -> Tensor:
    """Channels that come from the model's input stay."""
    return add(b, "CONCATENATION", [b.input("z", x.shape), x], "both", axis=3)


def split(b: Builder, x: Tensor) -> Tensor:
    one, two = add_all(b, "SPLIT", [b.constant("axis", np.int32(3)), x], [Made("one"), Made("two")], num_splits=2)
    return add(b, "MUL", [one, add(b, "LOGISTIC", [two], "gate")], "gated")


def split_by_sizes(b: Builder, x: Tensor) -> Tensor:
    inputs = [x, ints(b, "sizes", 3, -1), b.constant("axis", np.int32(3))]
    one, two = add_all(b, "SPLIT_V", inputs, [Made("one"), Made("two")], num_splits=2)
    return add(b, "CONCATENATION", [two, one], "swapped", axis=3)


def sliced(b: Builder, x: Tensor) -> Tensor:
    one = add(b, "SLICE", [x, ints(b, "begin", 0, 0, 0, 2), ints(b, "size", -1, 8, 8, 5)], "one")
    bounds = (ints(b, "from", 0, 0, 0, 1), ints(b, "to", 0, 0, 0, -1), ints(b, "steps", 1, 1, 1, 1))
    two = add(b, "STRIDED_SLICE", [x, *bounds], "two", begin_mask=7, end_mask=7)
    return add(b, "CONCATENATION", [one, two], "slices", axis=3)


def gathered(b: Builder, x: Tensor) -> Tensor:
    return add(b, "GATHER", [x, ints(b, "which", 7, 0, 3, 3, 1)], "picked", axis=3)


def padded(b: Builder, x: Tensor) -> Tensor:
    return add(b, "PAD", [x, ints(b, "pads", [0, 0], [1, 1], [1, 1], [2, 0])], "padded")


def pooled(b: Builder, x: Tensor) -> Tensor:
    small = add(b, "AVERAGE_POOL_2D", [add(b, "MAX_POOL_2D", [x], "most", **POOL)], "mean", **POOL)
    large = add(b, "RESIZE_BILINEAR", [small, ints(b, "hw", 5, 5)], "large")
    return add(b, "RESIZE_NEAREST_NEIGHBOR", [large, ints(b, "hw2", 8, 8)], "larger")


def turned(b: Builder, x: Tensor) -> Tensor:
    first = add(b, "TRANSPOSE", [x, ints(b, "order", 0, 3, 1, 2)], "first")
    rows = add(b, "RESHAPE", [first, ints(b, "rows", 1, x.shape[3], -1)], "rows")
    again = add(b, "RESHAPE", [rows, ints(b, "image", 1, -1, 8, 8)], "again", new_shape=[1, -1, 8, 8])
    return add(b, "TRANSPOSE", [again, ints(b, "back", 0, 2, 3, 1)], "last")


def squeezed(b: Builder, x: Tensor) -> Tensor:
    mean = add(b, "MEAN", [x, ints(b, "axes", 1, 2)], "mean", keep_dims=True)
    flat = add(b, "SQUEEZE", [mean], "flat")
    return add(b, "EXPAND_DIMS", [add(b, "RESHAPE", [flat, ints(b, "to", 1, 1, -1)], "row"), ints(b, "at", 1)], "again")


def multiplied(b: Builder, x: Tensor) -> Tensor:
    """Attention over places, of queries and keys that have 4 channels in each of 2 heads."""
    places = [add(b, "RESHAPE", [convolved(b, x, n), ints(b, f"{n}/to", 64, 2, 4)], f"{n}/heads") for n in "qkv"]
    q, k, v = (add(b, "TRANSPOSE", [t, ints(b, f"{t.name}/order", 1, 0, 2)], f"{t.name}/turned") for t in places)
    scores = add(b, "SOFTMAX", [add(b, "BATCH_MATMUL", [q, k], "scores", adj_y=True)], "shares", beta=1.0)
    mixed = add(b, "TRANSPOSE", [add(b, "BATCH_MATMUL", [scores, v], "mixed"), ints(b, "order", 1, 0, 2)], "places")
    return add(b, "RESHAPE", [mixed, ints(b, "image", 1, 8, 8, 8)], "image")


def summed(b: Builder, x: Tensor) -> Tensor:
    """Over the channels, of which all places that are kept depend."""
    total = add(b, "SUM", [x, ints(b, "axes", 3)], "total", keep_dims=True)
    return add(b, "MUL", [x, add(b, "LOGISTIC", [total], "gate")], "gated")


def enlarged(b: Builder, x: Tensor) -> Tensor:
    w = b.constant("t/w", normal(6, 2, 2, x.shape[3]))
    size = ints(b, "t/size", 1, 16, 16, 6)
    return add(b, "TRANSPOSE_CONV", [size, w, x], "t", padding="SAME", stride_h=2, stride_w=2)


def unknown(b: Builder, x: Tensor) -> Tensor:
    y = b.tensor("odd", x.shape)
    b.node("CUSTOM", [x], [y], custom_code="Odd")
    return y


# What lies between two convolutions -> of how many groups channels can go.
BETWEEN: dict[str, tuple[Callable[[Builder, Tensor], Tensor], int]] = {
    "nothing": (lambda b, x: x, 1),
    "depthwise": (depthwise, 1),
    "multiplier": (lambda b, x: depthwise(b, x, 3), 1),
    "norm": (normed, 1),
    "residual": (lambda b, x: add(b, "ADD", [x, convolved(b, convolved(b, x, "c"), "d")], "sum"), 2),
    "gate": (squeezed_and_excited, 2),
    "concatenation": (concatenated, 2),
    "partly": (partly, 1),
    "split": (split, 1),
    "sizes": (split_by_sizes, 2),
    "slices": (sliced, 3),
    "gather": (gathered, 2),
    "pad": (padded, 1),
    "pools": (pooled, 1),
    "turned": (turned, 1),
    "squeeze": (squeezed, 1),
    "groups": (lambda b, x: convolved(b, x, "g", 12, groups=2), 2),
    "groups of one": (lambda b, x: convolved(b, x, "g", 16, groups=8), 1),
    "sum": (summed, 1),
    "heads": (multiplied, 3),
    "transposed convolution": (enlarged, 2),
    "softmax": (lambda b, x: add(b, "SOFTMAX", [x], "shares", beta=1.0), 0),
    "unknown": (unknown, 0),
    "shuffle": (lambda b, x: add(b, "DEPTH_TO_SPACE", [x], "shuffled", block_size=2), 0),
}


def between(name: str) -> tuple[Model, int]:
    b = Builder()
    make, count = BETWEEN[name]
    middle = make(b, convolved(b, b.input("x", (1, 8, 8, 3)), "first"))
    return b.model([convolved(b, middle, "last", 5, taps=3)]), count


@pytest.mark.parametrize("name", BETWEEN)
def test_what_can_go(name: str) -> None:
    model, count = between(name)
    groups = pq.channel_groups(model)
    print(*groups, sep="\n")
    assert sum(group.reason is None for group in groups) == count


def without(model: Model, rng: np.random.Generator) -> tuple[Model, Model]:
    """A model without some channels of each group, and one of the same shapes in which constants are 0 there."""
    positions = Positions(model)
    gone = np.zeros(positions.count, bool)
    for group in pq.channel_groups(model):
        if group.reason is None:
            gone[rng.choice(group.channels, group.count // 2, replace=False)] = True
    less, zeroed = model.copy(), model.copy()
    cut(less, Positions(less), gone)
    for tensor in zeroed.main.tensors:
        if tensor.is_constant and tensor.dtype.is_float:
            value = tensor.data.copy()
            for axis, kept in enumerate(Positions(zeroed).kept(tensor, gone)):
                np.moveaxis(value, axis, 0)[~kept] = 0
            tensor.data = value
    return less, zeroed


@pytest.mark.parametrize("name", [name for name in BETWEEN if BETWEEN[name][1]])
def test_what_is_left_computes_what_it_computed(name: str) -> None:
    model, _ = between(name)
    less, zeroed = without(model, np.random.default_rng(1))
    assert sum(t.size for t in less.main.tensors) < sum(t.size for t in model.main.tensors)
    feeds = [list(sample) for sample in random_samples(model, 2)]
    for arrays in feeds:
        np.testing.assert_allclose(pq.compile(less)(*arrays), pq.compile(zeroed)(*arrays), rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def oracles() -> Iterator[list[Oracle]]:
    found = []
    for runtime in RUNTIMES:
        try:
            found.append(Oracle(runtime))
        except pq.OracleError as missing:
            pytest.skip(str(missing))
    yield found
    for oracle in found:
        oracle.close()


@pytest.mark.parametrize("data", [False, True])
@pytest.mark.parametrize("name", [name for name in BETWEEN if BETWEEN[name][1]])
def test_files_run_everywhere_alike(name: str, data: bool, tmp_path: Path, oracles: list[Oracle]) -> None:
    model, _ = between(name)
    feeds = [list(sample) for sample in random_samples(model, 2)]
    pq.prune_channels(model, 0.5, data=feeds if data else None).save(tmp_path / "less.tflite")
    less = pq.open(tmp_path / "less.tflite")
    assert sum(t.size for t in less.main.tensors) < sum(t.size for t in model.main.tensors)
    y = pq.compile(less)(*feeds[-1])
    assert np.isfinite(y).all()
    for oracle in oracles:
        oracle.load(less)
        (found,) = oracle.run(feeds[-1]).values()
        np.testing.assert_allclose(found, y, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("count", "share", "multiple", "gone"),
    [
        (16, 0.25, 1, 4),
        (16, 0.1, 1, 2),
        (1, 0.9, 1, 0),
        (3, 0.99, 1, 2),
        (16, 0.25, 8, 0),
        (64, 0.3, 8, 16),
        (12, 0.5, 8, 4),
    ],
)
def test_how_many_go(count: int, share: float, multiple: int, gone: int) -> None:
    assert excess(count, share, multiple) == gone


def weight(model: Model, name: str) -> np.ndarray:
    (tensor,) = (t for t in model.main.tensors if t.name == name)
    assert tensor.data is not None
    return tensor.data


def test_channels_that_the_least_weights_read_go() -> None:
    model, _ = between("nothing")
    value = weight(model, "last/w").copy()
    value[..., [1, 4, 6]] *= 0.01
    next(t for t in model.main.tensors if t.name == "last/w").data = value
    less = pq.prune_channels(model, 3 / 8)
    left = [0, 2, 3, 5, 7]
    np.testing.assert_array_equal(weight(less, "last/w"), value[..., left])
    np.testing.assert_array_equal(weight(less, "first/w"), weight(model, "first/w")[left])


def test_what_others_tell_is_made_up_for() -> None:
    """Of channels that are sums of others nothing is lost, biases and all."""
    b = Builder()
    model = b.model([convolved(b, convolved(b, b.input("x", (1, 8, 8, 3)), "first"), "last")])  # 8 channels out of 3
    feeds = [[x + 1] for x in samples(8)]
    models = (model, pq.prune_channels(model, 0.5, data=feeds), pq.prune_channels(model, 0.5))
    expected, made_up, plain = (pq.compile(m)(*feeds[0]) for m in models)
    assert np.abs(made_up - expected).max() < 0.05 * np.abs(plain - expected).max()


def test_means_stay() -> None:
    b = Builder()
    made = add(b, "RELU", [convolved(b, b.input("x", (1, 8, 8, 3)), "first", 16)], "relu")
    model = b.model([add(b, "CONV_2D", [made, b.constant("w", normal(4, 1, 1, 16))], "last", **CONV)])  # without bias
    feeds = [[x + 1] for x in samples(16)]
    less = pq.prune_channels(model, 0.75, data=feeds)
    expected, found = (np.mean([pq.compile(m)(*f) for f in feeds], axis=(0, 1, 2, 3)) for m in (model, less))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_biases_that_were_not_there_go_with_their_channels() -> None:
    b = Builder()
    x = b.input("x", (1, 8, 8, 3))
    for name, channels in (("one", 8), ("two", 8), ("three", 4)):
        x = add(b, "CONV_2D", [x, b.constant(f"{name}/w", normal(channels, 3, 3, x.shape[3]))], name, **CONV)
    model = b.model([add(b, "RELU", [x], "y")])
    less = pq.prune_channels(model, 0.5, data=[[x + 1] for x in samples(2)])
    biases = {node.outputs[0].name: [t.shape for t in node.inputs[2:]] for node in less.main.nodes}
    assert biases == {"one": [], "two": [(4,)], "three": [(4,)], "y": []}
    assert np.isfinite(pq.compile(less)(*samples(1))).all()


def test_only_what_is_meant_loses_channels() -> None:
    model, _ = between("residual")  # "first" and "d" make the same channels
    assert len(weight(pq.prune_channels(model, 0.5, regex="^c$"), "c/w")) == 4
    for regex, left in (("^c$", 8), ("^first$", 8), ("^(first|d)$", 4)):
        assert len(weight(pq.prune_channels(model, 0.5, regex=regex), "first/w")) == left
    with pytest.raises(OptionError, match="no weight of the model is meant"):
        pq.prune_channels(model, 0.5, operation="FULLY_CONNECTED")
    with pytest.raises(OptionError, match="the weights that are meant pass channels on"):
        pq.prune_channels(between("depthwise")[0], 0.5, operation="DEPTHWISE_CONV_2D")


@pytest.mark.parametrize("options", [{"share": 1.0}, {"share": -0.1}, {"share": 0.5, "multiple": 0}])
def test_options_that_cannot_be(options: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="expected"):
        pq.prune_channels(between("nothing")[0], **options)


@pytest.mark.parametrize("scheme", ["int8", "dynamic", "int16x8", "float16"])
def test_of_quantized_models_scales_stay(scheme: str) -> None:
    model = pq.quantize(between("gate")[0], scheme, data=[[x] for x in samples()] if scheme.startswith("int") else None)
    model = pq.fold(model) if scheme == "float16" else model  # casts of weights hide them
    less = pq.prune_channels(model, 0.5)
    before, after = ({t.name: t for t in m.main.tensors} for m in (model, less))
    assert sum(t.size for t in after.values()) < sum(t.size for t in before.values())
    for name, tensor in after.items():
        if tensor.is_quantized and not tensor.quantization.per_axis:
            assert tensor.quantization == before[name].quantization
    assert np.isfinite(pq.compile(less)(*samples(1))[0]).all()


def test_why_channels_stay() -> None:
    assert "SOFTMAX 'y' needs 'logits' whole" in {group.reason for group in pq.channel_groups(network())}
    assert "Odd 'odd' needs 'first' whole" in {group.reason for group in pq.channel_groups(between("unknown")[0])}
    assert [str(g) for g in pq.channel_groups(between("nothing")[0])] == [
        "8 channels of CONV_2D 'first': can go",
        "5 channels of CONV_2D 'last': output 'last' of the model has them",
    ]


def test_the_verb(tmp_path: Path) -> None:
    model, _ = between("residual")
    model.save(tmp_path / "model.tflite")
    np.save(tmp_path / "x.npy", np.stack(samples(4)))
    arguments = [
        "prune-channels",
        str(tmp_path / "model.tflite"),
        "-o",
        str(tmp_path / "less.tflite"),
        "--share",
        "0.5",
    ]
    done = CliRunner().invoke(main, [*arguments, "--data", str(tmp_path / "x.npy"), "--multiple", "2", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["bytes"] == (tmp_path / "less.tflite").stat().st_size < found["bytes_before"]
    assert [(g["channels"], g["left"], g["makers"], g["readers"]) for g in found["groups"]] == [
        (8, 4, ["first", "d"], ["c", "last"]),
        (8, 4, ["c"], ["d"]),
        (5, 5, ["last"], []),
    ]
    assert found["groups"][2]["reason"] == "output 'last' of the model has them"
    assert CliRunner().invoke(main, arguments).exit_code == 1  # the file is there
    text = CliRunner().invoke(main, [*arguments, "--force"]).stdout
    assert "note: those of 'last' stay: output 'last' of the model has them" in text


# Of the data folder; bench/prune_channels.py takes all.
SMALL = (
    "mlperf_tiny/kws_ref_model_float32",
    "mlperf_tiny/pretrainedResnet",
    "mlperf_tiny/str_ww_ref_model_float32",
    "mlperf_tiny/vww_96_float",
    "mlperf_tiny/ad01_fp32",
    "tflm_examples/hello_world_float",
    "converter_variants/kws_float32",
    "converter_variants/resnet_int8_int8_io",
    "single_ops/ai_edge_quantizer/conv_fc_mnist",
)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("name", SMALL)
def test_real_models(name: str, share: float, data_folder: Path, tmp_path: Path, oracles: list[Oracle]) -> None:
    path = data_folder / "models" / f"{name}.tflite"
    model = pq.open(path)
    size = pq.prune_channels(model, share).save(tmp_path / "less.tflite")
    assert size < path.stat().st_size * (1 - share / 4)
    less = pq.open(tmp_path / "less.tflite")
    (feeds,) = random_samples(less, 1)
    report = pq.validate(less, "ai-edge-litert", [feeds])
    assert report.ok, str(report)
    for oracle in oracles:
        oracle.load(less)
        assert len(oracle.run(feeds)) == len(less.main.outputs)
