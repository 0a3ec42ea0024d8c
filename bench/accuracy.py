"""Accuracy and size of our quantized files next to the TFLite converter's, which start from the same float models.

`PYQUANT_DATA=folder python bench/accuracy.py [kws resnet efficientnet_lite0]` prints a table, and exits with 1 where a
file of ours is more than 0.5 points less accurate than the converter's, or more than 2 % larger.
Calibration samples are those of the converter's files. All files run in our kernels, which are exact; others round in
another way, and classify a few samples in a thousand differently.
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

import pyquant as pq

POINTS, SIZE = 0.5, 0.02
INT8, INT16 = ({"input_type": t, "output_type": t} for t in ("int8", "int16"))
UINT8 = {"input_type": "uint8", "output_type": "uint8"}
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {  # the converter's name -> scheme and options of ours
    "float16": ("float16", {}),
    "dynamic_range": ("dynamic", {}),
    "int8": ("int8", INT8),
    "int8_int8_io": ("int8", INT8),
    "int8_uint8_io": ("int8", UINT8),
    "int8_float_io": ("int8", {}),
    "int8_per_tensor": ("int8", {**INT8, "per_channel": False}),
    "int16x8_float_io": ("int16x8", {}),
    "int16x8_int16_io": ("int16x8", INT16),
}


class Task(NamedTuple):
    """Inputs are real values, samples along the first axis."""

    calibration: np.ndarray
    inputs: np.ndarray
    labels: np.ndarray


def kws(data: Path) -> Task:
    """kws01; calibration: every tenth sample."""
    with np.load(data / "datasets" / "kws01.npz") as file:
        inputs = (file["inputs"].astype(np.float32) - 83) * np.float32(0.584703)
        return Task(inputs[::10], inputs, file["labels"])


def resnet(data: Path) -> Task:
    """The test split of cifar10, pixels 0..255; calibration: the first 200 training images."""
    with np.load(data / "datasets" / "cifar10.npz") as file:
        train, test = (file[name].astype(np.float32) for name in ("x_train", "x_test"))
        return Task(train[:200], test, file["y_test"])


def efficientnet_lite0(data: Path) -> Task:
    """300 ImageNet samples, (pixel - 127) / 128; calibration: 100 of them."""
    folder = data / "datasets" / "imagenet_samples_dev"
    with open(folder / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    pixels = np.stack([np.asarray(Image.open(folder / row["file"]).convert("RGB"), np.float32) for row in rows])
    inputs = (pixels - 127) / 128
    chosen = np.sort(np.random.default_rng(1).permutation(300)[:100])
    return Task(inputs[chosen], inputs, np.array([int(row["label"]) for row in rows]))


TASKS: dict[str, tuple[str, Callable[[Path], Task]]] = {
    "kws": ("converter_variants", kws),
    "resnet": ("converter_variants", resnet),
    "efficientnet_lite0": ("efficientnet_lite0", efficientnet_lite0),
}


def compare(name: str, data: Path) -> bool:
    """Print one line per format that the converter's files have. Returns whether all are within bounds."""
    folder, load = TASKS[name]
    task, models = load(data), data / "models" / folder
    source = pq.open(models / f"{name}_float32.tflite")
    top1 = pq.accuracy(source, task.inputs, task.labels, threads=2)
    print(f"{name}: float32 {100 * top1:.1f} %, {len(task.labels)} samples", flush=True)
    good = True
    for format_, (scheme, options) in FORMATS.items():
        path = models / f"{name}_{format_}.tflite"
        if not path.exists():
            continue
        ours = pq.quantize(source, scheme, data=task.calibration, **options)
        with tempfile.TemporaryDirectory() as folder:
            size = ours.save(Path(folder) / "ours.tflite")
        reached, theirs = (pq.accuracy(m, task.inputs, task.labels, threads=2) for m in (ours, pq.open(path)))
        ratio = size / path.stat().st_size
        within = 100 * (theirs - reached) <= POINTS and ratio <= 1 + SIZE
        good &= within
        shares = f"{100 * reached:6.1f} % (converter {100 * theirs:.1f} %)"
        sizes = f"{size:9} bytes (converter {path.stat().st_size}, {100 * (ratio - 1):+.1f} %)"
        print(f"  {format_:18} {shares}  {sizes}  {'' if within else 'OUT OF BOUNDS'}", flush=True)
    return good


if __name__ == "__main__":
    if "PYQUANT_DATA" not in os.environ:
        sys.exit("PYQUANT_DATA must name the folder of models and data sets")
    results = [compare(name, Path(os.environ["PYQUANT_DATA"])) for name in sys.argv[1:] or TASKS]
    sys.exit(0 if all(results) else 1)
