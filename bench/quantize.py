"""Quantizing a file, beside litert-quantizer: `python bench/quantize.py [MODEL] [--runs N] [--images N]`

Each run is a process of its own, both sides in turn. First and again: from the path of the float file to the bytes of
the small one by dynamic_wi8_afp32, the first time and the median of the next ones. Save: these to a file besides; ours
is on the disk by then, theirs on its way. Process: all of a program that imports, quantizes once and saves. Calibrate:
what static_wi8_ai8 needs to know of so many images. Memory is the most that a process held which did one of these, all
included. litert_peer tells how to say where litert-quantizer is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from litert_peer import python_of_peer

import pyquant as pq

MODEL = "models/efficientnet_lite0/efficientnet_lite0_float32.tflite"
FRAME = """
import json, re, sys, time
import numpy as np
{imports}
task, path, out, images = sys.argv[1:]
def timed(function, *arguments):
    start = time.perf_counter()
    result = function(*arguments)
    return 1e3 * (time.perf_counter() - start), result
if task == "whole":
    save(quantize(), out)
    sys.exit()
if task == "calibrate":
    found = [timed(calibrate, list(np.load(images)))[0]]
else:
    found, saved = [], []
    for _ in range(6):
        milliseconds, made = timed(quantize)
        found.append(milliseconds)
        saved.append(timed(save, made, out)[0])
    found = [found[0], np.median(found[1:]), np.median(saved)]
peak = re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())  # getrusage counts what our parent held
print(json.dumps([*found, int(peak[1]) / 1024]))
"""
OURS = """
import pyquant as pq
from pyquant.calibrate import collect
from pyquant.graph import dump
from pyquant.wire.file import write
make = pq.quantize  # which is imported when it is named
def quantize():
    return dump(make(pq.open(path), "dynamic_wi8_afp32"))
def save(made, out):
    write(out, [made], overwrite=True)
def calibrate(samples):
    collect(pq.open(path), samples)
"""
THEIRS = """
import logging
from litert_quantizer import quantizer, recipe
logging.disable(logging.CRITICAL)
def quantize():
    return quantizer.Quantizer(path, recipe.dynamic_wi8_afp32()).quantize()
def save(made, out):
    made.export_model(out, overwrite=True)
def calibrate(samples):
    key, name = {key!r}, {name!r}
    quantizer.Quantizer(path, recipe.static_wi8_ai8()).calibrate({{key: [{{name: array}} for array in samples]}})
"""
HEADS = ("first ms", "again ms", "save ms", "peak MiB", "whole ms", "calibrate ms", "peak MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("PYQUANT_DATA", "../shared/data"))
    parser.add_argument("model", nargs="?", type=Path, default=data / MODEL)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--images", type=int, default=100)
    options = parser.parse_args()
    model = pq.open(options.model)
    if not model.signatures:
        model = pq.add_signature(model)
    signature, (x,) = model.signatures[0], model.main.inputs
    theirs = THEIRS.format(key=signature.key, name=signature.inputs[0][0])
    sides = {"pyquant": (sys.executable, OURS), "litert-quantizer": (python_of_peer(), theirs)}
    runs: dict[str, list[list[float]]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory() as folder:
        path, images = Path(folder) / "float.tflite", Path(folder) / "images.npy"
        model.save(path)
        np.save(images, np.random.default_rng(0).uniform(-1, 1, (options.images, *x.shape)).astype(np.float32))
        small = Path(folder) / "small.tflite"

        def run(name: str, task: str) -> list[float]:
            python, imports = sides[name]
            command = [python, "-c", FRAME.format(imports=imports), task, path, small, images]
            start = time.perf_counter()
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
            whole = [1e3 * (time.perf_counter() - start)]
            return whole if task == "whole" else json.loads(told[-1])

        for _ in range(options.runs):
            for name in sides:
                runs[name].append([figure for task in ("quantize", "whole", "calibrate") for figure in run(name, task)])
    medians = {name: np.median(rows, axis=0) for name, rows in runs.items()}
    print(f"{options.model.stem:<28} {' '.join(f'{head:>12}' for head in HEADS)}")
    for name, row in medians.items():
        print(f"{name:<28} {' '.join(f'{figure:12.1f}' for figure in row)}")
    ratios = medians["pyquant"] / medians["litert-quantizer"]
    print(f"{'pyquant / litert-quantizer':<28} {' '.join(f'{ratio:12.2f}' for ratio in ratios)}")


if __name__ == "__main__":
    main()
