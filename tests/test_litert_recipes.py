"""litert-quantizer's recipes: files of the same types as there, by record and, where it is installed, beside it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import normal, runs_in_oracles

import pyquant as pq
from pyquant.ops.build import add
from pyquant.quantize import NAMED
from pyquant.quantize.recipe_json import dumps, loads

BENCH = Path(__file__).parents[1] / "bench"
SHAPE = (1, 8, 8, 4)
# What operators take and make as litert-quantizer 0.11 stores `model`, where that is not as in the float model.
RECORDED: dict[str, list[str]] = {
    "static_wi8_ai8": [
        "DEPTHWISE_CONV_2D int8 int8 int32 -> int8",
        "TANH int8 -> int8",
        "RELU int8 -> int8",
        "QUANTIZE int8 -> int8",
        "CONCATENATION int8 int8 -> int8",
        "HARD_SWISH int8 -> int8",
        "DEQUANTIZE int8 -> float32",
        "QUANTIZE float32 -> int8",
        "MEAN int8 int32 -> int8",
        "FULLY_CONNECTED int8 int8 - -> int8",
        "BATCH_MATMUL int8 int8 -> int8",
    ],
    "static_wi8_ai16": [
        "DEPTHWISE_CONV_2D int16 int8 int64 -> int16",
        "TANH int16 -> int16",
        "RELU int16 -> int16",
        "QUANTIZE int16 -> int16",
        "CONCATENATION int16 int16 -> int16",
        "DEQUANTIZE int16 -> float32",
        "QUANTIZE float32 -> int16",
        "MEAN int16 int32 -> int16",
        "FULLY_CONNECTED int16 int8 - -> int16",
        "BATCH_MATMUL int16 int8 -> int16",
    ],
    "dynamic_wi8_afp32": [
        "DEPTHWISE_CONV_2D float32 int8 float32 -> float32",
        "FULLY_CONNECTED float32 int8 - -> float32",
        "BATCH_MATMUL float32 int8 -> float32",
    ],
    "weight_only_wi8_afp32": ["DEQUANTIZE int8 -> float32"] * 3,
    "dynamic_wi4_afp32": ["FULLY_CONNECTED float32 int4 - -> float32"],
    "weight_only_wi4_afp32": ["DEQUANTIZE int4 -> float32"] * 2,
}


@pytest.fixture(scope="module")
def model() -> pq.Model:
    """What recipes differ in: no bias, a constant matrix, values joined, operators that only some of them take."""
    b = pq.Builder()
    x = b.input("x", SHAPE)
    w, bias = b.constant("spread/w", normal(1, 3, 3, 4)), b.constant("spread/b", normal(4))
    strides = {"padding": "SAME", "stride_h": 1, "stride_w": 1, "depth_multiplier": 1}
    spread = add(b, "DEPTHWISE_CONV_2D", [x, w, bias], "spread", **strides)
    both = add(b, "CONCATENATION", [add(b, name, [spread], name) for name in ("TANH", "RELU")], "both", axis=3)
    unit = add(b, "L2_NORMALIZATION", [add(b, "HARD_SWISH", [both], "swish")], "unit")
    mean = add(b, "MEAN", [unit, b.constant("axes", np.int32([1, 2]))], "mean")
    dense = add(b, "FULLY_CONNECTED", [mean, b.constant("dense/w", normal(16, 8)), None], "dense")
    return pq.add_signature(b.model([add(b, "BATCH_MATMUL", [dense, b.constant("matrix", normal(16, 8))], "y")]))


def feeds() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.uniform(-1, 1, SHAPE).astype(np.float32) for _ in range(8)]


def changed(model: pq.Model, made: pq.Model) -> list[str]:
    before, after = (Counter(map(types, m.main.nodes)) for m in (model, made))
    return sorted((after - before).elements())


def types(node: pq.Node) -> str:
    """TANH int8 -> int8"""
    taken = " ".join("-" if t is None else t.dtype.name for t in node.inputs)
    return f"{node.op} {taken} -> {node.outputs[0].dtype.name}"


@pytest.mark.parametrize("name", RECORDED)
def test_types_are_those_of_litert_quantizer(name: str, model: pq.Model) -> None:
    """Of a recipe by name and from its JSON; a runtime takes the file."""
    small, again = (pq.quantize(model, r, data=feeds()) for r in (name, loads(dumps(NAMED[name]), name)))
    assert changed(model, small) == sorted(RECORDED[name])
    assert pq.graph.dump(small) == pq.graph.dump(again)
    x = small.main.inputs[0]
    assert x.dtype.numpy is not None
    runs_in_oracles(small, [np.zeros(SHAPE, x.dtype.numpy)], newer=True)


@pytest.mark.parametrize("name", RECORDED)
def test_litert_quantizer_makes_what_is_recorded(
    name: str, model: pq.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCH)
    from litert_peer import LitertQuantizer, PeerError, save_samples

    try:
        peer = LitertQuantizer()
    except PeerError as missing:
        pytest.skip(str(missing))
    with peer:
        model.save(tmp_path / "float.tflite")
        save_samples(model, [[x] for x in feeds()], tmp_path / "samples.npz")
        peer.quantize(tmp_path / "float.tflite", name, tmp_path / "small.tflite", tmp_path / "samples.npz")
    assert changed(model, pq.open(tmp_path / "small.tflite")) == sorted(RECORDED[name])


def test_where_nothing_can_be_quantized_inputs_and_outputs_are() -> None:
    b = pq.Builder()
    model = b.model([add(b, "FLOOR", [b.input("x", (1, 4))], "y")])
    data = [np.linspace(-2, 2, 4, dtype=np.float32)]
    small = pq.quantize(model, "static_wi8_ai8", data=data)
    assert [n.op for n in small.main.nodes] == ["DEQUANTIZE", "FLOOR", "QUANTIZE"]
    with pytest.raises(pq.RecipeError, match="converts no operator"):
        pq.quantize(model, "int8", data=data)


def test_rules_for_all_reach_further_where_checks_are_skipped(model: pq.Model) -> None:
    (rule,) = NAMED["static_wi8_ai8"].rules
    wider = replace(NAMED["static_wi8_ai8"], rules=(replace(rule, skip_checks=True),))
    assert "L2_NORMALIZATION int8 -> int8" in changed(model, pq.quantize(model, wider, data=feeds()))
