"""Whole models beside ai-edge-litert in one process, call by call in turn: `python bench/race.py [GROUP ...]`.

A call is timed as a user makes it: inputs in, outputs out. Ours is compared with the reference kernels: bit for bit in
integers; of floats the distance is shown, as part of the greatest output. Where it is more than 1e-4, as where the last
bit of a float decides about a code, so is that of exact_floats. A ratio above 1: pyquant is faster.
Peak: how much of the time of a call of ours its multiply-accumulates take at the peak that `bench --profile` measures.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import pyquant as pq
from pyquant.calibrate.data import random_samples

GROUPS = {
    "int8": [
        "mlperf_tiny/kws_ref_model",
        "mlperf_tiny/pretrainedResnet_quant",
        "mlperf_tiny/vww_96_int8",
        "mlperf_tiny/ad01_int8",
        "mlperf_tiny/str_ww_ref_model",
        "edgetpu_pairs/mobilenet_v1_0.25_128_quant",
        "edgetpu_pairs/mobilenet_v2_1.0_224_quant",
        "mobilenet/tf2_mobilenet_v2_1.0_224_ptq",
        "edgetpu_pairs/mobilenet_edgetpu_0.75_224_post_training_quant",
        "efficientnet_lite0/efficientnet_lite0_int8",
        "edgetpu_pairs/deeplabv3_mnv2_dm05_pascal_quant",
        "edgetpu_pairs/movenet_single_pose_lightning_ptq",
    ],
    "int16x8": [
        "converter_variants/kws_int16x8_int16_io",
        "converter_variants/resnet_int16x8_int16_io",
        "efficientnet_lite0/efficientnet_lite0_int16x8_float_io",
        "transformer/*int16x8_float_io",
    ],
    "float32": [
        "converter_variants/kws_float32",
        "converter_variants/resnet_float32",
        "mlperf_tiny/vww_96_float",
        "mlperf_tiny/ad01_fp32",
        "mlperf_tiny/str_ww_ref_model_float32",
        "efficientnet_lite0/efficientnet_lite0_float32",
        "transformer/*float32",
    ],
    "dynamic": [
        "converter_variants/kws_dynamic_range",
        "converter_variants/resnet_dynamic_range",
        "efficientnet_lite0/efficientnet_lite0_dynamic_range",
        "transformer/*dynamic_range",
    ],
}
SECONDS = 1.5  # of measuring, for each model
FLOAT_TOLERANCE = 1e-4


class Peer:
    """A model in ai-edge-litert, called as a user calls it."""

    def __init__(self, path: Path, threads: int, reference: bool = False) -> None:
        kind = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
        self.interpreter = Interpreter(str(path), num_threads=threads, experimental_op_resolver_type=kind)
        self.interpreter.allocate_tensors()
        self.inputs = [d["index"] for d in self.interpreter.get_input_details()]
        self.outputs = [d["index"] for d in self.interpreter.get_output_details()]

    def __call__(self, *inputs: np.ndarray) -> list[np.ndarray]:
        for index, array in zip(self.inputs, inputs, strict=True):
            self.interpreter.set_tensor(index, array)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(index) for index in self.outputs]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", nargs="*", help=f"of {', '.join(GROUPS)}, or a model's path; default: all groups")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("PYQUANT_DATA", "../shared/data")))
    options = parser.parse_args(arguments)
    for name in options.group or GROUPS:
        models = [next((options.data / "models").glob(f"{m}.tflite")) for m in GROUPS.get(name, ())] or [Path(name)]
        print(f"{name:<52} {'ours ms':>8} {'peer ms':>8} {'ratio':>6} {'peak':>5}")
        ratios = [race(path, options.threads) for path in models]
        print(f"{'geometric mean':<70} {math.exp(sum(map(math.log, ratios)) / len(ratios)):6.2f}\n")
    return 0


def race(path: Path, threads: int) -> float:
    """Print and return the peer's median time over ours."""
    model = pq.open(path)
    (inputs,) = random_samples(model, 1)
    plan, peer = pq.compile(model, threads=threads, numerics="litert"), Peer(path, threads)
    session, least = plan.session(), least_seconds(plan, inputs)
    verdict = check(session(*inputs), path, inputs)
    if verdict.startswith("DIFFERS"):
        exact = pq.compile(model, threads=threads, numerics="litert", exact_floats=True)
        verdict += f"; exact_floats: {check(exact(*inputs), path, inputs)}"
    times: list[list[float]] = [[], []]
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times[0]) < 5:
        for runtime, taken in zip((session, peer), times, strict=True):
            taken.append(timed(runtime, inputs))
    ours, theirs = (float(np.median(taken)) for taken in times)
    row = f"{path.stem:<52} {ours * 1e3:8.3f} {theirs * 1e3:8.3f} {theirs / ours:6.2f} {least / ours:5.0%}"
    print(f"{row}  {verdict}", flush=True)
    return theirs / ours


def least_seconds(plan: pq.Plan, inputs: Sequence[np.ndarray]) -> float:
    """What the multiply-accumulates of a call take at the processor's peak in numbers of their types."""
    return sum(t.seconds * t.share for t in plan.profile(*inputs, runs=1) if t.share is not None)


def timed(runtime: Callable[..., Any], inputs: Sequence[np.ndarray]) -> float:
    """Seconds of a call: the mean of as many as take a millisecond, so that the other runtime matters little."""
    start = time.perf_counter()
    runtime(*inputs)
    runs = max(int(1e-3 / (time.perf_counter() - start)), 1)
    start = time.perf_counter()
    for _ in range(runs):
        runtime(*inputs)
    return (time.perf_counter() - start) / runs


def check(found: Any, path: Path, inputs: Sequence[np.ndarray]) -> str:
    """How ours compares with the reference kernels."""
    outputs = found if isinstance(found, tuple) else (found,)
    expected = Peer(path, 1, reference=True)(*inputs)
    integer = [np.array_equal(a, b) for a, b in zip(outputs, expected, strict=True) if a.dtype.kind != "f"]
    real = [
        np.abs(a - b).max() / max(np.abs(b).max(), 1e-30)
        for a, b in zip(outputs, expected, strict=True)
        if a.dtype.kind == "f"
    ]
    if not all(integer) or max(real, default=0) > FLOAT_TOLERANCE:
        return f"DIFFERS from the reference: {max(real, default=0):.1e}"
    return "equal" if integer else f"within {max(real):.0e}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
