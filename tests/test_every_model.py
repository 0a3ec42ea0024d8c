"""Every model of the data folder: compiled for LiteRT's arithmetic, it equals ai-edge-litert's reference kernels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from running import CORRUPTED

import pyquant as pq
from pyquant.errors import OracleError, PyQuantError
from pyquant.validate import Oracle

# Those that do not run here, or not the same, and why.
LISTED = {
    "posenet_mobilenet_v1_075_481_641_16_quant_decoder": "a custom operator of the Edge TPU's library",
    **dict.fromkeys(("litert_test__custom_sinh", "litert_test__max_unpooling_2d"), "a custom operator of a test"),
    **dict.fromkeys(("lite__testdata__mixed", "with_metadata", "test_model", "test_model_versioned_ops"), "the same"),
    **dict.fromkeys(
        ("double_flex", "multi_add_flex", "softplus_flex", "string_input_flex_model"),
        "an operator of TensorFlow itself",
    ),
    "tensor_string_data_type": "ADD of strings, which TFLite does not run either",
    "0_subgraphs": "there is nothing to run",
    "simple_scatter_nd_op": "its indices are to be 0",
    **dict.fromkeys(("single_slice", "simple_squeeze"), "its declared shapes do not fit its operator"),
    **dict.fromkeys(("svdf_calibrated", "svdf_quantized"), "its state does not fit its weights"),
    **dict.fromkeys(("add_quantized", "add_quantized_int8"), "ADD of two types"),
    "qwen_fc_blockwise_quantized": "ai-edge-litert's reference kernel makes zeros of it; see below",
    **dict.fromkeys(
        ("w8_a16_quantized_attn_vec_einsum", "w8_a16_quantized_k_einsum", "w8_a16_quantized_v_einsum"),
        "BATCH_MATMUL with a scale for each column, which ai-edge-litert takes for 0",
    ),
}


def test_every_model(data_folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    oracle, compared, unlisted = oracle_of("ai-edge-litert"), 0, []
    for path in sorted(data_folder.rglob("*.tflite")):
        if path.stem.endswith("_edgetpu"):
            continue
        listed = any(path.stem == name or path.stem.endswith(f"_{name}") for name in LISTED)
        try:
            model = pq.open(path)
            inputs = feeds(model)
            found = pq.compile(model, numerics="litert", exact_floats=True)(*inputs)
        except PyQuantError as error:
            unlisted += [] if listed else [(path.stem, str(error))]
            continue
        if path.stem in CORRUPTED:
            continue
        try:
            oracle.load(model)
            expected = list(oracle.run(inputs).values())
        except OracleError:
            continue  # of which there are a few: it has no ELU and no ROUND, and refuses files that are not sound
        ours = [found] if isinstance(found, np.ndarray) else list(found)
        same = all(alike(a, b) for a, b in zip(ours, expected, strict=True))
        assert same != listed, path
        compared += same
    assert not unlisted
    assert compared > 250


def test_scales_by_blocks_equal_the_optimized_kernel(data_folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    oracle = oracle_of("ai-edge-litert")
    model = pq.open(next(data_folder.rglob("*qwen_fc_blockwise_quantized.tflite")))
    inputs = feeds(model)
    oracle.load(model, resolver="optimized")
    (expected,) = oracle.run(inputs).values()
    assert np.array_equal(pq.compile(model, numerics="litert")(*inputs), expected)


def feeds(model: pq.Model) -> list[np.ndarray]:
    """Random inputs; ones where an integer may be an index or a divisor, shapes as the file states them."""
    rng = np.random.default_rng(0)
    shapes = {node.inputs[0]: node.outputs[0].shape for node in model.main.nodes if node.op == "TRANSPOSE_CONV"}
    arrays = []
    for tensor in model.main.inputs:
        kind = tensor.dtype.numpy or np.dtype(np.uint8)
        if tensor.dtype.name == "string":
            arrays.append(np.array([b"%d\0" % i for i in range(tensor.size)], object).reshape(tensor.shape))
        elif tensor in shapes:
            arrays.append(np.array(shapes[tensor], kind))
        elif kind.kind == "f":
            arrays.append(rng.standard_normal(tensor.shape).astype(kind))
        elif kind.kind == "b" or kind.itemsize > 2:
            arrays.append(np.ones(tensor.shape, kind))
        else:
            limits = np.iinfo(kind)
            arrays.append(rng.integers(limits.min, limits.max, tensor.shape, kind))
    return arrays


def alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Integers equal; floats, whose order of sums is a kernel's own, within 1e-5 of the greatest."""
    if a.shape != b.shape or a.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    allowed = 1e-5 * np.abs(b[np.isfinite(b)]).max(initial=0)
    return bool(np.allclose(a, b, rtol=0, atol=allowed, equal_nan=True))
