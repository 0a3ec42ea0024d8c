"""What an Edge TPU's arithmetic makes of quantized models beside a CPU's, and what quantizing for the device costs.

`PYQUANT_DATA=folder PYTHONPATH=.:tests python bench/edgetpu.py [TASK ...]` prints for each file how many of its
operators the compiler is predicted to map, the score by numerics "tflite" and "edgetpu" (top-1 in percent), how often
both have the same class, the share of equal output codes, and by how many codes they differ at most. Files are the
published one, the converter's as `edgetpu.fix` leaves it, and ours, quantized with target="edgetpu". Exits with 1 where
a file of ours is not mapped fully, or where the scores are more than a point apart.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from accuracy import TASKS, Task

import pyquant as pq
from pyquant import edgetpu
from pyquant.calibrate.data import fit
from pyquant.validate.tally import real

NAMES = ("mobilenet_v2", "efficientnet_lite0", "resnet", "kws")
PUBLISHED = {"mobilenet_v2": "edgetpu_pairs/mobilenet_v2_1.0_224_quant"}
POINTS = 1.0


def files(name: str, task: Task, data: Path) -> Iterator[tuple[str, pq.Model]]:
    if name in PUBLISHED:
        yield "published", pq.open(data / "models" / f"{PUBLISHED[name]}.tflite")
    for end in ("int8", "int8_int8_io"):
        if end in task.converter:
            yield "converter", edgetpu.fix(pq.open(task.converter[end])).model
    yield "ours", pq.quantize(task.model, "int8", data=task.calibration, target="edgetpu")


def codes(model: pq.Model, inputs: np.ndarray, numerics: str) -> np.ndarray:
    plan, source = pq.compile(model, threads=2, numerics=numerics), model.main.inputs[0]
    return np.concatenate([plan(fit(array, source)) for array in inputs]).reshape(len(inputs), -1)


def compare(name: str, data: Path) -> bool:
    """Print one line per file. Returns whether all are as they should be."""
    task, good = TASKS[name](data), True
    for kind, model in files(name, task, data):
        prediction = edgetpu.check(model)
        cpu, device = (codes(model, task.inputs, numerics) for numerics in ("tflite", "edgetpu"))
        values = [real(found, model.main.outputs[0]) for found in (cpu, device)]
        scores = [task.score(found, task, values[0]) for found in values]
        same = 100 * float((cpu.argmax(axis=1) == device.argmax(axis=1)).mean())
        equal, most = 100 * float((cpu == device).mean()), int(np.abs(cpu.astype(int) - device).max())
        mapped = f"{prediction.mapped}/{len(prediction.operators)}"
        figures = f"tflite {scores[0]:5.1f}  edgetpu {scores[1]:5.1f}  same class {same:5.1f} %"
        codes_ = f"equal codes {equal:6.2f} %, others by up to {most}"
        print(f"{name:18} {kind:9} {mapped:>7}  {figures}  {codes_}", flush=True)
        good &= (kind != "ours" or prediction.share == 1) and abs(scores[0] - scores[1]) <= POINTS
    return good


if __name__ == "__main__":
    if "PYQUANT_DATA" not in os.environ:
        sys.exit("PYQUANT_DATA must name the folder of models and data sets")
    results = [compare(name, Path(os.environ["PYQUANT_DATA"])) for name in sys.argv[1:] or NAMES]
    sys.exit(0 if all(results) else 1)
