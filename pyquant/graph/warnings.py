"""What a reader should know about an opened file: parts that would be lost, data that is not there."""

from __future__ import annotations

from dataclasses import dataclass

from pyquant.graph.convert import to_record
from pyquant.graph.external import missing
from pyquant.graph.model import Model
from pyquant.wire import newer_parts


@dataclass(frozen=True)
class FileWarning:
    """path: of the table or tensor. what: the matter, and what it means for saving or running."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


def warnings_of(model: Model) -> tuple[FileWarning, ...]:
    """All that there is to warn of."""
    newer = [
        FileWarning(path, f"{part} is of a newer schema; saving would lose it, and does so with drop_newer only")
        for path, part in newer_parts(to_record(model))
    ]
    absent = [
        FileWarning(f"tensor {t.name!r}", f"its data lies in {name}, which is not there, or is packed otherwise")
        for t, name in missing(model)
    ]
    return (*newer, *absent)
