"""What a newer schema put into records: found for whoever wants to know, or dropped for whoever says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyquant.wire.record import Record


def newer_parts(record: Record, path: str = "") -> Iterator[tuple[str, str]]:
    """(table path, slot or union member) of all that our schema does not have."""
    for part in record.newer:
        yield path.lstrip(".") or "model", part
    for name, value in record.fields.items():
        if isinstance(value, Record):
            yield from newer_parts(value, f"{path}.{name}")
        elif isinstance(value, list):
            for i, item in enumerate(value):
                if isinstance(item, Record):
                    yield from newer_parts(item, f"{path}.{name}[{i}]")


def without_newer(record: Record) -> Record:
    """The record with only what our schema has. It shares what it has in common."""
    return Record.of(record.table, {name: _without(v) for name, v in record.fields.items() if name != "newer"})


def _without(value: Any) -> Any:
    if isinstance(value, list):
        return [_without(item) for item in value]
    return without_newer(value) if isinstance(value, Record) else value
