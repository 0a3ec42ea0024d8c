"""Reading files compiled for the Edge TPU, beside what flatc generates from our schema, which checks nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flatbuffers import flexbuffers
from test_bench_files import each_peer, generated

import pyquant as pq
from pyquant.edgetpu.package import PACKAGE, containers
from pyquant.graph import Model

MODELS = ("mobilenet_v1_0.25_128_quant", "mobilenet_v2_1.0_224_quant", "movenet_single_pose_lightning_ptq")


@pytest.fixture(scope="module")
def object_api(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return generated("edgetpu", tmp_path_factory.mktemp("flatc"))


def reader(peer: str, model: Model, object_api: Any) -> Callable[[], list[int]]:
    """Gives the bytes of parameters of each executable."""

    def read_with_flatc() -> list[int]:
        options = next(node.custom_options for node in model.main.nodes if node.op == "edgetpu-custom-op")
        assert options is not None
        data = flexbuffers.GetRoot(options.tobytes()).AsMap[PACKAGE].AsStringBytes
        package = object_api.PackageT.InitFromPackedBuf(data, 0)
        several = object_api.MultiExecutableT.InitFromPackedBuf(bytes(package.serializedMultiExecutable), 0)
        found = [object_api.ExecutableT.InitFromPackedBuf(e, 0) for e in several.serializedExecutables]
        return [0 if e.parameters is None else len(e.parameters) for e in found]

    def read() -> list[int]:
        return [e.parameters.size for container in containers(model) for e in container.executables]

    return read if peer == "pyquant" else read_with_flatc


@each_peer
@pytest.mark.parametrize("name", MODELS)
def test_read_compiled(name: str, peer: str, benchmark: Any, data_folder: Path, object_api: Any) -> None:
    benchmark.group = f"read compiled {name}"
    model = pq.open(data_folder / "models" / "edgetpu_pairs" / f"{name}_edgetpu.tflite")
    assert benchmark(reader(peer, model, object_api)) == reader("pyquant", model, object_api)()
