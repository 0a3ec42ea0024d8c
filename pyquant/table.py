"""Tables as text: columns aligned, numbers short and with their unit, everything on one line a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GAP = "  "
SHORTEST = 24  # characters that a cut cell keeps, at least


@dataclass(frozen=True)
class Column:
    """number: aligned right. rank: where the table is too wide, columns of the highest rank go first, rank 0 stays.

    cut: its cells are shortened in the middle, down to 24 characters, before other columns go.
    """

    name: str
    number: bool = False
    rank: int = 0
    cut: bool = False


def lines(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """A header and the rows, in at most `width` characters where that can be.

    Columns without any text are left out, and the header where no column has a name.

    >>> print(*lines([Column("name"), Column("size", number=True)], [["a", "12"], ["bcd", "5"]]), sep="\\n")
    name  size
    a       12
    bcd      5
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max([len(column.name), *(len(row[i]) for row in cells)]) for i, column in enumerate(columns)]
    shown = [i for i in range(len(columns)) if any(row[i] for row in cells)]
    least = [min(w, SHORTEST) if column.cut else w for w, column in zip(widths, columns, strict=True)]
    while width is not None and _total(shown, least) > width and any(columns[i].rank for i in shown):
        shown.remove(max(shown, key=lambda i: (columns[i].rank, i)))
    while width is not None and _total(shown, widths) > width and any(widths[i] > least[i] for i in shown):
        widths[max(shown, key=lambda i: widths[i] if widths[i] > least[i] else 0)] -= 1
    header = [column.name for column in columns]
    return [_line(row, columns, shown, widths) for row in ([header] * any(header) + cells)]


def _total(shown: Sequence[int], widths: Sequence[int]) -> int:
    return sum(widths[i] for i in shown) + len(GAP) * (len(shown) - 1)


def _line(row: Sequence[str], columns: Sequence[Column], shown: Sequence[int], widths: Sequence[int]) -> str:
    cells = [(shortened(row[i], widths[i]), columns[i].number, widths[i]) for i in shown]
    return GAP.join(cell.rjust(width) if number else cell.ljust(width) for cell, number, width in cells).rstrip()


def shortened(text: str, width: int) -> str:
    """The text in at most `width` characters: its middle becomes …, for the ends tell names apart."""
    if len(text) <= width:
        return text
    tail = (width - 1) * 2 // 3
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def short(name: str) -> str:
    """The last of the names that the TFLite converter joins by `;` for a fused operator."""
    _, joint, last = name.rpartition(";")
    return "…" * bool(joint) + last


def printable(text: str) -> str:
    """The text with what a terminal would obey or cannot show, such as names from a hostile file, as escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def count(number: int) -> str:
    """Three digits and a metric prefix.

    >>> count(999), count(12_345), count(300_774_272)
    ('999', '12.3 k', '301 M')
    """
    return _metric(number, "").rstrip()


def size(bytes_: int) -> str:
    """The same with the unit byte.

    >>> size(40), size(4_070_174)
    ('40 B', '4.07 MB')
    """
    return _metric(bytes_, "B")


def _metric(number: int, unit: str) -> str:
    if number < 1000:
        return f"{number} {unit}"
    scaled, prefixes = float(number), iter("kMGTPE")
    prefix = ""
    while scaled >= 999.5:
        scaled, prefix = scaled / 1000, next(prefixes, "?")
    return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f} {prefix}{unit}"
