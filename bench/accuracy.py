"""Accuracy and size of our quantized files next to the TFLite converter's, which start from the same float models.

`PYQUANT_DATA=folder python bench/accuracy.py [kws resnet efficientnet_lite0]` prints a table, and exits with 1 where a
file of ours is more than 0.5 points less accurate than the converter's, or more than 2 % larger.
Beside top-1 stand the agreement with the float model's top-1, and the signal to noise of the logits, which tell more of
a few hundred samples; and litert-quantizer's figures, where that is installed, on the same samples. Calibration samples
are those of the converter's files. All files run in our kernels, which are exact; others round in
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
from pyquant.calibrate.data import fit
from pyquant.validate.tally import real

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
    "int8_best": ("int8", {"accuracy": "best"}),
    "int4": ("dynamic_wi4_afp32", {"accuracy": "best"}),
}
OURS_ALONE = ("int8_best", "int4")
# What litert-quantizer has of the like.
PEERS = {
    "dynamic_range": "dynamic_wi8_afp32",
    "int8_int8_io": "static_wi8_ai8",
    "int8": "static_wi8_ai8",
    "int16x8_int16_io": "static_wi8_ai16",
    "int16x8_float_io": "static_wi8_ai16",
    "int4": "dynamic_wi4_afp32",
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


class Figures(NamedTuple):
    """top1, agreement with the float model's, in percent; sqnr of the logits beside the float model's, in dB."""

    top1: float
    agreement: float
    sqnr: float

    @staticmethod
    def of(model: pq.Model, task: Task, expected: np.ndarray) -> Figures:
        found = logits(model, task.inputs)
        same = found.argmax(axis=1) == expected.argmax(axis=1)
        noise = np.square(found - expected, dtype=np.float64).sum() / np.square(expected, dtype=np.float64).sum()
        right = found.argmax(axis=1) == task.labels
        return Figures(100 * right.mean(), 100 * same.mean(), -10 * np.log10(max(noise, 1e-30)))

    def __str__(self) -> str:
        return f"{self.top1:5.1f} {self.agreement:6.1f} {self.sqnr:6.1f}"


def logits(model: pq.Model, inputs: np.ndarray) -> np.ndarray:
    """What goes into the last SOFTMAX, or else comes out of the model, as real values. -> (samples, classes)"""
    makers = {t: node for node in model.main.nodes for t in node.outputs}
    tensor = model.main.outputs[0]
    while makers[tensor].op in ("SOFTMAX", "DEQUANTIZE", "QUANTIZE"):
        tensor = makers[tensor].inputs[0]
    plan, source = pq.compile(model, keep=[tensor], threads=2), model.main.inputs[0]
    found = [real(plan.run(fit(array, source))[tensor], tensor) for array in inputs]
    return np.stack(found).reshape(len(inputs), -1)


def theirs(source: pq.Model, recipe: str, calibration: np.ndarray) -> pq.Model | None:
    """litert-quantizer's model by one of its recipes; None where it is not installed."""
    try:
        from litert_quantizer import quantizer
        from litert_quantizer import recipe as recipes
    except ImportError:
        return None
    if not source.signatures:
        source = pq.add_signature(source, "serving_default")
    signature = source.signatures[0]
    with tempfile.TemporaryDirectory() as folder:
        source.save(Path(folder) / "float.tflite")
        peer = quantizer.Quantizer(str(Path(folder) / "float.tflite"), getattr(recipes, recipe)())
        seen = None
        if peer.need_calibration:
            name = signature.inputs[0][0]
            shape = source.main.inputs[0].shape
            seen = peer.calibrate({signature.key: [{name: array.reshape(shape)} for array in calibration]})
        peer.quantize(seen).export_model(str(Path(folder) / "small.tflite"))
        return pq.open(Path(folder) / "small.tflite")


def compare(name: str, data: Path) -> bool:
    """Print one line per format that the converter's files have. Returns whether all are within bounds."""
    folder, load = TASKS[name]
    task, models = load(data), data / "models" / folder
    source = pq.open(models / f"{name}_float32.tflite")
    expected = logits(source, task.inputs)
    print(f"{name}: {len(task.labels)} samples, float32 {Figures.of(source, task, expected).top1:.1f} %")
    print(f"  {'':18} {'ours: top1 agree dB':>22} {'converter':>22} {'litert-quantizer':>22}  bytes", flush=True)
    good = True
    for format_, (scheme, options) in FORMATS.items():
        path = models / f"{name}_{format_}.tflite"
        if not path.exists() and format_ not in OURS_ALONE:
            continue
        ours = pq.quantize(source, scheme, data=task.calibration, **options)
        with tempfile.TemporaryDirectory() as made:
            size = ours.save(Path(made) / "ours.tflite")
        reached, peer = Figures.of(ours, task, expected), None
        if path.exists():
            peer = Figures.of(pq.open(path), task, expected)
            within = peer.top1 - reached.top1 <= POINTS and size <= (1 + SIZE) * path.stat().st_size
            good &= within
        other = theirs(source, PEERS[format_], task.calibration) if format_ in PEERS else None
        figures = [str(reached), str(peer or ""), "" if other is None else str(Figures.of(other, task, expected))]
        sizes = f"{size}" + (f" ({path.stat().st_size})" if path.exists() else "")
        print(f"  {format_:18} {' '.join(f'{f:>22}' for f in figures)}  {sizes}", flush=True)
    return good


if __name__ == "__main__":
    if "PYQUANT_DATA" not in os.environ:
        sys.exit("PYQUANT_DATA must name the folder of models and data sets")
    results = [compare(name, Path(os.environ["PYQUANT_DATA"])) for name in sys.argv[1:] or TASKS]
    sys.exit(0 if all(results) else 1)
