"""Recurrent operators over several steps, and real models over a hundred: states must go on as the runtimes' do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases.case import Case
from cases.recurrent import CASES

import pyquant as pq
from pyquant.dtypes import dtype
from pyquant.errors import GraphError, ShapeError, UnsupportedOp
from pyquant.validate import RUNTIMES, Oracle

SOME = [case for case in CASES if case.id.endswith(("-2", "-5", "-11"))]
MODELS = (
    "keras_lstm_mnist",
    "trained_lstm",
    "trained_lstm_int8",
    "dtln_noise_suppression",
    "micro_speech_lstm",
    "keyword_scrambled",
)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("case", SOME, ids=lambda case: case.id)
def test_states_go_on(case: Case, runtime: str, oracle_of: Callable[[str], Oracle]) -> None:
    oracle, model = oracle_of(runtime), case.model()
    oracle.load(model)
    session = pq.compile(model, numerics=RUNTIMES[runtime].numerics).session()
    for step in range(6):
        feeds = case.feeds(seed=step)
        found = session(*feeds)
        every = [found] if isinstance(found, np.ndarray) else found
        for ours, theirs in zip(every, oracle.run(feeds, reset=False).values(), strict=True):
            allowed = 10 * case.tolerance * np.abs(theirs).max() if ours.dtype.kind == "f" else 0
            np.testing.assert_allclose(ours.astype(float), theirs.astype(float), rtol=0, atol=allowed)


@pytest.mark.parametrize("name", MODELS)
def test_real_models_over_a_hundred_steps(name: str, data_folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    (path, *_) = [p for p in data_folder.glob(f"models/**/{name}*.tflite") if p.stem in (name, f"{name}_ptq")]
    model, oracle = pq.open(path), oracle_of("ai-edge-litert")
    oracle.load(model)
    session, rng = pq.compile(model, numerics="litert").session(), np.random.default_rng(0)
    for _ in range(100):
        feeds = [_random(t, rng) for t in model.main.inputs]
        found = session(*feeds)
        ours = [found] if isinstance(found, np.ndarray) else list(found)
        for a, b in zip(ours, oracle.run(feeds, reset=False).values(), strict=True):
            allowed = 1e-5 * np.abs(b).max() if a.dtype.kind == "f" else 0
            np.testing.assert_allclose(a.astype(float), b.astype(float), rtol=0, atol=allowed)


def test_both_runtimes_die_of_it_but_tflite_micro_does_not(data_folder: Path) -> None:
    """keyword_scrambled_8bit, of int8 states, over a hundred steps."""
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro").runtime
    path, rng = next(data_folder.rglob("keyword_scrambled_8bit.tflite")), np.random.default_rng(0)
    model = pq.open(path)
    session, oracle = pq.compile(model).session(), runtime.Interpreter.from_file(str(path))
    for step in range(100):
        (x,) = (_random(t, rng) for t in model.main.inputs)
        oracle.set_input(x, 0)
        oracle.invoke()
        found = session(x)
        assert np.array_equal(found[0] if isinstance(found, tuple) else found, oracle.get_output(0)), step


def _random(tensor: pq.Tensor, rng: np.random.Generator) -> np.ndarray:
    kind = tensor.dtype.numpy
    assert kind is not None
    if kind.kind == "f":
        return rng.standard_normal(tensor.shape).astype(kind)
    limits = np.iinfo(kind)
    return rng.integers(limits.min, limits.max + 1, tensor.shape).astype(kind)


def wider(node: pq.Node) -> None:
    node.outputs[0].shape, node.inputs[1].shape = (2, 3), (2, 3)


def mixed(node: pq.Node) -> None:
    node.outputs[1].dtype = dtype("int32")


def coarser(node: pq.Node) -> None:
    node.outputs[1].quantization = pq.Quantization.of(2.0**-10, 0)


def plainer(node: pq.Node) -> None:
    node.inputs[3].quantization = None


@pytest.mark.parametrize(
    "spoil, error, message",
    [
        (lambda node: node.inputs.pop(), GraphError, "input 'w_o' is missing"),
        (lambda node: node.outputs.pop(), GraphError, "found 5 inputs and 3 outputs, expected 5 and 4"),
        (wider, ShapeError, "do not go together"),
        (mixed, UnsupportedOp, "takes float32 or uint8, found uint8, uint8, uint8, int32, int16, uint8, int32"),
        (coarser, UnsupportedOp, "found a state of scale 0.0009765625, expected 2"),
        (plainer, GraphError, "expected one scale and zero point, found 0"),
        (lambda node: setattr(node.options, "kernel_type", 0), UnsupportedOp, "found uint8 in the FULL kernel"),
    ],
    ids=["inputs", "outputs", "shape", "types", "scale", "none", "kernel"],
)
def test_a_basic_cell_that_does_not_fit_is_refused(spoil: Callable[[pq.Node], Any], error: type, message: str) -> None:
    model = next(case for case in CASES if case.id == "lstm-basic-uint8-2").model()
    spoil(model.main.nodes[0])
    model.main.outputs = model.main.outputs[:1]
    with pytest.raises(error, match=message):
        pq.compile(model)
