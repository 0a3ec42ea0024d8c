"""What is in a model, as facts: costs and kernels by node, buffers, metadata. Text and JSON are both made from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from pyquant.errors import FormatError
from pyquant.graph import Buffer, Model, Node, Subgraph, Tensor, associated_files
from pyquant.graph.external import REFERENCE
from pyquant.run.cost import Cost, cost
from pyquant.run.listing import listing
from pyquant.see.cost import Totals, totals
from pyquant.see.metadata import Entry, entries
from pyquant.see.record import plain


@dataclass(frozen=True, eq=False)
class NodeFacts:
    """A node, its cost, and what runs it: a kernel as a plan lists it, or "none" and why."""

    node: Node
    cost: Cost
    kernel: str
    why: str


@dataclass(frozen=True, eq=False)
class BufferFacts:
    """An entry of the file's buffer table, and who refers to it."""

    index: int
    bytes: int
    tensors: tuple[Tensor, ...]
    metadata: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Description:
    """The facts about a model. `print(description)` shows them; `to_dict()` is the same as plain data for JSON.

    files: the sizes of the associated files that are packed behind the model, by name; None for an unsound archive.
    """

    model: Model
    nodes: Mapping[Subgraph, tuple[NodeFacts, ...]]
    buffers: tuple[BufferFacts, ...]
    metadata: tuple[Entry, ...]
    files: Mapping[str, int] | None

    @cached_property
    def totals(self) -> Totals:
        """The sums over the model."""
        return totals(self.model)

    @property
    def operators(self) -> Counter[str]:
        """How often each operator is used."""
        return Counter(row.node.op for rows in self.nodes.values() for row in rows)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What opening the file warned of, such as parts of a newer schema; and an unsound archive."""
        unsound = ["the bytes after the model are no sound archive of files"] if self.files is None else []
        return (*map(str, self.model.warnings), *unsound)

    def to_dict(self) -> dict[str, Any]:
        """Plain data. Tensors and buffers stand by their index in the file."""
        model = self.model
        buffers = {buffer: i for i, buffer in enumerate(model.buffers)}
        subgraphs = {subgraph: i for i, subgraph in enumerate(model.subgraphs)}
        return {
            "description": model.description,
            "warnings": list(self.warnings),
            "totals": asdict(self.totals),
            "operators": dict(self.operators),
            "subgraphs": [_subgraph(s, rows, subgraphs, buffers) for s, rows in self.nodes.items()],
            "signatures": [
                {
                    "key": s.key,
                    "subgraph": subgraphs[s.subgraph],
                    "inputs": {name: s.subgraph.tensors.index(t) for name, t in s.inputs},
                    "outputs": {name: s.subgraph.tensors.index(t) for name, t in s.outputs},
                }
                for s in model.signatures
            ],
            "buffers": [{"bytes": b.bytes, "tensors": len(b.tensors), "metadata": b.metadata} for b in self.buffers],
            "metadata": {entry.name: entry.bytes for entry in self.metadata},
            "associated_files": None if self.files is None else dict(self.files),
            "known_metadata": {entry.name: entry.value for entry in self.metadata if entry.value is not None},
        }

    def __str__(self) -> str:
        from pyquant.see.text import text

        return text(self)


def describe(model: Model) -> Description:
    """The facts about a model, also about one that pyquant cannot run.

    >>> import numpy as np, pyquant as pq
    >>> from pyquant.ops.build import add
    >>> b = pq.Builder()
    >>> x, w = b.input("x", (1, 4)), b.constant("w", np.ones((3, 4), np.float32))
    >>> model = b.model([add(b, "FULLY_CONNECTED", [x, w, None], "y")])
    >>> describe(model).totals
    Totals(operators=1, macs=12, unknown_macs=0, parameters=12, constant_bytes=48)
    """
    nodes = {
        subgraph: tuple(
            NodeFacts(node, cost(node), *found) for node, found in zip(subgraph.nodes, listing(subgraph), strict=True)
        )
        for subgraph in model.subgraphs
    }
    return Description(model, nodes, tuple(_buffers(model)), tuple(entries(model)), _files(model))


def _files(model: Model) -> dict[str, int] | None:
    try:
        return {name: len(content) for name, content in associated_files(model).items()}
    except FormatError:
        return None


def _buffers(model: Model) -> Iterator[BufferFacts]:
    tensors: dict[Buffer, list[Tensor]] = {}
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            if tensor.buffer is not None:
                tensors.setdefault(tensor.buffer, []).append(tensor)
    names: dict[Buffer, list[str]] = {}
    for name, buffer in model.metadata:
        names.setdefault(buffer, []).append(name)
    for i, buffer in enumerate(dict.fromkeys([*model.buffers, *tensors, *names])):
        size = 0 if buffer.data is None else buffer.data.size
        yield BufferFacts(i, size, tuple(tensors.get(buffer, ())), tuple(names.get(buffer, ())))


def _subgraph(
    subgraph: Subgraph, rows: tuple[NodeFacts, ...], subgraphs: dict[Subgraph, int], buffers: dict[Buffer, int]
) -> dict[str, Any]:
    index = {tensor: i for i, tensor in enumerate(subgraph.tensors)}
    return {
        "name": subgraph.name,
        "inputs": [index[t] for t in subgraph.inputs],
        "outputs": [index[t] for t in subgraph.outputs],
        "tensors": [_tensor(t, buffers) for t in subgraph.tensors],
        "nodes": [_node(row, index, subgraphs) for row in rows],
    }


def _node(row: NodeFacts, index: dict[Tensor, int], subgraphs: dict[Subgraph, int]) -> dict[str, Any]:
    node = row.node
    found: dict[str, Any] = {
        "op": node.op,
        "version": node.opcode.version,
        "inputs": [None if t is None else index[t] for t in node.inputs],
        "outputs": [index[t] for t in node.outputs],
        "kernel": row.kernel,
        **asdict(row.cost),
    }
    optional = {
        "options": None if node.options is None else plain(node.options),
        "custom_options_bytes": None if node.custom_options is None else node.custom_options.size,
        "subgraphs": {name: subgraphs[s] for name, s in node.subgraphs.items()} or None,
        "why": row.why or None,
    }
    return found | {name: value for name, value in optional.items() if value is not None}


def _tensor(tensor: Tensor, buffers: dict[Buffer, int]) -> dict[str, Any]:
    found: dict[str, Any] = {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype.name}
    if tensor.shape_signature is not None:
        found["shape_signature"] = list(tensor.shape_signature)
    if tensor.buffer is not None:
        found["buffer"] = buffers.get(tensor.buffer)
    if tensor.is_constant and tensor.buffer is not None and tensor.buffer.data is not None:
        found["constant_bytes"] = tensor.buffer.data.size
    if tensor.extra.get(REFERENCE):
        found[REFERENCE] = tensor.extra[REFERENCE]
    if tensor.is_variable:
        found["is_variable"] = True
    if tensor.sparsity is not None:
        found["sparsity"] = {
            "traversal_order": plain(tensor.sparsity.traversal_order),
            "block_map": plain(tensor.sparsity.block_map),
            "formats": [plain(level)["format"] for level in tensor.sparsity.dim_metadata or ()],
        }
    if tensor.lookup is not None:
        found["lookup"] = {"bits": tensor.lookup.bits, "value_bytes": tensor.lookup.values.size}
    quantization = tensor.quantization
    if quantization is not None and tensor.is_quantized:
        found["scale"] = quantization.scale.tolist()
        found["zero_point"] = quantization.zero_point.tolist()
        if quantization.per_axis:
            found["axis"] = quantization.axis
    if quantization is not None and quantization.details is not None:
        found["quantization"] = quantization.details.table
    return found
