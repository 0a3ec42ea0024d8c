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
