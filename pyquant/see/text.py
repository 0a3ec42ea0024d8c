"""A description as text, section by section, for a terminal of any width."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields as dataclass_fields
from itertools import islice

from pyquant.graph import Buffer, Node, Subgraph, Tensor
from pyquant.graph.external import REFERENCE
from pyquant.graph.summary import quantization_text, signature_text, type_text
from pyquant.run.cost import Cost, parameters, tensor_bytes
from pyquant.see.describe import BufferFacts, Description, NodeFacts
from pyquant.see.record import options_text
from pyquant.table import GAP, Column, count, lines, printable, short, size

KERNELS = {"none": "none", "numpy": "NumPy", "view": "view", "constant": "folded"}  # all others are C
SHOWN = 6  # users of a buffer that its row names


def text(description: Description, sections: Collection[str] = ("operators",), width: int | None = None) -> str:
    """The summary, then the sections asked for, in lines of at most `width` characters where that can be.

    sections: of SECTIONS, shown in that order.
    """
    parts = [summary(description, width)]
    parts += [list(SECTIONS[name](description, width)) for name in SECTIONS if name in sections]
    return "\n\n".join("\n".join(part) for part in parts if part)


def summary(description: Description, width: int | None = None) -> list[str]:
    """What the model says of itself, the main subgraph's inputs and outputs, totals."""
    model = description.model
    said = [("description", model.description or ""), *((entry.name, str(entry)) for entry in description.metadata)]
    said += [("warning", warning) for warning in description.warnings]
    said += [("files", ", ".join(f"{name} ({size(n)})" for name, n in (description.files or {}).items()))]
    said += [("signature", signature_text(signature)) for signature in model.signatures]
    rows = [row for row in said if row[1]]
    ends = [("input", t) for s in model.subgraphs[:1] for t in s.inputs]
    ends += [("output", t) for s in model.subgraphs[:1] for t in s.outputs]
    room = None if width is None else width - max((len(row[0]) for row in (*rows, *ends)), default=0) - len(GAP)
    values = lines(ENDS, [(t.name, type_text(t), _scale(t)) for _, t in ends], room)
    rows += zip((word for word, _ in ends), values, strict=True)
    return [*lines(FACTS, rows, width), "", *_totals(description, width)]


FACTS = (Column(""), Column("", cut=True))
ENDS = (Column("", cut=True), Column(""), Column("", rank=1))


def _totals(description: Description, width: int | None) -> Iterator[str]:
    totals = description.totals
    unknown = f" (unknown for {totals.unknown_macs})" if totals.unknown_macs else ""
    sums = (
        f"{totals.operators} operators",
        f"{count(totals.macs)} MACs{unknown}",
        f"{count(totals.parameters)} parameters",
        f"{size(totals.constant_bytes)} of constants",
    )
    yield from _listed(sums, width)
    yield from _listed([f"{number} {op}" for op, number in description.operators.most_common()], width)


def _listed(items: Iterable[str], width: int | None) -> Iterator[str]:
    """The items with commas between, broken into lines between items only."""
    line = ""
    for item in map(printable, items):
        joined = f"{line}, {item}" if line else item
        if width is not None and line and len(joined) >= width:
            yield f"{line},"
            joined = item
        line = joined
    if line:
        yield line


OPERATORS = (
    Column("#", number=True),
    Column("operator"),
    Column("v", rank=5),
    Column("MACs", number=True),
    Column("params", number=True),
    Column("weights", number=True, rank=1),
    Column("read", number=True, rank=4),
    Column("written", number=True, rank=4),
    Column("output"),
    Column("types", rank=2),
    Column("scale, zero point", rank=3),
    Column("w scales", number=True, rank=4),
    Column("kernel"),
    Column("name", rank=6),
    Column("options", rank=7),
)


def _operators(description: Description, width: int | None) -> Iterator[str]:
    for subgraph, rows in description.nodes.items():
        yield from _title(description, subgraph)
        total = _operator_total(rows) if len(rows) > 1 else []
        yield from lines(OPERATORS, [_operator(i, row) for i, row in enumerate(rows)] + total, width)


def _operator(index: int, row: NodeFacts) -> tuple[str, ...]:
    node, cost = row.node, row.cost
    output = node.outputs[0] if node.outputs else None
    weights = next(parameters(node), None)
    return (
        str(index),
        node.op,
        str(node.opcode.version),
        *_cost(cost),
        "" if output is None else type_text(output),
        types_text(node),
        "" if output is None else _scale(output),
        "" if weights is None or weights.quantization is None else str(weights.quantization.scale.size or ""),
        KERNELS.get(row.kernel, "C"),
        "" if output is None else short(output.name),
        options_text(node),
    )


def _operator_total(rows: Sequence[NodeFacts]) -> list[tuple[str, ...]]:
    """The sums of a subgraph's costs as a row; what nodes share counts for each."""
    sums = (sum(getattr(row.cost, field.name) or 0 for row in rows) for field in dataclass_fields(Cost))
    cells = ("", "total", "", *_cost(Cost(*sums)))
    return [cells + ("",) * (len(OPERATORS) - len(cells))]


def _cost(cost: Cost) -> tuple[str, ...]:
    return (
        "?" if cost.macs is None else count(cost.macs) if cost.macs else "",
        count(cost.parameters) if cost.parameters else "",
        *(size(b) if b else "" for b in (cost.weight_bytes, cost.read_bytes, cost.written_bytes)),
    )


def types_text(node: Node) -> str:
    """`int8` where all is of one type, else inputs x weights -> outputs: `int16 x int8`, `float32 -> int8`."""
    inputs = _names(t for t in node.inputs if t is not None and not t.is_constant)
    weights = _names(islice(parameters(node), 1))
    outputs = _names(node.outputs)
    text = inputs if weights in ("", inputs) else f"{inputs} x {weights}" if inputs else weights
    return text if outputs in (inputs, text) else f"{text} -> {outputs}"


def _names(tensors: Iterable[Tensor]) -> str:
    return ", ".join(dict.fromkeys(t.dtype.name for t in tensors))


def _scale(tensor: Tensor) -> str:
    """`0.0235, -128`, or what stands in its place."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale.size != 1:
        return quantization_text(quantization)
    return f"{quantization.scale[0]:.4g}, {quantization.zero_point[0] if quantization.zero_point.size else 0}"


TENSORS = (
    Column("#", number=True),
    Column("type"),
    Column("constant", number=True),
    Column("buffer", number=True, rank=2),
    Column("scale, zero point", rank=1),
    Column("notes"),
    Column("name", cut=True),
)


def _tensors(description: Description, width: int | None) -> Iterator[str]:
    numbers = {buffer: i for i, buffer in enumerate(description.model.buffers)}
    for subgraph in description.model.subgraphs:
        yield from _title(description, subgraph)
        yield from lines(TENSORS, [_tensor(i, t, numbers) for i, t in enumerate(subgraph.tensors)], width)


def _tensor(index: int, tensor: Tensor, numbers: Mapping[Buffer, int]) -> tuple[str, ...]:
    notes = {
        "variable": tensor.is_variable,
        "sparse": tensor.sparsity is not None,
        "external": bool(tensor.extra.get(REFERENCE)),
    }
    number = None if tensor.buffer is None else numbers.get(tensor.buffer)
    return (
        str(index),
        type_text(tensor),
        size(tensor_bytes(tensor)) if tensor.is_constant else "",
        "" if number is None else str(number),
        _scale(tensor),
        ", ".join(note for note, holds in notes.items() if holds),
        tensor.name,
    )


BUFFERS = (Column("#", number=True), Column("size", number=True), Column("shared", number=True), Column("of", cut=True))


def _buffers(description: Description, width: int | None) -> Iterator[str]:
    filled = [buffer for buffer in description.buffers if buffer.bytes]
    total = sum(buffer.bytes for buffer in filled)
    yield f"{len(description.buffers)} buffers, {len(filled)} with data, {size(total)}"
    yield from lines(BUFFERS, [_buffer(buffer) for buffer in filled], width)


def _buffer(buffer: BufferFacts) -> tuple[str, ...]:
    users = [t.name for t in buffer.tensors] + [f"metadata {name}" for name in buffer.metadata]
    more = [f"{len(users) - SHOWN} more"] if len(users) > SHOWN else []
    return (
        str(buffer.index),
        size(buffer.bytes),
        str(len(users)) if len(users) > 1 else "",
        ", ".join(users[:SHOWN] + more) or "nothing",
    )


METADATA = (Column("metadata", cut=True), Column("size", number=True), Column("says", cut=True))


def _metadata(description: Description, width: int | None) -> Iterator[str]:
    rows = [(entry.name, size(entry.bytes), str(entry)) for entry in description.metadata]
    if rows:
        yield from lines(METADATA, rows, width)


SIGNATURES = (
    Column("signature", cut=True),
    Column("side"),
    Column("name", cut=True),
    Column("type"),
    Column("tensor", rank=1, cut=True),
)


def _signatures(description: Description, width: int | None) -> Iterator[str]:
    rows = [
        (signature.key, side, name, type_text(tensor), tensor.name)
        for signature in description.model.signatures
        for side, pairs in (("input", signature.inputs), ("output", signature.outputs))
        for name, tensor in pairs
    ]
    if rows:
        yield from lines(SIGNATURES, rows, width)


def _title(description: Description, subgraph: Subgraph) -> Iterator[str]:
    """A line of its own for each of several subgraphs."""
    subgraphs = description.model.subgraphs
    if len(subgraphs) > 1:
        yield printable(f"subgraph {subgraphs.index(subgraph)} {subgraph.name!r}")


SECTIONS: dict[str, Callable[[Description, int | None], Iterator[str]]] = {
    "operators": _operators,
    "tensors": _tensors,
    "buffers": _buffers,
    "metadata": _metadata,
    "signatures": _signatures,
}
