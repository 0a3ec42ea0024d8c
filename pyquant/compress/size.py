"""What a model takes: as it is, packed by general compressors, stored sparse or by lookup tables, and at the least."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from html import escape
from importlib import import_module
from typing import Any

import numpy as np

from pyquant.compress.lut import lookup
from pyquant.compress.sparse import encode_sparse, sparse_bytes
from pyquant.errors import OptionError
from pyquant.graph import Model, Tensor, dump
from pyquant.table import Column, lines, short
from pyquant.table import size as in_units

# Settings that a download would be packed with once; all give the same bytes each time.
PACKERS: Mapping[str, tuple[str, Callable[[Any, bytes], bytes]]] = {
    "gzip": ("gzip", lambda module, data: module.compress(data, 9, mtime=0)),
    "zstd": ("zstandard", lambda module, data: module.ZstdCompressor(level=19).compress(data)),
    "brotli": ("brotli", lambda module, data: module.compress(data, quality=9)),
}
MEASURES = ("raw", *PACKERS, "entropy", "sparse", "lookup")
MISSING = "-: not installed: pip install pyquant[size]"
SHOWN = 24  # tensors in a picture, the largest
COLORS = ("#c6d4e8", "#7fa3d1", "#4f7dbb", "#2f5a94", "#8a8a8a", "#d98c3f", "#5f9e5a")


@dataclass(frozen=True)
class Size:
    """Bytes of a constant, or of a whole file in which each constant takes the fewer of these and its own bytes.

    None: of a packer that is not installed, or a form that the type does not have. entropy: the least that any code of
    single elements takes which knows how often each value occurs. lookup: indices of `bits` and tables of values.
    sparse: of a file, what `encode_sparse` makes of it, which leaves dense what kernels would not take.
    """

    name: str
    raw: int
    gzip: int | None
    zstd: int | None
    brotli: int | None
    entropy: int | None
    sparse: int | None
    lookup: int | None
    bits: int | None = None


@dataclass(frozen=True)
class Sizes:
    """Of the file, and of each constant in it, the largest first."""

    file: Size
    tensors: tuple[Size, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"file": asdict(self.file), "tensors": [asdict(tensor) for tensor in self.tensors]}

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """A table, in at most `width` characters where that can be."""
        columns = [Column("constant", cut=True), *(Column(m, number=True, rank=i) for i, m in enumerate(MEASURES))]
        columns.append(Column("bits", number=True, rank=len(MEASURES)))
        rows = [
            [short(one.name), *(_bytes(getattr(one, m)) for m in MEASURES), "" if one.bits is None else str(one.bits)]
            for one in (*self.tensors, self.file)
        ]
        return "\n".join([*lines(columns, rows, width), *self._notes()])

    def against(self, after: Sizes, width: int | None = None) -> str:
        """A table of this model and another that was made of it: bytes before and after, by a constant's name."""
        shown = [m for m in ("raw", *PACKERS) if getattr(self.file, m) is not None]
        columns = [Column("constant", cut=True)]
        columns += [Column(f"{m} {side}", number=True) for m in shown for side in ("before", "after", "%")]
        names, rows = {one.name: one for one in after.tensors}, []
        pairs = [(one, names.pop(one.name, None)) for one in self.tensors]
        for before, now in (*pairs, *((None, one) for one in names.values()), (self.file, after.file)):
            row = [short((before or now or self.file).name)]
            for m in shown:
                old, new = (None if one is None else getattr(one, m) for one in (before, now))
                row += [_bytes(old), _bytes(new), f"{100 * new / old:.1f}" if old and new is not None else ""]
            rows.append(row)
        return "\n".join([*lines(columns, rows, width), *self._notes()])

    def svg(self, after: Sizes | None = None) -> str:
        """A picture: a bar for each measure of the file and of its largest constants; two with another model's."""
        rows: list[tuple[Size, Size | None]] = [(self.file, None if after is None else after.file)]
        others = {one.name: one for one in after.tensors} if after else {}
        rows += [(one, others.get(one.name)) for one in self.tensors[:SHOWN]]
        return _picture(rows)

    def _notes(self) -> list[str]:
        return [MISSING] if any(getattr(self.file, packer) is None for packer in PACKERS) else []


def size(model: Model, data: bytes | None = None) -> Sizes:
    """What a model's file and each of its constants take. data: the bytes of the file, where they are at hand.

    gzip at level 9, zstd at 19 and brotli at 9: the latter two where zstandard and brotli are installed.
    """
    packers = {name: (_imported(module), pack) for name, (module, pack) in PACKERS.items()}

    def packed(content: bytes) -> dict[str, int | None]:
        return {n: None if module is None else len(pack(module, content)) for n, (module, pack) in packers.items()}

    constants: dict[int, Tensor] = {}
    for tensor in (t for subgraph in model.subgraphs for t in subgraph.tensors if t.is_constant):
        constants.setdefault(id(tensor.buffer), tensor)
    tensors = [_sizes(tensor, packed) for tensor in constants.values()]
    content = dump(model) if data is None else data
    forms = {m: len(content) - sum(_gain(one, m) for one in tensors) for m in ("entropy", "lookup")}
    file = Size("whole file", len(content), **packed(content), sparse=_sparse(model, len(content)), **forms)
    return Sizes(file, tuple(sorted(tensors, key=lambda one: -one.raw)))


def _sizes(tensor: Tensor, packed: Callable[[bytes], dict[str, int | None]]) -> Size:
    assert tensor.buffer is not None and tensor.buffer.data is not None
    raw = tensor.buffer.data
    bits, tables = lookup(tensor) or (None, None)
    return Size(
        tensor.name,
        raw.size,
        **packed(raw.tobytes()),
        entropy=_entropy(tensor),
        sparse=sparse_bytes(tensor),
        lookup=tables,
        bits=bits,
    )


def _sparse(model: Model, dense: int) -> int:
    try:
        return min(len(dump(encode_sparse(model))), dense)
    except OptionError:  # no weights
        return dense


def _gain(one: Size, measure: str) -> int:
    value = getattr(one, measure)
    return 0 if value is None else max(one.raw - value, 0)


def _entropy(tensor: Tensor) -> int | None:
    """Bytes of the elements at -log2 of how often each occurs; nothing for strings."""
    values = tensor.data
    if values is None or values.dtype.hasobject or not values.size:
        return None
    codes = (
        np.ascontiguousarray(values)
        .reshape(-1)
        .view(f"V{values.itemsize}" if values.itemsize > 8 else f"u{values.itemsize}")
    )
    share = np.unique(codes, return_counts=True)[1] / codes.size
    return math.ceil(-float(np.sum(share * np.log2(share))) * codes.size / 8)


def _imported(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        return None


def _bytes(number: int | None) -> str:
    return "-" if number is None else str(number)


def _picture(rows: list[tuple[Size, Size | None]]) -> str:
    """Groups of bars, the file's to its own scale, those of constants to the largest one's."""
    left, wide, high = 240, 420, 9
    parts, y = [], 16
    for i, measure in enumerate(MEASURES):
        parts.append(f'<rect x="{left + 76 * i}" y="{y - 9}" width="9" height="9" fill="{COLORS[i]}"/>')
        parts.append(f'<text x="{left + 76 * i + 13}" y="{y}">{measure}</text>')
    y += 14
    most = max([one.raw for before, after in rows[1:] for one in (before, after) if one], default=1)
    for row, (before, after) in enumerate(rows):
        scale = wide / max(most if row else max(one.raw for one in (before, after) if one), 1)
        parts.append(f'<text x="{left - 8}" y="{y + 9}" text-anchor="end">{escape(short(before.name)[-34:])}</text>')
        for one, side in ((before, ""), (after, "after: ")):
            for i, measure in enumerate(MEASURES if one else ()):
                value = getattr(one, measure)
                if value is not None:
                    bar = f'x="{left}" y="{y}" width="{value * scale:.1f}" height="{high - 1}" fill="{COLORS[i]}"'
                    note = f"{side}{measure} {in_units(value)}"
                    parts.append(f"<rect {bar}><title>{note}</title></rect>")
                    parts.append(f'<text x="{left + value * scale + 4:.1f}" y="{y + high - 1}" class="n">{note}</text>')
                    y += high
        y += 8
    style = "text{font:11px sans-serif;fill:#222}.n{font-size:8px;fill:#666}"
    frame = f'xmlns="http://www.w3.org/2000/svg" width="{left + wide + 140}" height="{y}"'
    return f"<svg {frame}><style>{style}</style>{''.join(parts)}</svg>\n"
