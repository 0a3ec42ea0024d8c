"""Wire records, such as an operator's options, as plain data and as one line."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from pyquant.graph import Node
from pyquant.wire import Record
from pyquant.wire.layout import fields


def plain(value: Any) -> Any:
    """A record as a dict of all its fields, enums by name; arrays as lists; lists item by item; the rest as it is.

    >>> plain(Record("Pool2DOptions", padding="VALID", stride_w=2))["padding"]
    'VALID'
    """
    if isinstance(value, Record):
        return {name: _named(value, name) for name in fields(value.table)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [plain(item) for item in value] if isinstance(value, list) else value


def options_text(node: Node) -> str:
    """The options that are not the schema's defaults, the subgraphs that the node calls, its custom options' size."""
    return ", ".join(_options(node))


def _options(node: Node) -> Iterator[str]:
    if node.options is not None:
        defaults = Record(node.options.table)
        for name in node.options.fields:
            if name in fields(node.options.table) and getattr(node.options, name) is not getattr(defaults, name):
                value = _named(node.options, name)
                if value != _named(defaults, name):
                    yield f"{name} {value}"
    yield from (f"{name} {subgraph.name!r}" for name, subgraph in node.subgraphs.items())
    if node.custom_options is not None:
        yield f"{node.custom_options.size} bytes of custom options"


def _named(record: Record, name: str) -> Any:
    """A field's value as plain data; of an enum the member's name, where it has one."""
    value, members = plain(getattr(record, name)), _members(record.table, name)
    if not members:
        return value
    return [members.get(item, item) for item in value] if isinstance(value, list) else members.get(value, value)


@cache
def _members(table: str, name: str) -> dict[int, str]:
    field = fields(table)[name]
    return {code: member for member, code in field.enum.items()} if field.kind in ("scalar", "numbers") else {}
