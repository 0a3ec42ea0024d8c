"""Descriptions of models: costs against published figures, kernels against plans, text that fits, JSON, overlays."""

from __future__ import annotations

import doctest
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner, Result

import pyquant as pq
import pyquant.see.record
import pyquant.table
from pyquant import graph
from pyquant.cli import main
from pyquant.graph import Model
from pyquant.ops import OPERATORS
from pyquant.ops.build import add
from pyquant.see import COSTS, cost_overlay, overlay
from pyquant.see.text import SECTIONS, text
from pyquant.table import Column, count, lines, size

JSON_KEYS = {
    "description",
    "warnings",
    "totals",
    "operators",
    "subgraphs",
    "signatures",
    "buffers",
    "metadata",
    "known_metadata",
    "associated_files",
}


@pytest.fixture(scope="module")
def paths(data_folder: Path) -> list[Path]:
    return sorted(data_folder.rglob("*.tflite"))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_every_file_is_described(paths: list[Path]) -> None:
    for path in paths:
        model = pq.open(path)
        description = pq.describe(model)
        data = description.to_dict()
        assert data.keys() == JSON_KEYS
        assert json.loads(json.dumps(data)) == json.loads(json.dumps(pq.describe(model.copy()).to_dict())), path
        for width in (80, 120):
            found = text(description, SECTIONS, width)
            assert found.isprintable() or all(line.isprintable() for line in found.split("\n")), path
            assert max(map(len, found.split("\n"))) <= width, path


def test_a_saved_copy_is_described_alike(paths: list[Path]) -> None:
    for path in paths[::7]:
        model = pq.open(path)
        again = graph.load(graph.dump(model))
        assert json.dumps(pq.describe(model).to_dict()) == json.dumps(pq.describe(again).to_dict()), path


@pytest.mark.parametrize(
    ("file", "macs", "parameters"),
    [
        ("mobilenet/tf2_mobilenet_v2_1.0_224_ptq", 300_775_552, 3_489_097),  # published: 300 M, 3.47 M
        ("mlperf_tiny/pretrainedResnet", 12_501_632, 77_706),  # MLPerf Tiny: 12.5 M
        ("mlperf_tiny/kws_ref_model", 2_656_768, 22_604),  # MLPerf Tiny: 2.7 M
        ("mlperf_tiny/vww_96_int8", 7_489_664, 210_850),  # MLPerf Tiny: 7.5 M
        ("mlperf_tiny/ad01_int8", 264_192, 265_864),  # MLPerf Tiny: 0.27 M
        ("efficientnet_lite0/efficientnet_lite0_float32", 385_187_552, 4_631_000),  # published: 407 M with more, 4.7 M
    ],
)
def test_totals_are_the_published_ones(file: str, macs: int, parameters: int, data_folder: Path) -> None:
    totals = pq.describe(pq.open(data_folder / "models" / f"{file}.tflite")).totals
    assert (totals.macs, totals.parameters, totals.unknown_macs) == (macs, parameters, 0)


@pytest.mark.parametrize("suffix", ["float32", "float16", "dynamic_range", "int8_int8_io", "int16x8_float_io"])
def test_kernels_are_those_of_the_plan(suffix: str, data_folder: Path) -> None:
    model = pq.open(data_folder / "models/converter_variants" / f"kws_{suffix}.tflite")
    told = [row.kernel for row in pq.describe(model).nodes[model.main]]
    assert told == [step.kernel for step in pq.compile(model).steps]


def test_operators_with_weights_count_their_macs() -> None:
    for operator in OPERATORS.values():
        if {"weight", "activation"} <= {slot.role for slot in operator.inputs}:
            assert operator.macs is not None, operator.name


def image(b: pq.Builder, channels: int = 4) -> pq.Tensor:
    return b.input("x", (1, 6, 6, channels))


def weights(b: pq.Builder, *shape: int) -> pq.Tensor:
    return b.constant("w", np.ones(shape, np.float32))


STRIDES = {"stride_h": 1, "stride_w": 1}
DEPTHWISE = {**STRIDES, "depth_multiplier": 2}
BUILT: dict[str, tuple[Callable[[pq.Builder], pq.Tensor], int]] = {
    "3x3 with padding": (lambda b: add(b, "CONV_2D", [image(b), weights(b, 8, 3, 3, 4), None], "y", **STRIDES), 10368),
    "3x3 inside": (
        lambda b: add(b, "CONV_2D", [image(b), weights(b, 8, 3, 3, 4), None], "y", padding="VALID", **STRIDES),
        16 * 8 * 36,
    ),
    "groups": (lambda b: add(b, "CONV_2D", [image(b), weights(b, 8, 3, 3, 2), None], "y", **STRIDES), 36 * 8 * 18),
    "depthwise": (
        lambda b: add(
            b, "DEPTHWISE_CONV_2D", [image(b), weights(b, 1, 3, 3, 8), None], "y", depth_multiplier=2, **STRIDES
        ),
        36 * 8 * 9,
    ),
    "fully connected": (lambda b: add(b, "FULLY_CONNECTED", [image(b), weights(b, 5, 144), None], "y"), 5 * 144),
    "rows": (lambda b: add(b, "FULLY_CONNECTED", [image(b), weights(b, 5, 4), None], "y"), 36 * 5 * 4),
    "elementwise": (lambda b: add(b, "ADD", [image(b), weights(b, 4)], "y"), 0),
    "pooling": (lambda b: add(b, "MAX_POOL_2D", [image(b)], "y", filter_height=2, filter_width=2, **STRIDES), 0),
}


@pytest.mark.parametrize("name", BUILT)
def test_macs(name: str) -> None:
    b = pq.Builder()
    make, macs = BUILT[name]
    y = make(b)
    (row,) = pq.describe(b.model([y])).nodes.popitem()[1]
    assert row.cost.macs == macs
    assert (row.cost.read_bytes, row.cost.written_bytes) == (4 * 144, 4 * y.size)


def unknown() -> Model:
    """A custom operator after a known one; both outputs have one name, and one name tries to clear the screen."""
    b = pq.Builder()
    x = b.input("x\x1b[2J", (1, 4))
    w = b.constant("w", np.ones((3, 4), np.float32))
    y, z = add(b, "FULLY_CONNECTED", [x, w, None], "y"), b.tensor("y", (1, 3))
    b.node("CUSTOM", [y], [z], custom_code="Mystery", custom_options=np.arange(5, dtype=np.uint8))
    return b.model([z])


def test_unknown_operators_are_told() -> None:
    model = unknown()
    description = pq.describe(model)
    totals = description.totals
    assert (totals.operators, totals.macs, totals.unknown_macs, totals.parameters) == (2, 12, 1, 12)
    _, mystery = description.nodes[model.main]
    assert (mystery.kernel, mystery.cost.macs) == ("none", None) and "Mystery" in mystery.why
    shown = str(description)
    assert "12 MACs (unknown for 1)" in shown and "5 bytes of custom options" in shown
    assert "\x1b" not in shown and r"x\x1b[2J" in shown
    node = description.to_dict()["subgraphs"][0]["nodes"][1]
    assert (node["macs"], node["custom_options_bytes"], node["kernel"]) == (None, 5, "none")


def test_shared_buffers_count_once() -> None:
    b = pq.Builder()
    x, w = b.input("x", (1, 4)), b.constant("w", np.ones((4, 4), np.float32))
    y = add(b, "FULLY_CONNECTED", [x, w, None], "y")
    other = b.tensor("w again", (4, 4))
    other.buffer = w.buffer
    model = b.model([add(b, "FULLY_CONNECTED", [y, other, None], "z")])
    description = pq.describe(model)
    assert (description.totals.parameters, description.totals.constant_bytes) == (16, 64)
    (shared,) = [buffer for buffer in description.buffers if buffer.bytes]
    assert [t.name for t in shared.tensors] == ["w", "w again"]
    assert "w, w again" in text(description, ["buffers"])


def test_overlay_names_nodes_as_the_viewer_does() -> None:
    """Unique names of first outputs, else the node's index; the subgraph's name, else its signature's, else main."""
    model = unknown()
    model.main.name = ""
    data = overlay(model, {model.main.nodes[0]: 1.5, model.main.nodes[1]: float("nan")})
    assert data["main"]["results"] == {"0": {"value": 1.5}}
    model.signatures.append(graph.Signature("serve", model.main, [], []))
    assert overlay(model, {}).keys() == {"serve"}
    model.main.name, model.main.nodes[0].outputs[0].name = "whole", "z"
    assert cost_overlay(pq.describe(model))["whole"]["results"] == {"z": {"value": 12}}
    assert [item["stop"] for item in data["main"]["gradient"]][:: len(data["main"]["gradient"]) - 1] == [0, 1]


def test_overlays_of_real_models_have_a_number_for_each_node(data_folder: Path) -> None:
    model = pq.open(data_folder / "models/mlperf_tiny/kws_ref_model.tflite")
    for name in COSTS:
        (results,) = (entry["results"] for entry in cost_overlay(pq.describe(model), name).values())
        assert len(results) == len(model.main.nodes)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "unknown.tflite"
    unknown().save(path)
    return path


@pytest.mark.parametrize(
    ("options", "shown", "hidden"),
    [
        ([], "Mystery", "buffer"),
        (["--tensors"], "float32[3,4]*", "Mystery'"),
        (["--buffers"], "2 buffers", "kernel"),
        (["--tensors", "--operators"], "kernel", "2 buffers"),
        (["--all"], "2 buffers", "\x1b"),
    ],
    ids=" ".join,
)
def test_sections(options: list[str], shown: str, hidden: str, file: Path) -> None:
    result = run("inspect", file, *options)
    assert result.exit_code == 0, result.output
    assert shown in result.stdout and hidden not in result.stdout


def test_json_and_overlay_files(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "overlay.json"
    result = run("inspect", file, "--json", "--overlay", target, "--overlay-cost", "weight_bytes")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout).keys() == JSON_KEYS | {"file", "bytes"}
    assert json.loads(target.read_text())["main"]["results"] == {"0": {"value": 48}, "1": {"value": 0}}
    again = run("inspect", file, "--overlay", target)
    assert again.exit_code == 1 and "--force" in again.stderr


def test_json_has_no_nan(tmp_path: Path) -> None:
    model = unknown()
    model.main.tensors[0].quantization = pq.Quantization.of(np.float32("nan"))
    path = tmp_path / "nan.tflite"
    model.save(path)
    assert json.loads(run("inspect", path, "--json").stdout)["subgraphs"][0]["tensors"][0]["scale"] == [None]


@pytest.mark.parametrize(
    ("number", "short", "bytes_"),
    [
        (0, "0", "0 B"),
        (999, "999", "999 B"),
        (1000, "1.00 k", "1.00 kB"),
        (9_994, "9.99 k", "9.99 kB"),
        (9_996, "10.0 k", "10.0 kB"),
        (999_499, "999 k", "999 kB"),
        (999_500, "1.00 M", "1.00 MB"),
        (3 << 30, "3.22 G", "3.22 GB"),
    ],
)
def test_short_numbers(number: int, short: str, bytes_: str) -> None:
    assert (count(number), size(number)) == (short, bytes_)


def test_tables_drop_columns_by_rank_then_cut() -> None:
    columns = [Column("name", cut=True), Column("n", number=True), Column("extra", rank=1), Column("most", rank=2)]
    rows = [["a" * 20 + "b" * 20, "1", "e" * 10, "m" * 10], ["c", "22", "", ""]]
    whole = lines(columns, rows)
    assert [len(line) for line in whole] == [62, 68, 44]
    assert [len(line) for line in lines(columns, rows, 55)] == [49, 55, 44 - 13]
    assert lines(columns, rows, 45)[0].split() == ["name", "n", "extra"]
    narrow = lines(columns, rows, 30)
    assert narrow[0].split() == ["name", "n"] and max(map(len, narrow)) == 30 and "…" in narrow[1]


@pytest.mark.parametrize("module", [pyquant.table, pyquant.see.record, importlib.import_module("pyquant.see.describe")])
def test_examples_in_docstrings(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted and not found.failed


def test_associated_files_and_unsound_archives() -> None:
    model = pq.with_associated_files(unknown(), {"labels.txt": b"cat\ndog"})
    assert pq.describe(model).to_dict()["associated_files"] == {"labels.txt": 7}
    assert "labels.txt (7 B)" in str(pq.describe(model))
    model.extra["trailing"] = np.frombuffer(b"PK\5\6 is not enough", np.uint8)
    assert pq.describe(model).to_dict()["associated_files"] is None
    assert "no sound archive" in str(pq.describe(model))
