"""Compares two models: graph, options, weights, quantization, tensors, signatures, metadata, layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from pyquant.errors import FormatError, PyQuantError
from pyquant.graph import Model, Node, Quantization, Signature, Subgraph, Tensor, associated_files
from pyquant.graph.convert import to_record
from pyquant.graph.external import REFERENCE, references
from pyquant.graph.summary import type_text
from pyquant.run.choose import Chooser
from pyquant.run.limits import Limits
from pyquant.run.resolve import constant_value
from pyquant.see.cost import totals
from pyquant.see.difference import Diff, Difference
from pyquant.see.match import Pairs
from pyquant.see.metadata import entries
from pyquant.see.record import plain
from pyquant.see.weights import distance, same_bytes, stored_alike
from pyquant.wire import Record

K = TypeVar("K")
V = TypeVar("V")
Row = tuple[str, str, Any, Any]  # kind, what, before, after


def diff(a: Model, b: Model, names: bool = True) -> Diff:
    """Compare two models. names: whether names of tensors and subgraphs count.

    Nodes are matched by their output's name, then by operator, shapes and order, so that models whose names were
    stripped, and float models with what became of them, can be compared. Constants are compared as real values, also
    where one side computes them from constants, as float16 models do.
    """
    partners = _subgraph_partners(a, b)
    matched = [Pairs(x, y) for x, y in partners.items()]
    found = list(_subgraphs(a, b, partners))
    for pairs in matched:
        prefix = f"{pairs.a.name}: " if len(partners) > 1 else ""
        found += [*_graph(pairs, prefix), *_nodes(pairs, prefix, partners), *_tensors(pairs, prefix)]
    found += [*_signatures(a, b, partners, matched), *_metadata(a, b)]
    found += _layout(a, b, matched)
    found += [] if found else _rest(a, b)
    return Diff(tuple(found), (totals(a), totals(b)), frozenset({"layout"} if names else {"layout", "name"}))


def _subgraph_partners(a: Model, b: Model) -> dict[Subgraph, Subgraph]:
    """By name where all names are there and different, else by position."""
    names = {s.name: s for s in b.subgraphs}
    by_name = len(names) == len(a.subgraphs) == len(b.subgraphs) and {s.name for s in a.subgraphs} == names.keys()
    others = [names[s.name] for s in a.subgraphs] if by_name else b.subgraphs
    return dict(zip(a.subgraphs, others, strict=False))


def _subgraphs(a: Model, b: Model, partners: Mapping[Subgraph, Subgraph]) -> Iterator[Difference]:
    for subgraph in a.subgraphs[len(partners) :]:
        yield Difference("graph", subgraph.name, "subgraph removed", before=len(subgraph.nodes))
    for subgraph in b.subgraphs[len(partners) :]:
        yield Difference("graph", subgraph.name, "subgraph added", after=len(subgraph.nodes))
    for x, y in partners.items():
        if x.name != y.name:
            yield Difference("name", x.name, "subgraph", x.name, y.name)


def _graph(pairs: Pairs, prefix: str) -> Iterator[Difference]:
    """Operators that only one side has, others in their place, another order; inputs and outputs."""
    kept = set(pairs.nodes.values())
    for node in pairs.a.nodes:
        if node not in pairs.nodes:
            yield _at(node, prefix, "graph", "removed", _types(node), None)
        elif pairs.nodes[node].op != node.op:
            yield _at(node, prefix, "graph", "operator", node.op, pairs.nodes[node].op)
    for node in pairs.b.nodes:
        if node not in kept:
            yield _at(node, prefix, "graph", "added", None, _types(node))
    order = (node for node in pairs.b.nodes if node in kept)
    for i, (x, y) in enumerate(zip(pairs.nodes.values(), order, strict=True)):
        if x is not y:
            yield Difference(
                "graph", prefix or pairs.a.name, "order of operators", f"{i}: {x.label}", f"{i}: {y.label}"
            )
            break
    for what, before, after in (
        ("inputs", pairs.a.inputs, pairs.b.inputs),
        ("outputs", pairs.a.outputs, pairs.b.outputs),
    ):
        if len(before) != len(after) or any(map(pairs.parted, before, after)):
            yield Difference("graph", pairs.a.name, what, [t.name for t in before], [t.name for t in after])


def _at(node: Node, prefix: str, kind: str, what: str, before: Any, after: Any) -> Difference:
    name = node.outputs[0].name if node.outputs else ""
    return Difference(kind, prefix + name, what, before, after, op=node.op)


def _types(node: Node) -> str:
    return ", ".join(map(type_text, node.outputs))


def _nodes(pairs: Pairs, prefix: str, partners: Mapping[Subgraph, Subgraph]) -> Iterator[Difference]:
    """Versions, options and inputs of matched nodes."""
    for a, b in pairs.nodes.items():
        found = list(_inputs(a, b, pairs))
        if a.op == b.op:
            found += [("version", "version", a.opcode.version, b.opcode.version), *_options(a, b)]
        if {field: partners.get(s) for field, s in a.subgraphs.items()} != b.subgraphs:
            before, after = ({field: s.name for field, s in node.subgraphs.items()} for node in (a, b))
            found.append(("graph", "subgraphs", before, after))
        yield from (_at(a, prefix, *row) for row in found if row[2] != row[3])


def _inputs(a: Node, b: Node, pairs: Pairs) -> Iterator[Row]:
    yield "graph", "number of inputs", len(a.inputs), len(b.inputs)
    for i, (x, y) in enumerate(zip(a.inputs, b.inputs, strict=False)):
        if x is None or y is None:
            yield "graph", f"input {i}", x and x.name, y and y.name
        elif pairs.parted(x, y):
            yield "graph", f"input {i}", {"tensor": x.name}, {"tensor": y.name}


def _options(a: Node, b: Node) -> Iterator[Row]:
    x, y = a.options, b.options
    tables = {o.table for o in (x, y) if o is not None}
    if len(tables) == 1:
        before, after = (plain(o or Record(*tables)) for o in (x, y))
        yield from (("option", name, before[name], after[name]) for name in before)
    else:
        yield "option", "table", x and x.table, y and y.table
    if not same_bytes(a.custom_options, b.custom_options):
        sizes = [0 if o is None else o.size for o in (a.custom_options, b.custom_options)]
        yield "option", "custom options", {"bytes": sizes[0]}, {"bytes": sizes[1]}


def _tensors(pairs: Pairs, prefix: str) -> Iterator[Difference]:
    """Types, quantization, names and values of matched tensors."""
    for a, b in pairs.tensors.items():
        where = prefix + a.name
        for what, before, after in (
            ("shape", list(a.shape), list(b.shape)),
            ("shape signature", _list(a.shape_signature), _list(b.shape_signature)),
            ("type", a.dtype.name, b.dtype.name),
            ("variable", a.is_variable, b.is_variable),
            ("sparsity", a.sparsity is not None, b.sparsity is not None),
        ):
            if before != after:
                yield Difference("tensor", where, what, before, after)
        if a.name != b.name:
            yield Difference("name", where, "tensor", a.name, b.name)
        yield from _fields("quantization", where, _scales(a.quantization), _scales(b.quantization))
        yield from _fields("metadata", where, _kept(a), _kept(b))
        yield from _values(a, b, where)
    yield from _computed(pairs, prefix)


def _list(shape: tuple[int, ...] | None) -> list[int] | None:
    return None if shape is None else list(shape)


def _fields(kind: str, where: str, a: dict[str, Any], b: dict[str, Any]) -> Iterator[Difference]:
    """One difference for all fields that differ; by their text, for NaN is not equal to itself."""
    what = [name for name in {**a, **b} if repr(a.get(name)) != repr(b.get(name))]
    if what:
        yield Difference(kind, where, ", ".join(what), a or None, b or None)


def _kept(tensor: Tensor) -> dict[str, Any]:
    """The fields that the model only keeps, such as the ranges that scales came from."""
    extra = tensor.extra if tensor.quantization is None else {**tensor.extra, **tensor.quantization.extra}
    kept = {name: value for name, value in extra.items() if name != REFERENCE and value is not None}
    return {name: plain(value) for name, value in kept.items() if np.size(value)}


def _scales(quantization: Quantization | None) -> dict[str, Any]:
    if quantization is None:
        return {}
    found: dict[str, Any] = {}
    if quantization.scale.size:
        found = {"scale": quantization.scale.tolist(), "zero point": quantization.zero_point.tolist()}
    if quantization.per_axis:
        found["axis"] = quantization.axis
    if quantization.details is not None:
        found["scheme"] = plain(quantization.details)
    return found


def _values(a: Tensor, b: Tensor, where: str) -> Iterator[Difference]:
    """Constants whose real values differ, or that only one side has."""
    if (not a.is_constant and not b.is_constant) or stored_alike(a, b):
        return
    if a.is_constant and b.is_constant and a.shape == b.shape:
        try:
            found = distance(a, b)
        except PyQuantError as error:
            yield Difference("weights", where, f"stored bytes ({error})", type_text(a), type_text(b))
        else:
            if found.max_difference != 0:
                yield Difference("weights", where, "values", type_text(a), type_text(b), found)
    elif a.is_constant != b.is_constant:
        yield Difference("weights", where, "constant", a.is_constant, b.is_constant)


def _computed(pairs: Pairs, prefix: str) -> Iterator[Difference]:
    """Constants of one side that the other computes from constants: compared all the same."""
    seen = set()
    for node, other in pairs.nodes.items():
        for x, y in zip(node.inputs, other.inputs, strict=False):
            if x is None or y is None or x in seen or x.is_constant == y.is_constant or pairs.compared(x, y):
                continue
            seen.add(x)
            first, second = (t if t.is_constant else _folded(t, pairs) for t in (x, y))
            if first is not None and second is not None:
                yield from _values(first, second, prefix + x.name)


def _folded(tensor: Tensor, pairs: Pairs) -> Tensor | None:
    """The constant that a node of constants computes for a tensor; None for what no such node writes."""
    node = pairs.writers.get(tensor)
    if node is None or not node.inputs or not all(t is None or t.is_constant for t in node.inputs):
        return None
    try:
        arrays = [None if t is None else constant_value(t) for t in node.inputs]
        made = Chooser.of(None, "tflite", 1, Limits.of(pairs.a)).fold(node, arrays)
    except PyQuantError:
        return None  # what cannot be computed is shown as the operator that was added or removed
    return made[node.outputs.index(tensor)]


def _signatures(
    a: Model, b: Model, partners: Mapping[Subgraph, Subgraph], matched: list[Pairs]
) -> Iterator[Difference]:
    parted = {pairs.a: pairs.parted for pairs in matched}
    for key, x, y in _both({s.key: s for s in a.signatures}, {s.key: s for s in b.signatures}):
        if x is None or y is None:
            yield Difference("signature", key, "signature", _ends(x), _ends(y))
            continue
        if partners.get(x.subgraph) is not y.subgraph:
            yield Difference("signature", key, "subgraph", x.subgraph.name, y.subgraph.name)
            continue
        for side in ("inputs", "outputs"):
            before, after = dict(getattr(x, side)), dict(getattr(y, side))
            if before.keys() != after.keys() or any(parted[x.subgraph](t, after[name]) for name, t in before.items()):
                yield Difference("signature", key, side, _named(before), _named(after))


def _ends(signature: Signature | None) -> dict[str, dict[str, str]] | None:
    if signature is None:
        return None
    return {"inputs": _named(dict(signature.inputs)), "outputs": _named(dict(signature.outputs))}


def _named(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    return {name: tensor.name for name, tensor in tensors.items()}


def _metadata(a: Model, b: Model) -> Iterator[Difference]:
    if (a.description or "") != (b.description or ""):
        yield Difference("metadata", "model", "description", a.description, b.description)
    said = [{e.name: e.value if e.value is not None else f"{e.bytes} bytes" for e in entries(m)} for m in (a, b)]
    for name, x, y in _both(dict(a.metadata), dict(b.metadata)):
        if x is None or y is None or not same_bytes(x.data, y.data):
            yield Difference("metadata", "model", name, said[0].get(name), said[1].get(name))
    for name, old, new in _both(_files(a), _files(b)):
        if old != new:
            before, after = (None if content is None else f"{len(content)} bytes" for content in (old, new))
            yield Difference("metadata", "model", name, before, after)


def _files(model: Model) -> dict[str, bytes]:
    """The associated files; of what is no sound archive the bytes after the model, as one."""
    trailing = model.extra.get("trailing")
    rest = {} if trailing is None else {"bytes after the model": trailing.tobytes()}
    try:
        return associated_files(model) or rest
    except FormatError:
        return rest


def _both(a: Mapping[K, V], b: Mapping[K, V]) -> Iterator[tuple[K, V | None, V | None]]:
    """Every key of either, with what both have there."""
    for key in {**a, **b}:
        yield key, a.get(key), b.get(key)


def _layout(a: Model, b: Model, matched: list[Pairs]) -> list[Difference]:
    """Tables in another order, or with entries that nothing uses."""
    tables: dict[str, Callable[[Model], list[Any]]] = {
        "operator codes": lambda m: [(o.name, o.version, o.custom_code) for o in m.opcodes],
        "buffers": lambda m: [0 if buffer.data is None else buffer.data.size for buffer in m.buffers],
        "external constants": lambda m: [t.name for t in references(m)],
        "metadata": lambda m: [name for name, _ in m.metadata],
        "signatures": lambda m: [s.key for s in m.signatures],
    }
    found = [
        Difference("layout", "model", f"order or number of {name}", len(table(a)), len(table(b)))
        for name, table in tables.items()
        if table(a) != table(b)
    ]
    for pairs in matched:
        before, after = pairs.a.tensors, pairs.b.tensors
        if len(before) != len(after) or any(
            pairs.tensors.get(x, y) is not y for x, y in zip(before, after, strict=True)
        ):
            what = "order or number of tensors"
            found.append(Difference("layout", pairs.a.name, what, len(before), len(after)))
    return found


def _rest(a: Model, b: Model) -> Iterator[Difference]:
    """Of models that are alike so far: fields that have no name here, and bytes that no matched constant holds."""
    records = [to_record(m).replace(buffers=None) for m in (a, b)]
    if records[0] != records[1]:
        yield Difference("metadata", "model", "fields that pyquant only keeps")
    for i, (x, y) in enumerate(zip(a.buffers, b.buffers, strict=True)):
        if x.extra != y.extra or not same_bytes(x.data, y.data):
            yield Difference("metadata", f"buffer {i}", "bytes that no matched tensor holds")
