"""The arithmetics beside the default one: C equals the references, and a photograph tells a device from a CPU."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from cases.case import Case
from posenet import scores
from test_ops import ROWS, check, reference

import pyquant as pq
from pyquant import targets
from pyquant.graph import Builder, Quantization
from pyquant.ops.build import add
from pyquant.validate.tally import real

FAMILIES = (
    "conv",
    "depthwise",
    "fully_connected",
    "arithmetic",
    "activation",
    "pool",
    "reduce",
    "quantize",
    "matrices",
)
INTEGERS = {
    id: case
    for id, case in ROWS.items()
    if id.partition("-")[0] in FAMILIES and any(v is not None and v.dtype in ("int8", "uint8") for v in case.inputs)
}


@pytest.mark.parametrize("numerics", ["single-rounding", "edgetpu"])
@pytest.mark.parametrize("case", INTEGERS.values(), ids=INTEGERS.keys())
def test_kernels_equal_reference(case: Case, numerics: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a device ran every one of them."""
    monkeypatch.setattr(targets, "beside_device", lambda model, numerics: ())
    model, feeds = case.model(), case.feeds()
    outputs = pq.compile(model, numerics=numerics)(*feeds)
    found = [outputs] if isinstance(outputs, np.ndarray) else outputs
    check(found, reference(model, feeds, numerics), case.tolerance)


def test_what_the_device_does_not_run_computes_as_on_the_cpu() -> None:
    """ABS keeps what follows it on the CPU, by the same weights as what comes before it."""
    b, rng = Builder(), np.random.default_rng(0)
    x = b.input("x", (1, 16, 16, 8), "int8", Quantization.of(0.05))
    w = b.constant("w", rng.integers(-127, 128, (8, 3, 3, 8)).astype(np.int8), None, Quantization.of(0.02))
    bias = b.constant("bias", np.zeros(8, np.int32), None, Quantization.of(0.05 * 0.02))
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
    before = add(b, "CONV_2D", [x, w, bias], "before", "int8", Quantization.of(0.3, 3), **options)
    middle = add(b, "ABS", [before], "middle", "int8", Quantization.of(0.05))
    after = add(b, "CONV_2D", [middle, w, bias], "after", "int8", Quantization.of(0.3, 3), **options)
    model, image = b.model([after]), rng.integers(-128, 128, (1, 16, 16, 8)).astype(np.int8)
    cpu, device = (pq.compile(model, numerics=n, keep="all").run(image) for n in ("tflite", "edgetpu"))
    assert (cpu[before] != device[before]).any()
    behind = pq.extract(model, [middle.name])
    np.testing.assert_array_equal(pq.compile(behind)(device[middle]), device[after])
    assert (pq.compile(behind, numerics="edgetpu")(device[middle]) != device[after]).any()


def test_posenet_tells_the_device_from_the_cpu(data_folder: Path) -> None:
    """The 34 published keypoint scores, as logits, within 0.02 of a quantization step."""
    image = pytest.importorskip("PIL.Image")
    photograph = np.asarray(image.open(data_folder / "images/posenet_test_image.png").convert("RGB"), np.float32)
    base = data_folder / "models/edgetpu_pairs/posenet_mobilenet_v1_075_481_641_16_quant_decoder"
    model = pq.open(base.with_suffix(".tflite"))
    heads = pq.extract(model, outputs=[t.name for t in model.main.nodes[-1].inputs if t is not None])
    pixels = enlarged(photograph, 481, 641).astype(np.uint8)[np.newaxis]
    for numerics, other in (("tflite", "edgetpu"), ("edgetpu", "tflite")):
        plan = pq.compile(heads, numerics=numerics)
        found = scores(*(real(a[0], t).astype(np.float32) for a, t in zip(plan(pixels), plan.outputs, strict=True)))
        step = plan.outputs[0].quantization.scale[0]
        assert np.abs(found - published(base, numerics)).max() < 0.02 * step
        assert np.abs(found - published(base, other)).max() > step


def published(base: Path, numerics: str) -> np.ndarray:
    """The logits of shape (poses, 17) that a table beside the model states as probabilities."""
    suffix = {"tflite": "_reference.csv", "edgetpu": "_edgetpu_reference.csv"}[numerics]
    with open(f"{base}{suffix}") as file:
        probabilities = np.array([float(row["keypoint_score"]) for row in csv.DictReader(file)]).reshape(-1, 17)
    return np.log(probabilities / (1 - probabilities))


def enlarged(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear with half pixel centers, the corners' weights multiplied first: as those tables were made. float32."""
    top, bottom, down = _corners(image.shape[0], height)
    left, right, along = _corners(image.shape[1], width)
    down, along, one = down[:, None, None], along[None, :, None], np.float32(1)
    out = image[top][:, left] * ((one - down) * (one - along))
    out = out + image[top][:, right] * ((one - down) * along)
    out = out + image[bottom][:, left] * (down * (one - along))
    return out + image[bottom][:, right] * (down * along)


def _corners(size: int, wanted: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    half = np.float32(0.5)
    at = (np.arange(wanted, dtype=np.float32) + half) * (np.float32(size) / np.float32(wanted)) - half
    low = np.maximum(np.floor(at).astype(int), 0)
    return low, np.minimum(np.ceil(at).astype(int), size - 1), at - low.astype(np.float32)
