"""Quantizing a file, beside litert-quantizer: `python bench/quantize.py [MODEL] [--runs N] [--images N]`

Each run is a process of its own, both sides in turn. First and again: from the path of the float file to the written
file by dynamic_wi8_afp32, the first time and the median of the next ones; ours is on the disk by then, theirs on its
way. Calibrate: what static_wi8_ai8 needs to know of so many images. Memory is the most that a process held which did
one of these, all included. litert_peer tells how to say where litert-quantizer is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from litert_peer import python_of_peer

import pyquant as pq

MODEL = "models/efficientnet_lite0/efficientnet_lite0_float32.tflite"
FRAME = """
import json, re, sys, time
import numpy as np
{imports}
path, out, images = sys.argv[1:]
def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
if images:
    samples = list(np.load(images))
    seconds = [timed(lambda: calibrate(samples))]
else:
    seconds = [timed(quantize) for _ in range(6)]
peak = re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())  # getrusage counts what our parent held
print(json.dumps([seconds[0], float(np.median(seconds[1:] or seconds)), int(peak[1])]))
"""
OURS = """
import pyquant as pq
from pyquant.calibrate import collect
def quantize():
    pq.quantize(pq.open(path), "dynamic_wi8_afp32").save(out, overwrite=True)
def calibrate(samples):
    collect(pq.open(path), samples)
"""
THEIRS = """
import logging
from litert_quantizer import quantizer, recipe
logging.disable(logging.CRITICAL)
def quantize():
    quantizer.Quantizer(path, recipe.dynamic_wi8_afp32()).quantize().export_model(out, overwrite=True)
def calibrate(samples):
    key, name = {key!r}, {name!r}
    quantizer.Quantizer(path, recipe.static_wi8_ai8()).calibrate({{key: [{{name: array}} for array in samples]}})
"""


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
        for _ in range(options.runs):
            for name, (python, imports) in sides.items():
                row: list[float] = []
                for argument in ("", str(images)):
                    command = [
                        python,
                        "-c",
                        FRAME.format(imports=imports),
                        path,
                        Path(folder) / "small.tflite",
                        argument,
                    ]
                    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                    first, again, peak = json.loads(found.splitlines()[-1])
                    row += [first * 1e3, peak / 1024] if argument else [first * 1e3, again * 1e3, peak / 1024]
                runs[name].append(row)
    heads = ("first ms", "again ms", "peak MiB", "calibrate ms", "peak MiB")
    medians = {name: np.median(rows, axis=0) for name, rows in runs.items()}
    print(f"{options.model.stem:<28} {' '.join(f'{head:>12}' for head in heads)}")
    for name, row in medians.items():
        print(f"{name:<28} {' '.join(f'{figure:12.1f}' for figure in row)}")
    ratios = medians["pyquant"] / medians["litert-quantizer"]
    print(f"{'pyquant / litert-quantizer':<28} {' '.join(f'{ratio:12.2f}' for ratio in ratios)}")


if __name__ == "__main__":
    main()
