"""Timelines of arenas: pyquant's own, on real models, and that of tflite-micro's planner, against its own report."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import numpy as np
import pytest

import pyquant as pq
from pyquant.graph import Buffer, Model
from pyquant.ops.build import add
from pyquant.run.arena import Block, place_in_order

RUN_BY_TFLM = ("mlperf_tiny", "converter_variants", "tflm_examples")  # folders that it does not die on


def chain(sizes: list[int]) -> Model:
    b = pq.Builder()
    y = b.input("x", (1, sizes[0]))
    for i, size in enumerate(sizes[1:]):
        w = b.constant(f"w{i}", np.ones((size, y.shape[1]), np.float32))
        y = add(b, "FULLY_CONNECTED", [y, w, None], f"y{i}")
    return b.model([y])


@pytest.mark.parametrize("module", ["pyquant.run.arena", "pyquant.run.timeline", "pyquant.validate.latency"])
def test_examples(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted > 0 and found.failed == 0


def test_a_timeline_tells_what_lives_when_and_where() -> None:
    found = pq.compile(chain([16, 32, 16])).timeline()
    rows = [(life.tensor.name, life.bytes, life.offset, life.first, life.last) for life in found]
    assert rows == [("x", 64, 128, -1, 0), ("y0", 128, 0, 0, 1), ("y1", 64, 128, 1, 2)]
    assert (found.arena_bytes, found.least_bytes) == (192, 192)
    assert found.to_dict()["tensors"][1] == {
        "name": "y0", "bytes": 128, "offset": 0, "first": 0, "last": 1, "views": []
    }  # fmt: skip
    assert "arena 192 bytes" in str(found) and "y0" in str(found)


def test_a_view_has_the_memory_of_another_tensor() -> None:
    b = pq.Builder()
    x = b.input("x", (2, 8))
    flat = add(b, "RESHAPE", [x, b.constant("shape", np.int32([16]))], "flat")
    model = b.model([add(b, "LOGISTIC", [flat], "y")])
    (life, _) = pq.compile(model, keep=[flat]).timeline()
    assert (life.tensor, life.views, life.last) == (x, (flat,), 2)


def test_an_output_takes_the_memory_of_an_input_that_nothing_reads_afterwards() -> None:
    b = pq.Builder()
    x, row = b.input("x", (4, 8)), b.input("row", (8,))
    y = add(b, "ADD", [row, x], "y")
    flat = add(b, "RESHAPE", [y, b.constant("shape", np.int32([32]))], "flat")
    z = add(b, "MUL", [flat, flat], "z")
    model = b.model([add(b, "SUB", [z, flat], "difference"), add(b, "FLOOR_DIV", [z, z], "quotient")])
    homes = {life.tensor.name: [t.name for t in life.views] for life in pq.compile(model).timeline()}
    # row is shorter than y; flat is read after z is made; FLOOR_DIV may yet report what its inputs hold
    assert homes == {"x": ["y", "flat", "difference"], "row": [], "z": [], "quotient": []}
    assert all(not life.views or life.tensor is y for life in pq.compile(model, keep="all").timeline())


def test_tflm_aligns_to_16_bytes_and_places_the_last_of_equal_tensors_first() -> None:
    found = pq.timeline(chain([5, 5, 5, 1]), "tflm")
    rows = {life.tensor.name: (life.bytes, life.offset, life.first, life.last) for life in found}
    assert rows == {"x": (20, 0, 0, 1), "y0": (20, 32, 1, 2), "y1": (20, 0, 2, 3), "y2": (4, 32, 3, 3)}
    assert (found.arena_bytes, found.least_bytes) == (64, 64)


def test_tflm_has_scratch_buffers_while_a_node_runs() -> None:
    b = pq.Builder()
    x = b.input("x", (1, 4, 4, 2))
    mean = add(b, "MEAN", [x, b.constant("axes", np.int32([1, 2]))], "mean", keep_dims=False)
    found = pq.timeline(b.model([add(b, "LOGISTIC", [mean], "y")]), "tflm")
    rows = [
        (life.tensor.name, life.bytes, life.first, life.last) for life in found if life.tensor.dtype.name == "uint8"
    ]
    assert rows == [("scratch of mean", 16, 1, 1), ("scratch of mean", 8, 1, 1)]


def test_tflm_obeys_the_plan_in_the_file() -> None:
    model = chain([4, 4, 4])
    index = [t.name for t in model.main.tensors].index("y0")
    offsets = [160 if i == index else -1 for i in range(len(model.main.tensors))]
    plan = np.array([1, 0, len(offsets), *offsets], "<i4")
    model.metadata.append(("OfflineMemoryAllocation", Buffer(plan.view(np.uint8))))
    found = pq.timeline(model, "tflm")
    assert {life.tensor.name: life.offset for life in found} == {"x": 0, "y0": 160, "y1": 0}
    assert found.arena_bytes == 176
    model.metadata[-1] = ("OfflineMemoryAllocation", Buffer(plan[:-1].view(np.uint8)))
    with pytest.raises(pq.GraphError, match="OfflineMemoryAllocation"):
        pq.timeline(model, "tflm")


def test_other_planners_are_refused() -> None:
    with pytest.raises(pq.PyQuantError, match="found 'magic', expected one of pyquant, tflm"):
        pq.timeline(chain([1, 1]), "magic")


def models(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*.tflite")) if not path.stem.endswith("_edgetpu")]


def test_arenas_of_real_models_are_near_the_best(data_folder: Path) -> None:
    """Within 5 % of the best of 40 random orders and some others, and never below what lives at one step."""
    rng = np.random.default_rng(0)
    checked = 0
    for path in models(data_folder / "models"):
        try:
            found = pq.compile(pq.open(path)).timeline()
        except pq.PyQuantError:
            continue  # does not run
        assert found.least_bytes <= found.arena_bytes, path
        checked += 1
        if found.arena_bytes == found.least_bytes:
            continue
        blocks = [Block(life.bytes, life.first, life.last) for life in found]
        keys = [[-b.last for b in blocks], [-b.life for b in blocks], [-b.size / b.life for b in blocks]]
        keys += list(-(rng.permuted(np.tile([b.size for b in blocks], (40, 1)), axis=1) ** rng.uniform(0, 1, (40, 1))))
        best = min(place_in_order(blocks, np.argsort(key, kind="stable").tolist())[1] for key in keys)
        assert found.arena_bytes <= 1.05 * best, path
    assert checked > 200


def test_the_planner_of_tflm_as_tflm_reports_it(data_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro").runtime
    equal = 0
    for path in [path for folder in RUN_BY_TFLM for path in models(data_folder / "models" / folder)]:
        try:
            interpreter = runtime.Interpreter.from_file(str(path), arena_size=1 << 25)
        except RuntimeError:
            continue  # tflite-micro does not run it
        capfd.readouterr()
        interpreter.print_allocations()
        head = int(re.findall(r"head (\d+) bytes", capfd.readouterr().err)[0])
        found = pq.timeline(pq.open(path), "tflm").arena_bytes
        assert found == head, path
        equal += 1
    assert equal > 20
