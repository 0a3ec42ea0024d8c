"""Fixtures of all tests."""

from fixtures import data_folder, oracle_of

__all__ = ["data_folder", "oracle_of"]
