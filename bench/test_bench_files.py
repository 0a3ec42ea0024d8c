"""Opening and saving, beside flatc's generated object API, which is made from our schema when the benchmark starts."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import pytest

import pyquant as pq
from pyquant.graph import dump, load
from pyquant.wire.file import write

SCHEMAS = Path(__file__).parents[1] / "schema"
MODELS = {
    "kws": "converter_variants/kws_int8_int8_io",
    "mobilenet_v2": "mobilenet/tf2_mobilenet_v2_1.0_224_ptq",
    "efficientnet_lite0": "efficientnet_lite0/efficientnet_lite0_float32",
}
each_model = pytest.mark.parametrize("name", MODELS)
each_peer = pytest.mark.parametrize("peer", ["pyquant", "flatc"])


def generated(schema: str, folder: Path) -> Any:
    """The module that flatc generates of one of our schemas."""
    flatc = shutil.which("flatc", path=str(Path(sys.executable).parent)) or shutil.which("flatc")
    if flatc is None:
        pytest.skip("flatc is not installed")
    source = SCHEMAS / f"{schema}.fbs"
    subprocess.run([flatc, "--python", "--gen-object-api", "--gen-onefile", "-o", folder, source], check=True)
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(next(folder.glob("*.py")).stem)
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def object_api(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return generated("tflite", tmp_path_factory.mktemp("flatc"))


def opener(peer: str, path: Path, object_api: Any) -> Callable[[], Any]:
    def open_with_flatc() -> Any:
        return object_api.ModelT.InitFromPackedBuf(path.read_bytes(), 0)

    return (lambda: pq.open(path)) if peer == "pyquant" else open_with_flatc


@each_peer
@each_model
def test_open(name: str, peer: str, benchmark: Any, data_folder: Path, object_api: Any) -> None:
    benchmark.group = f"open {name}"
    path = data_folder / "models" / f"{MODELS[name]}.tflite"
    model = benchmark(opener(peer, path, object_api))
    count = len(model.main.nodes) if peer == "pyquant" else len(model.subgraphs[0].operators)
    assert count == len(pq.open(path).main.nodes)


def dumper(peer: str, model: Any) -> Callable[[], Any]:
    def dump_with_flatc() -> Any:
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        return builder.Output()

    return (lambda: dump(model)) if peer == "pyquant" else dump_with_flatc


@each_peer
@each_model
def test_save_to_memory(name: str, peer: str, benchmark: Any, data_folder: Path, object_api: Any) -> None:
    benchmark.group = f"save to memory {name}"
    path = data_folder / "models" / f"{MODELS[name]}.tflite"
    data = benchmark(dumper(peer, opener(peer, path, object_api)()))
    assert len(load(data).main.nodes) == len(pq.open(path).main.nodes)


@each_peer
@each_model
def test_open_and_save(
    name: str, peer: str, benchmark: Any, data_folder: Path, object_api: Any, tmp_path: Path
) -> None:
    """From file to file; what both write is as durable."""
    benchmark.group = f"open and save {name}"
    path, target = data_folder / "models" / f"{MODELS[name]}.tflite", tmp_path / "saved.tflite"
    open_model = opener(peer, path, object_api)

    def ours() -> None:
        open_model().save(target, overwrite=True)

    def theirs() -> None:
        write(target, [dumper(peer, open_model())()], overwrite=True)

    benchmark(ours if peer == "pyquant" else theirs)
    assert len(pq.open(target).main.nodes) == len(pq.open(path).main.nodes)
