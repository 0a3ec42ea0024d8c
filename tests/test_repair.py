"""What kernels would not take is repaired and reported: weight scales under a bias, degenerate ranges, operators."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import cases
import numpy as np
import pytest
from cases.case import Case
from mobilenet import DEAD, dead, mobilenet_v2, tiny
from networks import assert_obeys_slots, conv, normal

import pyquant as pq
from pyquant.graph import Builder, Model, Tensor
from pyquant.ops import find
from pyquant.ops.build import add
from pyquant.quantize import recipe, solve
from pyquant.validate import Oracle
from pyquant.validate.oracle import RUNTIMES

STATIC = {"int8": "int8", "int16x8": "int16"}
TINY = [np.full((1, 4), 1e-6, np.float32) * i for i in range(1, 4)]


def dense(w: np.ndarray, bias: np.ndarray, layers: int = 1) -> Model:
    """A fully connected layer, or several side by side that share weights and bias."""
    b = Builder()
    x, weight, offset = b.input("x", (1, 4)), b.constant("w", w), b.constant("bias", bias)
    return b.model([add(b, "FULLY_CONNECTED", [x, weight, offset], f"y{i}") for i in range(layers)])


def pointwise(w: np.ndarray, bias: np.ndarray) -> Model:
    b = Builder()
    x, weight = b.input("x", (1, 1, 1, 4)), b.constant("w", w.reshape(-1, 1, 1, 4))
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
    return b.model([add(b, "CONV_2D", [x, weight, b.constant("bias", bias)], "y", **options)])


Make, Exact = Callable[..., Model], Callable[..., None]


@pytest.fixture
def exact(oracle_of: Callable[[str], Oracle]) -> Exact:
    """Every runtime loads and runs a model, and our kernels make the same bits as its reference kernels.

    tolerance: where floats are summed in another order.
    """

    def check(small: Model, *feeds: np.ndarray, newer: bool = False, tolerance: float = 0.0) -> None:
        for runtime in list(RUNTIMES.values())[newer:]:
            oracle = oracle_of(runtime.name)
            oracle.load(small, "default")
            oracle.run(feeds)
            oracle.load(small, "reference")
            found = pq.compile(small, numerics=runtime.numerics)(*feeds)
            for ours, theirs in zip(
                found if isinstance(found, tuple) else (found,), oracle.run(feeds).values(), strict=True
            ):
                np.testing.assert_allclose(ours, theirs, 0, tolerance, err_msg=runtime.name)

    return check


@pytest.mark.parametrize("scheme", STATIC)
@pytest.mark.parametrize("make", [dense, pointwise])
def test_a_weight_scale_is_raised_for_its_bias_and_that_is_said(
    scheme: str, make: Callable[..., Model], exact: Exact
) -> None:
    """Of the one channel that needs it, where channels have scales of their own."""
    w, bias = normal(3, 4), np.float32([0.5, 9e9, -0.25])
    w[1] *= 1e-7
    model = make(w, bias)
    data = [normal(*model.main.inputs[0].shape) for _ in range(3)]
    made = pq.assign(model, scheme, data=data)
    (repair,) = made.repairs
    assert repair.where == f"{model.main.nodes[0].label}, weight 'w'"
    assert repair.channels == ((1,) if make is pointwise else ())
    assert repair.written[0] > repair.wanted[0] > 0
    assert f"has to fit {'int32' if scheme == 'int8' else 'int64'}" in str(made)
    assert made.to_dict()["repairs"][0]["written"] == repair.written
    small = pq.apply(made)
    assert_obeys_slots(small)
    exact(small, data[1])
    step = 9e9 / (127 if scheme == "int8" else 32767)
    assert np.abs(pq.compile(small)(data[1]).ravel() - bias).max() <= 2 * step


def test_weights_that_operators_share_are_repaired_once_for_each(exact: Exact) -> None:
    made = pq.assign(dense(normal(3, 4) * np.float32(1e-9), np.float32([900, 0, 1]), layers=2), "int8", data=TINY)
    assert [repair.where for repair in made.repairs] == [f"FULLY_CONNECTED 'y{i}', weight 'w'" for i in range(2)]
    small = pq.apply(made)
    assert len({node.inputs[1] for node in small.main.nodes if len(node.inputs) > 2}) == 1
    exact(small, TINY[0])


def test_a_bias_past_every_output_is_clipped(exact: Exact) -> None:
    made = pq.assign(dense(normal(2, 4), np.float32([3e38, 1])), "int8", data=[np.zeros((1, 4), np.float32)])
    assert "clipped" in str(made)
    exact(pq.apply(made), TINY[0])


def test_a_clamped_output_of_no_width_keeps_its_bounds_in_int32(exact: Exact) -> None:
    b = Builder()
    x = b.input("x", (1, 4))
    y = add(
        b,
        "ADD",
        [
            x,
            b.constant("c", np.float32([-1])),
        ],
        "y",
        fused_activation_function="RELU6",
    )
    made = pq.assign(b.model([y]), "int8", data=[np.full((1, 4), 1 + 1e-7, np.float32)])
    assert [repair.where for repair in made.repairs] == ["tensor 'y'"]
    exact(pq.apply(made), TINY[0])


def test_what_no_kernel_scales_stays_in_float(exact: Exact) -> None:
    b = Builder()
    a, c = b.input("a", (1, 4)), b.input("c", (1, 4))
    model = b.model([add(b, "GREATER", [add(b, "ADD", [a, a], "sum"), c], "y", "bool")])
    made = pq.assign(model, "int8", data=[(np.float32([[9e3, 2, 3, 4]]), np.float32([[1, 9, 1, 9]]))])
    assert [reason for label, reason in made.kept_float if "GREATER" in label] == [
        "its 'a' needs scale 70.6, and kernels take those below 1"
    ]
    exact(pq.apply(made), *[np.zeros((1, 4), np.float32)] * 2)


def test_constants_that_are_not_finite_stay_in_float() -> None:
    b = Builder()
    mask = b.constant("mask", np.float32([0, -np.inf, 0, 0]))
    y = add(b, "SOFTMAX", [add(b, "ADD", [b.input("x", (1, 4)), mask], "masked")], "y", beta=1.0)
    made = pq.assign(b.model([y]), "int8", data=[normal(1, 4)])
    assert ("ADD 'masked'", "its constant 'mask' holds NaN or infinity") in made.kept_float
    assert pq.compile(pq.apply(made))(normal(1, 4))[0, 1] == 0


def test_values_that_are_never_finite_stay_in_float() -> None:
    b = Builder()
    x = b.input("x", (1, 4))
    mask = add(b, "LOG", [add(b, "RELU_0_TO_1", [x], "open")], "mask")  # 0 or -infinity
    y = add(b, "SOFTMAX", [add(b, "ADD", [x, mask], "masked")], "y", beta=1.0)
    made = pq.assign(b.model([y]), "int8", data=[np.float32([[2, -2, 3, 1]])], newer_kernels=True)
    stays = dict(made.kept_float)
    assert stays["ADD 'masked'"] == "of its input 'mask' only zeros, NaN and infinities were observed"
    assert pq.compile(pq.apply(made))(np.float32([[2, -2, 3, 1]]))[0, 1] == 0


@pytest.mark.parametrize("newer", [False, True])
def test_kernels_of_newer_runtimes_are_asked_for(newer: bool, exact: Exact) -> None:
    b = Builder()
    x = b.input("x", (1, 4))
    model = b.model([add(b, "RSQRT", [add(b, "ADD", [x, x], "sum")], "y")])
    made = pq.assign(model, "int16x8", data=[np.abs(normal(1, 4)) + 1], newer_kernels=newer)
    assert len(made.kept_float) == (not newer)
    exact(pq.apply(made), np.ones((1, 4), np.float32), newer=newer)


MAGNITUDES = (0, 1e-44, 1e-30, 1e-10, 1e-3, 1, 1e3, 1e10, 1e30, 3e38)
POWERS = {"REDUCE_PROD", "RSQRT"}  # of scales in multipliers, which only contradicting ranges make too large


def rows() -> dict[str, list[Case]]:
    """For each operator that quantizers know, rows of floats that every runtime takes."""
    found: dict[str, list[Case]] = {}
    for module in iter_modules(cases.__path__):
        for case in getattr(import_module(f"cases.{module.name}"), "CASES", ()):
            operator, values = find(case.op), [v for v in (*case.inputs, case.output) if v is not None]
            if operator is None or not operator.ranged or operator.cast or "int8" not in operator.reference:
                continue
            plain = all(v.dtype in ("float32", "int32", "bool") and len(v.shape) <= 4 for v in values)
            if plain and any(v.dtype == "float32" for v in values) and not any(0 in v.shape for v in values):
                found.setdefault(case.op, []).append(case)
    return found


def test_extreme_ranges_make_files_that_load(oracle_of: Callable[[str], Oracle]) -> None:
    """Of every operator, whatever the ranges of inputs, outputs and weights are, and though they contradict."""
    oracles = [oracle_of(name) for name in ("tflite-runtime", "ai-edge-litert")]
    for op, found in rows().items():
        rng = np.random.default_rng(zlib.crc32(op.encode()))
        for scheme in [*STATIC] * 2:
            model = found[rng.integers(len(found))].model()
            ranges = {}
            for tensor in model.main.tensors:
                if tensor.dtype.name != "float32":
                    continue
                low, high = sorted(float(np.float32(s * rng.choice(MAGNITUDES))) for s in rng.choice((-1, 0, 1), 2))
                if tensor.is_constant:
                    tensor.data = np.clip(tensor.data.astype(np.float64) * high, -3e38, 3e38).astype(np.float32)
                else:
                    ranges[tensor] = pq.Range(low, high)
            try:
                small = pq.apply(solve(model, recipe(scheme), ranges))
            except pq.RecipeError:
                continue  # nothing of it can be quantized so
            if op not in POWERS:
                pq.compile(small)
            for oracle in oracles:
                oracle.load(small, "default")


@pytest.mark.parametrize("scheme", STATIC)
def test_a_network_with_a_layer_of_zeros_runs(scheme: str, exact: Exact) -> None:
    """Other quantizers' files of it are refused: bench/degenerate.py."""
    model = dead(mobilenet_v2())
    samples = np.random.default_rng(1).uniform(-1, 1, (4, 1, 32, 32, 3)).astype(np.float32)
    made = pq.assign(model, scheme, data=samples)
    assert [note for note in made.notes if f"{DEAD!r}: only zeros" in note]
    small = pq.apply(made)
    exact(small, samples[0])
    assert np.abs(pq.compile(small)(samples[0]) - pq.compile(model)(samples[0])).max() <= 0.02


@pytest.mark.parametrize("scheme", STATIC)
def test_a_network_with_a_channel_of_tiny_weights_runs(scheme: str, exact: Exact) -> None:
    model = tiny(mobilenet_v2())
    samples = np.random.default_rng(1).uniform(-1, 1, (4, 1, 32, 32, 3)).astype(np.float32)
    made = pq.assign(model, scheme, data=samples)
    assert [repair.channels for repair in made.repairs] == [(0,)]
    exact(pq.apply(made), samples[0])


@pytest.mark.parametrize("scheme", STATIC)
def test_a_real_network_with_a_layer_of_zeros_runs(scheme: str, exact: Exact, data_folder: Path) -> None:
    file = data_folder / "models" / "mobilenet" / "tf2_mobilenet_v2_1.0_224_ptq.tflite"
    model = pq.dequantize(pq.open(file))
    layer = next(n for n in model.main.nodes[8:] if getattr(n.options, "fused_activation_function", 0) == 3)
    model = dead(model, layer.outputs[0].name)
    samples = np.random.default_rng(1).uniform(0, 255, (2, *model.main.inputs[0].shape)).astype(np.float32)
    small = pq.quantize(model, scheme, data=samples)
    exact(small, samples[0])


def head(pixels: bool = True) -> Model:
    """Boxes, in pixels of 0..640 or in 0..1, beside scores: (1, 16, 4) and (1, 16, 3) -> (1, 7, 16)."""
    b = Builder()
    x = b.input("x", (1, 4, 4, 3))

    def part(name: str, channels: int) -> Tensor:
        shape = b.constant(f"{name}/shape", np.int32([1, 16, channels]))
        logits = add(b, "RESHAPE", [conv(b, x, channels, f"{name}/conv"), shape], f"{name}/flat")
        return add(b, "LOGISTIC", [logits], name)

    boxes = part("boxes", 4)
    if pixels:
        boxes = add(b, "MUL", [boxes, b.constant("size", np.float32(640))], "pixels")
    joined = add(b, "CONCATENATION", [boxes, part("scores", 3)], "head", axis=2)
    return b.model([add(b, "TRANSPOSE", [joined, b.constant("order", np.int32([0, 2, 1]))], "y")])


HEAD_DATA = [5 * normal(1, 4, 4, 3) for _ in range(8)]


def test_scores_beside_boxes_keep_their_own_step(exact: Exact) -> None:
    model = head()
    expected = pq.compile(model)(HEAD_DATA[0])[:, 4:]
    small, plain = (pq.quantize(model, "int8", data=HEAD_DATA, one_scale=one) for one in (False, True))
    kept = pq.compile(small)(HEAD_DATA[0])[:, 4:]
    lost = pq.compile(plain)(HEAD_DATA[0])[:, 4:]
    assert not lost.any()
    assert len(np.unique(kept)) > 16 and np.abs(kept - expected).max() <= 8 / 256  # as its input is coarser, too
    makers = {t.name: node.op for node in small.main.nodes for t in node.outputs}
    joined = next(node for node in small.main.nodes if makers[node.outputs[0].name] == "CONCATENATION")
    assert [t.dtype.name for t in (*joined.inputs, *joined.outputs) if t] == ["float32"] * 3
    exact(small, HEAD_DATA[0])
    exact(plain, HEAD_DATA[0])
    for found, file in (([], small), (["mixed_concatenation"], plain)):
        assert [f.rule for f in pq.lint(pq.graph.load(pq.graph.dump(file))) if f.severity == "warning"] == found


def test_what_is_lost_in_a_concatenation_is_said_where_it_has_to_be_integer() -> None:
    for options in ({"output_type": "int8"}, {"one_scale": True}):
        made = pq.assign(head(), "int8", data=HEAD_DATA, **options)
        assert made.kept_float == []
        (note,) = made.notes
        assert note.startswith("CONCATENATION 'head': its part 'scores' has ") and "outputs of their own" in note


@pytest.mark.parametrize("options", [{}, {"one_scale": True}])
def test_parts_of_like_ranges_are_joined_in_integers(options: dict[str, bool]) -> None:
    made = pq.assign(head(pixels=False), "int8", data=HEAD_DATA, **options)
    assert made.kept_float == [] and made.notes == []
    assert pq.assign(head(), "int16x8", data=HEAD_DATA).kept_float == []


def layer_norm() -> Model:
    """Between two dense layers, its variance by SQUARED_DIFFERENCE."""
    b = Builder()
    axes = b.constant("axes", np.int32([-1]))

    def dense_layer(x: Tensor, name: str) -> Tensor:
        w, bias = b.constant(f"{name}/w", normal(32, 32)), b.constant(f"{name}/b", normal(32))
        return add(b, "FULLY_CONNECTED", [x, w, bias], name, keep_num_dims=True)

    x = dense_layer(b.input("x", (1, 8, 32)), "before")
    mean = add(b, "MEAN", [x, axes], "mean", keep_dims=True)
    squares = add(b, "SQUARED_DIFFERENCE", [x, mean], "squares")
    variance = add(b, "MEAN", [squares, axes], "variance", keep_dims=True)
    inverse = add(b, "RSQRT", [add(b, "ADD", [variance, b.constant("eps", np.float32(1e-5))], "sum")], "inverse")
    scaled = add(b, "MUL", [add(b, "SUB", [x, mean], "centred"), inverse], "normal")
    gained = add(b, "MUL", [scaled, b.constant("gamma", 1 + normal(32))], "gained")
    return b.model([dense_layer(add(b, "ADD", [gained, b.constant("beta", normal(32))], "shifted"), "after")])


# dB of signal over noise; int8 has about 43 for one rounding, and the layer norm several in a row.
LAYER_NORM = {"float16": 60, "dynamic": 35, "int8": 25, "int16x8": 38}


@pytest.mark.parametrize("scheme", LAYER_NORM)
def test_a_layer_norm_runs_whatever_kernels_lack(scheme: str, exact: Exact) -> None:
    """TFLite has no SQUARED_DIFFERENCE in int16, and tflite-runtime 2.14 no RSQRT."""
    model, data = layer_norm(), [normal(1, 8, 32) * scale for scale in (0.5, 1, 1, 1, 2, 2)]
    small = pq.quantize(model, scheme, data=data, min_weight_elements=1)
    kinds = {node.op: node.outputs[0].dtype.name for node in small.main.nodes}
    assert {kinds[op] for op in ("SQUARED_DIFFERENCE", "RSQRT")} == {"int8" if scheme == "int8" else "float32"}
    exact(small, data[2], tolerance=1e-5 if scheme == "float16" else 0)
    expected, found = (pq.compile(m)(data[2]) for m in (model, small))
    assert 10 * np.log10(np.square(expected).sum() / np.square(found - expected).sum()) >= LAYER_NORM[scheme]
