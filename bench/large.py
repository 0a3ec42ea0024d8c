"""A file of large weights to dynamic range, beside a copy of the file: `python bench/large.py [--mib 1024] [--runs N]`

FULLY_CONNECTED layers of random float weights. Both write through to the disk, in turn, each in a process of its own.
Memory is the most that the process held, what it read of the mapped file included; less what it holds before.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import pyquant as pq
from pyquant.ops.build import add

WIDTH, LAYER = 4096, 64  # inputs and outputs of a layer, MiB of its weights
FRAME = """
import json, re, sys, time
{imports}
def most():
    return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1024
source, target = sys.argv[1:]
before, start = most(), time.perf_counter()
{run}
print(json.dumps([time.perf_counter() - start, most() - before]))
"""
SIDES = {
    "copy": FRAME.format(
        imports="import os, shutil",
        run="""
with open(source, "rb") as read, open(target, "wb") as written:
    shutil.copyfileobj(read, written, 1 << 23)
    written.flush()
    os.fsync(written.fileno())
""",
    ),
    "quantize": FRAME.format(
        imports="import pyquant as pq",
        run='pq.quantize(pq.open(source), "dynamic", newer_axes=True).save(target, overwrite=True)',
    ),
}


def large_model(mib: int) -> pq.Model:
    """Layers whose weights take so many MiB together."""
    rng = np.random.default_rng(0)
    b = pq.Builder()
    x = b.input("x", (1, WIDTH))
    for i in range(max(mib // LAYER, 1)):
        w = b.constant(f"w{i}", rng.standard_normal((WIDTH, WIDTH), np.float32))
        x = add(b, "FULLY_CONNECTED", [x, w, None], f"y{i}")
    return b.model([x])


def measured(side: str, source: Path, target: Path) -> tuple[float, float]:
    """Seconds, and MiB of memory."""
    command = [sys.executable, "-c", SIDES[side], source, target]
    seconds, memory = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return seconds, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.tflite", Path(folder) / "small.tflite"
        large_model(options.mib).save(source)
        runs: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
        for _ in range(options.runs):
            for side in SIDES:
                target.unlink(missing_ok=True)
                runs[side].append(measured(side, source, target))
        size = target.stat().st_size / 2**20
    medians = {side: np.median(rows, axis=0) for side, rows in runs.items()}
    for side, (seconds, memory) in medians.items():
        print(f"{side:<10} {seconds:7.2f} s {memory:8.1f} MiB")
    ratio = medians["quantize"] / (medians["copy"][0], size)
    print(f"time / copy {ratio[0]:.2f}; memory / output of {size:.0f} MiB {ratio[1]:.2f}")


if __name__ == "__main__":
    main()
