"""Quantized models back in float32: what comes back from every scheme, what stays, and real models."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import conv, network, normal, samples
from test_models import cifar, kws, no_data, photographs, stored_photographs, vww

import pyquant as pq
from pyquant import graph
from pyquant.calibrate import collect
from pyquant.graph import Builder, Model, Quantization, Tensor
from pyquant.ops import find
from pyquant.ops.build import add
from pyquant.quantize import real_again
from pyquant.quantize.restore import is_small
from pyquant.validate import Oracle
from pyquant.wire import Record

SIGNED = ("float32", "int8", "uint8")
FORMS = [("float16", "float32"), ("bfloat16", "float32"), ("dynamic", "float32"), *(("int8", kind) for kind in SIGNED)]
FORMS += [("int16x8", "float32"), ("int16x8", "int16")]


def constants(model: Model) -> dict[str, Tensor]:
    return {t.name: t for t in model.main.tensors if t.is_constant}


@pytest.mark.parametrize(("scheme", "kind"), FORMS)
def test_quantized_models_come_back(scheme: str, kind: str) -> None:
    model, data = network(), samples()
    seen = collect(model, data, detailed=False)  # without means, by which biases would be corrected
    small = pq.quantize(model, scheme, data=seen, input_type=kind, output_type=kind, min_weight_elements=1)
    before = graph.dump(small)
    again = pq.dequantize(small)
    assert graph.dump(small) == before
    assert [(n.op, n.opcode.version) for n in again.main.nodes] == [(n.op, n.opcode.version) for n in model.main.nodes]
    for ends, found in ((model.main.inputs, again.main.inputs), (model.main.outputs, again.main.outputs)):
        assert [(t.name, t.dtype, t.shape) for t in found] == [(t.name, t.dtype, t.shape) for t in ends]
    found = constants(again)
    assert found.keys() == constants(model).keys()
    for name, tensor in constants(model).items():
        assert found[name].dtype == tensor.dtype and found[name].quantization is None
        np.testing.assert_allclose(found[name].data, tensor.data, atol=np.abs(tensor.data).max() / 100)
    for sample in data:
        for ours, theirs in zip(pq.compile(again)(sample), pq.compile(model)(sample), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=0.02)
    assert graph.dump(pq.dequantize(again)) == graph.dump(again)


def test_a_float_model_stays_as_it_is() -> None:
    model = network()
    assert graph.dump(pq.dequantize(model)) == graph.dump(model)


def quantized_conv(scale: float, zero_point: int) -> Model:
    """A convolution without fused activation, whose bias states no scale."""
    b = Builder()
    x = b.input("x", (1, 2, 2, 1), "uint8", Quantization.of(0.5, 3))
    w = b.constant("w", np.full((1, 1, 1, 1), 7, np.uint8), quantization=Quantization.of(0.25, 5))
    bias = b.constant("b", np.int32([-8]))
    y = add(
        b,
        "CONV_2D",
        [x, w, bias],
        "y",
        "uint8",
        Quantization.of(scale, zero_point),
        padding="VALID",
        stride_h=1,
        stride_w=1,
    )
    return b.model([y])


@pytest.mark.parametrize(
    ("scale", "zero_point", "activation"),
    [(6 / 255, 0, 3), (5 / 255, 0, 3), (0.0235, 0, 3), (0.0238, 0, 1), (1.0, 0, 1), (1.0, 1, 0), (1.0, 128, 0)],
)
def test_a_range_from_zero_was_an_activation(scale: float, zero_point: int, activation: int) -> None:
    (node,) = pq.dequantize(quantized_conv(scale, zero_point)).main.nodes
    assert node.options is not None and node.options.fused_activation_function == activation


def test_biases_take_the_scale_that_kernels_give_them() -> None:
    found = constants(pq.dequantize(quantized_conv(1.0, 9)))
    assert found["b"].data == -1.0  # -8 * 0.5 * 0.25
    assert found["w"].data == 0.5


def test_unknown_operators_stay_quantized_among_casts() -> None:
    b = Builder()
    x = b.input("x", (1, 4, 4, 3))
    inner = conv(b, x, 3, "first")
    model = b.model([conv(b, inner, 3, "second")])
    small = pq.quantize(model, "int8", data=[normal(1, 4, 4, 3)], input_type="int8", output_type="int8")
    first, second = small.main.nodes
    odd = replace(first.outputs[0], name="odd")
    small.main.tensors.append(odd)
    mystery = Builder().node("CUSTOM", [first.outputs[0]], [odd], custom_code="Mystery")
    second.inputs[0] = odd
    small.main.nodes.insert(1, mystery)
    again = pq.dequantize(small)
    assert [n.op for n in again.main.nodes] == ["CONV_2D", "QUANTIZE", "Mystery", "DEQUANTIZE", "CONV_2D"]
    stays = again.main.nodes[2]
    assert stays.inputs[0].quantization == first.outputs[0].quantization
    assert [t.dtype.name for t in (*stays.inputs, *stays.outputs)] == ["int8", "int8"]
    assert {t.dtype.name for t in (*again.main.inputs, *again.main.outputs)} == {"float32"}


def test_blocks_of_int4_have_scales_of_their_own() -> None:
    b = Builder()
    codes = np.arange(-8, 8, dtype=np.int8).reshape(2, 8)
    scales = b.constant("scales", np.float16([[1, 2], [0.5, 4]]))
    details = Record("BlockwiseQuantization", block_size=4, zero_points=-1)
    empty = Quantization(np.empty(0, np.float32), np.empty(0, np.int64), details=details, tensors={"scales": scales})
    w = b.constant("w", codes, "int4", empty)
    model = pq.dequantize(b.model([add(b, "FULLY_CONNECTED", [b.input("x", (1, 8)), w, None], "y")]))
    expected = codes * np.repeat(np.float32([[1, 2], [0.5, 4]]), 4, axis=1)
    assert np.array_equal(constants(model)["w"].data, expected)
    assert "scales" not in constants(model)


@pytest.mark.parametrize("first", ["int16", "int32"])
def test_a_cast_alone_becomes_nothing(first: str) -> None:
    b = Builder()
    x = b.input("x", (3,), first, Quantization.of(0.5))
    y = b.tensor("y", (3,), "int32" if first == "int16" else "int16", Quantization.of(0.25))
    b.node("QUANTIZE", [x], [y])
    model = pq.dequantize(b.model([y]))
    assert (model.main.nodes, model.main.outputs) == ([], model.main.inputs)
    assert model.main.inputs[0].dtype.name == "float32"


def test_bodies_of_control_flow_keep_their_ends() -> None:
    """What calls them, and they themselves, agree on the types between them."""
    q = Quantization.of(0.5)
    body, b = Builder("body"), Builder()
    inner = body.input("a", (2,), "int8", q)
    called = body.model([add(body, "ADD", [inner, inner], "b", "int8", q)]).main
    x, y = b.input("x", (2,), "int8", q), b.tensor("y", (2,), "int8", q)
    node = b.node("CALL", [x], [y], Record("CallOptions"))
    node.subgraphs["subgraph"] = called
    model = b.model([add(b, "ADD", [y, y], "z", "int8", q)])
    model.subgraphs.append(called)
    again = pq.dequantize(model)
    assert [n.op for n in again.main.nodes] == ["QUANTIZE", "CALL", "DEQUANTIZE", "ADD"]
    body_again = again.subgraphs[1]
    assert [n.op for n in body_again.nodes] == ["DEQUANTIZE", "ADD", "QUANTIZE"]
    assert [t.dtype.name for t in (*body_again.inputs, *body_again.outputs)] == ["int8", "int8"]


@pytest.mark.parametrize(
    "fault",
    [
        {"sparsity": Record("SparsityParameters")},
        {"quantization": Quantization.of([1, 2, 3])},
        {"quantization": Quantization.of([1, 2, 3], axis=7)},
        {"quantization": replace(Quantization.of(1), details=Record("CustomQuantization"))},
    ],
    ids=["sparse", "too many scales", "no such axis", "another scheme"],
)
def test_what_cannot_be_read_is_named(fault: dict[str, Any]) -> None:
    model = quantized_conv(1.0, 9)
    (node,) = model.main.nodes
    node.inputs[1] = replace(node.inputs[1], **fault)
    model.main.tensors.append(node.inputs[1])
    with pytest.raises(pq.GraphError, match=r"tensor '[wb]'"):
        pq.dequantize(model)


# model -> its inputs, and the least SQNR in dB of the quantized outputs to the float ones
KINDS = ("int8_int8_io", "int8_per_tensor", "int8_uint8_io", "int8_float_io")
REAL = {
    **{f"converter_variants/kws_{kind}": (kws, 20) for kind in KINDS},
    **{f"converter_variants/resnet_{kind}": (cifar, 15) for kind in KINDS},
    **{f"converter_variants/{name}_int16x8_{io}_io": (data, 40)
       for name, data in (("kws", kws), ("resnet", cifar)) for io in ("float", "int16")},
    **{f"converter_variants/{name}_float16": (data, 90) for name, data in (("kws", kws), ("resnet", cifar))},
    **{f"converter_variants/{name}_dynamic_range": (data, 25) for name, data in (("kws", kws), ("resnet", cifar))},
    "mlperf_tiny/kws_ref_model": (kws, 20),
    "mlperf_tiny/pretrainedResnet_quant": (cifar, 9),
    "mlperf_tiny/vww_96_int8": (vww, 15),
    "mlperf_tiny/ad01_int8": (no_data(2, 640), 15),
    "mlperf_tiny/ad01_dr_tf23": (no_data(2, 640), 25),
    "tflm_examples/hello_world_int8": (no_data(2, 1), 15),
    "edgetpu_pairs/mobilenet_v1_0.25_128_quant": (stored_photographs, 10),
    "edgetpu_pairs/mobilenet_v2_1.0_224_quant": (stored_photographs, 10),
    "mobilenet/tf2_mobilenet_v2_1.0_224_ptq": (stored_photographs, 10),
    "efficientnet_lite0/efficientnet_lite0_int8": (photographs(127, 128), 10),
    "efficientnet_lite0/efficientnet_lite0_int16x8_float_io": (photographs(127, 128), 20),
    "efficientnet_lite0/efficientnet_lite0_dynamic_range": (photographs(127, 128), 20),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_models(name: str, data_folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    inputs, least = REAL[name]
    model = pq.open(data_folder / "models" / f"{name}.tflite")
    again = pq.dequantize(model)
    assert {t.dtype.name for t in again.main.tensors} <= {"float32", "int32"}
    fitted = [list(sample.values()) for sample in islice(pq.samples(inputs(data_folder), model), 4)]
    report = pq.validate(model, again, fitted, min_sqnr=least, threads=2)
    assert report.ok, str(report)
    for runtime in ("tflite-runtime", "ai-edge-litert"):
        oracle = oracle_of(runtime)
        oracle.load(again)
        oracle.run([np.zeros(t.shape, np.float32) for t in again.main.inputs])


def test_integers_of_no_scale_stay_what_they_are() -> None:
    b = Builder()
    x = b.input("x", (1, 4, 4, 1), "uint8")
    y = add(b, "SPACE_TO_DEPTH", [x], "y", "uint8", Quantization.of(0.5, 3), block_size=2)
    made = real_again(b.model([y]))
    assert made.kinds == {} and made.kept_float == [("SPACE_TO_DEPTH 'y'", "its input 'x' is uint8 without a scale")]


def test_every_quantized_file_can_be(data_folder: Path) -> None:
    """Or has a constant that cannot be read, which is named. Nothing of known scales stays quantized."""
    for path in sorted(data_folder.rglob("*.tflite")):
        model = pq.open(path)
        if not model.subgraphs:
            continue
        again = pq.dequantize(model)
        for node in again.main.nodes:
            operator = find(node.op)
            quantized = any(t is not None and is_small(t) for t in (*node.inputs, *node.outputs))
            known = operator is not None and not operator.cast and operator.ranged
            scaled = all(is_small(t) for t in node.inputs if t and t.dtype.is_quantized_integer)
            assert not (known and scaled and quantized), f"{path}: {node.label}"


def test_mobilenet_survives_a_round_through_float(data_folder: Path) -> None:
    """The uint8 file in float32, quantized to int8 with a hundred of its samples: within one point of the original."""
    folder = data_folder / "datasets" / "imagenet_samples_dev"
    with open(folder / "labels.csv", newline="") as file:
        labels = np.array([int(row["label"]) + 1 for row in csv.DictReader(file)])  # class 0 is the background
    model = pq.open(data_folder / "models" / "edgetpu_pairs" / "mobilenet_v2_1.0_224_quant.tflite")
    inputs = pq.Images(folder, mean=128, std=128)
    again = pq.dequantize(model)
    seen = [list(sample.values()) for sample in islice(pq.samples(inputs, again), 0, None, 3)]
    small = pq.quantize(again, "int8", data=seen)
    ours, theirs = (pq.accuracy(m, inputs, labels, threads=2) for m in (small, model))
    assert ours > theirs - 0.01
