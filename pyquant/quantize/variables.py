"""Which operators read and assign the same variable: its values are stored in one way, whatever the subgraph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyquant.graph import Model, Node, Tensor
from pyquant.ops import find
from pyquant.run.flatten import variable_name


def sharing(model: Model) -> Mapping[Node, Sequence[Node]]:
    """For each node that reads or assigns a variable all nodes that do; none where its handle goes elsewhere, too."""
    uses: dict[tuple[str, str], list[Node]] = {}
    elsewhere: set[tuple[str, str]] = set()
    found: dict[Node, list[Node]] = {}
    for subgraph in model.subgraphs:
        names: dict[Tensor | None, tuple[str, str]] = {}
        for node in subgraph.nodes:
            operator = find(node.op)
            if operator is not None and operator.flow == "handle":
                names.update(dict.fromkeys(node.outputs, variable_name(node)))
                continue
            slots = () if operator is None else operator.slots(node.inputs)
            for i, tensor in enumerate(node.inputs):
                if slots and slots[i].role == "variable":
                    found[node] = []
                    if tensor in names:
                        found[node] = uses.setdefault(names[tensor], [])
                        found[node].append(node)
                elif tensor in names:
                    elsewhere.add(names[tensor])
        elsewhere.update(names[t] for t in subgraph.outputs if t in names)
    for name in elsewhere:
        found.update({node: [] for node in uses.get(name, [])})
    return found
