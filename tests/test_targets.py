"""Targets: their op versions probed in the runtimes, and what they find in models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyquant import graph, targets
from pyquant.dtypes import BY_NAME
from pyquant.errors import OptionError, OracleError
from pyquant.graph import Builder, Model, Quantization
from pyquant.ops import lowest_version
from pyquant.ops.build import add
from pyquant.run.compile import compile
from pyquant.targets import TARGETS
from pyquant.validate import Oracle
from pyquant.wire import Record

RUNTIMES = {"tflite-runtime": "tflite-runtime-2.14", "ai-edge-litert": "ai-edge-litert-2.3"}
# Operators of one input and one output without options that a runtime reads, so that a file of one of them loads.
PROBED = (
    "ABS",
    "ADD",
    "CAST",
    "CONV_2D",
    "DEQUANTIZE",
    "DIV",
    "ELU",
    "EXP",
    "FULLY_CONNECTED",
    "GELU",
    "LOG",
    "LOGISTIC",
)
PROBED += ("LOG_SOFTMAX", "MUL", "NEG", "QUANTIZE", "RELU", "RELU6", "ROUND", "RSQRT", "SIN", "SQRT", "SQUARE", "TANH")


def one(op: str, version: int) -> Model:
    b = Builder()
    x, y = b.input("x", (1, 4)), b.tensor("y", (1, 4))
    b.node(op, [x], [y], version=version)
    return b.model([y])


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_highest_versions_are_those_of_the_runtime(runtime: str, oracle_of: Callable[[str], Oracle]) -> None:
    oracle, versions = oracle_of(runtime), targets.get(runtime).versions
    for op in PROBED:
        assert registered(oracle, one(op, versions[op])), op
        assert not registered(oracle, one(op, versions[op] + 1)), op


def registered(oracle: Oracle, model: Model) -> bool:
    """The runtime has the operator in that version; whether it likes the node does not matter."""
    try:
        oracle.load(model, resolver="optimized")
    except OracleError as error:
        return "Didn't find op" not in str(error)
    return True


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_kernels_are_those_of_the_runtime(runtime: str, oracle_of: Callable[[str], Oracle]) -> None:
    oracle, target = oracle_of(runtime), targets.get(runtime)
    for op in (
        "ABS",
        "DIV",
        "EXP",
        "GELU",
        "GREATER",
        "HARD_SWISH",
        "LOG",
        "NEG",
        "RELU",
        "SQRT",
        "SQUARED_DIFFERENCE",
    ):
        for kind in ("float32", "int8", "uint8", "int16", "int32", "int64"):
            model = elementwise(op, kind)
            assert bool(target.problems(model)) != runs(oracle, model), (op, kind)


def elementwise(op: str, kind: str) -> Model:
    """One application to numbers that are not negative."""
    b = Builder()
    scale = Quantization.of(0.05, ZERO[kind]) if kind in ZERO else None
    inputs = [b.input(name, (1, 4), kind, scale) for name in ("xz" if op in BINARY else "x")]
    y = b.tensor("y", (1, 4), "bool" if op == "GREATER" else kind, None if op == "GREATER" else scale)
    node = b.node(op, list(inputs), [y])
    node.opcode.version = lowest_version(node) or 1
    return b.model([y])


ZERO = {"int8": -128, "uint8": 0, "int16": 0}
BINARY = ("DIV", "GREATER", "SQUARED_DIFFERENCE")


def runs(oracle: Oracle, model: Model) -> bool:
    try:
        oracle.load(model, resolver="optimized")
        oracle.run([np.ones(t.shape, t.dtype.numpy) for t in model.main.inputs])
    except OracleError:
        return False
    return True


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_real_files_without_problems_load(runtime: str, data_folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    """And files with a fatal one are refused, but for those that load and then compute nonsense."""
    oracle, target = oracle_of(runtime), targets.get(runtime)
    for path in sorted(data_folder.rglob("*.tflite")):
        model = graph.open(path)
        found = [p for p in target.problems(model) if p.fatal]
        try:
            oracle.load(path, resolver="optimized")
        except OracleError:
            assert found or path.stem in MALFORMED, path
        else:
            assert not found or path.stem in NONSENSE, (path, [str(p) for p in found])


# No target's fault: sizes that do not fit, no subgraph.
MALFORMED = {
    "litert_test__simple_squeeze",
    *(f"tflite__converter__quantization__lite__testdata__{n}" for n in ("lstm_calibrated2", "lstm_quantized2")),
    *(f"tflite__converter__quantization__lite__testdata__{n}" for n in ("svdf_calibrated", "svdf_quantized")),
    "tflite__testdata__0_subgraphs",
}
NONSENSE = {"partly_quantized_mnist", "litert_test__qwen_fc_blockwise_quantized"}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_narrow_weights_under_float_inputs_are_read_by_these_kernels(
    runtime: str, oracle_of: Callable[[str], Oracle]
) -> None:
    """A kernel that there is not is refused, or misread: then the result is far from that of the same codes in int8."""
    oracle, target, x = oracle_of(runtime), targets.get(runtime), np.linspace(-1, 1, 64, dtype=np.float32)
    for op, operands in CONVOLUTIONS.items():
        for kind, scales in (
            ("int8", SEVERAL),
            ("int8", [0.1] * 4),
            ("int8", [0.1]),
            ("int4", SEVERAL),
            ("int2", SEVERAL),
        ):
            model, same = (weighted(op, operands, t, BY_NAME[kind].limits[1], scales) for t in (kind, "int8"))
            numerics = "litert" if op == "TRANSPOSE_CONV" else oracle.runtime.numerics  # which 2.14 has no kernel for
            expected = compile(same, numerics=numerics)(x.reshape(1, 4, 4, 4))
            try:
                oracle.load(model, resolver="optimized")
                (found,) = oracle.run([x.reshape(1, 4, 4, 4)]).values()
                reads = bool(np.allclose(found, expected, atol=1e-4))
            except OracleError:
                reads = False
            assert reads == (not target.problems(model)), (op, kind, scales)


# Operators -> shapes of weights, where x and they are among the inputs, options.
SEVERAL = [0.1, 0.2, 0.3, 0.4]
CONVOLUTIONS = {
    "CONV_2D": ((4, 3, 3, 4), "xwb", {}),
    "DEPTHWISE_CONV_2D": ((1, 3, 3, 4), "xwb", {"depth_multiplier": 1}),
    "TRANSPOSE_CONV": ((4, 3, 3, 4), "swx", {}),
}


def weighted(op: str, operands: tuple[Any, ...], kind: str, most: int, scales: list[float]) -> Model:
    """An operator of float images by weights of codes up to `most`."""
    (shape, order, more), b = operands, Builder()
    codes = np.random.default_rng(0).integers(-most, most, shape, endpoint=True).astype(np.int8)
    inputs = {
        "x": b.input("x", (1, 4, 4, 4)),
        "w": b.constant("w", codes, kind, Quantization.of(scales, 0, shape.index(4))),
        "b": b.constant("b", np.ones(4, np.float32)),
        "s": b.constant("s", np.int32([1, 4, 4, 4])),
    }
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1, **more}
    return b.model([add(b, op, [inputs[name] for name in order], "y", "float32", **options)])


def planted(**extra: object) -> Model:
    """ADD of a constant, whose tensor gets these fields."""
    b = Builder()
    x, y = b.input("x", (1, 4), "int8", Quantization.of(0.1)), b.tensor("y", (1, 4), "int8", Quantization.of(0.1))
    c = b.constant("c", np.ones((1, 4), np.int8), "int8", Quantization.of(0.1))
    b.node("ADD", [x, c], [y], Record("AddOptions"), version=2)
    for name, value in extra.items():
        setattr(c, name, value)
    return b.model([y])


@pytest.mark.parametrize(
    ("model", "target", "rules"),
    [
        (planted(), "tflm", ""),
        (planted(), "edgetpu", ""),
        (one("ELU", 1), "edgetpu", "gap"),
        (one("STABLEHLO_ADD", 1), "tflite-runtime-2.14", "operator"),
        (one("STABLEHLO_ADD", 1), "litert", ""),
        (one("ADD", 9), "litert", "version"),
        (one("ADD", 9), "tflm", ""),
        (one("GELU", 1), "tflite-2.5", "operator"),
        (behind := graph.load(graph.dump(planted(), layout="offset")), "tflm", "storage"),
        (behind, "tflite-runtime-2.14", ""),
        (behind.copy(), "tflm", ""),  # which is saved with constants inside
        (Model(), "litert", "subgraphs"),
        (planted(extra={"external_buffer": 1}), "tflite-runtime-2.14", "storage"),
        (planted(sparsity=Record("SparsityParameters")), "tflm", "sparsity"),
        (planted(shape_signature=(-1, 4)), "edgetpu", "shape"),
        (planted(dtype=BY_NAME["bfloat16"]), "tflite-runtime-2.14", "type"),
    ],
)
def test_problems(model: Model, target: str, rules: str) -> None:
    assert [problem.rule for problem in targets.get(target).problems(model)] == rules.split()


def test_a_fallback_takes_what_the_target_does_not_map() -> None:
    (problem,) = targets.get("edgetpu").problems(one("NEG", 1))[-1:]
    assert not problem.fatal
    assert "runs on the CPU" in str(problem)


def test_unknown_targets_are_refused_by_name() -> None:
    with pytest.raises(OptionError, match="tflm"):
        targets.get("abacus")


def test_every_target_says_where_its_facts_are_from() -> None:
    for name, target in TARGETS.items():
        assert target.name == name
        assert target.about and target.source and target.versions
        assert all(gap.reason for gaps in target.gaps.values() for gap in gaps)
