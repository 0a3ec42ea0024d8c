"""Which positions along the dimensions of a model's tensors can only go together, and why some cannot go at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyquant.errors import PyQuantError
from pyquant.graph import Model, Node, Tensor
from pyquant.ops import Call
from pyquant.ops.operator import Tie
from pyquant.rewrite.links import call_of
from pyquant.run.resolve import shapes_of, within_reason

FREE = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Use:
    """A weight's axis in a node. channels: "made" along it, "read", or both, where each stays what it is: "passed"."""

    node: Node
    weight: Tensor
    axis: int
    channels: str


class Positions:
    """The classes of positions that go together. uses: what is done along the axes of weights."""

    def __init__(self, model: Model) -> None:
        self.starts: dict[Tensor, list[int]] = {}
        self.uses: list[Use] = []
        self.calls: dict[Node, Call] = {}  # of nodes whose ties are known
        self.count, self.reasons = 0, list[str]()
        for tensor in (t for s in model.subgraphs for t in s.tensors):
            ends = np.cumsum([self.count, *(max(n, 0) for n in tensor.shape)]).tolist()
            self.starts[tensor], self.count = ends[:-1], ends[-1]
        self.fixed_by = np.full(self.count, FREE, np.int64)  # the first of the reasons
        self._fix_ends(model)
        ties: list[tuple[np.ndarray, np.ndarray]] = []
        for node in (n for s in model.subgraphs for n in s.nodes):
            ties += self._ties(node)
        self.classes = _united(self.count, ties)  # of each position the least that goes with it
        fixed_by = np.full(self.count, FREE, np.int64)
        np.minimum.at(fixed_by, self.classes, self.fixed_by)
        self.fixed_by = fixed_by[self.classes]

    def of(self, tensor: Tensor, axis: int) -> slice:
        start = self.starts[tensor][axis]
        return slice(start, start + max(tensor.shape[axis], 0))

    def along(self, tensor: Tensor, axis: int) -> list[int]:
        """The classes that a dimension has positions of."""
        return list(np.unique(self.classes[self.of(tensor, axis)]).tolist())

    def reason(self, position: int) -> str | None:
        """Why a position cannot go."""
        found = self.fixed_by[position]
        return None if found == FREE else self.reasons[found]

    def kept(self, tensor: Tensor, gone: np.ndarray) -> list[np.ndarray]:
        """What stays along each dimension. gone: (count,) bool, by class"""
        return [~gone[self.classes[self.of(tensor, axis)]] for axis in range(len(tensor.shape))]

    def _fix(self, tensor: Tensor, axis: int, reason: str, where: np.ndarray | bool = True) -> None:
        fixed = self.fixed_by[self.of(tensor, axis)]
        fixed[(fixed == FREE) & where] = len(self.reasons)
        self.reasons.append(reason)

    def _fix_all(self, tensor: Tensor, reason: str) -> None:
        for axis in range(len(tensor.shape)):
            self._fix(tensor, axis, reason)

    def _fix_ends(self, model: Model) -> None:
        for subgraph in model.subgraphs:
            for what, tensors in (("input", subgraph.inputs), ("output", subgraph.outputs)):
                for tensor in tensors:
                    self._fix_all(tensor, f"{what} {tensor.name!r} of the model has them")
        for tensor in self.starts:
            for axis, size in enumerate((tensor.shape_signature or ())[: len(tensor.shape)]):
                if size < 0:
                    self._fix(tensor, axis, f"tensor {tensor.name!r} has a dimension of unknown size")
            if tensor.is_variable:
                self._fix_all(tensor, f"variable {tensor.name!r} keeps them from run to run")
            if tensor.quantization is not None and tensor.quantization.details is not None:
                self._fix_all(tensor, f"tensor {tensor.name!r} has scales for blocks of them")

    def _ties(self, node: Node) -> list[tuple[np.ndarray, np.ndarray]]:
        """Positions with keys, which mean the same within a tie. What has no tie is fixed."""
        call, stated = _known(node)
        if call is not None:
            self.calls[node] = call
            self.uses += _uses(call, stated)
        found, tied = [], dict[tuple[Tensor, int], np.ndarray]()
        for tie in stated:
            for tensor, axis, keys in tie:
                tied[tensor, axis] = tied.get((tensor, axis), False) | (keys >= 0)
            positions = np.concatenate([self.starts[t][axis] + np.arange(len(keys)) for t, axis, keys in tie])
            keys = np.concatenate([along.keys for along in tie])
            found.append((positions[keys >= 0], keys[keys >= 0]))
        for tensor in (t for t in (*node.inputs, *node.outputs, *node.intermediates) if t is not None):
            for axis, size in enumerate(tensor.shape):
                loose = ~tied.get((tensor, axis), np.zeros(max(size, 0), bool))
                self._fix(tensor, axis, f"{node.label} needs {tensor.name!r} whole", loose)
        return found


def _known(node: Node) -> tuple[Call | None, Sequence[Tie]]:
    """A node whose shapes are those that its operator makes, and its ties; None and none for others."""
    call = call_of(node)
    try:
        if call is not None and call.operator.ties is not None and shapes_of(call) == [t.shape for t in node.outputs]:
            return call, within_reason(call, call.operator.ties)
    except PyQuantError:  # what does not run loses nothing
        pass
    return None, ()


def _uses(call: Call, ties: Sequence[Tie]) -> list[Use]:
    slots = zip(call.operator.slots(call.node.inputs), call.node.inputs, strict=True)
    given = [(slot, t) for slot, t in slots if t is not None]
    weights, values = ({t for slot, t in given if slot.role == role} for role in ("weight", "activation"))
    found = []
    for tie in ties:
        tensors = {along.tensor for along in tie}
        made, read = not tensors.isdisjoint(call.node.outputs), not tensors.isdisjoint(values)
        channels = "passed" if made and read else "made" if made else "read"
        found += [Use(call.node, tensor, axis, channels) for tensor, axis, _ in tie if tensor in weights]
    return found


def _united(count: int, ties: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Of each position the least that ties lead to: what one tie finds out, the others tell on, there and back."""
    classes, before = np.arange(count), np.zeros(0, np.int64)
    while not np.array_equal(classes, before):
        before = classes.copy()
        for positions, keys in (*ties, *reversed(ties)):
            least = np.full(keys.max(initial=-1) + 1, count)
            np.minimum.at(least, keys, classes[positions])
            classes[positions] = least[keys]
    return classes
