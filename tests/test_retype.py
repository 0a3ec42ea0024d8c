"""Quantized models in other integer types: what is exact, what obeys the specification, and real models."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from networks import assert_obeys_slots, conv, network, normal, samples
from test_models import assert_equal, cifar, kws, photographs, stored_photographs

import pyquant as pq
from pyquant import graph
from pyquant.graph import Builder, Model, Quantization, Tensor
from pyquant.ops import find
from pyquant.ops.build import add
from pyquant.quantize import RETYPES, reassign
from pyquant.validate import RUNTIMES, Oracle


def weights(model: Model) -> dict[str, Tensor]:
    return {t.name: t for t in model.main.tensors if t.is_constant and t.dtype.name in ("int8", "uint8")}


@pytest.mark.parametrize("to", RETYPES)
@pytest.mark.parametrize("kind", ["float32", "int8", "uint8"])
def test_what_is_made_obeys_its_slots_and_stays_near(to: str, kind: str) -> None:
    data = samples()
    small = pq.quantize(network(), "int8", data=data, input_type=kind, output_type=kind)
    before = graph.dump(small)
    made = pq.retype(small, to)
    assert graph.dump(small) == before
    assert_obeys_slots(made)
    types = {"int8": "int8", "int16x8": "int16", "per-tensor": kind}
    expected = "float32" if kind == "float32" else types[to]
    assert {t.dtype.name for t in (*made.main.inputs, *made.main.outputs)} == {expected}
    assert [t.name for t in made.main.outputs] == [t.name for t in small.main.outputs]
    report = pq.validate(small, made, [list(s.values()) for s in pq.samples(data, small)], min_sqnr=25)
    assert report.ok, str(report)


@pytest.mark.parametrize(("scheme", "to"), [("int8", "int8"), ("int16x8", "int16x8")])
def test_what_is_so_already_stays(scheme: str, to: str) -> None:
    small = pq.quantize(network(), scheme, data=samples())
    for before, after in zip(small.main.nodes, pq.retype(small, to).main.nodes, strict=True):
        assert (before.op, before.opcode.version, before.options) == (after.op, after.opcode.version, after.options)
        for old, new in zip((*before.inputs, *before.outputs), (*after.inputs, *after.outputs), strict=True):
            assert (old.name, old.dtype, old.quantization) == (new.name, new.dtype, new.quantization)
            assert not old.is_constant or np.shares_memory(old.data, new.data)


def test_int16x8_keeps_weights_and_ranges() -> None:
    small = pq.quantize(network(), "int8", data=samples(), input_type="int8")
    made = pq.retype(small, "int16x8")
    before = {t.name: t for t in small.main.tensors}
    shared = 0
    for node in made.main.nodes:
        for slot, tensor in zip(find(node.op).slots(node.inputs), node.inputs, strict=True):
            if slot.role == "weight":
                assert tensor.quantization == before[tensor.name].quantization
                assert np.shares_memory(tensor.data, before[tensor.name].data)
                shared += 1
    assert shared == 4
    x, old = made.main.inputs[0], small.main.inputs[0]
    ends = [abs(float(old.scale) * (code - old.zero_point)) for code in (-128, 127)]
    assert float(x.scale) == pytest.approx(max(ends) / 32767, rel=1e-6)


def test_per_tensor_takes_the_largest_scale() -> None:
    small = pq.quantize(network(), "int8", data=samples())
    made = pq.retype(small, "per-tensor")
    for name, tensor in weights(small).items():
        found = weights(made)[name].quantization
        assert found is not None and tensor.quantization is not None
        assert found.scale.size == 1
        np.testing.assert_allclose(found.scale, tensor.quantization.scale.max(), rtol=1e-6)
    activations = [(t.scale, t.zero_point) for n in small.main.nodes for t in n.outputs if t.is_quantized]
    assert activations == [(t.scale, t.zero_point) for n in made.main.nodes for t in n.outputs if t.is_quantized]


def unsigned(weight: np.ndarray, zero_point: int) -> Model:
    """A legacy model: a convolution, an addition, a maximum, all uint8."""
    b = Builder()
    x = b.input("x", (1, 4, 4, 2), "uint8", Quantization.of(0.1, 100))
    w = b.constant("w", weight.astype(np.uint8), quantization=Quantization.of(0.02, zero_point))
    bias = b.constant("b", np.int32([100, -300, 7]), quantization=Quantization.of(0.1 * 0.02))
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
    h = add(b, "CONV_2D", [x, w, bias], "h", "uint8", Quantization.of(0.3, 0), **options)
    z = add(b, "ADD", [h, b.constant("c", np.uint8([9, 0, 255]), quantization=Quantization.of(0.05, 3))], "z", "uint8",
            Quantization.of(0.25, 17))  # fmt: skip
    window = {"filter_height": 2, "filter_width": 2, "stride_h": 2, "stride_w": 2, "padding": "VALID"}
    return b.model([add(b, "MAX_POOL_2D", [z], "y", "uint8", Quantization.of(0.25, 17), **window)])


def test_uint8_is_shifted_by_128() -> None:
    """With weights that int8 holds as they are, 127 steps on either side, output codes are the same but for that."""
    rng = np.random.default_rng(0)
    weight = rng.integers(1, 256, (3, 3, 3, 2))
    weight[:, 0, 0] = 1, 255
    model = unsigned(weight, 128)
    made = pq.retype(model, "int8")
    for before, after in zip(model.main.nodes, made.main.nodes, strict=True):
        old, new = before.outputs[0], after.outputs[0]
        assert (new.dtype.name, new.scale, new.zero_point) == ("int8", old.scale, old.zero_point - 128)
    assert np.array_equal(made.main.nodes[1].inputs[1].data, [9 - 128, -128, 127])
    assert np.array_equal(made.main.nodes[0].inputs[2].data, [100, -300, 7])
    ours, theirs = pq.compile(made), pq.compile(model)
    for codes in rng.integers(0, 256, (20, 1, 4, 4, 2)):
        shifted = ours((codes - 128).astype(np.int8)).astype(int) + 128
        assert np.array_equal(shifted, theirs(codes.astype(np.uint8)))


@pytest.mark.parametrize("to", ["int8", "int16x8"])
def test_weights_with_a_zero_point_are_rounded_anew(to: str) -> None:
    weight = np.random.default_rng(1).integers(0, 256, (3, 3, 3, 2))
    made = pq.retype(unsigned(weight, 90), to)
    assert_obeys_slots(made)
    w, real = weights(made)["w"], 0.02 * (weight - 90)
    scale = w.quantization.scale.reshape(-1, 1, 1, 1)
    assert scale.size == 3
    assert np.all(np.abs(w.data * scale - real) <= 0.51 * scale)
    # the range of h begins at zero, which int16 cannot say
    assert made.main.nodes[0].options.fused_activation_function == (1 if to == "int16x8" else 0)


def test_float_parts_and_unknown_operators_stay() -> None:
    b = Builder()
    first = conv(b, b.input("x", (1, 4, 4, 3)), 3, "first")
    odd = b.tensor("odd", first.shape)
    b.node("CUSTOM", [first], [odd], custom_code="Mystery")
    model = b.model([conv(b, conv(b, odd, 3, "float"), 3, "last")])
    feeds = [normal(1, 4, 4, 3)]
    with pytest.raises(pq.UnsupportedOp):
        pq.quantize(model, "int8", data=feeds)
    model.main.nodes.pop(1)
    model.main.nodes[1].inputs[0] = first
    small = pq.quantize(model, "int8", data=feeds, keep_float=("float",))
    made = pq.retype(small, "int16x8")
    ops = ["QUANTIZE", "CONV_2D", "DEQUANTIZE", "CONV_2D", "QUANTIZE", "CONV_2D", "DEQUANTIZE"]
    assert [n.op for n in made.main.nodes] == [n.op for n in small.main.nodes] == ops
    assert [n.outputs[0].dtype.name for n in made.main.nodes if n.op == "CONV_2D"] == ["int16", "float32", "int16"]
    ours, theirs = pq.compile(made), pq.compile(small)
    step = small.main.nodes[-1].inputs[0].quantization.scale[0]
    assert np.abs(ours(*feeds) - theirs(*feeds)).max() < 5 * step


def test_unknown_operators_keep_their_types() -> None:
    b = Builder()
    q = Quantization.of(0.5, 3)
    x, odd = b.input("x", (1, 4), "int8", q), b.tensor("odd", (1, 4), "int8", q)
    b.node("CUSTOM", [add(b, "RELU", [x], "positive", "int8", q)], [odd], custom_code="Mystery")
    model = b.model([add(b, "RELU", [odd], "y", "int8", q)])
    made = reassign(model, "int16x8")
    assert made.kept_float == [("Mystery 'odd'", "unknown operator")]
    retyped = pq.apply(made)
    # tflite-runtime 2.14 casts int8 to int16 by way of float
    assert [n.op for n in retyped.main.nodes] == ["RELU", "QUANTIZE", "Mystery", "DEQUANTIZE", "QUANTIZE", "RELU"]
    assert [t.dtype.name for t in retyped.main.nodes[2].inputs] == ["int8"]
    assert {t.dtype.name for t in (*retyped.main.inputs, *retyped.main.outputs)} == {"int16"}
    with pytest.raises(pq.RecipeError, match="Mystery 'odd': unknown operator"):
        model.main.nodes = model.main.nodes[1:2]
        model.main.inputs, model.main.outputs = model.main.nodes[0].inputs, model.main.nodes[0].outputs
        pq.retype(model, "int16x8")


@pytest.mark.parametrize(
    ("scheme", "to", "message"),
    [
        ("int8", "int4", "expected one of int8, int16x8, per-tensor"),
        (None, "int8", "none computes in uint8 or int8 or int16"),
        ("dynamic", "per-tensor", "none computes in int8"),
    ],
)
def test_refusals(scheme: str | None, to: str, message: str) -> None:
    model = network()
    with pytest.raises(pq.PyQuantError, match=message):
        pq.retype(pq.quantize(model, scheme, data=samples()) if scheme else model, to)


# model and type -> inputs and how many
REAL = {
    ("converter_variants/kws_int8_uint8_io", "int8"): (kws, 40),
    ("converter_variants/kws_int8_int8_io", "int16x8"): (kws, 40),
    ("converter_variants/kws_int8_float_io", "per-tensor"): (kws, 40),
    ("converter_variants/kws_int16x8_int16_io", "int8"): (kws, 40),
    ("converter_variants/resnet_int8_int8_io", "int16x8"): (cifar, 10),
    ("mlperf_tiny/pretrainedResnet_quant", "per-tensor"): (cifar, 10),
    ("edgetpu_pairs/mobilenet_v1_0.25_128_quant", "int8"): (stored_photographs, 6),
    ("edgetpu_pairs/mobilenet_v1_0.25_128_quant", "int16x8"): (photographs(128, 128), 6),
    ("edgetpu_pairs/mobilenet_v2_1.0_224_quant", "int8"): (stored_photographs, 4),
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("name", "to"), REAL)
def test_real_models_equal_both_runtimes(
    name: str, to: str, runtime: str, data_folder: Path, oracle_of: Callable[[str], Oracle]
) -> None:
    oracle_of(runtime)
    inputs, count = REAL[name, to]
    model = pq.open(data_folder / "models" / f"{name}.tflite")
    made = pq.retype(model, to)
    fitted = [list(sample.values()) for sample in islice(pq.samples(inputs(data_folder), made), count)]
    assert_equal(made, runtime, fitted)


@pytest.mark.parametrize("to", RETYPES)
def test_accuracy_stays(to: str, data_folder: Path) -> None:
    with np.load(data_folder / "datasets" / "kws01.npz") as file:
        labels = file["labels"]
    model = pq.open(data_folder / "models" / "mlperf_tiny" / "kws_ref_model.tflite")
    reached = [pq.accuracy(m, kws(data_folder), labels) for m in (model, pq.retype(model, to))]
    assert abs(reached[1] - reached[0]) <= 0.01
