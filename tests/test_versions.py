"""The lowest op version of a node: rows by feature, and what the data folder's files declare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pyquant import graph
from pyquant.errors import OracleError
from pyquant.graph import Builder, Model, Node, OpCode, Quantization, Tensor
from pyquant.ops import lowest_version
from pyquant.validate import Oracle
from pyquant.wire import Record

PER_TENSOR, PER_AXIS = Quantization.of(0.5), Quantization.of([0.5] * 4)


def node(
    op: str, *types: str, out: str | None = None, shape: tuple[int, ...] = (4, 1, 1, 4), **options: object
) -> Node:
    """Inputs of these types, "int8*" with a scale per channel, "int8+" with one scale; `out` defaults to the first."""
    b = Builder()
    record = Record(str(options.pop("table")), **options) if options else None
    tensors = [tensor(b, t, shape) for t in types]
    return b.node(op, list(tensors), [tensor(b, out or types[0], shape)], record)


def tensor(b: Builder, kind: str, shape: tuple[int, ...]) -> Tensor:
    scales = {"*": PER_AXIS, "+": PER_TENSOR}.get(kind[-1])
    return b.tensor(kind, shape, kind.rstrip("*+"), scales)


CONV, FC, LSTM = "Conv2DOptions", "FullyConnectedOptions", "UnidirectionalSequenceLSTMOptions"


@pytest.mark.parametrize(
    ("made", "version"),
    [
        (node("CONV_2D", "float32", "float32", "float32"), 1),
        (node("CONV_2D", "float32", "int8", "float32"), 2),
        (node("CONV_2D", "float32", "int8*", "float32"), 5),
        (node("CONV_2D", "int8", "int8", "int32"), 3),
        (node("CONV_2D", "int8", "int4", "int32"), 7),
        (node("CONV_2D", "int16", "int8", "int64"), 4),
        (node("CONV_2D", "int16", "int8", "int64", table=CONV, quantized_bias_type="INT64"), 4),
        (node("CONV_2D", "int16", "int8", "int32", table=CONV, quantized_bias_type="INT32"), 8),
        (node("DEPTHWISE_CONV_2D", "uint8", "uint8", table="DepthwiseConv2DOptions", dilation_w_factor=2), 2),
        (node("DEPTHWISE_CONV_2D", "float32", "int8*"), 6),
        (node("FULLY_CONNECTED", "float32", "float32", "float32"), 1),
        (node("FULLY_CONNECTED", "float32", "float32"), 6),
        (node("FULLY_CONNECTED", "float32", "int8", "float32"), 3),
        (node("FULLY_CONNECTED", "float32", "int8", "float32", table=FC, asymmetric_quantize_inputs=True), 9),
        (node("FULLY_CONNECTED", "float32", "int8*", "float32"), 12),
        (node("FULLY_CONNECTED", "int8", "int8*", "int32"), 4),
        (node("FULLY_CONNECTED", "int8", "int8", "int32", table=FC, keep_num_dims=True), 5),
        (node("FULLY_CONNECTED", "int16", "int8", "int64"), 7),
        (node("ADD", "int16+", "int16+", table="AddOptions", pot_scale_int16=False), 3),
        (node("ADD", "int16", "int16", table="AddOptions", pot_scale_int16=False), 5),
        (node("MUL", "uint8+", "uint8+"), 1),
        (node("MUL", "int16+", "int16+"), 4),
        (node("MUL", "int16", "int16"), 7),
        (node("QUANTIZE", "float32", out="int8*"), 3),
        (node("DEQUANTIZE", "int8*", out="float32"), 5),
        (node("DEQUANTIZE", "float16", out="float32"), 3),
        (node("TRANSPOSE", "int8", shape=(1,) * 5), 4),
        (node("SUB", "float32", "float32", shape=(1,) * 5), 1),
        (node("BROADCAST_TO", "float32", "int32"), 2),
        (node("CAST", "float32", out="int2"), 8),
        (node("UNIDIRECTIONAL_SEQUENCE_LSTM", "float32", "int8", "int8", table=LSTM, time_major=True), 2),
        (node("STABLEHLO_ADD", "float32", "float32"), 1),
    ],
    ids=lambda value: value.op if isinstance(value, Node) else str(value),
)
def test_features_by_version(made: Node, version: int) -> None:
    assert lowest_version(made) == version


def test_no_version_is_known_of_what_is_not_builtin() -> None:
    b = Builder()
    x = b.input("x", (1,))
    assert lowest_version(b.node("CUSTOM", [x], [x], custom_code="Mine")) is None
    assert lowest_version(b.node("BUILTIN_250", [x], [x])) is None


# Files whose declared versions are others, by who wrote them; every other file declares the lowest ones.
OTHERS = {
    "kws_ref_model_float32": "float nodes beside hybrid ones, numbered together",
    "person_detect": "an early converter",
    **dict.fromkeys(
        (
            "mnist_quantized",
            "partly_quantized_mnist",
            "single_fc_bias_sub_channel_weight_only_sym_weight",
            "litert_test__single_mul_default_a8w8_recipe_quantized",
            "litert_test__single_rsqrt_default_a8w8_recipe_quantized",
        ),
        "ai-edge-quantizer, which does not renew versions",
    ),
    **dict.fromkeys(("tflite__testdata__add_quantized_int8", "tflite__testdata__test_model_versioned_ops"), "by hand"),
}


def test_files_declare_the_lowest_versions(data_folder: Path) -> None:
    """But for 16-bit nodes, which the converter numbers as 8-bit ones, and what the Edge TPU compiler leaves, all 1."""
    for path in sorted(data_folder.rglob("*.tflite")):
        if path.stem in OTHERS or path.stem.endswith("_edgetpu"):
            continue
        needed: dict[OpCode, list[int]] = {}
        for made in (n for s in graph.open(path).subgraphs for n in s.nodes):
            wide = any(t is not None and t.dtype.name == "int16" for t in (*made.inputs, *made.outputs))
            version = None if wide else lowest_version(made)
            if version is not None:
                needed.setdefault(made.opcode, []).append(version)
        for opcode, versions in needed.items():
            assert opcode.version == max(versions), (path, opcode)


@pytest.mark.parametrize("runtime", ["tflite-runtime", "ai-edge-litert"])
def test_the_runtimes_have_the_lowest_versions(
    runtime: str, data_folder: Path, oracle_of: Callable[[str], Oracle]
) -> None:
    """A file that loads still loads with the lowest versions."""
    oracle = oracle_of(runtime)
    for path in sorted((data_folder / "models" / "single_ops").rglob("*.tflite")):
        model = graph.open(path)
        nodes = [n for s in model.subgraphs for n in s.nodes]
        if all(lowest_version(n) in (n.opcode.version, None) for n in nodes) or not loads(oracle, model):
            continue
        for n in nodes:
            n.opcode = replace(n.opcode, version=lowest_version(n) or n.opcode.version)
        assert loads(oracle, model) or path.stem in TOO_NEW, path


TOO_NEW = {"partly_quantized_mnist"}  # FULLY_CONNECTED 12 in tflite-runtime 2.14, which gives nonsense for it


def loads(oracle: Oracle, model: Model) -> bool:
    try:
        oracle.load(model, resolver="optimized")
    except OracleError:
        return False
    return True
