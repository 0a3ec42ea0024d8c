"""compat: what it lowers, that outputs stay bit for bit, and that it names everything it cannot lower."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from running import feeds, ours, theirs
from test_models import kws, no_data, photographs

import pyquant as pq
from pyquant import graph
from pyquant.cli import main
from pyquant.errors import OracleError, UnsupportedOp
from pyquant.graph import Builder, Model, Quantization, Tensor
from pyquant.ops.build import add
from pyquant.rewrite import compat
from pyquant.validate import Oracle
from pyquant.wire import Record

# Files and inputs; why tflite-runtime 2.14 refuses the file as it is, "" where it does not.
CONVERTED = {
    "converter_variants/kws_dynamic_range": (kws, 20, ""),
    "converter_variants/kws_int16x8_float_io": (kws, 20, ""),
    "converter_variants/kws_int16x8_int16_io": (kws, 20, ""),
    "efficientnet_lite0/efficientnet_lite0_dynamic_range": (photographs(127, 128), 3, "FULLY_CONNECTED.*version '12'"),
    "efficientnet_lite0/efficientnet_lite0_int16x8_float_io": (photographs(127, 128), 2, ""),
    "tflm_examples/person_detect": (no_data(40, 96, 96, 1), 5, "quantized_dimension must be in range"),
}


@pytest.mark.parametrize("file", CONVERTED)
def test_files_run_in_tflite_runtime_as_they_did(
    file: str, data_folder: Path, oracle_of: Callable[[str], Oracle]
) -> None:
    """The lowered file in 2.14 equals the original file by our kernels with 2.14's arithmetic, on every sample.

    2.3 computes FULLY_CONNECTED and the rounding of inputs that it quantizes at run time otherwise than 2.14 does, so
    the original file in 2.3 is no measure here; that the lowered file is equal to it there, the test above tells.
    """
    oracle = oracle_of("tflite-runtime")
    inputs, count, refusal = CONVERTED[file]
    path = data_folder / "models" / f"{file}.tflite"
    model = graph.open(path)
    if refusal:
        with pytest.raises(OracleError, match=refusal):
            oracle.load(path)
    plan = pq.compile(model, numerics="tflite", exact_floats=True)
    oracle.load(compat(model, "tflite-runtime-2.14"))
    for sample in islice(pq.samples(inputs(data_folder), model), count):
        (theirs,) = oracle.run(list(sample.values())).values()
        assert np.array_equal(theirs, plan(*sample.values()))


def test_minilm_loads_in_tflite_runtime(data_folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    oracle = oracle_of("tflite-runtime")
    made = compat(graph.open(data_folder / "models/transformer/minilm_2layer_dynamic_range.tflite"), "tflite-runtime")
    oracle.load(made)
    assert all(np.isfinite(array).all() for array in oracle.run(feeds(made)).values())


def product(
    shape: tuple[int, ...] = (3, 8), signature: tuple[int, ...] | None = None, dtype: str = "int8", **options: object
) -> Model:
    """Rows of 8 floats by 5 rows of weights in integers, a scale for each."""
    rng = np.random.default_rng(0)
    b = Builder()
    x = b.input("x", shape)
    x.shape_signature = signature
    w = b.constant("w", rng.integers(-7, 8, (5, 8)).astype(np.int8), dtype, Quantization.of(rng.uniform(0.01, 1, 5)))
    bias = b.constant("b", rng.normal(size=5).astype(np.float32))
    y = b.tensor("y", (*shape[:-1], 5) if options.get("keep_num_dims") else (int(np.prod(shape[:-1])), 5))
    b.node("FULLY_CONNECTED", [x, w, bias], [y], Record("FullyConnectedOptions", **options), version=12)
    return b.model([y])


@pytest.mark.parametrize(
    "model",
    [
        product(asymmetric_quantize_inputs=True),
        product(asymmetric_quantize_inputs=True, fused_activation_function="RELU6"),
        product((2, 3, 8), asymmetric_quantize_inputs=True, keep_num_dims=True),
        product((2, 3, 8), asymmetric_quantize_inputs=True),
        product((1, 8), (-1, 8), asymmetric_quantize_inputs=True),
    ],
)
def test_weights_of_several_scales_become_a_depthwise_convolution(
    model: Model, oracle_of: Callable[[str], Oracle]
) -> None:
    made = compat(model, "tflite-runtime-2.14")
    assert [node.op for node in made.main.nodes] == ["RESHAPE", "DEPTHWISE_CONV_2D", "RESHAPE"]
    assert [node.op for node in model.main.nodes] == ["FULLY_CONNECTED"]
    inputs = [np.random.default_rng(1).normal(size=model.main.inputs[0].shape).astype(np.float32)]
    new, old = oracle_of("ai-edge-litert"), oracle_of("tflite-runtime")
    assert theirs(new, made, inputs, "reference") == theirs(new, model, inputs, "reference")
    assert theirs(old, made, inputs, "reference") == ours(model, inputs) == ours(made, inputs)


NO_ATTRIBUTES = np.array([0, 0, 1, 0, 0, 36, 1], np.uint8)  # an empty FlexBuffers map


def composite(dtype: str = "float32") -> Model:
    """y = RELU(x) + RELU(x), the RELU and the sum inside a composite operator."""
    body = Builder("body")
    a, b, c = body.input("a", (1, 4), dtype), body.tensor("b", (1, 4), dtype), body.tensor("c", (1, 4), dtype)
    body.node("RELU", [a], [b])
    body.node("ADD", [b, b], [c], Record("AddOptions"))
    outer = Builder()
    x, y = outer.input("x", (1, 4), dtype), outer.tensor("y", (1, 4), dtype)
    options = Record("StableHLOCompositeOptions", name="test.twice", composite_attributes=NO_ATTRIBUTES)
    node = outer.node("STABLEHLO_COMPOSITE", [x], [y], options)
    model, inner = outer.model([y]), body.model([c])
    model.subgraphs.append(inner.main)
    node.subgraphs["decomposition_subgraph_index"] = inner.main
    return model


def test_composite_operators_become_what_defines_them(oracle_of: Callable[[str], Oracle]) -> None:
    model, made = composite(), compat(composite(), "tflite-runtime-2.14")
    assert [node.op for node in made.main.nodes] == ["RELU", "ADD"]
    assert [t.name for t in made.main.tensors] == ["x", "y", "y/b"]
    assert len(made.subgraphs) == 1
    assert graph.dump(compat(model, "litert")) == graph.dump(model)
    inputs = [np.array([[-1, 0, 1, 2]], np.float32)]
    before = theirs(oracle_of("ai-edge-litert"), model, inputs, "reference")
    assert theirs(oracle_of("tflite-runtime"), made, inputs, "reference") == before


def test_int4_weights_become_int8(oracle_of: Callable[[str], Oracle]) -> None:
    b = Builder()
    x = b.input("x", (3, 8), "int8", Quantization.of(0.1, 3))
    codes = np.arange(40, dtype=np.int8).reshape(5, 8) % 15 - 7
    w = b.constant("w", codes, "int4", Quantization.of(np.linspace(0.1, 0.2, 5)))
    y = b.tensor("y", (3, 5), "int8", Quantization.of(0.7, -4))
    bias = b.constant("b", np.arange(5, dtype=np.int32), quantization=Quantization.of(np.linspace(0.01, 0.02, 5)))
    b.node("FULLY_CONNECTED", [x, w, bias], [y], Record("FullyConnectedOptions"), version=10)
    model = b.model([y])
    made = compat(model, "tflite-runtime-2.14")
    (node,) = made.main.nodes
    assert (node.inputs[1].dtype.name, node.opcode.version) == ("int8", 4)
    inputs = [np.arange(-12, 12, dtype=np.int8).reshape(3, 8)]
    assert theirs(oracle_of("tflite-runtime"), made, inputs, "reference") == ours(model, inputs)
    assert compat(model, "tflm").main.nodes[0].opcode.version == 10  # which it reads as it is


def test_versions_go_down_and_codes_merge() -> None:
    b = Builder()
    x = b.input("x", (1, 4))
    y, z = b.tensor("y", (1, 4)), b.tensor("z", (1, 4))
    b.node("RELU", [x], [y], version=3)
    b.node("RELU", [y], [z], version=2)
    model = b.model([z])
    made = compat(model, "litert")
    assert [(code.name, code.version) for code in made.opcodes] == [("RELU", 1)]
    assert [node.opcode.version for node in model.main.nodes] == [3, 2]


def test_everything_that_cannot_be_lowered_is_named() -> None:
    b = Builder()
    x = b.input("x", (1, 4))
    y, z = b.tensor("y", (1, 4)), b.tensor("z", (1, 4))
    b.node("CUSTOM", [x], [y], custom_code="Mine")
    b.node("STABLEHLO_ADD", [y, y], [z], version=1)
    model = b.model([z])
    with pytest.raises(UnsupportedOp, match=r"Mine 'y'.*; STABLEHLO_ADD 'z'") as raised:
        compat(model, "tflite-runtime-2.14")
    assert "tflite-runtime-2.14 does not take the model" in str(raised.value)
    assert len(compat(model, "tflite-runtime-2.14", strict=False).main.nodes) == 2
    with pytest.raises(UnsupportedOp, match="FULLY_CONNECTED 'y'"):
        compat(product(asymmetric_quantize_inputs=False), "tflite-runtime-2.14")


def test_what_a_fallback_runs_is_no_obstacle() -> None:
    b = Builder()
    x: Tensor = b.input("x", (1, 4))
    y = b.tensor("y", (1, 4))
    b.node("NEG", [x], [y])
    assert len(compat(b.model([y]), "edgetpu").main.nodes) == 1


POOL = {"padding": "SAME", "stride_h": 1, "stride_w": 1, "filter_height": 2, "filter_width": 2}


@pytest.mark.parametrize("activation", ["RELU", "RELU_N1_TO_1", "RELU6"])
@pytest.mark.parametrize("kind", ["float32", "int8", "uint8"])
def test_activations_become_nodes_of_their_own(kind: str, activation: str) -> None:
    b, rng = Builder(), np.random.default_rng(0)
    scale = None if kind == "float32" else Quantization.of(0.1, 5)
    x = b.input("x", (1, 8, 8, 3), kind, scale)
    model = b.model([add(b, "AVERAGE_POOL_2D", [x], "y", kind, scale, fused_activation_function=activation, **POOL)])
    made = compat(model, "edgetpu")
    assert [node.op for node in made.main.nodes] == ["AVERAGE_POOL_2D", activation]
    image = rng.normal(0, 5, x.shape).astype(np.float32)
    inputs = [image if scale is None else rng.integers(0, 128, x.shape).astype(kind)]
    assert ours(made, inputs) == ours(model, inputs)


def test_what_rounds_otherwise_is_lowered_where_that_may_be() -> None:
    b = Builder()
    x = b.input("x", (1, 4, 4, 3))
    leaky = add(b, "LEAKY_RELU", [x], "leaky", alpha=0.2)
    model = b.model([leaky, add(b, "HARD_SWISH", [x], "swish")])
    exact, rounded = compat(model, "edgetpu", strict=False), compat(model, "edgetpu", strict=False, exact=False)
    assert [node.op for node in exact.main.nodes] == ["PRELU", "HARD_SWISH"]
    assert [node.op for node in rounded.main.nodes] == ["PRELU", "ADD", "MUL", "MUL"]
    image = np.random.default_rng(0).normal(0, 3, x.shape).astype(np.float32)
    assert ours(exact, [image]) == ours(model, [image])
    for found, expected in zip(pq.compile(rounded)(image), pq.compile(model)(image), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_the_release_in_the_metadata_follows(data_folder: Path) -> None:
    model = graph.open(data_folder / "models/transformer/minilm_2layer_dynamic_range.tflite")
    assert release(model) == b"2.17.0".ljust(16, b"\0")
    assert release(compat(model, "tflite-runtime-2.14")) == b"2.9.0".ljust(16, b"\0")
    assert release(compat(model, "litert")) == release(model)


def release(model: Model) -> bytes:
    data = dict(model.metadata)["min_runtime_version"].data
    assert data is not None
    return data.tobytes()


@pytest.mark.parametrize(
    ("made", "arguments", "code", "said"),
    [
        (product(asymmetric_quantize_inputs=True), "--target tflite-runtime-2.14 -o OUT", 0, "3 operators"),
        (product(asymmetric_quantize_inputs=True), "--target litert", 0, ""),
        (product(asymmetric_quantize_inputs=False), "--target tflite-runtime -o OUT", 1, "FULLY_CONNECTED 'y'"),
        (product(asymmetric_quantize_inputs=False), "--target tflite-runtime -o OUT --anyway", 0, "1 operators"),
        (product(asymmetric_quantize_inputs=False), "--target tflm --json", 1, '"rule": "gap"'),
        (composite(), "--target abacus", 2, "abacus"),
        (composite(), "", 2, "--target"),
    ],
)
def test_command(made: Model, arguments: str, code: int, said: str, tmp_path: Path) -> None:
    out = tmp_path / "out.tflite"
    made.save(tmp_path / "in.tflite")
    words = [word.replace("OUT", str(out)) for word in arguments.split()]
    result = CliRunner().invoke(main, ["compat", str(tmp_path / "in.tflite"), *words])
    assert result.exit_code == code, result.output
    assert said in result.output
    assert out.exists() == (code == 0 and "OUT" in arguments)
    if out.exists():
        assert CliRunner().invoke(main, ["compat", str(tmp_path / "in.tflite"), *words]).exit_code == 1  # no --force
