"""The metadata entries of a model: names, sizes, and what the well-known ones say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pyquant.graph import Model


@dataclass(frozen=True)
class Entry:
    """A metadata entry. value: what it says, as plain data; None for a name that is not well known."""

    name: str
    bytes: int
    value: Any


def entries(model: Model) -> Iterator[Entry]:
    """The entries in file order."""
    for name, buffer in model.metadata:
        data = b"" if buffer.data is None else buffer.data
        reader = READERS.get(name)
        yield Entry(name, len(data), None if reader is None else reader(bytes(data)))


def _text(data: bytes) -> str:
    """Text up to the first NUL."""
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")


# entry name -> what reads its bytes
READERS: dict[str, Callable[[bytes], Any]] = {
    "min_runtime_version": _text,
    "reduced_precision_support": _text,
    "buffer_location": _text,
}
