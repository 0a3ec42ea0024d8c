"""Latency of whole models on one thread, beside tflite-runtime and ai-edge-litert with their default kernels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pyquant as pq
from pyquant.calibrate.data import random_samples
from pyquant.validate import RUNTIMES, Oracle

MODELS = {
    "ad01 int8": "mlperf_tiny/ad01_int8",
    "kws float32": "converter_variants/kws_float32",
    "kws dynamic": "converter_variants/kws_dynamic_range",
    "kws int8": "converter_variants/kws_int8_int8_io",
    "kws int16x8": "converter_variants/kws_int16x8_int16_io",
    "resnet int8": "converter_variants/resnet_int8_int8_io",
    "resnet int16x8": "converter_variants/resnet_int16x8_int16_io",
    "vww int8": "mlperf_tiny/vww_96_int8",
    "mobilenet_v2 uint8": "mobilenet/tf2_mobilenet_v2_1.0_224_ptq",
    "efficientnet_lite0 float32": "efficientnet_lite0/efficientnet_lite0_float32",
    "efficientnet_lite0 int8": "efficientnet_lite0/efficientnet_lite0_int8",
}
ROUNDS = 30


class Clock:
    """The time spent inside a runtime, as its process measured it, which pytest-benchmark reads as its clock."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize("peer", ["pyquant", *RUNTIMES])
@pytest.mark.parametrize("name", MODELS)
def test_model(name: str, peer: str, benchmark: Any, data_folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    benchmark.group = name
    path = data_folder / "models" / f"{MODELS[name]}.tflite"
    model = pq.open(path)
    inputs = next(random_samples(model, 1))
    if peer == "pyquant":
        session = pq.compile(model).session()
        benchmark.pedantic(session, inputs, rounds=ROUNDS, warmup_rounds=3)
        return
    oracle = oracle_of(peer)
    try:
        oracle.load(path, "default")
    except pq.OracleError as refusal:
        pytest.skip(str(refusal))
    clock = benchmark._timer = Clock()

    def run() -> None:
        clock.seconds += sum(oracle.time(inputs, runs=1, warmup=0))

    benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=3)
