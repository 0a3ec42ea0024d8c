"""Accuracy and size of our quantized files beside the TFLite converter's and litert-quantizer's.

`PYQUANT_DATA=folder python bench/accuracy.py [TASK ...] [--formats int8,int16x8,...]` prints a table, and exits with 1
where a file of ours falls below another of the same float model: its signal to noise by more than 0.1 dB, its score or
its agreement by more than 0.5 points (0.001 for cosines).

score: top-1 in percent, the cosine of pooled embeddings, or what a reconstruction error is off by, in percent. agree:
how often the class is the float model's. dB: signal to noise of the outputs, or of what goes into their SOFTMAX.
Calibration samples are those of the converter's files where they are known, and the same for litert-quantizer, which is
left out where it is not installed. All files run in our kernels, which are exact. Ours are made with `newer_axes`, a
scale for each output of FULLY_CONNECTED, and `newer_kernels`, as both others write them.

`python bench/accuracy.py TASK --file FILE` prints the same figures of a file, as of one by `pyquant debug --try`.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

import pyquant as pq
from pyquant.calibrate.data import fit
from pyquant.validate.tally import real

DECIBELS, POINTS, COSINE = 0.1, 0.5, 0.001
BEST: dict[str, Any] = {"accuracy": "best"}
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {  # scheme and options of ours
    "float16": ("float16", {}),
    "dynamic": ("dynamic", {}),
    "int8": ("int8", {}),
    "int8 best": ("int8", BEST),
    "int8 per tensor": ("int8", {"per_channel": False}),
    "int16x8": ("int16x8", {}),
    "int4": ("dynamic_wi4_afp32", {}),
    "int4 best": ("dynamic_wi4_afp32", BEST),
}
# How the converter's files are called that end so, and what litert-quantizer calls it.
CONVERTER = {
    "float16": ("float16",),
    "dynamic": ("dynamic_range",),
    "int8": ("int8_float_io", "int8"),
    "int8 best": ("int8_float_io", "int8"),
    "int8 per tensor": ("int8_per_tensor",),
    "int16x8": ("int16x8_float_io",),
}
LITERT = {
    "dynamic": "dynamic_wi8_afp32",
    "int8": "static_wi8_ai8",
    "int8 best": "static_wi8_ai8",
    "int16x8": "static_wi8_ai16",
    "int4": "dynamic_wi4_afp32",
    "int4 best": "dynamic_wi4_afp32",
}

# score(outputs, task, expected outputs) -> how good they are; more is better
Score = Callable[[np.ndarray, "Task", np.ndarray], float]


class Task(NamedTuple):
    """Inputs are real values, samples along the first axis. converter: its files, by the end of their names."""

    model: pq.Model
    calibration: np.ndarray
    inputs: np.ndarray
    score: Score
    labels: np.ndarray | None = None
    converter: Mapping[str, Path] = {}
    classes: bool = True


def top1(found: np.ndarray, task: Task, expected: np.ndarray) -> float:
    return 100 * float((found.argmax(axis=1) == task.labels).mean())


def agreement(found: np.ndarray, task: Task, expected: np.ndarray) -> float:
    return 100 * float((found.argmax(axis=1) == expected.argmax(axis=1)).mean())


def pooled_cosine(found: np.ndarray, task: Task, expected: np.ndarray) -> float:
    """Of the means over tokens."""
    a, b = (array.reshape(len(array), -1, 384).mean(axis=1) for array in (found, expected))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float((np.sum(a * b, axis=1) / norms).mean())


def reconstruction(found: np.ndarray, task: Task, expected: np.ndarray) -> float:
    """How far the error of reconstruction, which tells anomalies, is from the float model's; in percent, below 0."""
    inputs = task.inputs.reshape(len(task.inputs), -1)
    a, b = (np.square(array - inputs).mean(axis=1) for array in (found, expected))
    return -100 * float((np.abs(a - b) / b).mean())


def _variants(folder: Path, name: str) -> dict[str, Path]:
    return {path.stem.removeprefix(f"{name}_"): path for path in folder.glob(f"{name}_*.tflite")}


def kws(data: Path) -> Task:
    """kws01; calibration: every tenth sample."""
    files = _variants(data / "models" / "converter_variants", "kws")
    with np.load(data / "datasets" / "kws01.npz") as file:
        inputs = (file["inputs"].astype(np.float32) - 83) * np.float32(0.584703)
        return Task(pq.open(files["float32"]), inputs[::10], inputs, top1, file["labels"], files)


def resnet(data: Path) -> Task:
    """The test split of cifar10, pixels 0..255; calibration: the first 200 training images."""
    files = _variants(data / "models" / "converter_variants", "resnet")
    with np.load(data / "datasets" / "cifar10.npz") as file:
        train, test = (file[name].astype(np.float32) for name in ("x_train", "x_test"))
        return Task(pq.open(files["float32"]), train[:200], test, top1, file["y_test"], files)


def _images(data: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """300 ImageNet samples, their labels, and the 100 of them that calibrate."""
    folder = data / "datasets" / "imagenet_samples_dev"
    with open(folder / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    pixels = np.stack([np.asarray(Image.open(folder / row["file"]).convert("RGB"), np.float32) for row in rows])
    chosen = np.sort(np.random.default_rng(1).permutation(300)[:100])
    return pixels, np.array([int(row["label"]) for row in rows]), chosen


def efficientnet_lite0(data: Path) -> Task:
    """(pixel - 127) / 128."""
    files = _variants(data / "models" / "efficientnet_lite0", "efficientnet_lite0")
    pixels, labels, chosen = _images(data)
    inputs = (pixels - 127) / 128
    return Task(pq.open(files["float32"]), inputs[chosen], inputs, top1, labels, files)


def mobilenet_v2(data: Path) -> Task:
    """The float model that a file in uint8, trained so, stands for."""
    small = pq.open(data / "models" / "edgetpu_pairs" / "mobilenet_v2_1.0_224_quant.tflite")
    pixels, labels, chosen = _images(data)
    source = small.main.inputs[0]
    inputs = ((pixels - source.zero_point) * source.scale).astype(np.float32)
    return Task(pq.dequantize(small), inputs[chosen], inputs, top1, labels + 1)


def vww(data: Path) -> Task:
    """The same images at 96 x 96 pixels, 0..1, without labels."""
    pixels, _, chosen = _images(data)
    small = [Image.fromarray(image.astype(np.uint8)).resize((96, 96), Image.Resampling.BILINEAR) for image in pixels]
    inputs = np.stack([np.asarray(image, np.float32) for image in small]) / 255
    folder = data / "models" / "mlperf_tiny"
    files = {"int8": folder / "vww_96_int8.tflite"}
    return Task(pq.open(folder / "vww_96_float.tflite"), inputs[chosen], inputs, agreement, None, files)


def ad01(data: Path) -> Task:
    """Spectra of 5 times 128 bands in dB, as the autoencoder makes them of smooth noise, and noise."""
    folder = data / "models" / "mlperf_tiny"
    model = pq.open(folder / "ad01_fp32.tflite")
    rng = np.random.default_rng(5)
    smooth = np.cumsum(rng.normal(0, 2, (300, 1, 128)), axis=2) - np.linspace(10, 50, 128)
    made = np.clip(smooth + rng.normal(0, 3, (300, 5, 128)), -80, 10).reshape(300, 640).astype(np.float32)
    plan = pq.compile(model)
    inputs = np.stack([plan(row[None])[0] for row in made]) + rng.normal(0, 3, made.shape).astype(np.float32)
    files = {"int8": folder / "ad01_int8.tflite", "dynamic_range": folder / "ad01_dr_tf23.tflite"}
    return Task(model, inputs[:100], inputs[100:], reconstruction, None, files, classes=False)


def minilm(data: Path) -> Task:
    """Embeddings of short texts through two encoder layers."""
    files = _variants(data / "models" / "transformer", "minilm_2layer")
    with np.load(data / "datasets" / "minilm_embeddings.npz") as file:
        calibration, test = (file[name].astype(np.float32) for name in ("calibration", "test"))
    return Task(pq.open(files["float32"]), calibration, test, pooled_cosine, None, files, classes=False)


TASKS: dict[str, Callable[[Path], Task]] = {
    made.__name__: made for made in (kws, resnet, ad01, vww, mobilenet_v2, efficientnet_lite0, minilm)
}


class Figures(NamedTuple):
    """score: of the task. agreement: with the float model's classes, in percent. sqnr: beside its outputs, in dB."""

    score: float
    agreement: float
    sqnr: float

    @staticmethod
    def of(model: pq.Model, task: Task, expected: np.ndarray) -> Figures:
        found = outputs(model, task.inputs)
        noise = np.square(found - expected, dtype=np.float64).sum() / np.square(expected, dtype=np.float64).sum()
        agree = agreement(found, task, expected) if task.classes else np.nan
        return Figures(task.score(found, task, expected), agree, -10 * np.log10(max(noise, 1e-30)))

    def __str__(self) -> str:
        score = f"{self.score:7.4f}" if abs(self.score) <= 1 else f"{self.score:7.1f}"
        return f"{score} {'' if np.isnan(self.agreement) else format(self.agreement, '.1f'):>5} {self.sqnr:5.1f}"

    def below(self, other: Figures) -> Iterator[str]:
        """What of these is worse than others by more than chance."""
        if self.sqnr < other.sqnr - DECIBELS:
            yield "dB"
        if self.score < other.score - (POINTS if abs(other.score) > 1 else COSINE):
            yield "score"
        if self.agreement < other.agreement - POINTS:
            yield "agree"


def outputs(model: pq.Model, inputs: np.ndarray) -> np.ndarray:
    """What comes out of the model, or goes into its last SOFTMAX, as real values. -> (samples, n)"""
    makers = {t: node for node in model.main.nodes for t in node.outputs}
    tensor = model.main.outputs[0]
    while makers[tensor].op in ("SOFTMAX", "DEQUANTIZE", "QUANTIZE"):
        tensor = makers[tensor].inputs[0]
    plan, source = pq.compile(model, keep=[tensor], threads=2), model.main.inputs[0]
    found = [real(plan.run(fit(array, source))[tensor], tensor) for array in inputs]
    return np.stack(found).reshape(len(inputs), -1)


def theirs(source: pq.Model, recipe: str, calibration: np.ndarray) -> pq.Model | None:
    """litert-quantizer's model by one of its recipes; None where it is not installed, or quantizes nothing."""
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
        small = pq.open(Path(folder) / "small.tflite")
    return small if any(t.is_constant and t.is_quantized for t in small.main.tensors) else None


def compare(name: str, data: Path, formats: list[str]) -> bool:
    """Print one line per format. Returns whether all are within bounds."""
    task = TASKS[name](data)
    expected = outputs(task.model, task.inputs)
    print(f"{name}: {len(task.inputs)} samples, float32 {Figures.of(task.model, task, expected)}")
    print(f"  {'':15} {'ours: score agree dB':>21} {'converter':>21} {'litert-quantizer':>21}  bytes", flush=True)
    good = True
    for format_ in formats:
        scheme, options = FORMATS[format_]
        options = options if scheme == "float16" else {**options, "newer_axes": True, "newer_kernels": True}
        ours = pq.quantize(task.model, scheme, data=task.calibration, **options)
        with tempfile.TemporaryDirectory() as made:
            size = ours.save(Path(made) / "ours.tflite")
        reached = Figures.of(ours, task, expected)
        path = next((task.converter[end] for end in CONVERTER.get(format_, ()) if end in task.converter), None)
        other = theirs(task.model, LITERT[format_], task.calibration) if format_ in LITERT else None
        peers = [None if path is None else pq.open(path), other]
        figures = [None if peer is None else Figures.of(peer, task, expected) for peer in peers]
        faults = {fault for f in figures if f is not None for fault in reached.below(f)}
        good &= not faults
        shown = " ".join(f"{f or '':>21}" if f is None else f"{f!s:>21}" for f in (reached, *figures))
        sizes = f"{size}" + (f" ({path.stat().st_size})" if path is not None else "")
        print(f"  {format_:15} {shown}  {sizes}  {' '.join(f'worse: {fault}' for fault in sorted(faults))}", flush=True)
    return good


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="*", choices=[*TASKS, []], default=[])
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--file", type=Path)
    arguments = parser.parse_args()
    if "PYQUANT_DATA" not in os.environ:
        sys.exit("PYQUANT_DATA must name the folder of models and data sets")
    data, formats = Path(os.environ["PYQUANT_DATA"]), arguments.formats.split(",")
    if arguments.file is not None:
        for of in (TASKS[name](data) for name in arguments.tasks):
            print(Figures.of(pq.open(arguments.file), of, outputs(of.model, of.inputs)))
        sys.exit()
    results = [compare(name, data, formats) for name in arguments.tasks or TASKS]
    sys.exit(0 if all(results) else 1)
