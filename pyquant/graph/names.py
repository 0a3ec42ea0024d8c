"""Other names and another order for what callers see: tensors, signatures, inputs and outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyquant.errors import GraphError
from pyquant.graph.check import check
from pyquant.graph.edit import OF_ENDS, drop_metadata
from pyquant.graph.find import Which, find, indices
from pyquant.graph.model import Model, Signature, Tensor
from pyquant.graph.signatures import DEFAULT_KEY, signature_of


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


def add_signature(model: Model, key: str = DEFAULT_KEY) -> Model:
    """A signature for the main subgraph, whose arguments and results have the names of its inputs and outputs.

    Raises GraphError where the model has that signature already.
    """
    made = model.copy()
    made.signatures.append(signature_of(made.main, key))
    return check(made)


def reorder(
    model: Model,
    inputs: Iterable[Which] | None = None,
    outputs: Iterable[Which] | None = None,
    signatures: Iterable[str] | None = None,
) -> Model:
    """The main subgraph's inputs and outputs, and the signatures, in another order, each of them named once.

    Arguments and results of signatures follow; metadata that describes inputs and outputs by place goes.
    Raises GraphError where one is missing, or is not an input or output.
    """
    made = model.copy()
    graph = made.main
    before = graph.inputs, graph.outputs
    graph.inputs = _ordered(model, made, inputs, graph.inputs, "inputs")
    graph.outputs = _ordered(model, made, outputs, graph.outputs, "outputs")
    if (graph.inputs, graph.outputs) != before:
        drop_metadata(made, OF_ENDS)
    for signature in made.signatures:
        if signature.subgraph is graph:
            _sort(signature, graph.inputs, graph.outputs)
    if signatures is not None:
        order, present = list(signatures), [s.key for s in made.signatures]
        _check_permutation("signatures", order, present)
        made.signatures.sort(key=lambda s: order.index(s.key))
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
    _check_permutation(side, order, present)
    return order


def _check_permutation(what: str, order: Sequence[Any], present: Sequence[Any]) -> None:
    if Counter(order) != Counter(present):
        expected, found = ([getattr(item, "name", item) for item in items] for items in (present, order))
        raise GraphError(f"{what}: expected each of {expected} once, found {found}")


def _sort(signature: Signature, inputs: list[Tensor], outputs: list[Tensor]) -> None:
    signature.inputs.sort(key=lambda pair: inputs.index(pair[1]))
    signature.outputs.sort(key=lambda pair: outputs.index(pair[1]))
