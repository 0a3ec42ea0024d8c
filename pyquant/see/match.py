"""Which nodes and tensors of one subgraph stand for which of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import TypeVar

from pyquant.graph import Node, Subgraph, Tensor

T = TypeVar("T")


class Pairs:
    """Nodes and tensors of subgraph a with their partners in b, each in one pair at most."""

    def __init__(self, a: Subgraph, b: Subgraph) -> None:
        self.a, self.b = a, b
        nodes = matched_nodes(a.nodes, b.nodes)
        self.nodes = {node: nodes[node] for node in a.nodes if node in nodes}
        self.writers = {tensor: node for node in (*a.nodes, *b.nodes) for tensor in node.outputs}
        self._told = {*a.nodes, *b.nodes} - {*nodes.keys(), *nodes.values()}
        found: dict[Tensor, Tensor] = {}
        self._partners: dict[Tensor, Tensor] = {}
        for x, y in self._candidates():
            if x not in found and y not in self._partners:
                found[x] = y
                self._partners[y] = x
        self.tensors = {tensor: found[tensor] for tensor in a.tensors if tensor in found}

    def parted(self, x: Tensor, y: Tensor) -> bool:
        """Whether two tensors in the same place do not stand for each other, and no node that has no partner is why."""
        told = any(self.writers.get(t) in self._told for t in (x, y))
        return self.tensors.get(x) is not y and not told

    def compared(self, x: Tensor, y: Tensor) -> bool:
        """Whether one of them is a constant whose partner is one, too."""
        others = ((x, self.tensors.get(x)), (y, self._partners.get(y)))
        return any(t.is_constant and other is not None and other.is_constant for t, other in others)

    def _candidates(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The surest first: what matched nodes write, then the inputs, what matched nodes read, and equal names."""
        for a, b in self.nodes.items():
            yield from zip(a.outputs, b.outputs, strict=False)
        names = {t.name: t for t in self.b.inputs}
        by_name = {t.name for t in self.a.inputs} == names.keys() and len(names) == len(self.b.inputs)
        others = [names[t.name] for t in self.a.inputs] if by_name else self.b.inputs
        yield from zip(self.a.inputs, others, strict=False)
        written = {t for s in (self.a, self.b) for t in [*s.inputs, *(t for n in s.nodes for t in n.outputs)]}
        read = [((*a.inputs, *a.intermediates), (*b.inputs, *b.intermediates)) for a, b in self.nodes.items()]
        for first, second in [*read, (self.a.outputs, self.b.outputs)]:
            for x, y in zip(first, second, strict=False):
                if x is not None and y is not None and x not in written and y not in written:
                    yield x, y
        yield from _unique_names(self.a.tensors, self.b.tensors, lambda tensor: tensor.name)


def matched_nodes(a: Sequence[Node], b: Sequence[Node]) -> dict[Node, Node]:
    """Nodes of a and their partners in b.

    First those of one operator whose first output has the same name, where it is no other's; then, in the order of
    execution between those, by operator and output shapes, by operator alone; at last by name though the operator is
    another.
    """
    pairs = {x: y for x, y in _unique_names(a, b, _name) if x.op == y.op}
    for key in (_shapes, _operator):
        pairs |= _aligned(a, b, pairs, key)
    taken = set(pairs.values())
    return pairs | {x: y for x, y in _unique_names(a, b, _name) if x not in pairs and y not in taken}


def _aligned(
    a: Sequence[Node], b: Sequence[Node], pairs: dict[Node, Node], key: Callable[[Node], Hashable]
) -> dict[Node, Node]:
    """More pairs, of nodes with equal keys: a longest common sequence, which passes through the pairs there are."""
    taken = set(pairs.values())
    if len(pairs) in (len(a), len(b)):
        return {}
    first = [pairs.get(node) or key(node) for node in a]
    second = [node if node in taken else key(node) for node in b]
    found: dict[Node, Node] = {}
    for i, j, size in SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks():
        found |= dict(zip(a[i : i + size], b[j : j + size], strict=True))
    return {x: y for x, y in found.items() if x not in pairs and y not in taken}


def _name(node: Node) -> str:
    return node.outputs[0].name if node.outputs else ""


def _operator(node: Node) -> Hashable:
    return node.op


def _shapes(node: Node) -> Hashable:
    return node.op, *(tensor.shape for tensor in node.outputs)


def _unique_names(a: Sequence[T], b: Sequence[T], name: Callable[[T], str]) -> Iterator[tuple[T, T]]:
    """Items of both whose name is nobody else's."""
    counts = [Counter(map(name, items)) for items in (a, b)]
    there = {name(item): item for item in b}
    for item in a:
        word = name(item)
        if word and counts[0][word] == counts[1][word] == 1:
            yield item, there[word]
