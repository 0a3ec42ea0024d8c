"""What tests and benchmarks share: the other runtimes, each started once, and the data folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyquant.errors import OracleError
from pyquant.validate import Oracle


@pytest.fixture(scope="session")
def oracle_of() -> Iterator[Callable[[str], Oracle]]:
    """A runtime's name -> its oracle. Skips the test where the runtime cannot be had."""
    started: dict[str, Oracle | str] = {}

    def oracle(runtime: str) -> Oracle:
        if runtime not in started:
            try:
                started[runtime] = Oracle(runtime)
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
