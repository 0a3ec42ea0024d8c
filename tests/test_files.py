"""Every model of the data folder: opened, converted both ways, saved, and run before and after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from running import feeds, theirs

from pyquant import graph
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
        before = theirs(oracle, path, inputs)
        if before is None or before != theirs(oracle, path, inputs):
            continue  # refused, or random
        model.save(saved, overwrite=True)
        assert theirs(oracle, saved, inputs) == before, path
        compared += 1
    assert compared > len(paths) // 2
