"""The metadata entries of a model: names, sizes, and what the well-known ones say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyquant import wire
from pyquant.errors import FormatError
from pyquant.graph import Model
from pyquant.see.record import plain


@dataclass(frozen=True)
class Entry:
    """A metadata entry. value: what it says, as plain data; None for one that is not well known, or not sound."""

    name: str
    bytes: int
    value: Any

    def __str__(self) -> str:
        """What it says on one line."""
        return ", ".join(_leaves(self.value))


def entries(model: Model) -> Iterator[Entry]:
    """The entries in file order."""
    for name, buffer in model.metadata:
        data = np.empty(0, np.uint8) if buffer.data is None else buffer.data
        reader = READERS.get(name)
        yield Entry(name, data.size, None if reader is None else reader(data))


def _leaves(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, name)
    elif value is not None:
        yield f"{name} {value}".strip()


def _text(data: np.ndarray) -> str:
    """Text up to the first NUL."""
    return data.tobytes().split(b"\0", 1)[0].decode("utf-8", "replace")


def _table(name: str) -> Callable[[np.ndarray], Any]:
    """A reader of flatbuffers with this root, as a dict without what is empty."""

    def read(data: np.ndarray) -> Any:
        try:
            return _filled(plain(wire.decode(data, name)))
        except FormatError:
            return None

    return read


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item) for name, item in value.items() if item not in (None, False, [], {})}
    return [_filled(item) for item in value] if isinstance(value, list) else value


# entry name -> what reads its bytes
READERS: dict[str, Callable[[np.ndarray], Any]] = {
    "min_runtime_version": _text,
    "reduced_precision_support": _text,
    "buffer_location": _text,
    "CONVERSION_METADATA": _table("ConversionMetadata"),
    "TFLITE_METADATA": _table("ModelMetadata"),
}
