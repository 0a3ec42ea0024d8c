"""Signatures for subgraphs whose inputs and outputs are new: names that are known stay, others are made, each once."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pyquant.graph.model import Signature, Subgraph, Tensor

DEFAULT_KEY = "serving_default"  # what converters write


def signature_of(subgraph: Subgraph, key: str = DEFAULT_KEY) -> Signature:
    """A signature that takes and returns what a subgraph does, by the tensors' names."""
    return Signature(key, subgraph, arguments((), subgraph.inputs), arguments((), subgraph.outputs))


def arguments(known: Iterable[tuple[str, Tensor]], tensors: Iterable[Tensor]) -> list[tuple[str, Tensor]]:
    """A name for each tensor: the one that it has, or its own, each once."""
    names: dict[Tensor, str] = {}
    for name, tensor in known:
        names.setdefault(tensor, name)
    named: dict[str, Tensor] = {}
    for tensor in dict.fromkeys(tensors):
        named[unused_name(names.get(tensor, tensor.name), named)] = tensor
    return list(named.items())


def unused_name(name: str, taken: Collection[str]) -> str:
    """The name, with a number after it where it is taken."""
    candidates = (f"{name}_{i}" for i in range(1, len(taken) + 2))
    return next(n for n in (name, *candidates) if n not in taken)
