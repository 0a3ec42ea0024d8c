"""Every model of the data folder: opened, converted both ways, saved, and run before and after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pyquant import graph
from pyquant.errors import OracleError
from pyquant.graph import Model
from pyquant.graph.convert import from_record, to_record
from pyquant.validate import Oracle
from pyquant.wire import decode, file


@pytest.fixture(scope="module")
def paths(data_folder: Path) -> list[Path]:
    return sorted(data_folder.rglob("*.tflite"))


def test_files_are_written_as_they_were_read(paths: list[Path]) -> None:
    for path in paths:
        record = decode(file.read(path))
        model = from_record(record)
        assert to_record(model) == record, path
        data = graph.dump(model)
        assert decode(data) == record, path
        assert graph.dump(model.copy()) == data, path
        assert str(model), path


def test_constants_have_their_shape_and_type(paths: list[Path]) -> None:
    for path in paths:
        tensors = [t for s in graph.open(path).subgraphs for t in s.tensors if t.is_constant]
        for tensor in tensors:
            array = tensor.data
            assert array is not None
            assert array.shape == tensor.shape, (path, tensor.name)
            before = tensor.buffer
            tensor.data = array
            assert before is not None and tensor.buffer is not None
            assert np.array_equal(before.data, tensor.buffer.data), (path, tensor.name)


@pytest.mark.parametrize("runtime", ["tflite-runtime", "ai-edge-litert"])
def test_runtimes_see_no_difference(
    paths: list[Path], runtime: str, tmp_path: Path, oracle_of: Callable[[str], Oracle]
) -> None:
    """Before and after saving: the same outputs, or refused both times."""
    oracle = oracle_of(runtime)
    saved = tmp_path / "saved.tflite"
    compared = 0
    for path in paths:
        model = graph.open(path)
        inputs = feeds(model)
        before = outputs(oracle, path, inputs)
        if before is None or before != outputs(oracle, path, inputs):
            continue  # refused, or random
        model.save(saved, overwrite=True)
        assert outputs(oracle, saved, inputs) == before, path
        compared += 1
    assert compared > len(paths) // 2


def feeds(model: Model) -> list[np.ndarray]:
    """Random inputs; small where an integer may be an index. Nothing for a model without subgraph."""
    rng = np.random.default_rng(0)
    arrays = []
    for tensor in model.subgraphs[0].inputs if model.subgraphs else ():
        kind = tensor.dtype.numpy or np.dtype(np.uint8)
        large = tensor.dtype.is_float or kind.itemsize < 4
        arrays.append((rng.random(tensor.shape) * (100 if large else 2)).astype(kind))
    return arrays


def outputs(oracle: Oracle, path: Path, inputs: list[np.ndarray]) -> list[bytes] | None:
    """The bytes of a model's outputs; None where the runtime refuses it."""
    try:
        oracle.load(path, resolver="optimized")
        return [array.tobytes() for array in oracle.run(inputs).values()]
    except OracleError:
        return None
