"""What a file and its constants take: each figure against the packer itself, and what encoding really makes of it."""

from __future__ import annotations

import gzip
import importlib.util
import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner

import pyquant as pq
from pyquant import graph
from pyquant.cli import main
from pyquant.compress.size import MISSING
from pyquant.graph import Builder, Model, Quantization
from pyquant.ops.build import add


def network() -> Model:
    """Three layers, with 90 % zeros, with 16 values, and with any."""
    b, rng = Builder(), np.random.default_rng(0)
    x = b.input("x", (1, 64))
    zeros = rng.normal(size=(64, 64)) * (rng.random((64, 64)) < 0.1)
    y = add(b, "FULLY_CONNECTED", [x, b.constant("zeros", zeros.astype(np.float32)), None], "y")
    few = rng.integers(0, 16, (32, 64)).astype(np.float32)
    z = add(b, "FULLY_CONNECTED", [y, b.constant("few", few), None], "z")
    any_ = b.constant("any", rng.normal(size=(16, 32)).astype(np.float32))
    return b.model([add(b, "FULLY_CONNECTED", [z, any_, None], "out")])


def test_each_measure_is_what_it_says() -> None:
    model = network()
    made, content = pq.size(model), graph.dump(model)
    assert made == pq.size(model, content)
    assert made.file.raw == len(content)
    assert made.file.gzip == len(gzip.compress(content, 9))
    zeros, few, any_ = made.tensors
    assert [one.name for one in made.tensors] == ["zeros", "few", "any"]
    assert [one.raw for one in made.tensors] == [16384, 8192, 2048]
    assert (few.bits, few.lookup) == (4, 32 * 64 // 2 + 16 * 4)
    assert (zeros.lookup, any_.lookup) == (None, None)
    share = np.bincount(named(model, "few").astype(int).reshape(-1)) / 2048
    assert few.entropy == int(np.ceil(-(share * np.log2(share)).sum() * 2048 / 8))
    assert any_.entropy == 512 * 9 // 8  # every value once
    assert made.file.lookup == made.file.raw - (few.raw - few.lookup)
    stored = next(t for t in pq.encode_sparse(model).main.tensors if t.name == "zeros")
    assert stored.sparsity is not None and stored.buffer is not None and stored.buffer.data is not None
    vectors = [level for level in stored.sparsity.dim_metadata if level.array_indices is not None]
    indices = sum(v.values.nbytes for level in vectors for v in (level.array_segments, level.array_indices))
    assert zeros.sparse == stored.buffer.data.size + indices


def named(model: Model, name: str) -> np.ndarray:
    values = next(tensor for tensor in model.main.tensors if tensor.name == name).data
    assert values is not None
    return values


def test_packers_that_are_not_there_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("zstandard", "brotli"):
        monkeypatch.setitem(sys.modules, module, None)
    made = pq.size(network())
    assert (made.file.zstd, made.file.brotli) == (None, None)
    assert str(made).endswith(MISSING)
    assert made.against(made).endswith(MISSING)
    assert "zstd" not in made.svg().split("gzip", 2)[2]


@pytest.mark.skipif(importlib.util.find_spec("zstandard") is None, reason="zstandard is not installed")
def test_packers_that_are_there_pack_better_than_gzip() -> None:
    file = pq.size(network()).file
    assert file.zstd is not None and file.gzip is not None and file.zstd < file.raw


def test_bytes_that_tensors_share_count_once() -> None:
    model = network()
    first, second = (next(t for t in model.main.tensors if t.name == name) for name in ("few", "any"))
    second.shape, second.buffer = first.shape, first.buffer
    assert [one.name for one in pq.size(model).tensors] == ["zeros", "few"]


def test_types_without_a_form_have_none() -> None:
    b = Builder()
    x = b.input("x", (1, 4), "int8", Quantization.of(0.1))
    words = b.constant("words", np.array([b"one", b"two"], object), "string")
    narrow = b.constant("narrow", np.arange(4, dtype=np.int8).reshape(1, 4), "int4", Quantization.of(0.1))
    y = add(b, "FULLY_CONNECTED", [x, narrow, None], "y", quantization=Quantization.of(0.1))
    sizes = {one.name: one for one in pq.size(b.model([y, words])).tensors}
    assert (sizes["words"].entropy, sizes["words"].sparse, sizes["words"].lookup) == (None, None, None)
    assert (sizes["narrow"].raw, sizes["narrow"].entropy, sizes["narrow"].sparse) == (2, 1, None)


def test_command(tmp_path: Path) -> None:
    model = network()
    before, after, picture = tmp_path / "a.tflite", tmp_path / "b.tflite", tmp_path / "size.svg"
    model.save(before)
    pq.encode_sparse(model).save(after)
    run = CliRunner().invoke
    text = run(main, ["size", str(before)])
    assert text.exit_code == 0 and "whole file" in text.output
    both = run(main, ["size", str(before), str(after), "--svg", str(picture)])
    assert both.exit_code == 0 and "raw before" in both.output
    bars = ElementTree.fromstring(picture.read_text()).findall("{http://www.w3.org/2000/svg}rect")
    assert len(bars) > 30
    assert run(main, ["size", str(before), "--svg", str(picture)]).exit_code == 1
    found = json.loads(run(main, ["size", str(before), str(after), "--json"]).output)
    assert found["after"]["file"]["raw"] == after.stat().st_size < found["before"]["file"]["raw"]
    assert json.loads(run(main, ["size", str(after), "--json"]).output)["file"] == found["after"]["file"]
