"""A model as text: what `print(model)` shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pyquant.graph.model import Model, Node, Quantization, Signature, Subgraph, Tensor
from pyquant.table import Column, lines, printable

# Inputs or outputs that one row shows before it only counts the rest.
SHOWN = 4


def summary(model: Model) -> str:
    """Inputs, outputs and operators of every subgraph, signatures, and totals by element type."""
    text = [model.description or "(no description)"]
    for i, subgraph in enumerate(model.subgraphs):
        text += ["", f"Subgraph {i} {subgraph.name!r}", *_subgraph(subgraph)]
    if model.signatures:
        text += ["", "Signatures", *(f"  {signature_text(s)}" for s in model.signatures)]
    return "\n".join(printable(line) for line in [*text, "", *_totals(model)])


def _subgraph(subgraph: Subgraph) -> Iterator[str]:
    sides = [("input", t) for t in subgraph.inputs] + [("output", t) for t in subgraph.outputs]
    yield from _columns([(side, t.name, type_text(t), quantization_text(t.quantization)) for side, t in sides])
    yield from _columns([_node(i, node) for i, node in enumerate(subgraph.nodes)])


def _node(index: int, node: Node) -> tuple[str, ...]:
    return (
        str(index),
        node.op,
        f"v{node.opcode.version}",
        f"{_list(node.inputs)} -> {_list(node.outputs)}",
        " ".join(f"{field}={subgraph.name!r}" for field, subgraph in node.subgraphs.items()),
    )


def _list(tensors: Sequence[Tensor | None]) -> str:
    shown = ["-" if tensor is None else type_text(tensor) for tensor in tensors[:SHOWN]]
    if len(tensors) > SHOWN:
        shown.append(f"{len(tensors) - SHOWN} more")
    return ", ".join(shown)


def type_text(tensor: Tensor) -> str:
    """`int8[1,224,224,3]`; ? for a size that is not known, a star for a constant."""
    signature = tensor.shape_signature
    shape = signature if signature is not None and len(signature) == len(tensor.shape) else tensor.shape
    sizes = ",".join("?" if size < 0 else str(size) for size in shape)
    return f"{tensor.dtype}[{sizes}]{'*' if tensor.is_constant else ''}"


def quantization_text(quantization: Quantization | None) -> str:
    """`scale 0.5 zero point -3`, or what stands in its place; nothing where there is none."""
    if quantization is None:
        return ""
    if quantization.details is not None:
        return quantization.details.table
    if quantization.scale.size > 1:
        return f"{quantization.scale.size} scales on axis {quantization.axis}"
    if not quantization.scale.size:
        return ""
    zero_point = quantization.zero_point[0] if quantization.zero_point.size else 0
    return f"scale {quantization.scale[0]:.6g} zero point {zero_point}"


def signature_text(signature: Signature) -> str:
    """`serving_default(x, y) -> z`."""
    inputs, outputs = (", ".join(str(name) for name, _ in side) for side in (signature.inputs, signature.outputs))
    return f"{signature.key}({inputs}) -> {outputs}"


def _totals(model: Model) -> Iterator[str]:
    constants = {t.buffer: t for s in model.subgraphs for t in s.tensors if t.buffer is not None and t.is_constant}
    elements: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for buffer, tensor in constants.items():
        elements[tensor.dtype.name] += tensor.size
        sizes[tensor.dtype.name] += 0 if buffer.data is None else buffer.data.size
    nodes = sum(len(subgraph.nodes) for subgraph in model.subgraphs)
    yield f"{nodes} operators, {elements.total():,} constant (*) elements in {sizes.total():,} bytes"
    yield from _columns([(name, f"{elements[name]:,}", f"{sizes[name]:,} bytes") for name in elements])
    trailing = model.extra.get("trailing")
    if trailing is not None:
        yield f"{trailing.size:,} bytes follow the model (metadata archive)"


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield from (f"  {line}" for line in lines([Column("")] * max(map(len, rows), default=0), rows))
