"""Other names and another order for what callers see: tensors, signatures, inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyquant.errors import GraphError
from pyquant.graph.check import check
from pyquant.graph.edit import drop_description_of_ends
from pyquant.graph.find import Which, find, indices
from pyquant.graph.model import Model, Signature, Tensor


def rename(
    model: Model,
    tensors: Mapping[Any, str] | None = None,
    arguments: Mapping[str, str] | None = None,
    signatures: Mapping[str, str] | None = None,
) -> Model:
    """Other names for tensors of the main subgraph, for arguments and results of signatures, and for signatures.

    Raises GraphError for a name that does not exist, or that something else has already.
    """
    made = model.copy()
    graph = made.main
    places = indices(model, model.main, tensors or ())
    for i, name in zip(places, (tensors or {}).values(), strict=True):
        graph.tensors[i].name = name
    for i in places:
        if sum(tensor.name == graph.tensors[i].name for tensor in graph.tensors) > 1:
            raise GraphError(f"a tensor is called {graph.tensors[i].name!r} already")
    known = {name for s in made.signatures for name, _ in (*s.inputs, *s.outputs)}
    _check_known("signature argument", arguments or {}, known)
    _check_known("signature", signatures or {}, {s.key for s in made.signatures})
    for signature in made.signatures:
        signature.key = (signatures or {}).get(signature.key, signature.key)
        signature.inputs = _renamed(signature.inputs, arguments or {})
        signature.outputs = _renamed(signature.outputs, arguments or {})
    return check(made)


def reorder(model: Model, inputs: Iterable[Which] | None = None, outputs: Iterable[Which] | None = None) -> Model:
    """The main subgraph's inputs and outputs in another order, each of them named once; signatures follow.

    Raises GraphError where one is missing, or is not an input or output.
    """
    made = model.copy()
    graph = made.main
    before = graph.inputs, graph.outputs
    graph.inputs = _ordered(model, made, inputs, graph.inputs, "inputs")
    graph.outputs = _ordered(model, made, outputs, graph.outputs, "outputs")
    if (graph.inputs, graph.outputs) != before:
        drop_description_of_ends(made)
    for signature in made.signatures:
        if signature.subgraph is graph:
            _sort(signature, graph.inputs, graph.outputs)
    return check(made)


def _check_known(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise GraphError(f"no {what} is called {name!r}, there are {', '.join(map(repr, sorted(known))) or 'none'}")


def _renamed(pairs: list[tuple[str, Tensor]], names: Mapping[str, str]) -> list[tuple[str, Tensor]]:
    return [(names.get(name, name), tensor) for name, tensor in pairs]


def _ordered(
    model: Model, made: Model, wanted: Iterable[Which] | None, present: list[Tensor], side: str
) -> list[Tensor]:
    if wanted is None:
        return present
    order = [made.main.tensors[model.main.tensors.index(tensor)] for tensor in find(model, model.main, wanted)]
    if len(order) != len(present) or set(order) != set(present):
        names = [[tensor.name for tensor in tensors] for tensors in (present, order)]
        raise GraphError(f"{side}: expected each of {names[0]} once, found {names[1]}")
    return order


def _sort(signature: Signature, inputs: list[Tensor], outputs: list[Tensor]) -> None:
    signature.inputs.sort(key=lambda pair: inputs.index(pair[1]))
    signature.outputs.sort(key=lambda pair: outputs.index(pair[1]))
