"""lint: finds the fault planted in a file, and nothing in files that have none; repair mends what it can."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import network
from running import feeds, ours
from test_cli import assert_fails, run

import pyquant as pq
from pyquant import graph
from pyquant.dtypes import INT64
from pyquant.errors import OptionError
from pyquant.graph import Builder, Model, Node, OpCode, Quantization, Tensor
from pyquant.lint import RULES
from pyquant.ops.build import add


def quantized(scheme: str = "int8") -> Model:
    rng = np.random.default_rng(0)
    return pq.quantize(network(), scheme, data=[rng.normal(size=(1, 8, 8, 3)).astype(np.float32) for _ in range(4)])


def changed(tensor: Tensor, **fields: object) -> None:
    assert tensor.quantization is not None
    tensor.quantization = replace(tensor.quantization, **fields)


def node(model: Model, op: str) -> Node:
    return next(n for n in model.main.nodes if n.op == op)


def input_of(model: Model, op: str, i: int) -> Tensor:
    tensor = node(model, op).inputs[i]
    assert tensor is not None
    return tensor


# Each plants one fault in an int8 model and returns the node and the tensor that have it, "" for none.


def weight_zero_point(model: Model) -> tuple[str, str]:
    weight = input_of(model, "CONV_2D", 1)
    changed(weight, zero_point=np.full(weight.shape[0], 3))
    return node(model, "CONV_2D").label, weight.name


def weight_on_another_axis(model: Model) -> tuple[str, str]:
    conv, weight = node(model, "CONV_2D"), input_of(model, "CONV_2D", 1)
    changed(weight, scale=np.full(3, 0.1, np.float32), zero_point=np.zeros(3, np.int64), axis=3)
    return conv.label, weight.name


def activation_of_several_scales(model: Model) -> tuple[str, str]:
    conv = node(model, "CONV_2D")
    channels = conv.outputs[0].shape[3]
    conv.outputs[0].quantization = Quantization.of(np.full(channels, 0.1), np.zeros(channels), axis=3)
    return conv.label, conv.outputs[0].name


def bias_of_another_scale(model: Model) -> tuple[str, str]:
    bias = input_of(model, "CONV_2D", 2)
    assert bias.quantization is not None
    changed(bias, scale=bias.quantization.scale * np.float32(1000))
    return node(model, "CONV_2D").label, bias.name


def bias_of_another_type(model: Model) -> tuple[str, str]:
    conv, bias = node(model, "CONV_2D"), input_of(model, "CONV_2D", 2)
    made = Tensor(bias.name, bias.shape, INT64, None, bias.quantization)
    made.data = np.zeros(bias.shape, np.int64)
    model.main.tensors.append(made)
    conv.inputs[2] = made
    return conv.label, bias.name


def pool_of_two_scales(model: Model) -> tuple[str, str]:
    pool = node(model, "MAX_POOL_2D")
    changed(pool.outputs[0], scale=np.array([0.7], np.float32))
    return pool.label, pool.outputs[0].name


def softmax_of_another_scale(model: Model) -> tuple[str, str]:
    softmax = node(model, "SOFTMAX")
    changed(softmax.outputs[0], scale=np.array([0.01], np.float32))
    return softmax.label, softmax.outputs[0].name


def scale_of_zero(model: Model) -> tuple[str, str]:
    tensor = node(model, "CONV_2D").outputs[0]
    changed(tensor, scale=np.array([0], np.float32))
    return "", tensor.name


def infinite_scale(model: Model) -> tuple[str, str]:
    tensor = node(model, "CONV_2D").outputs[0]
    changed(tensor, scale=np.array([np.inf], np.float32))
    return "", tensor.name


def denormal_scale(model: Model) -> tuple[str, str]:
    tensor = node(model, "CONV_2D").outputs[0]
    changed(tensor, scale=np.array([1e-40], np.float32))
    return "", tensor.name


def product_of_tiny_scale(model: Model) -> tuple[str, str]:
    product = node(model, "MUL")
    changed(product.outputs[0], scale=np.array([1e-12], np.float32))
    return product.label, product.outputs[0].name


def version_too_high(model: Model) -> tuple[str, str]:
    conv = node(model, "CONV_2D")
    conv.opcode = OpCode("CONV_2D", 9)
    return conv.label, ""


def version_too_low(model: Model) -> tuple[str, str]:
    conv = node(model, "CONV_2D")
    conv.opcode = OpCode("CONV_2D", 1)
    return conv.label, ""


def tensor_of_nobody(model: Model) -> tuple[str, str]:
    model.main.tensors.append(Tensor("nobody", (3,), model.main.tensors[0].dtype))
    return "", "nobody"


def name_twice(model: Model) -> tuple[str, str]:
    model.main.tensors[1].name = model.main.tensors[0].name
    return "", model.main.tensors[0].name


PLANTED: dict[Callable[[Model], tuple[str, str]], str] = {
    weight_zero_point: "zero_point",
    weight_on_another_axis: "weight_axis",
    activation_of_several_scales: "weight_axis",
    bias_of_another_scale: "bias",
    bias_of_another_type: "bias",
    pool_of_two_scales: "shared_scale",
    softmax_of_another_scale: "fixed_output",
    scale_of_zero: "degenerate_scale",
    infinite_scale: "degenerate_scale",
    denormal_scale: "degenerate_scale",
    product_of_tiny_scale: "multiplier",
    version_too_high: "version",
    version_too_low: "version",
    tensor_of_nobody: "unused",
    name_twice: "duplicate_name",
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_found(plant: Callable[[Model], tuple[str, str]]) -> None:
    model = quantized()  # it has a gate of 0..1 beside wider values
    assert {f.rule for f in pq.lint(model) if f.severity != "info"} == {"mixed_concatenation"}
    where = plant(model)
    found = [f for f in pq.lint(graph.load(graph.dump(model))) if f.rule == PLANTED[plant]]
    assert where in [(f.node, f.tensor) for f in found], [str(f) for f in found]
    assert not [f for f in pq.lint(model, ignore=[PLANTED[plant]]) if f.rule == PLANTED[plant]]


def test_int16_activations_are_symmetric() -> None:
    model = quantized("int16x8")
    conv = node(model, "CONV_2D")
    changed(conv.outputs[0], zero_point=np.array([5]))
    assert (conv.label, conv.outputs[0].name) in [(f.node, f.tensor) for f in pq.lint(model) if f.rule == "zero_point"]


def test_boxes_and_scores_under_one_scale() -> None:
    b = Builder()
    boxes = b.input("boxes", (1, 4, 4), "int8", Quantization.of(2.5, -128))
    scores = b.input("scores", (1, 4, 4), "int8", Quantization.of(1 / 256, -128))
    coarse = add(b, "QUANTIZE", [scores], "coarse", "int8", Quantization.of(2.5, -128))
    head = add(b, "CONCATENATION", [boxes, coarse], "head", "int8", Quantization.of(2.5, -128), axis=2)
    (finding,) = [f for f in pq.lint(b.model([head])) if f.severity == "warning"]
    assert (finding.rule, finding.tensor) == ("mixed_concatenation", "coarse")
    assert "'scores' has 0.00390625" in finding.message


def test_casts_that_cancel_and_islands() -> None:
    b = Builder()
    q = Quantization.of(0.1, 3)
    x = b.input("x", (1, 4, 4, 2), "int8", q)
    pooled = add(b, "MAX_POOL_2D", [x], "pooled", "int8", q, filter_width=2, filter_height=2, stride_w=2, stride_h=2)
    real = add(b, "DEQUANTIZE", [pooled], "real", "float32")
    again = add(b, "QUANTIZE", [real], "again", "int8", q)
    model = b.model([add(b, "RELU", [again], "y", "int8", q)])
    assert [(f.rule, f.tensor) for f in pq.lint(model)] == [("cancelling_casts", "again")]
    mended = pq.repair(model)
    assert pq.lint(mended) == []
    assert ours(mended, feeds(model)) == ours(model, feeds(model))
    wavy = add(b, "TANH", [real], "wavy")
    found = [f for f in pq.lint(b.model([wavy, model.main.outputs[0]])) if f.rule == "float_island"]
    assert [f.node for f in found] == ["TANH 'wavy'"]


# True findings in files of others, with why they are there.
TRUE = {
    ("matmul_quant", "mixed_concatenation"): "one of its random networks has outputs in steps of 3e-9",
    ("keyword_scrambled", "zero_point"): "TFLM's 8 to 16 bit QUANTIZE shifts codes instead of halving the scale",
    ("keyword_scrambled_8bit", "zero_point"): "the same",
    **{
        (
            f"static_w8_a16_quantized_{part}_einsum",
            "weight_axis",
        ): "no reference kernel of BATCH_MATMUL reads 128 scales"
        for part in ("attn_vec", "k", "q", "v")
    },
}


def test_real_files_have_only_known_faults(data_folder: Path) -> None:
    """None at all in the files of MLPerf Tiny and of the converter; repairs leave no finding that they mend."""
    for path in sorted(data_folder.rglob("*.tflite")):
        model = pq.open(path)
        found = {f.rule for f in pq.lint(model) if f.severity != "info"}
        known = {rule for name, rule in TRUE if path.stem in (name, f"litert_test__{name}")}
        assert found == known, (path, [str(f) for f in pq.lint(model) if f.severity != "info"])
        if path.parent.name in ("mlperf_tiny", "converter_variants", "efficientnet_lite0"):
            assert not known
            assert not [str(f) for f in pq.lint(pq.repair(model)) if f.fixable], path


def test_a_target_adds_what_it_does_not_take() -> None:
    model = quantized()
    assert not [f for f in pq.lint(model, "tflm") if f.rule == "target" and f.severity == "error"]
    node(model, "CONV_2D").opcode = OpCode("CUSTOM", custom_code="Mine")
    (finding,) = [f for f in pq.lint(model, "tflm") if f.severity == "error"]
    assert (finding.rule, "Mine" in finding.message) == ("target", True)
    with pytest.raises(OptionError, match="no rule is called nonsense"):
        pq.lint(model, ignore=["nonsense"])


def test_what_2_14_misreads_or_refuses_of_mixed_files_is_found() -> None:
    b = Builder()
    x, q = b.input("x", (1, 4, 4, 2)), Quantization.of(0.1)
    w = b.constant("w", np.ones((2, 1, 1, 2), np.int8), "int4", q)
    y = add(b, "CONV_2D", [x, w, b.constant("b", np.zeros(2, np.float32))], "y", stride_h=1, stride_w=1)
    narrow = add(b, "QUANTIZE", [y], "narrow", "int8", q)
    model = b.model([add(b, "QUANTIZE", [narrow], "wide", "int16", q)])
    found = {f.node: f.message for f in pq.lint(model, "tflite-runtime-2.14") if f.severity == "error"}
    assert set(found) == {"CONV_2D 'y'", "QUANTIZE 'wide'"}
    assert "takes weights of these bits for int8" in found["CONV_2D 'y'"]
    assert "does not requantize 8 to 16 bits" in found["QUANTIZE 'wide'"]
    assert not [f for f in pq.lint(model, "litert") if f.severity == "error"]


def test_command(tmp_path: Path) -> None:
    good, bad, mended = (tmp_path / f"{name}.tflite" for name in ("good", "bad", "mended"))
    quantized().save(good)
    faulty = quantized()
    version_too_high(faulty)
    softmax_of_another_scale(faulty)
    faulty.save(bad)
    gate = ("--ignore", "mixed_concatenation")
    assert run("lint", good).exit_code == 1
    assert run("lint", good, *gate).exit_code == 0
    found = run("lint", bad)
    assert found.exit_code == 1
    assert "error: fixed_output: SOFTMAX" in found.stdout
    assert run("lint", bad, *gate, "--ignore", "fixed_output").exit_code == 0
    assert {f["rule"] for f in json.loads(run("lint", bad, "--json").stdout)["findings"]} >= {"fixed_output", "version"}
    assert run("lint", bad, "--fix", "-o", mended).exit_code == 1
    assert not [f for f in pq.lint(pq.open(mended)) if f.rule == "version"]
    assert_fails(run("lint", bad, "--fix", "-o", mended), 1, "--force overwrites it")
    assert_fails(run("lint", bad, "--fix"), 2, "--fix and -o go together")
    listed = run("lint", bad, "--rules")
    assert listed.exit_code == 0
    assert all(f"{rule}: " in listed.stdout for rule in RULES)
