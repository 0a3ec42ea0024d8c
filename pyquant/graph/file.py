"""Opens and saves whole models."""

from __future__ import annotations

import os
from typing import Any

from pyquant import wire
from pyquant.graph.check import check
from pyquant.graph.convert import from_record, to_record
from pyquant.graph.model import Model
from pyquant.wire import file


def open(path: str | os.PathLike[str]) -> Model:
    """Open a `.tflite` file. Weights are read-only views on the mapped file. Raises FileError and as `load` does."""
    return load(file.read(path))


def load(data: Any) -> Model:
    """The model in the bytes of a `.tflite` file. Weights are read-only views on `data`.

    Raises FormatError for bytes, and GraphError for a graph, that are not sound.
    """
    return check(from_record(wire.decode(data)))


def save(model: Model, path: str | os.PathLike[str], overwrite: bool = False) -> int:
    """Write a model to `path`, whole or not at all. Returns the bytes written.

    Raises FileExists unless overwrite, and GraphError for a model whose objects do not fit together.
    """
    return file.write(path, wire.encode(to_record(check(model))), overwrite)


def dump(model: Model) -> bytes:
    """The bytes that `save` writes."""
    return b"".join(wire.encode(to_record(check(model))))
