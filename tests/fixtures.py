"""What tests and benchmarks share: the other runtimes, each started once, and the data folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from pyquant.errors import OracleError
from pyquant.graph import Model, dump
from pyquant.validate import Oracle


class Micro:
    """tflite-micro as an oracle, in this process."""

    def __init__(self) -> None:
        self.runtime = pytest.importorskip("tflite_micro.python.tflite_micro").runtime

    def load(self, model: Model, resolver: str) -> None:
        self.interpreter = self.runtime.Interpreter.from_bytes(dump(model), arena_size=1 << 20)
        self.outputs = range(len(model.main.outputs))

    def run(self, feeds: Sequence[np.ndarray]) -> dict[int, np.ndarray]:
        for i, array in enumerate(feeds):
            self.interpreter.set_input(array, i)
        self.interpreter.invoke()
        return {i: self.interpreter.get_output(i) for i in self.outputs}


@pytest.fixture(scope="session")
def oracle_of() -> Iterator[Callable[[str], Oracle | Micro]]:
    """A runtime's name -> its oracle. Skips the test where the runtime cannot be had."""
    started: dict[str, Oracle | Micro | str] = {}

    def oracle(runtime: str) -> Oracle | Micro:
        if runtime not in started:
            try:
                started[runtime] = Micro() if runtime == "tflite-micro" else Oracle(runtime)
            except OracleError as missing:
                started[runtime] = str(missing)
        found = started[runtime]
        if isinstance(found, str):
            pytest.skip(found)
        return found

    yield oracle
    for found in started.values():
        if isinstance(found, Oracle):
            found.close()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of models and data sets: PYQUANT_DATA, or ../shared/data beside this checkout. Skips without it."""
    folder = Path(os.environ.get("PYQUANT_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"there is no folder of models at {folder}; PYQUANT_DATA names another")
    return folder
