"""What a model costs: the sums over its nodes."""

from __future__ import annotations

from dataclasses import dataclass

from pyquant.graph import Model
from pyquant.run.cost import macs, parameters, tensor_bytes


@dataclass(frozen=True)
class Totals:
    """Sums over all subgraphs, each taken once.

    macs: of the nodes where they are known; unknown_macs: how many nodes are not among them.
    parameters and constant_bytes count what several tensors share once.
    """

    operators: int
    macs: int
    unknown_macs: int
    parameters: int
    constant_bytes: int


def totals(model: Model) -> Totals:
    """The sums over a model's nodes."""
    nodes = [node for subgraph in model.subgraphs for node in subgraph.nodes]
    counts = [macs(node) for node in nodes]
    learned = {t.buffer: t.size for node in nodes for t in parameters(node)}
    constants = {t.buffer: tensor_bytes(t) for s in model.subgraphs for t in s.tensors if t.is_constant}
    known = [count for count in counts if count is not None]
    return Totals(len(nodes), sum(known), len(counts) - len(known), sum(learned.values()), sum(constants.values()))
