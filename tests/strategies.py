"""Random records of the wire format, for properties that hold for all files."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pyquant.wire import Record
from pyquant.wire.layout import OUTSIDE, Field, fields

# Where data outside the flatbuffer lies is layout, not content: decode replaces it by the data.
LAYOUT = {(table, name) for table, (_, offset, size) in OUTSIDE.items() for name in (offset, size)}


def values(field: Field) -> st.SearchStrategy[Any]:
    """What a field can hold."""
    if field.format in ("<f", "<?"):
        return st.floats(width=32) if field.format == "<f" else st.booleans()
    if field.kind == "scalar":
        bits, signed = 8 * field.size, field.format[1].islower()
        return st.integers(-(1 << (bits - 1)) if signed else 0, (1 << (bits - signed)) - 1)
    if field.kind == "string":
        return st.text(max_size=9)
    if field.kind == "strings":
        return st.lists(st.binary(max_size=9), max_size=3)
    if field.dtype is not None:
        return hnp.arrays(field.dtype, st.integers(0, 9))
    below = st.sampled_from(field.accepts).flatmap(records)
    return st.lists(below, max_size=2) if field.kind == "tables" else below


def records(table: str) -> st.SearchStrategy[Record]:
    choices = {name: values(field) for name, field in fields(table).items() if (table, name) not in LAYOUT}
    return st.fixed_dictionaries({}, optional=choices).map(lambda chosen: Record(table, **chosen))
