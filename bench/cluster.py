"""What clustering costs in accuracy and spares in files, and how fast exact k-means is beside scikit-learn's.

`PYQUANT_DATA=folder python bench/cluster.py [TASK ...] [--clusters 16,8] [--rate 0,0.01] [--speed]`
prints, for each number of clusters, top-1 and the bytes of the file, as it is and by gzip -9: of the float model and
of that in int8. Samples calibrate as in bench/accuracy.py, and the values lie on the grid of int8. It exits with 1
where quantizing changed a code.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from accuracy import TASKS, Task, outputs, top1

import pyquant as pq
from pyquant.compress import weights
from pyquant.compress.kmeans import Points, centers, inertia
from pyquant.compress.losses import coded

ROUNDS = 3


def sizes(model: pq.Model) -> tuple[int, int]:
    """Bytes of the file, and of the compressed one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        size = model.save(path)
        return size, len(gzip.compress(path.read_bytes(), 9))


def row(name: str, model: pq.Model, task: Task, plain: int | None) -> int:
    """Prints one line. plain: the compressed bytes to compare with. Returns its own."""
    size, small = sizes(model)
    share = f"{100 * small / (plain or small):6.1f} %"
    print(
        f"  {name:32} {top1(outputs(model, task.inputs), task, task.inputs):6.1f} {size:10} {small:10} {share}",
        flush=True,
    )
    return small


def table(name: str, clusters: list[int], rates: list[float]) -> bool:
    task = TASKS[name](Path(os.environ["PYQUANT_DATA"]))
    print(f"{name}: {len(task.inputs)} samples\n  {'':32} {'top-1':>6} {'file':>10} {'gzip':>10} {'of plain':>8}")
    in_float = row("float32", task.model, task, None)
    in_int8 = row("int8", pq.quantize(task.model, "int8", data=task.calibration), task, None)
    same = True
    for number in clusters:
        for rate in rates:
            made = pq.cluster(task.model, number, data=task.calibration, grid="int8", rate=rate)
            small = pq.quantize(made, "int8", data=task.calibration)
            pairs = zip(weights(made), weights(small), strict=True)
            same &= all(np.array_equal(coded(a.tensor), b.tensor.data) for a, b in pairs)
            row(f"{number} clusters, rate {rate:g}, float32", made, task, in_float)
            row(f"{number} clusters, rate {rate:g}, int8", small, task, in_int8)
    print(f"  codes after quantizing: {'those before' if same else 'OTHERS'}")
    return same


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
    arguments = parser.parse_args()
    if "PYQUANT_DATA" not in os.environ:
        sys.exit("PYQUANT_DATA must name the folder of models and data sets")
    if arguments.speed:
        speed()
        sys.exit(0)
    clusters, rates = (
        [kind(n) for n in text.split(",")] for kind, text in ((int, arguments.clusters), (float, arguments.rate))
    )
    results = [table(name, clusters, rates) for name in arguments.tasks or ("efficientnet_lite0", "resnet")]
    sys.exit(0 if all(results) else 1)
