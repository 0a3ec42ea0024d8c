"""Fixtures of all tests."""

import gc

from fixtures import data_folder, oracle_of

__all__ = ["data_folder", "oracle_of"]


def pytest_collection_finish() -> None:
    gc.freeze()  # tens of thousands of tests, which every collection of garbage would walk through
