"""The comparison finds what differs and only that, on our models and on the TFLite converter's; the oracle survives."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pyquant as pq
from pyquant.demo.digits import FILES, scaled
from pyquant.graph import Builder
from pyquant.ops.build import add
from pyquant.validate import RUNTIMES, Oracle, oracle
from pyquant.validate.tally import Tally, real
from pyquant.wire import Record

every_runtime = pytest.mark.parametrize("runtime", RUNTIMES)


@pytest.fixture(scope="module")
def digits() -> tuple[pq.Model, np.ndarray, np.ndarray]:
    with np.load(FILES / "digits.npz") as file:
        return pq.open(FILES / "digits.tflite"), scaled(file["test"]), file["labels"]


@every_runtime
@pytest.mark.parametrize("scheme", [None, *pq.SCHEMES])
def test_our_models_equal_the_runtimes(
    scheme: str | None, runtime: str, digits: tuple, oracle_of: Callable[[str], Oracle]
) -> None:
    if scheme == "bfloat16" and runtime == "tflite-runtime":
        pytest.skip("it does not take bfloat16")
    oracle_of(runtime)
    model, images, _ = digits
    made = model if scheme is None else pq.quantize(model, scheme, data=images[:50])
    report = pq.validate(made, runtime, images[:20])
    assert report.ok, str(report)
    assert report.samples == 20
    assert len(report.tensors) == len(made.main.nodes), "every computed tensor is compared, overwritten ones too"
    assert [t.name for t in report.outputs] == ["probabilities"]
    assert report.numerics == RUNTIMES[runtime].numerics


@pytest.mark.parametrize("resolver", ["optimized", "default"])
def test_other_kernels_agree_in_sqnr(resolver: str, digits: tuple, oracle_of: Callable[[str], Oracle]) -> None:
    oracle_of("ai-edge-litert")
    model, images, _ = digits
    small = pq.quantize(model, "int8", data=images[:50])
    report = pq.validate(small, "ai-edge-litert", images[:20], resolver=resolver, min_sqnr=30)
    assert report.ok, str(report)
    assert len(report.tensors) == (1 if resolver == "default" else len(small.main.nodes))


def test_another_model_is_compared_as_real_values(digits: tuple, tmp_path: Path) -> None:
    model, images, _ = digits
    small = pq.quantize(model, "int8", data=images[:50], input_type="int8", output_type="int8")
    report = pq.validate(small, model, images[:20])
    assert 20 < report.outputs[0].sqnr < 60
    assert {"conv1/relu", "logits"} <= {t.name for t in report.tensors}
    model.save(tmp_path / "float.tflite")
    assert pq.validate(small, tmp_path / "float.tflite", images[:20]).tensors == report.tensors
    assert not pq.validate(small, model, images[:20], min_sqnr=100).ok


def test_a_planted_difference_is_found_where_it_is(
    oracle_of: Callable[[str], Oracle], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runtime gets a model with another bias than ours."""
    oracle_of("ai-edge-litert")

    def model(bias: float) -> pq.Model:
        b = pq.Builder()
        x = b.input("x", (1, 4))
        first = add(b, "RELU", [x], "first")
        second = add(b, "ADD", [first, b.constant("bias", np.float32([0, 0, bias, 0]))], "second")
        return b.model([add(b, "MUL", [second, second], "third")])

    load = Oracle.load
    monkeypatch.setattr(Oracle, "load", lambda self, _, *options: load(self, with_all_outputs(model(1.0)), *options))
    report = pq.validate(model(0.0), "ai-edge-litert", np.float32([[1, 2, 3, 4]]))
    assert not report.ok
    assert [t.equal for t in report.tensors] == [4, 3, 3]
    found = report.first_divergence
    assert found is not None
    assert (found.tensor, found.sample, found.index, found.ours, found.theirs) == ("second", 0, (0, 2), 3.0, 4.0)
    assert "FAILED: first divergence at ADD 'second'" in str(report)
    json.dumps(report.to_dict(), allow_nan=False)


def with_all_outputs(model: pq.Model) -> pq.Model:
    model.main.outputs = [t for node in reversed(model.main.nodes) for t in node.outputs]
    return model


def tally(dtype: str = "float32", tolerance: float = 0.0, quantization: pq.Quantization | None = None) -> Tally:
    b = pq.Builder()
    x = b.input("x", (4,), dtype, quantization)
    y = b.tensor("y", (4,), dtype, quantization)
    return Tally(y, b.node("RELU", [x], [y]), tolerance, is_output=True)


def test_statistics_of_integers() -> None:
    t = tally("int8", 0.5, pq.Quantization.of(0.5, 1))
    t.add(0, np.int8([1, 2, 3, 4]), np.int8([1, 2, 3, 4]))
    t.add(1, np.int8([1, 2, 3, 4]), np.int8([1, 2, 3, 7]))
    found = t.report()
    assert (found.elements, found.equal, found.max_difference, found.relative) == (8, 7, 3.0, 0.5)
    signal, noise = 0.25 * (0 + 1 + 4 + 9 + 0 + 1 + 4 + 36), 0.25 * 9
    assert found.sqnr == pytest.approx(10 * math.log10(signal / noise))
    assert found.divergence is not None, "integers have no tolerance"
    assert (found.divergence.sample, found.divergence.index) == (1, (3,))


@pytest.mark.parametrize(
    ("ours", "theirs", "equal", "diverges"),
    [
        ([0, 1, 2, 10.05], [0, 1, 2, 10], 3, False),
        ([0, 1, 2, 10.5], [0, 1, 2, 10], 3, True),
        ([np.nan, 1, 2, 3], [np.nan, 1, 2, 3], 4, False),
        ([np.nan, 1, 2, 3], [0, 1, 2, 3], 3, True),
        ([np.inf, 1, 2, 3], [np.inf, 1, 2, 3], 4, False),
        ([5, 5, 5, 5.01], [5, 5, 5, 5], 3, False),
        ([0, 0, 0, 1e-3], [0, 0, 0, 0], 3, True),
    ],
)
def test_floats_are_judged_by_their_range(ours: list, theirs: list, equal: int, diverges: bool) -> None:
    t = tally(tolerance=0.01)
    t.add(0, np.float32(ours), np.float32(theirs))
    assert (t.report().equal, t.report().divergence is not None) == (equal, diverges)


def test_real_values_per_axis() -> None:
    q = pq.Quantization.of([0.5, 2.0], [0, 1], axis=1)
    assert real(np.int8([[2, 3]]), pq.Builder().tensor("w", (1, 2), "int8", q)).tolist() == [[1.0, 4.0]]


def test_accuracy(digits: tuple) -> None:
    model, images, labels = digits
    assert pq.accuracy(model, images, labels) >= 0.97
    with pytest.raises(pq.DataError, match="499 labels for 500 samples"):
        pq.accuracy(model, images, labels[:-1])


def test_a_model_that_kills_the_runtime_is_an_error_and_the_next_one_runs(oracle_of: Callable[[str], Oracle]) -> None:
    found = oracle_of("tflite-runtime")
    b = pq.Builder()
    wide, narrow = (
        pq.Quantization.of(1e4),
        pq.Quantization.of(1e-4),
    )  # ADD asserts that no scale is so far above another
    x, y = b.input("x", (1, 4), "int8", wide), b.input("y", (1, 4), "int8", wide)
    deadly = b.model([add(b, "ADD", [x, y], "sum", "int8", narrow)])
    with pytest.raises(pq.OracleError, match=r"tflite-runtime died on the model \(signal SIG"):
        found.load(deadly)
    with pytest.raises(pq.OracleError, match="no model is loaded"):
        found.run([])
    found.load(FILES / "digits.tflite")
    (output,) = found.run([np.zeros((1, 8, 8, 1), np.float32)]).values()
    assert output.shape == (1, 10)


@every_runtime
def test_a_model_that_a_runtime_refuses_is_an_error(
    runtime: str, oracle_of: Callable[[str], Oracle], tmp_path: Path
) -> None:
    (tmp_path / "bad.tflite").write_bytes(b"\x10\0\0\0TFL3" + bytes(64))
    with pytest.raises(pq.OracleError, match=r"(refused|died on) .*bad\.tflite"):
        oracle_of(runtime).load(tmp_path / "bad.tflite")


def test_latency_is_measured_in_the_runtime(oracle_of: Callable[[str], Oracle]) -> None:
    found = oracle_of("ai-edge-litert")
    found.load(FILES / "digits.tflite", "default")
    seconds = found.time([np.zeros((1, 8, 8, 1), np.float32)], runs=5)
    assert len(seconds) == 5 and all(0 < s < 1 for s in seconds)


def test_a_missing_runtime_is_replaced_and_the_report_says_so(
    digits: tuple, oracle_of: Callable[[str], Oracle], monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle_of("ai-edge-litert")
    monkeypatch.setenv(RUNTIMES["tflite-runtime"].variable, "/nowhere/python")
    model, images, _ = digits
    report = pq.validate(model, "tflite-runtime", images[:2])
    assert report.against.startswith("ai-edge-litert") and report.numerics == "litert"
    assert "ai-edge-litert serves instead" in str(report)


def test_how_to_get_a_missing_runtime_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for runtime in RUNTIMES.values():
        monkeypatch.delenv(runtime.variable, raising=False)
    monkeypatch.setattr(oracle.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(pq.OracleError, match=r"pip install ai-edge-litert.*PYQUANT_AI_EDGE_LITERT_PYTHON"):
        Oracle("tflite-runtime", fallback=True)
    monkeypatch.setenv("PYQUANT_TFLITE_RUNTIME_PYTHON", sys.executable)
    monkeypatch.setattr(oracle, "__file__", str(Path(__file__)))  # no worker beside this file
    with pytest.raises(pq.OracleError, match=r"tflite-runtime died on start \(exit code 2\)"):
        Oracle("tflite-runtime")


def test_unknown_names_are_refused(digits: tuple, oracle_of: Callable[[str], Oracle]) -> None:
    with pytest.raises(pq.OracleError, match="'tensorflow' is not one of tflite-runtime, ai-edge-litert"):
        Oracle("tensorflow")
    with pytest.raises(pq.OracleError, match="resolver 'fast' is not one of"):
        oracle_of("ai-edge-litert").load(digits[0], "fast")


def test_variables_begin_anew_with_each_sample(oracle_of: Callable[[str], Oracle], tmp_path: Path) -> None:
    """Resources, too, which no runtime shows and none resets."""
    b, once = Builder(), Builder("once")
    for builder, value in ((once, once.constant("first", np.float32([1, 2]))), (b, None)):
        handle = builder.tensor("handle", (), "resource")
        builder.node("VAR_HANDLE", [], [handle], Record("VarHandleOptions", shared_name="v"))
        if value is not None:
            once.node("ASSIGN_VARIABLE", [handle, value], [], Record("AssignVariableOptions"))
    b.node("CALL_ONCE", [], [], Record("CallOnceOptions"))
    read = add(b, "READ_VARIABLE", [handle], "read", "float32")
    read.shape = (2,)
    total = add(b, "ADD", [read, b.input("x", (2,))], "total")
    b.node("ASSIGN_VARIABLE", [handle, total], [], Record("AssignVariableOptions"))
    model, begin = b.model([total]), once.model([]).main
    model.subgraphs.append(begin)
    model.main.nodes[1].subgraphs = {"init_subgraph_index": begin}
    oracle_of("tflite-runtime")
    report = pq.validate(model, "tflite-runtime", [[np.float32([3, 4])]] * 3)
    assert report.ok and report.samples == 3, str(report)
    assert pq.validate(model, model).ok


def test_constants_in_another_file_are_compared(
    oracle_of: Callable[[str], Oracle], digits: tuple, tmp_path: Path
) -> None:
    oracle_of("ai-edge-litert")
    digits[0].save(tmp_path / "model.tflite", layout="external")
    assert pq.validate(pq.open(tmp_path / "model.tflite"), "ai-edge-litert", digits[1][:2]).ok


def test_a_model_of_zeros_is_not_like_another(digits: tuple) -> None:
    model, images, _ = digits
    dead = model.copy()
    for tensor in dead.main.tensors:
        if tensor.is_constant and tensor.dtype.is_float:
            tensor.data = np.zeros(tensor.shape, np.float32)
    assert not pq.validate(dead, model, images[:4]).ok


@pytest.mark.parametrize("options", [{"tolerance": math.nan}, {"tolerance": -1.0}, {"min_sqnr": math.nan}])
def test_bounds_that_nothing_can_keep_are_refused(options: dict, digits: tuple) -> None:
    with pytest.raises(pq.PyQuantError, match="expected a number"):
        pq.validate(digits[0], "litert", digits[1][:1], **options)


def test_an_operator_alone_tells_where_two_arithmetics_part(digits: tuple, tmp_path: Path) -> None:
    """The file that reproduces it runs, and the expected outputs are those of the other arithmetic."""
    model, images, _ = digits
    small = pq.quantize(model, "int8", data=images[:50])
    report = pq.validate(small, "edgetpu", images[:20], numerics="tflite", own=True)
    first = report.first_own_difference
    assert first is not None and report.first_divergence is not None
    assert first.divergence == report.first_divergence, "up to there all is equal"
    assert all(t.own is not None and t.own <= 1 for t in report.tensors if t.dtype == "int8"), "one code at a time"
    first.save(tmp_path / "one.tflite")
    one = pq.open(tmp_path / "one.tflite")
    assert len(one.main.nodes) == 1
    with np.load(tmp_path / "one.npz") as arrays:
        device = pq.compile(one, numerics="edgetpu")(arrays["input_0"])
        assert np.array_equal(device, arrays["expected_0"])
        assert not np.array_equal(pq.compile(one)(arrays["input_0"]), device)
    with pytest.raises(pq.FileExists):
        first.save(tmp_path / "one.tflite")


def test_an_operator_alone_equals_the_runtimes(digits: tuple, oracle_of: Callable[[str], Oracle]) -> None:
    oracle_of("ai-edge-litert")
    model, images, _ = digits
    report = pq.validate(pq.quantize(model, "int8", data=images[:50]), "ai-edge-litert", images[:5], own=True)
    assert report.first_own_difference is None
    assert all(t.own == 0 for t in report.tensors if t.dtype == "int8")


def test_recorded_tensors_need_no_runtime(digits: tuple, tmp_path: Path) -> None:
    model, images, _ = digits
    small = pq.quantize(model, "int8", data=images[:50])
    folder = tmp_path / "golden"
    assert not pq.validate(small, "edgetpu", images[:4], numerics="tflite", golden=folder).ok
    assert sorted(p.name for p in folder.iterdir()) == [*(f"0000{i}.npz" for i in range(4)), "golden.json"]
    assert not pq.validate(small, golden=folder).ok
    report = pq.validate(small, numerics="edgetpu", golden=folder)
    assert report.ok and report.samples == 4 and "recorded from numerics edgetpu" in report.against
    with pytest.raises(pq.DataError, match="another model"):
        pq.validate(model, golden=folder)
    again = pq.validate(small, "edgetpu", images[:1], numerics="edgetpu", golden=folder)
    assert again.ok and again.samples == 4 and "were not read" in again.notes[-1]
    (folder / "golden.json").write_text("{}")
    with pytest.raises(pq.DataError, match="expected the description"):
        pq.validate(small, golden=folder)
    with pytest.raises(pq.DataError, match="not another model"):
        pq.validate(small, model, images[:1], golden=tmp_path / "other")
    assert not (tmp_path / "other").exists()
