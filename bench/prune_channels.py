"""What models lose and gain without channels: `PYQUANT_DATA=folder python bench/prune_channels.py JOB`.

speed: bytes, and milliseconds of a call in pyquant and in ai-edge-litert, whole and pruned models in turn.
accuracy: top-1 in percent, of plain pruning and of pruning with data, by the share that goes; nothing is trained again.
models: every float model of the folder, its casts of weights folded: pruned, saved, opened, and run here and in
ai-edge-litert; exits with 1 where these differ. Sizes by the share that goes, or why nothing goes.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from accuracy import Task, efficientnet_lite0, kws, resnet
from race import Peer, check, timed

import pyquant as pq
from pyquant.calibrate.data import random_samples
from pyquant.errors import PyQuantError

FLOAT = (
    "mlperf_tiny/pretrainedResnet",
    "mlperf_tiny/pretrainedResnet_large_float",
    "mlperf_tiny/vww_96_float",
    "efficientnet_lite0/efficientnet_lite0_float32",
)
TASKS = {"resnet": resnet, "kws": kws, "EfficientNet-Lite0": efficientnet_lite0}
SHARES = (0.1, 0.25, 0.5)
SECONDS = 4.0  # of measuring, for each model


def speed(data: Path) -> int:
    print(f"{'':<34} {'bytes':>9} {'pyquant':>9} {'litert':>9}")
    for name in FLOAT:
        model = pq.open(data / "models" / f"{name}.tflite")
        with tempfile.TemporaryDirectory() as folder:
            files = {}
            for label, made in (("", model), *((f"-{s:.0%}", pq.prune_channels(model, s)) for s in (0.25, 0.5))):
                files[label] = Path(folder) / f"model{label}.tflite"
                made.save(files[label])
            rows = race(list(files.values()), list(next(iter(random_samples(model, 1)))))
            for (label, path), (ours, theirs) in zip(files.items(), rows, strict=True):
                size = path.stat().st_size
                print(f"{Path(name).stem + ' ' + label:<34} {size:9} {ours * 1e3:9.3f} {theirs * 1e3:9.3f}", flush=True)
    return 0


def race(paths: Sequence[Path], inputs: Sequence[np.ndarray]) -> list[tuple[float, float]]:
    """The medians of calls of each file, here and in ai-edge-litert, all in turn."""
    pairs = [(pq.compile(pq.open(path), numerics="litert").session(), Peer(path, 1)) for path in paths]
    runtimes = [runtime for pair in pairs for runtime in pair]
    times: list[list[float]] = [[] for _ in runtimes]
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times[0]) < 5:
        for runtime, taken in zip(runtimes, times, strict=True):
            taken.append(timed(runtime, inputs))
    medians = [float(np.median(taken)) for taken in times]
    return list(zip(medians[::2], medians[1::2], strict=True))


def accuracy(data: Path) -> int:
    header = " ".join(f"{share:>6.0%} {'data':>6}" for share in SHARES)
    print(f"{'':<20} {'whole':>6} {header}")
    for name, make in TASKS.items():
        task = make(data)
        pruned = (pq.prune_channels(task.model, share, d) for share in SHARES for d in (None, task.calibration))
        found = [top1(task, model) for model in (task.model, *pruned)]
        print(f"{name:<20} " + " ".join(f"{score:6.1f}" for score in found), flush=True)
    return 0


def top1(task: Task, model: pq.Model) -> float:
    session = pq.compile(model).session()
    outputs = np.concatenate([np.array(session(sample[None])) for sample in task.inputs])
    return task.score(outputs, task, outputs)


def models(data: Path) -> int:
    failed = 0
    for path, model in float_models(data / "models"):
        groups = pq.channel_groups(model)
        name = path.relative_to(data / "models").with_suffix("")
        if not any(group.reason is None and group.count > 1 for group in groups):
            reasons = "; ".join(dict.fromkeys(g.reason or "one channel alone" for g in groups)) or "no weight makes any"
            print(f"{name}: loses nothing: {reasons}")
            continue
        sizes, verdicts = [], set()
        for share in SHARES:
            with tempfile.TemporaryDirectory() as folder:
                small = Path(folder) / "small.tflite"
                sizes.append(pq.prune_channels(model, share).save(small) / model.save(Path(folder) / "whole.tflite"))
                (inputs,) = random_samples(pq.open(small), 1)
                verdicts.add(check(pq.compile(pq.open(small), numerics="litert")(*inputs), small, inputs))
        failed += any(verdict.startswith("DIFFERS") for verdict in verdicts)
        print(f"{name}: " + ", ".join(f"{size:.0%}" for size in sizes), *sorted(verdicts), sep="; ", flush=True)
    return int(failed > 0)


def float_models(folder: Path) -> Iterator[tuple[Path, pq.Model]]:
    """Those that pyquant runs and whose channels are made by weights of floats, without casts of weights."""
    for path in sorted(folder.rglob("*.tflite")):
        try:
            model = pq.fold(pq.open(path))
            pq.compile(model)
        except PyQuantError:
            continue
        values = [t for s in model.subgraphs for n in s.nodes for t in (*n.inputs, *n.outputs) if t is not None]
        if pq.channel_groups(model) and not any(t.is_quantized for t in values):
            yield path, model


if __name__ == "__main__":
    JOBS = {"speed": speed, "accuracy": accuracy, "models": models}
    if len(sys.argv) != 2 or sys.argv[1] not in JOBS:
        sys.exit(__doc__)
    sys.exit(JOBS[sys.argv[1]](Path(os.environ.get("PYQUANT_DATA", "../shared/data"))))
