"""What clustering costs in accuracy and spares in files, that quantizing keeps it, and how fast exact k-means is.

`PYQUANT_DATA=folder python bench/cluster.py [TASK ...] [--clusters 16,8] [--rate 0,0.12] [--speed | --counts]`
prints, for each number of clusters, top-1 and the bytes of the file: as it is, by gzip -9, by zstd -19 where that is
installed, encoded sparse, and with tables as tflite-micro looks weights up: of the float model and of that in int8.
Samples calibrate as in bench/accuracy.py, and the values lie on the grid of int8. It exits with 1 where quantizing
changed a code, or where PROMISED is kept at none of the rates.

`--speed`: beside scikit-learn's KMeans. `--counts`: every float model of the folder is pruned, clustered and quantized
in each scheme; it exits with 1 where a weight then has another number of zeros or of different values, or where
neither TFLite's runtime runs a file whose clustered float model runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import TASKS, Task, outputs, top1

import pyquant as pq
from pyquant.compress import weights
from pyquant.compress.kmeans import Points, centers, inertia
from pyquant.compress.losses import coded
from pyquant.dtypes import FLOAT32
from pyquant.graph import dump
from pyquant.validate.oracle import Oracle

ROUNDS = 3
SCHEMES: dict[str, dict[str, Any]] = {"int8": {}, "int16x8": {}, "dynamic": {"min_weight_elements": 0}}
# task, clusters -> percent of plain int8's gzip at most, and points of top-1 below it at most, of int8
PROMISED = {("efficientnet_lite0", 16): (45.0, 3.0)}
ROUNDING = 1e-9  # of percents
RUNTIMES = ("tflite-runtime", "ai-edge-litert")


def row(name: str, model: pq.Model, task: Task, plain: int | None) -> tuple[int, float]:
    """Prints one line. plain: the bytes by gzip to compare with. Returns its own, and top-1."""
    found = pq.size(model).file
    score, share = top1(outputs(model, task.inputs), task, task.inputs), 100 * found.gzip / (plain or found.gzip)
    sizes = (found.raw, found.gzip, found.zstd, len(dump(pq.encode_sparse(model))), found.lookup)
    bytes_ = " ".join(f"{'-' if n is None else n:>10}" for n in sizes)
    print(f"  {name:32} {score:6.1f} {bytes_} {share:6.1f} %", flush=True)
    return found.gzip, score


def table(name: str, clusters: list[int], rates: list[float]) -> bool:
    task = TASKS[name](Path(os.environ["PYQUANT_DATA"]))
    print(f"{name}: {len(task.inputs)} samples\n  {'':32} {'top-1':>6}", end="")
    print(f" {'file':>10} {'gzip':>10} {'zstd':>10} {'sparse':>10} {'tables':>10} {'gzip/plain':>8}")
    in_float, _ = row("float32", task.model, task, None)
    in_int8, best = row("int8", pq.quantize(task.model, "int8", data=task.calibration), task, None)
    same = kept = True
    for number in clusters:
        percent, points = PROMISED.get((name, number), (np.inf, np.inf))
        reached = False
        for rate in rates:
            made = pq.cluster(task.model, number, data=task.calibration, grid="int8", rate=rate)
            small = pq.quantize(made, "int8", data=task.calibration)
            pairs = zip(weights(made), weights(small), strict=True)
            same &= all(np.array_equal(coded(a.tensor), b.tensor.data) for a, b in pairs)
            row(f"{number} clusters, rate {rate:g}, float32", made, task, in_float)
            taken, score = row(f"{number} clusters, rate {rate:g}, int8", small, task, in_int8)
            reached |= 100 * taken <= percent * in_int8 and score >= best - points - ROUNDING
        if not reached:
            print(f"  {number} clusters: at no rate at most {percent} % and {points} points below int8")
        kept &= reached
    print(f"  codes after quantizing: {'those before' if same else 'OTHERS'}")
    return same and kept


def counts() -> bool:
    """Of zeros and different values, before and after: True where none changed and all files run."""
    good = True
    for path in sorted((Path(os.environ["PYQUANT_DATA"]) / "models").rglob("*.tflite")):
        try:
            model = pq.open(path)
            if any(w.tensor.dtype is not FLOAT32 for w in weights(model)):
                continue
            made = pq.cluster(pq.prune(model, 0.5), 8, grid="int8")
        except pq.PyQuantError:  # not a model, without weights, or not of numbers
            continue
        rng = np.random.default_rng(0)
        samples = [[drawn(t, rng) for t in model.main.inputs] for _ in range(4)]
        runs = runs_in(made, samples[0])
        for scheme, options in SCHEMES.items():
            try:
                small = pq.quantize(made, scheme, data=None if scheme == "dynamic" else samples, **options)
            except pq.PyQuantError as error:
                print(f"  {path.name}, {scheme}: {error}")
                continue
            pairs = [*zip(weights(made), weights(small), strict=True)]
            same = all(tally(a.tensor) == tally(b.tensor) for a, b in pairs)
            where = runs_in(small, samples[0])
            good &= same and bool(where or not runs)
            zeros = sum(tally(b.tensor)[1] for _, b in pairs)
            print(
                f"  {path.name}, {scheme}: {len(pairs)} weights, {zeros} zeros: {'kept' if same else 'CHANGED'};"
                f" {f'runs in {where}' if where else 'runs in none' + (', nor in float' if not runs else '')}",
                flush=True,
            )
    return good


def tally(tensor: pq.Tensor) -> tuple[int, int]:
    """How many different values and zeros a weight has."""
    codes = coded(tensor)
    return np.unique(codes).size, int((codes == 0).sum())


def drawn(tensor: pq.Tensor, rng: np.random.Generator) -> np.ndarray:
    found = rng.normal(size=tensor.shape) if tensor.dtype.is_float else np.zeros(tensor.shape)
    return found.astype(tensor.dtype.numpy)


def runs_in(model: pq.Model, arrays: list[np.ndarray]) -> str | None:
    """The first of TFLite's runtimes that runs it."""
    for runtime in RUNTIMES:
        try:
            with Oracle(runtime) as oracle:
                oracle.load(model)
                oracle.run(arrays)
                return runtime
        except pq.PyQuantError:
            continue
    return None


def speed(count: int = 1280 * 1000, clusters: int = 16) -> None:
    """Medians of both in turn, and the squared errors that they leave."""
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(0)
    values = rng.permutation(np.unique(rng.normal(size=2 * count).astype(np.float32)))[:count]  # all different
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        points = Points.of(values)
        found = centers(points, clusters)
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        peer = KMeans(clusters, n_init=1, random_state=0).fit(values[:, None])
        theirs.append(time.perf_counter() - start)
    at_peer = inertia(points, np.sort(peer.cluster_centers_[:, 0].astype(np.float64)))
    print(
        f"{count} values, {clusters} clusters: ours {statistics.median(ours):.2f} s, error {inertia(points, found):.2f}"
    )
    print(f"  scikit-learn {statistics.median(theirs):.2f} s, error {at_peer:.2f}")
    model = TASKS["efficientnet_lite0"](Path(os.environ["PYQUANT_DATA"])).model
    for grid in (None, "int8"):
        taken = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            pq.cluster(model, clusters, grid=grid)
            taken.append(time.perf_counter() - start)
        print(f"efficientnet_lite0, grid {grid}: {statistics.median(taken):.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="*", choices=["efficientnet_lite0", "resnet", []], default=[])
    parser.add_argument("--clusters", default="256,64,32,16,8")
    parser.add_argument("--rate", default="0")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--counts", action="store_true")
    arguments = parser.parse_args()
    if "PYQUANT_DATA" not in os.environ:
        sys.exit("PYQUANT_DATA must name the folder of models and data sets")
    if arguments.counts:
        sys.exit(0 if counts() else 1)
    if arguments.speed:
        speed()
        sys.exit(0)
    clusters, rates = (
        [kind(n) for n in text.split(",")] for kind, text in ((int, arguments.clusters), (float, arguments.rate))
    )
    results = [table(name, clusters, rates) for name in arguments.tasks or ("efficientnet_lite0", "resnet")]
    sys.exit(0 if all(results) else 1)
