"""A network with every kind of constraint, its samples, and the check that a quantized one obeys its slots."""

from __future__ import annotations

import numpy as np
import pytest

import pyquant as pq
from pyquant.dtypes import FLOAT32, INT16, UINT8
from pyquant.graph import Builder, Model, Tensor
from pyquant.ops import Fixed, Product, SameAs, find
from pyquant.ops.build import add
from pyquant.validate.oracle import Oracle

rng = np.random.default_rng(7)
START = rng.bit_generator.state


def restart() -> None:
    """Draw the same numbers again: each test does, whichever ran before."""
    rng.bit_generator.state = START


def normal(*shape: int) -> np.ndarray:
    return rng.normal(0, 0.4, shape).astype(np.float32)


def conv(b: Builder, x: Tensor, channels: int, name: str, **options: object) -> Tensor:
    w = b.constant(f"{name}/w", normal(channels, 3, 3, x.shape[3]))
    bias = b.constant(f"{name}/b", normal(channels))
    return add(b, "CONV_2D", [x, w, bias], name, **{"padding": "SAME", "stride_h": 1, "stride_w": 1} | options)


def network() -> Model:
    """Every kind of constraint: free, shared, fixed, a constant operand, a branch, and a value read twice."""
    b = Builder()
    x = b.input("x", (1, 8, 8, 3))
    stem = conv(b, x, 8, "stem", fused_activation_function="RELU6")
    left = add(b, "LOGISTIC", [conv(b, stem, 8, "left")], "gate")
    right = conv(b, stem, 8, "right", fused_activation_function="RELU")
    both = add(b, "CONCATENATION", [left, right, stem], "both", axis=3)
    half = b.constant("half", np.float32([0.5]))
    pooled = add(
        b, "MAX_POOL_2D", [add(b, "MUL", [both, half], "halved")], "pooled",
        filter_height=2, filter_width=2, stride_h=2, stride_w=2, padding="VALID",
    )  # fmt: skip
    mean = add(b, "MEAN", [pooled, b.constant("axes", np.int32([1, 2]))], "mean")
    w, bias = b.constant("dense/w", normal(50, 24)), b.constant("dense/b", normal(50))
    logits = add(b, "FULLY_CONNECTED", [mean, w, bias], "logits")
    return b.model([add(b, "SOFTMAX", [logits], "y", beta=1.0), mean])


def samples(count: int = 8) -> list[np.ndarray]:
    return [rng.uniform(-1, 1, (1, 8, 8, 3)).astype(np.float32) for _ in range(count)]


def runs_in_oracles(model: Model, feeds: list[np.ndarray], newer: bool = False) -> list[np.ndarray]:
    """The outputs of the last runtime that is here; every runtime, or the newer one, must load and run the file."""
    outputs: list[np.ndarray] = []
    for runtime in ("ai-edge-litert", "tflite-runtime")[: 1 if newer else 2]:
        for resolver in ("default", "reference"):
            try:
                oracle = Oracle(runtime)
            except pq.OracleError as missing:
                pytest.skip(str(missing))
            with oracle:
                oracle.load(model, resolver)
                outputs = list(oracle.run(feeds).values())
    return outputs


def assert_obeys_slots(model: Model) -> None:
    """Every node that computes in integers has the scales that its operator's slots prescribe."""
    for node in model.main.nodes:
        operator = find(node.op)
        if operator is None or node.op in ("QUANTIZE", "DEQUANTIZE", "CAST"):
            continue
        seen: dict[str, Tensor] = {}
        inputs = zip(operator.slots(node.inputs), node.inputs, strict=True)
        outputs = zip(operator.slots(node.outputs, outputs=True), node.outputs, strict=True)
        for slot, tensor in (*inputs, *outputs):
            if tensor is None or slot.role == "data" or tensor.dtype is FLOAT32:
                continue
            assert tensor.is_quantized, f"{node.label}: {tensor.name}"
            q = tensor.quantization
            assert q is not None and np.all(q.scale > 0) and np.all(np.isfinite(q.scale))
            if (slot.role in ("weight", "bias") and tensor.dtype is not UINT8) or tensor.dtype is INT16:
                assert not q.zero_point.any()
            if isinstance(slot.scale, Fixed) and tensor.dtype.name in slot.scale.values:
                assert (float(q.scale[0]), int(q.zero_point[0])) == slot.scale.values[tensor.dtype.name]
            if isinstance(slot.scale, SameAs) and slot.scale.binds(tensor.dtype.name) and slot.scale.slot in seen:
                assert seen[slot.scale.slot].quantization == q, f"{node.label}: {tensor.name}"
            if isinstance(slot.scale, Product):
                x, w = seen[slot.scale.first].quantization, seen[slot.scale.second].quantization
                assert x is not None and w is not None
                np.testing.assert_array_equal(q.scale, x.scale * w.scale)
            seen[slot.name] = tensor
