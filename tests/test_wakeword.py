"""The streaming models of pymicro-wakeword: a hundred steps, their variables kept, equal to ai-edge-litert's."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pyquant as pq
from pyquant.validate import Oracle

PACKAGE = importlib.util.find_spec("pymicro_wakeword")
FILES = sorted(Path(PACKAGE.origin).parent.glob("models/*.tflite")) if PACKAGE is not None and PACKAGE.origin else []


@pytest.mark.skipif(PACKAGE is None, reason="pymicro-wakeword is not installed")
def test_there_are_models() -> None:
    assert len(FILES) >= 4


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_streams(path: Path, oracle_of: Callable[[str], Oracle]) -> None:
    oracle, model = oracle_of("ai-edge-litert"), pq.open(path)
    oracle.load(model)
    plan = pq.compile(model, numerics="litert")
    assert not [step for step in plan.steps if step.kernel in ("numpy", "by values", "subgraphs")]
    session, rng = plan.session(), np.random.default_rng(0)
    for _ in range(100):
        feeds = [rng.integers(-128, 128, t.shape).astype(np.int8) for t in model.main.inputs]
        (expected,) = oracle.run(feeds, reset=False).values()
        assert np.array_equal(session(*feeds), expected)


def sounds(count: int, seed: int) -> list[np.ndarray]:
    """Codes of features that rise and fall together, as those of sounds do."""
    rng = np.random.default_rng(seed)
    loudness = 20 * np.sin(np.cumsum(rng.normal(0, 1, (count, 1, 1, 1)), axis=0)) - 40
    return list(np.clip(np.rint(rng.normal(0, 40, (count, 1, 3, 40)) + loudness), -128, 127).astype(np.int8))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_float_stream_is_quantized_again(path: Path, oracle_of: Callable[[str], Oracle]) -> None:
    """Variables become float, and integers again: over a hundred steps close to the original."""
    model, oracle = pq.open(path), oracle_of("ai-edge-litert")
    real = pq.dequantize(model)
    assert {t.dtype.name for s in real.subgraphs for n in s.nodes for t in n.inputs if t} <= {
        "float32", "int32", "resource",
    }  # fmt: skip
    scale, zero = model.main.inputs[0].scale, model.main.inputs[0].zero_point

    def values(codes: np.ndarray) -> np.ndarray:
        return (codes.astype(np.float32) - zero) * scale

    made = pq.assign(real, "int8", [values(codes) for codes in sounds(200, seed=0)])
    assert not made.kept_float
    small = pq.apply(made)
    assert [n.op for n in small.main.nodes if n.op.endswith("QUANTIZE")] == ["QUANTIZE", "DEQUANTIZE"]
    oracle.load(small)
    logits = [next(n.inputs[0] for n in m.main.nodes if n.op == "LOGISTIC") for m in (model, small)]
    sessions = [
        pq.compile(m, keep=[t], numerics="litert").session() for m, t in zip((model, small), logits, strict=True)
    ]
    found: list[list[float]] = [[], []]
    for codes in sounds(100, seed=1):
        runs = [session.run(feed) for session, feed in zip(sessions, (codes, values(codes)), strict=True)]
        (expected,) = oracle.run([values(codes)], reset=False).values()
        assert np.array_equal(runs[1][small.main.outputs[0]], expected)
        for run, logit, every in zip(runs, logits, found, strict=True):
            every.append((run[logit].item() - logit.zero_point) * float(logit.scale))
    signal, noise = np.square(found[0]).sum(), np.square(np.subtract(*found)).sum()
    assert 10 * np.log10(signal / noise) > 30
