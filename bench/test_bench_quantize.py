"""Quantizing a float model to int8 from calibration samples, beside ai-edge-quantizer where that is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pyquant as pq
from pyquant.calibrate.data import random_samples

MODELS = {
    "kws": "converter_variants/kws_float32",
    "resnet": "converter_variants/resnet_float32",
    "efficientnet_lite0": "efficientnet_lite0/efficientnet_lite0_float32",
}
SAMPLES = 10


@pytest.mark.parametrize("peer", ["pyquant", "ai-edge-quantizer"])
@pytest.mark.parametrize("name", MODELS)
def test_quantize(name: str, peer: str, benchmark: Any, data_folder: Path, tmp_path: Path) -> None:
    benchmark.group = f"quantize {name} to int8"
    path = data_folder / "models" / f"{MODELS[name]}.tflite"
    model = pq.open(path)
    data = list(random_samples(model, SAMPLES))

    def with_pyquant() -> None:
        pq.quantize(pq.open(path), "int8", data=data).save(tmp_path / "ours.tflite", overwrite=True)

    def with_ai_edge_quantizer() -> None:
        quantizer = peer_module.Quantizer(str(path), peer_module.recipe.static_wi8_ai8())
        signature = model.signatures[0]
        inputs = [dict(zip((n for n, _ in signature.inputs), arrays, strict=True)) for arrays in data]
        ranges = quantizer.calibrate({signature.key: inputs})
        quantizer.quantize(ranges).export_model(str(tmp_path / "theirs.tflite"), overwrite=True)

    if peer != "pyquant":
        peer_module = pytest.importorskip("ai_edge_quantizer")
        if not model.signatures:
            pytest.skip("ai-edge-quantizer takes models with a signature only")
    run = with_pyquant if peer == "pyquant" else with_ai_edge_quantizer
    benchmark.pedantic(run, rounds=5, warmup_rounds=1)
