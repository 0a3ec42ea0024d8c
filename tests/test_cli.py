"""Every verb on the demo's files: what it writes, what it reports, when it refuses, and with which exit code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import pyquant as pq
from pyquant.cli import main
from pyquant.cli.main import VERBS, commands
from pyquant.graph import Builder
from pyquant.ops.build import add
from pyquant.validate import Oracle


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("demo")
    result = run("demo", "--folder", made, "--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [row["format"] for row in rows] == ["float32", "float16", "dynamic", "int8", "int16x8"]
    assert all(row["accuracy"] > 0.97 and row["agreement"] > 0.99 and row["latency"] > 0 for row in rows)
    assert all(row["bytes"] == Path(row["path"]).stat().st_size for row in rows)
    assert max(row["bytes"] for row in rows[2:]) < rows[1]["bytes"] < rows[0]["bytes"]
    return made


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def assert_fails(result: Result, code: int, message: str) -> None:
    """The exit code, nothing on stdout, no traceback, and on stderr the message."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert message in result.stderr
    if code == 1:
        assert len(result.stderr.splitlines()) == 1


def test_demo_ends_with_what_to_type_next(tmp_path: Path) -> None:
    result = run("demo", "--folder", tmp_path / "demo")
    assert result.exit_code == 0
    assert "agrees with float" in result.stdout
    assert "pyquant quantize MODEL.tflite" in result.stdout
    assert_fails(run("demo", "--folder", tmp_path / "demo"), 1, "--force overwrites")
    assert run("demo", "--folder", tmp_path / "demo", "--force").exit_code == 0


def test_inspect(folder: Path) -> None:
    model = folder / "digits_int8.tflite"
    text = run("inspect", model)
    assert text.exit_code == 0
    assert "CONV_2D" in text.stdout
    found = json.loads(run("inspect", model, "--json").stdout)
    assert found["bytes"] == model.stat().st_size
    (main_subgraph,) = found["subgraphs"]
    assert [n["op"] for n in main_subgraph["nodes"]][:2] == ["QUANTIZE", "CONV_2D"]
    conv = main_subgraph["nodes"][1]
    weights = main_subgraph["tensors"][conv["inputs"][1]]
    assert (weights["dtype"], weights["shape"], weights["axis"]) == ("int8", [16, 3, 3, 1], 0)
    assert len(weights["scale"]) == 16 and weights["constant_bytes"] == 144


def test_who_quantizes_an_operator() -> None:
    found = {one["operator"]: one["by"] for one in json.loads(run("ops", "--quantizable", "--json").stdout)}
    assert sum("converter" in by["int8"] for by in found.values()) == 79
    assert found["LEAKY_RELU"]["int8"] == ["pyquant", "converter"]
    assert re.search("^LEAKY_RELU +pyquant, converter +pyquant, converter$", run("ops", "--quantizable").stdout, re.M)


def test_quantize(folder: Path, tmp_path: Path) -> None:
    source, data = folder / "digits_float32.tflite", f"{folder / 'digits_test.npz'}:calibration"
    target = tmp_path / "small.tflite"
    arguments = ["quantize", source, "-o", target, "--scheme", "int8", "--data", data, "--limit", 20]
    result = run(*arguments, "--input-type", "int8", "--output-type", "uint8", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["bytes"], report["scheme"], report["kept_float"]) == (target.stat().st_size, "int8", [])
    model = pq.open(target)
    assert (model.main.inputs[0].dtype.name, model.main.outputs[0].dtype.name) == ("int8", "uint8")
    assert_fails(run(*arguments), 1, "--force overwrites it")
    assert run(*arguments, "--force", "--per-tensor").exit_code == 0
    weights = [t for t in pq.open(target).main.tensors if t.is_constant and t.dtype.name == "int8"]
    assert not any(t.quantization.per_axis for t in weights)


@pytest.mark.parametrize(
    "verb", ["quantize --scheme dynamic", "prune --sparsity 0.5", "cluster", "prune-channels --share 0.25"]
)
def test_bytes_before_are_those_of_the_file_that_was_written_over(verb: str, folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "mine.tflite"
    before = (folder / "digits_float32.tflite").read_bytes()
    model.write_bytes(before)
    result = run(*verb.split(), model, "-o", model, "--force", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["bytes_before"] == len(before)
    assert model.read_bytes() != before


def test_quantize_names_its_file_and_what_stays_float(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "mine.tflite"
    source.write_bytes((folder / "digits_float32.tflite").read_bytes())
    data = f"{folder / 'digits_test.npz'}:calibration"
    result = run("quantize", source, "--scheme", "int16x8", "--data", data, "--keep-float", "logits")
    assert result.exit_code == 0, result.output
    assert "FULLY_CONNECTED 'logits'" in result.stdout
    assert (tmp_path / "mine_int16x8.tflite").exists()


def test_quantize_asks_for_newer_kernels_and_recipes_have_them(tmp_path: Path) -> None:
    b = pq.Builder()
    model, data = tmp_path / "root.tflite", tmp_path / "data.npy"
    b.model([add(b, "RSQRT", [b.input("x", (1, 4))], "y")]).save(model)
    np.save(data, np.ones((2, 1, 4), np.float32))
    command = ["quantize", model, "-o", tmp_path / "small.tflite", "--data", data, "--force"]
    wide = ("--scheme", "int16x8")
    assert_fails(run(*command, *wide), 1, "tflite-runtime-2.14 takes float32, int8 here")
    assert run(*command, *wide, "--newer-kernels").exit_code == 0
    assert run(*command, "--recipe", "static_wi8_ai16", "--one-scale").exit_code == 0


def test_quantize_tells_what_an_older_runtime_does_not_take(folder: Path, tmp_path: Path) -> None:
    arguments = ["quantize", folder / "digits_float32.tflite", "-o", tmp_path / "new.tflite", "--force", "--recipe"]
    result = run(*arguments, "dynamic_wi4_afp32")
    assert result.exit_code == 0, result.output
    assert "x tflite-runtime-2.14 takes weights of these bits for int8" in result.stdout
    assert json.loads(run(*arguments, "dynamic_wi4_afp32", "--json").stdout)["problems"]["tflite-runtime-2.14"]


def test_run(folder: Path, tmp_path: Path) -> None:
    model, data, target = folder / "digits_int8.tflite", f"{folder / 'digits_test.npz'}:images", tmp_path / "out.npz"
    result = run("run", model, "--data", data, "-o", target, "--threads", 2, "--isa", "scalar", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["samples"] == 500
    with np.load(target) as outputs, np.load(folder / "digits_test.npz") as test:
        (probabilities,) = outputs.values()
        assert probabilities.shape == (500, 10)
        assert np.mean(probabilities.argmax(1) == test["labels"]) > 0.97
    assert_fails(run("run", model, "--data", data, "-o", target), 1, "--force")
    assert run("run", model, "--data", data, "-o", target, "--force", "--limit", 3).stdout.count("3 samples") == 1


def test_run_keeps_samples_apart_whose_outputs_have_different_shapes(tmp_path: Path) -> None:
    b = Builder()
    x = b.input("x", (4,), "bool")
    b.model([add(b, "WHERE", [x], "y", "int64")]).save(tmp_path / "where.tflite")
    np.save(tmp_path / "data.npy", np.array([[1, 0, 0, 0], [1, 0, 1, 1], [0, 0, 0, 0]], bool))
    result = run("run", tmp_path / "where.tflite", "--data", tmp_path / "data.npy", "-o", tmp_path / "out.npz")
    assert result.exit_code == 0, result.output
    with np.load(tmp_path / "out.npz") as outputs:
        assert {name: array.ravel().tolist() for name, array in outputs.items()} == {
            "y/0": [0],
            "y/1": [0, 2, 3],
            "y/2": [],
        }


def test_run_keeps_outputs_apart_whatever_their_names(tmp_path: Path) -> None:
    b = Builder()
    x = b.input("x", (1, 2))
    b.model([add(b, "ABS", [x], "file"), add(b, "NEG", [x], "y"), add(b, "ABS", [x], "y")]).save(tmp_path / "m.tflite")
    np.save(tmp_path / "data.npy", np.float32([[1, -2]]))
    assert run("run", tmp_path / "m.tflite", "--data", tmp_path / "data.npy", "-o", tmp_path / "o.npz").exit_code == 0
    with np.load(tmp_path / "o.npz") as outputs:
        found = {name: array.tolist() for name, array in outputs.items()}
    assert found == {"file": [[1, 2]], "y (output 1)": [[-1, 2]], "y (output 2)": [[1, 2]]}


def test_quantize_writes_nothing_that_the_target_refuses(folder: Path, tmp_path: Path) -> None:
    arguments = ["quantize", folder / "digits_float32.tflite", "--scheme", "float16", "-o", tmp_path / "out.tflite"]
    refused = run(*arguments, "--target", "tflm")
    assert_fails(refused, 1, "tflm takes no float16, and 5 more: tflm would refuse the file; --anyway writes it")
    assert not (tmp_path / "out.tflite").exists()
    assert run(*arguments, "--target", "tflm", "--anyway").exit_code == 0


def test_validate(folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    oracle_of("ai-edge-litert")
    model, data = folder / "digits_int8.tflite", f"{folder / 'digits_test.npz'}:images"
    result = run("validate", model, "--against", "ai-edge-litert", "--data", data, "--limit", 5)
    assert result.exit_code == 0, result.output
    assert "ok: 9 tensors" in result.stdout
    result = run("validate", model, "--against", "ai-edge-litert", "--data", data, "--limit", 5, "--json")
    report = json.loads(result.stdout)
    assert report["ok"] and report["samples"] == 5 and len(report["tensors"]) == 9


def test_validate_fails_below_a_threshold(folder: Path) -> None:
    arguments = ["validate", folder / "digits_int8.tflite", "--against", folder / "digits_float32.tflite"]
    assert run(*arguments, "--min-sqnr", 5).exit_code == 0
    failed = run(*arguments, "--min-sqnr", 200)
    assert failed.exit_code == 1
    assert "FAILED: lowest SQNR" in failed.stdout


def test_validate_reproduces_the_first_difference(folder: Path, tmp_path: Path) -> None:
    model, data = folder / "digits_int8.tflite", f"{folder / 'digits_test.npz'}:images"
    arguments = ["validate", model, "--against", "edgetpu", "--data", data, "--limit", 20]
    result = run(*arguments, "--reproduce", tmp_path / "one.tflite")
    assert result.exit_code == 1 and "first operator that differs by itself: " in result.stdout
    assert len(pq.open(tmp_path / "one.tflite").main.nodes) == 1
    with np.load(tmp_path / "one.npz") as arrays:
        assert sorted(arrays) == ["expected_0", "input_0"]
    assert_fails(run(*arguments, "--reproduce", tmp_path / "one.tflite"), 1, "--force")


def test_validate_against_recorded_tensors(folder: Path, tmp_path: Path) -> None:
    model, data = folder / "digits_int8.tflite", f"{folder / 'digits_test.npz'}:images"
    golden = ["--golden", tmp_path / "golden"]
    assert run("validate", model, "--against", "tflite", "--data", data, "--limit", 3, *golden).exit_code == 0
    checked = run("validate", model, *golden)
    assert checked.exit_code == 0 and "recorded from numerics tflite: 3 samples" in checked.stdout
    assert run("validate", model, *golden, "--numerics", "edgetpu").exit_code == 1


def test_bench(folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    oracle_of("ai-edge-litert")
    models = [folder / "digits_float32.tflite", folder / "digits_int8.tflite"]
    few = ["--num-runs", 7, "--warmup-runs", 2]
    result = run("bench", *models, "--against", "ai-edge-litert", *few, "--profile", "--json")
    assert result.exit_code == 0, result.output
    first, second = json.loads(result.stdout)
    for row in (first, second):
        (peer,) = row["peers"]
        assert peer["runtime"].startswith("ai-edge-litert") and row["ours"]["runtime"] == "pyquant"
        assert peer["ratio"] == peer["runs"]["median"] / row["ours"]["runs"]["median"]
        for timed in (peer, row["ours"]):
            found = timed["runs"]
            assert timed["init"] > 0 and found["first"] > 0 and found["count"] == 7
            assert found["min"] <= found["p5"] <= found["median"] <= found["p95"] <= found["max"]
            assert found["min"] <= found["avg"] <= found["max"] and found["std"] >= 0
        assert (row["threads"], row["warmup_runs"]) == (1, 2) and row["peak_bytes"] > row["arena_bytes"]
        assert {"op", "tensor", "kernel", "shape", "seconds", "macs", "bytes", "share"} <= set(row["steps"][0])
    assert first["arena_bytes"] > second["arena_bytes"]
    text = run("bench", *models, *few, "--profile").stdout
    assert "digits_int8.tflite" in text and "conv2d_s8" in text and "% of peak" in text


def test_bench_writes_the_profile(folder: Path, tmp_path: Path) -> None:
    table, trace = tmp_path / "steps.csv", tmp_path / "trace.json"
    arguments = ["bench", folder / "digits_int8.tflite", "--num-runs", 1, "--csv", table, "--trace", trace]
    assert run(*arguments, "--warmup-runs", 0).exit_code == 0
    header, *rows = table.read_text().splitlines()
    events = json.loads(trace.read_text())["traceEvents"]
    assert header.startswith("op,tensor,kernel,shape,seconds,") and len(rows) == len(events) > 3
    assert_fails(run(*arguments), 1, "--force overwrites it")
    assert_fails(run(*arguments, folder / "digits_float32.tflite", "--force"), 2, "one model")


def test_bench_against_what_is_not_installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYQUANT_TFLITE_RUNTIME_PYTHON", "/nowhere/python")
    result = run("bench", folder / "digits_int8.tflite", "--against", "tflite-runtime", "--num-runs", 1)
    assert_fails(result, 1, "tflite-runtime: cannot start /nowhere/python")


def test_memory(folder: Path) -> None:
    model = folder / "digits_int8.tflite"
    text = run("memory", model).stdout
    assert "offset" in text and text.splitlines()[-1].startswith("pyquant: arena ")
    own, tflm = (json.loads(run("memory", model, "--planner", p, "--json").stdout) for p in ("pyquant", "tflm"))
    assert own["arena_bytes"] == pq.compile(pq.open(model)).arena_bytes >= own["least_bytes"]
    assert tflm["arena_bytes"] == pq.timeline(pq.open(model), "tflm").arena_bytes
    assert {"name", "bytes", "offset", "first", "last", "views"} == set(tflm["tensors"][0])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["inspect", "nowhere.tflite"], 2, "does not exist"),
        (["inspect", __file__], 1, "Error:"),
        (["quantize", "MODEL", "--scheme", "int5"], 2, "int5"),
        (["quantize", "MODEL", "-o", "OUT", "--scheme", "int8"], 1, "needs representative samples"),
        (["quantize", "MODEL", "-o", "OUT", "--data", "nowhere.npy"], 1, "no such file"),
        (["quantize", "MODEL", "-o", "OUT", "--data", "DATA"], 1, "FILE.npz:NAME"),
        (["quantize", "MODEL", "-o", "OUT", "--scheme", "dynamic", "--input-type", "int8"], 1, "input_type"),
        (["quantize", "MODEL", "-o", "OUT/deeper/still.tflite", "--scheme", "dynamic"], 1, "OUT"),
        (["quantize", "MODEL", "-o", "OUT", "--data", "DATA", "--mean", "dark"], 2, "not a number"),
        (["run", "MODEL", "-o", "OUT"], 2, "--data"),
        (["run", "MODEL", "-o", "OUT", "--data", "DATA:images", "--isa", "abacus"], 1, "abacus"),
        (["validate", "MODEL", "--against", "nowhere.tflite"], 1, "nowhere.tflite"),
        (["diff", "MODEL", "DATA"], 1, "digits_test.npz: byte 4: not a .tflite file"),
        (["bench", "MODEL", "--csv", "OUT", "--trace", "OUT"], 2, "OUT is to be two files"),
        (["prune", "MODEL", "-o", "OUT", "--sparsity", "0.5", "--save-masks", "no/OUT"], 1, "there is no folder no"),
        (["export-c", "MODEL", "-o", "."], 1, "digits_float32_resolver.h exists; --force overwrites it"),
        (["validate", "MODEL", "--limit", "3"], 2, "go with --data, which is missing"),
        (["validate", "MODEL", "--golden", "DATA"], 1, "holds no recording"),
        (["debug", "MODEL", "MODEL", "--data", "DATA:images", "-o", "OUT"], 2, "-o is the file that --try makes"),
        (["quantize", "MODEL", "--scheme", "int8", "--recipe", "static_wi8_ai8"], 2, "in place of --scheme"),
        (["rename", "MODEL", "-o", "OUT", "--tensor", "x=a", "--tensor", "x=b"], 2, "'x' is given as 'a' and as 'b'"),
        (["size", "MODEL", "--svg", "no/OUT"], 1, "there is no folder no"),
        (["bench"], 2, "MODELS"),
        (["frobnicate"], 2, "frobnicate"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_wrong_usage_and_failures(
    arguments: list[str], code: int, message: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("export-c", "digits_float32_resolver.h"):
        (tmp_path / name).touch()
    names = {"MODEL": folder / "digits_float32.tflite", "DATA": folder / "digits_test.npz"}
    for name, path in names.items():
        arguments = [a.replace(name, str(path)) for a in arguments]
    assert_fails(run(*arguments), code, message)


def test_a_pipe_gets_no_progress_and_no_wrapping(folder: Path) -> None:
    command = [sys.executable, "-m", "pyquant", "bench", str(folder / "digits_int8.tflite"), "--num-runs", "1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) == 2


def test_help_names_every_verb() -> None:
    text = run("--help").stdout
    assert all(f"\n  {verb} " in text for verb in ("inspect", "quantize", "run", "validate", "bench", "demo"))


def test_every_verb_is_in_the_module_that_the_table_names() -> None:
    for module in set(VERBS.values()):
        assert {command.name for command in commands(module)} == {v for v, home in VERBS.items() if home == module}
    homes = {path.stem for path in Path(pq.cli.__file__).parent.glob("*.py") if "click.command(" in path.read_text()}
    assert {home for home in homes if not home.startswith("edgetpu")} == {*VERBS.values()} - {"edgetpu"}


def test_help_lists_every_verb() -> None:
    result = run("--help")
    assert all(re.search(rf"^  {verb} ", result.stdout, re.MULTILINE) for verb in VERBS)
