"""Values that an operator joins under one scale, as boxes and scores of a detection head: what joins them, and ends."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pyquant.graph import Node, Tensor
from pyquant.ops import Operator, SameAs

# Below, a part has lost half of the bits of int8: scores of 0..1 come in steps of 1/16, coarser than thresholds.
FEWEST_LEVELS = 16


def joins(operator: Operator) -> bool:
    """True for an operator that puts any number of values under one scale."""
    return any(slot.variadic and slot.role == "activation" for slot in operator.inputs) and any(
        isinstance(slot.scale, SameAs) for slot in operator.outputs
    )


def moved_on(start: Node, operators: Mapping[Node, Operator]) -> tuple[list[Node], list[Tensor]]:
    """The nodes that only move on what `start` makes, it first; and what they make that others of `operators` read."""
    region, ends = [start], []
    for node in region:  # which grows
        for tensor in node.outputs:
            readers = [reader for reader in operators if tensor in reader.inputs]
            movers = [reader for reader in readers if _moves(reader, operators[reader], tensor)]
            region += [mover for mover in movers if mover not in region]
            if len(movers) < len(readers):
                ends.append(tensor)
    return region, ends


def _moves(node: Node, operator: Operator, tensor: Tensor) -> bool:
    """True where an output has the scale of that input."""
    slots = zip(operator.slots(node.inputs), node.inputs, strict=True)
    names = {slot.name for slot, read in slots if read is tensor}
    return any(isinstance(slot.scale, SameAs) and slot.scale.slot in names for slot in operator.outputs)


def made_whole(tensors: Collection[Tensor], start: Node) -> list[Tensor]:
    """Those that hold all that `start` joined."""
    return [tensor for tensor in tensors if tensor.size >= start.outputs[0].size]
