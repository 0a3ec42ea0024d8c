"""Opens and saves whole models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pyquant import wire
from pyquant.errors import FormatError, GraphError, OptionError
from pyquant.graph import external
from pyquant.graph.check import check
from pyquant.graph.convert import read, to_record
from pyquant.graph.model import Model
from pyquant.wire import file

LAYOUTS = ("inline", "offset", "external")


def open(path: str | os.PathLike[str]) -> Model:
    """Open a `.tflite` file. Weights are read-only views on the mapped file, and on the files of external buffers.

    Raises FileError and as `load` does. A file of external buffers that is missing is among the model's warnings.
    """
    data = file.read(path)
    try:
        return load(data, os.path.dirname(path))
    except (FormatError, GraphError) as error:
        raise type(error)(f"{path}: {error}") from error


def load(data: Any, folder: str | os.PathLike[str] | None = None) -> Model:
    """The model in the bytes of a `.tflite` file. Weights are read-only views on `data`.

    folder: where the files of external buffers are; None leaves these without data.
    Raises FormatError for bytes, and GraphError for a graph, that are not sound.
    """
    model = read(data)
    if folder is not None:
        external.attach(model, folder)
    return check(model)


def save(
    model: Model,
    path: str | os.PathLike[str],
    overwrite: bool = False,
    layout: str | None = None,
    drop_newer: bool = False,
) -> int:
    """Write a model to `path`, whole or not at all. Returns the bytes written.

    layout: where constants go. "inline": into the flatbuffer, which every runtime reads, up to 2 GiB. "offset": behind
    it in the same file, which TFLM and the Edge TPU compiler do not read. "external": large ones into a file
    beside it, PATH's stem and `.weights`. None: inline, or behind it past 2 GiB; external ones stay where they are.
    Raises FileExists unless overwrite; GraphError for a model whose objects do not fit together; FormatError for one
    with parts of a newer schema unless drop_newer, and for one past 2 GiB inline; FileError where external constants
    would not be found beside `path`.
    """
    if layout not in (None, *LAYOUTS):
        raise OptionError(f"layout: found {layout!r}, expected one of {', '.join(LAYOUTS)}")
    if layout == "external":
        name = f"{Path(path).stem}.weights"
        model, segments = external.externalized(model, name)
        files = {Path(path).with_name(name): segments} if segments else {}
        return file.write_all(files | {Path(path): _encoded(model, None, drop_newer)}, overwrite)
    if layout is None:
        external.check_beside(model, path)
    return file.write(path, _encoded(model, layout, drop_newer), overwrite)


def dump(model: Model, layout: str | None = None, drop_newer: bool = False) -> bytes:
    """The bytes that `save` writes. Raises OptionError for layout "external", which is two files."""
    if layout == "external":
        raise OptionError("layout 'external' makes two files: save it")
    return b"".join(_encoded(model, layout, drop_newer))


def _encoded(model: Model, layout: str | None, drop_newer: bool) -> list[Any]:
    record = to_record(check(model if layout is None else external.embedded(model)))
    return wire.encode(wire.without_newer(record) if drop_newer else record, layout)
