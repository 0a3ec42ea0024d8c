"""What recurrent operators hold from step to step, and compute on the way: told by their references, as they run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pyquant.dtypes import FLOAT32
from pyquant.graph import Model, Node, Subgraph, Tensor
from pyquant.ops import Call, find, get

REAL = ("float32", "hybrid")  # kinds of nodes with float activations


def with_intermediates(model: Model) -> Model:
    """A model whose float operators name just the intermediates that they may have; itself where they do.

    Those that are new are empty float32 tensors.
    """
    if not any(_lacks(node) for subgraph in model.subgraphs for node in subgraph.nodes):
        return model
    made = model.copy()
    for subgraph in made.subgraphs:
        for node in filter(_lacks, subgraph.nodes):
            slots = get(node.op).of(node).intermediates
            node.intermediates = [Tensor(f"{node.outputs[0].name}/{slot.name}", (0,), FLOAT32) for slot in slots]
            subgraph.tensors += node.intermediates
    return made


def _lacks(node: Node) -> bool:
    operator = find(node.op)
    if operator is None or operator.kind(node) not in REAL:
        return False
    return len(node.intermediates) != len(operator.of(node).intermediates) and bool(operator.intermediates)


def numbered(model: Model) -> list[Tensor]:
    """The tensors of all subgraphs, one after the other; intermediates come last, as a model may do without."""
    inner = {t: None for s in model.subgraphs for node in s.nodes for t in node.intermediates}
    return [t for s in model.subgraphs for t in s.tensors if t not in inner] + list(inner)


class Told:
    """A node with states, whose reference runs on what the node reads and tells what they hold."""

    def __init__(self, node: Node) -> None:
        operator = find(node.op)
        assert operator is not None
        operator = operator.of(node)
        self.node, self.call = node, Call(operator, node, tell=self._tell)
        given = zip(operator.inputs, node.inputs, strict=False)
        inner = zip(operator.intermediates, node.intermediates, strict=False)
        named = [(slot, t) for slot, t in given if t is not None and slot.role == "state"]
        self.tensors = {slot.name: tensor for slot, tensor in (*named, *inner) if tensor is not None}
        self.read = [t for t in node.inputs if t is not None and not (t.is_constant or t.is_variable)]
        self._parts: dict[Tensor, list[np.ndarray]] = {}

    def of(self, values: Mapping[Tensor, np.ndarray]) -> dict[Tensor, np.ndarray]:
        """What states and intermediates hold in one run, all steps in a row. values: of what varies, before it."""
        arrays = [None if t is None else values[t].copy() if t in values else t.data for t in self.node.inputs]
        self._parts = {tensor: [np.zeros(0, np.float32)] for tensor in self.tensors.values()}
        self.call.operator.reference[self.call.kind](self.call, *arrays)
        return {tensor: np.concatenate(parts) for tensor, parts in self._parts.items()}

    def _tell(self, slot: str, values: np.ndarray) -> None:
        self._parts[self.tensors[slot]].append(values.ravel().copy())


def stateful(subgraph: Subgraph) -> list[Node]:
    """The nodes with float states that could be integers: what they hold, and intermediates, their references tell."""
    found = []
    for node in subgraph.nodes:
        operator = find(node.op)
        operator = None if operator is None else operator.of(node)
        if operator is None or not operator.stateful or "int8" not in operator.reference:
            continue
        if operator.kind(node) in REAL:
            found.append(node)
    return found
