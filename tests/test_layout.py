"""Where constants lie: inside the flatbuffer, behind it, in files beside it; and models past 2 GiB."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from networks import network
from running import feeds, ours, theirs

import pyquant as pq
from pyquant import graph
from pyquant.errors import FileError, FileExists, FormatError, GraphError, OptionError
from pyquant.graph import Builder, Model, Node, OpCode
from pyquant.validate import Oracle
from pyquant.wire import decode, file

LAYOUTS = ["inline", "offset", "external"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_holds_the_same_model(layout: str, tmp_path: Path) -> None:
    model = network()
    inputs = feeds(model)
    path = tmp_path / "model.tflite"
    model.save(path, layout=layout)
    opened = pq.open(path)
    assert ours(opened, inputs) == ours(model, inputs)
    assert ours(opened.copy(), inputs) == ours(model, inputs)
    for other in LAYOUTS:
        opened.save(tmp_path / f"{other}.tflite", overwrite=True, layout=other)
        assert ours(pq.open(tmp_path / f"{other}.tflite"), inputs) == ours(model, inputs)
        assert pq.open(tmp_path / f"{other}.tflite").warnings == ()
    assert pq.diff(pq.open(tmp_path / "inline.tflite"), model).same


@pytest.mark.parametrize("runtime", ["tflite-runtime", "ai-edge-litert"])
def test_runtimes_read_what_lies_behind(runtime: str, tmp_path: Path, oracle_of: Callable[[str], Oracle]) -> None:
    oracle = oracle_of(runtime)
    model = network()
    inputs = feeds(model)
    path = tmp_path / "model.tflite"
    model.save(path, layout="offset")
    assert theirs(oracle, path, inputs) == theirs(oracle, model, inputs) is not None


def test_custom_options_go_behind_as_well() -> None:
    b = Builder()
    x = b.input("x", (1,))
    y = b.tensor("y", (1,), "float32")
    model = b.model([y])
    options = np.arange(100, dtype=np.uint8)
    model.main.nodes = [Node(OpCode("CUSTOM", custom_code="Mine"), [x], [y], custom_options=options)]
    data = graph.dump(model, layout="offset")
    (node,) = graph.load(data).main.nodes
    assert np.array_equal(node.custom_options, options)
    assert data.index(options.tobytes()) > data.index(b"Mine")
    assert graph.dump(graph.load(data)) == graph.dump(model)


def external(folder: Path) -> Model:
    folder.mkdir(exist_ok=True)
    network().save(folder / "model.tflite", layout="external", overwrite=True)
    return pq.open(folder / "model.tflite")


def test_references_to_other_files_are_kept(tmp_path: Path) -> None:
    model = external(tmp_path)
    before = (tmp_path / "model.weights").read_bytes()
    model.save(tmp_path / "again.tflite")
    assert decode(file.read(tmp_path / "again.tflite")) == decode(file.read(tmp_path / "model.tflite"))
    assert (tmp_path / "model.weights").read_bytes() == before
    assert (tmp_path / "model.tflite").stat().st_size < len(before)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(FileError, match=r"'model.weights', which is not beside"):
        model.save(tmp_path / "elsewhere" / "model.tflite")


def test_an_edited_constant_is_the_models_own(tmp_path: Path) -> None:
    model = external(tmp_path)
    weight = next(t for t in model.main.tensors if t.extra.get("external_buffer"))
    weight.data = np.zeros(weight.shape, np.float32)
    model.save(tmp_path / "zero.tflite")
    again = next(t for t in pq.open(tmp_path / "zero.tflite").main.tensors if t.name == weight.name)
    assert again.data is not None
    assert not again.data.any()


def test_a_missing_file_is_a_warning_until_its_data_is_needed(tmp_path: Path) -> None:
    external(tmp_path)
    (tmp_path / "model.weights").unlink()
    model = pq.open(tmp_path / "model.tflite")
    assert any("'model.weights'" in str(warning) for warning in model.warnings)
    with pytest.raises(GraphError, match="in another file, which is not there"):
        pq.compile(model)
    with pytest.raises(GraphError, match=r"lies in 'model.weights', which is not beside"):
        graph.dump(model, layout="inline")


@pytest.mark.parametrize(
    "name",
    ["../other/model.weights", "/etc/hostname", "a/../../x", "..\\x", "link/model.weights", "a\0b", "a" * 5000],
    ids=lambda name: ascii(name[:20]),
)
def test_no_path_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    model = external(tmp_path / "other")
    model.extra["external_buffer_groups"][1].name = name
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "other")
    path = tmp_path / "here" / "model.tflite"
    path.write_bytes(graph.dump(model))
    with pytest.raises(FormatError, match="is not inside the model's folder"):
        pq.open(path)


def test_slices_lie_within_their_file(tmp_path: Path) -> None:
    model = external(tmp_path)
    model.extra["external_buffers"][0].offset = 1 << 40
    (tmp_path / "model.tflite").write_bytes(graph.dump(model))
    with pytest.raises(FormatError, match=r"bytes at 1099511627776 of 'model.weights', which has"):
        pq.open(tmp_path / "model.tflite")


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "model.weights").write_bytes(b"mine")
    with pytest.raises(FileExists, match=r"model.weights exists"):
        network().save(tmp_path / "model.tflite", layout="external")
    assert os.listdir(tmp_path) == ["model.weights"]
    with pytest.raises(OptionError, match="layout: found 'behind'"):
        network().save(tmp_path / "model.tflite", layout="behind")


SIZE = 3 << 30  # bytes of the weight
OPEN = """
import re, sys, time
import pyquant as pq
start = time.perf_counter()
model = pq.open(sys.argv[1])
took = time.perf_counter() - start
peak = re.findall(r"Vm(?:HWM|RSS):\\s+(\\d+) kB", open("/proc/self/status").read())  # not every kernel has HWM
print(took, 1024 * max(map(int, peak)), model.main.nodes[0].inputs[1].data.nbytes)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the peak of memory is read from /proc")
def test_a_model_of_3_gib(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Opens at once and in little memory; saves about as fast as the file is copied, both down to the disk."""
    free = shutil.disk_usage(tmp_path).free
    if free < 4 * SIZE:
        pytest.skip(f"needs {4 * SIZE >> 30} GiB in {tmp_path}, {free >> 30} are free")
    path = tmp_path / "large.tflite"
    b = Builder()
    x = b.input("x", (1, 1024))
    content = np.zeros((SIZE // 1024, 1024), np.int8)
    content[:, 0] = 1
    w = b.constant("w", content, "int8", pq.Quantization.of(0.5))
    y = b.tensor("y", (1, SIZE // 1024), "float32")
    b.node("FULLY_CONNECTED", [x, w, None], [y])
    b.model([y]).save(path)
    del content, w, b
    command = [sys.executable, "-c", OPEN, path]  # not from here, where pyquant is without its extension
    found = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True).stdout
    took, peak, size = map(float, found.split())
    assert size == SIZE
    assert peak < 100e6
    model = pq.open(path)
    copied, saved = [], []
    for _ in range(2):
        copied.append(timed(lambda: copy(path, tmp_path / "copy")))
        saved.append(timed(lambda: model.save(tmp_path / "saved", overwrite=True)))
    with capsys.disabled():
        print(f"\n3 GiB: opened in {1e3 * took:.0f} ms with {peak / 1e6:.0f} MB,", end=" ")
        print(f"copied in {min(copied):.1f} s, saved in {min(saved):.1f} s")
    assert took < 1  # that it is far below is for the line above to show
    assert (tmp_path / "saved").stat().st_size == path.stat().st_size


def copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with open(target, "rb+") as file:
        os.fsync(file.fileno())


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
