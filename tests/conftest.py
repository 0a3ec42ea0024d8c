"""Fixtures of all tests."""

import gc

import networks
import pytest
from fixtures import data_folder, oracle_of

__all__ = ["data_folder", "oracle_of"]


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    networks.restart()


def pytest_collection_finish() -> None:
    gc.freeze()  # tens of thousands of tests, which every collection of garbage would walk through
