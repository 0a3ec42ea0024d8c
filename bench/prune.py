"""What pruning without training costs and saves: `PYQUANT_DATA=folder python bench/prune.py [TASK ...] [--sparsity 50]`

A row per sparsity in percent, pattern and way: plain by magnitude, of each weight alike; compensated by samples, each
weight alike; the same, but shared out over all weights. top-1 and how often the class is the unpruned model's, in
percent, on all samples and on those apart from the ones that pruning has seen. Bytes of the file, of it in gzip and in
zstd ("-" without that module), with weights encoded sparse, and with tables of values ("-" where those save nothing).
Seconds of pruning. --pattern and --way choose rows, to make the table in parts. Exits with 1 where zeros are not as
many as asked for, or where EfficientNet-Lite0 loses more than 2 points at 50 %.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import TASKS, Task, outputs

import pyquant as pq
from pyquant.compress import masks
from pyquant.graph import dump

SPARSITIES = (30, 50, 70, 80, 90)
PATTERNS = ("unstructured", "1x4", "2:4")
HALF = 50  # percent: what 2:4 makes zero
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "compensated": {"data": True},
    "shared out": {"data": True, "threshold": "global"},
}
RATES = ("top-1", "apart", "agree", "apart")
SIZES = ("bytes", "gzip", "zstd", "sparse", "tables")
LOST = 2.0  # points of top-1, at most, of the best way at 50 % unstructured


def cases(sparsities: list[int], patterns: list[str], ways: list[str]) -> Iterator[tuple[int, str, str]]:
    for sparsity in sparsities:
        for pattern in patterns:
            if pattern != "2:4":
                yield from ((sparsity, pattern, way) for way in ways)
            elif sparsity == HALF:
                yield from ((sparsity, pattern, way) for way in ways if way != "shared out")


def row(task: Task, model: pq.Model, expected: np.ndarray, apart: np.ndarray) -> tuple[float, str]:
    """top-1 of all, and the figures as text."""
    found = outputs(model, task.inputs).argmax(axis=1)
    right, same = found == task.labels, found == expected
    rates = [100 * float(of.mean()) for hits in (right, same) for of in (hits, hits[apart])]
    file = pq.size(model).file
    lookup = file.lookup if file.lookup != file.raw else None
    sizes = (file.raw, file.gzip, file.zstd, len(dump(pq.encode_sparse(model))), lookup)
    return rates[0], " ".join([*(f"{rate:6.1f}" for rate in rates), *(f"{size or '-':>9}" for size in sizes)])


def compare(name: str, data: Path, sparsities: list[int], patterns: list[str], ways: list[str]) -> bool:
    """Print a line per case. Returns whether all is as promised."""
    task = TASKS[name](data)
    expected = outputs(task.model, task.inputs).argmax(axis=1)
    known = {array.tobytes() for array in task.calibration}
    apart = np.array([array.tobytes() not in known for array in task.inputs])
    print(f"{name}: {len(apart)} samples, {apart.sum()} apart from the {len(known)} that pruning sees")
    rates, sizes = (" ".join(f"{head:>{wide}}" for head in heads) for heads, wide in ((RATES, 6), (SIZES, 9)))
    print(f"  {'':29} {rates} {sizes}   s")
    before, figures = row(task, task.model, expected, apart)
    print(f"   0 {'':24} {figures}", flush=True)
    good, best = True, {}
    for sparsity, pattern, way in cases(sparsities, patterns, ways):
        options = {**WAYS[way], **({"data": task.calibration} if "data" in WAYS[way] else {})}
        start = time.perf_counter()
        made = pq.prune(task.model, None if pattern == "2:4" else sparsity / 100, pattern, **options)
        seconds = time.perf_counter() - start
        reached, figures = row(task, made, expected, apart)
        best[sparsity, pattern] = max(best.get((sparsity, pattern), 0.0), reached)
        print(f"  {sparsity:2} {pattern:12} {way:12} {figures} {seconds:3.0f}", flush=True)
        if pattern == "unstructured":
            good &= _exact(task.model, made, sparsity / 100, way == "shared out")
    return good and (name != "efficientnet_lite0" or best.get((HALF, "unstructured"), before) >= before - LOST)


def _exact(before: pq.Model, after: pq.Model, share: float, together: bool) -> bool:
    """Whether zeros are as many as were asked for, in weights that were pruned."""
    old, new = masks(before), masks(after)
    pruned = [name for name, mask in new.items() if not np.array_equal(mask, old[name])]
    counts, sizes = ([f(new[name]) for name in pruned] for f in (lambda m: int((~m).sum()), np.size))
    wanted = [round(share * size) for size in sizes]
    return sum(counts) == round(share * sum(sizes)) if together else counts == wanted


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="*", choices=["efficientnet_lite0", "resnet", "kws", []], default=[])
    parser.add_argument("--sparsity", type=int, action="append")
    parser.add_argument("--pattern", choices=PATTERNS, action="append")
    parser.add_argument("--way", choices=WAYS, action="append")
    arguments = parser.parse_args()
    if "PYQUANT_DATA" not in os.environ:
        sys.exit("PYQUANT_DATA must name the folder of models and data sets")
    folder, every = Path(os.environ["PYQUANT_DATA"]), (list(SPARSITIES), list(PATTERNS), list(WAYS))
    given = arguments.sparsity, arguments.pattern, arguments.way
    wanted = [chosen or all_of for chosen, all_of in zip(given, every, strict=True)]
    results = [compare(name, folder, *wanted) for name in arguments.tasks or ("efficientnet_lite0", "resnet")]
    sys.exit(0 if all(results) else 1)
