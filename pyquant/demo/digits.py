"""Makes every format of the digit classifier that ships with the package, and measures each.

digits.tflite and digits.npz beside this file are written by bench/make_demo_model.py.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import pyquant as pq
from pyquant.errors import FileError, FileExists
from pyquant.validate.latency import latency

FORMATS = ("float32", "float16", "dynamic", "int8", "int16x8")
FILES = Path(__file__).parent


@dataclass(frozen=True)
class Result:
    """One format. agreement: the share of test images that get the float model's class.

    latency: the seconds of a run, the median of many.
    """

    format: str
    path: Path
    bytes: int
    gzip_bytes: int
    accuracy: float
    agreement: float
    latency: float


def make(folder: Path, overwrite: bool = False) -> Iterator[Result]:
    """Write digits_<format>.tflite and digits_test.npz (images, labels, calibration) into folder, format by format."""
    target = folder / "digits_test.npz"
    if target.exists() and not overwrite:
        raise FileExists(f"{target} exists; --force overwrites the demo's files")
    with np.load(FILES / "digits.npz") as file:
        test, calibration = (scaled(file[name]) for name in ("test", "calibration"))
        labels = file["labels"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(target, images=test, labels=labels, calibration=calibration)
    except OSError as error:
        raise FileError(f"{folder}: {error.strerror}") from None
    model = pq.open(FILES / "digits.tflite")
    expected = classes(model, test)
    for name in FORMATS:
        made = model if name == "float32" else pq.quantize(model, name, data=calibration)
        path = folder / f"digits_{name}.tflite"
        size = made.save(path, overwrite=overwrite)
        found = classes(made, test)
        shares = float(np.mean(found == labels)), float(np.mean(found == expected))
        seconds = latency(path, runs=200).ours.runs.median
        yield Result(name, path, size, len(gzip.compress(path.read_bytes(), 9)), *shares, seconds)


def scaled(pixels: np.ndarray) -> np.ndarray:
    """Pixels 0..16, (n, 8, 8) uint8 -> the model's input, (n, 8, 8, 1) float32 in 0..1."""
    return (pixels[..., None] / np.float32(16)).astype(np.float32)


def classes(model: pq.Model, images: np.ndarray) -> np.ndarray:
    """The class of each image. -> (n,) ints"""
    plan = pq.compile(model)
    return np.array([np.argmax(plan(image[None])) for image in images])
