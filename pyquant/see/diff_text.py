"""Differences as text: totals, a table for each kind, a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pyquant.see.difference import KINDS, Diff, Difference
from pyquant.table import Column, count, lines, short, size

ROWS = 10  # of a kind, before the rest is only counted
SHOWN = 8  # numbers of a list; shapes have fewer


def diff_text(diff: Diff, width: int | None = None, rows: int | None = ROWS) -> str:
    """The whole comparison in lines of at most `width` characters where that can be.

    rows: how many of each kind are shown, the worst weights first, else in the order of execution; None for all.
    """
    parts = [] if not diff.differences else [_totals(diff, width)]
    for kind in KINDS:
        found = diff.of(kind)
        if found:
            parts.append([kind, *(f"  {line}" for line in _table(kind, found, width and width - 2, rows))])
    return "\n\n".join("\n".join(part) for part in [*parts, [verdict(diff)]])


def verdict(diff: Diff) -> str:
    """One line: the same, the same but for what is ignored, or how many differences of which kind."""
    counts = {kind: len(diff.of(kind)) for kind in KINDS if diff.of(kind)}
    counted = ", ".join(f"{number} {kind}" for kind, number in counts.items() if kind not in diff.ignored)
    ignored = ", ".join(kind for kind in counts if kind in diff.ignored)
    return f"differ: {counted}" if counted else f"same but for {ignored}" if ignored else "same"


def _totals(diff: Diff, width: int | None) -> list[str]:
    rows = [
        (name, *(text(getattr(total, field)) for total in diff.totals))
        for name, field, text in (
            ("operators", "operators", str),
            ("MACs", "macs", count),
            ("parameters", "parameters", count),
            ("constants", "constant_bytes", size),
        )
    ]
    return lines([Column(""), Column("before", number=True), Column("after", number=True)], rows, width)


WEIGHTS = (
    Column("SQNR dB", number=True),
    Column("max diff", number=True),
    Column("before"),
    Column("after"),
    Column("constant", cut=True),
)
OTHERS = (
    Column("operator"),
    Column("before", cut=True),
    Column("after", cut=True),
    Column("of", cut=True),
)


def _table(kind: str, found: Sequence[Difference], width: int | None, rows: int | None) -> list[str]:
    if kind == "weights":
        found = sorted(found, key=_sqnr)
    cells = [_weights(d) if kind == "weights" else _other(d) for d in found[:rows]]
    more = [] if rows is None or len(found) <= rows else [f"… and {len(found) - rows} more"]
    what = Column("what", cut=True, rank=int(kind in ("version", "quantization")))  # there the kind says most of it
    return lines(WEIGHTS if kind == "weights" else (what, *OTHERS), cells, width) + more


def _sqnr(difference: Difference) -> float:
    """The order of weights: those without a comparison first, then the worst."""
    distance = difference.distance
    return -math.inf if distance is None or math.isnan(distance.sqnr) else distance.sqnr


def _weights(d: Difference) -> tuple[str, ...]:
    measures = ("", d.what) if d.distance is None else (f"{d.distance.sqnr:.1f}", f"{d.distance.max_difference:.3g}")
    return *measures, _value(d.before), _value(d.after), short(d.where)


def _other(d: Difference) -> tuple[str, ...]:
    return d.what, d.op, _value(d.before), _value(d.after), short(d.where)


def _value(value: Any) -> str:
    """Short: a list of equal numbers as that number, a long one as its size and range; of a dict the values."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(map(_value, value.values()))
    if isinstance(value, list) and len(value) == 1:
        return _value(value[0])
    if isinstance(value, list) and len(value) > SHOWN and all(isinstance(item, (int, float)) for item in value):
        low, high = _value(min(value)), _value(max(value))
        return low if low == high else f"{len(value)} in {low}..{high}"
    return str(value)
