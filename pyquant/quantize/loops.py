"""What decides how often a loop runs: rounding it might change more than a value, and add up from round to round."""

from __future__ import annotations

from collections.abc import Collection

from pyquant.graph import Model, Node, Subgraph, Tensor
from pyquant.ops import find


def deciding(model: Model) -> set[Node]:
    """The nodes, in conditions and bodies of loops, from whose results it follows whether there is another round."""
    found: set[Node] = set()
    for node in (n for s in model.subgraphs for n in s.nodes):
        operator = find(node.op)
        if operator is not None and operator.flow == "loop" and len(node.subgraphs) == 2:
            found |= _of_loop(*node.subgraphs.values())
    return found


def _of_loop(condition: Subgraph, body: Subgraph) -> set[Node]:
    nodes, reads = _behind(condition, condition.outputs)
    places: set[int] = set()  # of the loop's values, those that matter
    found = {i for i, t in enumerate(condition.inputs) if t in reads}
    while not found <= places:
        places |= found
        inside, reads = _behind(body, [t for i, t in enumerate(body.outputs) if i in places])
        nodes |= inside
        found = {i for i, t in enumerate(body.inputs) if t in reads}
    return nodes


def _behind(subgraph: Subgraph, wanted: Collection[Tensor]) -> tuple[set[Node], set[Tensor | None]]:
    """The nodes that tensors follow from, and all that these read."""
    nodes: set[Node] = set()
    reads: set[Tensor | None] = set(wanted)
    for node in reversed(subgraph.nodes):
        if not reads.isdisjoint(node.outputs):
            nodes.add(node)
            reads.update(node.inputs)
    return nodes, reads
