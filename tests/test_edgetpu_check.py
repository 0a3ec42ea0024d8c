"""The Edge TPU's partition as published compiled files have it, rule by rule, as a log; and what is repaired."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_cli import assert_fails, run
from test_models import FLOAT

import pyquant as pq
from pyquant import edgetpu
from pyquant.edgetpu.package import containers
from pyquant.graph import Builder, Model, Quantization, Tensor
from pyquant.ops import find
from pyquant.ops.build import add
from pyquant.targets.edgetpu import KNOWN, MAPPED, NOT_SUPPORTED, ONE_SUBGRAPH, RANK, TYPE, UNSPECIFIED, VERSION
from pyquant.targets.partition import mapped
from pyquant.validate import RUNTIMES, Oracle

PAIRS = {
    "deeplabv3_mnv2_dm05_pascal_quant": 72,
    "keras_lstm_mnist_ptq": 6,
    "mobilenet_edgetpu_0.75_224_post_training_quant": 79,
    "mobilenet_v1_0.25_128_quant": 31,
    "mobilenet_v1_0.5_160_quant": 31,
    "mobilenet_v2_1.0_224_quant": 66,
    "movenet_single_pose_lightning_ptq": 157,
    "older_compiler/mobilenet_v1_0.25_128_quant": 31,
    "posenet_mobilenet_v1_075_481_641_16_quant_decoder": 38,
    "split_concat": 3,
}
# Bytes that the compiler adds of which nobody knows what they say.
SOFTMAX_TABLE, LSTM_AND_SOFTMAX, MATRICES = 48256, 35520, 192
NOT_DECODED = {
    "keras_lstm_mnist_ptq": LSTM_AND_SOFTMAX,
    "mobilenet_v1_0.25_128_quant": SOFTMAX_TABLE,
    "mobilenet_v1_0.5_160_quant": SOFTMAX_TABLE,
    "split_concat": MATRICES,
}


@pytest.mark.parametrize("name", PAIRS)
def test_partitions_are_those_of_compiled_files(name: str, data_folder: Path) -> None:
    """An operator ran on the CPU if the compiled file still has the one that makes its output."""
    path = data_folder / "models" / "edgetpu_pairs" / name
    compiled = pq.open(f"{path}_edgetpu.tflite").main.nodes
    left = {t.name for node in compiled if node.op != "edgetpu-custom-op" for t in node.outputs}
    prediction = edgetpu.check(pq.open(f"{path}.tflite"))
    assert len(prediction.operators) == PAIRS[name] and not prediction.refused
    (container,) = containers(pq.open(f"{path}_edgetpu.tflite"))
    stored = sum(executable.parameters.size for executable in container.executables)
    assert stored == prediction.parameter_bytes + NOT_DECODED.get(name, 0)
    for verdict in prediction.operators:
        assert verdict.mapped == (verdict.node.outputs[0].name not in left), verdict
        assert verdict.mapped == (not verdict.reason)
        assert not verdict.mapped or verdict.evidence == "verified"


def test_every_file_is_checked(data_folder: Path) -> None:
    found = 0
    for path in sorted(data_folder.rglob("*.tflite")):
        try:
            model = pq.open(path)
            before = edgetpu.check(model)
        except pq.PyQuantError:
            continue
        json.dumps(before.to_dict())
        assert sum(edgetpu.log(before).count(status) for status in STATUSES) >= len(before.counts())
        assert edgetpu.operators(before).count("\n") == len(before.operators)
        after = edgetpu.fix(model).prediction
        assert (after.mapped, -len(after.refused)) >= (before.mapped, -len(before.refused)), path
        found += 1
    assert found > 300


STATUSES = (MAPPED, ONE_SUBGRAPH, NOT_SUPPORTED, RANK, TYPE, UNSPECIFIED, VERSION)


def one(
    op: str, *shapes: tuple[int, ...], dtype: str = "int8", constants: tuple[Any, ...] = (), **options: Any
) -> Model:
    """An operator of inputs of these shapes, then of these constants."""
    b = Builder()
    scale = None if dtype == "float32" else Quantization.of(0.1)
    inputs = [b.input(f"x{i}", shape, dtype, scale) for i, shape in enumerate(shapes)]
    inputs += [
        b.constant(f"c{i}", value, None, scale if value.dtype == dtype else None) for i, value in enumerate(constants)
    ]
    return b.model([add(b, op, inputs, "y", dtype, scale, **options)])


IMAGE = (1, 8, 8, 4)
CONV = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
POOL = {**CONV, "filter_height": 2, "filter_width": 2}
W = np.ones((4, 3, 3, 4), np.int8)
INT = np.int32
UNMAPPED: list[tuple[Model, str]] = [
    (one("CONV_2D", IMAGE, constants=(W.astype(np.float32),), dtype="float32", **CONV), TYPE),
    (one("ADD", IMAGE, IMAGE, dtype="int32"), TYPE),
    (one("CONV_2D", (2, 8, 8, 4), constants=(W,), **CONV), RANK),
    (one("CONV_2D", IMAGE, constants=(W,), **CONV, dilation_h_factor=2), UNSPECIFIED),
    (one("FULLY_CONNECTED", (1, 8), (4, 8)), UNSPECIFIED),
    (one("AVERAGE_POOL_2D", IMAGE, **POOL, fused_activation_function="RELU"), UNSPECIFIED),
    (one("CONCATENATION", IMAGE, constants=(np.ones(IMAGE, np.int8),), axis=3), UNSPECIFIED),
    (one("CONCATENATION", IMAGE, IMAGE, constants=(np.zeros(IMAGE, np.int8),), axis=3), UNSPECIFIED),
    (one("FULLY_CONNECTED", (2, 8), constants=(np.ones((4, 8), np.int8),)), UNSPECIFIED),
    (one("MEAN", IMAGE, constants=(INT([0, 1]),)), UNSPECIFIED),
    (one("MEAN", (1, 8, 8, 3), constants=(INT([3]),)), UNSPECIFIED),
    (one("MEAN", (1, 256, 128, 3), constants=(INT([1, 2]),)), UNSPECIFIED),
    (one("PRELU", IMAGE, constants=(np.ones((8, 8, 4), np.int8),)), UNSPECIFIED),
    (one("RESIZE_BILINEAR", (1, 2, 2, 4), constants=(INT([33, 33]),)), UNSPECIFIED),
    (one("RESIZE_BILINEAR", (1, 128, 128, 4), constants=(INT([256, 256]),)), UNSPECIFIED),
    (one("SOFTMAX", (1, 16001)), UNSPECIFIED),
    (one("SOFTMAX", (1, 2, 4)), UNSPECIFIED),
    (one("SQUEEZE", (1, 8, 1, 4), squeeze_dims=[2]), UNSPECIFIED),
    (one("STRIDED_SLICE", (1, 8), constants=(INT([0, 0]), INT([1, 8]), INT([1, 2]))), UNSPECIFIED),
    (one("ABS", IMAGE), NOT_SUPPORTED),
    (one("GELU", IMAGE), NOT_SUPPORTED),
]
TAKEN: list[Model] = [
    one("CONV_2D", IMAGE, constants=(W,), **CONV, dilation_h_factor=2, dilation_w_factor=2),
    one("AVERAGE_POOL_2D", IMAGE, **POOL),
    one("CONCATENATION", IMAGE, constants=(np.zeros(IMAGE, np.int8),), axis=3),
    one("FULLY_CONNECTED", (1, 8), constants=(np.ones((4, 8), np.int8),)),
    one("MEAN", IMAGE, constants=(INT([1, 2]),)),
    one("MEAN", IMAGE, constants=(INT([-1]),)),
    one("PRELU", IMAGE, constants=(np.ones(4, np.int8),)),
    one("RESIZE_BILINEAR", (1, 64, 64, 4), constants=(INT([128, 128]),)),
    one("SOFTMAX", (1, 16000)),
    one("SQUEEZE", (1, 1, 8, 4), squeeze_dims=[0, 1]),
    one("STRIDED_SLICE", (1, 8), constants=(INT([0, 0]), INT([1, 8]), INT([1, 1]))),
]


@pytest.mark.parametrize(("model", "status"), UNMAPPED, ids=lambda v: v if isinstance(v, str) else v.main.nodes[0].op)
def test_what_is_not_mapped(model: Model, status: str) -> None:
    (verdict,) = edgetpu.check(model).operators
    assert verdict.status == status
    assert verdict.reason and verdict.evidence in ("verified", "documented", "assumed")
    assert not verdict.parameter_bytes


@pytest.mark.parametrize("model", TAKEN, ids=lambda model: model.main.nodes[0].op)
def test_what_is_mapped(model: Model) -> None:
    (verdict,) = edgetpu.check(model).operators
    assert verdict.mapped and verdict.evidence == KNOWN[verdict.node.op]


def test_every_operator_of_the_table_is_known_here() -> None:
    assert all(find(op) is not None for op in KNOWN)


def chain(*ops: str) -> Model:
    """Operators of int8, one after the other."""
    b = Builder()
    value: Tensor = b.input("x", (1, 4), "int8", Quantization.of(0.1))
    for i, op in enumerate(ops):
        value = add(b, op, [value], f"{op}{i}".lower(), "int8", Quantization.of(0.1))
    return b.model([value])


def test_what_blocks_and_what_one_change_would_free() -> None:
    """Operators that cannot be mapped come before the piece or after it, and what follows from those behind, too."""
    prediction = edgetpu.check(chain("ABS", "RELU", "RELU6", "ABS", "RELU", "ABS", "RELU"))
    assert [v.mapped for v in prediction.operators] == [False, True, True, False, False, False, False]
    assert [v.blocker and v.blocker.outputs[0].name for v in prediction.operators] == [None] * 4 + ["abs3"] * 3
    assert [v.status for v in prediction.operators[3:]] == [NOT_SUPPORTED, ONE_SUBGRAPH, NOT_SUPPORTED, ONE_SUBGRAPH]
    assert [(node.outputs[0].name, count) for node, count in prediction.freed] == [("abs3", 2), ("abs0", 1)]
    assert (prediction.mapped, prediction.share) == (2, 2 / 7)


def test_the_piece_is_one_and_as_large_as_can_be() -> None:
    """No way leads out of it and back, and what could be in it but is not follows from a node behind it."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        count = int(rng.integers(1, 12))
        before = [[j for j in range(i) if rng.random() < 0.3] for i in range(count)]
        supported = rng.random((count, 1)) < 0.7
        inside = mapped(before, supported)[:, 0]
        reached: list[set[int]] = []  # all that a node follows from
        for places in before:
            reached.append(set(places).union(*(reached[p] for p in places)))
        behind = [not inside[i] and any(inside[p] for p in reached[i]) for i in range(count)]
        for i in range(count):
            assert not inside[i] or (supported[i] and not any(behind[p] for p in reached[i]))
            assert inside[i] or not supported[i] or any(behind[p] and not supported[p] for p in reached[i])


def test_a_file_that_the_compiler_refuses() -> None:
    model = chain("RELU", "RELU6")
    model.main.inputs[0].shape_signature = (-1, 4)
    prediction = edgetpu.check(model)
    assert prediction.share == 0 and prediction.mapped == 2
    (reason,) = prediction.refused
    assert "'x'" in reason and "(-1, 4)" in reason
    assert "Compilation would fail: tensor 'x'" in edgetpu.log(prediction)


def test_the_log_has_the_compilers_form() -> None:
    prediction = edgetpu.check(chain("RELU", "ABS", "RELU", "RELU"))
    assert edgetpu.log(prediction, "model.tflite", 1536).splitlines() == [
        "Edge TPU Compiler version 16.0 (predicted by pyquant: nothing was compiled)",
        "",
        "Input model: model.tflite",
        "Input size: 1.50KiB",
        "On-chip memory used for caching model parameters: 0.00B",
        "On-chip memory remaining for caching model parameters: 8.00MiB, less activations",
        "Off-chip memory used for streaming uncached model parameters: 0.00B",
        "Number of Edge TPU subgraphs: 1",
        "Total number of operations: 4",
        "",
        "Not all operators would be mapped to the Edge TPU; the others would run on the CPU, which is slower.",
        "Number of operations that will run on Edge TPU: 1",
        "Number of operations that will run on CPU: 3",
        "",
        "Operator                       Count      Status",
        "",
        "RELU                           1          Mapped to Edge TPU",
        "RELU                           2          More than one subgraph is not supported",
        "ABS                            1          Operation not supported",
    ]
    assert edgetpu.reasons(prediction).splitlines() == [
        "Count  Operator  Why                           Known       Holds back  First",
        "    1  ABS       the compiler does not map it  documented           2  abs1",
        "",
        "ABS 'abs1' alone keeps 3 operators from the device, itself among them.",
    ]


def pooled() -> Model:
    return one("AVERAGE_POOL_2D", IMAGE, **POOL, fused_activation_function="RELU6")


def wide_mean() -> Model:
    return one("MEAN", (1, 256, 128, 3), constants=(INT([1, 2]),), keep_dims=False)


def several_scales() -> Model:
    b, rng = Builder(), np.random.default_rng(0)
    x = b.input("x", (1, 32), "int8", Quantization.of(0.1, 3))
    scales = np.linspace(0.01, 0.02, 5)
    w = b.constant("w", rng.integers(-127, 128, (5, 32)).astype(np.int8), None, Quantization.of(scales))
    bias = b.constant("b", rng.integers(-999, 999, 5).astype(np.int32), None, Quantization.of(scales * 0.1))
    return b.model([add(b, "FULLY_CONNECTED", [x, w, bias], "y", "int8", Quantization.of(0.3, -4))])


def narrow() -> Model:
    b = Builder()
    x = b.input("x", (1, 8), "int8", Quantization.of(0.1, 3))
    w = b.constant("w", np.arange(40, dtype=np.int8).reshape(5, 8) % 15 - 7, "int4", Quantization.of(0.1))
    return b.model([add(b, "FULLY_CONNECTED", [x, w, None], "y", "int8", Quantization.of(0.3, -4))])


def leaky(dtype: str = "int8") -> Model:
    b = Builder()
    x = b.input("x", IMAGE, dtype, Quantization.of(0.1, 3))
    return b.model([add(b, "LEAKY_RELU", [x], "y", dtype, Quantization.of(0.07, 9), alpha=0.2)])


def leaky_uint8() -> Model:
    return leaky("uint8")


def swish() -> Model:
    b = Builder()
    x = b.input("x", IMAGE, "int8", Quantization.of(0.05, 3))
    return b.model([add(b, "HARD_SWISH", [x], "y", "int8", Quantization.of(0.03, -100))])


def squeezed() -> Model:
    return one("SQUEEZE", (1, 8, 1, 4), squeeze_dims=[2])


def of_any_number() -> Model:
    model = chain("RELU", "RELU6")
    model.main.inputs[0].shape_signature = (-1, 4)
    return model


def too_new() -> Model:
    model = chain("RELU", "RELU6")
    model.main.nodes[0].opcode.version = 9
    return model


def several_samples() -> Model:
    return one("CONV_2D", (3, 8, 8, 4), constants=(W,), **CONV)


# what is to be mended -> how many codes the values may be off by, and what is said
MENDED: dict[Callable[[], Model], tuple[int, str]] = {
    pooled: (0, "rewritten: 1 x AVERAGE_POOL_2D: the compiler maps it without fused activation only"),
    wide_mean: (1, "rewritten, rounded anew: 1 x MEAN: the compiler maps means over up to 8192 positions"),
    several_scales: (1, "rewritten, rounded anew: 1 x FULLY_CONNECTED: the compiler maps weights of one scale only"),
    narrow: (0, "rewritten: 1 x FULLY_CONNECTED: edgetpu"),
    squeezed: (0, "rewritten: 1 x SQUEEZE: the compiler takes out leading dimensions only"),
    leaky: (1, "rewritten, rounded anew: 1 x LEAKY_RELU: the compiler does not map it"),
    leaky_uint8: (1, "rewritten, rounded anew: 1 x LEAKY_RELU: the compiler does not map it"),
    swish: (2, "rewritten, rounded anew: 1 x HARD_SWISH: the compiler does not map it"),
    of_any_number: (0, "rewritten: 1 x tensors: shape"),
    too_new: (0, "rewritten: 1 x RELU: edgetpu has versions up to 3, the file declares 9"),
}


def codes(rng: np.random.Generator, tensor: Tensor) -> np.ndarray:
    lo, hi = tensor.dtype.limits
    return rng.integers(lo, hi, tensor.shape, endpoint=True).astype(tensor.dtype.numpy)


@pytest.mark.parametrize("make", MENDED, ids=lambda make: make.__name__)
def test_what_is_mended_computes_the_same(make: Callable[[], Model]) -> None:
    model, (off, said) = make(), MENDED[make]
    fixed = edgetpu.fix(model)
    assert edgetpu.check(model).share == 0 and fixed.prediction.share == 1
    assert len(fixed.done) == 1 and fixed.done[0].startswith(said) and not fixed.failed
    rng = np.random.default_rng(1)
    image = codes(rng, model.main.inputs[0])
    before, after = pq.compile(model)(image), pq.compile(fixed.model)(image)
    assert np.abs(before.astype(int) - after).max() <= off
    assert pq.compile(model, numerics="litert")(image).shape == after.shape


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_runtimes_take_what_is_mended(runtime: str, oracle_of: Callable[[str], Oracle]) -> None:
    oracle_of(runtime)
    for model in (edgetpu.fix(make()).model for make in MENDED):
        image = codes(np.random.default_rng(1), model.main.inputs[0])
        assert pq.validate(model, runtime, data=[image]).ok
    images = [np.random.default_rng(i).normal(0, 1, IMAGE).astype(np.float32) for i in range(4)]
    assert pq.validate(pq.quantize(activations(), "int8", data=images, target="edgetpu"), runtime, data=images[:1]).ok


def test_one_sample_at_a_time() -> None:
    model = several_samples()
    fixed = edgetpu.fix(model)
    assert fixed.prediction.share == 1 and fixed.model.main.inputs[0].shape == IMAGE
    images = np.random.default_rng(0).integers(-128, 128, (3, 8, 8, 4)).astype(np.int8)
    plan = pq.compile(fixed.model)
    np.testing.assert_array_equal(pq.compile(model)(images), np.concatenate([plan(image[None]) for image in images]))


def test_what_cannot_be_mended_is_said() -> None:
    """A product of samples: none of them goes without the others."""
    b = Builder()
    x = b.input("x", (2, 4, 4, 4), "int8", Quantization.of(0.1))
    flat = add(
        b, "RESHAPE", [x, b.constant("s", INT([1, 128]))], "flat", "int8", Quantization.of(0.1), new_shape=INT([1, 128])
    )
    fixed = edgetpu.fix(b.model([flat]))
    assert fixed.prediction.share == 0 and not fixed.done
    (why,) = fixed.failed
    assert why.startswith("one sample at a time: ")


def test_nothing_is_rounded_anew_for_nothing() -> None:
    """What follows from an operator that stays on the CPU stays as it is."""
    b, code = Builder(), Quantization.of(0.1)
    x = b.input("x", (1, 4), "int8", code)
    value = add(b, "ABS", [add(b, "RELU", [x], "relu", "int8", code)], "abs", "int8", code)
    fixed = edgetpu.fix(b.model([add(b, "HARD_SWISH", [value], "y", "int8", code)]))
    assert not fixed.done and [node.op for node in fixed.model.main.nodes] == ["RELU", "ABS", "HARD_SWISH"]


def test_inputs_and_outputs_become_integers() -> None:
    b = Builder()
    x = b.input("x", (1, 4))
    code = Quantization.of(0.1, 5)
    value = add(b, "RELU", [add(b, "QUANTIZE", [x], "q", "int8", code)], "r", "int8", code)
    model = b.model([add(b, "DEQUANTIZE", [value], "y", "float32")])
    fixed = edgetpu.fix(model)
    assert [node.op for node in fixed.model.main.nodes] == ["RELU"] and fixed.prediction.share == 1
    assert [t.dtype.name for t in (*fixed.model.main.inputs, *fixed.model.main.outputs)] == ["int8", "int8"]
    assert [done.partition(":")[0] for done in fixed.done] == ["input 'x' of integers", "output 'y' of integers"]


def activations() -> Model:
    """Float operators of which the compiler has none, in all ways that it can do what they do."""
    b, rng = Builder(), np.random.default_rng(0)
    x = b.input("x", IMAGE)
    w = b.constant("w", rng.normal(0, 0.2, (4, 3, 3, 4)).astype(np.float32))
    value = add(b, "CONV_2D", [x, w, b.constant("b", np.zeros(4, np.float32))], "conv", **CONV)
    value = add(b, "LEAKY_RELU", [value], "leaky", alpha=0.2)
    value = add(b, "HARD_SWISH", [value], "swish")
    return b.model([add(b, "AVERAGE_POOL_2D", [value], "y", **POOL, fused_activation_function="RELU")])


def test_quantizing_for_it() -> None:
    model, rng = activations(), np.random.default_rng(0)
    images = [rng.normal(0, 1, IMAGE).astype(np.float32) for _ in range(8)]
    plain, made = pq.quantize(model, "int8", data=images), pq.quantize(model, "int8", data=images, target="edgetpu")
    assert edgetpu.check(plain).mapped == 1
    assert edgetpu.check(made).share == 1
    assert {t.dtype.name for t in (*made.main.inputs, *made.main.outputs)} == {"int8"}
    real = pq.io_type(made, "float32", "float32")
    expected, found = (np.stack([pq.compile(m)(image) for image in images]) for m in (model, real))
    assert np.abs(found - expected).max() < 0.05 * np.ptp(expected)
    uint8 = pq.quantize(model, "int8", data=images, target="edgetpu", input_type="uint8")
    assert uint8.main.inputs[0].dtype.name == "uint8" and edgetpu.check(uint8).share == 1
    with pytest.raises(pq.RecipeError, match="target edgetpu: scheme int16x8: input_type 'int8'"):
        pq.quantize(model, "int16x8", data=images, target="edgetpu")


@pytest.mark.parametrize("name", [name for name in FLOAT if name.startswith(("mlperf_tiny", "efficientnet"))])
def test_real_models_quantized_for_it_are_mapped_fully(name: str, data_folder: Path) -> None:
    inputs, _ = FLOAT[name]
    model = pq.open(data_folder / "models" / f"{name}.tflite")
    samples = [list(sample.values()) for sample in islice(pq.samples(inputs(data_folder), model), 2)]
    prediction = edgetpu.check(pq.quantize(model, "int8", data=samples, target="edgetpu"))
    assert prediction.share == 1, edgetpu.reasons(prediction)


def test_the_verb(tmp_path: Path) -> None:
    path, mended = tmp_path / "model.tflite", tmp_path / "mended.tflite"
    pooled().save(path)
    said = run("edgetpu", "check", path, "--operators")
    assert said.exit_code == 0 and "Number of operations that will run on CPU: 1" in said.stdout
    assert "maps it without fused activation only" in said.stdout
    failed = run("edgetpu", "check", path, "--min-mapped", 0.5)
    assert failed.exit_code == 1 and "FAILED: 0.0% of the operators would be mapped" in failed.stdout
    assert run("edgetpu", "check", path, "--min-mapped", 0).exit_code == 0
    found = json.loads(run("edgetpu", "check", path, "--json").stdout)
    assert (found["mapped"], found["share"], found["operators"]) == (0, 0.0, 1)
    assert found["verdicts"][0]["status"] == UNSPECIFIED and found["verdicts"][0]["evidence"] == "documented"
    fixed = run("edgetpu", "check", path, "--fix", "-o", mended, "--min-mapped", 1)
    assert fixed.exit_code == 0 and "done: rewritten: 1 x AVERAGE_POOL_2D" in fixed.stdout
    assert [node.op for node in pq.open(mended).main.nodes] == ["AVERAGE_POOL_2D", "RELU6"]
    assert_fails(run("edgetpu", "check", path, "--fix", "-o", mended), 1, "--force overwrites")
    again = json.loads(run("edgetpu", "check", path, "--fix", "-o", mended, "--force", "--json").stdout)
    assert again["share"] == 1 and len(again["done"]) == 1
    assert_fails(run("edgetpu", "check", path, "--fix"), 2, "--fix and -o go together")


def test_the_verb_lists_the_rules() -> None:
    rows = run("edgetpu", "check", "--rules").stdout.splitlines()
    assert rows[0].split() == ["Known", "The", "compiler", "Operators"]
    assert {row.split()[0] for row in rows[1:]} == {"verified", "documented", "assumed"}


def test_a_compiled_file_is_not_compiled_again(data_folder: Path) -> None:
    prediction = edgetpu.check(pq.open(data_folder / "models/edgetpu_pairs/split_concat_edgetpu.tflite"))
    assert prediction.refused == ("the model: it is compiled already",) and prediction.share == 0


def test_the_verb_quantize_takes_it(tmp_path: Path) -> None:
    path, out = tmp_path / "float.tflite", tmp_path / "int8.tflite"
    activations().save(path)
    np.save(tmp_path / "data.npy", np.random.default_rng(0).normal(0, 1, (4, *IMAGE)).astype(np.float32))
    said = run("quantize", path, "-o", out, "--data", tmp_path / "data.npy", "--target", "edgetpu")
    assert said.exit_code == 0 and "operators would be mapped to the Edge TPU (predicted)" in said.stdout
    assert edgetpu.check(pq.open(out)).share == 1
