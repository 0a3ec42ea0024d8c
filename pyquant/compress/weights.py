"""The weights of a model that a compressor is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyquant.errors import OptionError
from pyquant.graph import Model, Node, Subgraph, Tensor
from pyquant.ops import find


@dataclass(frozen=True, eq=False)
class Weight:
    """A constant that operators read as weights. uses: the nodes that do, each with the index of that input."""

    tensor: Tensor
    uses: tuple[tuple[Node, int], ...]


def weights(model: Model, regex: str = ".*", operation: str = "*", least: int = 0, casts: bool = False) -> list[Weight]:
    """The weights, each once, of operators whose first output's name matches and which are of that name.

    operation: CONV_2D, ...; "*" for all. least: elements of a weight. A constant that something else reads too is none.
    casts: what is stored counts, too, where a cast stands between it and the operator: float16, mostly.
    Raises OptionError where there is no such weight, or for a regular expression that is none.
    """
    try:
        wanted = re.compile(regex)
    except re.error as error:
        raise OptionError(f"regex {regex!r}: {error}") from error
    uses: dict[Tensor, list[tuple[Node, int]]] = {}
    others: set[Tensor] = set()
    for subgraph in model.subgraphs:
        stored = _stored(subgraph) if casts else {}
        others.update(stored.get(t, t) for t in subgraph.outputs)
        for node in subgraph.nodes:
            if node.outputs and node.outputs[0] in stored:
                continue
            operator = find(node.op)
            slots = operator.of(node).slots(node.inputs) if operator is not None else [None] * len(node.inputs)
            named = node.outputs and wanted.search(node.outputs[0].name) and operation in ("*", node.op)
            for i, (slot, read) in enumerate(zip(slots, node.inputs, strict=True)):
                tensor = read if read is None else stored.get(read, read)
                if tensor is None or not tensor.is_constant:
                    continue
                if slot is not None and slot.role == "weight" and named and tensor.size >= least:
                    uses.setdefault(tensor, []).append((node, i))
                else:
                    others.add(tensor)
    found = [Weight(tensor, tuple(nodes)) for tensor, nodes in uses.items() if tensor not in others]
    if not found:
        behind = not casts and any(map(_stored, model.subgraphs))
        hint = "; those behind casts do not count here: `fold` opens these" if behind else ""
        which = f"regex {regex!r}, operation {operation!r}, least {least}"
        raise OptionError(f"{which}: no weight of the model is meant{hint}")
    return found


def _stored(subgraph: Subgraph) -> dict[Tensor, Tensor]:
    """What casts make of constants -> the constant."""
    found: dict[Tensor, Tensor] = {}
    for node in subgraph.nodes:
        operator, source = find(node.op), node.inputs[0] if node.inputs else None
        if operator is not None and operator.cast and source is not None and source.is_constant:
            found[node.outputs[0]] = source
    return found
