"""Real models on real inputs: our files and the TFLite converter's equal both runtimes on every tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import pyquant as pq
from pyquant.validate import RUNTIMES, Oracle

# Real values, sample by sample; what is quantized takes them by its input's scale.
Inputs = Iterator[np.ndarray]


def kws(data: Path) -> Inputs:
    with np.load(data / "datasets" / "kws01.npz") as file:
        yield from (file["inputs"].astype(np.float32) - 83) * np.float32(0.584703)


def cifar(data: Path) -> Inputs:
    with np.load(data / "datasets" / "cifar10.npz") as file:
        yield from file["x_test"].astype(np.float32)


def vww(data: Path) -> Inputs:
    """Photographs enlarged to 96x96, in 0..1: there is no data set for this model."""
    for image in cifar(data):
        yield image.repeat(3, 0).repeat(3, 1) / 255


def texts(data: Path) -> Inputs:
    with np.load(data / "datasets" / "minilm_embeddings.npz") as file:
        yield from file["test"].astype(np.float32)


def no_data(scale: float, *shape: int) -> Callable[[Path], Inputs]:
    def inputs(data: Path) -> Inputs:
        rng = np.random.default_rng(0)
        while True:
            yield rng.normal(0, scale, shape).astype(np.float32)

    return inputs


def photographs(mean: float, std: float) -> Callable[[Path], pq.Images]:
    return lambda data: pq.Images(data / "datasets" / "imagenet_samples_dev", mean, std)


def stored_photographs(data: Path) -> pq.Images:
    return pq.Images(data / "datasets" / "imagenet_samples_dev")


# model -> its inputs and how many
FLOAT = {
    "mlperf_tiny/kws_ref_model_float32": (kws, 100),
    "mlperf_tiny/pretrainedResnet": (cifar, 20),
    "mlperf_tiny/ad01_fp32": (no_data(2, 640), 20),
    "mlperf_tiny/vww_96_float": (vww, 20),
    "tflm_examples/hello_world_float": (no_data(2, 1), 20),
    "efficientnet_lite0/efficientnet_lite0_float32": (photographs(127, 128), 20),
}
KINDS = ("int8_int8_io", "int8_per_tensor", "int8_uint8_io", "int16x8_float_io", "int16x8_int16_io", "dynamic_range")
TEXT_KINDS = ("int8_float_io", "int16x8_float_io", "dynamic_range")
CONVERTED = {
    **{f"converter_variants/kws_{kind}": (kws, 100) for kind in KINDS},
    **{f"converter_variants/resnet_{kind}": (cifar, 20) for kind in KINDS},
    **{
        f"efficientnet_lite0/efficientnet_lite0_{kind}": (photographs(127, 128), 20)
        for kind in ("int8", "int16x8_float_io", "dynamic_range")
    },
    "edgetpu_pairs/mobilenet_v1_0.25_128_quant": (stored_photographs, 20),
    "edgetpu_pairs/mobilenet_v2_1.0_224_quant": (stored_photographs, 20),
    "mobilenet/tf2_mobilenet_v2_1.0_224_ptq": (stored_photographs, 20),
    "mlperf_tiny/kws_ref_model": (kws, 100),
    "mlperf_tiny/pretrainedResnet_quant": (cifar, 20),
    "mlperf_tiny/pretrainedResnet_large_int8": (cifar, 10),
    "mlperf_tiny/vww_96_int8": (vww, 20),
    "mlperf_tiny/ad01_int8": (no_data(2, 640), 20),
    **{
        f"transformer/minilm_2layer_{kind}": (texts, 3)
        for kind in ("int8_float_io", "int16x8_float_io", "dynamic_range")
    },
}
REFUSED = {
    # a hybrid FULLY_CONNECTED with a scale for each channel, which tflite-runtime 2.14 does not have
    ("efficientnet_lite0/efficientnet_lite0_dynamic_range", "tflite-runtime"),
    # FULLY_CONNECTED of a version that it does not have
    *((f"transformer/minilm_2layer_{kind}", "tflite-runtime") for kind in TEXT_KINDS),
}

every_runtime = pytest.mark.parametrize("runtime", RUNTIMES)


@every_runtime
@pytest.mark.parametrize("scheme", pq.SCHEMES)
@pytest.mark.parametrize("name", FLOAT)
def test_our_files(name: str, scheme: str, runtime: str, data_folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    if scheme == "bfloat16" and runtime == "tflite-runtime":
        pytest.skip("it does not take bfloat16")
    oracle_of(runtime)
    inputs, count = FLOAT[name]
    model = pq.open(data_folder / "models" / f"{name}.tflite")
    fitted = [list(sample.values()) for sample in islice(pq.samples(inputs(data_folder), model), count)]
    assert_equal(pq.quantize(model, scheme, data=fitted), runtime, fitted)


@every_runtime
@pytest.mark.parametrize("name", CONVERTED)
def test_the_converters_files(name: str, runtime: str, data_folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    oracle_of(runtime)
    if (name, runtime) in REFUSED:
        pytest.skip(f"{runtime} refuses it")
    inputs, count = CONVERTED[name]
    model = pq.open(data_folder / "models" / f"{name}.tflite")
    fitted = [list(sample.values()) for sample in islice(pq.samples(inputs(data_folder), model), count)]
    assert_equal(model, runtime, fitted)


def assert_equal(model: pq.Model, runtime: str, fitted: list[list[np.ndarray]]) -> None:
    report = pq.validate(model, runtime, fitted)
    assert report.ok, str(report)
    assert report.samples == len(fitted)
    assert len(report.tensors) == sum(len(node.outputs) for node in model.main.nodes)
