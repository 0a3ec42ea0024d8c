"""The debugger: which operators of a quantized model lose accuracy, and what more bits for the worst would gain."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from networks import network, runs_in_oracles, samples

import pyquant as pq
from pyquant.calibrate import collect
from pyquant.cli import main
from pyquant.ops.build import add
from pyquant.quantize import Rule, apply, recipe
from pyquant.quantize.mixed import widest, with_wide
from pyquant.quantize.search import Judge
from pyquant.see.debug import BINS, debug


def test_errors_are_told_by_operator_and_apart() -> None:
    model, feeds = network(), samples(4)
    small = pq.quantize(model, "int8", data=feeds)
    found = debug(model, small, feeds)
    rows = {row.name: row for row in found.nodes.values()}
    assert {"stem", "left", "gate", "right", "both", "halved", "pooled", "mean", "logits", "y"} == rows.keys()
    stem = rows["stem"]
    assert stem.op == "CONV_2D" and stem.own is not None and stem.weights is not None and stem.bias is not None
    assert 20 < stem.own.sqnr < 60 and 30 < stem.weights.sqnr < 60 and stem.own.cosine > 0.99
    assert rows["pooled"].weights is None and sum(stem.histogram) == 4 * 8 * 8 * 8 and len(stem.histogram) == BINS
    order = [row.own.sqnr for row in found.nodes.values() if row.own is not None]
    assert order == sorted(order)
    expected = pq.compile(model, keep="all").run(feeds[0])
    assert stem.low == pytest.approx(expected[model.main.nodes[0].outputs[0]].min())


def test_a_spoiled_operator_is_the_worst() -> None:
    model, feeds = network(), samples(4)
    small = pq.quantize(model, "int8", data=feeds)
    node = next(node for node in small.main.nodes if node.outputs[0].name == "right")
    weight = node.inputs[1]
    assert weight is not None and weight.data is not None
    weight.data = np.roll(weight.data, 1)
    found = debug(model, small, feeds)
    worst = next(iter(found.nodes.values()))
    assert worst.name == "right" and worst.own is not None and worst.own.sqnr < 10
    assert worst.weights is not None and worst.weights.sqnr < 10


def test_errors_go_to_csv_json_and_an_overlay() -> None:
    model, feeds = network(), samples(2)
    found = debug(model, pq.quantize(model, "int16x8", data=feeds), feeds)
    lines = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert len(lines) == len(found.nodes) and float(lines[0]["own_sqnr"]) > 20
    assert json.loads(json.dumps(found.to_dict()))["operators"][0]["op"] == lines[0]["op"]
    (graph,) = found.overlay().values()
    assert len(graph["results"]) == sum(row.own is not None and row.own.sqnr < math.inf for row in found.nodes.values())


def test_models_without_a_common_operator_are_refused() -> None:
    b = pq.Builder()
    x = b.input("x", (1, 4))
    other = b.model([add(b, "TANH", [x], "z")])
    with pytest.raises(pq.GraphError, match="no operator in common"):
        debug(network(), other, samples(1))


def test_the_operators_that_need_more_bits_get_them() -> None:
    model, feeds = network(), samples(6)
    seen = collect(model, feeds)
    judge = Judge(model, recipe("int8"), seen, [[x] for x in feeds])
    wide = Rule(weights="int8", activations="int16")
    chosen = widest(judge, seen, wide, 3)
    assert len(chosen) == 3
    ranges = seen.ranges(model)
    mixed = with_wide(judge.recipe, chosen, wide)
    assert judge.noise(ranges, mixed) < judge.noise(ranges)
    small = apply(judge.decide(ranges, mixed))
    assert sum(node.outputs[0].dtype.name == "int16" for node in small.main.nodes if node.op != "QUANTIZE") >= 3
    runs_in_oracles(small, feeds[:1], newer=True)


def test_the_command_shows_the_worst_and_tries_more_bits(tmp_path: Path) -> None:
    model, feeds = network(), samples(4)
    paths = {name: str(tmp_path / name) for name in ("float.tflite", "int8.tflite", "x.npy", "out.csv", "mixed.tflite")}
    model.save(paths["float.tflite"])
    pq.quantize(model, "int8", data=feeds).save(paths["int8.tflite"])
    np.save(paths["x.npy"], np.concatenate(feeds))
    given = ["debug", paths["float.tflite"], paths["int8.tflite"]]
    result = CliRunner().invoke(main, [*given, "--data", paths["x.npy"], "--csv", paths["out.csv"], "--try", "2",
                                       "-o", paths["mixed.tflite"]])  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "own dB" in result.output and "2 operators in int16:" in result.output
    assert Path(paths["out.csv"]).read_text().startswith("op,name,type,own_sqnr")
    assert any(t.dtype.name == "int16" for t in pq.open(paths["mixed.tflite"]).main.tensors)
    again = CliRunner().invoke(main, [*given, "--data", paths["x.npy"], "--csv", paths["out.csv"]])
    assert again.exit_code == 1 and "exists" in again.output
    assert CliRunner().invoke(main, given).exit_code == 2
